//! The viewer's prefix.

use crate::App;
use crate::error::{Error, Result};
use crate::ids::{PostId, SessionId, UserId};
use crate::models::group::Membership;
use crate::models::post::PendingCount;
use crate::models::session::Session;
use crate::models::viewer::{Relationship, Viewer};
use crate::table::design::key;
use crate::table::{Order, Read};
use std::collections::HashMap;

/// More rows than these are asked for by key.
const LIMIT: usize = 150;

/// Loads a viewer by one strong query: 1 unit up to 4 KB. Access pattern 1.
///
/// # Errors
/// 401 when the session has ended.
pub async fn load(app: &App, id: UserId, session: SessionId) -> Result<Viewer> {
    let viewer = without_session(app, id).await?;
    match viewer.sessions.iter().any(|known| known.id == session) {
        true => Ok(viewer),
        false => Err(Error::unauthorized("This session has ended. Sign in again.")),
    }
}

/// Loads a viewer without requiring a session, for workers.
pub async fn without_session(app: &App, id: UserId) -> Result<Viewer> {
    let rows = app.table().query(&key::viewer(id), Order::OldestFirst, Read::Strong, LIMIT, None).await?;
    let (mut sessions, mut merged, mut relationships) = (Vec::new(), Vec::new(), HashMap::new());
    let (longest, now) = (app.config().session_life, app.now());
    let mut groups = HashMap::new();
    let mut comments: HashMap<PostId, i64> = HashMap::new();
    for item in &rows.items {
        if item.sk().starts_with(key::SESSION) {
            // One that has ended may lie there for days: DynamoDB deletes late.
            sessions.extend(Some(item.read::<Session>()?).filter(|session| session.end(longest) > now));
        } else if let Some(author) = key::ending(item.sk(), key::MERGED) {
            merged.push(author);
        } else if let Some(post) = key::commented(item.sk()) {
            *comments.entry(post).or_default() += item.read::<PendingCount>()?.n;
        } else if let Some(other) = key::ending(item.sk(), key::RELATIONSHIP) {
            relationships.insert(other, item.read::<Relationship>()?);
        } else if let Some(group) = key::member_of(item.sk()) {
            groups.insert(group, item.read::<Membership>()?.role);
        }
    }
    Ok(Viewer { id, sessions, merged, comments, relationships, groups, overflow: rows.next.is_some() })
}
