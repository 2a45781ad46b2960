//! The WebSocket API's function: who may open a socket, what is said on it, who closes it.

mod connect;
mod event;

use event::{Answer, Event, Route};
use serde::Deserialize;
use shared::App;
use shared::error::Result;
use shared::models::socket::Channel;
use shared::store::sockets;

/// Handles one event of a socket. An error is the handshake's status; on an open socket it is for the log alone.
pub async fn handle(app: &App, event: Event) -> Answer {
    let (route, socket) = (event.context.route_key, event.context.connection_id.clone());
    let done = match route {
        Route::Connect => connect::connect(app, event).await,
        Route::Disconnect => sockets::closed(app, &socket).await.map(|()| Answer::ok()),
        Route::Default => said(app, event).await.map(|()| Answer::ok()),
    };
    match done {
        Ok(answer) => {
            tracing::info!(?route, socket, "done");
            answer
        }
        Err(error) => {
            // The cause, never what was sent: a token may be in it.
            tracing::warn!(?route, socket, %error, "refused");
            Answer::refused(&error)
        }
    }
}

#[derive(Deserialize)]
struct Said {
    #[serde(rename = "type")]
    kind: String,
}

/// A client says something on its socket: a ping is all there is to say.
async fn said(app: &App, event: Event) -> Result<()> {
    let said = event.body.as_deref().and_then(|body| serde_json::from_str::<Said>(body).ok());
    let answer = match said {
        Some(said) if said.kind == "ping" => r#"{"type":"pong"}"#,
        _ => r#"{"type":"error","detail":"The one thing to send is {\"type\":\"ping\"}."}"#,
    };
    let Some(channel) = Channel::named(&event.context.stage) else { return Ok(()) };
    app.push().send(channel, &event.context.connection_id, answer).await.map(|_| ())
}
