//! Authentication. A handler's signature says whether it needs a user.

use super::Notes;
use super::rate_limits::{self, Action};
use crate::App;
use crate::error::{Error, Result};
use crate::ids::{SessionId, UserId};
use crate::models::activity::{self, Origin};
use crate::models::session::NetworkNames;
use crate::models::user::Email;
use crate::models::viewer::Viewer;
use crate::secrets::Claims;
use crate::store;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use futures::future::{try_join, try_join3};
use http::Method;
use http::header::AUTHORIZATION;
use http::request::Parts;

/// A well-signed access token. Whether its session still stands is known once [`Bearer::viewer`] has read it, which a
/// read does beside its first query and a write does before it changes anything.
#[derive(Clone, Debug)]
pub struct Bearer {
    claims: Claims,
    notes: Notes,
}

impl Bearer {
    /// The holder of an access token.
    ///
    /// # Errors
    /// 401 where it is malformed, expired or not ours.
    pub async fn read(app: &App, token: &str) -> Result<Self> {
        if app.keys()?.lack_that_of(token) {
            app.key_ring().renew().await?;
        }
        let claims = app.keys()?.read_access_token(&app.config().issuer, token, app.now());
        Ok(Self { claims: claims.ok_or_else(refused)?, notes: Notes::default() })
    }

    /// The user that the token names.
    pub fn id(&self) -> UserId {
        self.claims.sub
    }

    /// The session the token belongs to.
    pub fn session(&self) -> SessionId {
        self.claims.sid
    }

    /// What this request and its layers tell each other.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The viewer, with a session that stands at this moment.
    ///
    /// # Errors
    /// 401 when the session has ended.
    pub async fn viewer(&self, app: &App) -> Result<Viewer> {
        store::viewers::load(app, self.claims.sub, self.claims.sid).await
    }

    /// The viewer, about to write: the session stands, the limit is kept and, where that is asked for, the address is
    /// verified.
    ///
    /// # Errors
    /// 401, 403 or 429.
    pub async fn acting(&self, app: &App, action: Action) -> Result<Viewer> {
        let subject = self.claims.sub.ulid().to_string();
        let limit = action.check(app, &self.notes, &subject);
        let verified = async {
            if !app.config().require_verified_email || action.is_open_to_unverified() {
                return Ok(true);
            }
            let account = store::users::account(app, self.claims.sub).await?;
            Ok(account.is_some_and(|account| account.verified))
        };
        let (viewer, (), verified) = try_join3(self.viewer(app), limit, verified).await?;
        if !verified {
            return Err(Error::email_not_verified());
        }
        Ok(viewer)
    }

    /// The viewer, who is a moderator.
    ///
    /// # Errors
    /// 401 or 403.
    pub async fn moderator(&self, app: &App) -> Result<Viewer> {
        let (viewer, role) = try_join(self.viewer(app), store::moderators::is_one(app, self.id())).await?;
        allow(app, viewer, role).await
    }

    /// The viewer, who is a moderator and about to write: counts against the action's rate limit.
    ///
    /// # Errors
    /// 401, 403 or 429.
    pub async fn moderating(&self, app: &App, action: Action) -> Result<Viewer> {
        let (viewer, role) = try_join(self.acting(app, action), store::moderators::is_one(app, self.id())).await?;
        allow(app, viewer, role).await
    }
}

async fn allow(app: &App, viewer: Viewer, is_moderator: bool) -> Result<Viewer> {
    // Not before the session is known to stand: it may write.
    if is_moderator || store::moderators::appoint_named(app, viewer.id).await? {
        return Ok(viewer);
    }
    Err(Error::forbidden("This is for moderators."))
}

impl FromRequestParts<App> for Bearer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let header = parts.headers.get(AUTHORIZATION).ok_or_else(|| {
            Error::unauthorized("Send an access token: `Authorization: Bearer …`. POST /login gives one.")
        })?;
        let (scheme, token) = header.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(refused)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(refused());
        }
        let mut bearer = Self::read(app, token.trim()).await?;
        bearer.notes = parts.extensions.get::<Notes>().cloned().unwrap_or_default();
        bearer.notes.set_user(bearer.id());
        check_read(app, parts, Some(bearer.id())).await?;
        Ok(bearer)
    }
}

/// Holds a read to its limits; a write has limits of its own.
async fn check_read(app: &App, parts: &mut Parts, user: Option<UserId>) -> Result<()> {
    let is_read = parts.method == Method::GET || parts.method == Method::HEAD;
    let Some(weight) = rate_limits::read_weight(app).filter(|_| is_read) else { return Ok(()) };
    let address = Address::from_request_parts(parts, app).await?;
    rate_limits::check_read(app, &address.notes, user, address.names(app)?.current(), weight).await
}

fn refused() -> Error {
    Error::unauthorized("The access token is malformed, expired or not ours.")
}

impl OptionalFromRequestParts<App> for Bearer {
    type Rejection = Error;

    /// None only without the header: a bad token is refused, never taken for nobody.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>> {
        if !parts.headers.contains_key(AUTHORIZATION) {
            return Ok(None);
        }
        <Self as FromRequestParts<App>>::from_request_parts(parts, app).await.map(Some)
    }
}

/// For what can be read without signing in where `PublicReading` is on.
#[derive(Clone, Debug)]
pub struct Reader(Option<Bearer>);

impl Reader {
    pub fn id(&self) -> Option<UserId> {
        self.0.as_ref().map(Bearer::id)
    }

    /// The viewer, or None for somebody not signed in.
    ///
    /// # Errors
    /// 401 when the session has ended.
    pub async fn viewer(&self, app: &App) -> Result<Option<Viewer>> {
        match &self.0 {
            Some(bearer) => bearer.viewer(app).await.map(Some),
            None => Ok(None),
        }
    }
}

impl From<Bearer> for Reader {
    fn from(bearer: Bearer) -> Self {
        Self(Some(bearer))
    }
}

impl FromRequestParts<App> for Reader {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        if app.config().public_reading {
            let bearer = <Bearer as OptionalFromRequestParts<App>>::from_request_parts(parts, app).await?;
            if bearer.is_none() {
                check_read(app, parts, None).await?;
            }
            return Ok(Self(bearer));
        }
        let bearer = <Bearer as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        Ok(Self(Some(bearer)))
    }
}

/// Where a request comes from, for limits on those who are not signed in.
#[derive(Clone, Debug)]
pub struct Address {
    ip: String,
    /// Of which the activity log knows.
    network: Option<String>,
    notes: Notes,
    pub user_agent: String,
}

impl Address {
    /// Holds the address to a limit.
    ///
    /// # Errors
    /// 429.
    pub async fn check(&self, app: &App, action: Action) -> Result<()> {
        action.check(app, &self.notes, self.names(app)?.current()).await
    }

    /// Counts a mail that somebody not signed in asks for.
    ///
    /// # Errors
    /// 429.
    pub async fn check_mail_to(&self, app: &App, email: &Email) -> Result<()> {
        Action::check_mail_to(app, &self.notes, email).await
    }

    /// What the activity log keeps of it.
    pub fn origin(&self) -> Origin {
        let user_agent = Some(self.user_agent.clone()).filter(|agent| !agent.is_empty());
        Origin { address: self.network.clone(), user_agent }
    }

    /// That somebody has signed in from here.
    pub fn signed_in(&self, user: UserId, session: SessionId) {
        self.notes.set_user(user);
        self.notes.set_target(session);
        self.notes.set_origin(self.origin());
    }

    /// That the request, which has no access token, turned out to be somebody's act.
    pub fn acts_for(&self, user: UserId) {
        self.notes.set_user(user);
    }

    /// What the table knows the address by.
    ///
    /// # Errors
    /// 500 without signing keys.
    pub fn names(&self, app: &App) -> Result<NetworkNames> {
        Ok(NetworkNames::new(&app.keys()?, &self.ip))
    }

    /// The host's network, for what keeps a keyed hash of it.
    pub fn network(&self) -> &str {
        &self.ip
    }
}

impl<S: Sync> FromRequestParts<S> for Address {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        use lambda_http::request::RequestContext;
        let ip = match parts.extensions.get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.clone(),
            _ => None,
        };
        let agent = parts.headers.get(http::header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self {
            network: ip.as_deref().and_then(activity::network),
            ip: ip.map(|ip| network(&ip)).unwrap_or_default(),
            notes: parts.extensions.get::<Notes>().cloned().unwrap_or_default(),
            user_agent: agent.unwrap_or_default().chars().filter(|c| !c.is_control()).take(80).collect(),
        })
    }
}

/// One host's address: all of an IPv4 one, the first 64 bits of an IPv6 one (RFC 6177: a site gets at least that).
fn network(ip: &str) -> String {
    match ip.parse::<std::net::Ipv6Addr>() {
        Ok(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.to_string(),
            None => v6.segments()[..4].iter().map(|part| format!("{part:x}:")).collect(),
        },
        Err(_) => ip.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_ipv6_host_is_its_network() {
        assert_eq!(super::network("192.0.2.1"), "192.0.2.1");
        assert_eq!(super::network("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(super::network("2001:db8:1:2:3:4:5:6"), super::network("2001:db8:1:2:9::1"));
    }
}
