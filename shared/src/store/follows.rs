//! Who follows whom. The request writes the edge; the stream's consumer keeps the ledgers and counters (see
//! `ledgers`).

use super::edges::{self, Edge};
use crate::App;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::models::post::TIMELINE_LIFETIME;
use crate::table::design::{Range, key};
use crate::table::{Op, Order, Read, Rows};
use std::collections::HashSet;
use std::time::Duration;

/// So long an unfollowed author's posts are hidden by a tombstone: as long as a row lives that a late job may have left
/// in the timeline.
const TOMBSTONE: Duration = TIMELINE_LIFETIME;

/// The edge from one to the other. Access pattern 7.
///
/// # Errors
/// Unavailable.
pub async fn edge(app: &App, from: UserId, to: UserId, read: Read) -> Result<Option<Edge>> {
    Ok(app.table().get(&key::follow(from, to), read).await?)
}

/// Does `from` follow `to`?
///
/// # Errors
/// Unavailable.
pub async fn follows(app: &App, from: UserId, to: UserId, read: Read) -> Result<bool> {
    Ok(edge(app, from, to, read).await?.is_some_and(Edge::stands))
}

/// Which of these users follow them? Read strongly.
///
/// # Errors
/// Unavailable.
pub async fn followers_among(app: &App, of: UserId, users: &[UserId]) -> Result<HashSet<UserId>> {
    edges::standing(app, users, |user| key::follow(user, of)).await
}

/// Follows, in one transaction with the end of an earlier unfollow's tombstone. Twice is the same as once.
///
/// # Errors
/// Unavailable.
pub async fn follow(app: &App, from: UserId, to: UserId) -> Result<()> {
    let ops = vec![edges::make(key::follow(from, to), app.now()), Op::delete(key::negative(from, to))];
    app.table().transact(ops).await.map_err(Error::from)
}

/// Unfollows, in one transaction with a tombstone that hides their posts from the very next request on. Twice is the
/// same as once.
///
/// # Errors
/// Unavailable.
pub async fn unfollow(app: &App, from: UserId, to: UserId) -> Result<()> {
    let until = app.now() + TOMBSTONE;
    let tombstone = Op::update(key::negative(from, to)).set("unf_until", until).set("ttl", until.seconds());
    match app.table().transact(vec![edges::unmake(key::follow(from, to)), tombstone]).await {
        Ok(()) => Ok(()),
        Err(error) => error.refused().map(|_| ()),
    }
}

/// Who follows them, newest first. Access pattern 8.
///
/// # Errors
/// Unavailable.
pub async fn followers(app: &App, of: UserId, limit: usize, after: Option<&str>) -> Result<Rows> {
    page(app, &key::follower_rows(of), limit, after).await
}

/// Followers in the order they came, for walking through all of them; read strongly.
///
/// # Errors
/// Unavailable.
pub async fn follower_rows(app: &App, of: UserId, limit: usize, after: Option<&str>) -> Result<Rows> {
    let range = key::follower_rows(of);
    app.table().query(&range, Order::OldestFirst, Read::Strong, limit, after).await.map_err(Error::from)
}

/// Whom they follow, newest first. Access pattern 8.
///
/// # Errors
/// Unavailable.
pub async fn following(app: &App, of: UserId, limit: usize, after: Option<&str>) -> Result<Rows> {
    page(app, &key::following_rows(of), limit, after).await
}

async fn page(app: &App, range: &Range, limit: usize, after: Option<&str>) -> Result<Rows> {
    app.table().query(range, Order::NewestFirst, Read::Eventual, limit, after).await.map_err(Error::from)
}
