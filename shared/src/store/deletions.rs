//! Accounts that are deleted: the request's one transaction, and what the `reap` function goes by.
//!
//! The request leaves a profile, an account and a followers count that say no more than that they are deleted, and a row
//! in the list of those that are being removed. What the account may still do by a request that was under way is refused
//! by the account item where it names it, and found by a later pass where not. The three items go last, in one transaction,
//! held to counters of nothing: a counter is the number of its ledger's rows, so nothing of it is left then.

use super::addresses;
use super::sessions::{self, SignIn};
use super::users::{self, UserPage};
use crate::App;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::limits::EDGE_REFUSALS;
use crate::models::deletion::{AGAIN, Deletion, HeldName, NAME_HELD, PASSES, STALLED};
use crate::models::user::{Guard, Profile, Username};
use crate::secrets::{Purpose, base64url};
use crate::table::design::{EntityKey, Key, key, owner};
use crate::table::{Condition, Item, Op, Order, Read};
use futures::future::{try_join, try_join_all};

/// Deletes an account whose password was checked: from the next request on nobody sees it, and nobody signs in. False when
/// the password was changed meanwhile.
///
/// # Errors
/// 401 when it is deleted already.
pub async fn begin(app: &App, mut found: SignIn, mut page: UserPage) -> Result<bool> {
    let id = page.profile.id;
    let checked = found.hash().map(str::to_owned);
    for _ in 0..EDGE_REFUSALS {
        let Some(kept) = &found.credentials else { break };
        if Some(&kept.hash) != checked.as_ref() {
            return Ok(false);
        }
        let (now, profile, account) = (app.now(), &page.profile, &page.account);
        let own = || Condition::equal("id", id);
        let gone = Op::put(key::profile(id), &profile.tombstone(now))?.when(Condition::equal("ver", profile.ver));
        let empty = Op::update(key::account(id)).set("email", "").set("deleted", true).remove("moderator");
        let same = Condition::equal("email", &account.email);
        let deletion = Deletion { at: now, pass: 0, next: now + STALLED };
        let mut ops = vec![
            gone.when(Condition::Without("deleted")),
            [
                "settings",
                "verified",
                "verify_link",
                "export_link",
                "pending",
                "former",
                "former_name",
                "recovery_codes",
            ]
            .into_iter()
            .fold(empty, Op::remove)
            .when(same)
            .when(Condition::Without("deleted")),
            Op::delete(key::credentials(id))
                .when(Condition::equal("hash", &kept.hash))
                .when(sessions::none_started_since(kept)),
            Op::delete(key::email_guard(&account.email)).when(own()),
            Op::delete(key::name_guard(&profile.username)).when(own()),
            hold(app, &profile.username, now + NAME_HELD)?,
            Op::create(key::deletion(id), &deletion)?,
        ];
        ops.extend(addresses::free(account, now));
        ops.extend(found.sessions.iter().map(|session| Op::delete(key::session(id, session.id))));
        match app.table().transact(ops).await {
            Ok(()) => return Ok(true),
            Err(error) => error.refused()?,
        };
        let now = try_join(sessions::credentials(app, id), users::page(app, id, Read::Strong)).await?;
        let (again, Some(seen)) = now else { break };
        if seen.account.deleted {
            break;
        }
        (found, page) = (again, seen);
    }
    match users::account(app, id).await? {
        Some(account) if !account.deleted => {
            Err(Error::unavailable("the account is changed faster than it is deleted"))
        }
        _ => Err(Error::unauthorized("This account is deleted.")),
    }
}

/// The write that keeps a name from everybody, by a keyed hash alone.
fn hold(app: &App, name: &Username, until: crate::clock::Timestamp) -> Result<Op> {
    let held = users::held_names(app, name)?.into_iter().next().ok_or_else(|| Error::internal("no keys"))?;
    Ok(Op::put(held, &HeldName { free_at: until, ttl: until.seconds() })?)
}

/// An account that is being removed.
pub async fn get(app: &App, user: UserId) -> Result<Option<Deletion>> {
    Ok(app.table().get(&key::deletion(user), Read::Strong).await?)
}

/// Whether an account is deleted, or was never there; read strongly.
pub async fn is_gone(app: &App, users: &[UserId]) -> Result<Vec<UserId>> {
    let keys: Vec<_> = users.iter().map(|user| key::profile(*user)).collect();
    let found = app.table().batch_get_readable::<Profile>(&keys, Read::Strong).await?;
    let gone = |profile: &Option<Profile>| profile.as_ref().is_none_or(|profile| profile.deleted.is_some());
    Ok(users.iter().copied().zip(found).filter(|(_, profile)| gone(profile)).map(|(user, _)| user).collect())
}

/// Accounts that are being removed whose next pass is due, each claimed for an hour by the first run. Access pattern 61.
pub async fn due(app: &App) -> Result<Vec<(UserId, usize)>> {
    let (range, now) = (key::deletions(), app.now());
    let (mut due, mut after) = (Vec::new(), None::<String>);
    loop {
        let rows = app.table().query(&range, Order::OldestFirst, Read::Strong, 1_000, after.as_deref()).await?;
        for item in &rows.items {
            let Some(EntityKey::Deletion(user)) = EntityKey::read(range.pk(), item.sk()) else { continue };
            let known: Deletion = item.read()?;
            if known.next <= now && take(app, user, &known).await? {
                due.push((user, known.pass));
            }
        }
        match rows.next {
            Some(next) => after = Some(next),
            None => return Ok(due),
        }
    }
}

async fn take(app: &App, user: UserId, known: &Deletion) -> Result<bool> {
    let op = Op::update(key::deletion(user)).set("next", app.now() + STALLED);
    written(app, op.when(Condition::equal("next", known.next)).when(Condition::equal("pass", known.pass))).await
}

async fn written(app: &App, op: Op) -> Result<bool> {
    match app.table().write(op).await {
        Ok(_) => Ok(true),
        Err(error) => error.refused().map(|_| false),
    }
}

/// Closes the account to new followers.
pub async fn close_following(app: &App, user: UserId) -> Result<()> {
    // A new epoch: a transaction that counts a follower at this moment reads it again.
    let op = Op::update(key::followers(user)).set("gone", true).add("epoch", 1);
    written(app, op.when(Condition::Exists).when(Condition::Without("gone"))).await.map(|_| ())
}

/// Some of what lies in one's own partition, and where the next page starts. Read strongly. Access pattern 62.
pub async fn own(
    app: &App,
    user: UserId,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<(Key, Item)>, Option<String>)> {
    let range = key::own(user);
    let rows = app.table().query(&range, Order::OldestFirst, Read::Strong, limit, after).await?;
    let found = rows.items.into_iter().map(|item| (key::listed(range.pk(), item.sk()), item));
    Ok((found.collect(), rows.next))
}

/// Some of what an account left in others' partitions, and where the next page starts. Access pattern 60.
pub async fn elsewhere(
    app: &App,
    user: UserId,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<Key>, Option<String>)> {
    app.table().listed(&owner(user), None, limit, after).await.map_err(Error::from)
}

/// Removes a page of a range in which all is the account's own, and answers where the next one starts.
pub async fn wipe(app: &App, range: &crate::table::design::Range, after: Option<&str>) -> Result<Option<String>> {
    let rows = app.table().query(range, Order::OldestFirst, Read::Strong, WIPED, after).await?;
    let gone = rows.items.iter().map(|item| Op::delete(key::listed(range.pk(), item.sk())));
    app.table().batch_write(gone.collect()).await?;
    Ok(rows.next)
}

/// Removes items that are all the account's own.
pub async fn remove(app: &App, keys: Vec<Key>) -> Result<()> {
    app.table().batch_write(keys.into_iter().map(Op::delete).collect()).await.map_err(Error::from)
}

/// Rows removed together: 20 batches.
const WIPED: usize = 500;

/// A name given up by a rename stays held as long as it was, by a keyed hash alone.
pub async fn hold_former_name(app: &App, user: UserId, guard: &Key) -> Result<()> {
    let Some(found) = app.table().get::<Guard>(guard, Read::Strong).await?.filter(|found| found.id == user) else {
        return Ok(());
    };
    let mut ops = vec![Op::delete(guard.clone()).when(Condition::equal("id", user))];
    let name = guard.pk().strip_prefix("N#").and_then(Username::from_path);
    if let Some((name, until)) = name.zip(found.free_at.filter(|until| *until > app.now())) {
        ops.push(hold(app, &name, until)?);
    }
    match app.table().transact(ops).await {
        Ok(()) => Ok(()),
        Err(error) => error.refused().map(|_| ()),
    }
}

fn held_moderators(app: &App, name: &Username) -> Result<Vec<Key>> {
    let macs = app.keys()?.macs(Purpose::HeldName, &[b"moderator", name.folded().as_bytes()]);
    Ok(macs.iter().map(|mac| key::held_moderator(&base64url(mac))).collect())
}

/// Whether the moderator whom the configuration names had an account that is deleted: the name's next holder is none.
pub async fn is_moderator_held(app: &App, name: &Username) -> Result<bool> {
    let found = app.table().batch_items(&held_moderators(app, name)?, Read::Strong).await?;
    Ok(found.iter().any(Option::is_some))
}

/// Keeps by a keyed hash alone that somebody with the name was made a moderator once.
pub async fn hold_moderator(app: &App, row: &Key) -> Result<()> {
    let Some(name) = row.pk().strip_prefix("MOD#").and_then(Username::from_path) else { return Ok(()) };
    let keys = held_moderators(app, &name)?;
    let held = keys.into_iter().next().ok_or_else(|| Error::internal("no keys"))?;
    let ops = vec![Op::put(held, &serde_json::json!({}))?, Op::delete(row.clone())];
    app.table().transact(ops).await.map_err(Error::from)
}

/// Ends a pass. After the last, if nothing is left, the account's last items go; else another pass comes in its time.
pub async fn finish(app: &App, user: UserId, pass: usize) -> Result<()> {
    let Some(known) = get(app, user).await?.filter(|known| known.pass == pass) else { return Ok(()) };
    if pass >= PASSES.len() && is_empty(app, user).await? && drop_pass(app, user, pass).await? {
        return Ok(());
    }
    let next = PASSES.get(pass).map_or_else(|| app.now() + AGAIN, |after| known.at + *after);
    let op = Op::update(key::deletion(user)).set("pass", pass + 1).set("next", next);
    written(app, op.when(Condition::equal("pass", pass))).await.map(|_| ())
}

/// Whether nothing is left but what is forgotten last.
async fn is_empty(app: &App, user: UserId) -> Result<bool> {
    let ranges = [
        key::posts_by(user),
        key::follower_rows(user),
        key::following_rows(user),
        key::pushed_followers(user),
        key::media_of(user),
        key::notification_rows(user),
        key::timeline(user),
        key::activities(user),
        key::postings(&crate::models::search::Term::mention(user)),
        key::postings(&crate::models::search::Term::author(user)),
    ];
    let rows = ranges.iter().map(|range| app.table().query(range, Order::OldestFirst, Read::Strong, 1, None));
    let rows = try_join_all(rows.collect::<Vec<_>>()).await?;
    let (mine, _) = own(app, user, LAST.len() + 1, None).await?;
    let (listed, _) = elsewhere(app, user, 1, None).await?;
    let others = mine.iter().filter(|(key, _)| !LAST.contains(&key.sk())).count();
    Ok(rows.iter().all(|rows| rows.items.is_empty() && rows.next.is_none()) && others == 0 && listed.is_empty())
}

/// The sort keys of what goes last.
const LAST: [&str; 3] = ["P", "P#f", "P#n"];

/// The account's last items. False when a counter says that something came meanwhile.
async fn drop_pass(app: &App, user: UserId, pass: usize) -> Result<bool> {
    let none = |op: Op, names: &[&'static str]| {
        let none = |name| Condition::Any(vec![Condition::Without(name), Condition::less(name, 1)]);
        names.iter().fold(op, |op, name| op.when(none(name)))
    };
    let ops = vec![
        Op::delete(key::profile(user)),
        none(Op::delete(key::account(user)), &["posts", "following", "waiting", "stored"]),
        none(Op::delete(key::followers(user)), &["n"]),
        Op::delete(key::deletion(user)).when(Condition::equal("pass", pass)),
    ];
    match app.table().transact(ops).await {
        Ok(()) => Ok(true),
        Err(error) => error.refused().map(|_| false),
    }
}
