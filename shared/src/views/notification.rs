//! Notifications as their owner sees them.

mod visible;

use super::media::Links;
use super::user::UserCard;
use crate::App;
use crate::error::Result;
use crate::http::Bearer;
use crate::ids::{GroupId, NotificationId, PostId, UserId};
use crate::models::group::Role;
use crate::models::notification::{Notification, NotificationEvent, NotificationKind, Notified, ReadMark, Topic};
use crate::models::socket::Message;
use crate::models::user::Profile;
use crate::models::viewer::Viewer;
use crate::store::{notifications, user_cards};
use crate::visibility::{self, ContentOwner, Visibility};
use futures::future::{try_join, try_join3};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use visible::VisibleNotification;

/// Rows read at once in search of unread ones, and how often that is done for one page.
const SEARCHED: usize = 100;
const SEARCHES: usize = 4;
/// The count of unread ones goes no further: each costs a read or two.
pub const MOST_UNREAD: usize = 100;

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
    /// The post it is about, or the comment; null for a follow, and for what concerns a group.
    #[schema(required = true)]
    pub post_id: Option<PostId>,
    /// The group, where it concerns one.
    #[schema(required = true)]
    pub group_id: Option<GroupId>,
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
    /// The post it is about, or the comment; null for a follow, and for what concerns a group.
    #[schema(required = true)]
    pub post_id: Option<PostId>,
    /// The group, where it concerns one.
    #[schema(required = true)]
    pub group_id: Option<GroupId>,
    /// The comment, where the kind is `comment`.
    #[schema(required = true)]
    pub comment_id: Option<PostId>,
    pub read: bool,
    /// The how-manieth that sockets are told; null where the settings want no such.
    #[schema(required = true, example = 7)]
    pub seq: Option<u64>,
    /// RFC 3339, UTC, with milliseconds.
    #[schema(format = DateTime)]
    pub created_at: String,
}

type Cards = HashMap<UserId, Arc<Profile>>;

/// Whether its owner still may know of what it is about: they may have left the group since, or one of those whom the
/// post stands below blocks them now.
fn may_read(visibility: &Visibility<'_>, kind: NotificationKind, post: Option<PostId>, group: Option<GroupId>) -> bool {
    let group_too = group.is_none_or(|group| match kind {
        NotificationKind::GroupRequest => visibility.role_in(group).is_some_and(Role::moderates),
        NotificationKind::GroupAccepted => visibility.role_in(group).is_some(),
        _ => true,
    });
    group_too && post.is_none_or(|post| visibility.can_see_post(post))
}

/// What is to be asked of what somebody is told: who did it, and to what.
fn subjects(actors: &[UserId], post: Option<PostId>, group: Option<GroupId>) -> impl Iterator<Item = ContentOwner> {
    let about = post.into_iter().flat_map(visibility::of_post).chain(group.map(ContentOwner::from));
    actors.iter().copied().map(ContentOwner::from).chain(about)
}

impl NotificationView {
    fn new(
        VisibleNotification { notification, actors, actors_count, comment }: VisibleNotification,
        mark: &ReadMark,
        cards: &Cards,
        links: &Links,
    ) -> Self {
        let actors = actors.iter().filter_map(|id| cards.get(id));
        Self {
            actors: actors.map(|profile| UserCard::new(profile, links)).collect(),
            read: notification.is_read(mark),
            id: notification.id,
            kind: notification.kind,
            actors_count,
            post_id: notification.post,
            group_id: notification.group,
            comment_id: comment,
            created_at: notification.id.created_at().rfc3339(),
            updated_at: notification.last.created_at().rfc3339(),
        }
    }
}

/// How many unread notifications the list shows, up to [`MOST_UNREAD`].
pub async fn unread_count(app: &App, viewer: &Viewer, mark: &ReadMark) -> Result<u64> {
    // It counts what was told and not read, of which some may not show.
    if mark.unread == 0 {
        return Ok(0);
    }
    let (_, found, _) = unread(app, viewer.id, MOST_UNREAD, None).await?;
    visible::count(app, viewer, found).await
}

/// A page of the list, newest first, and where the next one starts.
pub async fn page(
    app: &App,
    bearer: &Bearer,
    unread_only: bool,
    limit: usize,
    after: Option<String>,
) -> Result<(Vec<NotificationView>, Option<String>)> {
    let owner = bearer.id();
    let found = async {
        if unread_only {
            return unread(app, owner, limit, after).await;
        }
        let list = notifications::page(app, owner, limit, after.as_deref());
        let (mark, (found, next)) = try_join(notifications::read_mark(app, owner), list).await?;
        Ok((mark, found, next))
    };
    let (viewer, (mark, found, next)) = try_join(bearer.viewer(app), found).await?;
    Ok((present(app, &viewer, &mark, found, &Links::new(app)?).await?, next))
}

/// A page of all of them for an archive, newest first, and where the next one starts.
pub async fn archived(
    app: &App,
    viewer: &Viewer,
    limit: usize,
    after: Option<&str>,
    links: &Links,
) -> Result<(Vec<NotificationView>, Option<String>)> {
    let list = notifications::page(app, viewer.id, limit, after);
    let (mark, (found, next)) = try_join(notifications::read_mark(app, viewer.id), list).await?;
    Ok((present(app, viewer, &mark, found, links).await?, next))
}

async fn present(
    app: &App,
    viewer: &Viewer,
    mark: &ReadMark,
    found: Vec<Notification>,
    links: &Links,
) -> Result<Vec<NotificationView>> {
    let (visible, cards) = visible::visible(app, viewer, found).await?;
    Ok(visible.into_iter().map(|one| NotificationView::new(one, mark, &cards, links)).collect())
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
/// gone, or of whom the owner wants to hear nothing, are left out.
pub async fn events(
    app: &App,
    bearer: &Bearer,
    since: NotificationId,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<NotificationEventView>, Option<String>)> {
    let owner = bearer.id();
    let found = notifications::after(app, owner, since, limit, after);
    let (viewer, (found, next)) = try_join(bearer.viewer(app), found).await?;
    let groups: HashSet<_> = found.iter().map(|event| event.group).collect();
    let groups: Vec<_> = groups.into_iter().collect();
    let (mark, groups, (visible, cards)) = try_join3(
        notifications::read_mark(app, owner),
        notifications::load(app, owner, &groups),
        visible::events(app, &viewer, &found),
    )
    .await?;
    let read: HashSet<_> = groups.iter().filter(|group| group.is_read(&mark)).map(|group| group.id).collect();
    let links = Links::new(app)?;
    let view = |event: NotificationEvent| {
        visible.contains(&visible::act_of(&event)).then_some(())?;
        Some(NotificationEventView {
            id: event.id,
            notification_id: event.group,
            kind: event.kind,
            actor: UserCard::new(cards.get(&event.actor)?, &links),
            post_id: event.post,
            group_id: event.of,
            comment_id: event.comment,
            read: read.contains(&event.group),
            seq: event.seq,
            created_at: event.id.created_at().rfc3339(),
        })
    };
    Ok((found.into_iter().filter_map(view).collect(), next))
}

/// What sockets are told of these: `data` is the event as [`events`] has it.
pub async fn messages(app: &App, topic: &Topic, notified: &[Notified]) -> Result<Vec<Message>> {
    let cards = user_cards::load(app, notified.iter().map(|one| one.act.actor).collect::<Vec<_>>()).await?;
    let links = Links::new(app)?;
    let message = |one: &Notified| {
        let event = NotificationEventView {
            id: one.id,
            notification_id: one.group.unwrap_or(one.id),
            kind: topic.kind,
            actor: UserCard::new(cards.get(&one.act.actor)?, &links),
            post_id: topic.post,
            comment_id: topic.comment(&one.act),
            group_id: topic.group,
            read: false,
            seq: one.seq,
            created_at: one.id.created_at().rfc3339(),
        };
        Some(Message {
            kind: topic.kind.as_str(),
            id: one.id.to_string(),
            seq: one.seq,
            created_at: event.created_at.clone(),
            data: serde_json::to_value(event).ok()?,
        })
    };
    Ok(notified.iter().filter_map(message).collect())
}
