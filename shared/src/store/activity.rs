//! The activity log: a row for each act, for its owner alone.

use crate::App;
use crate::error::{Error, Result};
use crate::ids::{ActivityId, UserId};
use crate::limits::ACTIVITY_TIMEOUT;
use crate::models::activity::Activity;
use crate::models::notification::ReadMark;
use crate::table::design::key;
use crate::table::{Op, Order, Read};

/// Puts a row into somebody's log; the same row again changes nothing. What it tells of has happened, so it neither fails
/// nor waits for long: a row that the table does not take is dropped and counted. Access pattern 45.
pub async fn add(app: &App, user: UserId, activity: &Activity) {
    let put = async { app.table().write(Op::put(key::activity(user, activity.id), activity)?).await };
    finish(put).await;
}

/// Costs what [`add`] costs, without a row. For a sign-in with a name that nobody has, which must cost and last as
/// long as one with a name that somebody has.
pub async fn add_to_dummy(app: &App, dummy: UserId, activity: &Activity) {
    finish(app.table().write(Op::delete(key::activity(dummy, activity.id)))).await;
}

async fn finish<T>(write: impl Future<Output = Result<T, crate::table::TableError>>) {
    let reason = match tokio::time::timeout(ACTIVITY_TIMEOUT, write).await {
        Ok(Ok(_)) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the table did not answer in time".to_owned(),
    };
    // A metric filter of the template counts these.
    tracing::warn!(activity_dropped = 1, reason, "a row of the activity log was dropped");
}

/// Somebody's log, newest first, and where the next page starts. Strongly: what one did a moment ago is in it. Access
/// pattern 44.
pub async fn page(
    app: &App,
    user: UserId,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<Activity>, Option<String>), Error> {
    let rows = app.table().query(&key::activities(user), Order::NewestFirst, Read::Strong, limit, after).await?;
    Ok((rows.items.iter().filter_map(|item| item.readable()).collect(), rows.next))
}

/// The sort key of a row, for a page that starts after it.
pub fn position(user: UserId, id: ActivityId) -> String {
    key::activity(user, id).sk().to_owned()
}

/// The rows of these ids that are there; 1 unit each.
pub async fn load(app: &App, user: UserId, ids: &[ActivityId]) -> Result<Vec<Activity>, Error> {
    let keys: Vec<_> = ids.iter().map(|id| key::activity(user, *id)).collect();
    Ok(app.table().batch_get_readable(&keys, Read::Strong).await?.into_iter().flatten().collect())
}

/// Counts rows that a user's sockets are sent, and answers the number of the last. A repeated send has another
/// number, under the same id.
pub async fn count_sent(app: &App, user: UserId, count: usize) -> Result<u64, Error> {
    let count = i64::try_from(count).map_err(Error::internal)?;
    let mark = app.table().write(Op::update(key::read_mark(user)).add("acts", count)).await?;
    Ok(mark.map(|mark| mark.read::<ReadMark>()).transpose()?.unwrap_or_default().acts)
}
