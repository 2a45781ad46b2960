//! Comments: posts that stand below another one. A comment is an edge, too (see `edges`): the request writes it, and
//! soft-deletes it; the stream's consumer counts it, or removes and uncounts it.
//!
//! Until then a pending count under the viewer's prefix, which each request reads, adds the viewer's own acts to the counts.

use super::creation::{CreateError, creation};
use super::edges::Edge;
use crate::App;
use crate::error::{Error, Result};
use crate::ids::{PostId, UserId};
use crate::models::post::{PENDING_COUNT_LIFETIME, PendingCount, Post};
use crate::table::design::{DELETED, EntityKey, key};
use crate::table::{Condition, Item, Op, Order, Read};
use serde::Serialize;
use std::collections::BTreeSet;

/// A comment as it is written: a post, and an edge.
#[derive(Serialize)]
struct Comment<'a> {
    #[serde(flatten)]
    post: &'a Post,
    #[serde(flatten)]
    edge: Edge,
}

/// Comments on a post, oldest first, and where the next page starts. Access pattern 22.
pub async fn page(
    app: &App,
    on: PostId,
    limit: usize,
    after: Option<&str>,
    read: Read,
) -> Result<(Vec<Post>, Option<String>)> {
    let rows = app.table().query(&key::comments(on), Order::OldestFirst, read, limit, after).await?;
    let comments = rows.items.iter().filter_map(Item::readable).filter(|comment: &Post| !comment.deleted);
    Ok((comments.collect(), rows.next))
}

/// The ids of comments on a post that is gone, deleted ones too, and where the next page starts.
pub async fn ids(app: &App, on: PostId, limit: usize, after: Option<&str>) -> Result<(Vec<PostId>, Option<String>)> {
    let rows = app.table().query(&key::comments(on), Order::OldestFirst, Read::Strong, limit, after).await?;
    let id = |item: &Item| match EntityKey::read(key::comments(on).pk(), item.sk()) {
        Some(EntityKey::Comment(id)) => Some(id),
        _ => None,
    };
    Ok((rows.items.iter().filter_map(id).collect(), rows.next))
}

/// Those of the comments that are active, below active posts. Read strongly.
pub async fn active(app: &App, on: PostId, comments: &[PostId]) -> Result<Vec<PostId>> {
    let keys: Vec<_> = comments.iter().map(|comment| key::post(*comment)).collect();
    let found = app.table().batch_get_readable::<Post>(&keys, Read::Strong);
    let (found, on) = futures::try_join!(async { Ok(found.await?) }, super::posts::get(app, on, Read::Strong))?;
    let found = found.into_iter().flatten().filter(|comment| !comment.deleted && on.is_some());
    Ok(found.map(|comment| comment.id).collect())
}

/// The comment as an edge, read strongly.
pub async fn edge(app: &App, comment: PostId) -> Result<Option<Edge>> {
    Ok(app.table().get(&key::post(comment), Read::Strong).await?)
}

/// Creates a comment, in one transaction with its author's pending count and, first, the idempotency operation.
///
/// # Errors
/// [`CreateError::IdempotencyKeyUsed`] when the idempotency key is used already.
pub async fn create(app: &App, comment: &Post, idempotency_op: Option<Op>) -> Result<(), CreateError> {
    let author = comment.id.author;
    let edge = Edge { created_at: comment.id.ulid, counted: false, deleted: false };
    let item = Comment { post: comment, edge };
    // A user who was removed from a private group a moment ago writes nothing in it.
    let private = comment.id.group().filter(|group| group.is_private());
    let membership = private.map(|group| Op::check(key::membership(author, group), Condition::Exists));
    creation(idempotency_op)
        .op(Op::create(key::post(comment.id), &item)?.owned_by(author))
        .op(pending_count_op(app, author, comment.id, 1)?)
        .ops_or(membership, || Error::not_found().into())
        .commit(app.table())
        .await
}

fn pending_count_op(app: &App, user: UserId, comment: PostId, n: i64) -> Result<Op> {
    let row = PendingCount { n, ttl: (app.now() + PENDING_COUNT_LIFETIME).seconds() };
    Ok(Op::put(key::pending_count(user, comment), &row)?)
}

/// Soft-deletes a comment, in one transaction with what takes it out of the counts that `by` sees. False when it is
/// gone or changed meanwhile.
pub async fn remove(app: &App, comment: &Post, by: UserId) -> Result<bool> {
    let (id, ver, mut is_counted) = (comment.id, comment.ver, comment.counted);
    for _ in 0..REFUSALS {
        let counted = if is_counted { Condition::equal("counted", true) } else { Condition::Without("counted") };
        let own = match is_counted {
            true => pending_count_op(app, by, id, -1)?,
            false => Op::delete(key::pending_count(by, id)),
        };
        let op = Op::update(key::post(id)).set(DELETED, true).when(Condition::equal("ver", ver));
        match app.table().transact(vec![op.when(Condition::Without(DELETED)).when(counted), own]).await {
            Ok(()) => return Ok(true),
            Err(error) => error.refused()?,
        };
        // It is counted at any moment, which is no change of it.
        match app.table().get::<Post>(&key::post(id), Read::Strong).await? {
            Some(now) if now.ver == ver && !now.deleted => is_counted = now.counted,
            _ => return Ok(false),
        }
    }
    Ok(false)
}

/// Soft-deletes a comment for a moderator of its group. False when it is gone.
pub async fn remove_as_moderator(app: &App, id: PostId) -> Result<bool> {
    match app.table().transact(vec![removal(id)]).await {
        Ok(()) => Ok(true),
        Err(error) => error.refused().map(|_| false),
    }
}

/// The write by which a moderator soft-deletes a comment, whatever its version. Nobody's own counts know of it before
/// the counter does.
pub(super) fn removal(id: PostId) -> Op {
    Op::update(key::post(id)).set(DELETED, true).when(Condition::Exists).when(Condition::Without(DELETED))
}

/// Soft-deletes a comment of a deleted account. Idempotent.
pub async fn end(app: &App, id: PostId) -> Result<()> {
    match app.table().transact(vec![removal(id)]).await {
        Ok(()) => Ok(()),
        Err(error) => error.refused().map(|_| ()),
    }
}

/// Once because it was counted between the read and the write; and once more.
const REFUSALS: usize = 3;

/// What the consumer removes when it has counted the comment, or removed it: the rows of all who may have done it.
pub(super) fn settled(comment: PostId, edge: Edge) -> Vec<Op> {
    match edge.deleted && edge.counted {
        true => delete_pending_counts(comment),
        false => vec![Op::delete(key::pending_count(comment.author, comment))],
    }
}

fn delete_pending_counts(comment: PostId) -> Vec<Op> {
    let users: BTreeSet<UserId> = comment.authors().into_iter().collect();
    users.into_iter().map(|user| Op::delete(key::pending_count(user, comment))).collect()
}

/// Removes the rows of all who may have done something with comments that are gone.
pub async fn purge_pending_counts(app: &App, comments: Vec<PostId>) -> Result<()> {
    let ops = comments.into_iter().flat_map(delete_pending_counts).collect();
    app.table().batch_write(ops).await.map_err(Error::from)
}

/// Removes comments of a post that is gone. What shows one in counts goes when its last record comes by.
pub async fn purge(app: &App, comments: impl IntoIterator<Item = PostId>) -> Result<()> {
    let ops = comments.into_iter().map(|comment| Op::delete(key::post(comment)));
    app.table().batch_write(ops.collect()).await.map_err(Error::from)
}
