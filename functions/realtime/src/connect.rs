//! Opening a socket.

use crate::event::{Answer, Event};
use shared::App;
use shared::error::{Error, Result};
use shared::http::Bearer;
use shared::http::rate_limits::Action;
use shared::models::socket::Channel;
use shared::store::sockets;

/// The subprotocol; in a browser the token is offered beside it, for a page can set no header.
const PROTOCOL: &str = "perch";

/// Opens a socket: with a token of an active session, from an allowed origin, in a free place. The oldest makes room.
pub(crate) async fn connect(app: &App, event: Event) -> Result<Answer> {
    let channel = Channel::named(&event.context.stage).ok_or_else(|| Error::internal("a stage of no channel"))?;
    if let Some(origin) = event.header("origin")
        && !app.config().allow_origins.iter().any(|allowed| allowed == "*" || allowed == origin)
    {
        return Err(Error::forbidden("Pages of this origin may open no socket."));
    }
    let offered = Offered::of(&event);
    let token = offered.token.ok_or_else(|| {
        Error::unauthorized("Send an access token: `?token=`, or after `perch` in Sec-WebSocket-Protocol.")
    })?;
    let bearer = Bearer::read(app, token).await?;
    let user = bearer.acting(app, Action::Connect).await?.id;
    if let Some(oldest) = sockets::open(app, user, bearer.session(), channel, &event.context.connection_id).await? {
        // It has no place any more, and is told nothing; that it stays open is a nuisance, no more.
        if let Err(error) = app.push().disconnect(oldest.channel, &oldest.id).await {
            tracing::warn!(%error, "a socket that made room stays open");
        }
    }
    Ok(if offered.protocol { Answer::with_protocol(PROTOCOL) } else { Answer::ok() })
}

/// What the handshake offers.
struct Offered<'e> {
    token: Option<&'e str>,
    /// The client speaks our subprotocol, and wants to hear so.
    protocol: bool,
}

impl<'e> Offered<'e> {
    fn of(event: &'e Event) -> Self {
        let listed = event.header("sec-websocket-protocol").unwrap_or_default();
        let mut listed = listed.split(',').map(str::trim).filter(|one| !one.is_empty());
        let protocol = listed.next() == Some(PROTOCOL);
        let in_list = listed.next().filter(|_| protocol);
        let in_query = event.query.as_ref().and_then(|query| query.get("token")).map(String::as_str);
        Self { token: in_list.or(in_query), protocol }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn offered(protocols: &str, query: &str) -> (Option<String>, bool) {
        let event = json!({
            "headers": {"sec-websocket-PROTOCOL": protocols},
            "queryStringParameters": {"token": query},
            "requestContext": {"routeKey": "$connect", "connectionId": "c", "stage": "notifications"},
        });
        let event: Event = serde_json::from_value(event).unwrap();
        let offered = Offered::of(&event);
        (offered.token.filter(|token| !token.is_empty()).map(str::to_owned), offered.protocol)
    }

    #[test]
    fn a_token_comes_after_our_protocol_or_in_the_query() {
        assert_eq!(offered("perch, abc", ""), (Some("abc".into()), true));
        assert_eq!(offered("perch,abc", "q"), (Some("abc".into()), true));
        assert_eq!(offered("perch", "q"), (Some("q".into()), true));
        assert_eq!(offered("", "q"), (Some("q".into()), false));
        assert_eq!(offered("abc, perch", ""), (None, false));
        assert_eq!(offered("chat, abc", ""), (None, false));
    }
}
