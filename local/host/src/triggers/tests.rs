//! Triggers on the real services, with functions made for the purpose.

mod delivery;

use super::*;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use emulators::lambda::Handler;
use emulators::sqs::QueueSpec;
use emulators::{Durability, REGION, listen};
use futures::FutureExt;
use serde_json::{Value, json};
use std::sync::Mutex as StdMutex;
use tempfile::TempDir;

fn client_of(endpoint: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint);
    Client::from_conf(config.build())
}

const TEMPLATE: &str = r#"
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{ AttributeName: PK, AttributeType: S }]
      KeySchema: [{ AttributeName: PK, KeyType: HASH }]
      StreamSpecification: { StreamViewType: NEW_AND_OLD_IMAGES }
  Jobs:
    Type: AWS::SQS::Queue
    Properties: { RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2 } }
  Dead: { Type: AWS::SQS::Queue, Properties: {} }
  Reader:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: reader } }
    Properties:
      Events:
        Changes:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt Table.StreamArn
            BatchSize: 10
            BisectBatchOnFunctionError: true
            MaximumRetryAttempts: 1
            FunctionResponseTypes: [ReportBatchItemFailures]
            DestinationConfig: { OnFailure: { Type: SQS, Destination: !GetAtt Dead.Arn } }
            FilterCriteria:
              Filters: [{ Pattern: '{"dynamodb":{"Keys":{"PK":{"S":[{"prefix":"a"}]}}}}' }]
  Worker:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: worker } }
    Properties:
      Events:
        Jobs:
          Type: SQS
          Properties:
            Queue: !GetAtt Jobs.Arn
            FunctionResponseTypes: [ReportBatchItemFailures]
"#;

/// What the functions got, in order: the keys or bodies of each batch.
type Seen = Arc<StdMutex<Vec<Vec<String>>>>;

pub(crate) struct Host {
    triggers: Triggers,
    pub(crate) client: Client,
    pub(crate) sqs: Sqs,
    seen: Seen,
}

/// Starts the template's triggers on `dir`; `answer` gives the functions' answer to a batch, or panics.
async fn host(dir: &TempDir, answer: fn(&[String], &[Value]) -> Value) -> Host {
    host_under(None, TEMPLATE, dir, answer).await
}

/// A host under faults, whose function calls DynamoDB for each record before it answers.
pub(crate) async fn host_under(
    faults: Option<&FaultLayer>,
    template: &str,
    dir: &TempDir,
    answer: fn(&[String], &[Value]) -> Value,
) -> Host {
    let model = Model::parse(template, &BTreeMap::new()).unwrap();
    let dynamodb = DynamoDb::start(dir.path(), Durability::Fast).await.unwrap();
    dynamodb.create_table(&model.table.properties).await.unwrap();
    let queues = model.queues.iter().map(|queue| QueueSpec {
        name: queue.name.clone(),
        // Under faults nobody waits for it, and calls take their time.
        delay: queue.delay(),
        visibility_timeout: if faults.is_some() { Duration::from_secs(60) } else { Duration::from_millis(50) },
        redrive: queue.redrive_policy.as_ref().map(|to| (to.dead_letter_queue.clone(), to.max_receive_count)),
    });
    let post = faults.map(FaultLayer::messages);
    let sqs = Sqs::start_under(post, listen().unwrap(), dir.path(), Durability::Fast, queues.collect()).await.unwrap();
    let client = client_of(dynamodb.endpoint());
    let seen = Seen::default();
    let handler = |name: &str| -> Handler {
        let seen = seen.clone();
        let endpoint = faults.map(|faults| faults.proxy(name, dynamodb.endpoint(), None).unwrap());
        let calls = endpoint.map(|endpoint| client_of(&endpoint));
        Arc::new(move |event| {
            let (seen, calls) = (seen.clone(), calls.clone());
            async move {
                let event: Value = serde_json::from_slice(&event).unwrap();
                let records = event["Records"].as_array().unwrap();
                let text = |record: &Value| {
                    let key = &record["dynamodb"]["Keys"]["PK"]["S"];
                    let key = key.as_str().or(record["body"].as_str()).unwrap();
                    let version = record["dynamodb"]["NewImage"]["n"]["N"].as_str();
                    version.map_or_else(|| key.to_owned(), |version| format!("{key} {version}"))
                };
                let batch: Vec<_> = records.iter().map(text).collect();
                seen.lock().unwrap().push(batch.clone());
                for _ in calls.iter().flat_map(|_| records) {
                    let get = calls.as_ref().unwrap().get_item().table_name("Table");
                    get.key("PK", AttributeValue::S("none".into())).send().await.unwrap();
                }
                Ok(answer(&batch, records).to_string().into_bytes())
            }
            .boxed()
        })
    };
    let functions = ["reader", "worker"]
        .map(|name| (name.to_owned(), Arc::new(Function::new(name, Duration::from_secs(5), handler(name)))));
    let sources = Sources {
        dynamodb: Arc::new(dynamodb),
        sqs: sqs.clone(),
        table: model.table.name.clone(),
        faults: faults.cloned(),
        replica: None,
        written: Arc::default(),
        waiting: watch::Sender::default(),
        gate: Arc::default(),
    };
    let triggers = Triggers::start(sources, &model, &BTreeMap::from(functions)).await.unwrap();
    Host { triggers, client, sqs, seen }
}

impl Host {
    async fn put(&self, keys: &[&str]) {
        for key in keys {
            let item = self.client.put_item().table_name("Table").item("PK", AttributeValue::S((*key).to_owned()));
            item.send().await.unwrap();
        }
    }

    /// Lets the triggers run until nothing is left to do; answers what the functions saw.
    pub(crate) async fn run(&self) -> Vec<Vec<String>> {
        self.triggers.resume().await;
        self.triggers.settle(Duration::from_secs(20)).await.unwrap();
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

pub(crate) fn all_done(_: &[String], _: &[Value]) -> Value {
    json!({ "batchItemFailures": [] })
}

#[tokio::test]
async fn a_reader_gets_what_its_filters_let_through_and_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut host = host(&dir, all_done).await;
    host.put(&["a1", "b1", "a2", "b2"]).await;
    assert_eq!(host.run().await, [["a1", "a2"]]);
    host.put(&["b3"]).await;
    assert!(host.run().await.is_empty());
    host.triggers.pause().await;
    host.put(&["a3"]).await;
    host.triggers.stop(Duration::from_secs(1)).await;
    assert!(host.seen.lock().unwrap().is_empty());
    drop(host);

    let host = super::tests::host(&dir, all_done).await;
    assert_eq!(host.run().await, [["a3"]]);
}

#[tokio::test]
async fn a_reader_restarts_at_the_first_record_that_failed() {
    let dir = tempfile::tempdir().unwrap();
    // Only a batch that starts with a3 gets past it.
    let host = host(&dir, |batch, records| {
        let failed = batch.iter().position(|key| key == "a3").filter(|index| *index > 0);
        let failed = failed.map(|index| json!({ "itemIdentifier": records[index]["dynamodb"]["SequenceNumber"] }));
        json!({ "batchItemFailures": failed.as_slice() })
    });
    let host = host.await;
    host.put(&["a1", "a2", "a3", "a4"]).await;
    assert_eq!(host.run().await, [vec!["a1", "a2", "a3", "a4"], vec!["a3", "a4"]]);
}

#[tokio::test]
async fn a_record_that_always_fails_is_cut_out_and_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir, |batch, _| {
        assert!(!batch.contains(&"a2".to_owned()), "a record that no function can take");
        Value::Null
    });
    let host = host.await;
    host.put(&["a1", "a2", "a3", "a4"]).await;
    assert_eq!(
        host.run().await,
        [vec!["a1", "a2", "a3", "a4"], vec!["a1", "a2"], vec!["a1"], vec!["a2"], vec!["a2"], vec!["a3", "a4"]]
    );
    let messages = host.sqs.receive("Dead", 10).await.unwrap();
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    let message: Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!(message["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert_eq!(message["requestContext"]["approximateInvokeCount"], 2);
    let info = &message["DDBStreamBatchInfo"];
    assert_eq!(info["batchSize"], 1);
    assert!(info["startSequenceNumber"].is_string() && info["approximateArrivalOfFirstRecord"].is_string(), "{info}");
}

#[tokio::test]
async fn messages_that_fail_come_back_and_end_in_the_dead_letter_queue() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir, |batch, records| {
        let failed = batch.iter().position(|body| body == "bad");
        let failed = failed.map(|index| json!({ "itemIdentifier": records[index]["messageId"] }));
        json!({ "batchItemFailures": failed.as_slice() })
    });
    let host = host.await;
    let message = |body: &str| body.to_owned().into();
    host.sqs.send("Jobs", vec![message("good"), message("bad")]).await.unwrap();
    assert_eq!(host.run().await, [vec!["good", "bad"], vec!["bad"]]);
    assert_eq!(host.sqs.receive("Dead", 10).await.unwrap()[0].body, "bad");
}

/// The worker's batches are as large as this, and gathered for a second.
fn gathering(batch: usize) -> String {
    let queue = "            Queue: !GetAtt Jobs.Arn\n";
    let more =
        format!("BatchSize: {batch}, MaximumBatchingWindowInSeconds: 1, ScalingConfig: {{ MaximumConcurrency: 1 }}");
    let more = more.split(", ").map(|line| format!("            {line}\n")).collect::<String>();
    TEMPLATE.replace(queue, &format!("{queue}{more}"))
}

#[tokio::test]
async fn a_batch_is_gathered_by_several_receives_until_it_is_full_or_its_window_is_over() {
    let dir = tempfile::tempdir().unwrap();
    // For the sake of the longer time that a message stays hidden.
    let faults = FaultLayer::new(emulators::faults::Faults::new(emulators::faults::Profile::Stale));
    let host = host_under(Some(&faults), &gathering(25), &dir, all_done).await;
    let messages = |count: usize| (0..count).map(|n| n.to_string().into()).collect();
    host.sqs.send("Jobs", messages(30)).await.unwrap();
    let sizes = |batches: Vec<Vec<String>>| batches.iter().map(Vec::len).collect::<Vec<_>>();
    // Somebody waits: nobody gathers.
    let started = Instant::now();
    assert_eq!(sizes(host.run().await), [25, 5]);
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());

    let started = Instant::now();
    for _ in 0..3 {
        host.sqs.send("Jobs", messages(1)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    while host.seen.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(sizes(host.run().await), [3]);
}

#[tokio::test]
async fn a_panic_fails_the_whole_batch_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir, |batch, _| {
        assert!(!batch.contains(&"bad".to_owned()), "a message that no function can take");
        Value::Null
    });
    let host = host.await;
    let message = |body: &str| body.to_owned().into();
    host.sqs.send("Jobs", vec![message("bad")]).await.unwrap();
    assert_eq!(host.run().await.len(), 2);
    host.sqs.send("Jobs", vec![message("good")]).await.unwrap();
    assert_eq!(host.run().await, [["good"]]);
}

#[tokio::test]
async fn what_is_left_is_said_when_time_is_up() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir, all_done).await;
    host.put(&["a1"]).await;
    // Still paused.
    let error = host.triggers.settle(Duration::from_millis(20)).await.unwrap_err().to_string();
    assert_eq!(error, "not settled: reader has changes to read");
}
