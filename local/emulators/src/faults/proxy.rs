//! One function's way to DynamoDB, on which calls are refused, held up, done in part, or done unheard.

use super::forms::{self, Split};
use super::kill::{Killer, Moment};
use super::{Dice, Fault, lock};
use crate::listen;
use crate::wire::{Answer, Upstream, operation};
use bytes::Bytes;
use fastrand::Rng;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

/// One request is refused, or its answer lost, at most so often in a row.
const IN_A_ROW: u32 = 4;
/// What a slow call waits.
const SLOW: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(300));

struct Proxy {
    dice: Dice,
    killer: Arc<Killer>,
    primary: Upstream,
    replica: Option<Upstream>,
    /// How often each request that is not through yet was faulted, by its hash.
    faulted: Mutex<HashMap<u64, u32>>,
}

/// A call of DynamoDB.
struct Call {
    operation: String,
    request: Value,
    hash: u64,
    headers: HeaderMap,
    body: Bytes,
}

/// Serves what DynamoDB answers, with faults; the endpoint.
pub(super) fn start(dice: Dice, killer: Arc<Killer>, primary: &str, replica: Option<&str>) -> io::Result<String> {
    let (listener, endpoint) = listen()?;
    let (primary, replica) = (Upstream::new(primary), replica.map(Upstream::new));
    let proxy = Arc::new(Proxy { dice, killer, primary, replica, faulted: Mutex::default() });
    tokio::spawn(serve(listener, proxy));
    Ok(endpoint)
}

async fn serve(listener: TcpListener, proxy: Arc<Proxy>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::error!("a faulty DynamoDB ended: {error}");
                return;
            }
        };
        let proxy = proxy.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| proxy.answer(request));
            // An answer that is an error closes the connection without a word; that is what it is for.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Proxy {
    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let call = Call::read(request).await?;
        let due = self.killer.call();
        self.killer.kill(&due, Moment::Before).await;
        let answer = self.exchange(call).await;
        self.killer.kill(&due, Moment::After).await;
        let (status, headers, body) = answer?;
        let mut response = Response::new(Full::new(body));
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        Ok(response)
    }

    async fn exchange(&self, call: Call) -> io::Result<Answer> {
        if self.dice.hit(Fault::Slow) {
            tokio::time::sleep(self.dice.wait(SLOW.0, SLOW.1)).await;
        }
        let was_faulted = lock(&self.faulted).get(&call.hash).copied().unwrap_or(0);
        let may_fault = was_faulted < IN_A_ROW;
        if may_fault && let Some(refusal) = self.refusal(&call) {
            lock(&self.faulted).insert(call.hash, was_faulted + 1);
            return Ok(refusal);
        }
        let (is_write, hash) = (call.is_write(), call.hash);
        let answer = self.forward(call).await?;
        if may_fault && is_write && self.dice.hit(Fault::Lost) {
            lock(&self.faulted).insert(hash, was_faulted + 1);
            let is_told = self.dice.throw(Rng::bool);
            return if is_told { Ok(forms::internal()) } else { Err(io::ErrorKind::ConnectionAborted.into()) };
        }
        lock(&self.faulted).remove(&hash);
        Ok(answer)
    }

    fn refusal(&self, call: &Call) -> Option<Answer> {
        if call.is_single_write() && self.dice.hit(Fault::Conflict) {
            return forms::conflict(&call.operation, &call.request, &self.dice);
        }
        let throttled = || forms::throttled(&call.operation, &call.request, &self.dice);
        self.dice.hit(Fault::Throttle).then(throttled)
    }

    async fn forward(&self, call: Call) -> io::Result<Answer> {
        let upstream = match &self.replica {
            Some(replica) if call.may_be_stale() && self.dice.hit(Fault::Stale) => replica,
            _ => &self.primary,
        };
        let split = Split::of(&call.operation, &call.request, &self.dice);
        match split.filter(|_| self.dice.hit(Fault::Partial)) {
            Some(split) => {
                let body = Bytes::from(split.request.to_string());
                Ok(split.answer(upstream.exchange(call.headers, body).await?))
            }
            None => upstream.exchange(call.headers, call.body).await,
        }
    }
}

impl Call {
    async fn read(request: Request<Incoming>) -> io::Result<Self> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let operation = operation(&parts.headers);
        let mut hasher = DefaultHasher::new();
        (&operation, &body).hash(&mut hasher);
        let request = serde_json::from_slice(&body).unwrap_or_default();
        Ok(Self { operation, request, hash: hasher.finish(), headers: parts.headers, body })
    }

    fn is_single_write(&self) -> bool {
        matches!(self.operation.as_str(), "PutItem" | "UpdateItem" | "DeleteItem" | "TransactWriteItems")
    }

    fn is_write(&self) -> bool {
        self.is_single_write() || self.operation == "BatchWriteItem"
    }

    /// Whether it reads, and nothing of it strongly.
    fn may_be_stale(&self) -> bool {
        let is_eventual = |read: &Value| read["ConsistentRead"] != true;
        match self.operation.as_str() {
            "GetItem" | "Query" | "Scan" => is_eventual(&self.request),
            // There is one table: one entry decides for all.
            "BatchGetItem" => {
                self.request["RequestItems"].as_object().is_some_and(|tables| tables.values().all(is_eventual))
            }
            _ => false,
        }
    }
}
