//! Posts that wait for their time.

use super::fields::{FieldValue, Refusal, text};
use super::post::Draft;
use crate::clock::Timestamp;
use crate::error::FieldError;
use crate::ids::{PostId, ScheduledId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use ulid::Ulid;

/// The furthest time a post may wait for.
pub const FURTHEST: Duration = Duration::from_secs(365 * 24 * 3600);
/// Once it is out, it tells its post's id for so long.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Posts of one account that may wait at once.
pub const MAX_WAITING: u64 = 300;

/// A post that waits, or lately did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduled {
    pub id: ScheduledId,
    #[serde(flatten)]
    pub draft: Draft,
    /// When it is due.
    pub at: Timestamp,
    /// Raised by each edit; what `If-Match` compares.
    pub ver: u64,
    /// What it became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<PostId>,
    /// Seconds since the epoch; once it is out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
}

impl Scheduled {
    pub const fn new(id: ScheduledId, draft: Draft, at: Timestamp) -> Self {
        Self { id, draft, at, ver: 1, post: None, ttl: None }
    }
}

/// That a post is due, by its key: `at`, whose, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Due {
    pub at: Timestamp,
    pub user: UserId,
    pub id: ScheduledId,
}

/// How far the publisher has come, and who is at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publisher {
    /// Hours since the epoch: nothing is due in those before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<u64>,
    /// The run that is at it …
    pub run: Ulid,
    /// … until this moment, unless it says so again.
    pub until: Timestamp,
}

/// `publish_at`, as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishAt(Timestamp);

impl PublishAt {
    /// The time, if a post may wait for it.
    ///
    /// # Errors
    /// The field's.
    pub fn checked(self, now: Timestamp) -> Result<Timestamp, FieldError> {
        let refused = |code, detail| Err(FieldError::new("publish_at", code, detail));
        if self.0 <= now {
            return refused("in_past", "This must be in the future.");
        }
        if self.0 > now + FURTHEST {
            return refused("too_far", "At most a year from now.");
        }
        Ok(self.0)
    }
}

impl FieldValue for PublishAt {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        let at = Timestamp::from_rfc3339(text(value)?);
        at.map(Self).ok_or_else(|| ("invalid_time", "This must be a time such as 2026-11-20T20:30:00Z.".into()))
    }
}
