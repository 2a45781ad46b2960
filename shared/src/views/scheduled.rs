//! Posts that wait for their time as their author sees them.

use super::media::{Links, MediaView};
use crate::ids::{PostId, ScheduledId};
use crate::models::post::{Draft, Mention};
use crate::models::scheduled::Scheduled;
use serde::Serialize;

/// A post that waits for its time, or lately did.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ScheduledView {
    pub id: ScheduledId,
    pub content: String,
    /// In lower case, without `#`.
    pub hashtags: Vec<String>,
    pub mentions: Vec<Mention>,
    /// Pictures, or a video.
    pub media: Vec<MediaView>,
    /// RFC 3339, UTC, with milliseconds.
    #[schema(format = DateTime)]
    pub publish_at: String,
    #[schema(format = DateTime)]
    pub created_at: String,
    /// What it became, once it is out; told for 30 days.
    #[schema(required = true)]
    pub post_id: Option<PostId>,
}

impl ScheduledView {
    pub fn new(scheduled: Scheduled, links: &Links) -> Self {
        let Scheduled { id, draft, at, ver: _, post, ttl: _ } = scheduled;
        let Draft { content, hashtags, mentions, media } = draft;
        Self {
            id,
            content,
            hashtags,
            mentions,
            media: media.into_iter().map(|one| MediaView::new(one, links)).collect(),
            publish_at: at.rfc3339(),
            created_at: id.created_at().rfc3339(),
            post_id: post,
        }
    }
}

/// For the documentation.
pub fn example() -> serde_json::Value {
    serde_json::json!({
        "id": "sch_01K9ZP2D7V3T8Q6M5N4C1B0A9Z", "content": "Low tide. #mudflats", "hashtags": ["mudflats"],
        "mentions": [], "media": [], "publish_at": "2026-11-21T06:00:00.000Z", "created_at": "2026-11-20T20:30:00.000Z",
        "post_id": null
    })
}
