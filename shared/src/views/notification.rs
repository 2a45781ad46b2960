//! Notifications as their owner sees them.

use super::media::Links;
use super::user::UserCard;
use crate::App;
use crate::error::Result;
use crate::ids::{NotificationId, PostId, UserId};
use crate::models::notification::{Notification, NotificationEvent, NotificationKind, ReadMark};
use crate::models::user::Profile;
use crate::store::{cards, notifications};
use futures::future::{try_join, try_join3};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Rows read at once in search of unread ones, and how often that is done for one page.
const SEARCHED: usize = 100;
const SEARCHES: usize = 4;

/// One notification: alike events in one.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct NotificationView {
    pub id: NotificationId,
    pub kind: NotificationKind,
    /// The latest who did it, latest first; at most three.
    #[schema(max_items = 3)]
    pub actors: Vec<UserCard>,
    /// How many did it.
    #[schema(example = 1)]
    pub actors_count: u64,
    /// The post it is about, or the comment; null for a follow.
    #[schema(required = true)]
    pub post_id: Option<PostId>,
    /// The latest comment, where the kind is `comment`.
    #[schema(required = true)]
    pub comment_id: Option<PostId>,
    pub read: bool,
    /// RFC 3339, UTC, with milliseconds.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When the latest joined.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// One event.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct NotificationEventView {
    pub id: NotificationId,
    /// The notification it is part of.
    pub notification_id: NotificationId,
    pub kind: NotificationKind,
    pub actor: UserCard,
    /// The post it is about, or the comment; null for a follow.
    #[schema(required = true)]
    pub post_id: Option<PostId>,
    /// The comment, where the kind is `comment`.
    #[schema(required = true)]
    pub comment_id: Option<PostId>,
    pub read: bool,
    /// RFC 3339, UTC, with milliseconds.
    #[schema(format = DateTime)]
    pub created_at: String,
}

type Cards = HashMap<UserId, Arc<Profile>>;

impl NotificationView {
    fn new(notification: Notification, mark: &ReadMark, cards: &Cards, links: &Links) -> Self {
        let actors = notification.actors.iter().filter_map(|id| cards.get(id));
        Self {
            actors: actors.map(|profile| UserCard::new(profile, links)).collect(),
            read: notification.is_read(mark),
            id: notification.id,
            kind: notification.kind,
            actors_count: notification.n - notification.again.min(notification.n),
            post_id: notification.post,
            comment_id: notification.comment,
            created_at: notification.id.created_at().rfc3339(),
            updated_at: notification.last.created_at().rfc3339(),
        }
    }
}

/// A page of the list, newest first, and where the next one starts.
///
/// # Errors
/// Unavailable.
pub async fn page(
    app: &App,
    owner: UserId,
    unread_only: bool,
    limit: usize,
    after: Option<String>,
) -> Result<(Vec<NotificationView>, Option<String>)> {
    let (mark, found, next) = match unread_only {
        true => unread(app, owner, limit, after).await?,
        false => {
            let list = notifications::page(app, owner, limit, after.as_deref());
            let (mark, (found, next)) = try_join(notifications::read_mark(app, owner), list).await?;
            (mark, found, next)
        }
    };
    let cards = cards::load(app, found.iter().flat_map(|one| one.actors.iter().copied())).await?;
    let links = Links::new(app)?;
    Ok((found.into_iter().map(|one| NotificationView::new(one, &mark, &cards, &links)).collect(), next))
}

/// Looks for unread ones, a bounded number of rows: a page may come out short, its cursor goes on all the same.
async fn unread(
    app: &App,
    owner: UserId,
    limit: usize,
    mut after: Option<String>,
) -> Result<(ReadMark, Vec<Notification>, Option<String>)> {
    let mark = notifications::read_mark(app, owner).await?;
    let mut kept = Vec::new();
    for _ in 0..SEARCHES {
        let (rows, next) = notifications::page(app, owner, SEARCHED, after.as_deref()).await?;
        // All that is older is read.
        let last = next.is_none() || rows.last().is_some_and(|row| mark.covers(row.id));
        kept.extend(rows.into_iter().filter(|row| !row.is_read(&mark)));
        if kept.len() > limit {
            kept.truncate(limit);
            let next = kept.last().map(|row| notifications::position(owner, row.id));
            return Ok((mark, kept, next));
        }
        after = next.filter(|_| !last);
        if after.is_none() {
            break;
        }
    }
    Ok((mark, kept, after))
}

/// A page of single events newer than `since`, oldest first, and where the next one starts. Those of somebody who is
/// gone are left out.
///
/// # Errors
/// Unavailable.
pub async fn events(
    app: &App,
    owner: UserId,
    since: NotificationId,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<NotificationEventView>, Option<String>)> {
    let (found, next) = notifications::after(app, owner, since, limit, after).await?;
    let groups: HashSet<_> = found.iter().map(|event| event.group).collect();
    let groups: Vec<_> = groups.into_iter().collect();
    let (mark, groups, cards) = try_join3(
        notifications::read_mark(app, owner),
        notifications::load(app, owner, &groups),
        cards::load(app, found.iter().map(|event| event.actor)),
    )
    .await?;
    let read: HashSet<_> = groups.iter().filter(|group| group.is_read(&mark)).map(|group| group.id).collect();
    let links = Links::new(app)?;
    let view = |event: NotificationEvent| {
        Some(NotificationEventView {
            id: event.id,
            notification_id: event.group,
            kind: event.kind,
            actor: UserCard::new(cards.get(&event.actor)?, &links),
            post_id: event.post,
            comment_id: event.comment,
            read: read.contains(&event.group),
            created_at: event.id.created_at().rfc3339(),
        })
    };
    Ok((found.into_iter().filter_map(view).collect(), next))
}
