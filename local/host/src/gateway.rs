//! API Gateway's HTTP API: one HTTP server in front of the functions.

pub(crate) mod cors;
mod event;
mod mailbox;
pub(crate) mod sockets;
#[cfg(test)]
mod tests;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use cors::CorsRules;
use emulators::lambda::Function;
use emulators::ses::Ses;
use event::Invocation;
use http::{StatusCode, header};
use http_body_util::{BodyExt, Limited};
use sockets::SocketGateway;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use template::routes::Routes;
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

/// What API Gateway takes as a body.
const MAX_BODY: usize = 10 * 1024 * 1024;
/// What Lambda takes as an event, and gives as an answer.
const MAX_PAYLOAD: usize = 6 * 1024 * 1024;
/// What API Gateway waits for a function.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// What the gateway serves.
pub(crate) struct Gateway {
    pub(crate) routes: Routes<Arc<Function>>,
    pub(crate) stages: Vec<String>,
    pub(crate) cors: Option<CorsRules>,
    pub(crate) sockets: Option<SocketGateway>,
    pub(crate) mails: Arc<Ses>,
    /// Told after each request that may have written.
    pub(crate) written: Arc<Notify>,
}

/// The running server.
pub(crate) struct Server {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Gateway {
    /// Serves on `listener` until stopped.
    pub(crate) fn serve(self, listener: TcpListener) -> Server {
        let (stop, stopped) = oneshot::channel::<()>();
        let app = axum::Router::new()
            .route("/_local/mail", axum::routing::get(mailbox::show))
            .fallback(answer)
            .with_state(Arc::new(self))
            .into_make_service_with_connect_info::<SocketAddr>();
        let listener = listener.tap_io(|stream| {
            // Without it a small answer waits for the client's delayed acknowledgement.
            let _ = stream.set_nodelay(true);
        });
        let server = axum::serve(listener, app).with_graceful_shutdown(async {
            let _ = stopped.await;
        });
        let task = tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!("the gateway ended: {error}");
            }
        });
        Server { stop: Some(stop), task }
    }
}

impl Server {
    /// Takes no more connections, and waits up to `limit` for the requests that run.
    pub(crate) async fn stop(&mut self, limit: Duration) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let _ = tokio::time::timeout(limit, &mut self.task).await;
        self.task.abort();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What came of a request: the answer, and who gave it.
struct Outcome {
    response: Response,
    by: String,
}

impl Outcome {
    /// An answer of the gateway's own.
    fn refused(status: StatusCode) -> Self {
        let message = match status {
            StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
            StatusCode::SERVICE_UNAVAILABLE => "Service Unavailable",
            StatusCode::NOT_FOUND => "Not Found",
            StatusCode::BAD_REQUEST => "Bad Request",
            _ => "Internal Server Error",
        };
        let body = serde_json::json!({ "message": message }).to_string();
        let response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        Self { response, by: "gateway".to_owned() }
    }
}

async fn answer(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let started = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut outcome = match &gateway.cors {
        Some(cors) if cors::is_preflight(&request) => {
            let response = cors.preflight(origin.as_ref());
            Outcome { response, by: "gateway".to_owned() }
        }
        _ => match gateway.socket(&request) {
            Some((sockets, stage)) => {
                let response = sockets.open(stage, peer, request).await;
                Outcome { response, by: sockets.function.name.clone() }
            }
            None => gateway.pass_on(peer, request).await,
        },
    };
    if let Some(cors) = &gateway.cors {
        cors.apply(origin.as_ref(), outcome.response.headers_mut());
    }
    if !method.is_safe() {
        gateway.written.notify_waiters();
    }
    let (status, ms) = (outcome.response.status().as_u16(), started.elapsed().as_millis());
    tracing::info!("{method} {path} {status} {ms} ms ({})", outcome.by);
    outcome.response
}

impl Gateway {
    /// The socket API and its stage, where a socket is to be opened: with every prefix, and with a slash at the end.
    fn socket(&self, request: &Request) -> Option<(&SocketGateway, &str)> {
        let sockets = self.sockets.as_ref().filter(|_| sockets::is_handshake(request))?;
        let (_, path) = self.stage_and_path(request.uri().path());
        let path = path.trim_matches('/');
        Some((sockets, sockets.stages.iter().find(|stage| *stage == path)?))
    }

    /// Turns the request into an event, and the function's answer into a response.
    async fn pass_on(&self, peer: SocketAddr, request: Request) -> Outcome {
        let (parts, body) = request.into_parts();
        let Ok(body) = read(body).await else {
            return Outcome::refused(StatusCode::PAYLOAD_TOO_LARGE);
        };
        // On AWS the host is always the API's own; `lambda_http` panics at one that makes no URL.
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if url::Url::parse(&format!("http://{host}")).is_err() {
            return Outcome::refused(StatusCode::BAD_REQUEST);
        }
        let (stage, path) = self.stage_and_path(parts.uri.path());
        let Some(route) = self.routes.find(&parts.method, path) else {
            return Outcome::refused(StatusCode::NOT_FOUND);
        };
        let parameters = route.parameters;
        let invocation = Invocation { stage, route_key: route.key, parameters, source_ip: peer.ip() };
        let event = invocation.event(&parts, &body);
        if event.len() > MAX_PAYLOAD {
            return Outcome::refused(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let by = route.target.name.clone();
        let result = tokio::time::timeout(INTEGRATION_TIMEOUT, route.target.invoke(event)).await;
        let response = match result {
            Ok(Ok(answer)) if answer.len() <= MAX_PAYLOAD => event::response(&answer, &parts.method),
            Ok(_) => None,
            Err(_) => {
                return Outcome { by, ..Outcome::refused(StatusCode::SERVICE_UNAVAILABLE) };
            }
        };
        match response {
            Some(response) => Outcome { response, by },
            None => Outcome { by, ..Outcome::refused(StatusCode::INTERNAL_SERVER_ERROR) },
        }
    }

    /// `/api/users` is `/users` of the stage `api`, if there is one of that name.
    fn stage_and_path<'p>(&'p self, path: &'p str) -> (&'p str, &'p str) {
        let rest = path.strip_prefix('/').unwrap_or(path);
        let (first, _) = rest.split_once('/').unwrap_or((rest, ""));
        match self.stages.iter().find(|stage| *stage == first) {
            Some(stage) if rest.len() == first.len() => (stage, "/"),
            Some(stage) => (stage, &rest[first.len()..]),
            None => ("$default", path),
        }
    }
}

/// The whole body, unless it is larger than API Gateway takes.
async fn read(body: Body) -> Result<bytes::Bytes, axum::BoxError> {
    Ok(Limited::new(body, MAX_BODY).collect().await?.to_bytes())
}
