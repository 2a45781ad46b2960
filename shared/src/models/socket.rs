//! Open sockets.

use crate::clock::Timestamp;
use crate::ids::{SessionId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// Sockets an account may have open, of both channels together; opening one more closes the oldest.
pub const MAX_SOCKETS: usize = 10;
/// API Gateway closes a WebSocket after this long ("Quotas for configuring and running a WebSocket API").
pub const SOCKET_LIFETIME: Duration = Duration::from_secs(2 * 3600);
/// API Gateway closes a WebSocket that is idle for this long (same page).
pub const SOCKET_IDLE: Duration = Duration::from_secs(10 * 60);
/// How often a client should send a ping: half of what a socket may be idle for.
pub const PING_EVERY: Duration = Duration::from_secs(5 * 60);
/// A socket as young as this may not have been told yet that it is open, and can't be pushed to: that it is gone is
/// not believed.
pub const SOCKET_OPENING: Duration = Duration::from_secs(10);

/// What a socket tells of: a stage of the WebSocket API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    Notifications,
    ActivityLog,
}

impl Channel {
    pub const ALL: [Self; 2] = [Self::Notifications, Self::ActivityLog];

    /// The stage's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notifications => "notifications",
            Self::ActivityLog => "activity-log",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == name)
    }
}

/// One open socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    pub user: UserId,
    /// Which of the user's places it has, below [`MAX_SOCKETS`].
    pub slot: usize,
    /// API Gateway's name for it.
    pub id: String,
    pub channel: Channel,
    /// The session that opened it, and with which it ends.
    pub session: SessionId,
    pub opened: Timestamp,
    /// Seconds since the epoch.
    pub ttl: u64,
}

impl Socket {
    /// It may not have been told yet that it is open.
    pub fn is_opening(&self, now: Timestamp) -> bool {
        now.since(self.opened) < SOCKET_OPENING
    }
}

/// Whose a socket is: all that is known when it closes is its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketOwner {
    pub user: UserId,
    pub slot: usize,
    /// Seconds since the epoch.
    pub ttl: u64,
}

/// What a socket is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    /// What happened.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The event's id: the same one whenever it is told.
    pub id: String,
    /// The how-manieth of its channel the user is told; none for what no list keeps.
    pub seq: Option<u64>,
    /// RFC 3339, UTC, with milliseconds.
    pub created_at: String,
    pub data: Value,
}

impl Message {
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
