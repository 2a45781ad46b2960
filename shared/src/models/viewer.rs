//! The viewer: who asks, and all that bears on what they may see.

use super::session::Session;
use crate::clock::Timestamp;
use crate::ids::{PostId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Why somebody is not to be seen by this viewer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negative {
    /// Unfollowed: until then their posts, which may still lie in the timeline, don't show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unf_until: Option<Timestamp>,
}

/// The strong read of the viewer's own prefix, taken at the start of each request.
#[derive(Clone, Debug)]
pub struct Viewer {
    pub id: UserId,
    pub session: Session,
    /// All sessions, this one included.
    pub sessions: Vec<Session>,
    /// Authors followed whose posts are merged at read.
    pub merged: Vec<UserId>,
    /// What the viewer's own doing adds to the comments of posts, as far as no counter holds it yet.
    pub comments: HashMap<PostId, i64>,
    pub negatives: HashMap<UserId, Negative>,
    /// The prefix was longer than one read: negatives must be asked for by key.
    pub overflow: bool,
}

impl Viewer {
    /// Whether posts of this author don't belong in the viewer's feed though they may lie there.
    pub fn hides_from_feed(&self, author: UserId, now: Timestamp) -> bool {
        self.negatives.get(&author).and_then(|negative| negative.unf_until).is_some_and(|until| until > now)
    }
}
