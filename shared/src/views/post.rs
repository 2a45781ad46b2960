//! Posts as clients see them, and the pipeline that reads them: skeleton (ids), hydrate (one batch), rules, present.

use super::media::{Links, MediaView};
use super::user::UserCard;
use crate::ids::{GroupId, PostId, UserId};
use crate::models::post::{Mention, Post};
use crate::models::user::Profile;
use crate::models::viewer::Viewer;
use crate::store::edges::{Edge, with_own};
use crate::visibility::Visibility;
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
    /// The group that it is shared in.
    pub group_id: Option<GroupId>,
    /// Of a comment, what it is a comment on.
    pub parent_id: Option<PostId>,
    /// RFC 3339, UTC, with milliseconds.
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub edited_at: Option<String>,
    pub likes_count: u64,
    pub comments_count: u64,
    /// Once per viewer and hour, without the author's own; up to a minute old.
    pub views_count: u64,
    /// Whether the viewer likes it.
    pub liked: bool,
    /// Whether the author and the viewer block each other, one or both: then it shows only to who may remove it.
    pub blocked: bool,
}

impl PostView {
    pub fn new(post: Post, author: &Profile, visibility: &Visibility<'_>, own: Own, links: &Links) -> Self {
        let Post { id, content, hashtags, mentions, media, edited, likes, comments, views, .. } = post;
        Self {
            id,
            author: UserCard::new(author, links),
            content,
            hashtags,
            mentions: visibility.visible_mentions(mentions),
            media: media.into_iter().map(|one| MediaView::new(one, links)).collect(),
            group_id: id.group(),
            parent_id: id.parent(),
            created_at: id.created_at().rfc3339(),
            edited_at: edited.map(crate::clock::Timestamp::rfc3339),
            likes_count: with_own(likes, own.like),
            comments_count: comments.saturating_add_signed(own.comments).max(u64::from(own.comments > 0)),
            views_count: views,
            liked: own.like.is_some_and(Edge::is_active),
            blocked: !visibility.can_see(author.id),
        }
    }
}

/// What the viewer did to a post, which its counters may not hold yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Own {
    like: Option<Edge>,
    comments: i64,
}

impl Own {
    /// `like` is the viewer's edge to the post.
    pub fn new(viewer: Option<&Viewer>, post: PostId, like: Option<Edge>) -> Self {
        let comments = viewer.and_then(|viewer| viewer.comments.get(&post));
        Self { like, comments: comments.copied().unwrap_or_default() }
    }
}

/// The ids of posts, in their order.
pub fn ids(posts: &[Post]) -> Vec<PostId> {
    posts.iter().map(|post| post.id).collect()
}

/// Posts with their authors and what the viewer did; a post whose author is gone, or that the viewer can't see, is left
/// out.
pub fn present(
    posts: impl IntoIterator<Item = Post>,
    authors: &HashMap<UserId, Arc<Profile>>,
    viewer: Option<&Viewer>,
    visibility: &Visibility<'_>,
    likes: &HashMap<PostId, Edge>,
    links: &Links,
) -> Vec<PostView> {
    let view = |post: Post| {
        let (author, like) = (authors.get(&post.id.author)?, likes.get(&post.id).copied());
        if !visibility.can_see_post(post.id) {
            return None;
        }
        let own = Own::new(viewer, post.id, like);
        Some(PostView::new(post, author, visibility, own, links))
    };
    posts.into_iter().filter_map(view).collect()
}

/// A comment on the example, for the documentation.
pub fn example_comment() -> serde_json::Value {
    let post = example();
    let id = "pst_01K9ZQ7A4M2T8Q6M5N4C1B0A9Z.01K9ZNXE5R2W8J6H4G3F1D0C7B";
    let parent = post["id"].as_str().unwrap_or_default();
    let id = format!("{id}.{}", parent.trim_start_matches("pst_"));
    let mut comment = post.clone();
    comment["content"] = "And the curlews are back.".into();
    comment["hashtags"] = serde_json::json!([]);
    comment["id"] = id.into();
    comment["parent_id"] = post["id"].clone();
    comment["created_at"] = "2026-11-20T20:40:00.000Z".into();
    comment["likes_count"] = 1.into();
    comment
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
        "likes_count": 3, "comments_count": 0, "views_count": 41, "liked": true, "blocked": false
    })
}
