use super::*;
use crate::sdk;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, MessageAttributeValue,
    MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};
use std::time::Instant;
use tempfile::TempDir;

async fn start(dir: &TempDir) -> (Sqs, Client) {
    let half_minute = Duration::from_secs(30);
    let queue = |name: &str, delay, redrive| QueueSpec {
        name: name.into(),
        delay: Duration::from_secs(delay),
        visibility_timeout: half_minute,
        redrive,
    };
    let queues = vec![queue("jobs", 0, Some(("dead".into(), 2))), queue("dead", 0, None), queue("slow", 1, None)];
    let sqs = Sqs::start(dir.path(), Durability::Fast, queues).await.unwrap();
    let client = Client::from_conf(sdk!(aws_sdk_sqs, sqs.endpoint()).build());
    (sqs, client)
}

async fn send(client: &Client, sqs: &Sqs, body: &str) -> String {
    let sent = client.send_message().queue_url(sqs.queue_url("jobs")).message_body(body).send().await;
    sent.unwrap().message_id.unwrap()
}

/// Receives one message within this many seconds.
async fn receive(client: &Client, sqs: &Sqs, queue: &str, wait: i32) -> Option<aws_sdk_sqs::types::Message> {
    let received = client
        .receive_message()
        .queue_url(sqs.queue_url(queue))
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .message_attribute_names("All")
        .wait_time_seconds(wait)
        .send()
        .await
        .unwrap();
    received.messages.and_then(|messages| messages.into_iter().next())
}

async fn set_visibility(client: &Client, sqs: &Sqs, receipt: &str, seconds: i32) {
    let change = client.change_message_visibility().queue_url(sqs.queue_url("jobs")).receipt_handle(receipt);
    change.visibility_timeout(seconds).send().await.unwrap();
}

async fn delete(client: &Client, sqs: &Sqs, receipt: &str) {
    client.delete_message().queue_url(sqs.queue_url("jobs")).receipt_handle(receipt).send().await.unwrap();
}

#[tokio::test]
async fn a_message_is_received_once_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let (sqs, client) = start(&dir).await;
    let id = send(&client, &sqs, "hello").await;
    let message = receive(&client, &sqs, "jobs", 0).await.unwrap();
    assert_eq!(message.message_id(), Some(id.as_str()));
    assert_eq!(message.body(), Some("hello"));
    assert_eq!(message.md5_of_body(), Some("5d41402abc4b2a76b9719d911017c592"));
    let attributes = message.attributes().unwrap();
    assert_eq!(attributes[&MessageSystemAttributeName::ApproximateReceiveCount], "1");
    assert_eq!(attributes[&MessageSystemAttributeName::SentTimestamp].len(), 13);
    assert_eq!(attributes[&MessageSystemAttributeName::ApproximateFirstReceiveTimestamp].len(), 13);

    assert!(receive(&client, &sqs, "jobs", 0).await.is_none());
    assert_eq!(sqs.counts("jobs").await.unwrap(), Counts { in_flight: 1, ..Counts::default() });
    delete(&client, &sqs, message.receipt_handle().unwrap()).await;
    assert_eq!(sqs.counts("jobs").await.unwrap(), Counts::default());
}

#[tokio::test]
async fn a_message_that_is_not_deleted_comes_back_with_a_new_receipt() {
    let dir = tempfile::tempdir().unwrap();
    let (sqs, client) = start(&dir).await;
    send(&client, &sqs, "hello").await;
    let first = receive(&client, &sqs, "jobs", 0).await.unwrap();
    set_visibility(&client, &sqs, first.receipt_handle().unwrap(), 1).await;
    assert!(receive(&client, &sqs, "jobs", 0).await.is_none());
    let second = receive(&client, &sqs, "jobs", 10).await.unwrap();
    assert_eq!(second.attributes().unwrap()[&MessageSystemAttributeName::ApproximateReceiveCount], "2");

    delete(&client, &sqs, first.receipt_handle().unwrap()).await;
    assert_eq!(sqs.counts("jobs").await.unwrap().in_flight, 1);
    delete(&client, &sqs, second.receipt_handle().unwrap()).await;
    assert_eq!(sqs.counts("jobs").await.unwrap().in_flight, 0);
}

#[tokio::test]
async fn what_is_received_too_often_goes_to_the_dead_letters() {
    let dir = tempfile::tempdir().unwrap();
    let (sqs, client) = start(&dir).await;
    let id = send(&client, &sqs, "poison").await;
    send(&client, &sqs, "good").await;
    for _ in 0..2 {
        let message = receive(&client, &sqs, "jobs", 0).await.unwrap();
        assert_eq!(message.body(), Some("poison"));
        // Back in its place, ahead of the other.
        let receipt = message.receipt_handle().unwrap().to_owned();
        sqs.file
            .call(move |file| {
                let number = parse_receipt(&receipt).unwrap().0;
                file.execute("UPDATE messages SET visible_at = sent_at - 1 WHERE number = ?1", [number])
            })
            .await
            .unwrap();
    }
    assert_eq!(receive(&client, &sqs, "jobs", 0).await.unwrap().body(), Some("good"));
    let dead = receive(&client, &sqs, "dead", 0).await.unwrap();
    assert_eq!(dead.message_id(), Some(id.as_str()));
}

/// The digest is what boto3 and the SDKs of other languages hold the answer to (computed with Python's hashlib).
#[tokio::test]
async fn what_a_sender_says_of_a_message_stays_with_it_when_it_is_moved() {
    let dir = tempfile::tempdir().unwrap();
    let (sqs, client) = start(&dir).await;
    let attribute = MessageAttributeValue::builder().data_type("String").string_value("no job").build().unwrap();
    let sent = client.send_message().queue_url(sqs.queue_url("dead")).message_body("poison");
    let sent = sent.message_attributes("reason", attribute.clone()).send().await.unwrap();
    assert_eq!(sent.md5_of_message_attributes(), Some("b2e1942ee44931cc73ebde4deaf4edc7"));
    let arns = (Sqs::queue_arn("dead"), Sqs::queue_arn("jobs"));
    let task = client.start_message_move_task().source_arn(&arns.0).destination_arn(&arns.1);
    task.send().await.unwrap();
    assert_eq!(sqs.counts("dead").await.unwrap(), Counts::default());
    let message = receive(&client, &sqs, "jobs", 0).await.unwrap();
    assert_eq!(message.message_attributes().unwrap()["reason"], attribute);
    assert_eq!(message.md5_of_message_attributes(), Some("b2e1942ee44931cc73ebde4deaf4edc7"));
    // Only dead letters are moved.
    let task = client.start_message_move_task().source_arn(&arns.1).destination_arn(&arns.0);
    assert!(task.send().await.is_err());
}

#[tokio::test]
async fn visibility_is_changed_by_the_batch() {
    let dir = tempfile::tempdir().unwrap();
    let (sqs, client) = start(&dir).await;
    send(&client, &sqs, "again").await;
    let first = receive(&client, &sqs, "jobs", 0).await.unwrap();
    let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id("0").visibility_timeout(0);
    let entry = entry.receipt_handle(first.receipt_handle().unwrap()).build().unwrap();
    let change = client.change_message_visibility_batch().queue_url(sqs.queue_url("jobs")).entries(entry);
    assert_eq!(change.send().await.unwrap().successful()[0].id(), "0");
    assert!(receive(&client, &sqs, "jobs", 0).await.is_some());
}

#[tokio::test]
async fn batches_are_sent_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let (sqs, client) = start(&dir).await;
    let batch = |count: u32, id: fn(u32) -> String| {
        let entry = |n| SendMessageBatchRequestEntry::builder().id(id(n)).message_body(n.to_string()).build().unwrap();
        let entries = (0..count).map(entry).collect();
        client.send_message_batch().queue_url(sqs.queue_url("jobs")).set_entries(Some(entries))
    };
    let sent = batch(10, |n| n.to_string()).send().await.unwrap();
    assert_eq!(sent.successful().len(), 10);
    let refused = batch(11, |n| n.to_string()).send().await.unwrap_err().into_service_error();
    assert!(refused.is_too_many_entries_in_batch_request(), "{refused:?}");
    let refused = batch(2, |_| "same".into()).send().await.unwrap_err().into_service_error();
    assert!(refused.is_batch_entry_ids_not_distinct(), "{refused:?}");

    let received = client.receive_message().queue_url(sqs.queue_url("jobs")).max_number_of_messages(10);
    let messages = received.send().await.unwrap().messages.unwrap();
    let bodies: Vec<_> = messages.iter().map(|message| message.body().unwrap().to_owned()).collect();
    assert_eq!(bodies, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    let entries = messages.iter().enumerate().map(|(n, message)| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(n.to_string());
        entry.receipt_handle(message.receipt_handle().unwrap()).build().unwrap()
    });
    let delete = client.delete_message_batch().queue_url(sqs.queue_url("jobs"));
    assert_eq!(delete.set_entries(Some(entries.collect())).send().await.unwrap().successful().len(), 10);
    assert_eq!(sqs.counts("jobs").await.unwrap(), Counts::default());
}

#[tokio::test]
async fn a_delayed_message_waits() {
    let dir = tempfile::tempdir().unwrap();
    let (sqs, client) = start(&dir).await;
    let started = Instant::now();
    let send = client.send_message().queue_url(sqs.queue_url("jobs")).message_body("later").delay_seconds(1);
    send.send().await.unwrap();
    assert_eq!(sqs.counts("jobs").await.unwrap(), Counts { delayed: 1, ..Counts::default() });
    assert!(receive(&client, &sqs, "jobs", 0).await.is_none());
    assert!(receive(&client, &sqs, "jobs", 10).await.is_some());
    assert!((1000..3000).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());

    // The queue's own delay, and a message's in place of it.
    let send = || client.send_message().queue_url(sqs.queue_url("slow")).message_body("later");
    send().send().await.unwrap();
    assert!(receive(&client, &sqs, "slow", 0).await.is_none());
    send().delay_seconds(0).send().await.unwrap();
    assert!(receive(&client, &sqs, "slow", 0).await.is_some());
    assert!(receive(&client, &sqs, "slow", 10).await.is_some());
}

#[tokio::test]
async fn whoever_waits_is_woken_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (sqs, client) = start(&dir).await;
    let (received, sent) = tokio::join!(receive(&client, &sqs, "jobs", 20), async {
        // Let the long poll begin; if it has not, the message is there when it does.
        tokio::time::sleep(Duration::from_millis(50)).await;
        send(&client, &sqs, "now").await;
        Instant::now()
    });
    assert!(received.is_some());
    assert!(sent.elapsed() < Duration::from_secs(2), "{:?}", sent.elapsed());

    // A change between the look and the wait counts.
    let changed = sqs.changed("jobs");
    send(&client, &sqs, "between").await;
    tokio::time::timeout(Duration::from_secs(2), changed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_is_woken_however_soon_a_message_shows() {
    let dir = tempfile::tempdir().unwrap();
    let (sqs, _) = start(&dir).await;
    for n in 0..400_u64 {
        // Shows while the last look, or the reckoning of the next moment, is under way.
        let delay = Duration::from_millis(n % 4);
        let late = |delay| NewMessage { delay, ..NewMessage::from("late".to_owned()) };
        sqs.send("jobs", vec![late(delay), late(delay + Duration::from_millis(1))]).await.unwrap();
        for _ in 0..2 {
            loop {
                let changed = sqs.changed("jobs");
                let received = sqs.receive("jobs", 1).await.unwrap();
                if let [message] = &received[..] {
                    break sqs.delete("jobs", std::slice::from_ref(&message.receipt_handle)).await.unwrap();
                }
                tokio::time::timeout(Duration::from_secs(5), changed).await.expect("woken");
            }
        }
    }
}

#[tokio::test]
async fn a_restart_keeps_messages_and_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let (sqs, client) = start(&dir).await;
    send(&client, &sqs, "kept").await;
    assert_eq!(sqs.checkpoint("stream").await.unwrap(), None);
    sqs.save_checkpoint("stream", "1").await.unwrap();
    sqs.save_checkpoint("stream", "2").await.unwrap();
    // Received, and never deleted: its receiver ends with the process.
    assert_eq!(receive(&client, &sqs, "jobs", 0).await.unwrap().body(), Some("kept"));

    let (sqs, client) = start(&dir).await;
    assert_eq!(receive(&client, &sqs, "jobs", 0).await.unwrap().body(), Some("kept"));
    assert_eq!(sqs.checkpoint("stream").await.unwrap().as_deref(), Some("2"));
}

#[tokio::test]
async fn queues_are_described_and_purged() {
    let dir = tempfile::tempdir().unwrap();
    let (sqs, client) = start(&dir).await;
    let url = client.get_queue_url().queue_name("jobs").send().await.unwrap().queue_url.unwrap();
    assert_eq!(url, sqs.queue_url("jobs"));
    assert_eq!(client.list_queues().send().await.unwrap().queue_urls().len(), 3);
    send(&client, &sqs, "one").await;
    let described = client.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::All);
    let attributes = described.send().await.unwrap().attributes.unwrap();
    assert_eq!(attributes[&QueueAttributeName::ApproximateNumberOfMessages], "1");
    assert_eq!(attributes[&QueueAttributeName::VisibilityTimeout], "30");
    client.purge_queue().queue_url(&url).send().await.unwrap();
    assert_eq!(sqs.counts("jobs").await.unwrap(), Counts::default());
}

#[tokio::test]
async fn refusals_are_those_of_sqs() {
    let dir = tempfile::tempdir().unwrap();
    let (sqs, client) = start(&dir).await;
    let unknown = client.send_message().queue_url(sqs.queue_url("nobody")).message_body("x").send().await;
    let unknown = unknown.unwrap_err().into_service_error();
    assert!(unknown.is_queue_does_not_exist(), "{unknown:?}");
    let receipt = client.delete_message().queue_url(sqs.queue_url("jobs")).receipt_handle("x").send().await;
    let receipt = receipt.unwrap_err().into_service_error();
    assert!(receipt.is_receipt_handle_is_invalid(), "{receipt:?}");
    let long = |bytes| client.send_message().queue_url(sqs.queue_url("jobs")).message_body("\n".repeat(bytes)).send();
    long(1024 * 1024).await.unwrap();
    let refused = long(1024 * 1024 + 1).await.unwrap_err().into_service_error();
    assert!(refused.message().unwrap().contains("1048576"), "{refused:?}");
}
