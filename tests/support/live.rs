//! A real WebSocket client.

use super::{TestApp, User};
use futures::{SinkExt, StreamExt};
use http::header::{ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long a message may take; generous, for a loaded machine. Tests that promise less measure it.
const PATIENCE: Duration = Duration::from_secs(60);

/// An open socket.
pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The subprotocol that the service chose.
    pub(crate) protocol: Option<String>,
}

/// How a handshake is made: `Handshake::to(&app, "/notifications").token(token)`.
pub(crate) struct Handshake {
    url: String,
    protocols: Option<String>,
    origin: Option<&'static str>,
}

impl Handshake {
    pub(crate) fn to(app: &TestApp, path: &str) -> Self {
        Self { url: app.socket_url(path), protocols: None, origin: None }
    }

    /// Offers the token beside our subprotocol.
    pub(crate) fn token(mut self, token: &str) -> Self {
        if super::stack::control().is_some() {
            // MiniStack does not hand on the subprotocol that the function answers, and a client must refuse that.
            self.url = format!("{}?token={token}", self.url);
            return self;
        }
        self.protocols(format!("perch, {token}"))
    }

    pub(crate) fn protocols(mut self, protocols: String) -> Self {
        self.protocols = Some(protocols);
        self
    }

    pub(crate) fn origin(mut self, origin: &'static str) -> Self {
        self.origin = Some(origin);
        self
    }

    /// The open socket, or the status that refused it.
    pub(crate) async fn open(self) -> Result<Socket, u16> {
        let mut request = self.url.into_client_request().expect("a URL");
        if let Some(protocols) = &self.protocols {
            request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocols.parse().expect("a header"));
        }
        if let Some(origin) = self.origin {
            request.headers_mut().insert(ORIGIN, origin.parse().expect("a header"));
        }
        match connect_async(request).await {
            Ok((stream, response)) => {
                let protocol = response.headers().get(SEC_WEBSOCKET_PROTOCOL);
                let protocol = protocol.map(|value| value.to_str().expect("text").to_owned());
                Ok(Socket { stream, protocol })
            }
            Err(Error::Http(refused)) => Err(refused.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }
}

impl User {
    /// Opens a socket on my notifications.
    pub(crate) async fn listen(&self, app: &TestApp) -> Socket {
        self.listen_to(app, "/notifications").await
    }

    pub(crate) async fn listen_to(&self, app: &TestApp, path: &str) -> Socket {
        Handshake::to(app, path).token(self.token()).open().await.expect("an open socket")
    }
}

impl Socket {
    /// The next message; None where the service closes the socket.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        self.next_within(PATIENCE).await.expect("a message, or the end")
    }

    /// The next message, or an error where there is none in time.
    pub(crate) async fn next_within(&mut self, limit: Duration) -> Result<Option<Value>, Silence> {
        let next = async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).expect("JSON")),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                    Some(Ok(_)) => {}
                }
            }
        };
        tokio::time::timeout(limit, next).await.map_err(|_| Silence)
    }

    /// The next message, which is of this type.
    pub(crate) async fn expect(&mut self, kind: &str) -> Value {
        let message = self.next().await.expect("a message");
        assert_eq!(message["type"], kind, "{message}");
        message
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.say_text(&message.to_string()).await;
    }

    pub(crate) async fn say_text(&mut self, text: &str) {
        self.stream.send(Message::Text(text.into())).await.expect("an open socket");
    }

    /// That nothing lies before the answer to a ping: all that was told has been read.
    pub(crate) async fn is_silent(&mut self) {
        self.say(json!({"type": "ping"})).await;
        self.expect("pong").await;
    }

    /// Goes without a word, as on a bad network.
    pub(crate) fn drop_connection(self) {
        drop(self);
    }
}

/// Nothing was said.
#[derive(Debug)]
pub(crate) struct Silence;
