//! Notifications.

use crate::ids::{NotificationId, PostId, UserId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

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
}

impl NotificationKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Follow => "follow",
            Self::Like => "like",
        }
    }
}

/// One notification in the list: alike events in one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    pub owner: UserId,
    /// The first event's id.
    pub id: NotificationId,
    pub kind: NotificationKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<PostId>,
    /// The latest few who did it, latest first.
    pub actors: Vec<UserId>,
    /// How many did it.
    pub n: u64,
    /// The latest event's id.
    pub last: NotificationId,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read: bool,
    /// Seconds since the epoch.
    pub ttl: u64,
}

/// One event, as `?after=` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationEvent {
    pub owner: UserId,
    pub id: NotificationId,
    pub kind: NotificationKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<PostId>,
    pub actor: UserId,
    /// Seconds since the epoch.
    pub ttl: u64,
}

/// How many are unread, and up to where all are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadMark {
    #[serde(default)]
    pub unread: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upto: Option<NotificationId>,
}
