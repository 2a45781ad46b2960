//! What a deleted group leaves: its members' rows, requests and posts.
//!
//! A page at a time, in the order of the keys, so that any message goes on where one before it stopped, and one that comes
//! again finds its page removed. The group's own item goes last; until then, and ever after, it is no group to anybody.

use super::posts;
use crate::App;
use crate::error::{Error, Result};
use crate::ids::{GroupId, PostId};
use crate::models::post::Post;
use crate::table::design::{EntityKey, key};
use crate::table::{Condition, Item, Op, Order, Read};
use futures::{StreamExt, TryStreamExt};

/// Rows removed by one message.
const PAGE: usize = 200;
/// Posts removed at once: each is a transaction of its own.
const POSTS_AT_ONCE: usize = 8;

/// Removes a page of what lies with a group, after the sort key at which an earlier message stopped, and answers where the
/// next one goes on; None once nothing is left. Of a group that stands nothing. Access pattern 59.
///
/// # Errors
/// A service does not answer; repeating the call is safe.
pub async fn remove_group(app: &App, group: GroupId, cursor: Option<&str>) -> Result<Option<String>> {
    if super::groups::get(app, group, Read::Strong).await?.is_some() {
        return Ok(None);
    }
    let rows = app.table().query(&key::in_group(group), Order::OldestFirst, Read::Strong, PAGE, cursor).await?;
    let (mut leftover, mut shared) = (Vec::new(), Vec::new());
    for row in &rows.items {
        match EntityKey::read(key::in_group(group).pk(), row.sk()) {
            Some(EntityKey::GroupPost(id)) => shared.push((id, row)),
            Some(EntityKey::Member { user, .. }) => {
                leftover.push(Op::delete(key::membership(user, group)));
                leftover.push(Op::delete(key::group_row(group, row.sk())));
            }
            Some(EntityKey::JoinRequest { .. }) => leftover.push(Op::delete(key::group_row(group, row.sk()))),
            _ => {}
        }
    }
    app.table().batch_write(leftover).await?;
    let removals = shared.into_iter().map(|(id, row)| remove_post(app, id, row)).collect::<Vec<_>>();
    futures::stream::iter(removals).buffer_unordered(POSTS_AT_ONCE).try_collect::<()>().await?;
    if rows.next.is_none() {
        app.table().batch_write(vec![Op::delete(key::group(group))]).await?;
    }
    Ok(rows.next)
}

/// Removes a post as its author would; what follows from that is told by the stream.
async fn remove_post(app: &App, id: PostId, row: &Item) -> Result<()> {
    let ops = match row.readable::<Post>() {
        Some(post) => posts::removal(&post, Condition::Exists),
        None => vec![Op::delete(key::post(id))],
    };
    match app.table().transact(ops).await {
        Ok(()) => Ok(()),
        // Deleted meanwhile.
        Err(error) => error.refused().map(|_| ()),
    }
}

/// Forgets members whom the group's end left: they joined while it was removed.
pub(super) async fn purge_members(app: &App, group: GroupId, users: &[crate::ids::UserId]) -> Result<()> {
    let rows = users.iter().flat_map(|user| [key::membership(*user, group), key::member(group, *user)]);
    app.table().batch_write(rows.map(Op::delete).collect()).await.map_err(Error::from)
}
