//! Comments: posts below another one. Every operation on a post takes a comment's id too.

use crate::edits::{self, PostPatch};
use crate::posts::{self, PostText, mentions};
use axum::extract::State;
use axum::response::Response;
use futures::future::try_join3;
use http::StatusCode;
use shared::error::{Error, FieldError, Result};
use shared::http::etag::{IfMatch, Tagged};
use shared::http::extract::{Json, Path, PostPath};
use shared::http::idempotency::{Created, Idempotent};
use shared::http::rate_limits::Action;
use shared::http::{Bearer, Page, PageParams, PageQuery, Reader};
use shared::ids::{PostId, UserId, new_ulid};
use shared::models::post::{Draft, Post};
use shared::table::Read;
use shared::views::media::Links;
use shared::views::post::{Own, PostView, ids, present};
use shared::visibility::ContentOwner;
use shared::{App, store, views, visibility};
use std::collections::HashMap;

/// `/posts/{id}/comments/{comment_id}`
#[derive(Clone, Copy, Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct CommentPath {
    /// A post's id.
    #[param(value_type = PostId, example = "pst_01K9ZP2D7V3T8Q6M5N4C1B0A9Z.01K9ZNXE5R2W8J6H4G3F1D0C7B")]
    id: PostId,
    /// The id of a comment on it.
    #[param(value_type = PostId, example = "pst_01K9ZQ7A4M2T8Q6M5N4C1B0A9Z.01K9ZNXE5R2W8J6H4G3F1D0C7B.01K9ZP2D7V3T8Q6M5N4C1B0A9Z.01K9ZNXE5R2W8J6H4G3F1D0C7B")]
    comment_id: PostId,
}

impl CommentPath {
    fn comment(self) -> Result<Path<PostPath>> {
        let is_below = self.comment_id.parent() == Some(self.id);
        is_below.then_some(Path(PostPath { id: self.comment_id })).ok_or_else(Error::not_found)
    }
}

/// List comments
///
/// On a post, or replies to a comment, oldest first.
#[utoipa::path(
    get, path = "/posts/{id}/comments", tag = "comments", params(PostPath, PageParams), security(("bearer" = [])),
    extensions(("x-public-reading" = json!(true))),
    responses((status = 200, description = "A page", body = Page<PostView>, example = json!({"items": [views::post::example_comment()], "next_cursor": null})))
)]
pub(crate) async fn list_comments(
    State(app): State<App>,
    reader: Reader,
    Path(PostPath { id }): Path<PostPath>,
    query: PageQuery,
) -> Result<Page<PostView>> {
    let list = format!("comments on {id}");
    let after = query.after(&app, &list)?;
    // Strongly for a viewer who may have written one.
    let read = if reader.id().is_some() { Read::Strong } else { Read::Eventual };
    let (post, comments) = (
        store::posts::get_visible(&app, id, read_by(reader.id(), id)),
        store::comments::page(&app, id, query.limit, after.as_deref(), read),
    );
    let (viewer, post, (comments, next)) = try_join3(reader.viewer(&app), post, comments).await?;
    post.ok_or_else(Error::not_found)?;
    let visibility = visibility::ensure_visible_in_place(&app, viewer.as_ref(), id).await?;
    let likes = async {
        match &viewer {
            Some(viewer) => store::likes::among(&app, viewer.id, &ids(&comments)).await,
            None => Ok(HashMap::new()),
        }
    };
    let cards = store::user_cards::load(&app, comments.iter().map(|comment| comment.id.author));
    let visibility = visibility.and(&app, visibility::of_posts(&comments));
    let (likes, cards, visibility) = try_join3(likes, cards, visibility).await?;
    let items = present(comments, &cards, viewer.as_ref(), &visibility, &likes, &Links::new(&app)?);
    query.page(&app, &list, items, next.as_deref())
}

/// Create a comment
///
/// On a post, or a reply to a comment. Replies are one level deep.
#[utoipa::path(
    post, path = "/posts/{id}/comments", tag = "comments", security(("bearer" = [])), request_body = PostText, extensions(("x-limit" = json!("comment"))),
    params(PostPath, ("Idempotency-Key" = Option<String>, Header, description = "The same key and body create once")),
    responses((status = 201, description = "The comment", body = PostView, headers(("Location" = String)), example = json!(views::post::example_comment())))
)]
pub(crate) async fn create_comment(
    State(app): State<App>,
    bearer: Bearer,
    Path(PostPath { id }): Path<PostPath>,
    request: Idempotent<PostText>,
) -> Result<Response> {
    let me = Some(bearer.id());
    let (viewer, replayed, mentions, author, on) = futures::try_join!(
        bearer.acting(&app, Action::Comment),
        request.replay(&app, me),
        mentions(&app, Some(&request.body.content)),
        store::user_cards::own(&app, bearer.id()),
        store::posts::get_visible(&app, id, read_by(me, id)),
    )?;
    if let Some(answer) = replayed {
        return Ok(answer);
    }
    on.ok_or_else(Error::not_found)?;
    let subjects = visibility::of_post(id).chain(visibility::mentioned(&mentions).map(ContentOwner::from));
    let visibility = visibility::load(&app, Some(&viewer), subjects.collect::<Vec<_>>()).await?;
    visibility.can_see_post(id).then_some(()).ok_or_else(Error::not_found)?;
    let id = id.comment(new_ulid(app.now()), bearer.id()).ok_or_else(too_deep)?;
    let comment = Post::new(id, Draft::text(&request.body.content, visibility.visible_mentions(mentions)));
    let view = PostView::new(comment.clone(), &author, &visibility, Own::default(), &Links::new(&app)?);
    let created = Created::new(format!("/posts/{id}"), &view)?;
    let made = store::comments::create(&app, &comment, request.store(&app, me, &created)?).await;
    request.answer(&app, bearer.id(), made.map(|()| created)).await
}

/// How a post is read to see whether it is there: strongly by those who may have deleted it.
fn read_by(reader: Option<UserId>, id: PostId) -> Read {
    if reader.is_some_and(|reader| id.authors().contains(&reader)) { Read::Strong } else { Read::Confirmed }
}

fn too_deep() -> Error {
    let detail = "Replies are one level deep: comment on what this is a reply to.";
    Error::invalid(vec![FieldError::new("id", "too_deep", detail)])
}

/// Edit a comment
///
/// Same as `PATCH /posts/{id}` with its id.
#[utoipa::path(
    patch, path = "/posts/{id}/comments/{comment_id}", tag = "comments", params(CommentPath, ("If-Match" = Option<String>, Header, description = "The `ETag` the edit was made from")),
    security(("bearer" = [])), request_body = PostText,
    extensions(("x-limit" = json!("post")), ("x-problems" = json!("forbidden")), ("x-etag" = json!(true))),
    responses(
        (status = 200, description = "The comment as it is now", body = PostView, example = json!(views::post::example_comment())),
        (status = 403, description = "Somebody else's", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn update_comment(
    state: State<App>,
    bearer: Bearer,
    Path(path): Path<CommentPath>,
    if_match: IfMatch,
    Json(PostText { content }): Json<PostText>,
) -> Result<Tagged<PostView>> {
    let body = Json(PostPatch::text(content));
    edits::update_post(state, bearer, path.comment()?, if_match, body).await
}

/// Delete a comment
///
/// One of mine, one below a post of mine, or one in a group that I moderate. Same as `DELETE /posts/{id}` with its id.
#[utoipa::path(
    delete, path = "/posts/{id}/comments/{comment_id}", tag = "comments", params(CommentPath, ("If-Match" = Option<String>, Header, description = "The `ETag` last seen")),
    security(("bearer" = [])), extensions(("x-limit" = json!("post")), ("x-problems" = json!("forbidden"))),
    responses(
        (status = 204, description = "Deleted"),
        (status = 403, description = "Neither the comment nor what it stands below is mine", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn delete_comment(
    state: State<App>,
    bearer: Bearer,
    Path(path): Path<CommentPath>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    posts::delete_post(state, bearer, path.comment()?, if_match).await
}
