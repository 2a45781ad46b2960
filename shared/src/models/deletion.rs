//! Accounts that are deleted, and what is kept of them.

use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

/// So long after the deletion it is looked again for what was in flight. A request ends within 15 s, a message within a
/// minute of its last try, which is 20 minutes late at most: the first two passes take what these have left. The last comes when all
/// that lives no longer than two days has ended: counted calls, kept answers, others' suggestions, uses of hashtags.
pub const PASSES: [Duration; 3] =
    [Duration::from_secs(15 * 60), Duration::from_secs(24 * 3_600), Duration::from_secs(50 * 3_600)];
/// And again so long after a pass that should have been the last, and found something.
pub const AGAIN: Duration = Duration::from_secs(24 * 3_600);
/// A pass that did not come to its end by then is begun again.
pub const STALLED: Duration = HOUR;
/// A row that says somebody unfollowed is left to a later pass for so long: their timeline is cleaned once more then, for
/// a post may have been on its way there.
pub const IN_FLIGHT: Duration = Duration::from_secs(10 * 60);
/// The name of a deleted account is nobody's for so long.
pub const NAME_HELD: Duration = Duration::from_secs(30 * 24 * 3_600);

/// An account that is being removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// When it was deleted.
    pub at: Timestamp,
    /// How many passes have come to their end.
    pub pass: usize,
    /// When the next one begins, or this one is taken for dead.
    pub next: Timestamp,
}

/// A name that nobody may take. Its key is a keyed hash of it, and whose it was it does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldName {
    pub free_at: Timestamp,
    /// Seconds since the epoch. DynamoDB deletes days late: readers compare the time.
    pub ttl: u64,
}
