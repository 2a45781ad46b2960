//! API Gateway's WebSocket API: handshakes, and what is said on open sockets, as events of one function.

use super::event;
use crate::SocketTimes;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE;
use emulators::connections::{Connections, Line, MAX_MESSAGE};
use emulators::lambda::Function;
use futures::{SinkExt, StreamExt};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// A frame that a client sends may be so long (API Gateway, "Quotas for configuring and running a WebSocket API").
const MAX_FRAME: usize = 32 * 1024;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The WebSocket API.
pub(crate) struct SocketGateway {
    pub(crate) stages: Vec<String>,
    pub(crate) function: Arc<Function>,
    pub(crate) connections: Connections,
    pub(crate) times: SocketTimes,
}

/// What the function answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
}

/// Whether a client asks for a WebSocket (RFC 6455, 4.2.1).
pub(super) fn is_handshake(request: &Request) -> bool {
    let upgrade = request.headers().get(header::UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

impl SocketGateway {
    /// Answers a handshake: the function decides. An open socket lives on in a task of its own.
    pub(super) async fn open(&self, stage: &str, peer: SocketAddr, mut request: Request) -> Response {
        let upgrade = hyper::upgrade::on(&mut request);
        let (parts, _) = request.into_parts();
        let Ok(response) = create_response(&http::Request::from_parts(parts.clone(), ())) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let id = BASE64_URL_SAFE.encode(ulid::Ulid::generate().to_bytes());
        let context = Context { stage: stage.to_owned(), peer, host: host(&parts.headers), connected: now(), id };
        let mut connect = context.event("$connect", "CONNECT");
        connect["headers"] = headers(&parts.headers);
        connect["queryStringParameters"] = query(&parts);
        let invoked = self.function.invoke(connect.to_string().into_bytes()).await.ok();
        let answer = invoked.and_then(|answer| serde_json::from_slice::<Answer>(&answer).ok());
        let answer = match answer {
            Some(answer) if (200..300).contains(&answer.status_code) => answer,
            refused => {
                let status = refused.and_then(|answer| StatusCode::from_u16(answer.status_code).ok());
                return status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
            }
        };
        let mut response = response.map(|()| Body::empty());
        let chosen = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol"));
        if let Some(protocol) = chosen.and_then(|(_, value)| HeaderValue::from_str(value).ok()) {
            response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        let line = self.connections.add(stage, context.id.clone());
        let (function, times) = (self.function.clone(), self.times);
        tokio::spawn(async move {
            if let Ok(upgraded) = upgrade.await {
                let mut config = WebSocketConfig::default();
                config.max_message_size = Some(MAX_MESSAGE);
                config.max_frame_size = Some(MAX_FRAME);
                let io = TokioIo::new(upgraded);
                let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
                converse(socket, line, &function, &context, times).await;
            }
            let event = context.event("$disconnect", "DISCONNECT");
            let _ = function.invoke(event.to_string().into_bytes()).await;
        });
        response
    }
}

/// Until it closes: what the client says goes to the function, and what is said to it comes from the backlog.
async fn converse(socket: Socket, mut line: Line, function: &Arc<Function>, context: &Context, times: SocketTimes) {
    let (mut out, mut heard) = socket.split();
    let end = Instant::now() + times.life;
    let mut idle = Instant::now() + times.idle;
    let close = line.close.clone();
    // The closing is watched beside all else: a client that reads nothing holds up only its own socket's task.
    let talk = async {
        loop {
            tokio::select! {
                said = heard.next() => match said {
                    Some(Ok(Message::Text(text))) => {
                        idle = Instant::now() + times.idle;
                        let mut event = context.event("$default", "MESSAGE");
                        event["body"] = Value::from(text.as_str());
                        let function = function.clone();
                        tokio::spawn(async move { function.invoke(event.to_string().into_bytes()).await });
                    }
                    // tungstenite answers pings by itself, with what is sent next.
                    Some(Ok(Message::Ping(_))) => {
                        idle = Instant::now() + times.idle;
                        if out.flush().await.is_err() {
                            return None;
                        }
                    }
                    Some(Ok(Message::Binary(_))) => return Some(frame(CloseCode::Unsupported, "Text only.")),
                    Some(Ok(Message::Close(_))) | None | Some(Err(_)) => return None,
                    Some(Ok(_)) => {}
                },
                text = line.backlog.recv() => {
                    let text = text?;
                    idle = Instant::now() + times.idle;
                    if out.send(Message::Text(text.into())).await.is_err() {
                        return None;
                    }
                }
                () = tokio::time::sleep_until(idle) => {
                    return Some(frame(CloseCode::Away, "Going away"));
                }
            }
        }
    };
    let farewell = tokio::select! {
        farewell = talk => farewell,
        () = close.notified() => Some(frame(CloseCode::Normal, "Connection closed")),
        () = tokio::time::sleep_until(end) => Some(frame(CloseCode::Away, "Going away")),
    };
    if let Some(farewell) = farewell {
        let said = out.send(Message::Close(Some(farewell)));
        let _ = tokio::time::timeout(std::time::Duration::from_millis(100), said).await;
    }
}

fn frame(code: CloseCode, reason: &'static str) -> CloseFrame {
    CloseFrame { code, reason: Utf8Bytes::from_static(reason) }
}

/// What every event of a socket says of it.
struct Context {
    id: String,
    stage: String,
    peer: SocketAddr,
    host: String,
    /// Milliseconds since the epoch.
    connected: u64,
}

impl Context {
    /// The event without its own part ("Set up a WebSocket API integration request").
    fn event(&self, route: &str, kind: &str) -> Value {
        json!({
            "requestContext": {
                "routeKey": route,
                "eventType": kind,
                "messageDirection": "IN",
                "connectionId": self.id,
                "connectedAt": self.connected,
                "stage": self.stage,
                "domainName": self.host,
                "apiId": "local",
                "requestId": ulid::Ulid::generate().to_string(),
                "requestTimeEpoch": now(),
                "identity": { "sourceIp": self.peer.ip() },
            },
            "isBase64Encoded": false,
        })
    }
}

fn now() -> u64 {
    shared::clock::Clock::default().now().millis()
}

fn host(headers: &HeaderMap) -> String {
    headers.get(header::HOST).map(event::lossy).unwrap_or_default()
}

/// As the client sent them; of those of one name the last.
fn headers(headers: &HeaderMap) -> Value {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), Value::from(event::lossy(value)))).collect()
}

fn query(parts: &Parts) -> Value {
    match parts.uri.query().filter(|query| !query.is_empty()) {
        Some(query) => Value::Object(event::query_parameters(query)),
        None => Value::Null,
    }
}
