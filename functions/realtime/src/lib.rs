//! The WebSocket API's function: who may open a socket, what is said on it, who closes it.

mod connect;
mod event;

use event::{Answer, Context, Event, Route};
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

/// A client says something on its socket: a ping is all there is to say. Here, too, a socket closes that was to close
/// before it was open: it has no place, and hears nothing.
async fn said(app: &App, event: Event) -> Result<()> {
    let Context { connection_id: socket, stage, .. } = event.context;
    let Some(channel) = Channel::named(&stage) else { return Ok(()) };
    if !sockets::is_known(app, &socket).await? {
        return app.push().disconnect(channel, &socket).await.map(|_| ());
    }
    let said = event.body.as_deref().and_then(|body| serde_json::from_str::<Said>(body).ok());
    let answer = match said {
        Some(said) if said.kind == "ping" => r#"{"type":"pong"}"#,
        _ => r#"{"type":"error","detail":"The one thing to send is {\"type\":\"ping\"}."}"#,
    };
    app.push().send(channel, &socket, answer).await.map(|_| ())
}
