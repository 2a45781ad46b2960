//! A recording proxy that tests put between the SDK and the embedded DynamoDB: which calls a request makes, one after
//! another or at once, how strongly they read, and what they cost.

use crate::listen;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_LENGTH;
use http::request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One call of DynamoDB.
#[derive(Clone, Debug)]
pub struct Call {
    /// `Query`, `TransactWriteItems`, …
    pub operation: String,
    pub request: Value,
    /// HTTP status of the answer.
    pub status: u16,
    /// Whether all it read was read strongly. False for writes.
    pub consistent: bool,
    /// As the answer's `ConsumedCapacity` says; zero when the request did not ask for that.
    pub read_units: f64,
    /// Write units, as the answer's `ConsumedCapacity` says.
    pub write_units: f64,
    pub started: Instant,
    pub ended: Instant,
}

/// The proxy. Clones are the same.
#[derive(Clone)]
pub struct Wire {
    endpoint: String,
    inner: Arc<Inner>,
}

struct Inner {
    upstream: Upstream,
    delay: Mutex<Duration>,
    calls: Mutex<Vec<Call>>,
}

impl Wire {
    /// Serves what `upstream`, an endpoint, answers.
    pub async fn start(upstream: &str) -> io::Result<Self> {
        let upstream = Upstream::new(upstream);
        let inner = Arc::new(Inner { upstream, delay: Mutex::default(), calls: Mutex::default() });
        let (listener, endpoint) = listen()?;
        let router = Router::new().fallback(handle).layer(DefaultBodyLimit::disable()).with_state(inner.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        Ok(Self { endpoint, inner })
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Holds each call this long, so that calls at once overlap and calls one after another do not.
    pub fn set_delay(&self, delay: Duration) {
        *lock(&self.inner.delay) = delay;
    }

    /// The calls that ended since the last take, in the order they ended.
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut lock(&self.inner.calls))
    }
}

/// The length of the longest chain of calls in which each started after the one before had ended.
pub fn rounds(calls: &[Call]) -> usize {
    let mut by_end: Vec<_> = calls.iter().collect();
    by_end.sort_by_key(|call| call.ended);
    let mut last_end = None;
    let mut rounds = 0;
    for call in by_end {
        if last_end.is_none_or(|end| call.started >= end) {
            last_end = Some(call.ended);
            rounds += 1;
        }
    }
    rounds
}

async fn handle(State(wire): State<Arc<Inner>>, parts: request::Parts, body: Bytes) -> Response {
    let started = Instant::now();
    let operation = operation(&parts.headers);
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (status, headers, answer) = match wire.exchange(parts, body).await {
        Ok(answer) => answer,
        Err(error) => return (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    };
    let (read_units, write_units) = units(&operation, &serde_json::from_slice(&answer).unwrap_or_default());
    lock(&wire.calls).push(Call {
        consistent: is_consistent(&operation, &request),
        operation,
        request,
        status: status.as_u16(),
        read_units,
        write_units,
        started,
        ended: Instant::now(),
    });
    (status, headers, answer).into_response()
}

impl Inner {
    /// What lies between a request and its answer.
    async fn exchange(&self, parts: request::Parts, body: Bytes) -> io::Result<Answer> {
        let delay = *lock(&self.delay);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.upstream.exchange(parts.headers, body).await
    }
}

/// Status, headers and body.
pub(crate) type Answer = (StatusCode, HeaderMap, Bytes);

/// The service behind a proxy.
pub(crate) struct Upstream {
    endpoint: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Upstream {
    pub(crate) fn new(endpoint: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { endpoint: endpoint.to_owned(), client: Client::builder(TokioExecutor::new()).build(connector) }
    }

    pub(crate) async fn exchange(&self, mut headers: HeaderMap, body: Bytes) -> io::Result<Answer> {
        // It goes by the body, which a proxy may have changed.
        headers.remove(CONTENT_LENGTH);
        let mut request = http::Request::post(&self.endpoint).body(Full::new(body)).map_err(io::Error::other)?;
        *request.headers_mut() = headers;
        let (parts, body) = self.client.request(request).await.map_err(io::Error::other)?.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        Ok((parts.status, parts.headers, body))
    }
}

/// `DynamoDB_20120810.Query` is `Query`.
pub(crate) fn operation(headers: &HeaderMap) -> String {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    target.rsplit('.').next().unwrap_or_default().to_owned()
}

fn is_consistent(operation: &str, request: &Value) -> bool {
    let strong = |read: &Value| read["ConsistentRead"] == true;
    match operation {
        "TransactGetItems" => true,
        "BatchGetItem" => request["RequestItems"].as_object().is_some_and(|tables| tables.values().all(strong)),
        _ => strong(request),
    }
}

/// Read and write units. `ConsumedCapacity` is one object, or a list with one for each table.
fn units(operation: &str, answer: &Value) -> (f64, f64) {
    let consumed = &answer["ConsumedCapacity"];
    let tables = consumed.as_array().map_or(std::slice::from_ref(consumed), Vec::as_slice);
    let total = tables.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum();
    match operation {
        "GetItem" | "BatchGetItem" | "TransactGetItems" | "Query" | "Scan" => (total, 0.0),
        _ => (0.0, total),
    }
}

/// A panic while it was held broke nothing: each holder makes one assignment.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamodb::DynamoDb;
    use crate::{Durability, sdk};
    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnConsumedCapacity};
    use serde_json::json;
    use std::collections::HashMap;

    const DELAY: Duration = Duration::from_millis(30);

    fn call(started: Instant, from: u64, to: u64) -> Call {
        Call {
            operation: "Query".into(),
            request: Value::Null,
            status: 200,
            consistent: false,
            read_units: 0.0,
            write_units: 0.0,
            started: started + Duration::from_millis(from),
            ended: started + Duration::from_millis(to),
        }
    }

    #[test]
    fn rounds_are_the_longest_chain() {
        let now = Instant::now();
        let rounds_of =
            |spans: &[(u64, u64)]| rounds(&spans.iter().map(|(from, to)| call(now, *from, *to)).collect::<Vec<_>>());
        assert_eq!(rounds_of(&[]), 0);
        assert_eq!(rounds_of(&[(0, 10), (1, 11), (2, 9)]), 1);
        assert_eq!(rounds_of(&[(0, 10), (10, 20), (21, 30)]), 3);
        // One long call beside two short ones in turn.
        assert_eq!(rounds_of(&[(0, 100), (0, 10), (20, 30)]), 2);
    }

    fn key() -> HashMap<String, AttributeValue> {
        HashMap::from([("PK".into(), AttributeValue::S("a".into()))])
    }

    #[tokio::test]
    async fn calls_are_recorded_with_their_cost() {
        let dir = tempfile::tempdir().unwrap();
        let dynamodb = DynamoDb::start(dir.path(), Durability::Fast).await.unwrap();
        let definition = json!({
            "TableName": "table",
            "AttributeDefinitions": [{ "AttributeName": "PK", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "PK", "KeyType": "HASH" }],
        });
        dynamodb.create_table(&definition).await.unwrap();
        let wire = Wire::start(dynamodb.endpoint()).await.unwrap();
        let client = Client::from_conf(sdk!(aws_sdk_dynamodb, wire.endpoint()).build());
        let total = ReturnConsumedCapacity::Total;
        wire.set_delay(DELAY);

        let put = client.put_item().table_name("table").set_item(Some(key()));
        put.return_consumed_capacity(total.clone()).send().await.unwrap();
        let get = || client.get_item().table_name("table").set_key(Some(key())).return_consumed_capacity(total.clone());
        let keys = KeysAndAttributes::builder().keys(key()).consistent_read(true).build().unwrap();
        let batch = client.batch_get_item().request_items("table", keys).return_consumed_capacity(total.clone());
        let (got, batch) = tokio::join!(get().send(), batch.send());
        assert_eq!(got.unwrap().item, Some(key()));
        batch.unwrap();

        let calls = wire.take();
        assert_eq!(rounds(&calls), 2);
        assert!(calls.iter().all(|call| call.status == 200 && call.ended - call.started >= DELAY));
        let find = |operation: &str| calls.iter().find(|call| call.operation == operation).unwrap();
        let cost = |call: &Call| (call.read_units, call.write_units, call.consistent);
        assert_eq!(cost(find("PutItem")), (0.0, 1.0, false));
        assert_eq!(cost(find("GetItem")), (0.5, 0.0, false));
        assert_eq!(cost(find("BatchGetItem")), (1.0, 0.0, true));
        assert_eq!(find("GetItem").request["Key"]["PK"]["S"], "a");

        let refused = get().table_name("nothing").send().await;
        assert!(refused.unwrap_err().into_service_error().is_resource_not_found_exception());
        assert_eq!(wire.take()[0].status, 400);
        assert!(wire.take().is_empty());
    }
}
