//! Which hashtags are used: once per tag, author and day, counted by the hour in which that begins.
//!
//! The index's worker writes a use in one transaction with the list of what the post is found by, which notes it: so a
//! job that comes twice adds nothing, and what is noted is what a deletion takes back. The author's row counts the posts
//! behind the use; the hour's count is the number of such rows, always. Slots, by author, keep a tag that everybody uses
//! from being one item.

use crate::App;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::ids::{PostId, UserId};
use crate::limits::TREND_SLOTS;
use crate::models::post::Post;
use crate::models::trend::{TagCount, TagUse, Tally, Trend, TrendingSnapshot, WINDOW, counts};
use crate::table::design::{TTL, key};
use crate::table::writes::TRANSACTION_OPS;
use crate::table::{Condition, Op, Order, Read};
use futures::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Rows of counts read at once.
const PAGE: usize = 1_000;
/// Each takes two operations of the transaction, and the post's list one.
const TAGS_AT_ONCE: usize = (TRANSACTION_OPS - 1) / 2;
/// Counts and what they are made of are kept twice as long as they count: what is taken back finds them.
const KEPT: Duration = Duration::from_secs(2 * 24 * 3600);
/// What is used most ends if nobody counts anew.
const TOP_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// What a post's tags change.
pub(super) struct Uses {
    pub(super) ops: Vec<Op>,
    /// Tags of the post that count for its author, by the hour of the use, once that is written.
    pub(super) noted: BTreeMap<String, u64>,
    /// Whether nothing is left to do for it.
    pub(super) is_all: bool,
}

/// A change of one tag.
enum TagChange<'a> {
    /// It appeared in the post in this hour.
    Use(&'a str, u64),
    /// It is gone from the post, which was noted for a use of this hour.
    TakeBack(&'a str, u64),
}

impl TagChange<'_> {
    const fn tag(&self) -> &str {
        match self {
            Self::Use(tag, _) | Self::TakeBack(tag, _) => tag,
        }
    }
}

/// The writes by which a post, as it is now, counts for its author's use of its tags.
pub(super) async fn uses(app: &App, id: PostId, post: Option<&Post>, mut noted: BTreeMap<String, u64>) -> Result<Uses> {
    let now = key::hour(app.now());
    let wanted: BTreeSet<&str> = post.iter().flat_map(|post| &post.hashtags).map(String::as_str).collect();
    // As old as the text that has it.
    let at = post.map(|post| key::hour(post.edited.unwrap_or_else(|| id.created_at())).min(now));
    let before = noted.clone();
    let gone = before.iter().filter(|(tag, _)| !wanted.contains(tag.as_str()));
    let mut changes: Vec<TagChange<'_>> = gone.map(|(tag, hour)| TagChange::TakeBack(tag, *hour)).collect();
    let new = wanted.iter().filter(|tag| !before.contains_key(**tag));
    changes.extend(
        at.into_iter().filter(|at| counts(*at, now)).flat_map(|at| new.clone().map(move |tag| TagChange::Use(tag, at))),
    );
    let is_all = changes.len() <= TAGS_AT_ONCE;
    changes.truncate(TAGS_AT_ONCE);
    let keys: Vec<_> = changes.iter().map(|change| key::tag_use(change.tag(), id.author)).collect();
    let known = app.table().batch_get::<TagUse>(&keys, Read::Strong).await?;
    let mut ops = Vec::new();
    for (change, known) in changes.iter().zip(known) {
        match *change {
            TagChange::Use(tag, at) => {
                let (hour, writes) = begin_or_join(id.author, tag, at, known)?;
                ops.extend(writes);
                noted.insert(tag.to_owned(), hour);
            }
            TagChange::TakeBack(tag, hour) => {
                // One that counts no more is left to its time's end.
                let known = known.filter(|known| known.hour == hour && counts(hour, now));
                ops.extend(known.map(|known| take_back(id.author, tag, known)).unwrap_or_default());
                noted.remove(tag);
            }
        }
    }
    Ok(Uses { ops, noted, is_all })
}

fn ttl(hour: u64) -> u64 {
    (key::end_of(hour) + KEPT).seconds()
}

/// A use that begins, or the one of the author's that it is part of; and that one's hour.
fn begin_or_join(author: UserId, tag: &str, at: u64, known: Option<TagUse>) -> Result<(u64, Vec<Op>)> {
    let row = key::tag_use(tag, author);
    if let Some(known) = known.filter(|known| known.hour + WINDOW > at) {
        let joined = Op::update(row).add("posts", 1).when(Condition::equal("hour", known.hour));
        return Ok((known.hour, vec![joined]));
    }
    let over = Condition::less("hour", (at + 1).saturating_sub(WINDOW));
    let begun = Op::put(row, &TagUse { hour: at, posts: 1, ttl: ttl(at) })?;
    let counted = Op::update(key::tag_count(slot(author), at, tag)).add("n", 1).set(TTL, ttl(at));
    Ok((at, vec![begun.when(Condition::Any(vec![Condition::Missing, over])), counted]))
}

/// One post fewer behind a use; without any it ends, and is uncounted.
fn take_back(author: UserId, tag: &str, known: TagUse) -> Vec<Op> {
    let row = key::tag_use(tag, author);
    let same = || Condition::equal("hour", known.hour);
    if known.posts > 1 {
        return vec![Op::update(row).add("posts", -1).when(same()).when(Condition::greater("posts", 1))];
    }
    let count = Op::update(key::tag_count(slot(author), known.hour, tag)).add("n", -1);
    vec![
        Op::delete(row).when(same()).when(Condition::equal("posts", known.posts)),
        count.when(Condition::greater("n", 0)),
    ]
}

fn slot(author: UserId) -> u64 {
    u64::try_from(author.ulid().random() % u128::from(TREND_SLOTS)).unwrap_or_default()
}

/// Counts anew what is used most, from the last day's counts. Access pattern 33.
pub async fn refresh(app: &App) -> Result<()> {
    let (now, mut tally) = (app.now(), Tally::default());
    let hour = key::hour(now);
    let slots = try_join_all((0..TREND_SLOTS).map(|slot| counted(app, slot, hour))).await?;
    for (tag, at, n) in slots.into_iter().flatten() {
        tally.add(&tag, at, hour, n);
    }
    let op = top_of(tally.top(), now)?;
    app.table().write(op).await?;
    Ok(())
}

/// Nothing is no item.
fn top_of(tags: Vec<Trend>, now: Timestamp) -> Result<Op> {
    if tags.is_empty() {
        return Ok(Op::delete(key::top()));
    }
    Ok(Op::put(key::top(), &TrendingSnapshot { tags, ttl: (now + TOP_LIFETIME).seconds() })?)
}

/// The counts of a slot that count still: tag, hour, authors.
async fn counted(app: &App, slot: u64, now: u64) -> Result<Vec<(String, u64, u64)>> {
    let range = key::tag_counts(slot, (now + 1).saturating_sub(WINDOW));
    let (mut found, mut after) = (Vec::new(), None::<String>);
    loop {
        let rows = app.table().query(&range, Order::OldestFirst, Read::Eventual, PAGE, after.as_deref()).await?;
        for row in &rows.items {
            if let Some(((hour, tag), count)) = key::read_tag_count(row.sk()).zip(row.readable::<TagCount>()) {
                found.push((tag.to_owned(), hour, count.n));
            }
        }
        match rows.next {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}

/// What is used most, as it was counted last. Access pattern 34.
pub async fn top(app: &App) -> Result<Vec<Trend>> {
    let top: Option<TrendingSnapshot> = app.table().get(&key::top(), Read::Eventual).await?;
    Ok(top.map(|top| top.tags).unwrap_or_default())
}
