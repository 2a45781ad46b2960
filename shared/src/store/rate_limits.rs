//! Rate-limit counters.

use crate::App;
use crate::error::Result;
use crate::table::Op;
use crate::table::design::key;
use std::time::Duration;

#[derive(serde::Deserialize)]
struct Counter {
    n: u64,
}

/// Counts one more in a window and answers how many that makes. Access pattern 20.
pub async fn count(app: &App, scope: &str, window: u64, length: Duration) -> Result<u64> {
    count_by(app, scope, window, length, 1).await
}

/// Counts `by` more in a window and answers the sum.
pub async fn count_by(app: &App, scope: &str, window: u64, length: Duration, by: u64) -> Result<u64> {
    let gone = (app.now() + length * 2).seconds();
    let op =
        Op::update(key::rate_limit(scope, window)).add("n", i64::try_from(by).unwrap_or(i64::MAX)).set("ttl", gone);
    match app.table().write(op).await? {
        Some(item) => Ok(item.read::<Counter>()?.n),
        None => Ok(by),
    }
}

/// Uncounts one.
pub async fn uncount(app: &App, scope: &str, window: u64) -> Result<()> {
    app.table().write(Op::update(key::rate_limit(scope, window)).add("n", -1)).await?;
    Ok(())
}
