//! Scheduled posts, every minute: what is due is published, oldest first, each once.

use serde::Deserialize;
use shared::App;
use shared::error::Result;
use shared::limits::{PUBLISH_GRACE, PUBLISH_TIME};
use shared::store::scheduled::{self, PublisherLease};
use shared::table::design::key;
use tokio::time::Instant;

/// EventBridge's event. That it comes says all.
#[derive(Debug, Deserialize)]
pub struct Tick {}

/// Publishes what is due by now, unless another run is at it.
///
/// # Errors
/// The table does not answer; the next run continues.
pub async fn handle(app: &App, _: Tick) -> Result<()> {
    let Some(mut lease) = PublisherLease::acquire(app).await? else { return Ok(()) };
    let ran = run(app, &mut lease).await;
    match ran {
        Ok(Some(from)) => lease.finish(app, from).await,
        Ok(None) => Ok(()),
        Err(error) => {
            lease.release(app).await?;
            Err(error)
        }
    }
}

/// Answers the first hour in which something may be due from now on; None when this run was taken for dead.
async fn run(app: &App, lease: &mut PublisherLease) -> Result<Option<u64>> {
    let deadline = Instant::now() + PUBLISH_TIME;
    let now = key::hour(app.now());
    // The very first run finds nothing older than the hour before; a clock that was ahead is not believed.
    let first = lease.hour.unwrap_or(now - 1).min(now);
    let (mut hour, mut from) = (first, first);
    while hour <= key::hour(app.now()) {
        let was_over = key::end_of(hour) + PUBLISH_GRACE < app.now();
        match publish_hour(app, lease, hour, deadline).await? {
            Hour::NotMine => return Ok(None),
            Hour::OutOfTime => break,
            // All before it is done with, too.
            Hour::Empty if was_over && from == hour => from += 1,
            Hour::Empty | Hour::HadSome => {}
        }
        hour += 1;
    }
    Ok(Some(from))
}

/// What became of an hour.
enum Hour {
    Empty,
    HadSome,
    OutOfTime,
    /// This run was taken for dead, and another one began.
    NotMine,
}

async fn publish_hour(app: &App, lease: &mut PublisherLease, hour: u64, deadline: Instant) -> Result<Hour> {
    let (mut found, mut after) = (Hour::Empty, None);
    loop {
        if Instant::now() > deadline {
            return Ok(Hour::OutOfTime);
        }
        let (due, next) = scheduled::due(app, hour, after.as_deref()).await?;
        if !due.is_empty() {
            if !lease.renew(app).await? {
                return Ok(Hour::NotMine);
            }
            lease.publish(app, due).await?;
            found = Hour::HadSome;
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}
