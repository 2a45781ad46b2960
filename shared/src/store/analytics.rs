//! What a post's author may know of its readers: counts by day. Views are `audience`'s; likes and comments are written by
//! the stream's consumer, in the transaction that counts them, so each day has as many as its ledger has of that day.

use crate::App;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::ids::PostId;
use crate::models::audience::Audience;
use crate::models::days::{Counted, DailyCounts, Day, MONTHS_KEPT, Month};
use crate::table::design::{TTL, key};
use crate::table::{Op, Order, Read};
use std::collections::BTreeMap;

/// A post's counts.
#[derive(Debug, Default)]
pub struct Analytics {
    pub audience: Audience,
    rows: Vec<DailyCounts>,
}

impl Analytics {
    /// How many likes or comments there are of each day.
    pub fn by_day(&self, what: Counted) -> BTreeMap<Day, u64> {
        self.rows.iter().flat_map(|row| row.of(what)).collect()
    }
}

/// A post's analytics. Access pattern 28.
pub async fn of_post(app: &App, post: PostId) -> Result<Analytics> {
    let range = key::analytics(post);
    let rows = app.table().query(&range, Order::OldestFirst, Read::Strong, MONTHS_KEPT + 2, None).await?;
    let mut analytics = Analytics::default();
    for item in &rows.items {
        if item.sk() == key::audience(post).sk() {
            analytics.audience = item.read()?;
        } else {
            analytics.rows.push(item.read()?);
        }
    }
    Ok(analytics)
}

/// The writes that count acts by the day on which they were done: at most [`MONTHS_KEPT`], and mostly one. An act of a
/// day that has left its row counts for nothing: so long ago, nobody looks.
pub(super) fn count(post: PostId, what: Counted, days: &BTreeMap<Day, i64>, now: Timestamp) -> Vec<Op> {
    let mut rows: BTreeMap<Month, Op> = BTreeMap::new();
    for (day, n) in days.iter().filter(|(day, n)| **n != 0 && !day.month().is_over(now)) {
        let month = day.month();
        let row = rows.remove(&month);
        let row = row.unwrap_or_else(|| Op::update(key::days(post, month)).set(TTL, month.kept_until()));
        rows.insert(month, row.add(what.attribute(*day), *n));
    }
    rows.into_values().collect()
}

/// Removes all that is counted of a post that is gone.
pub async fn purge(app: &App, post: PostId) -> Result<()> {
    let range = key::counted(post);
    let mut after = None;
    loop {
        let rows = app.table().query(&range, Order::OldestFirst, Read::Strong, 100, after.as_deref()).await?;
        let gone = rows.items.iter().map(|item| Op::delete(key::counted_row(&range, item.sk())));
        app.table().batch_write(gone.collect()).await?;
        match rows.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}
