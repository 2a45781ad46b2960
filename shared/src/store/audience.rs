//! Views, counted.
//!
//! All views of a post in a batch are taken in by one write each of the hour's viewers, of all its viewers with the
//! totals, and of the number on the post; where nothing is new nothing is written. Each write is the union with what was
//! there, or the higher of two numbers, on the condition that nobody wrote in between: a batch that comes again, in part
//! or after a worker died between two writes, ends where it would have ended. The totals hold of each hour what they have
//! of it, so they follow the hours without being in a transaction with them, which would cost twice as much.

use super::analytics;
use crate::App;
use crate::error::{Error, Result};
use crate::ids::PostId;
use crate::limits::EDGE_REFUSALS;
use crate::models::audience::{Audience, HourAudience, ViewerHash};
use crate::models::days::Hour;
use crate::models::post::Post;
use crate::table::client::back_off;
use crate::table::design::{DELETED, Key, key};
use crate::table::{Condition, Op, Read};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// Counts views of a post, each by its hour. Of a post that is gone nothing stays; a view that comes so late that nobody
/// knows who was counted is dropped. Access pattern 29.
///
/// # Errors
/// The table does not answer; part may be done, and repeating all of it is safe.
pub async fn count(app: &App, post: PostId, views: &[(Hour, ViewerHash)]) -> Result<()> {
    let now = app.now();
    let mut hours: BTreeMap<Hour, Vec<ViewerHash>> = BTreeMap::new();
    for (hour, viewer) in views.iter().filter(|(hour, _)| !hour.is_closed(now)) {
        hours.entry(*hour).or_default().push(*viewer);
    }
    let known: usize = hours.values().map(Vec::len).sum();
    if known < views.len() {
        tracing::warn!(views_late = views.len() - known, %post, "views came too late to be counted");
    }
    if hours.is_empty() {
        return Ok(());
    }
    let Some(found) = super::posts::get(app, post, Read::Confirmed).await? else {
        return analytics::purge(app, post).await;
    };
    let mut counts = Vec::new();
    for (hour, viewers) in &hours {
        let add = |audience: &mut HourAudience| {
            audience.ttl = hour.kept_until();
            audience.viewers.add(viewers.iter().copied())
        };
        counts.push((*hour, fold(app, key::hour_audience(post, *hour), add).await?.viewers.count()));
    }
    let add = |audience: &mut Audience| {
        let mut is_new = audience.viewers.add(hours.values().flatten().copied());
        for (hour, n) in &counts {
            is_new |= audience.raise(*hour, *n);
        }
        audience.drop_past(now);
        is_new
    };
    let audience = fold(app, key::audience(post), add).await?;
    if audience.n > found.views && !show(app, post, audience.n).await? {
        // It was deleted meanwhile.
        return analytics::purge(app, post).await;
    }
    Ok(())
}

/// Shows on the post how many views it has, if it shows fewer. False when it is gone.
async fn show(app: &App, post: PostId, n: u64) -> Result<bool> {
    let fewer = Condition::Any(vec![Condition::Without("views"), Condition::less("views", n)]);
    let op = Op::update(key::post(post)).set("views", n).when(Condition::Exists).when(Condition::Without(DELETED));
    match app.table().write(op.when(fewer).without_write_token()).await {
        Ok(_) => Ok(true),
        Err(error) => match error.refused()?.item(0) {
            Some(item) => Ok(!item.read::<Post>()?.deleted),
            None => Ok(false),
        },
    }
}

/// An item that grows, and says how often it was written.
trait Grows: Default + Serialize + DeserializeOwned {
    fn ver(&mut self) -> &mut u64;
}

impl Grows for Audience {
    fn ver(&mut self) -> &mut u64 {
        &mut self.ver
    }
}

impl Grows for HourAudience {
    fn ver(&mut self) -> &mut u64 {
        &mut self.ver
    }
}

/// Adds to an item until nobody else wrote it in between, and answers what it is then. What `add` does not change is not
/// written.
async fn fold<T: Grows>(app: &App, key: Key, add: impl Fn(&mut T) -> bool) -> Result<T> {
    for attempt in 0..EDGE_REFUSALS {
        let mut item: T = app.table().get(&key, Read::Strong).await?.unwrap_or_default();
        if !add(&mut item) {
            return Ok(item);
        }
        let unchanged = match *item.ver() {
            0 => Condition::Missing,
            ver => Condition::equal("ver", ver),
        };
        *item.ver() += 1;
        match app.table().write(Op::put(key.clone(), &item)?.when(unchanged)).await {
            Ok(_) => return Ok(item),
            Err(error) => drop(error.refused()?),
        }
        back_off(attempt).await;
    }
    Err(Error::unavailable("views come from elsewhere faster than they are counted"))
}
