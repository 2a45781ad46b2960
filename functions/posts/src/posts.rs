//! Writing and reading posts.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::future::{OptionFuture, try_join, try_join3, try_join4};
use http::StatusCode;
use shared::error::{Error, Kind, Result};
use shared::http::etag::{IfMatch, Tagged};
use shared::http::extract::{Json, Path, PostPath};
use shared::http::idempotency::{Created, Idempotent};
use shared::http::limits::Action;
use shared::http::{Bearer, Page, PageParams, PageQuery, Reader};
use shared::ids::{PostId, UserId};
use shared::models::fields::{Fields, FromFields};
use shared::models::post::{Content, Mention, Post};
use shared::store::posts::NotMade;
use shared::table::Read;
use shared::views::post::PostView;
use shared::{App, store, views};
use std::sync::Arc;

/// A new post, or the new text of one.
#[derive(utoipa::ToSchema)]
pub(crate) struct NewPost {
    /// 1 to 2,000 characters (grapheme clusters), at most 8 KiB.
    #[schema(value_type = String, example = "Low tide. #mudflats", min_length = 1, max_length = 2000)]
    content: Content,
}

impl FromFields for NewPost {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { content: fields.required("content")? })
    }
}

/// Who of those a text names exists.
async fn mentions(app: &App, content: &Content) -> Result<Vec<Mention>> {
    let names = content.mentioned();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let ids = store::users::by_names(app, &names).await?;
    Ok(names.into_iter().zip(ids).filter_map(|(username, id)| Some(Mention { id: id?, username })).collect())
}

async fn card(app: &App, id: UserId) -> Result<Arc<shared::models::user::Profile>> {
    store::cards::load(app, [id]).await?.remove(&id).ok_or_else(Error::not_found)
}

/// Write a post.
#[utoipa::path(
    post, path = "/posts", tag = "posts", security(("bearer" = [])), request_body = NewPost, extensions(("x-limit" = json!("post"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body create once")),
    responses((status = 201, description = "The post", body = PostView, headers(("Location" = String)), example = json!(views::post::example())))
)]
pub(crate) async fn create_post(
    State(app): State<App>,
    bearer: Bearer,
    request: Idempotent<NewPost>,
) -> Result<Response> {
    let me = Some(bearer.id());
    let content = &request.body.content;
    let (_, seen, mentions, author) = try_join4(
        bearer.acting(&app, Action::Post),
        request.seen(&app, me),
        mentions(&app, content),
        card(&app, bearer.id()),
    )
    .await?;
    if let Some(answer) = seen {
        return Ok(answer);
    }
    let post = Post {
        id: PostId::new(app.now(), bearer.id()),
        content: content.as_str().to_owned(),
        hashtags: content.hashtags(),
        mentions,
        edited: None,
        ver: 1,
        likes: 0,
    };
    let created = Created::new(format!("/posts/{}", post.id), &PostView::new(post.clone(), &author, None))?;
    match store::posts::create(&app, &post, request.keep(&app, me, &created)?).await {
        Ok(()) => Ok(created.into_response()),
        Err(NotMade::First) => request.first(&app, me).await,
        Err(NotMade::Error(error)) => Err(error),
    }
}

/// One post.
#[utoipa::path(
    get, path = "/posts/{id}", tag = "posts", params(PostPath), security(("bearer" = [])),
    extensions(("x-public-reading" = json!(true)), ("x-etag" = json!(true))),
    responses((status = 200, description = "The post", body = PostView, example = json!(views::post::example())))
)]
pub(crate) async fn get_post(
    State(app): State<App>,
    reader: Reader,
    Path(PostPath { id }): Path<PostPath>,
) -> Result<Tagged<PostView>> {
    // Strongly for whoever may have liked it: once the like is counted, nothing else puts it into the count.
    let read = if reader.id().is_some() { Read::Strong } else { Read::Confirmed };
    let own = OptionFuture::from(reader.id().map(|me| store::likes::edge(&app, me, id, Read::Strong)));
    let own = async { own.await.transpose().map(Option::flatten) };
    let parts = (reader.viewer(&app), store::posts::get(&app, id, read), own, card(&app, id.author));
    let (_, post, own, author) = try_join4(parts.0, parts.1, parts.2, parts.3).await?;
    let post = post.ok_or_else(Error::not_found)?;
    Ok(Tagged { version: post.ver, view: PostView::new(post, &author, own) })
}

/// The post, read strongly, for its author to change.
async fn mine(app: &App, bearer: &Bearer, id: PostId, if_match: &IfMatch) -> Result<Post> {
    let (_, post) = try_join(bearer.acting(app, Action::Post), store::posts::get(app, id, Read::Strong)).await?;
    let post = post.ok_or_else(Error::not_found)?;
    if id.author != bearer.id() {
        return Err(Error::forbidden("Only its author may change a post."));
    }
    if_match.check(post.ver)?;
    Ok(post)
}

fn meanwhile() -> Error {
    Error::new(Kind::PreconditionFailed).detail("It was changed at the same moment.")
}

/// Edit a post of mine.
#[utoipa::path(
    patch, path = "/posts/{id}", tag = "posts", params(PostPath, ("If-Match" = Option<String>, Header, description = "The `ETag` the edit was made from")),
    security(("bearer" = [])), request_body = NewPost,
    extensions(("x-limit" = json!("post")), ("x-problems" = json!("forbidden")), ("x-etag" = json!(true))),
    responses(
        (status = 200, description = "The post as it is now", body = PostView, example = json!(views::post::example())),
        (status = 403, description = "Somebody else's", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn update_post(
    State(app): State<App>,
    bearer: Bearer,
    Path(PostPath { id }): Path<PostPath>,
    if_match: IfMatch,
    Json(body): Json<NewPost>,
) -> Result<Tagged<PostView>> {
    let own = store::likes::edge(&app, bearer.id(), id, Read::Strong);
    let (post, mentions, own) =
        try_join3(mine(&app, &bearer, id, &if_match), mentions(&app, &body.content), own).await?;
    let author = card(&app, id.author).await?;
    let edited = store::posts::edit(&app, &post, &body.content, mentions).await?.ok_or_else(meanwhile)?;
    Ok(Tagged { version: edited.ver, view: PostView::new(edited, &author, own) })
}

/// Delete a post of mine.
#[utoipa::path(
    delete, path = "/posts/{id}", tag = "posts", params(PostPath, ("If-Match" = Option<String>, Header, description = "The `ETag` last seen")),
    security(("bearer" = [])), extensions(("x-limit" = json!("post")), ("x-problems" = json!("forbidden"))),
    responses(
        (status = 204, description = "Deleted"),
        (status = 403, description = "Somebody else's", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn delete_post(
    State(app): State<App>,
    bearer: Bearer,
    Path(PostPath { id }): Path<PostPath>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    let post = mine(&app, &bearer, id, &if_match).await?;
    match store::posts::delete(&app, &post).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(meanwhile()),
    }
}

/// My own posts, newest first.
#[utoipa::path(
    get, path = "/tweets", tag = "posts", params(PageParams), security(("bearer" = [])),
    responses((status = 200, description = "A page", body = Page<PostView>, example = json!({"items": [views::post::example()], "next_cursor": null})))
)]
pub(crate) async fn list_my_posts(State(app): State<App>, bearer: Bearer, query: PageQuery) -> Result<Page<PostView>> {
    let me = bearer.id();
    views::posts_by::page(&app, &Reader::from(bearer), me, &query).await
}
