//! The viewer: who asks, and all that bears on what they may see.

use super::group::Role;
use super::session::Session;
use crate::clock::Timestamp;
use crate::ids::{GroupId, PostId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use ulid::Ulid;

/// What one user has set towards another: blocks, a mute, an unfollow's tombstone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relationship {
    /// Unfollowed: until then their posts, which may still lie in the timeline, don't show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unf_until: Option<Timestamp>,
    /// The viewer blocks them, by this act.
    #[serde(default, rename = "out", skip_serializing_if = "Option::is_none")]
    pub blocking: Option<Ulid>,
    /// They block the viewer.
    #[serde(default, rename = "in", skip_serializing_if = "std::ops::Not::not")]
    pub blocked_by: bool,
    /// The viewer wants to hear nothing of what they do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mute: bool,
}

impl Relationship {
    /// One of the two blocks the other.
    pub const fn is_block(&self) -> bool {
        self.blocked_by || self.blocking.is_some()
    }
}

/// The strong read of the viewer's own prefix, taken at the start of each request, and of each page of an archive.
#[derive(Clone, Debug)]
pub struct Viewer {
    pub id: UserId,
    /// All sessions, the one that asks included.
    pub sessions: Vec<Session>,
    /// Authors followed whose posts are merged at read.
    pub merged: Vec<UserId>,
    /// What the viewer's own doing adds to the comments of posts, as far as no counter holds it yet.
    pub comments: HashMap<PostId, i64>,
    pub relationships: HashMap<UserId, Relationship>,
    /// The groups that the viewer is a member of.
    pub groups: HashMap<GroupId, Role>,
    /// The prefix was longer than one read: relationships and groups must be asked for by key, which `rules` does.
    pub overflow: bool,
}
