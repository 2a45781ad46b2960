//! Timelines: rows that the `fanout` worker pushes, one per follower and post.

use crate::App;
use crate::error::{Error, Result};
use crate::ids::{PostId, UserId};
use crate::models::post::{TIMELINE_LIFETIME, TimelineRow};
use crate::table::design::key;
use crate::table::{Op, Order, Read, Rows};

/// A stretch of time between two posts; neither is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub older_than: Option<PostId>,
    pub newer_than: Option<PostId>,
}

/// Rows of a timeline, newest first, and whether more follow. Access pattern 11.
pub async fn page(app: &App, owner: UserId, limit: usize, span: Span, read: Read) -> Result<(Vec<PostId>, bool)> {
    let mut range = key::timeline(owner);
    if let Some(post) = span.newer_than {
        range = range.from(&post.suffix());
    }
    let after = span.older_than.map(PostId::suffix);
    let rows = app.table().query(&range, Order::NewestFirst, read, limit, after.as_deref()).await?;
    let posts = posts(&rows).filter(|post| Some(*post) != span.newer_than).collect();
    Ok((posts, rows.next.is_some()))
}

fn posts(rows: &Rows) -> impl Iterator<Item = PostId> {
    rows.items.iter().filter_map(|row| PostId::from_suffix(row.sk()).ok())
}

/// The write that puts a post into a timeline; a repeat overwrites.
///
/// # Errors
/// 500 when it can't be written.
pub(super) fn row(owner: UserId, post: PostId) -> Result<Op> {
    let row = TimelineRow { ttl: (post.created_at() + TIMELINE_LIFETIME).seconds() };
    Ok(Op::put(key::timeline_row(owner, post), &row)?)
}

/// Pushes one post into many timelines. A repeat overwrites.
///
/// # Errors
/// Rows stay unwritten after retries.
pub async fn push(app: &App, post: PostId, owners: impl IntoIterator<Item = UserId>) -> Result<()> {
    let rows = owners.into_iter().map(|owner| row(owner, post));
    app.table().batch_write(rows.collect::<Result<_, _>>()?).await.map_err(Error::from)
}

/// Followers of a merged author who merge enough others: they are pushed to all the same. Read strongly, for a follow's
/// back-fill may have been before the post that goes to them.
pub async fn pushed_followers(
    app: &App,
    author: UserId,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<UserId>, Option<String>)> {
    let range = key::pushed_followers(author);
    let rows = app.table().query(&range, Order::OldestFirst, Read::Strong, limit, after).await?;
    Ok((rows.items.iter().filter_map(|row| key::ending(row.sk(), "")).collect(), rows.next))
}

/// Puts posts into one timeline.
///
/// # Errors
/// Rows stay unwritten after retries.
pub async fn fill(app: &App, owner: UserId, posts: impl IntoIterator<Item = PostId>) -> Result<()> {
    let rows = posts.into_iter().map(|post| row(owner, post));
    app.table().batch_write(rows.collect::<Result<_, _>>()?).await.map_err(Error::from)
}

/// Removes an author's posts from a timeline, by the page.
pub async fn purge(app: &App, owner: UserId, author: UserId) -> Result<()> {
    let mut after = None;
    loop {
        let range = key::timeline(owner);
        let rows = app.table().query(&range, Order::OldestFirst, Read::Strong, 500, after.as_deref()).await?;
        let theirs = posts(&rows).filter(|post| post.author == author);
        app.table().batch_write(theirs.map(|post| Op::delete(key::timeline_row(owner, post))).collect()).await?;
        match rows.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}
