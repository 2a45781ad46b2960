//! Follows. The request writes the edge; the stream's consumer keeps the ledgers and counters (see
//! `ledgers`).

use super::edges::{self, Edge};
use super::relationships;
use crate::App;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::limits::EDGE_REFUSALS;
use crate::models::viewer::Relationship;
use crate::table::client::back_off;
use crate::table::design::{Range, key};
use crate::table::{Item, Order, Read, Rows};
use std::collections::{HashMap, HashSet};

/// The edge from one to the other. Access pattern 7.
pub async fn edge(app: &App, from: UserId, to: UserId, read: Read) -> Result<Option<Edge>> {
    Ok(app.table().get(&key::follow(from, to), read).await?)
}

/// Does `from` follow `to`?
pub async fn follows(app: &App, from: UserId, to: UserId, read: Read) -> Result<bool> {
    Ok(edge(app, from, to, read).await?.is_some_and(Edge::is_active))
}

/// Which of these users follow them? Read strongly.
pub async fn followers_among(app: &App, of: UserId, users: &[UserId]) -> Result<HashSet<UserId>> {
    edges::active(app, users, |user| key::follow(user, of)).await
}

/// Since when `from` follows those of these users whom they follow. Read strongly.
pub async fn followed_since(app: &App, from: UserId, users: &[UserId]) -> Result<HashMap<UserId, Timestamp>> {
    let keys: Vec<_> = users.iter().map(|user| key::follow(from, *user)).collect();
    let found = app.table().batch_get::<Edge>(&keys, Read::Strong).await?;
    let edges = users.iter().copied().zip(found);
    Ok(edges.filter_map(|(user, edge)| Some((user, edge.filter(|edge| edge.is_active())?.created()))).collect())
}

/// Everybody whom `from` follows, by their ids, `limit` rows at a time, and after whom the next page starts. Access
/// pattern 67.
pub async fn followed(
    app: &App,
    from: UserId,
    rows: usize,
    after: Option<UserId>,
) -> Result<(Vec<UserId>, Option<UserId>)> {
    let after = after.map(|author| key::follow(from, author).sk().to_owned());
    let range = key::follows(from);
    let rows = app.table().query(&range, Order::OldestFirst, Read::Strong, rows, after.as_deref()).await?;
    let is_active = |item: &&Item| item.readable::<Edge>().is_some_and(Edge::is_active);
    let author = |sk: &str| key::ending(sk, key::FOLLOW);
    let found = rows.items.iter().filter(is_active).filter_map(|item| author(item.sk())).collect();
    Ok((found, rows.next.as_deref().and_then(author)))
}

/// Follows, in one transaction with the end of an earlier unfollow's tombstone. Idempotent. `known` is
/// what stood between them when it was read.
///
/// # Errors
/// 404 when one blocks the other by now.
pub async fn follow(app: &App, from: UserId, to: UserId, mut known: Relationship) -> Result<()> {
    for attempt in 0..EDGE_REFUSALS {
        if known.is_block() {
            return Err(Error::not_found());
        }
        let ops = vec![edges::create_op(key::follow(from, to), app.now()), relationships::followed(from, to, &known)];
        match app.table().transact(ops).await {
            Ok(()) => return Ok(()),
            Err(error) => error.refused()?,
        };
        back_off(attempt).await;
        known = relationships::get(app, from, to).await?;
    }
    Err(relationships::changed_each_time())
}

/// Unfollows, in one transaction with a tombstone that hides their posts from the very next request on. Twice is the
/// same as once. `known` is what stood between them when it was read.
pub async fn unfollow(app: &App, from: UserId, to: UserId, mut known: Relationship) -> Result<()> {
    for attempt in 0..EDGE_REFUSALS {
        // A block has ended the follow.
        if known.is_block() {
            return Ok(());
        }
        let tombstone = relationships::unfollowed(from, to, &known, app.now() + relationships::TOMBSTONE);
        let refused = match app.table().transact(vec![edges::delete_op(key::follow(from, to)), tombstone]).await {
            Ok(()) => return Ok(()),
            Err(error) => error.refused()?,
        };
        if refused.has(0) {
            return Ok(());
        }
        back_off(attempt).await;
        known = relationships::get(app, from, to).await?;
    }
    Err(relationships::changed_each_time())
}

/// Ends a follow of somebody whose account is deleted. Idempotent.
pub async fn end(app: &App, from: UserId, to: UserId) -> Result<()> {
    edges::write(app, edges::delete_op(key::follow(from, to))).await.map(|_| ())
}

/// A user's followers, newest first. Access pattern 8.
pub async fn followers(app: &App, of: UserId, limit: usize, after: Option<&str>) -> Result<Rows> {
    page(app, &key::follower_rows(of), limit, after).await
}

/// Followers in the order they came, for walking through all of them; read strongly.
pub async fn follower_rows(app: &App, of: UserId, limit: usize, after: Option<&str>) -> Result<Rows> {
    let range = key::follower_rows(of);
    app.table().query(&range, Order::OldestFirst, Read::Strong, limit, after).await.map_err(Error::from)
}

/// The users that a user follows, newest first. Access pattern 8.
pub async fn following(app: &App, of: UserId, limit: usize, after: Option<&str>) -> Result<Rows> {
    page(app, &key::following_rows(of), limit, after).await
}

async fn page(app: &App, range: &Range, limit: usize, after: Option<&str>) -> Result<Rows> {
    app.table().query(range, Order::NewestFirst, Read::Eventual, limit, after).await.map_err(Error::from)
}
