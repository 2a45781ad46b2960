//! Posts.

use super::creation::{CreateError, creation};
use crate::App;
use crate::error::{Error, Result};
use crate::ids::{GroupId, PostId, UserId, parse_ulid};
use crate::models::group::Group;
use crate::models::media::Use;
use crate::models::post::{Draft, Mention, Post};
use crate::models::user::Profile;
use crate::store::edges::Edge;
use crate::store::media::Changes;
use crate::store::timelines::{self, Span};
use crate::store::users;
use crate::store::{groups, media};
use crate::table::design::{DELETED, Key, TODO, key};
use crate::table::{Condition, Item, Op, Order, Read};
use futures::future::{try_join, try_join_all, try_join3};
use std::collections::BTreeSet;

/// One post, or a comment below what is there, in a group that is there if in any, all read alike. Access pattern 9.
pub async fn get(app: &App, id: PostId, read: Read) -> Result<Option<Post>> {
    let one = async |id, read| -> Result<Option<Post>> {
        let post: Option<Post> = app.table().get(&key::post(id), read).await?;
        Ok(post.filter(|post| !post.deleted))
    };
    let above = try_join_all(id.parents().map(|id| one(id, read)));
    let (post, above, is_active) = try_join3(one(id, read), above, group_is_active(app, id, read)).await?;
    Ok(post.filter(|_| is_active && above.iter().all(Option::is_some)))
}

/// Whether the group that a post is shared in is there; costs nothing for one that is shared in none.
async fn group_is_active(app: &App, id: PostId, read: Read) -> Result<bool> {
    match id.group() {
        Some(group) => Ok(groups::get(app, group, read).await?.is_some()),
        None => Ok(true),
    }
}

/// A visible post with its author: it is there, with all that it stands below and the group that it is shared
/// in, and none of those whose these are is suspended, which is read strongly. Access patterns 9 and 30.
pub async fn get_visible(app: &App, id: PostId, read: Read) -> Result<Option<(Post, Profile)>> {
    let authors = id.authors();
    if read != Read::Strong {
        let (post, authors) = try_join(get(app, id, read), users::active(app, &authors)).await?;
        return Ok(post.zip(authors.and_then(|authors| authors.into_iter().next())));
    }
    Ok(with_ancestors(app, id, None).await?.0)
}

/// A visible post for a signed-in viewer, with their like. Both in one call, for a like is counted and marked as counted
/// at one moment: of what is read before and after it the sum would be wrong.
pub async fn get_visible_to(app: &App, id: PostId, reader: UserId) -> Result<(Option<(Post, Profile)>, Option<Edge>)> {
    let (visible, like) = with_ancestors(app, id, Some(key::like(reader, id))).await?;
    Ok((visible, like.map(|like| like.read()).transpose()?))
}

/// A post with its ancestors, authors and group, in one call, and one item more.
async fn with_ancestors(
    app: &App,
    id: PostId,
    extra_key: Option<Key>,
) -> Result<(Option<(Post, Profile)>, Option<Item>)> {
    let authors = id.authors();
    let posts = std::iter::once(id).chain(id.parents()).map(key::post);
    let keys = posts.chain(authors.iter().map(|author| key::profile(*author)));
    let mut keys: Vec<_> = keys.chain(id.group().map(key::group)).collect();
    let own = keys.len();
    keys.extend(extra_key);
    let mut found = app.table().batch_items(&keys, Read::Strong).await?;
    let extra = found.split_off(own).into_iter().flatten().next();
    let group = found.split_off(2 * authors.len()).into_iter().flatten().find_map(|item| item.readable::<Group>());
    let is_active = id.group().is_none() || group.is_some_and(|group| !group.deleted);
    let profiles = found.split_off(authors.len());
    let mut posts = Vec::new();
    for item in found.into_iter().flatten() {
        posts.extend(Some(item.read::<Post>()?).filter(|post| !post.deleted));
    }
    let profiles = profiles.into_iter().filter_map(|item| item?.readable()).filter(Profile::is_active);
    let profiles: Vec<Profile> = profiles.collect();
    let is_complete = is_active && posts.len() == authors.len() && profiles.len() == authors.len();
    Ok((posts.into_iter().zip(profiles).next().filter(|_| is_complete), extra))
}

/// Those of many posts that are there; half a unit each, and half a unit for each group that some are shared in. The
/// reader's own are read strongly, for a unit each: one's own writes show from the next request on. Access pattern 12.
pub async fn load(app: &App, ids: &[PostId], reader: Option<UserId>) -> Result<Vec<Post>> {
    let keys = |own: bool| -> Vec<_> {
        ids.iter().filter(|id| (Some(id.author) == reader) == own).map(|id| key::post(*id)).collect()
    };
    let (own, others) = (keys(true), keys(false));
    let table = app.table();
    let (own, others) =
        (table.batch_get_readable(&own, Read::Strong), table.batch_get_readable(&others, Read::Eventual));
    let posts = async { Ok(try_join(own, others).await?) };
    let ((own, others), gone) = try_join(posts, gone_groups(app, ids)).await?;
    let posts = own.into_iter().chain(others).flatten();
    let is_there = |post: &Post| !post.deleted && post.id.group().is_none_or(|group| !gone.contains(&group));
    let mut posts: Vec<Post> = posts.filter(is_there).collect();
    posts.sort_unstable_by_key(|post| std::cmp::Reverse(post.id));
    Ok(posts)
}

/// Those of the groups that these posts are shared in that are not there.
async fn gone_groups(app: &App, ids: &[PostId]) -> Result<BTreeSet<GroupId>> {
    let mut shared: BTreeSet<GroupId> = ids.iter().filter_map(|id| id.group()).collect();
    if shared.is_empty() {
        return Ok(shared);
    }
    let wanted: Vec<GroupId> = shared.iter().copied().collect();
    for group in groups::load(app, &wanted, Read::Confirmed).await? {
        shared.remove(&group.id);
    }
    Ok(shared)
}

/// What is shared in a group, newest first, and where the next page starts. Access pattern 56.
pub async fn in_group(
    app: &App,
    group: GroupId,
    limit: usize,
    after: Option<&str>,
    read: Read,
) -> Result<(Vec<Post>, Option<String>)> {
    let rows = app.table().query(&key::posts_in(group), Order::NewestFirst, read, limit, after).await?;
    Ok((rows.items.iter().filter_map(Item::readable).collect(), rows.next))
}

/// An author's posts, newest first, and where the next page starts. Access pattern 10.
pub async fn by_author(
    app: &App,
    author: UserId,
    limit: usize,
    after: Option<&str>,
    read: Read,
) -> Result<(Vec<Post>, Option<String>)> {
    let rows = app.table().query(&key::posts_by(author), Order::NewestFirst, read, limit, after).await?;
    Ok((rows.items.iter().filter_map(Item::readable).collect(), rows.next))
}

/// A list that a feed merges: an author's posts, or what is shared in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Author(UserId),
    Group(GroupId),
}

impl Source {
    /// The post of a sort key in this list.
    fn post(self, sk: &str) -> Option<PostId> {
        let place = sk.strip_prefix(key::POST)?;
        match self {
            Self::Author(author) => Some(PostId::of(parse_ulid(place).ok()?, author)),
            Self::Group(group) => {
                let post = PostId::from_suffix(place).ok()?;
                Some(PostId::shared_in(Some(group), post.ulid, post.author))
            }
        }
    }
}

/// The newest posts of a list in a span, and where reading stopped if more follow; for merging into feeds.
pub async fn newest(
    app: &App,
    source: Source,
    limit: usize,
    span: Span,
    read: Read,
) -> Result<(Vec<Post>, Option<PostId>)> {
    let (mut range, group) = match source {
        Source::Author(author) => (key::posts_by(author), None),
        Source::Group(group) => (key::posts_in(group), Some(group)),
    };
    let sk = |post: PostId| key::post(PostId::shared_in(group, post.ulid, post.author)).sk().to_owned();
    if let Some(post) = span.newer_than {
        range = range.from(&sk(post));
    }
    let after = span.older_than.map(sk);
    let rows = app.table().query(&range, Order::NewestFirst, read, limit, after.as_deref()).await?;
    let posts = rows.items.iter().filter_map(Item::readable::<Post>);
    let newer = |post: &Post| span.newer_than.is_none_or(|bound| post.id > bound);
    let stopped = rows.next.as_deref().and_then(|sk| source.post(sk));
    Ok((posts.filter(newer).collect(), stopped))
}

/// Creates a post, in one transaction with the author's own timeline row, the count of posts and, first, the idempotency
/// operation.
///
/// # Errors
/// [`CreateError::IdempotencyKeyUsed`] when the idempotency key is used already.
pub async fn create(app: &App, post: &Post, idempotency_op: Option<Op>) -> Result<(), CreateError> {
    let author = post.id.author;
    let counted = match post.id.group() {
        None => count_op(author, 1),
        // Nobody shares anything in a group that they have left, or were removed from, at the same moment.
        Some(group) => Op::check(key::membership(author, group), Condition::Exists),
    };
    let [item, row] = create_ops(post)?;
    creation(idempotency_op)
        .op(item)
        .op(row)
        .op_or(counted, Error::not_found().into())
        .ops_or(media::attach(&post.media, Use::Post(post.id)), || media::not_attachable().into())
        .commit(app.table())
        .await
}

/// The writes that make a post, but for its count.
pub(super) fn create_ops(post: &Post) -> Result<[Op; 2]> {
    let mut op = Op::create(key::post(post.id), post)?;
    if post.id.group().is_some() {
        op = op.owned_by(post.id.author);
    }
    Ok([op, timelines::row(post.id.author, post.id)?])
}

/// The write that counts an author's posts: those that are shared in no group, for the author's page shows no others.
pub(super) fn count_op(author: UserId, n: i64) -> Op {
    let op = Op::update(key::account(author)).add("posts", n);
    op.when(if n > 0 { users::live() } else { Condition::Exists })
}

/// Puts what a post is to say over the version it was made from. None when the post changed meanwhile or is gone.
///
/// # Errors
/// 422 when something of the media is otherwise by now.
pub async fn edit(app: &App, old: &Post, draft: Draft) -> Result<Option<Post>> {
    let Draft { content, hashtags, mentions, media } = draft;
    let Changes { added, removed } = media::changes(&old.media, &media);
    let edited = app.now();
    let op = Op::update(key::post(old.id))
        .set("content", &content)
        .set("hashtags", &hashtags)
        .set("mentions", &mentions)
        .set("edited", edited)
        .set(TODO, true)
        .add("ver", 1)
        .when(Condition::equal("ver", old.ver))
        .when(Condition::Without(DELETED));
    if media == old.media {
        return match app.table().write(op).await {
            Ok(item) => Ok(item.map(|item| item.read()).transpose()?),
            Err(error) => error.refused().map(|_| None),
        };
    }
    let mut ops = vec![op.set("media", &media)];
    ops.extend(media::attach(&added, Use::Post(old.id)));
    ops.extend(removed.into_iter().map(media::soft_delete));
    let Err(error) = app.table().transact(ops).await else {
        let (edited, ver) = (Some(edited), old.ver + 1);
        return Ok(Some(Post { content, hashtags, mentions, media, edited, ver, todo: true, ..old.clone() }));
    };
    match error.refused()?.has(0) {
        true => Ok(None),
        false => Err(media::not_attachable()),
    }
}

/// What follows from an edit is on its way: takes off the mark by which the stream's consumer knew of it, unless there
/// was another edit since.
pub async fn followed_up(app: &App, id: PostId, ver: u64) -> Result<()> {
    let op = Op::update(key::post(id)).remove(TODO).when(Condition::equal("ver", ver));
    // A transaction leaves the edit's own name in the item, by which the edit knows itself if its answer is lost.
    match app.table().transact(vec![op]).await {
        Ok(()) => Ok(()),
        Err(error) => error.refused().map(|_| ()),
    }
}

/// Deletes a post with the author's own timeline row, counts it down, and lets go of its pictures. False when it is gone
/// or changed meanwhile.
pub async fn delete(app: &App, post: &Post) -> Result<bool> {
    match app.table().transact(removal(post, Condition::equal("ver", post.ver))).await {
        Ok(()) => Ok(true),
        Err(error) => error.refused().map(|_| false),
    }
}

/// Deletes posts of one author that were read just now, at most [`TOGETHER`], with all that goes with each. What changed
/// meanwhile may stay.
pub async fn delete_all(app: &App, author: UserId, posts: &[Post]) -> Result<()> {
    if posts.is_empty() {
        return Ok(());
    }
    let mut ops = vec![count_op(author, -i64::try_from(posts.len()).map_err(Error::internal)?)];
    for post in posts {
        ops.extend([
            Op::delete(key::post(post.id)).when(Condition::Exists),
            Op::delete(key::timeline_row(author, post.id)),
        ]);
        ops.extend(post.media.iter().map(|one| media::soft_delete(one.id)));
    }
    let Err(error) = app.table().transact(ops).await else { return Ok(()) };
    error.refused()?;
    for post in posts {
        delete(app, post).await?;
    }
    Ok(())
}

/// Each takes six operations at most, and their count one.
pub const TOGETHER: usize = 15;

/// Removes a user from a post's mentions; its text stays as it is. What the post is found by is to be made anew then;
/// nothing else follows, for to the others whom it mentions it is no news.
pub async fn remove_mention(app: &App, id: PostId, user: UserId) -> Result<()> {
    let found: Option<Post> = app.table().get(&key::post(id), Read::Strong).await?;
    let Some(post) = found.filter(|post| post.mentions.iter().any(|one| one.id == user)) else { return Ok(()) };
    let left: Vec<Mention> = post.mentions.into_iter().filter(|one| one.id != user).collect();
    // A new version, by which the index knows that there is something to do.
    let op = Op::update(key::post(id)).set("mentions", left).add("ver", 1);
    match app.table().write(op.when(Condition::equal("ver", post.ver))).await {
        Ok(_) => Ok(()),
        Err(error) => error.refused().map(|_| ()),
    }
}

/// The writes that delete a post, if it is as the condition says.
pub(super) fn removal(post: &Post, condition: Condition) -> Vec<Op> {
    let id = post.id;
    let gone = Op::delete(key::post(id)).when(condition);
    let mut ops = vec![gone, Op::delete(key::timeline_row(id.author, id))];
    if id.group().is_none() {
        ops.push(count_op(id.author, -1));
    }
    ops.extend(post.media.iter().map(|one| media::soft_delete(one.id)));
    ops
}
