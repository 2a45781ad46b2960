//! Posts as clients see them, and the pipeline that reads them: skeleton (ids), hydrate (one batch), rules, present.

use super::user::UserCard;
use crate::ids::{PostId, UserId};
use crate::models::post::{Mention, Post};
use crate::models::user::Profile;
use crate::store::edges::{Edge, with_own};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;

/// A post.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct PostView {
    pub id: PostId,
    pub author: UserCard,
    pub content: String,
    /// In lower case, without `#`.
    pub hashtags: Vec<String>,
    pub mentions: Vec<Mention>,
    /// Pictures and video.
    pub media: Vec<MediaView>,
    pub group_id: Option<String>,
    /// Of a comment, what it is a comment on.
    pub parent_id: Option<PostId>,
    /// RFC 3339, UTC, with milliseconds.
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub edited_at: Option<String>,
    pub likes_count: u64,
    pub comments_count: u64,
    pub views_count: u64,
    /// Whether the viewer likes it.
    pub liked: bool,
}

/// A picture or video of a post.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct MediaView {
    pub id: String,
    pub kind: String,
    pub content_type: String,
    pub url: String,
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub alt_text: Option<String>,
    pub variants: Vec<String>,
    pub poster_url: Option<String>,
    pub duration: Option<f64>,
}

impl PostView {
    pub fn new(post: Post, author: &Profile, own: Option<Edge>) -> Self {
        let Post { id, content, hashtags, mentions, edited, ver: _, likes } = post;
        Self {
            id,
            author: UserCard::from(author),
            content,
            hashtags,
            mentions,
            media: Vec::new(),
            group_id: None,
            parent_id: None,
            created_at: id.created_at().rfc3339(),
            edited_at: edited.map(crate::clock::Timestamp::rfc3339),
            likes_count: with_own(likes, own),
            comments_count: 0,
            views_count: 0,
            liked: own.is_some_and(Edge::stands),
        }
    }
}

/// Posts with their authors and the viewer's likes; a post whose author is gone is left out.
pub fn present(
    posts: impl IntoIterator<Item = Post>,
    authors: &HashMap<UserId, Arc<Profile>>,
    own: &HashMap<PostId, Edge>,
) -> Vec<PostView> {
    let view = |post: Post| {
        let (author, edge) = (authors.get(&post.id.author)?, own.get(&post.id).copied());
        Some(PostView::new(post, author, edge))
    };
    posts.into_iter().filter_map(view).collect()
}

/// A post, for the documentation.
pub fn example() -> serde_json::Value {
    serde_json::json!({
        "id": "pst_01K9ZP2D7V3T8Q6M5N4C1B0A9Z.01K9ZNXE5R2W8J6H4G3F1D0C7B",
        "author": {
            "id": "usr_01K9ZNXE5R2W8J6H4G3F1D0C7B", "username": "gull", "full_name": "Lara Gull", "avatar_url": null
        },
        "content": "Low tide. #mudflats", "hashtags": ["mudflats"], "mentions": [], "media": [], "group_id": null,
        "parent_id": null, "created_at": "2026-11-20T20:30:00.000Z", "edited_at": null,
        "likes_count": 3, "comments_count": 0, "views_count": 0, "liked": true
    })
}
