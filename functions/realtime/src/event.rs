//! The WebSocket API's events and answers ("Set up a WebSocket API integration request", API Gateway developer guide):
//! no more of them than is needed.

use serde::{Deserialize, Serialize};
use shared::error::Error;
use std::collections::HashMap;

/// An event of a socket.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Of the handshake; there are none later.
    #[serde(default)]
    headers: Option<HashMap<String, String>>,
    #[serde(default, rename = "queryStringParameters")]
    pub(crate) query: Option<HashMap<String, String>>,
    #[serde(rename = "requestContext")]
    pub(crate) context: Context,
    #[serde(default)]
    pub(crate) body: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Context {
    pub(crate) route_key: Route,
    pub(crate) connection_id: String,
    pub(crate) stage: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Route {
    #[serde(rename = "$connect")]
    Connect,
    #[serde(rename = "$disconnect")]
    Disconnect,
    #[serde(other)]
    Default,
}

impl Event {
    /// A header of the handshake, whatever the case of its name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.headers.as_ref()?;
        let found = headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// What API Gateway is answered; of a handshake it becomes the response.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    status_code: u16,
    #[serde(skip_serializing_if = "HashMap::is_empty")]
    headers: HashMap<&'static str, String>,
}

impl Answer {
    pub(crate) fn ok() -> Self {
        Self { status_code: 200, headers: HashMap::new() }
    }

    /// The handshake's answer names the subprotocol that was chosen (RFC 6455, 4.2.2).
    pub(crate) fn with_protocol(protocol: &str) -> Self {
        let headers = HashMap::from([("Sec-WebSocket-Protocol", protocol.to_owned())]);
        Self { status_code: 200, headers }
    }

    pub(crate) fn refused(error: &Error) -> Self {
        Self { status_code: error.status(), headers: HashMap::new() }
    }
}
