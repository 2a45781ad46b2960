//! Timelines: rows that the `fanout` worker pushes, one per follower and post.

use super::posts::timeline_row;
use crate::App;
use crate::error::{Error, Result};
use crate::ids::{PostId, UserId};
use crate::table::design::key;
use crate::table::{Op, Order, Read};

/// Rows of a timeline, newest first, and where the next page starts. Access pattern 11.
///
/// # Errors
/// Unavailable.
pub async fn page(app: &App, owner: UserId, limit: usize, after: Option<&str>) -> Result<(Vec<PostId>, Option<String>)> {
    read(app, owner, limit, after, Order::NewestFirst, Read::Strong).await
}

async fn read(
    app: &App,
    owner: UserId,
    limit: usize,
    after: Option<&str>,
    order: Order,
    read: Read,
) -> Result<(Vec<PostId>, Option<String>)> {
    let rows = app.table().query(&key::timeline(owner), order, read, limit, after).await?;
    Ok((rows.items.iter().filter_map(|row| PostId::from_suffix(row.sk()).ok()).collect(), rows.next))
}

/// Pushes one post into many timelines. A repeat overwrites.
///
/// # Errors
/// Unavailable, when rows stay unwritten.
pub async fn push(app: &App, post: PostId, owners: impl IntoIterator<Item = UserId>) -> Result<()> {
    let rows = owners.into_iter().map(|owner| timeline_row(owner, post));
    app.table().batch_write(rows.collect::<Result<_, _>>()?).await.map_err(Error::from)
}

/// Puts posts into one timeline.
///
/// # Errors
/// Unavailable, when rows stay unwritten.
pub async fn fill(app: &App, owner: UserId, posts: impl IntoIterator<Item = PostId>) -> Result<()> {
    let rows = posts.into_iter().map(|post| timeline_row(owner, post));
    app.table().batch_write(rows.collect::<Result<_, _>>()?).await.map_err(Error::from)
}

/// Takes an author's posts out of a timeline, by the page.
///
/// # Errors
/// Unavailable.
pub async fn purge(app: &App, owner: UserId, author: UserId) -> Result<()> {
    let mut after = None;
    loop {
        let (posts, next) = read(app, owner, 500, after.as_deref(), Order::OldestFirst, Read::Strong).await?;
        let theirs = posts.into_iter().filter(|post| post.author == author);
        app.table().batch_write(theirs.map(|post| Op::delete(key::timeline_row(owner, post))).collect()).await?;
        match next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}
