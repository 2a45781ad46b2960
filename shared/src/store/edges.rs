//! Edges: follows and likes.
//!
//! The request writes the edge alone, in the actor's own partition. The stream's consumer then writes the ledger rows
//! and moves the counters, and in the same transaction marks the edge as counted (or purges one that was deleted). So
//! the edge itself tells whether a counter holds it yet, every redelivery finds its work done, and the actor sees the
//! own act in the counters at once.
//!
//! ```text
//!   create ──> active ──counted by the consumer──> active, counted
//!               │  ^                                  │  ^
//!          delete  create                        delete  create
//!               v  │                                  v  │
//!             deleted ──purged by the consumer──x   deleted, counted ──purged, counted down──x
//! ```

use crate::clock::Timestamp;
use crate::error::Result;
use crate::ids::{UserId, new_ulid};
use crate::table::design::{CREATED_AT, DELETED, Key};
use crate::table::{Condition, Op, Read};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use ulid::Ulid;

/// The truth of a follow or a like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The act that created it: a ULID, which names its ledger rows.
    #[serde(rename = "at")]
    pub created_at: Ulid,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counted: bool,
    #[serde(default, rename = "un", skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

impl Edge {
    pub const fn is_active(self) -> bool {
        !self.deleted
    }

    /// When it was created.
    pub fn created(self) -> Timestamp {
        Timestamp::from_millis(self.created_at.timestamp_ms())
    }

    /// What the counter lacks of it.
    pub const fn pending(self) -> i64 {
        match (self.deleted, self.counted) {
            (false, false) => 1,
            (true, true) => -1,
            _ => 0,
        }
    }
}

/// A counter with the viewer's own act in it.
pub fn with_own(counter: u64, own: Option<Edge>) -> u64 {
    let least = u64::from(own.is_some_and(Edge::is_active));
    counter.saturating_add_signed(own.map_or(0, Edge::pending)).max(least)
}

/// The write that creates an edge, or makes a deleted one active. Idempotent.
pub fn create_op(key: Key, now: Timestamp) -> Op {
    Op::update(key).set_if_absent(CREATED_AT, new_ulid(now)).remove(DELETED)
}

/// The write that soft-deletes an edge, where there is one. Idempotent.
pub fn delete_op(key: Key) -> Op {
    Op::update(key).set(DELETED, true).when(Condition::Exists)
}

/// The consumer's write that marks an active edge as counted.
pub(super) fn count_op(key: Key, edge: Edge) -> Op {
    let op = Op::update(key).set("counted", true).when(Condition::equal(CREATED_AT, edge.created_at));
    op.when(Condition::Without("counted")).when(Condition::Without(DELETED))
}

/// The consumer's write that removes a deleted edge.
pub(super) fn purge_op(key: Key, edge: Edge) -> Op {
    let op = Op::delete(key).when(Condition::equal(CREATED_AT, edge.created_at)).when(Condition::equal(DELETED, true));
    op.when(if edge.counted { Condition::equal("counted", true) } else { Condition::Without("counted") })
}

/// Which of these users have an active edge, by one strong batch.
pub(super) async fn active(app: &crate::App, users: &[UserId], key: impl Fn(UserId) -> Key) -> Result<HashSet<UserId>> {
    let keys: Vec<_> = users.iter().map(|user| key(*user)).collect();
    let found = app.table().batch_get::<Edge>(&keys, Read::Strong).await?;
    let is_active = |edge: Option<Edge>| edge.is_some_and(Edge::is_active);
    Ok(users.iter().copied().zip(found).filter_map(|(user, edge)| is_active(edge).then_some(user)).collect())
}

/// Runs a write of an edge and answers what it left; None where none was.
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
        let edge = |deleted, counted| Some(Edge { created_at: Ulid::nil(), counted, deleted });
        assert_eq!(with_own(5, None), 5);
        assert_eq!(with_own(5, edge(false, false)), 6);
        assert_eq!(with_own(5, edge(false, true)), 5);
        assert_eq!(with_own(5, edge(true, true)), 4);
        assert_eq!(with_own(5, edge(true, false)), 5);
        assert_eq!(with_own(0, edge(false, true)), 1, "never below one while it stands");
        assert_eq!(with_own(0, edge(true, true)), 0, "never negative");
    }
}
