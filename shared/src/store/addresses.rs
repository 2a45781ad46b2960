//! An account's e-mail address: verified by a link, replaced once a link to the new one is followed, and brought back by a
//! link to the old one.

use super::{mail_tokens, sessions, users};
use crate::App;
use crate::clock::Timestamp;
use crate::error::{Error, Kind, Result};
use crate::ids::{UserId, new_ulid};
use crate::limits::EDGE_REFUSALS;
use crate::models::session::{MailAction, MailToken};
use crate::models::user::{Account, Email, FormerEmail, Guard, PendingEmail};
use crate::table::design::key;
use crate::table::{Condition, Op};
use futures::future::try_join;

/// Changes whose links can undo them at the same time: each keeps an address from others.
const MOST_FORMER: usize = 5;

/// Claims an address that is free, the account's own, or given up long enough ago.
pub(super) fn take(app: &App, email: &Email, id: UserId) -> Result<Op> {
    Ok(Op::put(key::email_guard(email), &Guard::new(id))?.when(users::is_free(app, id)))
}

/// What a change of the address is to write: what the account's item says, and the mails.
pub(super) struct AddressChange {
    pub(super) pending: Option<PendingEmail>,
    pub(super) mails: Vec<Op>,
}

/// Another address, which waits for its link. The mail to one that somebody has says so; the answer does not. The present
/// address is told, if it was ever verified: it may be a stranger's else. One's own again ends what waits.
///
/// # Errors
/// 409 after too many changes.
pub(super) fn change(app: &App, account: &Account, email: &Email, is_taken: bool) -> Result<AddressChange> {
    if email.folded() == account.email.folded() {
        return Ok(AddressChange { pending: None, mails: Vec::new() });
    }
    let now = app.now();
    if account.former.iter().filter(|one| one.until > now).count() >= MOST_FORMER {
        let detail = format!("At most {MOST_FORMER} changes of the address in a week.");
        return Err(Error::new(Kind::LimitReached).detail(detail));
    }
    let action = if is_taken { MailAction::AlreadyRegistered } else { MailAction::VerifyEmail };
    let (link, asked) = mail_tokens::issue(app, account.id, email, action, None)?;
    let mut change = AddressChange {
        pending: Some(PendingEmail { email: email.clone(), link, undo_until: None }),
        mails: vec![asked],
    };
    if let Some(pending) = change.pending.as_mut().filter(|_| account.verified) {
        let (_, told) = mail_tokens::issue(app, account.id, &account.email, MailAction::EmailChanged, None)?;
        pending.undo_until = Some(now + MailAction::EmailChanged.lifetime());
        change.mails.push(told);
    }
    Ok(change)
}

/// Sends the link that verifies the address once more, or the one that is to be; every older one ends.
///
/// # Errors
/// 409 after too many changes.
pub async fn resend(app: &App, account: &Account, is_taken: bool) -> Result<()> {
    let same = Condition::equal("email", &account.email);
    let ops = match account.awaited(app.now()) {
        Some(awaited) => {
            let AddressChange { pending, mut mails } = change(app, account, &awaited.email, is_taken)?;
            mails.push(Op::update(key::account(account.id)).set("pending", pending).when(same));
            mails
        }
        None => {
            let (link, token) = mail_tokens::issue(app, account.id, &account.email, MailAction::VerifyEmail, None)?;
            vec![token, Op::update(key::account(account.id)).set("verify_link", link).when(same)]
        }
    };
    mail_tokens::send_newest(app, ops).await
}

/// Marks an address verified by the token from its mail; the one to be takes the other's place.
///
/// # Errors
/// False when the token was used meanwhile, a newer one was sent, or somebody else has the address.
pub async fn verify(app: &App, token: &MailToken) -> Result<bool> {
    let Some(account) = users::account(app, token.user).await? else { return Ok(false) };
    let mut ops = vec![mail_tokens::redeem(token)];
    match &account.pending {
        Some(pending) if pending.link == token.id => ops.extend(replace(app, &account, pending)?),
        _ => {
            let same = Condition::equal("email", &token.email);
            let verified = Op::update(key::account(token.user)).set("verified", true);
            ops.push(verified.when(same).when(mail_tokens::is_newest("verify_link", token.id)));
        }
    }
    written(app, ops).await
}

fn replace(app: &App, account: &Account, pending: &PendingEmail) -> Result<Vec<Op>> {
    let (id, now) = (account.id, app.now());
    let mut former: Vec<FormerEmail> = account.former.clone();
    former.retain(|one| one.until > now && one.email.folded() != pending.email.folded());
    let own = Condition::equal("id", id);
    let given_up = match pending.undo_until.filter(|until| *until > now) {
        Some(until) => {
            former.push(FormerEmail { email: account.email.clone(), until });
            Op::put(key::email_guard(&account.email), &Guard::kept(id, until))?.when(own)
        }
        None => Op::delete(key::email_guard(&account.email)).when(own),
    };
    let replaced = Op::update(key::account(id))
        .set("email", &pending.email)
        .set("verified", true)
        .set("former", former)
        .remove("pending")
        .when(Condition::equal("pending", pending))
        .when(Condition::equal("email", &account.email));
    Ok(vec![replaced, take(app, &pending.email, id)?, given_up])
}

/// Undoes a change of the address by the token from the mail to the old one: it stays, or is the account's again. All
/// sessions end, and every link that another address may have got.
///
/// # Errors
/// False when the token was used meanwhile, or there is nothing to undo.
pub async fn undo(app: &App, token: &MailToken) -> Result<bool> {
    let user = token.user;
    for _ in 0..EDGE_REFUSALS {
        let (found, account) = try_join(sessions::credentials(app, user), users::account(app, user)).await?;
        let (Some(kept), Some(account)) = (&found.credentials, account) else { return Ok(false) };
        let Some(restored) = restore(app, &account, &token.email)? else { return Ok(false) };
        let none_started = sessions::none_started_since(kept);
        let mut ops = vec![
            mail_tokens::redeem(token),
            Op::update(key::credentials(user)).set("reset_link", new_ulid(app.now())).when(none_started),
        ];
        ops.extend(restored);
        ops.extend(found.sessions.iter().map(|session| Op::delete(key::session(user, session.id))));
        match app.table().transact(ops).await {
            Ok(()) => return Ok(true),
            Err(error) => {
                if error.refused()?.has(0) {
                    return Ok(false);
                }
            }
        }
    }
    Err(Error::unavailable("sessions start faster than they end"))
}

/// The writes that bring an address back, with all that came after it given up; None where nothing was changed.
fn restore(app: &App, account: &Account, email: &Email) -> Result<Option<Vec<Op>>> {
    let (id, now) = (account.id, app.now());
    let same = Condition::equal("email", &account.email);
    let op = Op::update(key::account(id)).remove("pending").set("export_link", new_ulid(now)).when(same);
    if email.folded() == account.email.folded() {
        return Ok(account.pending.as_ref().map(|_| vec![op.set("verified", true)]));
    }
    let is_it = |one: &FormerEmail| one.email.folded() == email.folded() && one.until > now;
    let Some(place) = account.former.iter().position(is_it) else { return Ok(None) };
    let (earlier, later) = account.former.split_at(place);
    let own = || Condition::equal("id", id);
    let mut ops = vec![
        op.set("email", &later[0].email).set("verified", true).set("former", earlier),
        Op::put(key::email_guard(email), &Guard::new(id))?.when(own()),
        Op::delete(key::email_guard(&account.email)).when(own()),
    ];
    let others = later[1..].iter().filter(|one| one.until > now);
    ops.extend(others.map(|one| Op::delete(key::email_guard(&one.email)).when(own())));
    Ok(Some(ops))
}

/// The writes that free the addresses kept for an account, which is deleted.
pub(super) fn free(account: &Account, now: Timestamp) -> impl Iterator<Item = Op> {
    let kept = account.former.iter().filter(move |one| one.until > now);
    kept.map(|one| Op::delete(key::email_guard(&one.email)).when(Condition::equal("id", account.id)))
}

async fn written(app: &App, ops: Vec<Op>) -> Result<bool> {
    match app.table().transact(ops).await {
        Ok(()) => Ok(true),
        Err(error) => error.refused().map(|_| false),
    }
}
