//! The SQS wire protocol: `X-Amz-Target: AmazonSQS.<Operation>` and JSON.

use super::{Message, MessageAttributes, NewMessage, QueueSpec, Sqs};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Bytes in a message, and in a whole batch.
const MAX_PAYLOAD: usize = 1024 * 1024;
/// Entries in a batch, and messages at a time.
const MAX_BATCH: usize = 10;
const MAX_DELAY: u64 = 15 * 60;
const MAX_VISIBILITY: u64 = 12 * 60 * 60;
const MAX_WAIT: u64 = 20;

/// Serves the queues.
pub(super) fn router(sqs: Sqs) -> Router {
    // JSON escapes may make a payload several times as long.
    Router::new().fallback(handle).layer(DefaultBodyLimit::max(8 * MAX_PAYLOAD)).with_state(sqs)
}

async fn handle(State(sqs): State<Sqs>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let operation = target.strip_prefix("AmazonSQS.").unwrap_or_default();
    match dispatch(&sqs, operation, &body).await {
        Ok(answer) => ([(header::CONTENT_TYPE, "application/x-amz-json-1.0")], answer.to_string()).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn dispatch(sqs: &Sqs, operation: &str, body: &[u8]) -> Result<Value, Refusal> {
    match operation {
        "SendMessage" => send_message(sqs, parse(body)?).await,
        "SendMessageBatch" => send_message_batch(sqs, parse(body)?).await,
        "ReceiveMessage" => receive_message(sqs, parse(body)?).await,
        "DeleteMessage" => delete_message(sqs, parse(body)?).await,
        "DeleteMessageBatch" => delete_message_batch(sqs, parse(body)?).await,
        "ChangeMessageVisibility" => change_message_visibility(sqs, parse(body)?).await,
        "ChangeMessageVisibilityBatch" => change_message_visibility_batch(sqs, parse(body)?).await,
        "StartMessageMoveTask" => start_message_move_task(sqs, &parse(body)?).await,
        "GetQueueAttributes" => get_queue_attributes(sqs, parse(body)?).await,
        "GetQueueUrl" => get_queue_url(sqs, &parse(body)?),
        "ListQueues" => Ok(list_queues(sqs, &parse(body)?)),
        "PurgeQueue" => purge_queue(sqs, &parse(body)?).await,
        _ => Err(Refusal::service("UnsupportedOperation", format!("{operation} is not embedded"))),
    }
}

/// A parameter that is not served is refused, not ignored.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::parameter(error.to_string()))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SendMessage {
    queue_url: String,
    message_body: String,
    delay_seconds: Option<u64>,
    #[serde(default)]
    message_attributes: MessageAttributes,
}

/// The message, and the answer to its sender but for the id.
fn accept(
    queue: &QueueSpec,
    body: String,
    delay: Option<u64>,
    attributes: MessageAttributes,
) -> Result<(NewMessage, Value), Refusal> {
    let mut answer = json!({ "MD5OfMessageBody": super::md5(&body) });
    if !attributes.is_empty() {
        answer["MD5OfMessageAttributes"] = md5_of_attributes(&attributes).into();
    }
    let delay = delay.map(|delay| seconds("DelaySeconds", delay, MAX_DELAY)).transpose()?.unwrap_or(queue.delay);
    Ok((NewMessage { body, delay, attributes }, answer))
}

/// Bytes that count against the limit.
fn size(message: &NewMessage) -> usize {
    let sizes = message.attributes.iter().map(|(name, one)| name.len() + one.data_type.len() + one.string_value.len());
    message.body.len() + sizes.sum::<usize>()
}

async fn send_message(sqs: &Sqs, request: SendMessage) -> Result<Value, Refusal> {
    let queue = sqs.queue(queue_name(&request.queue_url))?;
    let (message, mut answer) = accept(queue, request.message_body, request.delay_seconds, request.message_attributes)?;
    if size(&message) > MAX_PAYLOAD {
        return Err(Refusal::parameter(format!("Message must be shorter than {MAX_PAYLOAD} bytes.")));
    }
    let ids = sqs.send(queue_name(&request.queue_url), vec![message]).await?;
    answer["MessageId"] = ids[0].as_str().into();
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SendMessageBatch {
    queue_url: String,
    entries: Vec<SendEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SendEntry {
    id: String,
    message_body: String,
    delay_seconds: Option<u64>,
    #[serde(default)]
    message_attributes: MessageAttributes,
}

async fn send_message_batch(sqs: &Sqs, request: SendMessageBatch) -> Result<Value, Refusal> {
    check_batch(request.entries.iter().map(|entry| entry.id.as_str()))?;
    let queue = sqs.queue(queue_name(&request.queue_url))?;
    let mut messages = Vec::new();
    let mut sent = Vec::new();
    for entry in request.entries {
        let (message, mut answer) = accept(queue, entry.message_body, entry.delay_seconds, entry.message_attributes)?;
        answer["Id"] = entry.id.into();
        sent.push(answer);
        messages.push(message);
    }
    if messages.iter().map(size).sum::<usize>() > MAX_PAYLOAD {
        let message = format!("Batch requests cannot be longer than {MAX_PAYLOAD} bytes.");
        return Err(Refusal::service("BatchRequestTooLong", message));
    }
    let ids = sqs.send(queue_name(&request.queue_url), messages).await?;
    for (entry, id) in sent.iter_mut().zip(ids) {
        entry["MessageId"] = id.into();
    }
    Ok(json!({ "Successful": sent, "Failed": [] }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ReceiveMessage {
    queue_url: String,
    max_number_of_messages: Option<usize>,
    visibility_timeout: Option<u64>,
    #[serde(default)]
    wait_time_seconds: u64,
    #[serde(default, alias = "AttributeNames")]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

async fn receive_message(sqs: &Sqs, request: ReceiveMessage) -> Result<Value, Refusal> {
    let name = queue_name(&request.queue_url);
    let max = request.max_number_of_messages.unwrap_or(1);
    if !(1..=MAX_BATCH).contains(&max) {
        return Err(Refusal::parameter("MaxNumberOfMessages must be between 1 and 10.".into()));
    }
    let timeout = match request.visibility_timeout {
        Some(timeout) => seconds("VisibilityTimeout", timeout, MAX_VISIBILITY)?,
        None => sqs.queue(name)?.visibility_timeout,
    };
    let deadline = Instant::now() + seconds("WaitTimeSeconds", request.wait_time_seconds, MAX_WAIT)?;
    loop {
        let changed = sqs.changed(name);
        let messages = sqs.receive_for(name, max, timeout).await?;
        if !messages.is_empty() || timeout_at(deadline, changed).await.is_err() {
            let messages: Vec<_> = messages.into_iter().map(|message| show_message(message, &request)).collect();
            return Ok(json!({ "Messages": messages }));
        }
    }
}

fn show_message(message: Message, asked: &ReceiveMessage) -> Value {
    let mut shown = json!({
        "MessageId": message.message_id,
        "ReceiptHandle": message.receipt_handle,
        "MD5OfBody": message.md5,
        "Body": message.body,
        "Attributes": select(message.attributes, &asked.message_system_attribute_names),
    });
    let attributes = select(message.message_attributes, &asked.message_attribute_names);
    if !attributes.is_empty() {
        shown["MD5OfMessageAttributes"] = md5_of_attributes(&attributes).into();
        shown["MessageAttributes"] = json!(attributes);
    }
    shown
}

/// Each attribute in the order of the names: name, type and value with their lengths before them ("Calculating the MD5
/// message digest for message attributes", SQS developer guide).
fn md5_of_attributes(attributes: &MessageAttributes) -> String {
    const IS_TEXT: u8 = 1;
    let mut bytes = Vec::new();
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(text.as_bytes());
    };
    for (name, attribute) in attributes {
        text(&mut bytes, name);
        text(&mut bytes, &attribute.data_type);
        bytes.push(IS_TEXT);
        text(&mut bytes, &attribute.string_value);
    }
    super::md5(bytes)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DeleteMessage {
    queue_url: String,
    receipt_handle: String,
}

async fn delete_message(sqs: &Sqs, request: DeleteMessage) -> Result<Value, Refusal> {
    sqs.delete(queue_name(&request.queue_url), &[request.receipt_handle]).await?;
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DeleteMessageBatch {
    queue_url: String,
    entries: Vec<DeleteEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DeleteEntry {
    id: String,
    receipt_handle: String,
}

async fn delete_message_batch(sqs: &Sqs, request: DeleteMessageBatch) -> Result<Value, Refusal> {
    check_batch(request.entries.iter().map(|entry| entry.id.as_str()))?;
    let (deleted, receipts): (Vec<_>, Vec<_>) =
        request.entries.into_iter().map(|entry| (json!({ "Id": entry.id }), entry.receipt_handle)).unzip();
    sqs.delete(queue_name(&request.queue_url), &receipts).await?;
    Ok(json!({ "Successful": deleted, "Failed": [] }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ChangeMessageVisibility {
    queue_url: String,
    receipt_handle: String,
    visibility_timeout: u64,
}

async fn change_message_visibility(sqs: &Sqs, request: ChangeMessageVisibility) -> Result<Value, Refusal> {
    let delay = seconds("VisibilityTimeout", request.visibility_timeout, MAX_VISIBILITY)?;
    sqs.make_visible(queue_name(&request.queue_url), &request.receipt_handle, delay).await?;
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ChangeMessageVisibilityBatch {
    queue_url: String,
    entries: Vec<ChangeEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ChangeEntry {
    id: String,
    receipt_handle: String,
    visibility_timeout: u64,
}

async fn change_message_visibility_batch(sqs: &Sqs, request: ChangeMessageVisibilityBatch) -> Result<Value, Refusal> {
    check_batch(request.entries.iter().map(|entry| entry.id.as_str()))?;
    let mut changed = Vec::new();
    for entry in request.entries {
        let delay = seconds("VisibilityTimeout", entry.visibility_timeout, MAX_VISIBILITY)?;
        sqs.make_visible(queue_name(&request.queue_url), &entry.receipt_handle, delay).await?;
        changed.push(json!({ "Id": entry.id }));
    }
    Ok(json!({ "Successful": changed, "Failed": [] }))
}

/// Where messages came from is not kept, so the destination must be said; and then it is done at once.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StartMessageMoveTask {
    source_arn: String,
    destination_arn: String,
}

async fn start_message_move_task(sqs: &Sqs, request: &StartMessageMoveTask) -> Result<Value, Refusal> {
    let name = |arn: &'_ str| arn.rsplit(':').next().unwrap_or_default().to_owned();
    let source = name(&request.source_arn);
    let is_dlq = sqs.queues.values().any(|queue| queue.redrive.as_ref().is_some_and(|(dlq, _)| *dlq == source));
    if !is_dlq {
        return Err(Refusal::parameter("Source queue must be configured as a Dead Letter Queue.".into()));
    }
    sqs.move_all(&source, &name(&request.destination_arn)).await?;
    Ok(json!({ "TaskHandle": ulid::Ulid::generate().to_string() }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetQueueAttributes {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

async fn get_queue_attributes(sqs: &Sqs, request: GetQueueAttributes) -> Result<Value, Refusal> {
    let QueueSpec { name, delay, visibility_timeout, redrive } = sqs.queue(queue_name(&request.queue_url))?;
    let counts = sqs.counts(name).await?;
    let mut attributes = BTreeMap::from([
        ("ApproximateNumberOfMessages".into(), counts.visible.to_string()),
        ("ApproximateNumberOfMessagesDelayed".into(), counts.delayed.to_string()),
        ("ApproximateNumberOfMessagesNotVisible".into(), counts.in_flight.to_string()),
        ("DelaySeconds".into(), delay.as_secs().to_string()),
        ("MaximumMessageSize".into(), MAX_PAYLOAD.to_string()),
        ("QueueArn".into(), Sqs::queue_arn(name)),
        ("VisibilityTimeout".into(), visibility_timeout.as_secs().to_string()),
    ]);
    if let Some((dlq, limit)) = redrive {
        let policy = json!({ "deadLetterTargetArn": Sqs::queue_arn(dlq), "maxReceiveCount": limit });
        attributes.insert("RedrivePolicy".into(), policy.to_string());
    }
    Ok(json!({ "Attributes": select(attributes, &request.attribute_names) }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetQueueUrl {
    queue_name: String,
}

fn get_queue_url(sqs: &Sqs, request: &GetQueueUrl) -> Result<Value, Refusal> {
    Ok(json!({ "QueueUrl": sqs.queue_url(&sqs.queue(&request.queue_name)?.name) }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ListQueues {
    #[serde(default)]
    queue_name_prefix: String,
}

fn list_queues(sqs: &Sqs, request: &ListQueues) -> Value {
    let names = sqs.queues.keys().filter(|name| name.starts_with(&request.queue_name_prefix));
    json!({ "QueueUrls": names.map(|name| sqs.queue_url(name)).collect::<Vec<_>>() })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PurgeQueue {
    queue_url: String,
}

async fn purge_queue(sqs: &Sqs, request: &PurgeQueue) -> Result<Value, Refusal> {
    sqs.purge(queue_name(&request.queue_url)).await?;
    Ok(json!({}))
}

/// The port may have been another when the URL was made; the name is what counts.
fn queue_name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

fn seconds(parameter: &str, value: u64, max: u64) -> Result<Duration, Refusal> {
    if value > max {
        return Err(Refusal::parameter(format!("{parameter} must be between 0 and {max}.")));
    }
    Ok(Duration::from_secs(value))
}

fn select<T>(mut attributes: BTreeMap<String, T>, asked: &[String]) -> BTreeMap<String, T> {
    attributes.retain(|name, _| asked.iter().any(|asked| asked == "All" || asked == ".*" || asked == name));
    attributes
}

fn check_batch<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Result<(), Refusal> {
    let count = ids.len();
    if count == 0 {
        return Err(Refusal::service("EmptyBatchRequest", "There should be at least one entry.".into()));
    }
    if count > MAX_BATCH {
        let message = format!("Maximum number of entries per request are {MAX_BATCH}. You have sent {count}.");
        return Err(Refusal::service("TooManyEntriesInBatchRequest", message));
    }
    if ids.collect::<HashSet<_>>().len() < count {
        return Err(Refusal::service("BatchEntryIdsNotDistinct", "Two entries have the same Id.".into()));
    }
    Ok(())
}

/// An error as SQS answers it: its name in the JSON protocol, and in the query protocol before that.
struct Refusal {
    status: StatusCode,
    kind: String,
    query_code: String,
    message: String,
}

impl Refusal {
    /// One of the errors that SQS models.
    fn service(name: &str, message: String) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: format!("com.amazonaws.sqs#{name}"),
            query_code: format!("AWS.SimpleQueueService.{name};Sender"),
            message,
        }
    }

    fn parameter(message: String) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: "com.amazon.coral.service#InvalidParameterValueException".into(),
            query_code: "InvalidParameterValue;Sender".into(),
            message,
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        let message = error.to_string();
        match error.kind() {
            io::ErrorKind::NotFound => Self {
                query_code: "AWS.SimpleQueueService.NonExistentQueue;Sender".into(),
                ..Self::service("QueueDoesNotExist", message)
            },
            io::ErrorKind::InvalidInput => Self {
                query_code: "ReceiptHandleIsInvalid;Sender".into(),
                ..Self::service("ReceiptHandleIsInvalid", message)
            },
            _ => Self {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                kind: "com.amazon.coral.service#InternalFailure".into(),
                query_code: "InternalFailure;Receiver".into(),
                message,
            },
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let headers = [("content-type", "application/x-amz-json-1.0".into()), ("x-amzn-query-error", self.query_code)];
        let body = json!({ "__type": self.kind, "message": self.message }).to_string();
        (self.status, headers, body).into_response()
    }
}
