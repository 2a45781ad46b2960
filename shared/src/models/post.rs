//! Posts.

use super::fields::{FieldValue, Refusal, bounded};
use super::fold;
use super::media::Attached;
use super::text;
use super::user::Username;
use crate::clock::Timestamp;
use crate::ids::{PostId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A post as it lies in the table, with the counters others raise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    pub id: PostId,
    pub content: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hashtags: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Mention>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Attached>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Timestamp>,
    /// Raised by each edit; what `If-Match` compares.
    pub ver: u64,
    /// Rows of its like ledger; written by the stream's consumer alone.
    #[serde(default)]
    pub likes: u64,
    /// Comments on it that are counted; likewise.
    #[serde(default)]
    pub comments: u64,
    /// Views as they were counted last; written by the `views` function alone.
    #[serde(default)]
    pub views: u64,
    /// It was edited, and what follows from that is not on its way yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub todo: bool,
    /// A comment that the counter holds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counted: bool,
    /// A comment that was deleted, until the counter knows.
    #[serde(default, rename = "un", skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

impl Post {
    /// One that nobody has liked or changed yet.
    pub fn new(id: PostId, draft: Draft) -> Self {
        let Draft { content, hashtags, mentions, media } = draft;
        Self {
            id,
            content,
            hashtags,
            mentions,
            media,
            edited: None,
            ver: 1,
            likes: 0,
            comments: 0,
            views: 0,
            todo: false,
            counted: false,
            deleted: false,
        }
    }
}

/// What a post is to say, now or at its time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// Empty where pictures say it all.
    pub content: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hashtags: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Mention>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Attached>,
}

impl Draft {
    pub fn new(content: Option<&Content>, mentions: Vec<Mention>, media: Vec<Attached>) -> Self {
        let hashtags = content.map(Content::hashtags).unwrap_or_default();
        let content = content.map(|content| content.as_str().to_owned()).unwrap_or_default();
        Self { content, hashtags, mentions, media }
    }

    /// What a post says already.
    pub fn of(post: &Post) -> Self {
        let (content, hashtags) = (post.content.clone(), post.hashtags.clone());
        Self { content, hashtags, mentions: post.mentions.clone(), media: post.media.clone() }
    }

    /// One without pictures.
    pub fn text(content: &Content, mentions: Vec<Mention>) -> Self {
        Self::new(Some(content), mentions, Vec::new())
    }
}

/// What somebody's own doing adds to the comments of a post, until the counter holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingCount {
    pub n: i64,
    /// Seconds since the epoch.
    pub ttl: u64,
}

/// What is not counted by then is left to the audit.
pub const PENDING_COUNT_LIFETIME: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// Somebody a post names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Mention {
    pub id: UserId,
    pub username: Username,
}

/// A row of a timeline. Its key says it all; 30 of them are read for one unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineRow {
    /// Seconds since the epoch.
    pub ttl: u64,
}

/// So long a timeline's row lives from its post's creation on.
pub const TIMELINE_LIFETIME: std::time::Duration = std::time::Duration::from_secs(60 * 24 * 3600);

/// Timelines hold everything that is newer than this; an hour less than rows live, for clocks differ and a page takes a
/// while to read.
pub fn timeline_horizon(now: Timestamp) -> PostId {
    let hour = std::time::Duration::from_secs(3600);
    let reach = TIMELINE_LIFETIME.saturating_sub(hour).as_millis();
    PostId::first_at(Timestamp::from_millis(now.millis().saturating_sub(u64::try_from(reach).unwrap_or(u64::MAX))))
}

/// A text of 1 to 2,000 characters, at most 8 KiB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct Content(String);

impl Content {
    /// Grapheme clusters.
    pub const MAX: usize = 2_000;
    pub const MAX_BYTES: usize = 8 * 1024;
    /// Names beyond these stay text.
    pub const MAX_MENTIONS: usize = 10;
    pub const MAX_HASHTAGS: usize = 30;
    /// Longer ones stay text.
    pub const MAX_HASHTAG_BYTES: usize = 200;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Hashtags in order, each once, folded (`fold::tag`), without `#`.
    pub fn hashtags(&self) -> Vec<String> {
        let mut tags: Vec<String> = Vec::new();
        for tag in text::hashtags(&self.0) {
            let tag = fold::tag(tag);
            if tag.len() <= Self::MAX_HASHTAG_BYTES && !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        tags.truncate(Self::MAX_HASHTAGS);
        tags
    }

    /// Names after `@` that an account could have, each once.
    pub fn mentioned(&self) -> Vec<Username> {
        mentioned(&self.0)
    }
}

/// The names in a text, each once, up to the number that a post may mention.
pub fn mentioned(content: &str) -> Vec<Username> {
    let mut names: Vec<Username> = Vec::new();
    for name in text::mentions(content).into_iter().filter_map(Username::from_path) {
        if !names.iter().any(|known| known.folded() == name.folded()) {
            names.push(name);
        }
    }
    names.truncate(Content::MAX_MENTIONS);
    names
}

impl FieldValue for Content {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        bounded(value, Self::MAX, Self::MAX_BYTES, true).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hashtags_and_mentions_come_once_each() {
        let content =
            Content::parse(&json!("#Rust and #rust, #gro\u{308}ße! @ann, @Ann and @bob_1. @no @usr_x")).unwrap();
        assert_eq!(content.hashtags(), ["rust", "grösse"]);
        let names: Vec<_> = content.mentioned().iter().map(Username::to_string).collect();
        assert_eq!(names, ["ann", "bob_1"]);
    }
}
