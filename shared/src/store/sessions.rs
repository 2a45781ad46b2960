//! Signing in, and the sessions that follow.

use crate::App;
use crate::clock::Timestamp;
use crate::error::{Error, Kind, Result};
use crate::ids::{SessionId, UserId, new_ulid};
use crate::limits::EDGE_REFUSALS;
use crate::models::session::{
    Failures, MAX_SESSIONS, MailToken, NetworkNames, REFRESH_GRACE, RefreshToken, SESSION_LIFETIME, Session, hashed,
};
use crate::models::user::Credentials;
use crate::table::design::key;
use crate::table::{Condition, Op, Order, Read};
use std::time::Duration;

/// Passwords tried in vain are counted per window of this length.
const FAILURE_WINDOW: Duration = Duration::from_secs(15 * 60);
/// So often may one network fail at one account in a window.
const FAILURES_PER_NETWORK: u64 = 10;
/// So often may all networks together; beyond it only those that signed in before are heard, so that many strangers
/// can neither guess on nor lock the person out.
const FAILURES_PER_ACCOUNT: u64 = 100;
/// Wrong codes of the second factor that a window allows, wherever they come from: only who has the password gets to
/// try one, so nobody else is locked out, and of a million codes three are good at a time.
const WRONG_CODES: u64 = 10;
/// Networks remembered as having signed in.
const KNOWN_NETWORKS: usize = 10;

/// What signing in needs.
#[derive(Debug, Default)]
pub struct SignIn {
    pub credentials: Option<Credentials>,
    pub sessions: Vec<Session>,
}

/// One strong query of neighbours; of nobody it finds nothing, at the same cost. Access pattern 5.
pub async fn credentials(app: &App, id: UserId) -> Result<SignIn> {
    let rows = app.table().query(&key::sign_in(id), Order::OldestFirst, Read::Strong, 50, None).await?;
    let mut found = SignIn::default();
    for item in &rows.items {
        if item.sk() == key::credentials(id).sk() {
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
}

/// One try of a password. It counts as failed from before the password is looked at, so that tries at the same moment can't
/// all come before the count; the right one is taken back.
#[derive(Debug)]
#[must_use = "a try with the right password is taken back"]
pub struct Attempt {
    id: UserId,
    window: u64,
    network: String,
    /// A code was tried too.
    with_code: bool,
}

/// Counts a try. For a name that nobody has it costs the same.
///
/// # Errors
/// 429 after too many.
pub async fn attempt(app: &App, id: UserId, found: &SignIn, from: &NetworkNames) -> Result<Attempt> {
    let now = app.now().seconds();
    let ttl = (app.now() + FAILURE_WINDOW * 2).seconds();
    let network = format!("a_{}", from.current());
    let mut window = now / FAILURE_WINDOW.as_secs();
    let is_known = found.credentials.as_ref().is_some_and(|kept| from.are_among(&kept.known));
    for _ in 0..3 {
        let made = Attempt { id, window, network: network.clone(), with_code: false };
        let mut again = made.count(1).set("ttl", ttl).when(Condition::Below(network.clone(), FAILURES_PER_NETWORK));
        if !is_known {
            again = again.when(Condition::Below("n".into(), FAILURES_PER_ACCOUNT));
        }
        let Err(error) = app.table().write(again).await else { return Ok(made) };
        let kept: Option<Failures> = error.refused()?.item(0).map(|item| item.read()).transpose()?;
        match kept {
            Some(kept) if kept.window == window => return Err(too_many(window, now)),
            // Another process's clock is ahead.
            Some(kept) if kept.window > window => {
                window = kept.window;
                continue;
            }
            _ => {}
        }
        let stale = Condition::Any(vec![Condition::Missing, Condition::less("window", window)]);
        let first = serde_json::json!({"window": window, "n": 1, network.as_str(): 1, "ttl": ttl});
        match app.table().write(Op::put(key::failures(id), &first)?.when(stale)).await {
            Ok(_) => return Ok(made),
            Err(error) => error.refused()?,
        };
    }
    Err(Error::unavailable("tries are counted faster than one can be added"))
}

fn too_many(window: u64, now: u64) -> Error {
    let wait = Duration::from_secs(((window + 1) * FAILURE_WINDOW.as_secs()).saturating_sub(now));
    Error::new(Kind::RateLimited).detail("Too many wrong passwords, or codes.").retry_after(wait)
}

impl Attempt {
    fn count(&self, n: i64) -> Op {
        let op = Op::update(key::failures(self.id)).add("n", n).add(self.network.clone(), n);
        let op = if self.with_code { op.add("codes", n) } else { op };
        op.when(Condition::equal("window", self.window))
    }

    /// Counts a try of a code, before it is looked at, for a user who gave the right password.
    ///
    /// # Errors
    /// 429 after too many.
    pub async fn count_code(mut self, app: &App) -> Result<Self> {
        let op = Op::update(key::failures(self.id)).add("codes", 1).when(Condition::equal("window", self.window));
        match app.table().write(op.when(Condition::Below("codes".into(), WRONG_CODES))).await {
            Ok(_) => self.with_code = true,
            Err(error) => {
                error.refused()?;
                return Err(too_many(self.window, app.now().seconds()));
            }
        }
        Ok(self)
    }

    /// All was right. Should this fail, the count is one too high until its window ends.
    pub async fn take_back(self, app: &App) {
        let taken = app.table().write(self.count(-1)).await;
        if let Err(error) = taken.map_or_else(|error| error.refused().map(|_| ()), |_| Ok(())) {
            tracing::warn!(cause = %error, "a try with the right password stays counted as failed");
        }
    }
}

/// Starts a session; the oldest ends when there are too many. Remembers the network, and a hash made with today's
/// parameters, in the same transaction. None when the password was changed since it was checked.
///
/// # Errors
/// 403 for a suspended account.
pub async fn start(
    app: &App,
    found: &SignIn,
    agent: &str,
    from: &NetworkNames,
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
        agent: agent.to_owned(),
        ttl: (now + SESSION_LIFETIME.min(app.config().session_life)).seconds(),
    };
    let surplus = (found.sessions.len() + 1).saturating_sub(MAX_SESSIONS);
    let mut ops = vec![started(kept, from, rehashed), Op::put(key::session(user, id), &session)?];
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
fn started(kept: &Credentials, from: &NetworkNames, rehashed: Option<String>) -> Op {
    let mut op = Op::update(key::credentials(kept.id)).add("starts", 1);
    if !from.are_among(&kept.known) {
        let mut known: Vec<&str> =
            kept.known.iter().map(String::as_str).filter(|name| NetworkNames::is_name(name)).collect();
        known.push(from.current());
        op = op.set("known", &known[known.len().saturating_sub(KNOWN_NETWORKS)..]);
    }
    if let Some(hash) = rehashed {
        op = op.set("hash", hash);
    }
    if kept.factor.is_none() {
        // Nobody was asked for a code.
        op = op.when(Condition::Without("factor"));
    }
    op.when(Condition::equal("hash", &kept.hash)).when(Condition::Without("suspended"))
}

/// Replaces a refresh token by its successor. One update decides; while nobody has used the successor, who comes with the
/// token before it within [`REFRESH_GRACE`] gets the same one: an answer was lost, or several tabs woke at once. Access
/// pattern 6.
///
/// # Errors
/// 401 for a token that is not the session's; any other replay ends the session.
pub async fn refresh(app: &App, presented: RefreshToken, text: &str) -> Result<String> {
    let (now, keys) = (app.now(), app.keys()?);
    let ended = || Error::unauthorized("This refresh token was used before, or its session has ended. Sign in again.");
    let last = presented.session.created_at() + app.config().session_life;
    if now >= last {
        end(app, presented.user, presented.session).await?;
        return Err(ended());
    }
    let successor = presented.successor().text(&keys);
    let session = key::session(presented.user, presented.session);
    let op = Op::update(session)
        .set("hash", hashed(&successor))
        .set("gen", presented.successor().generation)
        .set("rotated", now)
        .set("ttl", (now + SESSION_LIFETIME).min(last).seconds())
        .when(Condition::equal("hash", hashed(text)))
        .when(Condition::greater("ttl", now.seconds()));
    let error = match app.table().write(op).await {
        Ok(_) => return Ok(successor),
        Err(error) => error,
    };
    let refused = error.refused()?;
    let session: Session = refused.item(0).ok_or_else(ended)?.read()?;
    // A process that has other signing keys may have made it.
    let unused = presented.successor().texts(&keys).find(|text| hashed(text) == session.hash);
    if let Some(successor) = unused.filter(|_| now.since(session.rotated) <= REFRESH_GRACE) {
        return Ok(successor);
    }
    end(app, presented.user, presented.session).await?;
    Err(ended())
}

/// Ends a session. False when it had ended before.
pub async fn end(app: &App, user: UserId, session: SessionId) -> Result<bool> {
    end_where(app, Op::delete(key::session(user, session)).when(Condition::Exists)).await
}

/// Ends the session whose current refresh token this is. False when it is not, or the session had ended.
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
pub async fn end_all(app: &App, sessions: &[Session]) -> Result<()> {
    app.table()
        .batch_write(sessions.iter().map(|one| Op::delete(key::session(one.user, one.id))).collect())
        .await
        .map_err(Error::from)
}

/// The write of a new password, while no session was started since the old one's were read. No link to set one outlives
/// it, nor does a second factor that waits to be confirmed; one that is on stays.
fn replaced(kept: &Credentials, hash: &str, now: Timestamp) -> Op {
    let op = Op::update(key::credentials(kept.id)).set("hash", hash).set("reset_link", new_ulid(now));
    op.remove("factor_pending").when(Condition::equal("hash", &kept.hash)).when(none_started_since(kept))
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
        let now = app.now();
        // Every link from before ends, and with it an address that waits for one.
        let account = Op::update(key::account(kept.id)).remove("pending").set("export_link", new_ulid(now));
        let mut ops = vec![replaced(&kept, hash, now), account.when(Condition::Exists)];
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
pub async fn reset_password(app: &App, token: &MailToken, hash: &str, from: &NetworkNames) -> Result<bool> {
    for _ in 0..EDGE_REFUSALS {
        let found = credentials(app, token.user).await?;
        let Some(kept) = &found.credentials else { return Ok(false) };
        if kept.reset_link.is_some_and(|newest| newest != token.id) {
            return Ok(false);
        }
        let now = app.now();
        let account = Op::update(key::account(token.user)).set("verified", true).remove("pending");
        let replaced = replaced(kept, hash, now).when(super::mail_tokens::is_newest("reset_link", token.id));
        let mut ops = vec![
            super::mail_tokens::redeem(token),
            replaced.set("known", [from.current()]),
            account.set("export_link", new_ulid(now)).when(Condition::equal("email", &token.email)),
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

/// A dummy user id, so that an unknown name costs the same time: the same for the same name, and unforeseeable.
///
/// # Errors
/// 500 without signing keys.
pub fn dummy_user(app: &App, name: &str) -> Result<UserId> {
    let mac = app.keys()?.mac(crate::secrets::Purpose::Nobody, &[name.as_bytes()]);
    let bytes: [u8; 16] = mac[..16].try_into().map_err(Error::internal)?;
    Ok(UserId::from_ulid(ulid::Ulid::from_bytes(bytes)))
}
