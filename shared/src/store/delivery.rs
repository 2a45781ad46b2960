//! How an author's posts reach the followers' feeds: pushed into timelines, or merged at read.
//!
//! ```text
//!          above FanoutLimit             every follower merges
//!   push ───────────────────> crossing ───────────────────────> pull
//!    ^                           │                               │
//!    └───────────────────────────┴───────────────────────────────┘
//!               down at nine tenths of it (low_water)
//! ```
//!
//! Both mode changes are made by the very transaction that counts the follower too many or too few, and
//! each begins a new epoch. That is the condition of every transaction that counts a follower, so each is counted as the
//! epoch demands. What the followers before it need, a walk through them does, which may come late, again and in pieces:
//! a row says which epoch wrote it, and an earlier one leaves it alone.
//!
//! On the way up posts are pushed until all followers merge. On the way down they are pushed from the turn on, and what
//! was made before is merged until it is too old for a timeline. A feed takes each post once, so both at a time is right.

use crate::App;
use crate::error::Result;
use crate::ids::UserId;
use crate::limits::FOLLOWERS_AT_ONCE;
use crate::models::following::{Delivery, Followers, MergedRow};
use crate::models::post::TIMELINE_LIFETIME;
use crate::table::design::{Key, TTL, key};
use crate::table::writes::TRANSACTION_OPS;
use crate::table::{Condition, Op, Order, Read};
use futures::future::try_join;
use futures::{StreamExt, TryStreamExt};

/// Authors a viewer's feed merges; the rest are pushed to this viewer all the same.
pub const MAX_MERGED: usize = 20;
/// Rows of merged authors read to count them: expired ones that are not yet swept take up room.
const MERGED_ROWS: usize = 5 * MAX_MERGED;

/// An author's fan-out mode and followers count.
pub async fn of(app: &App, author: UserId) -> Result<Followers> {
    let followers = app.table().get(&key::followers(author), Read::Strong).await?;
    Ok(followers.unwrap_or_else(|| Followers::new(author)))
}

/// A change of an author's fan-out mode, which a walk through the followers carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FanoutModeChange {
    /// Whether the followers are to merge, or to end it.
    pub to_merging: bool,
    pub epoch: u64,
}

impl Followers {
    /// The mode change whose walk is not sent yet.
    pub(super) fn mode_change_due(&self) -> Option<FanoutModeChange> {
        self.walk_due.then_some(FanoutModeChange { to_merging: self.mode != Delivery::Push, epoch: self.epoch })
    }
}

/// The number of followers at which an author is pushed again: a tenth below the limit, and at least one, so that one who
/// comes and goes changes no mode.
const fn low_water(limit: u64) -> u64 {
    let tenth = limit / 10;
    limit.saturating_sub(if tenth > 0 { tenth } else { 1 })
}

/// The write that counts followers, in the epoch they were read in, and changes the mode if that takes their number
/// over the mark. Its condition holds it to the side of the mark it is for, under concurrent counts.
pub(super) fn count(author: &Followers, net: i64, limit: u64) -> (Op, Option<FanoutModeChange>) {
    let pushed = author.mode == Delivery::Push;
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    // `n` before this write, above which it is above the mark after it.
    let mark = signed(if pushed { limit } else { low_water(limit) }).saturating_sub(net);
    let above = signed(author.n) > mark;
    let op = Op::update(key::followers(author.id)).add("n", net).when(same_epoch(author.epoch));
    let op = op.when(match above {
        true => Condition::greater("n", mark),
        false => Condition::less("n", mark.saturating_add(1)),
    });
    if above != pushed {
        return (op, None);
    }
    let change = FanoutModeChange { to_merging: pushed, epoch: author.epoch + 1 };
    let mode = if change.to_merging { Delivery::Crossing } else { Delivery::Push };
    (op.set("mode", mode).set("epoch", change.epoch).set("walk_due", true), Some(change))
}

fn same_epoch(epoch: u64) -> Condition {
    let same = Condition::equal("epoch", epoch);
    if epoch > 0 { same } else { Condition::Any(vec![Condition::Without("epoch"), same]) }
}

/// No row, or one of an earlier epoch.
fn older_than(epoch: u64) -> Condition {
    Condition::Any(vec![Condition::Without("epoch"), Condition::less("epoch", epoch)])
}

/// Notes that the walk of this mode change is on the queue.
pub async fn mark_walk_sent(app: &App, author: UserId, change: FanoutModeChange) -> Result<()> {
    write(app, Op::update(key::followers(author)).remove("walk_due").when(same_epoch(change.epoch))).await
}

/// Where it is kept that this follower merges this author: among the follower's merged authors, or, when these are
/// enough, with the author, who then pushes to this one follower.
pub(super) async fn merge_row(app: &App, from: UserId, author: UserId) -> Result<Key> {
    let (range, merged, pushed) =
        (key::merged_authors(from), key::merged_author(from, author), key::pushed_follower(author, from));
    let rows = app.table().query(&range, Order::OldestFirst, Read::Strong, MERGED_ROWS, None);
    // One that is there stays where it is, however many are merged by now: never both.
    let (rows, is_pushed) = try_join(rows, app.table().get::<MergedRow>(&pushed, Read::Strong)).await?;
    let is_known = rows.items.iter().any(|item| item.sk() == merged.sk());
    let is_merged = is_known || (is_pushed.is_none() && rows.items.len() < MAX_MERGED);
    Ok(if is_merged { merged } else { pushed })
}

/// Has followers merge an author who crossed the limit in this epoch. Those who left meanwhile are skipped. False when
/// the epoch is over: nobody else is to merge then.
///
/// # Errors
/// The table does not answer; part may be done, and repeating all of it is safe.
pub async fn start_merging(app: &App, author: UserId, epoch: u64, followers: &[UserId]) -> Result<bool> {
    let rows = futures::stream::iter(followers.to_vec()).map(|from| merge_row(app, from, author));
    let rows: Vec<Key> = rows.buffered(FOLLOWERS_AT_ONCE).try_collect().await?;
    let rows: Vec<(UserId, Key)> = followers.iter().copied().zip(rows).collect();
    // One after the other, for all look at the author's epoch, and would get in each other's way.
    for rows in rows.chunks((TRANSACTION_OPS - 1) / 2) {
        if !start_merging_together(app, author, epoch, rows.to_vec()).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn start_merging_together(app: &App, author: UserId, epoch: u64, mut left: Vec<(UserId, Key)>) -> Result<bool> {
    while !left.is_empty() {
        let mut ops = vec![Op::check(key::followers(author), same_epoch(epoch))];
        for (from, row) in &left {
            // Counted, whether deleted or not: if it is uncounted, the row goes with it; if it is created again, it stays.
            ops.push(Op::check(key::follow(*from, author), Condition::equal("counted", true)));
            ops.push(Op::put(row.clone(), &MergedRow { epoch })?.when(older_than(epoch)));
        }
        let refused = match app.table().transact(ops).await {
            Ok(()) => return Ok(true),
            Err(error) => error.refused()?,
        };
        if refused.has(0) {
            return Ok(false);
        }
        // Who left, and whose row is there already.
        let place = |index: usize| 1 + 2 * index;
        let mut index = 0..;
        left.retain(|_| index.next().is_some_and(|at| !refused.has(place(at)) && !refused.has(place(at) + 1)));
    }
    Ok(true)
}

/// Stops pushing for an author all of whose followers merge since this epoch.
pub async fn stop_pushing(app: &App, author: UserId, epoch: u64) -> Result<()> {
    let crossing = Condition::equal("mode", Delivery::Crossing);
    write(app, Op::update(key::followers(author)).set("mode", Delivery::Pull).when(crossing).when(same_epoch(epoch)))
        .await
}

/// Whether a follower reads all posts of an author from the author's list, so that none need be in the timeline.
pub async fn merges_all(app: &App, from: UserId, author: UserId) -> Result<bool> {
    let row = key::merged_author(from, author);
    let merged = app.table().get::<MergedRow>(&row, Read::Strong);
    let (author, merged) = try_join(of(app, author), async { Ok(merged.await?) }).await?;
    // If the author comes back, that which was not pushed until then is merged until it is too old for a timeline.
    Ok(author.mode == Delivery::Pull && merged.is_some())
}

/// Ends followers' merging of an author who came back in this epoch: when what was not pushed is too old for a
/// timeline. What the author's later epochs wrote stays.
///
/// # Errors
/// The table does not answer; part may be done, and repeating all of it is safe.
pub async fn stop_merging(app: &App, author: UserId, epoch: u64, followers: &[UserId]) -> Result<()> {
    let until = (app.now() + TIMELINE_LIFETIME).seconds();
    let end = |from| {
        let merged = Op::update(key::merged_author(from, author)).set("epoch", epoch).set(TTL, until);
        let merged = merged.when(Condition::Exists).when(older_than(epoch));
        let pushed = Op::delete(key::pushed_follower(author, from)).when(older_than(epoch));
        try_join(write(app, merged), write(app, pushed))
    };
    let ends = futures::stream::iter(followers.to_vec()).map(end).buffer_unordered(FOLLOWERS_AT_ONCE);
    ends.try_for_each(|_| futures::future::ready(Ok(()))).await
}

/// A write that may find nothing to do.
async fn write(app: &App, op: Op) -> Result<()> {
    match app.table().write(op).await {
        Ok(_) => Ok(()),
        Err(error) => error.refused().map(|_| ()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mode change that counting `net` more followers makes, for an author who has `n`.
    fn turn(mode: Delivery, n: u64, net: i64, limit: u64) -> Option<bool> {
        let author = Followers { n, mode, epoch: 4, ..Followers::new(UserId::from_ulid(ulid::Ulid::nil())) };
        count(&author, net, limit).1.map(|change| change.to_merging)
    }

    #[test]
    fn delivery_turns_above_the_limit_and_a_tenth_below_it() {
        assert_eq!(turn(Delivery::Push, 99, 1, 100), None);
        assert_eq!(turn(Delivery::Push, 100, 1, 100), Some(true));
        assert_eq!(turn(Delivery::Push, 105, -1, 100), Some(true), "the limit was lowered");
        for merged in [Delivery::Crossing, Delivery::Pull] {
            assert_eq!(turn(merged, 101, 3, 100), None);
            assert_eq!(turn(merged, 92, -1, 100), None);
            assert_eq!(turn(merged, 91, -1, 100), Some(false));
            assert_eq!(turn(merged, 91, 1, 200), Some(false), "the limit was raised");
        }
        assert_eq!([1, 2, 9, 10, 25, 10_000].map(low_water), [0, 1, 8, 9, 23, 9_000]);
    }
}
