//! An edge: somebody follows somebody, or likes something.
//!
//! The request writes the edge alone, in the actor's own partition. The stream's consumer then writes the ledger rows
//! and moves the counters, and in the same transaction marks the edge as counted (or removes one that was undone). So
//! the edge itself tells whether a counter holds it yet, every redelivery finds its work done, and the actor sees the
//! own act in the counters at once.
//!
//! ```text
//!   make ──> standing ──counted by the consumer──> standing, counted
//!               │  ^                                   │  ^
//!            unmake make                            unmake make
//!               v  │                                   v  │
//!            undone ──removed by the consumer──x    undone, counted ──removed, counted down──x
//! ```

use crate::clock::Timestamp;
use crate::error::Result;
use crate::ids::{UserId, new_ulid};
use crate::table::design::Key;
use crate::table::{Condition, Op, Read};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use ulid::Ulid;

/// The truth of a follow or a like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The act, by an id of its own: its ledger rows are named by it.
    pub at: Ulid,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counted: bool,
    #[serde(default, rename = "un", skip_serializing_if = "std::ops::Not::not")]
    pub undone: bool,
}

impl Edge {
    pub const fn stands(self) -> bool {
        !self.undone
    }

    /// When it was made.
    pub fn made(self) -> Timestamp {
        Timestamp::from_millis(self.at.timestamp_ms())
    }

    /// What the counter lacks of it.
    pub const fn pending(self) -> i64 {
        match (self.undone, self.counted) {
            (false, false) => 1,
            (true, true) => -1,
            _ => 0,
        }
    }
}

/// A counter with the viewer's own act in it.
pub fn with_own(counter: u64, own: Option<Edge>) -> u64 {
    let least = u64::from(own.is_some_and(Edge::stands));
    counter.saturating_add_signed(own.map_or(0, Edge::pending)).max(least)
}

/// Makes the edge stand. Twice is the same as once.
pub fn make(key: Key, now: Timestamp) -> Op {
    Op::update(key).set_if_absent("at", new_ulid(now)).remove("un")
}

/// Undoes the edge, where there is one. Twice is the same as once.
pub fn unmake(key: Key) -> Op {
    Op::update(key).set("un", true).when(Condition::Exists)
}

/// The consumer's write that marks a standing edge as counted.
pub(super) fn count(key: Key, edge: Edge) -> Op {
    let op = Op::update(key).set("counted", true).when(Condition::equal("at", edge.at));
    op.when(Condition::Without("counted")).when(Condition::Without("un"))
}

/// The consumer's write that removes an undone edge.
pub(super) fn remove(key: Key, edge: Edge) -> Op {
    let op = Op::delete(key).when(Condition::equal("at", edge.at)).when(Condition::equal("un", true));
    op.when(if edge.counted { Condition::equal("counted", true) } else { Condition::Without("counted") })
}

/// Which of these users have a standing edge, by one strong batch.
///
/// # Errors
/// Unavailable.
pub(super) async fn standing(
    app: &crate::App,
    users: &[UserId],
    key: impl Fn(UserId) -> Key,
) -> Result<HashSet<UserId>> {
    let keys: Vec<_> = users.iter().map(|user| key(*user)).collect();
    let found = app.table().batch_get::<Edge>(&keys, Read::Strong).await?;
    let stands = |edge: Option<Edge>| edge.is_some_and(Edge::stands);
    Ok(users.iter().copied().zip(found).filter_map(|(user, edge)| stands(edge).then_some(user)).collect())
}

/// Runs a write of an edge and answers what it left; None where none was.
///
/// # Errors
/// Unavailable.
pub(super) async fn write(app: &crate::App, op: Op) -> Result<Option<Edge>> {
    match app.table().write(op).await {
        Ok(item) => Ok(item.map(|item| item.read()).transpose()?),
        Err(error) => error.refused().map(|_| None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_shows_the_own_act_at_once() {
        let edge = |undone, counted| Some(Edge { at: Ulid::nil(), counted, undone });
        assert_eq!(with_own(5, None), 5);
        assert_eq!(with_own(5, edge(false, false)), 6);
        assert_eq!(with_own(5, edge(false, true)), 5);
        assert_eq!(with_own(5, edge(true, true)), 4);
        assert_eq!(with_own(5, edge(true, false)), 5);
        assert_eq!(with_own(0, edge(false, true)), 1, "never below one while it stands");
        assert_eq!(with_own(0, edge(true, true)), 0, "never negative");
    }
}
