//! Each fault alone and always, as the SDK sees it.

mod delivery;

use super::rates::NONE;
use super::*;
use crate::dynamodb::DynamoDb;
use crate::lambda::{Function, InvokeError};
use crate::{Durability, sdk};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, Put, PutRequest, TransactWriteItem, WriteRequest};
use futures::FutureExt;
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::time::Instant;
use tempfile::TempDir;

const TABLE: &str = "Table";

struct Host {
    dynamodb: Arc<DynamoDb>,
    layer: FaultLayer,
    /// Under faults; it tries nothing again by itself.
    client: Client,
    replica: Option<Replica>,
    _dir: TempDir,
}

/// A table behind these faults, with some items in it beforehand.
async fn host(rates: Rates, items: &[&str]) -> Host {
    lagging_host(rates, items, replica::LAG).await
}

/// A host whose reads that are not strong are late by this.
async fn lagging_host(rates: Rates, items: &[&str], lag: Duration) -> Host {
    let dir = tempfile::tempdir().unwrap();
    let dynamodb = Arc::new(DynamoDb::start(dir.path(), Durability::Fast).await.unwrap());
    let definition = json!({
        "TableName": TABLE,
        "AttributeDefinitions": [{ "AttributeName": "PK", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "PK", "KeyType": "HASH" }],
        "StreamSpecification": { "StreamViewType": "NEW_AND_OLD_IMAGES" },
    });
    dynamodb.create_table(&definition).await.unwrap();
    let direct = client(dynamodb.endpoint(), 1);
    for item in items {
        put(&direct, item).await.unwrap();
    }
    let layer = FaultLayer::with_rates(Faults { profile: Profile::Mixed, seed: 1 }, rates);
    let replica = match layer.needs_replica() {
        true => Some(Replica::start(dynamodb.clone(), TABLE, lag).await.unwrap()),
        false => None,
    };
    let endpoint = layer.proxy("worker", dynamodb.endpoint(), replica.as_ref()).unwrap();
    Host { dynamodb, layer, client: client(&endpoint, 1), replica, _dir: dir }
}

fn client(endpoint: &str, attempts: u32) -> Client {
    let retries = RetryConfig::standard().with_max_attempts(attempts).with_initial_backoff(Duration::from_millis(1));
    Client::from_conf(sdk!(aws_sdk_dynamodb, endpoint).retry_config(retries).build())
}

fn key(pk: &str) -> HashMap<String, AttributeValue> {
    HashMap::from([("PK".into(), AttributeValue::S(pk.into()))])
}

/// The error's code; empty for one that came with no answer.
async fn put(client: &Client, pk: &str) -> Result<(), String> {
    let put = client.put_item().table_name(TABLE).set_item(Some(key(pk))).send().await;
    put.map(drop).map_err(|error| error.code().unwrap_or_default().to_owned())
}

async fn has(client: &Client, pk: &str, strongly: bool) -> bool {
    let get = client.get_item().table_name(TABLE).set_key(Some(key(pk))).consistent_read(strongly);
    get.send().await.unwrap().item.is_some()
}

/// What comes in its time, or never.
async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it comes")
}

impl Host {
    fn direct(&self) -> Client {
        client(self.dynamodb.endpoint(), 1)
    }

    fn count(&self, fault: Fault) -> u64 {
        self.layer.counts().get(&fault).copied().unwrap_or(0)
    }

    async fn items(&self) -> usize {
        self.direct().scan().table_name(TABLE).send().await.unwrap().items().len()
    }
}

#[tokio::test]
async fn a_read_that_is_not_strong_is_late() {
    let host = lagging_host(Rates { stale: 1.0, ..NONE }, &["old"], Duration::from_secs(3_600)).await;
    let client = &host.client;
    assert!(has(client, "old", false).await, "the copy has what was there at the start");
    put(client, "new").await.unwrap();
    assert!(has(client, "new", true).await);
    client.delete_item().table_name(TABLE).set_key(Some(key("old"))).send().await.unwrap();
    assert!(!host.replica.as_ref().unwrap().is_caught_up().await);
    let scan = || async { client.scan().table_name(TABLE).send().await.unwrap().items().to_vec() };
    let keys = KeysAndAttributes::builder().keys(key("old")).keys(key("new")).build().unwrap();
    let batch = || async {
        let found = client.batch_get_item().request_items(TABLE, keys.clone()).send().await.unwrap();
        found.responses.unwrap().remove(TABLE).unwrap()
    };
    assert_eq!((scan().await, batch().await), (vec![key("old")], vec![key("old")]));
    assert!(!has(client, "new", false).await && has(client, "old", false).await);
    assert_eq!(host.count(Fault::Stale), 5);
}

#[tokio::test]
async fn a_read_that_is_late_sees_all_in_the_end() {
    let host = host(Rates { stale: 1.0, ..NONE }, &["old"]).await;
    let client = &host.client;
    let started = Instant::now();
    put(client, "new").await.unwrap();
    client.delete_item().table_name(TABLE).set_key(Some(key("old"))).send().await.unwrap();
    in_time(async { while !has(client, "new", false).await {} }).await;
    assert!(started.elapsed() >= replica::LAG, "{:?}", started.elapsed());
    let replica = host.replica.as_ref().unwrap();
    in_time(async { while !replica.is_caught_up().await {} }).await;
    assert!(!has(client, "old", false).await && has(client, "new", false).await);
}

#[tokio::test]
async fn a_write_that_meets_another_is_not_done_and_gets_through_in_the_end() {
    let host = host(Rates { conflict: 1.0, ..NONE }, &[]).await;
    for _ in 0..4 {
        assert_eq!(put(&host.client, "a").await.unwrap_err(), "TransactionConflictException");
    }
    assert_eq!(host.items().await, 0);
    put(&host.client, "a").await.unwrap();
    assert_eq!((host.items().await, host.count(Fault::Conflict)), (1, 4));

    let write = |pk: String| {
        TransactWriteItem::builder()
            .put(Put::builder().table_name(TABLE).set_item(Some(key(&pk))).build().unwrap())
            .build()
    };
    let (mut places, mut in_progress) = (BTreeSet::new(), 0);
    for n in 0..60 {
        let items = (0..3).map(|item| write(format!("{n} {item}"))).collect();
        let refused = host.client.transact_write_items().set_transact_items(Some(items)).send().await.unwrap_err();
        match refused.into_service_error() {
            TransactWriteItemsError::TransactionCanceledException(cancelled) => {
                let codes: Vec<_> = cancelled.cancellation_reasons().iter().map(|reason| reason.code()).collect();
                assert_eq!(codes.len(), 3);
                let (at, others): (Vec<_>, Vec<_>) =
                    (0..3).partition(|place| codes[*place] == Some("TransactionConflict"));
                assert!(others.len() == 2 && others.iter().all(|place| codes[*place] == Some("None")), "{codes:?}");
                places.extend(at);
            }
            TransactWriteItemsError::TransactionInProgressException(_) => in_progress += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(places.len() == 3 && in_progress > 0, "{places:?}, {in_progress}");
    assert_eq!(host.items().await, 1);
}

#[tokio::test]
async fn a_call_that_finds_no_capacity_is_not_done() {
    let host = host(Rates { throttle: 1.0, ..NONE }, &["a"]).await;
    let mut codes = BTreeSet::new();
    for n in 0..20 {
        codes.insert(put(&host.client, &n.to_string()).await.unwrap_err());
        let get = host.client.get_item().table_name(TABLE).set_key(Some(key(&n.to_string()))).send().await;
        assert!(codes.contains(get.unwrap_err().code().unwrap()) || n == 0);
        let put = Put::builder().table_name(TABLE).set_item(Some(key(&n.to_string()))).build().unwrap();
        let item = TransactWriteItem::builder().put(put).build();
        let refused = host.client.transact_write_items().transact_items(item).send().await.unwrap_err();
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = refused.as_service_error() {
            codes.extend(cancelled.cancellation_reasons()[0].code().map(str::to_owned));
        }
    }
    let all = ["ProvisionedThroughputExceededException", "ThrottlingError", "ThrottlingException"];
    assert_eq!(codes.iter().map(String::as_str).collect::<Vec<_>>(), all);
    assert_eq!(host.items().await, 1);
}

#[tokio::test]
async fn a_batch_is_done_in_part_and_the_rest_comes_back() {
    let host = host(Rates { partial: 1.0, ..NONE }, &[]).await;
    let write = |n: String| {
        let put = PutRequest::builder().set_item(Some(key(&n))).build().unwrap();
        WriteRequest::builder().put_request(put).build()
    };
    let mut left: Vec<_> = (0..25).map(|n| write(n.to_string())).collect();
    let mut calls = 0;
    while !left.is_empty() {
        let written = host.client.batch_write_item().request_items(TABLE, left.clone()).send().await.unwrap();
        let rest = written.unprocessed_items.unwrap_or_default().remove(TABLE).unwrap_or_default();
        assert!(rest.len() < left.len() && (left.len() == 1 || !rest.is_empty()));
        left = rest;
        assert_eq!(host.items().await, 25 - left.len());
        calls += 1;
    }
    assert_eq!(host.count(Fault::Partial), calls - 1);

    let keys = (0..25).map(|n| key(&n.to_string())).collect();
    let mut request = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build().unwrap();
    let mut found = 0;
    loop {
        let read = host.client.batch_get_item().request_items(TABLE, request.clone()).send().await.unwrap();
        found += read.responses.unwrap()[TABLE].len();
        let Some(rest) = read.unprocessed_keys.unwrap_or_default().remove(TABLE) else { break };
        assert!(rest.consistent_read == Some(true) && rest.keys.len() < request.keys.len());
        request = rest;
    }
    assert_eq!(found, 25);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_was_done() {
    let host = host(Rates { lost: 1.0, ..NONE }, &[]).await;
    let mut answers = BTreeSet::new();
    for n in 0..20 {
        answers.insert(put(&host.client, &n.to_string()).await.unwrap_err());
    }
    assert_eq!(answers, BTreeSet::from([String::new(), "InternalServerError".to_owned()]));
    assert_eq!((host.items().await, host.count(Fault::Lost)), (20, 20));
    // The SDK takes both for what is worth another try.
    let endpoint = host.layer.proxy("worker", host.dynamodb.endpoint(), None).unwrap();
    put(&client(&endpoint, 5), "a").await.unwrap();
    assert!(!has(&host.client, "b", false).await, "reads are not lost");
}

#[tokio::test]
async fn a_slow_call_waits() {
    let host = host(Rates { slow: 1.0, ..NONE }, &["a"]).await;
    let started = Instant::now();
    assert!(has(&host.client, "a", false).await);
    assert!(started.elapsed() >= Duration::from_millis(50));
    assert_eq!(host.count(Fault::Slow), 1);
}

#[tokio::test]
async fn a_worker_dies_between_two_calls() {
    let host = host(Rates { kill: 1.0, ..NONE }, &[]).await;
    let client = host.client.clone();
    let handler = move |_| {
        let client = client.clone();
        async move {
            for n in 0..20 {
                put(&client, &n.to_string()).await?;
            }
            Ok(Vec::new())
        }
        .boxed()
    };
    let worker = Function::new("worker", Duration::from_secs(5), Arc::new(handler));
    let mut survived = BTreeSet::new();
    for _ in 0..20 {
        for n in 0..20 {
            let delete = host.direct().delete_item().table_name(TABLE).set_key(Some(key(&n.to_string())));
            delete.send().await.unwrap();
        }
        let ended = worker.invoke_under(Some(&host.layer.delivery("worker", "test")), Vec::new()).await;
        assert!(matches!(ended, Err(InvokeError::Killed)), "{ended:?}");
        survived.insert(host.items().await);
    }
    assert_eq!(host.count(Fault::Kill), 20);
    assert!(survived.len() > 5 && survived.last() <= Some(&10), "calls done until then: {survived:?}");
    worker.invoke(Vec::new()).await.unwrap();
    assert_eq!(host.items().await, 20);
}

#[test]
fn one_seed_gives_the_same_throws() {
    let throws = |seed, part: &str| {
        let dice = FaultLayer::new(Faults { profile: Profile::Throttle, seed }).dice(part);
        (0..50).map(|_| dice.hit(Fault::Throttle)).collect::<Vec<_>>()
    };
    assert_eq!(throws(7, "users"), throws(7, "users"));
    assert_ne!(throws(7, "users"), throws(8, "users"));
    assert_ne!(throws(7, "users"), throws(7, "posts"));
}

/// `cargo test -p perch -- --ignored --nocapture replica_speed`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures for some seconds"]
async fn replica_speed() {
    let host = host(Rates { stale: 1.0, ..NONE }, &[]).await;
    let started = Instant::now();
    for batch in 0..800 {
        let item = |n| PutRequest::builder().set_item(Some(key(&format!("{batch}-{n}")))).build().unwrap();
        let writes = (0..25).map(|n| WriteRequest::builder().put_request(item(n)).build()).collect();
        host.client.batch_write_item().request_items(TABLE, writes).send().await.unwrap();
    }
    let written = started.elapsed();
    let replica = host.replica.as_ref().unwrap();
    in_time(async { while !replica.is_caught_up().await {} }).await;
    eprintln!("20,000 items written in {written:?}, caught up {:?} later", started.elapsed() - written);
}
