//! Tokens that mails carry. Writing one makes the stream send the mail.

use super::mails::{self, Claim};
use crate::App;
use crate::error::{Error, Kind, Result};
use crate::ids::{UserId, new_ulid};
use crate::models::session::{MailAction, MailToken, PendingAccount};
use crate::models::user::{Account, Email};
use crate::table::design::key;
use crate::table::{Condition, Op, Read};
use ulid::Ulid;

/// The write that makes a token, and so sends its mail; and the token's id.
///
/// # Errors
/// 500 when it can't be written.
pub fn issue(
    app: &App,
    user: UserId,
    email: &Email,
    action: MailAction,
    pending: Option<PendingAccount>,
) -> Result<(Ulid, Op)> {
    let now = app.now();
    let ttl = (now + action.lifetime()).seconds();
    let token = MailToken { id: new_ulid(now), user, action, email: email.clone(), pending, mailed: false, ttl };
    Ok((token.id, Op::create(key::mail_token(token.id), &token)?.owned_by(user)))
}

/// Creates a token, which sends its mail.
pub async fn send(
    app: &App,
    user: UserId,
    email: &Email,
    action: MailAction,
    pending: Option<PendingAccount>,
) -> Result<()> {
    match app.table().write(issue(app, user, email, action, pending)?.1).await {
        Ok(_) => Ok(()),
        // Nobody else has this id: it was written, the answer was lost, and the mailer has changed it since.
        Err(error) => error.refused().map(|_| ()),
    }
}

/// Sends the link that sets a new password; every older one ends. For an address that nobody has, the same is written, and
/// no mail comes of it.
pub async fn send_reset(app: &App, holder: Option<UserId>, dummy: UserId, email: &Email) -> Result<()> {
    let action = holder.map_or(MailAction::Nothing, |_| MailAction::ResetPassword);
    let (link, token) = issue(app, holder.unwrap_or(dummy), email, action, None)?;
    let newest = match holder {
        Some(user) => Op::update(key::credentials(user)).set("reset_link", link).when(Condition::Exists),
        None => Op::delete(key::credentials(dummy)),
    };
    send_newest(app, vec![token, newest]).await
}

/// Sends the link to an archive; every older one ends.
pub async fn send_export(app: &App, account: &Account) -> Result<()> {
    let (link, token) = issue(app, account.id, &account.email, MailAction::Export, None)?;
    let newest = Op::update(key::account(account.id)).set("export_link", link);
    send_newest(app, vec![token, newest.when(Condition::equal("email", &account.email))]).await
}

/// One whose account is gone, or has another address by now, is not sent.
pub(super) async fn send_newest(app: &App, ops: Vec<Op>) -> Result<()> {
    match app.table().transact(ops).await {
        Ok(()) => Ok(()),
        Err(error) => error.refused().map(|_| ()),
    }
}

/// That of the links of a kind this is the one that counts.
pub(super) fn is_newest(kind: &'static str, link: Ulid) -> Condition {
    Condition::Any(vec![Condition::Without(kind), Condition::equal(kind, link)])
}

/// What a token allows; None when it is used or expired. Access pattern 21.
pub async fn find(app: &App, id: Ulid) -> Result<Option<MailToken>> {
    Ok(app.table().get(&key::mail_token(id), Read::Strong).await?)
}

/// What the token in a client's hands allows.
///
/// # Errors
/// 400 for one that is forged, used, expired or for something else.
pub async fn presented(app: &App, text: &str, action: MailAction) -> Result<MailToken> {
    let refused = || Error::new(Kind::InvalidToken).detail("Ask for a new mail.");
    let id = MailToken::read(&app.keys()?, text).ok_or_else(refused)?;
    find(app, id).await?.filter(|token| token.action == action).ok_or_else(refused)
}

/// The write that uses a token up. In a transaction it is the one that decides who was first.
pub fn redeem(token: &MailToken) -> Op {
    Op::delete(key::mail_token(token.id)).when(Condition::Exists)
}

/// Claims the token's mail. None when it was sent, or the token is used.
///
/// # Errors
/// The table does not answer, or another writer changed the item at each attempt.
pub async fn claim_mail(app: &App, id: Ulid) -> Result<Option<Claim>> {
    mails::claim(app, key::mail_token(id)).await
}
