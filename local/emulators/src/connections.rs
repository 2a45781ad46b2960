//! API Gateway's management of open sockets (`PostToConnection`, `DeleteConnection`), and which are open.

use super::Listener;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use percent_encoding::percent_decode_str;
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};

/// Messages kept for a socket that does not read them; one more closes it.
const BACKLOG: usize = 64;

/// A message may be so long ("Quotas for configuring and running a WebSocket API").
pub const MAX_MESSAGE: usize = 128 * 1024;

/// The open sockets. Clones are the same ones.
#[derive(Clone)]
pub struct Connections {
    open: Arc<Mutex<HashMap<String, Handle>>>,
    endpoint: String,
}

/// One end of an open socket.
#[derive(Clone)]
struct Handle {
    stage: String,
    backlog: mpsc::Sender<String>,
    close: Arc<Notify>,
}

/// The other end: what is to be said on a socket, and when it is to close. It is forgotten when this goes.
pub struct Line {
    pub id: String,
    pub backlog: mpsc::Receiver<String>,
    pub close: Arc<Notify>,
    open: Arc<Mutex<HashMap<String, Handle>>>,
}

impl Connections {
    /// Serves the management API.
    pub fn start((listener, endpoint): Listener) -> Self {
        let connections = Self { open: Arc::default(), endpoint };
        let router = Router::new()
            .route("/{stage}/@connections/{id}", post(send).delete(close))
            .layer(DefaultBodyLimit::max(MAX_MESSAGE))
            .with_state(connections.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        connections
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A socket is open from now on.
    pub fn add(&self, stage: &str, id: String) -> Line {
        let (sender, backlog) = mpsc::channel(BACKLOG);
        let close = Arc::new(Notify::new());
        let handle = Handle { stage: stage.to_owned(), backlog: sender, close: close.clone() };
        lock(&self.open).insert(id.clone(), handle);
        Line { id, backlog, close, open: self.open.clone() }
    }

    /// Closes every socket.
    pub fn close_all(&self) {
        lock(&self.open).values().for_each(|handle| handle.close.notify_one());
    }

    /// The one that `/{stage}/@connections/{id}` names.
    fn find(&self, uri: &Uri) -> Option<Handle> {
        let (stage, id) = uri.path().strip_prefix('/')?.split_once("/@connections/")?;
        let id = percent_decode_str(id).decode_utf8().ok()?;
        lock(&self.open).get(id.as_ref()).filter(|handle| handle.stage == stage).cloned()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        lock(&self.open).remove(&self.id);
    }
}

fn lock(open: &Mutex<HashMap<String, Handle>>) -> MutexGuard<'_, HashMap<String, Handle>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn send(State(connections): State<Connections>, uri: Uri, body: Bytes) -> Response {
    let Some(handle) = connections.find(&uri) else { return gone() };
    match handle.backlog.try_send(String::from_utf8_lossy(&body).into_owned()) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(TrySendError::Full(_)) => {
            // A client that reads so slowly is cut off: nobody waits.
            handle.close.notify_one();
            gone()
        }
        Err(TrySendError::Closed(_)) => gone(),
    }
}

async fn close(State(connections): State<Connections>, uri: Uri) -> Response {
    match connections.find(&uri) {
        Some(handle) => {
            handle.close.notify_one();
            StatusCode::NO_CONTENT.into_response()
        }
        None => gone(),
    }
}

fn gone() -> Response {
    let body = json!({ "message": null }).to_string();
    (StatusCode::GONE, [("x-amzn-errortype", "GoneException")], body).into_response()
}
