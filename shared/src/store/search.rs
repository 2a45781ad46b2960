//! The index: a posting under each word, hashtag and author of a post, newest first.
//!
//! A search reads the postings of its rarest term, and finds in each what else the post has; the posts themselves then
//! decide. So a stale posting costs a read in vain and shows nothing.

use super::trends::{self, Uses};
use crate::App;
use crate::error::{Error, Result};
use crate::ids::{PostId, UserId};
use crate::limits::EDGE_REFUSALS;
use crate::models::post::Post;
pub use crate::models::search::is_found;
use crate::models::search::{FOLDING, Indexed, Posting, Term, terms};
use crate::table::design::key;
use crate::table::{Condition, Op, Order, Read, Rows};
use futures::future::try_join;
use futures::future::try_join_all;
use std::collections::BTreeSet;

/// Terms of one search: each is looked at, for the rarest one is read.
pub const MAX_TERMS: usize = 8;
/// Postings of each term read at first: half a unit, for one has up to 250 bytes.
const FIRST: usize = 16;
/// Postings of the rarest read then, again and again: two units at most, mostly one.
const NEXT: usize = 64;
/// No more is read for a page once it has cost so much, in bytes: 6 units of 8 KiB. With the last read these are 8.
const BUDGET: usize = 6 * 8 * 1024;

/// Posts that may have all of the terms, and where the next page starts. Whether they do, and are there, is for who reads
/// them to see. Access pattern 25.
pub async fn page(
    app: &App,
    wanted: &BTreeSet<Term>,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<PostId>, Option<String>)> {
    let first = wanted.iter().map(|term| read(app, term, FIRST, after));
    let first = try_join_all(first).await?;
    let mut spent = wanted.len() * 4 * 1024;
    // The rarest is the one that reaches furthest back, or even ends.
    let reach = |rows: &Rows| rows.next.as_ref().map(|_| rows.items.last().map(|row| row.sk().to_owned()));
    let Some((term, mut rows)) = wanted.iter().zip(first).min_by_key(|(_, rows)| reach(rows)) else {
        return Ok((Vec::new(), None));
    };
    let mut found = Vec::new();
    loop {
        for row in &rows.items {
            let posting: Posting = row.readable().unwrap_or_default();
            let Ok(post) = PostId::from_suffix(row.sk()) else { continue };
            if posting.may_have(wanted) {
                found.push(post);
                if found.len() == limit {
                    // Where it is the last, the next page is empty.
                    return Ok((found, Some(row.sk().to_owned())));
                }
            }
        }
        let Some(next) = rows.next.take() else { return Ok((found, None)) };
        if spent >= BUDGET {
            return Ok((found, Some(next)));
        }
        rows = read(app, term, NEXT, Some(&next)).await?;
        spent += size(&rows);
    }
}

async fn read(app: &App, term: &Term, limit: usize, after: Option<&str>) -> Result<Rows> {
    let range = key::postings(term);
    app.table().query(&range, Order::NewestFirst, Read::Eventual, limit, after).await.map_err(Error::from)
}

/// What reading them was counted as.
fn size(rows: &Rows) -> usize {
    let bytes: usize = rows.items.iter().map(|row| row.size()).sum();
    bytes.next_multiple_of(4 * 1024)
}

/// Posts and comments that mention an account, and where the next page starts. Read strongly. Access pattern 63.
pub async fn mentioning(
    app: &App,
    user: UserId,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<PostId>, Option<String>)> {
    let range = key::postings(&Term::mention(user));
    let rows = app.table().query(&range, Order::OldestFirst, Read::Strong, limit, after).await?;
    Ok((rows.items.iter().filter_map(|row| PostId::from_suffix(row.sk()).ok()).collect(), rows.next))
}

/// Whether a post has all of these.
pub fn has(post: &Post, wanted: &BTreeSet<Term>) -> bool {
    wanted.is_subset(&terms(post))
}

/// Has a post be found by what it says now, and by nothing that it said before; one that is gone, by nothing.
///
/// # Errors
/// A service does not answer; repeating the call is safe.
pub async fn index(app: &App, id: PostId) -> Result<()> {
    for _ in 0..EDGE_REFUSALS {
        let (post, known) = both(app, id).await?;
        let ver = post.as_ref().map(|post| post.ver);
        let is_folded_so = known.as_ref().is_none_or(|known| known.folding == FOLDING);
        if is_folded_so && known.as_ref().and_then(|known| known.done) == ver && known.is_some() == post.is_some() {
            return Ok(());
        }
        let wanted = post.as_ref().map(terms).unwrap_or_default();
        let known = known.unwrap_or_default();
        // All that may be there from now on, first: after a crash the next run knows what to remove.
        let terms = known.terms.union(&wanted).cloned().collect();
        let all = Indexed { terms, folding: FOLDING, done: None, used: known.used, n: known.n + 1 };
        if !replace(app, id, known.n, Some(&all), Vec::new()).await? {
            continue;
        }
        let posting = Posting::new(&wanted);
        let write = |term: &Term| match wanted.contains(term) {
            true => Op::put(key::posting(term, id), &posting),
            false => Ok(Op::delete(key::posting(term, id))),
        };
        app.table().batch_write(all.terms.iter().map(write).collect::<Result<_, _>>()?).await?;
        let Uses { ops, noted, is_all } =
            trends::uses(app, id, post.as_ref().filter(|_| is_found(id)), all.used).await?;
        let is_gone = post.is_none() && is_all;
        let done = Indexed { terms: wanted, folding: FOLDING, done: ver.filter(|_| is_all), used: noted, n: all.n + 1 };
        // Edited or deleted meanwhile, it has another version in the next round.
        replace(app, id, all.n, Some(&done).filter(|_| !is_gone), ops).await?;
    }
    Err(Error::unavailable("a post is changed faster than it is indexed"))
}

async fn both(app: &App, id: PostId) -> Result<(Option<Post>, Option<Indexed>)> {
    let (post, indexed) = (key::post(id), key::indexed(id));
    let known = app.table().get::<Indexed>(&indexed, Read::Strong);
    let (post, known) = try_join(app.table().get::<Post>(&post, Read::Strong), known).await?;
    // What is not found, and mentions nobody, is found by nothing.
    Ok((post.filter(|post| !post.deleted && !terms(post).is_empty()), known))
}

/// Writes what a post is found by, and what goes with it, if nobody else did since it was read.
async fn replace(app: &App, id: PostId, n: u64, new: Option<&Indexed>, with: Vec<Op>) -> Result<bool> {
    let as_read = match n {
        0 => Condition::Missing,
        n => Condition::equal("n", n),
    };
    let op = match new {
        Some(new) => Op::put(key::indexed(id), new)?,
        None => Op::delete(key::indexed(id)),
    };
    let op = op.when(as_read);
    let written = match with.is_empty() {
        true => app.table().write(op).await.map(|_| ()),
        false => app.table().transact(std::iter::once(op).chain(with).collect()).await,
    };
    match written {
        Ok(()) => Ok(true),
        Err(error) => error.refused().map(|_| false),
    }
}
