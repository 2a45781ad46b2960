//! Followers of an account, and how its posts are delivered to them.

use crate::ids::UserId;
use serde::{Deserialize, Serialize};

/// How an author's posts reach the followers' feeds; `store::delivery` tells how one becomes the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Written into each follower's timeline.
    #[default]
    Push,
    /// Still pushed while the followers begin to merge.
    Crossing,
    /// Merged at read.
    Pull,
}

/// How many follow an account, and how its posts reach them; written by the workers alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followers {
    pub id: UserId,
    #[serde(default)]
    pub n: u64,
    #[serde(default)]
    pub mode: Delivery,
    /// Raised by one with each mode change, to merging and back; most accounts never have one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub epoch: u64,
    /// The walk through the followers for the newest mode change is yet to be sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub walk_due: bool,
    /// The account is deleted: nobody begins to follow it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

impl Followers {
    pub const fn new(id: UserId) -> Self {
        Self { id, n: 0, mode: Delivery::Push, epoch: 0, walk_due: false, gone: false }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// That a follower merges an author's posts at read (`H#1`), or is pushed to all the same (`FO`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedRow {
    /// The author's epoch that wrote it; what an earlier one still has to say comes too late.
    pub epoch: u64,
}
