//! Likes. The request writes the edge in the liker's own partition, so a hot post never slows a liker; the
//! stream's consumer keeps the ledger and the counter (see `ledgers`).

use super::edges::{self, Edge};
use crate::App;
use crate::error::{Error, Result};
use crate::ids::{PostId, UserId};
use crate::table::design::key;
use crate::table::{Item, Op, Order, Read, Rows};
use std::collections::{HashMap, HashSet};

/// Likes asked for between a page's ids; beyond these, by key.
const LIMIT: usize = 100;

/// Likes, or takes the like back. Answers the edge that this leaves; None where there never was one.
pub async fn set(app: &App, user: UserId, post: PostId, liked: bool) -> Result<Option<Edge>> {
    let key = key::like(user, post);
    edges::write(app, if liked { edges::create_op(key, app.now()) } else { edges::delete_op(key) }).await
}

/// The edge from one to the other.
pub async fn edge(app: &App, user: UserId, post: PostId, read: Read) -> Result<Option<Edge>> {
    Ok(app.table().get(&key::like(user, post), read).await?)
}

/// Does this user like this post?
pub async fn likes(app: &App, user: UserId, post: PostId, read: Read) -> Result<bool> {
    Ok(edge(app, user, post, read).await?.is_some_and(Edge::is_active))
}

/// Which of these users like this post? Read strongly.
pub async fn likers_among(app: &App, post: PostId, users: &[UserId]) -> Result<HashSet<UserId>> {
    edges::active(app, users, |user| key::like(user, post)).await
}

/// This user's edges between two posts, both included: one strong query (one's own likes show from the next request on)
/// of at most 100 rows, for a heavy liker has many more.
#[derive(Debug, Default)]
pub struct Likes {
    known: HashMap<PostId, Edge>,
    /// Older than this one nothing was read.
    reached: Option<PostId>,
}

/// Which posts between these two does this user like? Access pattern 13.
pub async fn between(app: &App, user: UserId, oldest: PostId, newest: Option<PostId>) -> Result<Likes> {
    let mut range = key::likes(user).from(key::like(user, oldest).sk());
    if let Some(newest) = newest {
        range = range.to(key::like(user, newest).sk());
    }
    let rows = app.table().query(&range, Order::NewestFirst, Read::Strong, LIMIT, None).await?;
    let known = rows.items.iter().map(entry).collect::<Result<_>>()?;
    Ok(Likes { known, reached: rows.next.as_deref().and_then(liked_post) })
}

impl Likes {
    /// The edges to these posts, reading by key what the query did not reach.
    pub async fn complete(mut self, app: &App, user: UserId, posts: &[PostId]) -> Result<HashMap<PostId, Edge>> {
        if let Some(reached) = self.reached {
            let left: Vec<PostId> = posts.iter().copied().filter(|post| *post < reached).collect();
            let keys: Vec<_> = left.iter().map(|post| key::like(user, *post)).collect();
            let found = app.table().batch_get::<Edge>(&keys, Read::Strong).await?;
            self.known.extend(left.into_iter().zip(found).filter_map(|(post, edge)| Some((post, edge?))));
        }
        Ok(self.known)
    }
}

/// The edges of this user to the posts of a page.
pub async fn among(app: &App, user: UserId, posts: &[PostId]) -> Result<HashMap<PostId, Edge>> {
    match (posts.iter().min(), posts.iter().max()) {
        (Some(oldest), Some(newest)) => {
            between(app, user, *oldest, Some(*newest)).await?.complete(app, user, posts).await
        }
        _ => Ok(HashMap::new()),
    }
}

fn entry(item: &Item) -> Result<(PostId, Edge)> {
    let post = liked_post(item.sk()).ok_or_else(|| Error::internal("a like of no post"))?;
    Ok((post, item.read()?))
}

fn liked_post(sk: &str) -> Option<PostId> {
    PostId::from_suffix(sk.strip_prefix(key::LIKE)?).ok()
}

/// What does this user like? By the posts' own time, newest first. Access pattern 14.
pub async fn by_user(
    app: &App,
    user: UserId,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<(PostId, Edge)>, Option<String>)> {
    let rows = app.table().query(&key::likes(user), Order::NewestFirst, Read::Strong, limit, after).await?;
    let entries: Vec<_> = rows.items.iter().map(entry).collect::<Result<_>>()?;
    Ok((entries.into_iter().filter(|(_, edge)| edge.is_active()).collect(), rows.next))
}

/// Removes ledger rows of a deleted post, and the edges they stand for: these first, for they are found by the rows.
pub async fn purge(app: &App, post: PostId, rows: &Rows) -> Result<()> {
    let likers = rows.items.iter().filter_map(|row| key::other_end(row.sk()));
    app.table().batch_write(likers.map(|user| Op::delete(key::like(user, post))).collect()).await?;
    let range = key::like_rows(post);
    let ledger = rows.items.iter().map(|row| Op::delete(key::ledger_row(&range, row.sk())));
    app.table().batch_write(ledger.collect()).await.map_err(Error::from)
}

/// A post's likes, newest first. Access pattern 15.
pub async fn of_post(app: &App, post: PostId, limit: usize, after: Option<&str>, read: Read) -> Result<Rows> {
    let range = key::like_rows(post);
    app.table().query(&range, Order::NewestFirst, read, limit, after).await.map_err(Error::from)
}
