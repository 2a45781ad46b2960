//! Posts that wait for their time.

use super::fields::{FieldValue, Refusal, text};
use super::post::Draft;
use crate::clock::Timestamp;
use crate::error::FieldError;
use crate::ids::{PostId, ScheduledId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
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
pub struct DueEntry {
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

/// `+0200`, as ISO 8601 has it too, as `+02:00`.
fn with_colon(time: &str) -> Cow<'_, str> {
    let offset = time
        .len()
        .checked_sub(5)
        .and_then(|at| time.get(at..))
        .filter(|offset| offset.starts_with(['+', '-']) && offset[1..].bytes().all(|digit| digit.is_ascii_digit()));
    // A date ends with a month and a day.
    match offset.filter(|_| time.contains(['T', 't'])) {
        Some(offset) => format!("{}{}:{}", &time[..time.len() - 5], &offset[..3], &offset[3..]).into(),
        None => time.into(),
    }
}

impl FieldValue for PublishAt {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        let given = text(value)?;
        let at = Timestamp::from_rfc3339(&with_colon(given.trim()));
        let detail = "This must be a time such as 2026-11-20T20:30:00Z or 2026-11-20T22:30:00+02:00.";
        at.map(Self).ok_or_else(|| ("invalid_time", detail.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_offset_may_lack_its_colon() {
        let at = |text: &str| PublishAt::parse(&json!(text)).ok();
        let expected = at("2026-11-20T20:30:00Z");
        assert!(expected.is_some());
        for same in ["2026-11-20T22:30:00+02:00", "2026-11-20T22:30:00+0200", "2026-11-20T15:30:00-0500"] {
            assert_eq!(at(same), expected, "{same}");
        }
        for bad in ["2026-11-20", "2026-11-20T22:30:00", "+0200", "ä0200", "2026-11-20T22:30:00+9900"] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }
}
