//! What the stream's consumer writes: ledger rows and counters, exact under any redelivery.
//!
//! A counter is the number of its ledger's rows, always: row, counter and the edge's mark change in one transaction,
//! and the mark's condition decides. Of two consumers at the same edge one is refused, reads the edge again, and finds
//! nothing left to do.

use super::analytics;
use super::comments;
use super::delivery::{self, FanoutModeChange};
use super::edges::{self, Edge};
use super::group_removal;
use crate::App;
use crate::error::{Error, Result};
use crate::ids::{GroupId, PostId, UserId};
use crate::limits::EDGE_REFUSALS;
use crate::models::days::{Counted, Day, MONTHS_KEPT};
use crate::models::following::{Delivery, Followers, MergedRow};
use crate::table::design::{CREATED_AT, DELETED, Key, key};
use crate::table::writes::TRANSACTION_OPS;
use crate::table::{Condition, Op, Read, Refused};
use futures::future::try_join_all;
use serde_json::json;
use std::collections::BTreeMap;

/// A row whose key says it all.
fn row() -> serde_json::Value {
    json!({})
}

/// What a transaction on a post writes beside the edges: the counter, and the days on which they were made.
const BESIDE: usize = 1 + MONTHS_KEPT;

/// Counts likes of one post that came, and uncounts those that went.
///
/// # Errors
/// The table does not answer; part may be done, and repeating all of it is safe.
pub async fn settle_likes(app: &App, post: PostId, edges: Vec<(UserId, Edge)>) -> Result<()> {
    let mut work = Work::new(edges, move |user| key::like(user, post));
    while let Some(batch) = work.batch((TRANSACTION_OPS - BESIDE) / 2) {
        let mut ops = Ops::new();
        for (user, edge) in batch {
            let ledger = key::like_row(post, edge.created_at, *user);
            let rows = match edge.pending() {
                0 => Vec::new(),
                1 => vec![Op::put(ledger, &row())?],
                _ => vec![Op::delete(ledger)],
            };
            ops.edge(*user, key::like(*user, post), *edge, rows);
        }
        let counter = Op::update(key::post(post)).add("likes", ops.net).when(Condition::Exists);
        let days = analytics::count(post, Counted::Likes, &ops.days, app.now());
        match ops.commit(app, counter, days).await? {
            Outcome::Done => work.done(),
            Outcome::Refused(users) => drop(work.reread(app, &users).await?),
            Outcome::CounterGone => {
                // The post was deleted meanwhile, and its ledger goes with it.
                let gone = work.take().into_iter().map(|(user, _)| Op::delete(key::like(user, post)));
                app.table().batch_write(gone.collect()).await?;
            }
        }
    }
    Ok(())
}

/// Counts comments on one post that came, and uncounts those that went.
///
/// # Errors
/// The table does not answer; part may be done, and repeating all of it is safe.
pub async fn settle_comments(app: &App, on: PostId, edges: Vec<(PostId, Edge)>) -> Result<()> {
    let mut work = Work::new(edges, key::post);
    while let Some(batch) = work.batch((TRANSACTION_OPS - BESIDE) / OPS_PER_COMMENT) {
        let mut ops = Ops::new();
        for (comment, edge) in batch {
            ops.edge(*comment, key::post(*comment), *edge, comments::settled(*comment, *edge));
        }
        let counter = Op::update(key::post(on)).add("comments", ops.net).when(Condition::Exists);
        let days = analytics::count(on, Counted::Comments, &ops.days, app.now());
        match ops.commit(app, counter, days).await? {
            Outcome::Done => work.done(),
            Outcome::Refused(refused) => {
                // One that went with its post leaves what showed it in counts.
                let gone = work.reread(app, &refused).await?;
                comments::purge_pending_counts(app, gone).await?;
            }
            Outcome::CounterGone => {
                let gone: Vec<PostId> = work.take().into_iter().map(|(comment, _)| comment).collect();
                comments::purge(app, gone.iter().copied()).await?;
                comments::purge_pending_counts(app, gone).await?;
            }
        }
    }
    Ok(())
}

/// The comment, and the rows of those who may have written or removed it: its author, and those of what it stands below.
const OPS_PER_COMMENT: usize = 4;

/// Counts members of one group who came, and uncounts those who left. Their rows are the ledger.
///
/// # Errors
/// The table does not answer; part may be done, and repeating all of it is safe.
pub async fn settle_members(app: &App, group: GroupId, edges: Vec<(UserId, Edge)>) -> Result<()> {
    let mut work = Work::new(edges, move |user| key::member(group, user));
    while let Some(batch) = work.batch(TRANSACTION_OPS - 1) {
        let mut ops = Ops::new();
        for (user, edge) in batch {
            ops.edge(*user, key::member(group, *user), *edge, Vec::new());
        }
        let counter = Op::update(key::group(group)).add("members", ops.net);
        let counter = counter.when(Condition::Exists).when(Condition::Without(DELETED));
        match ops.commit(app, counter, Vec::new()).await? {
            Outcome::Done => work.done(),
            Outcome::Refused(users) => drop(work.reread(app, &users).await?),
            Outcome::CounterGone => {
                // The group was deleted meanwhile, and who is in it goes with it.
                let gone: Vec<UserId> = work.take().into_iter().map(|(user, _)| user).collect();
                group_removal::purge_members(app, group, &gone).await?;
            }
        }
    }
    Ok(())
}

/// What follows of one account came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The turn of its delivery whose walk is to be sent; [`delivery::mark_walk_sent`] is told when it was.
    pub mode_change: Option<FanoutModeChange>,
    /// How many follow it.
    pub followers: u64,
}

/// Counts follows of one account that came, and uncounts those that went.
///
/// # Errors
/// The table does not answer; part may be done, and repeating all of it is safe.
pub async fn settle_follows(app: &App, to: UserId, edges: Vec<(UserId, Edge)>) -> Result<Settled> {
    let mut work = Work::new(edges, move |from| key::follow(from, to));
    if work.is_empty() {
        // Counted before, by one who may have ended before it sent the walk.
        let followers = delivery::of(app, to).await?;
        return Ok(Settled { mode_change: followers.mode_change_due(), followers: followers.n });
    }
    let mut settled = Settled::default();
    while !work.is_empty() {
        let followers: Option<Followers> = app.table().get(&key::followers(to), Read::Strong).await?;
        let Some(followers) = followers else {
            let gone = work.take_all().into_iter().map(|(from, _)| Op::delete(key::follow(from, to)));
            app.table().batch_write(gone.collect()).await?;
            continue;
        };
        if followers.gone {
            // Nobody begins to follow an account that is deleted.
            let new = work.take_if(|_, edge| edge.pending() > 0);
            drop_pending(app, &mut work, new, to).await?;
        }
        let Some(batch) = work.batch((TRANSACTION_OPS - 1) / OPS_PER_FOLLOW) else { break };
        // Of an earlier run, which may have ended before it sent the walk.
        settled.mode_change = followers.mode_change_due().or(settled.mode_change);
        let mut ops = Ops::new();
        let rows = batch.iter().map(|(from, edge)| follow_rows(app, *from, *edge, &followers));
        for ((from, edge), rows) in batch.iter().zip(try_join_all(rows).await?) {
            ops.edge(*from, key::follow(*from, to), *edge, rows);
        }
        let n = followers.n.saturating_add_signed(ops.net);
        let (counter, mode_change) = delivery::count(&followers, ops.net, app.config().fanout_limit);
        match ops.commit(app, counter, Vec::new()).await? {
            Outcome::Done => {
                work.done();
                settled = Settled { mode_change: mode_change.or(settled.mode_change), followers: n };
            }
            Outcome::Refused(users) => drop(work.reread(app, &users).await?),
            Outcome::CounterGone => work.again()?,
        }
    }
    Ok(settled)
}

/// Removes follows that no counter holds, and never will. One that is counted or changed meanwhile is looked at again.
async fn drop_pending<K: Fn(UserId) -> Key>(
    app: &App,
    work: &mut Work<UserId, K>,
    edges: Vec<(UserId, Edge)>,
    to: UserId,
) -> Result<()> {
    let mut changed = Vec::new();
    for (from, edge) in edges {
        let gone = Op::delete(key::follow(from, to)).when(Condition::equal(CREATED_AT, edge.created_at));
        if let Err(error) = app.table().transact(vec![gone.when(Condition::Without("counted"))]).await {
            error.refused()?;
            changed.push(from);
        }
    }
    if !changed.is_empty() {
        work.reread(app, &changed).await?;
    }
    Ok(())
}

/// The edge, two ledger rows, the actor's count, and two rows of how it is delivered.
const OPS_PER_FOLLOW: usize = 6;

/// What a follow that comes or goes writes beside itself.
async fn follow_rows(app: &App, from: UserId, edge: Edge, author: &Followers) -> Result<Vec<Op>> {
    let to = author.id;
    let (follower, following) =
        (key::follower_row(to, edge.created_at, from), key::following_row(from, edge.created_at, to));
    let count = |n| Op::update(key::account(from)).add("following", n).when(Condition::Exists);
    Ok(match edge.pending() {
        0 => Vec::new(),
        1 => {
            let mut ops = vec![Op::put(follower, &row())?, Op::put(following, &row())?, count(1)];
            if author.mode != Delivery::Push {
                ops.push(Op::put(delivery::merge_row(app, from, to).await?, &MergedRow { epoch: author.epoch })?);
            }
            ops
        }
        _ => {
            let mut ops = vec![Op::delete(follower), Op::delete(following), count(-1)];
            // Whatever the mode is now: an earlier one may have left them.
            if author.epoch > 0 {
                ops.extend([Op::delete(key::merged_author(from, to)), Op::delete(key::pushed_follower(to, from))]);
            }
            ops
        }
    })
}

/// Edges still to be settled.
struct Work<I, K> {
    edges: Vec<(I, Edge)>,
    size: usize,
    refusals: u32,
    key: K,
}

impl<I: Copy + PartialEq, K: Fn(I) -> Key> Work<I, K> {
    fn new(edges: Vec<(I, Edge)>, key: K) -> Self {
        let edges = edges.into_iter().filter(|(_, edge)| needs_work(*edge)).collect();
        Self { edges, size: 0, refusals: 0, key }
    }

    const fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// The next edges to be settled together.
    fn batch(&mut self, most: usize) -> Option<&[(I, Edge)]> {
        self.size = self.edges.len().min(most);
        (self.size > 0).then(|| &self.edges[..self.size])
    }

    fn done(&mut self) {
        self.edges.drain(..self.size);
        self.refusals = 0;
    }

    fn take_all(&mut self) -> Vec<(I, Edge)> {
        std::mem::take(&mut self.edges)
    }

    fn take_if(&mut self, which: impl Fn(I, Edge) -> bool) -> Vec<(I, Edge)> {
        self.edges.extract_if(.., |(id, edge)| which(*id, *edge)).collect()
    }

    fn take(&mut self) -> Vec<(I, Edge)> {
        self.edges.drain(..self.size).collect()
    }

    /// Notes a refusal that says nothing of an edge.
    fn again(&mut self) -> Result<()> {
        self.refusals += 1;
        if self.refusals < EDGE_REFUSALS {
            Ok(())
        } else {
            Err(Error::unavailable("edges change faster than they settle"))
        }
    }

    /// Reads what the refused edges are now; what needs nothing any more drops out. Answers those that are gone.
    async fn reread(&mut self, app: &App, ids: &[I]) -> Result<Vec<I>> {
        self.again()?;
        let keys: Vec<Key> = ids.iter().map(|id| (self.key)(*id)).collect();
        let found = app.table().batch_get::<Edge>(&keys, Read::Strong).await?;
        self.edges.retain(|(id, _)| !ids.contains(id));
        let gone = ids.iter().zip(&found).filter(|(_, edge)| edge.is_none()).map(|(id, _)| *id).collect();
        let left = ids.iter().copied().zip(found).filter_map(|(id, edge)| Some((id, edge?)));
        let left: Vec<_> = left.filter(|(_, edge)| needs_work(*edge)).collect();
        self.edges.splice(0..0, left);
        Ok(gone)
    }
}

/// Whether an edge is to be counted, uncounted or, deleted before it was counted, only removed.
const fn needs_work(edge: Edge) -> bool {
    edge.deleted || !edge.counted
}

/// One transaction over some edges and their counter.
struct Ops<I> {
    ops: Vec<Op>,
    /// Which operation is which edge.
    edges: Vec<(usize, I)>,
    net: i64,
    /// The net change by the day on which the edges were created.
    days: BTreeMap<Day, i64>,
}

enum Outcome<I> {
    Done,
    /// These edges are not what they were believed to be.
    Refused(Vec<I>),
    /// The item that holds the counter is gone or changed.
    CounterGone,
}

impl<I> Ops<I> {
    const fn new() -> Self {
        Self { ops: Vec::new(), edges: Vec::new(), net: 0, days: BTreeMap::new() }
    }

    fn edge(&mut self, id: I, key: Key, edge: Edge, rows: Vec<Op>) {
        self.edges.push((self.ops.len(), id));
        self.ops.push(if edge.is_active() { edges::count_op(key, edge) } else { edges::purge_op(key, edge) });
        self.ops.extend(rows);
        self.net += edge.pending();
        *self.days.entry(Day::of(edge.created())).or_default() += edge.pending();
    }

    /// Writes all of it, with the counter and what has no condition beside it.
    async fn commit(self, app: &App, counter: Op, beside: Vec<Op>) -> Result<Outcome<I>> {
        let Self { mut ops, edges, .. } = self;
        let counter_at = ops.len();
        ops.push(counter);
        ops.extend(beside);
        let refused: Refused = match app.table().transact(ops).await {
            Ok(()) => return Ok(Outcome::Done),
            Err(error) => error.refused()?,
        };
        let changed: Vec<I> = edges.into_iter().filter(|(op, _)| refused.has(*op)).map(|(_, id)| id).collect();
        match (changed.is_empty(), refused.has(counter_at)) {
            (false, _) => Ok(Outcome::Refused(changed)),
            (true, true) => Ok(Outcome::CounterGone),
            // An account that is deleted keeps its item until nothing of it is left to count.
            (true, false) => Err(Error::internal("an actor has no account")),
        }
    }
}
