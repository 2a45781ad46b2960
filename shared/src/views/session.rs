//! Sessions as their owner sees them.

use crate::ids::SessionId;
use crate::models::session::Session;
use serde::Serialize;
use std::time::Duration;

/// A sign-in that stands.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct SessionView {
    pub id: SessionId,
    /// Whether this request came with it; in an archive none has.
    pub current: bool,
    /// RFC 3339, UTC, with milliseconds.
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub last_used_at: String,
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// What signed in, as it called itself.
    pub user_agent: String,
}

impl SessionView {
    /// `current` is the one that asks; none lives longer than `longest`.
    pub fn new(session: Session, current: Option<SessionId>, longest: Duration) -> Self {
        Self {
            current: Some(session.id) == current,
            created_at: session.id.created_at().rfc3339(),
            last_used_at: session.rotated.rfc3339(),
            expires_at: session.end(longest).rfc3339(),
            user_agent: session.agent,
            id: session.id,
        }
    }
}
