//! Notifications.

use super::fields::{FieldValue, Refusal, text};
use super::settings::Ways;
use crate::clock::Timestamp;
use crate::ids::{GroupId, NotificationId, PostId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use ulid::Ulid;

/// Notifications are kept this long.
pub const NOTIFICATION_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
/// Alike events join one notification while it is unread and not older than this.
pub const GROUP_WINDOW: Duration = Duration::from_secs(24 * 3600);
/// Actors a grouped notification names.
pub const NAMED_ACTORS: usize = 3;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// Someone followed me.
    Follow,
    /// Someone liked my post.
    Like,
    /// Someone commented on my post, or replied to my comment.
    Comment,
    /// Someone named me in a post or a comment.
    Mention,
    /// Someone asks to join a group that I own or moderate.
    GroupRequest,
    /// I was let into a group.
    GroupAccepted,
}

impl NotificationKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Follow => "follow",
            Self::Like => "like",
            Self::Comment => "comment",
            Self::Mention => "mention",
            Self::GroupRequest => "group_request",
            Self::GroupAccepted => "group_accepted",
        }
    }

    /// Under which name the settings have its ways.
    pub const fn setting(self) -> &'static str {
        match self {
            Self::GroupRequest | Self::GroupAccepted => "group",
            other => other.as_str(),
        }
    }

    pub const ALL: [Self; 6] =
        [Self::Follow, Self::Like, Self::Comment, Self::Mention, Self::GroupRequest, Self::GroupAccepted];
}

/// What alike acts have in common, so that one notification tells of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    pub kind: NotificationKind,
    /// Whom it concerns.
    pub owner: UserId,
    pub post: Option<PostId>,
    /// Of what concerns a group itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
}

impl Topic {
    /// The comment that an act is.
    pub fn comment(&self, act: &Act) -> Option<PostId> {
        let on = self.post.filter(|_| self.kind == NotificationKind::Comment)?;
        on.comment(act.event, act.actor)
    }
}

/// Somebody's doing that concerns somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    pub actor: UserId,
    /// Its own id, by which a repeated message is known.
    pub event: Ulid,
}

/// One notification in the list: alike events in one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The first event's id.
    pub id: NotificationId,
    pub kind: NotificationKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<PostId>,
    /// Of what concerns a group itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    /// The latest comment it tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<PostId>,
    /// The latest few who did it, latest first.
    pub actors: Vec<UserId>,
    /// Its events.
    pub n: u64,
    /// Those of them whose actor did the same before.
    #[serde(default)]
    pub again: u64,
    /// The latest event's id.
    pub last: NotificationId,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read: bool,
    /// Seconds since the epoch.
    pub ttl: u64,
}

impl Notification {
    /// One that no event has joined yet.
    pub const fn opened(id: NotificationId, topic: &Topic, ttl: u64) -> Self {
        let Topic { kind, owner: _, post, group } = *topic;
        Self { id, kind, post, group, comment: None, actors: Vec::new(), n: 0, again: 0, last: id, read: false, ttl }
    }

    pub fn is_read(&self, mark: &ReadMark) -> bool {
        self.read || mark.covers(self.id)
    }

    /// An event joins; `again` where its actor did the same before.
    pub fn join(&mut self, event: &NotificationEvent, again: bool) {
        self.actors.retain(|other| *other != event.actor);
        self.actors.insert(0, event.actor);
        self.actors.truncate(NAMED_ACTORS);
        self.n += 1;
        self.again += u64::from(again);
        self.comment = event.comment;
        self.last = event.id;
    }
}

/// One event, as `?after=` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationEvent {
    pub id: NotificationId,
    /// The notification it is part of.
    pub group: NotificationId,
    pub kind: NotificationKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<PostId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<PostId>,
    /// Of what concerns a group itself: which.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "in")]
    pub of: Option<GroupId>,
    pub actor: UserId,
    /// The how-manieth of those that sockets are told; none where the owner wants no such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Seconds since the epoch.
    pub ttl: u64,
}

/// An act that was told, now or by an earlier delivery of the same message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notified {
    pub act: Act,
    pub id: NotificationId,
    /// The notification it is part of; none where the owner wants no list of such.
    pub group: Option<NotificationId>,
    pub seq: Option<u64>,
    /// A mail told it, too.
    pub mailed: bool,
}

/// The notification that alike events join, as long as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationGroup {
    pub id: NotificationId,
    /// Seconds since the epoch.
    pub ttl: u64,
}

/// That somebody was told of an act, or wanted no list of such.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationDone {
    /// The act; a later one of the same kind, target and actor is no news.
    pub event: Ulid,
    /// The id that the event was notified under, for a redelivered message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<NotificationId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<NotificationId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Whether a mail told it too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mailed: bool,
    /// Seconds since the epoch.
    pub ttl: u64,
}

/// How many are unread, up to where all are read, and the newest there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadMark {
    #[serde(default)]
    pub unread: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upto: Option<NotificationId>,
    /// The newest event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<NotificationId>,
    /// How many events sockets were told.
    #[serde(default)]
    pub seq: u64,
    /// How many rows of the activity log sockets were told.
    #[serde(default)]
    pub acts: u64,
}

impl NotificationDone {
    /// The act as it was notified, if this is that act.
    pub fn notified(&self, act: &Act) -> Option<Notified> {
        (self.event == act.event).then(|| Notified {
            act: *act,
            id: self.id.unwrap_or(NotificationId::from_ulid(act.event)),
            group: self.group,
            seq: self.seq,
            mailed: self.mailed,
        })
    }
}

impl ReadMark {
    /// Notes that the owner is notified of an act.
    pub fn notify(&mut self, act: &Act, ways: Ways, now: Timestamp) -> Notified {
        let id = if ways.list { self.next_id(act.event, now) } else { NotificationId::from_ulid(act.event) };
        let counts = ways.list && ways.live;
        self.seq += u64::from(counts);
        Notified { act: *act, id, group: None, seq: counts.then_some(self.seq), mailed: false }
    }

    /// Whether all up to this one are read.
    pub fn covers(&self, id: NotificationId) -> bool {
        self.upto.is_some_and(|upto| id <= upto)
    }

    /// The id of the event told next, which is the newest from now on: the act's own, unless a later one was told
    /// before it. So ids grow in the order of notifying, and a client that asks for what is newer than its last one
    /// misses nothing.
    pub fn next_id(&mut self, event: Ulid, now: Timestamp) -> NotificationId {
        let own = NotificationId::from_ulid(event);
        let id = match self.last {
            // The very next one where many are told in a millisecond: ids of a hot post don't run ahead of the clock.
            Some(last) if own <= last => NotificationId::new(now).max(following(last)),
            _ => own,
        };
        self.last = Some(id);
        id
    }
}

/// The smallest id that is greater: its neighbour, in the next millisecond where there is none.
fn following(id: NotificationId) -> NotificationId {
    NotificationId::from_ulid(Ulid(id.ulid().0.saturating_add(1)))
}

impl FieldValue for NotificationId {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        text(value)?.parse().map_err(|_| ("invalid_id", "This is not a notification's id.".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_in_the_order_of_telling() {
        let ulid = |ms| crate::ids::new_ulid(Timestamp::from_millis(ms));
        let now = Timestamp::from_millis(5_000);
        let early = ulid(1_000);
        assert_eq!(ReadMark::default().next_id(early, now).ulid(), early);
        for last in [ulid(2_000), ulid(5_000), ulid(9_000), Ulid::from_parts(5_000, u128::MAX)] {
            let last = NotificationId::from_ulid(last);
            let mut mark = ReadMark { upto: Some(last), last: Some(last), ..ReadMark::default() };
            let (told, then) = (mark.next_id(early, now), mark.next_id(early, now));
            assert!(told > last && then > told && !mark.covers(told), "{last} {told} {then}");
            assert_eq!(mark.last, Some(then));
        }
    }

    #[test]
    fn a_group_names_the_latest_few() {
        let user = |n: u128| UserId::from_ulid(Ulid::from_parts(1, n));
        let id = NotificationId::from_ulid(Ulid::from_parts(1, 1));
        let kind = NotificationKind::Follow;
        let actors = vec![user(3), user(2), user(1)];
        let mut group = Notification {
            id,
            kind,
            post: None,
            group: None,
            comment: None,
            actors,
            n: 3,
            again: 0,
            last: id,
            read: false,
            ttl: 0,
        };
        let last = following(id);
        let event = |actor| NotificationEvent {
            id: last,
            group: id,
            kind,
            post: None,
            comment: None,
            of: None,
            actor,
            seq: None,
            ttl: 0,
        };
        group.join(&event(user(4)), false);
        assert_eq!(group.actors, [user(4), user(3), user(2)]);
        group.join(&event(user(3)), true);
        assert_eq!(group.actors, [user(3), user(4), user(2)]);
        assert_eq!((group.n, group.again, group.last), (5, 1, last));
    }
}
