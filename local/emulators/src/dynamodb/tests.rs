use super::*;
use crate::sdk;
use aws_lambda_events::event::dynamodb::Event;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, Put, PutRequest, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    WriteRequest,
};
use std::collections::HashMap;
use std::time::Instant;
use tempfile::TempDir;

const TABLE: &str = "perch";

async fn start(dir: &TempDir) -> (DynamoDb, Client) {
    let dynamodb = DynamoDb::start(dir.path(), Durability::Fast).await.unwrap();
    dynamodb.create_table(&definition()).await.unwrap();
    let client = Client::from_conf(sdk!(aws_sdk_dynamodb, dynamodb.endpoint()).build());
    (dynamodb, client)
}

/// As a template has it.
fn definition() -> Value {
    json!({
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            { "AttributeName": "PK", "AttributeType": "S" },
            { "AttributeName": "SK", "AttributeType": "S" },
            { "AttributeName": "GSI1PK", "AttributeType": "S" },
        ],
        "KeySchema": [
            { "AttributeName": "PK", "KeyType": "HASH" },
            { "AttributeName": "SK", "KeyType": "RANGE" },
        ],
        "GlobalSecondaryIndexes": [{
            "IndexName": "GSI1",
            "KeySchema": [
                { "AttributeName": "GSI1PK", "KeyType": "HASH" },
                { "AttributeName": "SK", "KeyType": "RANGE" },
            ],
            "Projection": { "ProjectionType": "KEYS_ONLY" },
        }],
        "StreamSpecification": { "StreamViewType": "NEW_AND_OLD_IMAGES" },
        "TimeToLiveSpecification": { "AttributeName": "ttl", "Enabled": true },
        "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": true },
        "SSESpecification": { "SSEEnabled": true },
    })
}

fn s(value: &str) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn key(sk: &str) -> HashMap<String, AttributeValue> {
    HashMap::from([("PK".into(), s("U#1")), ("SK".into(), s(sk))])
}

fn put(client: &Client, sk: &str) -> PutItemFluentBuilder {
    client.put_item().table_name(TABLE).set_item(Some(key(sk)))
}

async fn events(dynamodb: &DynamoDb, after: Option<&str>) -> Vec<StreamRecord> {
    dynamodb.read_stream(TABLE, after, 100).await.unwrap()
}

#[tokio::test]
async fn a_restart_keeps_items_and_the_place_in_the_stream() {
    let dir = tempfile::tempdir().unwrap();
    let (dynamodb, client) = start(&dir).await;
    put(&client, "a").send().await.unwrap();
    put(&client, "b").send().await.unwrap();
    let before = events(&dynamodb, None).await;
    assert_eq!(before.len(), 2);
    dynamodb.stop().await;

    let (dynamodb, client) = start(&dir).await;
    let got = client.get_item().table_name(TABLE).set_key(Some(key("b"))).send().await.unwrap();
    assert_eq!(got.item, Some(key("b")));
    let last = &before[1].sequence;
    assert!(events(&dynamodb, Some(last)).await.is_empty());
    put(&client, "c").send().await.unwrap();
    let after = events(&dynamodb, Some(last)).await;
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].event["dynamodb"]["Keys"]["SK"]["S"], "c");
    assert!(after[0].sequence > *last);
}

#[tokio::test]
async fn a_transaction_says_what_it_cost() {
    let dir = tempfile::tempdir().unwrap();
    let (_dynamodb, client) = start(&dir).await;
    let write = |sk: &str| {
        let put = Put::builder().table_name(TABLE).set_item(Some(key(sk))).build().unwrap();
        TransactWriteItem::builder().put(put).build()
    };
    let written = client
        .transact_write_items()
        .transact_items(write("a"))
        .transact_items(write("b"))
        .return_consumed_capacity(ReturnConsumedCapacity::Total)
        .send()
        .await
        .unwrap();
    assert_eq!(written.consumed_capacity()[0].capacity_units(), Some(4.0));
}

#[tokio::test]
async fn a_failed_condition_answers_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (_dynamodb, client) = start(&dir).await;
    put(&client, "a").item("name", s("ann")).send().await.unwrap();
    let refused = put(&client, "a")
        .condition_expression("attribute_not_exists(PK)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(failed) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(failed.item.unwrap()["name"], s("ann"));
}

#[tokio::test]
async fn the_stream_has_the_form_of_lambdas_event() {
    let dir = tempfile::tempdir().unwrap();
    let (dynamodb, client) = start(&dir).await;
    put(&client, "a").item("ttl", AttributeValue::N("1".into())).send().await.unwrap();
    put(&client, "a").item("n", AttributeValue::N("2".into())).send().await.unwrap();
    client.delete_item().table_name(TABLE).set_key(Some(key("a"))).send().await.unwrap();

    let records = events(&dynamodb, None).await;
    let insert = &records[0].event;
    assert_eq!(insert["eventVersion"], "1.1");
    assert_eq!(insert["eventSource"], "aws:dynamodb");
    assert_eq!(insert["awsRegion"], REGION);
    let arn = insert["eventSourceARN"].as_str().unwrap();
    assert!(arn.starts_with("arn:aws:dynamodb:us-east-1:000000000000:table/perch/stream/"), "{arn}");
    let change = &insert["dynamodb"];
    assert!(change["ApproximateCreationDateTime"].as_f64().unwrap() > 1.7e9);
    assert_eq!(change["Keys"], json!({ "PK": { "S": "U#1" }, "SK": { "S": "a" } }));
    assert_eq!(change["NewImage"]["ttl"], json!({ "N": "1" }));
    assert!(change["OldImage"].is_null());
    assert_eq!(change["SequenceNumber"], records[0].sequence.as_str());
    assert!(change["SizeBytes"].as_u64().unwrap() > 0);
    assert_eq!(change["StreamViewType"], "NEW_AND_OLD_IMAGES");

    let event = json!({ "Records": records.iter().map(|record| &record.event).collect::<Vec<_>>() });
    let event: Event = serde_json::from_value(event).unwrap();
    let names: Vec<_> = event.records.iter().map(|record| record.event_name.as_str()).collect();
    assert_eq!(names, ["INSERT", "MODIFY", "REMOVE"]);
    assert!(event.records.iter().all(|record| record.user_identity.is_none()));
    assert!(event.records[2].change.new_image.is_empty());
}

#[tokio::test]
async fn expired_items_go_in_the_name_of_dynamodb() {
    let dir = tempfile::tempdir().unwrap();
    let (dynamodb, client) = start(&dir).await;
    put(&client, "a").item("ttl", AttributeValue::N("1".into())).send().await.unwrap();
    put(&client, "b").item("ttl", AttributeValue::N("9999999999".into())).send().await.unwrap();
    dynamodb.sweep_ttl().await.unwrap();
    let records = events(&dynamodb, None).await;
    assert_eq!(records.len(), 3);
    let expired = &records[2].event;
    assert_eq!(expired["eventName"], "REMOVE");
    assert_eq!(expired["dynamodb"]["Keys"]["SK"]["S"], "a");
    assert_eq!(expired["userIdentity"], json!({ "type": "Service", "principalId": "dynamodb.amazonaws.com" }));
}

#[tokio::test]
async fn what_is_trimmed_is_old_and_was_read() {
    let dir = tempfile::tempdir().unwrap();
    let (dynamodb, client) = start(&dir).await;
    for sk in ["a", "b", "c"] {
        put(&client, sk).send().await.unwrap();
    }
    let all = events(&dynamodb, None).await;
    dynamodb.trim_stream(TABLE, &all[2].sequence).await.unwrap();
    assert_eq!(events(&dynamodb, None).await.len(), 3);

    let age = |file: &mut rusqlite::Connection| file.execute("UPDATE _stream_records SET created_at = 1000", []);
    dynamodb.file.call(age).await.unwrap();
    dynamodb.trim_stream(TABLE, &all[1].sequence).await.unwrap();
    let left = events(&dynamodb, None).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].sequence, all[2].sequence);

    // Numbers go on from the clock when the stream is empty.
    dynamodb.trim_stream(TABLE, &all[2].sequence).await.unwrap();
    put(&client, "d").send().await.unwrap();
    assert!(events(&dynamodb, None).await[0].sequence > all[2].sequence);
}

/// `cargo test -p perch -- --ignored --nocapture write_speed`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures for some seconds"]
async fn write_speed_does_not_depend_on_the_stream() {
    let dir = tempfile::tempdir().unwrap();
    let (dynamodb, client) = start(&dir).await;
    for thousand in 0..20 {
        let started = Instant::now();
        for batch in 0..40 {
            let item =
                |n| PutRequest::builder().set_item(Some(key(&format!("{thousand}-{batch}-{n}")))).build().unwrap();
            let writes = (0..25).map(|n| WriteRequest::builder().put_request(item(n)).build()).collect();
            client.batch_write_item().request_items(TABLE, writes).send().await.unwrap();
        }
        eprintln!("{:>6} records kept: {:>6.0} items/s", thousand * 1000, 1000.0 / started.elapsed().as_secs_f64());
    }
    let last = { events_from_end(&dynamodb).await };
    let started = Instant::now();
    for _ in 0..1000 {
        assert!(events(&dynamodb, Some(&last)).await.is_empty());
    }
    eprintln!("a poll that finds nothing: {:?}", started.elapsed() / 1000);
}

async fn events_from_end(dynamodb: &DynamoDb) -> String {
    let mut last = None;
    loop {
        let records = dynamodb.read_stream(TABLE, last.as_deref(), 1000).await.unwrap();
        match records.last() {
            Some(record) => last = Some(record.sequence.clone()),
            None => return last.unwrap(),
        }
    }
}

#[test]
fn of_an_items_changes_the_last_one_stands_in_whatever_order_its_key_comes() {
    let change = |keys: Value, n: usize| StreamRecord {
        sequence: n.to_string(),
        event: json!({ "dynamodb": { "Keys": keys, "NewImage": { "N": { "N": n.to_string() } } } }),
    };
    let (pk, sk) = (json!({ "S": "U#1" }), json!({ "S": "a" }));
    let orders = [json!({ "PK": pk, "SK": sk }), json!({ "SK": sk, "PK": pk })];
    let changes: Vec<_> = (0..20).map(|n| change(orders[n * n % 3 % 2].clone(), n)).collect();
    let (puts, deletes) = last_images(&changes).unwrap();
    assert_eq!(puts, [parse::<Item>(json!({ "N": { "N": "19" } })).unwrap()]);
    assert_eq!(deletes, [json!(null); 0]);
}
