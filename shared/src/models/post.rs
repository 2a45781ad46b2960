//! Posts.

use super::fields::{FieldValue, Refusal, bounded};
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Timestamp>,
    /// Raised by each edit; what `If-Match` compares.
    pub ver: u64,
    /// Rows of its like ledger; written by the stream's consumer alone.
    #[serde(default)]
    pub likes: u64,
}

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

/// Timelines reach so far back.
pub const TIMELINE_LIFETIME: std::time::Duration = std::time::Duration::from_secs(60 * 24 * 3600);

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

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Hashtags in order, each once, in lower case, without `#`.
    pub fn hashtags(&self) -> Vec<String> {
        let mut tags: Vec<String> = Vec::new();
        for tag in marked(&self.0, '#') {
            let tag = tag.to_lowercase();
            if tag.chars().any(char::is_alphabetic) && tag.len() <= 100 && !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        tags.truncate(Self::MAX_HASHTAGS);
        tags
    }

    /// Names after `@` that an account could have, each once.
    pub fn mentioned(&self) -> Vec<Username> {
        let mut names: Vec<Username> = Vec::new();
        for name in marked(&self.0, '@').filter_map(Username::from_path) {
            if !names.iter().any(|known| known.folded() == name.folded()) {
                names.push(name);
            }
        }
        names.truncate(Self::MAX_MENTIONS);
        names
    }
}

/// The words that follow `mark` where a word may begin.
fn marked(text: &str, mark: char) -> impl Iterator<Item = &str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(mark).filter_map(move |(at, _)| {
        let before = text[..at].chars().next_back();
        // "a@b" and "x#y" are no marks, "&#39;" is none either.
        if before.is_some_and(|c| is_word(c) || c == '&' || c == mark || c == '/') {
            return None;
        }
        let rest = &text[at + mark.len_utf8()..];
        let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    })
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

    fn content(text: &str) -> Content {
        Content::parse(&json!(text)).unwrap()
    }

    #[test]
    fn hashtags_are_words_after_a_hash() {
        let tags = |text| content(text).hashtags();
        assert_eq!(tags("#Rust and #rust, #größe! #2026 #a_1"), ["rust", "größe", "a_1"]);
        assert_eq!(tags("a#b &#39; ##c https://x.y/#z #"), Vec::<String>::new());
        assert_eq!(tags("(#one)#two"), ["one", "two"]);
    }

    #[test]
    fn mentions_are_names_after_an_at() {
        let names = |text| content(text).mentioned().iter().map(Username::to_string).collect::<Vec<_>>();
        assert_eq!(names("@ann, @Ann and @bob_1. mail@host.de @no @usr_x"), ["ann", "bob_1"]);
    }
}
