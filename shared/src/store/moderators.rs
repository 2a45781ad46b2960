//! Moderators: a role on the account; and the log of what they do.

use super::users;
use crate::App;
use crate::error::Result;
use crate::ids::{UserId, new_ulid};
use crate::limits::PURGED_AT_ONCE;
use crate::models::report::{Act, Moderation};
use crate::models::user::{Account, Guard};
use crate::table::design::key;
use crate::table::{Condition, Op, Order, Read};
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use ulid::Ulid;

/// Is this a moderator? Access pattern 31.
pub async fn is_one(app: &App, id: UserId) -> Result<bool> {
    let account: Option<Account> = app.table().get(&key::account(id), Read::Strong).await?;
    Ok(account.is_some_and(|account| account.moderator))
}

/// Gives the role to the user who has the configured name and has verified the configured address: once per
/// name, for a name may pass to another holder. Answers whether this is a moderator now.
pub async fn appoint_named(app: &App, me: UserId) -> Result<bool> {
    let Some((name, email)) = &app.config().moderator else { return Ok(false) };
    let is_theirs = |account: &Account| account.verified && account.email.folded() == email.folded();
    let Some(account) = users::account(app, me).await?.filter(is_theirs) else { return Ok(false) };
    if users::by_name(app, name, Read::Strong).await? != Some(me) {
        return Ok(false);
    }
    if super::deletions::is_moderator_held(app, name).await? {
        return Ok(false);
    }
    let moderation = change(app, me, true);
    let holder = Guard::new(me);
    let still_mine = Condition::All(vec![Condition::equal("id", me), Condition::Without("free_at")]);
    let ops = vec![
        Op::create(key::moderator_named(name), &holder)?.owned_by(me),
        Op::check(key::name_guard(name), still_mine),
        role(me, true).when(Condition::equal("email", &account.email)),
        logged(&moderation)?,
    ];
    match app.table().transact(ops).await {
        Ok(()) => log(&moderation),
        Err(error) => {
            error.refused()?;
            // Named before: what has become of the role since stands.
            return is_one(app, me).await;
        }
    }
    Ok(true)
}

/// Appoints or dismisses a moderator, for the operator. False when that is so already, or nobody
/// has this id.
pub async fn appoint(app: &App, id: UserId, is_moderator: bool) -> Result<bool> {
    let moderation = change(app, id, is_moderator);
    match app.table().transact(vec![role(id, is_moderator), logged(&moderation)?]).await {
        Ok(()) => {
            log(&moderation);
            Ok(true)
        }
        Err(error) => error.refused().map(|_| false),
    }
}

fn change(app: &App, user: UserId, is_moderator: bool) -> Moderation {
    let act = if is_moderator { Act::AppointModerator } else { Act::ReleaseModerator };
    Moderation { id: new_ulid(app.now()), act, by: None, user: Some(user), post: None, report: None }
}

fn role(id: UserId, is_moderator: bool) -> Op {
    let op = Op::update(key::account(id)).when(Condition::Exists);
    match is_moderator {
        true => op.set("moderator", true).when(Condition::Without("moderator")),
        false => op.remove("moderator").when(Condition::equal("moderator", true)),
    }
}

/// Removes a deleted account from the log of a month: acts stay, without the account they were done to, or by. Access
/// pattern 64.
pub async fn purge(app: &App, user: UserId, month: &str, after: Option<&str>) -> Result<Option<String>> {
    let range = key::moderations(month);
    let rows = app.table().query(&range, Order::OldestFirst, Read::Strong, ENTRIES, after).await?;
    let mut ops = Vec::new();
    for item in &rows.items {
        let Moderation { id, by, user: whom, post, .. } = item.read()?;
        ops.extend(by.filter(|by| *by == user).map(|by| without(id, "by", by)));
        ops.extend(whom.filter(|whom| *whom == user).map(|whom| without(id, "user", whom)));
        ops.extend(post.filter(|post| post.authors().contains(&user)).map(|post| without(id, "post", post)));
    }
    let writes = ops.into_iter().map(|op| async move {
        match app.table().write(op).await {
            Ok(_) => Ok(()),
            Err(error) => error.refused().map(|_| ()),
        }
    });
    futures::stream::iter(writes.collect::<Vec<_>>()).buffer_unordered(PURGED_AT_ONCE).try_collect::<()>().await?;
    Ok(rows.next)
}

/// The write that takes this alone out of an entry: another account that it names may be taken out at the same moment.
fn without(entry: Ulid, name: &'static str, value: impl Serialize) -> Op {
    Op::update(key::moderation(entry)).remove(name).when(Condition::equal(name, value)).without_write_token()
}

/// Entries looked through at once.
const ENTRIES: usize = 500;

/// The write that keeps a moderator's doing for ever, in the transaction that does it.
pub(super) fn logged(moderation: &Moderation) -> Result<Op> {
    Ok(Op::create(key::moderation(moderation.id), moderation)?)
}

/// Logs an act, once it is done.
pub(super) fn log(moderation: &Moderation) {
    let Moderation { id, act, by, user, post, report } = moderation;
    let text = |id: Option<String>| id.unwrap_or_default();
    tracing::info!(
        target: "moderation",
        entry = %id,
        ?act,
        by = text(by.map(|by| by.to_string())),
        user = text(user.map(|user| user.to_string())),
        post = text(post.map(|post| post.to_string())),
        report = text(report.map(|report| report.to_string())),
        "moderation"
    );
}
