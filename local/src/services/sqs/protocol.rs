//! The SQS wire protocol: `X-Amz-Target: AmazonSQS.<Operation>` and JSON.

use super::{Message, QueueSpec, Sqs};
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
    #[serde(default)]
    delay_seconds: u64,
}

async fn send_message(sqs: &Sqs, request: SendMessage) -> Result<Value, Refusal> {
    if request.message_body.len() > MAX_PAYLOAD {
        return Err(Refusal::parameter(format!("Message must be shorter than {MAX_PAYLOAD} bytes.")));
    }
    let md5 = super::md5(&request.message_body);
    let delay = seconds("DelaySeconds", request.delay_seconds, MAX_DELAY)?;
    let ids = sqs.send(queue_name(&request.queue_url), vec![(request.message_body, delay)]).await?;
    Ok(json!({ "MessageId": ids[0], "MD5OfMessageBody": md5 }))
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
    #[serde(default)]
    delay_seconds: u64,
}

async fn send_message_batch(sqs: &Sqs, request: SendMessageBatch) -> Result<Value, Refusal> {
    check_batch(request.entries.iter().map(|entry| entry.id.as_str()))?;
    if request.entries.iter().map(|entry| entry.message_body.len()).sum::<usize>() > MAX_PAYLOAD {
        let message = format!("Batch requests cannot be longer than {MAX_PAYLOAD} bytes.");
        return Err(Refusal::service("BatchRequestTooLong", message));
    }
    let mut messages = Vec::new();
    let mut sent = Vec::new();
    for entry in request.entries {
        sent.push(json!({ "Id": entry.id, "MD5OfMessageBody": super::md5(&entry.message_body) }));
        messages.push((entry.message_body, seconds("DelaySeconds", entry.delay_seconds, MAX_DELAY)?));
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
        let changed = sqs.changed();
        let messages = sqs.receive_for(name, max, timeout).await?;
        if !messages.is_empty() || timeout_at(deadline, changed).await.is_err() {
            let asked = request.message_system_attribute_names;
            let messages: Vec<_> = messages.into_iter().map(|message| show_message(message, &asked)).collect();
            return Ok(json!({ "Messages": messages }));
        }
    }
}

fn show_message(message: Message, asked: &[String]) -> Value {
    json!({
        "MessageId": message.message_id,
        "ReceiptHandle": message.receipt_handle,
        "MD5OfBody": message.md5,
        "Body": message.body,
        "Attributes": select(message.attributes, asked),
    })
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
struct GetQueueAttributes {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

async fn get_queue_attributes(sqs: &Sqs, request: GetQueueAttributes) -> Result<Value, Refusal> {
    let QueueSpec { name, visibility_timeout, redrive } = sqs.queue(queue_name(&request.queue_url))?;
    let counts = sqs.counts(name).await?;
    let mut attributes = BTreeMap::from([
        ("ApproximateNumberOfMessages".into(), counts.visible.to_string()),
        ("ApproximateNumberOfMessagesDelayed".into(), counts.delayed.to_string()),
        ("ApproximateNumberOfMessagesNotVisible".into(), counts.in_flight.to_string()),
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

fn select(mut attributes: BTreeMap<String, String>, asked: &[String]) -> BTreeMap<String, String> {
    attributes.retain(|name, _| asked.iter().any(|asked| asked == "All" || asked == name));
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
