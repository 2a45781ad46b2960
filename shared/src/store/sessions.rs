//! Signing in, and the sessions that follow.

use crate::App;
use crate::backpressure::EDGE_REFUSALS;
use crate::clock::Timestamp;
use crate::error::{Error, Kind, Result};
use crate::ids::{SessionId, UserId};
use crate::models::session::{
    Failures, MAX_SESSIONS, MailToken, REFRESH_GRACE, RefreshToken, SESSION_LIFETIME, Session, hashed,
};
use crate::models::user::Credentials;
use crate::table::design::key;
use crate::table::{Condition, Op, Order, Read};
use std::time::Duration;

/// Failed sign-ins are counted per window of this length.
const FAILURE_WINDOW: Duration = Duration::from_secs(15 * 60);
/// So often may one address fail at one account in a window.
const FAILURES_PER_ADDRESS: u64 = 10;
/// So often may all addresses together; beyond it only those that signed in before are heard, so that many strangers
/// can neither guess on nor lock the person out.
const FAILURES_PER_ACCOUNT: u64 = 100;
/// Addresses remembered as having signed in.
const KNOWN_ADDRESSES: usize = 10;

/// What signing in needs.
#[derive(Debug, Default)]
pub struct SignIn {
    failures: Failures,
    pub credentials: Option<Credentials>,
    pub sessions: Vec<Session>,
}

/// One strong query of neighbours; of nobody it finds nothing, at the same cost. Access pattern 5.
///
/// # Errors
/// Unavailable.
pub async fn credentials(app: &App, id: UserId) -> Result<SignIn> {
    let rows = app.table().query(&key::sign_in(id), Order::OldestFirst, Read::Strong, 50, None).await?;
    let mut found = SignIn::default();
    for item in &rows.items {
        if item.sk() == key::failures(id).sk() {
            found.failures = item.read()?;
        } else if item.sk() == key::credentials(id).sk() {
            found.credentials = Some(item.read()?);
        } else {
            found.sessions.push(item.read()?);
        }
    }
    Ok(found)
}

impl SignIn {
    pub fn hash(&self) -> Option<&str> {
        self.credentials.as_ref().map(|credentials| credentials.hash.as_str())
    }

    /// How long this address must wait before it may try again.
    pub fn throttled(&self, address: &str, now: Timestamp) -> Option<Duration> {
        let window = FAILURE_WINDOW.as_secs();
        if self.failures.window != now.seconds() / window {
            return None;
        }
        let known = self.credentials.as_ref().is_some_and(|kept| kept.known.iter().any(|one| one == address));
        let too_many =
            self.failures.of(address) >= FAILURES_PER_ADDRESS || (!known && self.failures.n >= FAILURES_PER_ACCOUNT);
        too_many.then(|| Duration::from_secs(window - now.seconds() % window))
    }
}

/// Counts a failed sign-in. Names that nobody has are counted alike.
///
/// # Errors
/// Unavailable.
pub async fn record_failure(app: &App, id: UserId, address: &str) -> Result<()> {
    let now = app.now();
    let window = now.seconds() / FAILURE_WINDOW.as_secs();
    let ttl = (now + FAILURE_WINDOW * 2).seconds();
    let count = || Op::update(key::failures(id)).add("n", 1).add(format!("a_{address}"), 1).set("ttl", ttl);
    for _ in 0..3 {
        let again = count().when(Condition::equal("window", window));
        match app.table().write(again).await {
            Ok(_) => return Ok(()),
            Err(error) => error.refused()?,
        };
        let stale = Condition::Any(vec![Condition::Missing, Condition::less("window", window)]);
        let first = serde_json::json!({"window": window, "n": 1, format!("a_{address}"): 1, "ttl": ttl});
        match app.table().write(Op::put(key::failures(id), &first)?.when(stale)).await {
            Ok(_) => return Ok(()),
            Err(error) => error.refused()?,
        };
    }
    Ok(())
}

/// Starts a session; the oldest ends when there are too many. Remembers the address, and a hash made with today's
/// parameters, in the same transaction. None when the password was changed since it was checked.
///
/// # Errors
/// 403 for a suspended account.
pub async fn start(
    app: &App,
    found: &SignIn,
    agent: &str,
    address: &str,
    rehashed: Option<String>,
) -> Result<Option<(Session, String)>> {
    let Some(kept) = &found.credentials else { return Ok(None) };
    if kept.suspended {
        return Err(suspended());
    }
    let (now, user) = (app.now(), kept.id);
    let id = SessionId::new(now);
    let token = RefreshToken { user, session: id, generation: 0 }.text(&app.keys()?);
    let session = Session {
        user,
        id,
        hash: hashed(&token),
        generation: 0,
        rotated: now,
        graced: false,
        agent: agent.to_owned(),
        ttl: (now + SESSION_LIFETIME).seconds(),
    };
    let surplus = (found.sessions.len() + 1).saturating_sub(MAX_SESSIONS);
    let mut ops = vec![started(kept, address, rehashed), Op::put(key::session(user, id), &session)?];
    ops.extend(found.sessions[..surplus].iter().map(|old| Op::delete(key::session(user, old.id))));
    let Err(error) = app.table().transact(ops).await else { return Ok(Some((session, token))) };
    match error.refused()?.item(0).map(|item| item.read::<Credentials>()).transpose()? {
        Some(now) if now.suspended => Err(suspended()),
        _ => Ok(None),
    }
}

fn suspended() -> Error {
    Error::new(Kind::AccountSuspended).detail("A moderator has suspended this account.")
}

/// The write that counts a session of this password, for one that is not suspended.
fn started(kept: &Credentials, address: &str, rehashed: Option<String>) -> Op {
    let mut op = Op::update(key::credentials(kept.id)).add("starts", 1);
    if !kept.known.iter().any(|known| known == address) {
        let mut known: Vec<&str> = kept.known.iter().map(String::as_str).collect();
        known.push(address);
        op = op.set("known", &known[known.len().saturating_sub(KNOWN_ADDRESSES)..]);
    }
    if let Some(hash) = rehashed {
        op = op.set("hash", hash);
    }
    op.when(Condition::equal("hash", &kept.hash)).when(Condition::Without("suspended"))
}

/// Replaces a refresh token by its successor. One update decides. Access pattern 6.
///
/// # Errors
/// 401 for a token that is not the session's; a replay ends the session.
pub async fn refresh(app: &App, presented: RefreshToken, text: &str) -> Result<String> {
    let now = app.now();
    let successor = presented.successor().text(&app.keys()?);
    let session = key::session(presented.user, presented.session);
    let op = Op::update(session)
        .set("hash", hashed(&successor))
        .set("gen", presented.successor().generation)
        .set("rotated", now)
        .set("ttl", (now + SESSION_LIFETIME).seconds())
        .remove("graced")
        .when(Condition::equal("hash", hashed(text)))
        .when(Condition::greater("ttl", now.seconds()));
    let error = match app.table().write(op).await {
        Ok(_) => return Ok(successor),
        Err(error) => error,
    };
    let refused = error.refused()?;
    let ended = || Error::unauthorized("This refresh token was used before, or its session has ended. Sign in again.");
    let session: Session = refused.item(0).ok_or_else(ended)?.read()?;
    // A lost answer: the token just replaced, its successor unused, within the grace.
    let lost_answer = session.hash == hashed(&successor) && now.since(session.rotated) <= REFRESH_GRACE;
    if lost_answer && !session.graced && use_grace(app, &session).await? {
        return Ok(successor);
    }
    end(app, presented.user, presented.session).await?;
    Err(ended())
}

async fn use_grace(app: &App, session: &Session) -> Result<bool> {
    let op = Op::update(key::session(session.user, session.id))
        .set("graced", true)
        .when(Condition::equal("hash", &session.hash))
        .when(Condition::Without("graced"));
    match app.table().write(op).await {
        Ok(_) => Ok(true),
        Err(error) => error.refused().map(|_| false),
    }
}

/// Ends a session. False when it had ended before.
///
/// # Errors
/// Unavailable.
pub async fn end(app: &App, user: UserId, session: SessionId) -> Result<bool> {
    end_where(app, Op::delete(key::session(user, session)).when(Condition::Exists)).await
}

/// Ends the session whose current refresh token this is. False when it is not, or the session had ended.
///
/// # Errors
/// Unavailable.
pub async fn end_by_token(app: &App, token: RefreshToken, text: &str) -> Result<bool> {
    end_where(app, Op::delete(key::session(token.user, token.session)).when(Condition::equal("hash", hashed(text))))
        .await
}

/// A transaction, for what is deleted can hold no name: it answers the same again when its answer was lost.
async fn end_where(app: &App, delete: Op) -> Result<bool> {
    match app.table().transact(vec![delete]).await {
        Ok(()) => Ok(true),
        Err(error) => error.refused().map(|_| false),
    }
}

/// Ends all of these sessions.
///
/// # Errors
/// Unavailable.
pub async fn end_all(app: &App, sessions: &[Session]) -> Result<()> {
    app.table()
        .batch_write(sessions.iter().map(|one| Op::delete(key::session(one.user, one.id))).collect())
        .await
        .map_err(Error::from)
}

/// The write of a new password, while no session was started since the old one's were read.
fn replaced(kept: &Credentials, hash: &str) -> Op {
    let op = Op::update(key::credentials(kept.id)).set("hash", hash).when(Condition::equal("hash", &kept.hash));
    op.when(none_started_since(kept))
}

/// That the sessions read beside these credentials are all there are.
pub(super) fn none_started_since(kept: &Credentials) -> Condition {
    let same = Condition::equal("starts", kept.starts);
    if kept.starts > 0 { same } else { Condition::Any(vec![Condition::Without("starts"), same]) }
}

/// A new password in place of the one that was checked; all sessions but one end with it.
///
/// # Errors
/// False when the password was changed meanwhile.
pub async fn change_password(app: &App, mut found: SignIn, hash: &str, staying: SessionId) -> Result<bool> {
    let checked = found.hash().map(str::to_owned);
    for _ in 0..EDGE_REFUSALS {
        let Some(kept) = found.credentials.filter(|kept| Some(&kept.hash) == checked.as_ref()) else {
            return Ok(false);
        };
        let mut ops = vec![replaced(&kept, hash)];
        let ending = found.sessions.iter().filter(|one| one.id != staying);
        ops.extend(ending.map(|one| Op::delete(key::session(one.user, one.id))));
        match app.table().transact(ops).await {
            Ok(()) => return Ok(true),
            Err(error) => error.refused()?,
        };
        found = credentials(app, kept.id).await?;
    }
    Err(Error::unavailable("sessions start faster than they end"))
}

/// A new password by a token from a mail, which proves the address too. All sessions end, and failures are forgiven.
///
/// # Errors
/// False when the token was used meanwhile, or the account is gone.
pub async fn reset_password(app: &App, token: &MailToken, hash: &str, known: &str) -> Result<bool> {
    for _ in 0..EDGE_REFUSALS {
        let found = credentials(app, token.user).await?;
        let Some(kept) = &found.credentials else { return Ok(false) };
        let mut ops = vec![
            super::mail_tokens::redeem(token),
            replaced(kept, hash).set("known", [known]),
            Op::update(key::account(token.user)).set("verified", true).when(Condition::equal("email", &token.email)),
            Op::delete(key::failures(token.user)),
        ];
        ops.extend(found.sessions.iter().map(|one| Op::delete(key::session(one.user, one.id))));
        match app.table().transact(ops).await {
            Ok(()) => return Ok(true),
            Err(error) => {
                let refused = error.refused()?;
                if refused.has(0) || refused.has(2) {
                    return Ok(false);
                }
            }
        }
    }
    Err(Error::unavailable("sessions start faster than they end"))
}

/// Marks an address verified by the token from its mail.
///
/// # Errors
/// False when the token was used meanwhile or the address is another one now.
pub async fn verify_email(app: &App, token: &MailToken) -> Result<bool> {
    let account = Op::update(key::account(token.user)).set("verified", true);
    let ops = vec![super::mail_tokens::redeem(token), account.when(Condition::equal("email", &token.email))];
    match app.table().transact(ops).await {
        Ok(()) => Ok(true),
        Err(error) => error.refused().map(|_| false),
    }
}

/// Whoever holds no name: a user id that exists nowhere, the same for the same name, that nobody can foresee.
///
/// # Errors
/// 500 without signing keys.
pub fn nobody(app: &App, name: &str) -> Result<UserId> {
    let mac = app.keys()?.mac(crate::secrets::Purpose::Nobody, &[name.as_bytes()]);
    let bytes: [u8; 16] = mac[..16].try_into().map_err(Error::internal)?;
    Ok(UserId::from_ulid(ulid::Ulid::from_bytes(bytes)))
}
