//! Relationships: blocks, mutes and the tombstones of unfollows.
//!
//! It is one item on each side, under the prefix that each request reads strongly, so that it holds from the very next
//! request on. A follow's transaction is held to it, too: DynamoDB puts a block and a follow in an order. The item has a
//! `ttl` only while it says no more than that somebody was unfollowed.

use super::edges;
use crate::App;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::ids::{UserId, new_ulid};
use crate::limits::EDGE_REFUSALS;
use crate::models::deletion::IN_FLIGHT;
use crate::models::post::TIMELINE_LIFETIME;
use crate::models::viewer::Relationship;
use crate::table::client::back_off;
use crate::table::design::{TTL, key};
use crate::table::{Condition, Item, Op, Order, Read, Rows};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// So long an unfollowed author's posts are hidden by a tombstone: as long as a row lives that a late job may have left
/// in the timeline.
pub(super) const TOMBSTONE: Duration = TIMELINE_LIFETIME;

pub(super) fn changed_each_time() -> Error {
    Error::unavailable("what stands between two people was changed at each attempt")
}

/// What a user has set towards another, read strongly. Access pattern 36.
pub async fn get(app: &App, user: UserId, other: UserId) -> Result<Relationship> {
    Ok(app.table().get(&key::relationship(user, other), Read::Strong).await?.unwrap_or_default())
}

/// What a user has set towards each of these, read strongly: a unit each. Access pattern 36.
pub async fn among(
    app: &App,
    user: UserId,
    people: impl IntoIterator<Item = UserId>,
) -> Result<HashMap<UserId, Relationship>> {
    let people: Vec<UserId> = people.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    if people.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<_> = people.iter().map(|other| key::relationship(user, *other)).collect();
    let found = app.table().batch_get::<Relationship>(&keys, Read::Strong).await?;
    Ok(people.into_iter().zip(found).filter_map(|(other, relationship)| Some((other, relationship?))).collect())
}

/// Holds a write to what was read, but for the tombstone, which the follow's own edge puts in an order.
fn as_known(op: Op, known: &Relationship) -> Op {
    let is = |name, set| if set { Condition::equal(name, true) } else { Condition::Without(name) };
    let out = known.blocking.map_or(Condition::Without("out"), |act| Condition::equal("out", act));
    op.when(out).when(is("in", known.blocked_by)).when(is("mute", known.mute))
}

/// The end of a tombstone.
pub(super) fn followed(from: UserId, to: UserId, known: &Relationship) -> Op {
    let key = key::relationship(from, to);
    as_known(if known.mute { Op::update(key).remove("unf_until") } else { Op::delete(key) }, known)
}

/// A tombstone.
pub(super) fn unfollowed(from: UserId, to: UserId, known: &Relationship, until: Timestamp) -> Op {
    let op = Op::update(key::relationship(from, to)).set("unf_until", until).owned_by(to);
    as_known(if known.mute { op } else { op.set(TTL, until.seconds()) }, known)
}

/// Expires the item with its tombstone, where nothing else is left in it.
fn ending(op: Op, left: &Relationship, now: Timestamp) -> Op {
    match left.is_block() || left.mute {
        true => op,
        false => op.set(TTL, left.unf_until.unwrap_or(now).seconds()),
    }
}

/// Blocks a user, and ends follows both ways. Idempotent.
pub async fn block(app: &App, user: UserId, other: UserId) -> Result<()> {
    let follows = [key::follow(user, other), key::follow(other, user)];
    for attempt in 0..EDGE_REFUSALS {
        let keys = [key::relationship(user, other), follows[0].clone(), follows[1].clone()];
        let found = app.table().batch_items(&keys, Read::Strong).await?;
        if let Some(Some(item)) = found.first()
            && item.read::<Relationship>()?.blocking.is_some()
        {
            return Ok(());
        }
        let act = new_ulid(app.now());
        let until = app.now() + TOMBSTONE;
        let sided = |user, other| {
            Op::update(key::relationship(user, other)).set("unf_until", until).remove(TTL).owned_by(other)
        };
        let mut ops = vec![
            sided(user, other).set("out", act).when(Condition::Without("out")),
            sided(other, user).set("in", true),
            Op::put(key::block(user, act, other), &json!({}))?,
        ];
        for (follow, edge) in follows.iter().zip(&found[1..]) {
            ops.push(match edge {
                Some(_) => edges::delete_op(follow.clone()),
                None => Op::check(follow.clone(), Condition::Missing),
            });
        }
        match app.table().transact(ops).await {
            Ok(()) => return Ok(()),
            Err(error) => error.refused()?,
        };
        back_off(attempt).await;
    }
    Err(changed_each_time())
}

/// Unblocks a user. Follows that it ended stay ended. Idempotent.
pub async fn unblock(app: &App, user: UserId, other: UserId) -> Result<()> {
    for attempt in 0..EDGE_REFUSALS {
        let keys = [key::relationship(user, other), key::relationship(other, user)];
        let mut found = app.table().batch_get::<Relationship>(&keys, Read::Strong).await?.into_iter();
        let (mine, theirs) = (found.next().flatten().unwrap_or_default(), found.next().flatten());
        let Some(act) = mine.blocking else { return Ok(()) };
        let end = |user, other, name, known: &Relationship, left: &Relationship| {
            ending(as_known(Op::update(key::relationship(user, other)).remove(name), known), left, app.now())
        };
        let mut ops = vec![
            end(user, other, "out", &mine, &Relationship { blocking: None, ..mine.clone() }),
            Op::delete(key::block(user, act, other)),
        ];
        // An account that is gone has none.
        if let Some(theirs) = theirs {
            ops.push(end(other, user, "in", &theirs, &Relationship { blocked_by: false, ..theirs.clone() }));
        }
        match app.table().transact(ops).await {
            Ok(()) => return Ok(()),
            Err(error) => error.refused()?,
        };
        back_off(attempt).await;
    }
    Err(changed_each_time())
}

/// Removes a user's relationship to a deleted account. Where they unfollowed it just now, a post may
/// still be on its way into their timeline: then it stays, for a later pass. Answers whether they are to be rid of its posts.
pub async fn purge(app: &App, user: UserId, gone: UserId) -> Result<bool> {
    // Both sides of a block go together.
    unblock(app, user, gone).await?;
    let Some(known) = app.table().get::<Relationship>(&key::relationship(user, gone), Read::Strong).await? else {
        return Ok(false);
    };
    let unfollowed = known.unf_until.map(|until| until.millis().saturating_sub(millis(TOMBSTONE)));
    let is_fresh = unfollowed.is_some_and(|at| at + millis(IN_FLIGHT) > app.now().millis());
    if !is_fresh {
        let op = as_known(Op::delete(key::relationship(user, gone)), &known);
        if let Err(error) = app.table().transact(vec![op]).await {
            error.refused()?;
        }
    }
    Ok(known.unf_until.is_some())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Mutes a user. Idempotent.
pub async fn mute(app: &App, user: UserId, other: UserId) -> Result<()> {
    let op = Op::update(key::relationship(user, other)).set("mute", true).remove(TTL).owned_by(other);
    app.table().write(op).await.map(|_| ()).map_err(Error::from)
}

/// Unmutes a user. Idempotent. `known` is the relationship as it was read.
pub async fn unmute(app: &App, user: UserId, other: UserId, mut known: Relationship) -> Result<()> {
    for attempt in 0..EDGE_REFUSALS {
        if !known.mute {
            return Ok(());
        }
        let op = as_known(Op::update(key::relationship(user, other)).remove("mute"), &known);
        match app.table().write(ending(op, &Relationship { mute: false, ..known }, app.now())).await {
            Ok(_) => return Ok(()),
            Err(error) => error.refused()?,
        };
        back_off(attempt).await;
        known = get(app, user, other).await?;
    }
    Err(changed_each_time())
}

/// The users that a user blocks, newest first. Access pattern 35.
pub async fn blocked(app: &App, user: UserId, limit: usize, after: Option<&str>) -> Result<Rows> {
    let range = key::blocks(user);
    app.table().query(&range, Order::NewestFirst, Read::Strong, limit, after).await.map_err(Error::from)
}

/// Some of the users that a user mutes, and where the next page starts: a page looks at `limit`
/// relationships, and may come out short. Access pattern 65.
pub async fn muted(
    app: &App,
    user: UserId,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<UserId>, Option<String>)> {
    let rows = app.table().query(&key::relationships(user), Order::OldestFirst, Read::Strong, limit, after).await?;
    let muted = |item: &Item| {
        item.readable::<Relationship>().filter(|relationship| relationship.mute)?;
        key::ending(item.sk(), key::RELATIONSHIP)
    };
    Ok((rows.items.iter().filter_map(muted).collect(), rows.next))
}
