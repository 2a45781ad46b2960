//! S3 on a folder: one folder per bucket, one file per object.

/// What pages of other origins may do.
mod cors;
/// Objects as files.
mod store;
#[cfg(test)]
mod tests;

use super::{Durability, Listener};
use bytes::Bytes;
use cors::{Asked, Rules};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use store::Store;
use template::Bucket;
use tokio::net::TcpListener;

/// The embedded S3. Clients address it by path, not by host name.
#[derive(Clone)]
pub struct S3 {
    endpoint: String,
    record: Record,
}

/// A request for a bucket or an object, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketRequest {
    /// `GET`, `PUT`, …
    pub method: Method,
    /// The bucket and the object's key.
    pub path: String,
    /// The page it came from, if it says so; empty for the functions' own.
    pub origin: String,
    /// The bytes that were asked for (`bytes=100-`); empty for all.
    pub range: String,
    /// The answer's status.
    pub status: StatusCode,
    /// The bytes that were served (`bytes 100-199/200`); empty for all.
    pub content_range: String,
}

type Record = Arc<Mutex<Option<Vec<BucketRequest>>>>;

impl S3 {
    /// Serves `s3` in `dir`, with these buckets, to requests signed with this pair of access key and secret key.
    pub async fn start(
        (listener, endpoint): Listener,
        dir: &Path,
        durability: Durability,
        buckets: &[Bucket],
        (access_key, secret_key): (&str, &str),
    ) -> io::Result<Self> {
        let root = dir.join("s3");
        for bucket in buckets {
            tokio::fs::create_dir_all(root.join(&bucket.name)).await?;
        }
        let mut service = S3ServiceBuilder::new(Store::open(root, durability)?);
        service.set_auth(SimpleAuth::from_single(access_key, secret_key));
        let cors = buckets.iter().map(|bucket| (bucket.name.clone(), Rules::new(bucket.cors()))).collect();
        let record = Record::default();
        let front = Front { service: service.build(), cors: Arc::new(cors), record: record.clone() };
        tokio::spawn(serve(listener, front));
        Ok(Self { endpoint, record })
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Keeps what is asked from now on.
    pub fn record_requests(&self) {
        *lock(&self.record) = Some(Vec::new());
    }

    /// What was asked since that, oldest first.
    pub fn requests(&self) -> Vec<BucketRequest> {
        lock(&self.record).clone().unwrap_or_default()
    }
}

async fn serve(listener: TcpListener, front: Front) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                let front = front.clone();
                let service = service_fn(move |request| front.clone().answer(request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
            }
            Err(error) => {
                tracing::error!(%error, "the embedded S3 cannot accept");
                // Most likely out of file descriptors, which takes others to finish.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

/// What stands before the objects: CORS, which s3s leaves to others, and the record.
#[derive(Clone)]
struct Front {
    service: S3Service,
    cors: Arc<BTreeMap<String, Rules>>,
    record: Record,
}

impl Front {
    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, HttpError> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let [origin, range] = [header::ORIGIN, header::RANGE].map(|name| text(request.headers(), name));
        let bucket = path.split('/').nth(1).unwrap_or_default();
        let rules = self.cors.get(bucket);
        let response = if method == Method::OPTIONS {
            cors::preflight(rules, request.headers()).map(|xml| Body::from(Bytes::from(xml)))
        } else {
            let asked = Asked::of(&method, request.headers());
            let mut response = self.service.call(request.map(Body::from)).await?;
            if let (Some(rules), Some(asked)) = (rules, asked) {
                rules.apply(&asked, response.headers_mut());
            }
            response
        };
        let status = response.status();
        tracing::debug!("{method} {path} {status}");
        if let Some(kept) = &mut *lock(&self.record) {
            let content_range = text(response.headers(), header::CONTENT_RANGE);
            kept.push(BucketRequest { method, path, origin, range, status, content_range });
        }
        Ok(response)
    }
}

/// A header's value; empty if there is none.
fn text(headers: &HeaderMap, name: header::HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// A panic while it was held broke nothing: each holder makes one assignment.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
