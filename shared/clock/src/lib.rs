//! The only place that asks the system for the time.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::macros::format_description;

/// Milliseconds since 1970-01-01 UTC; shown as RFC 3339 with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Seconds since the epoch, the unit of DynamoDB's TTL and of JWT's `exp`.
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// Reads RFC 3339, in any time zone; what is finer than a millisecond is cut off, and what is before 1970 is its beginning.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let at = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
        u64::try_from((at.unix_timestamp_nanos() / 1_000_000).max(0)).ok().map(Self)
    }

    /// Time passed since `earlier`; zero when that is in the future.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// RFC 3339, UTC, with milliseconds: `2026-11-20T20:30:00.000Z`.
    pub fn rfc3339(self) -> String {
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|at| at.format(format).ok())
            .unwrap_or_default()
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// The system's clock, which a test may set forward.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_ms: Arc<AtomicU64>,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
            + Duration::from_millis(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Sets every holder of this clock forward.
    pub fn advance(&self, by: Duration) {
        self.ahead_ms.fetch_add(u64::try_from(by.as_millis()).unwrap_or(0), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds_and_a_z() {
        assert_eq!(Timestamp(1_795_206_600_007).rfc3339(), "2026-11-20T20:30:00.007Z");
        assert_eq!(Timestamp(0).rfc3339(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_rfc3339("2026-11-20T21:30:00.0079+01:00"), Some(Timestamp(1_795_206_600_007)));
        assert_eq!(Timestamp::from_rfc3339("0230-03-27T05:32:23.5+14:52"), Some(Timestamp(0)));
        assert_eq!(Timestamp::from_rfc3339("2026-11-20"), None);
    }
}
