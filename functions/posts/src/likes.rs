//! Likes.

use axum::extract::State;
use futures::future::{try_join, try_join3};
use serde::Serialize;
use shared::error::{Error, Result};
use shared::http::extract::{Path, PostPath};
use shared::http::rate_limits::Action;
use shared::http::{Bearer, Page, PageParams, PageQuery, Reader, View};
use shared::ids::{PostId, UserId};
use shared::models::activity::ActivityType;
use shared::models::post::Post;
use shared::store::edges::{Edge, with_own};
use shared::table::Read;
use shared::table::design::key;
use shared::views::media::Links;
use shared::views::post::{PostView, present};
use shared::views::user::{UserCard, cards};
use shared::{App, store, views, visibility};
use std::collections::HashMap;

/// How I stand to a post now.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct LikeState {
    /// Whether I like it.
    liked: bool,
    /// Likes, my own act included.
    likes_count: u64,
}

impl LikeState {
    fn new(post: &Post, own: Option<Edge>) -> View<Self> {
        View(Self { liked: own.is_some_and(Edge::is_active), likes_count: with_own(post.likes, own) })
    }
}

/// The session, the limit and the post, all at once.
async fn target(app: &App, bearer: &Bearer, id: PostId) -> Result<Post> {
    let post = store::posts::get_visible(app, id, Read::Strong);
    let (viewer, post) = try_join(bearer.acting(app, Action::Like), post).await?;
    visibility::ensure_visible(app, Some(&viewer), visibility::of_post(id)).await?;
    post.map(|(post, _)| post).ok_or_else(Error::not_found)
}

async fn set(app: &App, bearer: &Bearer, id: PostId, liked: bool) -> Result<View<LikeState>> {
    let post = target(app, bearer, id).await?;
    Ok(LikeState::new(&post, store::likes::set(app, bearer.id(), id, liked).await?))
}

/// Like a post
///
/// Idempotent.
#[utoipa::path(
    post, path = "/posts/{id}/like", tag = "posts", params(PostPath), security(("bearer" = [])), extensions(("x-limit" = json!("like"))),
    responses((status = 200, description = "Liked", body = LikeState, example = json!({"liked": true, "likes_count": 4})))
)]
pub(crate) async fn like_post(
    State(app): State<App>,
    bearer: Bearer,
    Path(path): Path<PostPath>,
) -> Result<View<LikeState>> {
    set(&app, &bearer, path.id, true).await
}

/// Unlike a post
///
/// Idempotent.
#[utoipa::path(
    delete, path = "/posts/{id}/like", tag = "posts", params(PostPath), security(("bearer" = [])), extensions(("x-limit" = json!("like"))),
    responses((status = 200, description = "Not liked", body = LikeState, example = json!({"liked": false, "likes_count": 3})))
)]
pub(crate) async fn unlike_post(
    State(app): State<App>,
    bearer: Bearer,
    Path(path): Path<PostPath>,
) -> Result<View<LikeState>> {
    set(&app, &bearer, path.id, false).await
}

/// Unlike a post (alias)
///
/// Same as `DELETE /posts/{id}/like`.
#[utoipa::path(
    post, path = "/posts/{id}/unlike", tag = "posts", params(PostPath), security(("bearer" = [])), extensions(("x-limit" = json!("like"))),
    responses((status = 200, description = "Not liked", body = LikeState, example = json!({"liked": false, "likes_count": 3})))
)]
pub(crate) async fn unlike_post_by_post(
    state: State<App>,
    bearer: Bearer,
    path: Path<PostPath>,
) -> Result<View<LikeState>> {
    unlike_post(state, bearer, path).await
}

/// Toggle a like
///
/// Likes the post, or takes the like back where there is one.
#[utoipa::path(
    post, path = "/posts/like/{id}", tag = "posts", params(PostPath), security(("bearer" = [])), extensions(("x-limit" = json!("like"))),
    responses((status = 200, description = "Flipped", body = LikeState, example = json!({"liked": true, "likes_count": 4})))
)]
pub(crate) async fn toggle_like(
    State(app): State<App>,
    bearer: Bearer,
    Path(PostPath { id }): Path<PostPath>,
) -> Result<View<LikeState>> {
    let likes = store::likes::likes(&app, bearer.id(), id, Read::Strong);
    let (post, liked) = try_join(target(&app, &bearer, id), likes).await?;
    if liked {
        bearer.notes().set_activity(ActivityType::UnlikePost);
    }
    Ok(LikeState::new(&post, store::likes::set(&app, bearer.id(), id, !liked).await?))
}

/// List who likes a post
///
/// Newest first.
#[utoipa::path(
    get, path = "/posts/{id}/likes", tag = "posts", params(PostPath, PageParams), security(("bearer" = [])),
    extensions(("x-public-reading" = json!(true))),
    responses((status = 200, description = "A page", body = Page<UserCard>, example = json!({"items": [views::post::example()["author"]], "next_cursor": null})))
)]
pub(crate) async fn list_likes(
    State(app): State<App>,
    reader: Reader,
    Path(PostPath { id }): Path<PostPath>,
    query: PageQuery,
) -> Result<Page<UserCard>> {
    let list = format!("likes of {id}");
    let after = query.after(&app, &list)?;
    let (post, rows) = (
        store::posts::get_visible(&app, id, Read::Confirmed),
        store::likes::of_post(&app, id, query.limit, after.as_deref(), Read::Eventual),
    );
    let (viewer, post, rows) = try_join3(reader.viewer(&app), post, rows).await?;
    post.ok_or_else(Error::not_found)?;
    visibility::ensure_visible_in_place(&app, viewer.as_ref(), id).await?;
    let ids: Vec<UserId> = rows.items.iter().filter_map(|row| key::other_end(row.sk())).collect();
    let items = cards(&app, viewer.as_ref(), &ids).await?;
    query.page(&app, &list, items, rows.next.as_deref())
}

/// List the posts I like
///
/// By their own time, newest first.
#[utoipa::path(
    get, path = "/posts/liked", tag = "posts", params(PageParams), security(("bearer" = [])),
    responses((status = 200, description = "A page", body = Page<PostView>, example = json!({"items": [views::post::example()], "next_cursor": null})))
)]
pub(crate) async fn list_liked_posts(
    State(app): State<App>,
    bearer: Bearer,
    query: PageQuery,
) -> Result<Page<PostView>> {
    let list = format!("liked by {}", bearer.id());
    let after = query.after(&app, &list)?;
    let liked = store::likes::by_user(&app, bearer.id(), query.limit, after.as_deref());
    let (viewer, (liked, next)) = try_join(bearer.viewer(&app), liked).await?;
    let own: HashMap<PostId, Edge> = liked.iter().copied().collect();
    let ids: Vec<PostId> = liked.into_iter().map(|(post, _)| post).collect();
    let authors_of = store::user_cards::load(&app, ids.iter().map(|post| post.author));
    let (posts, authors) = try_join(store::posts::load(&app, &ids, Some(bearer.id())), authors_of).await?;
    let visibility = visibility::load(&app, Some(&viewer), visibility::of_posts(&posts)).await?;
    let items = present(posts, &authors, Some(&viewer), &visibility, &own, &Links::new(&app)?);
    query.page(&app, &list, items, next.as_deref())
}
