//! The activity log as its owner sees it.

use crate::App;
use crate::error::Result;
use crate::ids::{ActivityId, UserId};
use crate::models::activity::{Activity, ActivityType, Target};
use crate::models::socket::Message;
use crate::store::activity;
use serde::Serialize;

/// Rows read at once in search of some types, and how often that is done for one page: some twenty units, whatever the
/// log holds.
const SEARCHED: usize = 100;
const SEARCHES: usize = 4;

/// One act.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ActivityView {
    pub id: ActivityId,
    #[serde(rename = "type")]
    pub kind: ActivityType,
    /// RFC 3339, UTC, with milliseconds.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// What it was done to: what it made, or else whom or what it named; null where that is oneself or many.
    #[schema(required = true)]
    pub target: Option<Target>,
    /// Of sign-ins: the network they came from, the first 24 bits of an IPv4 address or 48 of an IPv6 one.
    #[schema(required = true, example = "192.0.2.0/24")]
    pub address: Option<String>,
    /// Of sign-ins: what signed in, as it called itself.
    #[schema(required = true, example = "curl/8.14.1")]
    pub user_agent: Option<String>,
}

impl From<Activity> for ActivityView {
    fn from(row: Activity) -> Self {
        Self {
            created_at: row.id.created_at().rfc3339(),
            id: row.id,
            kind: row.kind,
            target: row.target.as_deref().and_then(Target::of),
            address: row.address,
            user_agent: row.agent,
        }
    }
}

/// A page of what the owner did, newest first, and where the next one starts. Of these types alone, if there are any: then
/// a bounded number of rows is looked at, so a page may come out short, and its cursor goes on all the same.
pub async fn page(
    app: &App,
    owner: UserId,
    types: &[ActivityType],
    limit: usize,
    mut after: Option<String>,
) -> Result<(Vec<ActivityView>, Option<String>)> {
    let views = |rows: Vec<Activity>| rows.into_iter().map(ActivityView::from).collect();
    if types.is_empty() {
        let (rows, next) = activity::page(app, owner, limit, after.as_deref()).await?;
        return Ok((views(rows), next));
    }
    let mut kept: Vec<Activity> = Vec::new();
    for _ in 0..SEARCHES {
        let (rows, next) = activity::page(app, owner, SEARCHED, after.as_deref()).await?;
        kept.extend(rows.into_iter().filter(|row| types.contains(&row.kind)));
        if kept.len() > limit {
            kept.truncate(limit);
            after = kept.last().map(|row| activity::position(owner, row.id));
            break;
        }
        after = next;
        if after.is_none() {
            break;
        }
    }
    Ok((views(kept), after))
}

/// What sockets are told of these, oldest first: `data` is the row as the list has it.
pub async fn messages(app: &App, user: UserId, ids: &[ActivityId]) -> Result<Vec<Message>> {
    let mut rows = activity::load(app, user, ids).await?;
    rows.sort_unstable_by_key(|row| row.id);
    let last = activity::count_sent(app, user, rows.len()).await?;
    let first = last.saturating_sub(rows.len() as u64) + 1;
    let message = |(row, seq): (Activity, u64)| {
        let view = ActivityView::from(row);
        Some(Message {
            kind: view.kind.as_str(),
            id: view.id.to_string(),
            seq: Some(seq),
            created_at: view.created_at.clone(),
            data: serde_json::to_value(view).ok()?,
        })
    };
    Ok(rows.into_iter().zip(first..).filter_map(message).collect())
}
