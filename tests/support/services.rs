//! What lies behind the API, as the SDKs see it: the table's items, its stream, the queues' messages, the bucket.

use super::{Host, TestApp};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use local::Pattern;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use template::Event;

/// Items as DynamoDB writes them in JSON, by their keys.
pub(crate) type Items = BTreeMap<(String, String), Value>;

/// Objects by their keys.
pub(crate) type Objects = BTreeMap<String, Object>;

/// An object of the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) size: usize,
    pub(crate) content_type: String,
    pub(crate) sha256: String,
}

/// What a call needs; nobody here checks it.
const SIGNATURE: &str =
    "AWS4-HMAC-SHA256 Credential=local/20261120/local/any/aws4_request, SignedHeaders=host, Signature=0";

impl TestApp {
    /// One call of an embedded service: `("DynamoDB_20120810.Scan", …)`.
    pub(crate) async fn aws(&self, endpoint: &str, target: &str, body: Value) -> Value {
        if let Host::Stack(stack) = &self.host {
            let answer = stack.aws(target, body).await;
            assert!(answer.get("__type").is_none(), "{target}: {answer}");
            return answer;
        }
        let call = http::Request::post(endpoint).header("x-amz-target", target);
        let call = call.header("authorization", SIGNATURE).header("x-amz-date", "20261120T203000Z");
        let call = call.header("content-type", "application/x-amz-json-1.0").body(body.to_string().into());
        let answer = self.http.send(call.expect("a request")).await.expect("an answer");
        let answer: Value = serde_json::from_slice(answer.body()).expect("JSON");
        assert!(answer.get("__type").is_none(), "{target}: {answer}");
        answer
    }

    /// The signing keys, as Secrets Manager has them.
    pub(crate) async fn signing_keys(&self) -> Map<String, Value> {
        let secret = json!({"SecretId": self.environment("users")["SIGNING_KEYS_ARN"]});
        let found = self.aws(&self.endpoints().secrets, "secretsmanager.GetSecretValue", secret).await;
        serde_json::from_str(found["SecretString"].as_str().expect("a secret")).expect("keys by their names")
    }

    /// Replaces the signing keys.
    pub(crate) async fn put_signing_keys(&self, keys: &Value) {
        let secret =
            json!({"SecretId": self.environment("users")["SIGNING_KEYS_ARN"], "SecretString": keys.to_string()});
        self.aws(&self.endpoints().secrets, "secretsmanager.PutSecretValue", secret).await;
    }

    /// Every item of the table, but for what schedules keep of themselves, which is written when they run.
    pub(crate) async fn table(&self) -> Items {
        let (mut items, mut from) = (Items::new(), Value::Null);
        loop {
            let mut scan = json!({"TableName": self.table_name(), "ConsistentRead": true});
            if !from.is_null() {
                scan["ExclusiveStartKey"] = from;
            }
            let page = self.aws(&self.endpoints().dynamodb, "DynamoDB_20120810.Scan", scan).await;
            let is_schedules = |item: &&Value| ["DUE", "MX"].contains(&&*text(item, "PK"));
            for item in page["Items"].as_array().expect("items").iter().filter(|item| !is_schedules(item)) {
                items.insert((text(item, "PK"), text(item, "SK")), item.clone());
            }
            from = page["LastEvaluatedKey"].clone();
            if from.is_null() {
                return items;
            }
        }
    }

    /// A client of the bucket, as the functions have one.
    pub(crate) fn s3(&self) -> Client {
        let environment = self.environment("posts");
        let [key, secret] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| environment[name].as_str());
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(environment["AWS_REGION"].clone()))
            .credentials_provider(Credentials::new(key, secret, None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(&self.endpoints().s3)
            .force_path_style(true);
        Client::from_conf(config.build())
    }

    pub(crate) fn bucket_name(&self) -> String {
        self.environment("posts").remove("MEDIA_BUCKET").expect("a bucket")
    }

    /// Every object of the bucket.
    pub(crate) async fn bucket(&self) -> Objects {
        let (s3, bucket) = (self.s3(), self.bucket_name());
        let mut objects = Objects::new();
        let mut pages = s3.list_objects_v2().bucket(&bucket).into_paginator().send();
        while let Some(page) = pages.next().await {
            for key in page.expect("a page").contents().iter().filter_map(|object| object.key()) {
                let object = s3.get_object().bucket(&bucket).key(key).send().await.expect("an object");
                let content_type = object.content_type().unwrap_or_default().to_owned();
                let bytes = object.body.collect().await.expect("all of it").to_vec();
                let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
                objects.insert(key.to_owned(), Object { size: bytes.len(), content_type, sha256 });
            }
        }
        objects
    }

    /// Holds the settled table to itself: counters to ledgers, ledgers to edges, and all else that stands there twice.
    #[track_caller]
    pub(crate) fn audit(&self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let report = match &self.host {
                Host::Local(local) => local.audit().await.expect("an audit"),
                Host::Stack(stack) => stack.audit().await,
            };
            assert!(report.is_clean(), "{caller}\n{report}");
        }
    }

    /// Writes an item as it stands, whatever it says.
    pub(crate) async fn put_item(&self, item: &Value) {
        let put = json!({"TableName": self.table_name(), "Item": item});
        self.aws(&self.endpoints().dynamodb, "DynamoDB_20120810.PutItem", put).await;
    }

    /// Takes the item at this one's key away.
    pub(crate) async fn delete_item(&self, item: &Value) {
        let key = json!({"PK": item["PK"], "SK": item["SK"]});
        let delete = json!({"TableName": self.table_name(), "Key": key});
        self.aws(&self.endpoints().dynamodb, "DynamoDB_20120810.DeleteItem", delete).await;
    }

    /// Every record of the table's stream that the template lets through to `dispatch`, in Lambda's form, oldest first.
    pub(crate) async fn stream(&self) -> Vec<Value> {
        let endpoint = &self.endpoints().dynamodb;
        let target = |operation: &str| format!("DynamoDBStreams_20120810.{operation}");
        let streams = self.aws(endpoint, &target("ListStreams"), json!({"TableName": self.table_name()})).await;
        let arn = &streams["Streams"][0]["StreamArn"];
        let stream = self.aws(endpoint, &target("DescribeStream"), json!({"StreamArn": arn})).await;
        let shard = &stream["StreamDescription"]["Shards"][0]["ShardId"];
        let from = json!({"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"});
        let mut iterator = self.aws(endpoint, &target("GetShardIterator"), from).await["ShardIterator"].clone();
        let (patterns, mut records) = (self.patterns(), Vec::new());
        loop {
            let page = self.aws(endpoint, &target("GetRecords"), json!({"ShardIterator": iterator})).await;
            let page_records = page["Records"].as_array().expect("records");
            if page_records.is_empty() {
                return records;
            }
            let passes = |record: &&Value| patterns.iter().any(|pattern| pattern.matches(record));
            records.extend(page_records.iter().filter(passes).cloned());
            iterator = page["NextShardIterator"].clone();
        }
    }

    fn patterns(&self) -> Vec<Pattern> {
        let dispatch = self.model().functions.iter().find(|function| function.binary == "dispatch");
        let triggers = dispatch.expect("dispatch").events.iter().filter_map(|event| match event {
            Event::Stream(trigger) => Some(trigger),
            _ => None,
        });
        triggers
            .flat_map(|trigger| trigger.filters())
            .map(|pattern| Pattern::parse(pattern).expect("a pattern"))
            .collect()
    }

    /// Hands records to `dispatch` in batches of this size, each again until it is done.
    pub(crate) async fn dispatch(&self, records: &[Value], batch: usize) {
        for batch in records.chunks(batch) {
            let mut left = batch;
            while !left.is_empty() {
                let answer = self.invoke("dispatch", &json!({"Records": left})).await.expect("an answer");
                let Some(failed) = answer["batchItemFailures"].as_array().and_then(|failed| failed.first()) else {
                    break;
                };
                let is_it = |record: &Value| record["dynamodb"]["SequenceNumber"] == failed["itemIdentifier"];
                left = &left[left.iter().position(is_it).expect("a record of this batch")..];
            }
        }
    }

    /// Hands messages to a worker, as many at once as it takes, and those that fail once more: two that are the same may
    /// be in each other's way.
    pub(crate) async fn work(&self, function: &str, bodies: &[String]) {
        for bodies in bodies.chunks(10) {
            let record = |(id, body): (usize, &String)| json!({"messageId": id.to_string(), "body": body, "eventSource": "aws:sqs"});
            let records = bodies.iter().enumerate().map(record);
            let event = json!({"Records": records.collect::<Vec<_>>()});
            let answer = self.invoke(function, &event).await.expect("an answer");
            let failed = answer["batchItemFailures"].as_array().expect("a list");
            let failed =
                failed.iter().map(|one| one["itemIdentifier"].as_str().and_then(|id| id.parse::<usize>().ok()));
            let again: Vec<_> = failed.map(|id| event["Records"][id.expect("a number")].clone()).collect();
            let answer = self.invoke(function, &json!({"Records": again})).await.expect("an answer");
            assert_eq!(answer["batchItemFailures"], json!([]), "{event}");
        }
    }

    pub(crate) fn queue_url(&self, variable: &str) -> String {
        self.environment("dispatch").remove(variable).expect("a queue")
    }

    /// A queue's ARN, by its id in the template.
    pub(crate) async fn queue_arn(&self, name: &str) -> Value {
        let url = match &self.host {
            Host::Local(_) => self.queue_url("FANOUT_QUEUE_URL").replace("FanoutQueue", name),
            Host::Stack(stack) => stack.queues[name].clone(),
        };
        let get = json!({"QueueUrl": url, "AttributeNames": ["QueueArn"]});
        self.aws(&self.endpoints().sqs, "AmazonSQS.GetQueueAttributes", get).await["Attributes"]["QueueArn"].take()
    }

    /// Takes all messages out of the queue that the variable names; for when no worker runs.
    pub(crate) async fn take_messages(&self, variable: &str) -> Vec<String> {
        let (endpoint, url) = (&self.endpoints().sqs, self.queue_url(variable));
        let mut bodies = Vec::new();
        loop {
            let receive = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
            let received = self.aws(endpoint, "AmazonSQS.ReceiveMessage", receive).await;
            let messages = received["Messages"].as_array().cloned().unwrap_or_default();
            if messages.is_empty() {
                return bodies;
            }
            for message in messages {
                bodies.push(message["Body"].as_str().expect("a body").to_owned());
                let done = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
                self.aws(endpoint, "AmazonSQS.DeleteMessage", done).await;
            }
        }
    }

    /// Puts messages into the queue that the variable names.
    pub(crate) async fn send_messages(&self, variable: &str, bodies: &[String]) {
        for body in bodies {
            let send = json!({"QueueUrl": self.queue_url(variable), "MessageBody": body});
            self.aws(&self.endpoints().sqs, "AmazonSQS.SendMessage", send).await;
        }
    }
}

/// The text of an attribute; empty if it has none.
pub(crate) fn text(item: &Value, attribute: &str) -> String {
    item[attribute]["S"].as_str().unwrap_or_default().to_owned()
}

/// A shuffled copy; the seed decides the order.
pub(crate) fn shuffled<T: Clone>(items: &[T], seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut mixed = items.to_vec();
    for place in (1..mixed.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        mixed.swap(place, (state >> 33) as usize % (place + 1));
    }
    mixed
}
