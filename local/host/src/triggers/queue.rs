//! A queue as a Lambda event source.

use super::{Sources, failures};
use emulators::REGION;
use emulators::faults::Delivery;
use emulators::lambda::Function;
use emulators::sqs::{Message, MessageAttribute, Sqs};
use serde_json::{Map, Value, json};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use template::QueueTrigger;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

/// Invocations of one function at a time, unless the template bounds them lower: enough to meet races here too.
const CONCURRENCY: usize = 4;
/// Messages that SQS gives out at once.
const RECEIVED_AT_ONCE: usize = 10;
/// While a batch is gathered more are left to come together so long: each receive is a write to the disk.
const BETWEEN: Duration = Duration::from_millis(100);
/// Bytes that an event holds.
const MAX_EVENT: usize = 6 * 1024 * 1024;
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Starts the pollers of one trigger.
pub(crate) fn spawn(tasks: &mut JoinSet<()>, sources: &Arc<Sources>, trigger: &QueueTrigger, function: &Arc<Function>) {
    let pollers = trigger.maximum_concurrency().unwrap_or(CONCURRENCY).min(CONCURRENCY);
    let faults = sources.faults.as_ref().map(|faults| Arc::new(faults.delivery(&function.name, &trigger.queue)));
    for _ in 0..pollers {
        tasks.spawn(run(sources.clone(), trigger.clone(), function.clone(), faults.clone()));
    }
}

async fn run(sources: Arc<Sources>, trigger: QueueTrigger, function: Arc<Function>, faults: Option<Arc<Delivery>>) {
    loop {
        let changed = sources.sqs.changed(&trigger.queue);
        let step = {
            let _open = sources.gate.read().await;
            step(&sources, &trigger, &function, faults.as_deref()).await
        };
        match step {
            Ok(true) => {}
            Ok(false) => changed.await,
            Err(error) => {
                tracing::error!("{} can't read {}: {error}", function.name, trigger.queue);
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
    }
}

/// Handles one batch, if there is one.
async fn step(
    sources: &Sources,
    trigger: &QueueTrigger,
    function: &Function,
    faults: Option<&Delivery>,
) -> io::Result<bool> {
    let messages = gather(sources, trigger).await?;
    if messages.is_empty() {
        return Ok(false);
    }
    let arn = Sqs::queue_arn(&trigger.queue);
    let records: Vec<_> = messages.iter().map(|message| record(message, &arn)).collect();
    let mortal = faults.filter(|_| messages.iter().all(may_fail));
    let answer = function.invoke_under(mortal, json!({ "Records": records }).to_string().into_bytes()).await;
    sources.written.notify_waiters();
    let names_failures = !trigger.function_response_types.is_empty();
    let lives = answer.is_ok();
    let mut done = answer.map(|answer| handled(&messages, &answer, names_failures)).unwrap_or_default();
    if let Some(faults) = faults {
        let (sqs, queue) = (&sources.sqs, &trigger.queue);
        done = give_back(sqs, queue, messages, (lives, done), faults).await?;
    }
    // The others become visible again when their time is up.
    sources.sqs.delete(&trigger.queue, &done).await?;
    Ok(true)
}

/// Receives as Lambda does: ten messages at a time, until the batch or the event is full, or the window is over that the
/// first of them opened. Waiting for the workers ends it, too.
async fn gather(sources: &Sources, trigger: &QueueTrigger) -> io::Result<Vec<Message>> {
    let (queue, most) = (&trigger.queue, trigger.batch_size);
    let mut messages = sources.sqs.receive(queue, most.min(RECEIVED_AT_ONCE)).await?;
    if messages.is_empty() || trigger.window().is_zero() {
        return Ok(messages);
    }
    let deadline = Instant::now() + trigger.window();
    let mut waiting = sources.waiting.subscribe();
    let mut bytes: usize = messages.iter().map(size).sum();
    while messages.len() < most && bytes < MAX_EVENT && Instant::now() < deadline {
        let changed = sources.sqs.changed(queue);
        let more = sources.sqs.receive(queue, (most - messages.len()).min(RECEIVED_AT_ONCE)).await?;
        if more.is_empty() {
            tokio::select! {
                _ = timeout_at(deadline, async { changed.await; sleep(BETWEEN).await }) => {}
                _ = waiting.wait_for(|count| *count > 0) => break,
            }
        }
        bytes += more.iter().map(size).sum::<usize>();
        messages.extend(more);
    }
    Ok(messages)
}

/// About what a message takes in an event on AWS, where receipt handles and names are longer.
fn size(message: &Message) -> usize {
    const REST: usize = 900;
    message.body.len() + REST
}

/// Makes what a worker that died had visible again soon, and some of what was handled; answers what is left of that. A
/// worker that lives says itself when what it could not handle comes again.
async fn give_back(
    sqs: &Sqs,
    queue: &str,
    messages: Vec<Message>,
    (lives, mut done): (bool, Vec<String>),
    faults: &Delivery,
) -> io::Result<Vec<String>> {
    for message in messages {
        let receipt = &message.receipt_handle;
        let is_left = !done.contains(receipt);
        if is_left && !lives || !is_left && may_fail(&message) && faults.again() {
            done.retain(|done| done != receipt);
            sqs.make_visible(queue, receipt, faults.soon()).await?;
        }
    }
    Ok(done)
}

/// Whether it will be received often enough yet to be handled.
fn may_fail(message: &Message) -> bool {
    let received = message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
    received.is_some_and(Delivery::may_fail)
}

/// One element of `Records` in Lambda's SQS event.
fn record(message: &Message, arn: &str) -> Value {
    json!({
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": message.attributes,
        "messageAttributes": message.message_attributes.iter().map(lambda_attribute).collect::<Map<_, _>>(),
        "md5OfBody": message.md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": REGION,
    })
}

fn lambda_attribute((name, attribute): (&String, &MessageAttribute)) -> (String, Value) {
    let (value, kind) = (&attribute.string_value, &attribute.data_type);
    let shown = json!({"stringValue": value, "stringListValues": [], "binaryListValues": [], "dataType": kind});
    (name.clone(), shown)
}

/// The receipts of the messages that need not be seen again.
fn handled(messages: &[Message], answer: &[u8], names_failures: bool) -> Vec<String> {
    let failed = if names_failures { failures(answer) } else { Vec::new() };
    if failed.iter().any(|id| !messages.iter().any(|message| message.message_id == *id)) {
        return Vec::new();
    }
    let done = messages.iter().filter(|message| !failed.contains(&message.message_id));
    done.map(|message| message.receipt_handle.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn what_failed_stays_and_what_makes_no_sense_fails_all() {
        let message = |id: &str| Message {
            message_id: id.to_owned(),
            receipt_handle: format!("receipt {id}"),
            body: String::new(),
            attributes: BTreeMap::new(),
            message_attributes: BTreeMap::new(),
            md5: String::new(),
        };
        let messages = [message("a"), message("b")];
        let both = vec!["receipt a", "receipt b"];
        for (answer, expected) in [
            ("null", both.clone()),
            ("", vec![]),
            ("{}", both.clone()),
            (r#"{"batchItemFailures":[]}"#, both.clone()),
            (r#"{"batchItemFailures":[{"itemIdentifier":"a"}]}"#, vec!["receipt b"]),
            (r#"{"batchItemFailures":[{"itemIdentifier":"c"}]}"#, vec![]),
            (r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#, vec![]),
            (r#"{"batchItemFailures":[{}]}"#, vec![]),
        ] {
            assert_eq!(handled(&messages, answer.as_bytes(), true), expected, "{answer}");
        }
        assert_eq!(handled(&messages, br#"{"batchItemFailures":[{"itemIdentifier":"a"}]}"#, false), both);
    }
}
