//! Keys of notifications, reports, the activity log and open sockets.

use super::user;
use crate::clock::Timestamp;
use crate::ids::{ActivityId, NotificationId, PostId, ReportId, UserId};
use crate::models::notification::{NotificationKind, Topic};
use crate::models::report::ReportStatus;
use crate::table::design::{Key, Range};
use ulid::Ulid;

pub fn read_mark(owner: UserId) -> Key {
    Key::new(user(owner), "NM")
}

pub fn notification(owner: UserId, id: NotificationId) -> Key {
    Key::new(user(owner), format!("NT#{}", id.ulid()))
}

pub fn notifications(owner: UserId) -> Range {
    Range::starting(user(owner), "NT#")
}

fn partition(owner: UserId) -> String {
    format!("NE#{}", owner.ulid())
}

pub fn notification_event(owner: UserId, id: NotificationId) -> Key {
    Key::new(partition(owner), format!("E#{}", id.ulid()))
}

pub fn notification_events(owner: UserId) -> Range {
    Range::starting(partition(owner), "E#")
}

/// What alike acts are about.
pub struct NotificationTarget(String);

impl From<Option<PostId>> for NotificationTarget {
    fn from(post: Option<PostId>) -> Self {
        Self(post.map(PostId::suffix).unwrap_or_default())
    }
}

impl From<&Topic> for NotificationTarget {
    fn from(topic: &Topic) -> Self {
        topic.group.map_or_else(|| topic.post.into(), |group| Self(group.ulid().to_string()))
    }
}

fn target(kind: NotificationKind, about: impl Into<NotificationTarget>) -> String {
    format!("{}#{}", kind.as_str(), about.into().0)
}

pub fn notification_done(
    owner: UserId,
    kind: NotificationKind,
    about: impl Into<NotificationTarget>,
    actor: UserId,
) -> Key {
    Key::new(partition(owner), format!("D#{}#{}", target(kind, about), actor.ulid()))
}

/// Everything stored for a user.s notifications.
pub fn notification_rows(owner: UserId) -> Range {
    Range::starting(partition(owner), "")
}

/// Actors already notified about, for one kind and post.
pub fn notifications_done(owner: UserId, kind: NotificationKind, post: PostId) -> Range {
    Range::starting(partition(owner), &format!("D#{}#", target(kind, Some(post))))
}

pub fn notification_group(owner: UserId, kind: NotificationKind, about: impl Into<NotificationTarget>) -> Key {
    Key::new(partition(owner), format!("G#{}", target(kind, about)))
}

/// That somebody has reported a post.
pub fn reported(post: PostId, reporter: UserId) -> Key {
    Key::new(format!("R#{}", post.suffix()), reporter.ulid().to_string())
}

pub fn report(status: ReportStatus, id: ReportId) -> Key {
    Key::new(reports(status).pk, id.ulid().to_string())
}

pub fn reports(status: ReportStatus) -> Range {
    Range::starting(format!("RQ#{}", status.as_str()), "")
}

/// An entry of the log of moderation, in the month of its id.
pub fn moderation(id: Ulid) -> Key {
    let at = Timestamp::from_millis(id.timestamp_ms()).rfc3339();
    Key::new(format!("ML#{}", at.get(.."2026-11".len()).unwrap_or_default()), id.to_string())
}

/// The entries of a month, such as `2026-11`.
pub fn moderations(month: &str) -> Range {
    Range::starting(format!("ML#{month}"), "")
}

/// That a deleted account's name was appointed: a keyed hash of the name, so that its next holder is not made a moderator.
pub fn held_moderator(hash: &str) -> Key {
    Key::new(format!("MOD#{hash}"), "MOD")
}

/// One of a user's few places for open sockets.
pub fn socket(user_id: UserId, slot: usize) -> Key {
    Key::new(user(user_id), format!("{SOCKET}{slot:02}"))
}

pub const SOCKET: &str = "W#";

pub fn sockets(user_id: UserId) -> Range {
    Range::starting(user(user_id), SOCKET)
}

/// Whose a socket is, by API Gateway's name for it.
pub fn socket_owner(id: &str) -> Key {
    Key::new(format!("WS#{id}"), "WS")
}

/// What somebody did, or who signed in as them.
pub fn activity(user: UserId, id: ActivityId) -> Key {
    Key::new(activities(user).pk, id.ulid().to_string())
}

pub fn activities(user: UserId) -> Range {
    Range::starting(format!("AL#{}", user.ulid()), "")
}
