//! What is shared in a group. Who is in it is another function's.

use crate::posts::{self, MadePost, NewPost};
use axum::extract::State;
use axum::response::Response;
use futures::future::{try_join, try_join4};
use shared::error::{Error, FieldError, Result};
use shared::http::extract::{GroupPath, Path};
use shared::http::idempotency::Idempotent;
use shared::http::{Bearer, Page, PageParams, PageQuery};
use shared::table::Read;
use shared::views::media::Links;
use shared::views::post::{PostView, ids, present};
use shared::{App, store, views, visibility};

/// List a group's posts
///
/// Newest first; of a private group for its members alone.
///
/// A page may come out short, for it leaves out whom I block or who blocks me; its owners and moderators see all, with
/// `blocked` where that is so.
#[utoipa::path(
    get, path = "/groups/{id}/posts", tag = "groups", params(GroupPath, PageParams), security(("bearer" = [])),
    responses((status = 200, description = "A page", body = Page<PostView>, example = json!({"items": [views::group::example_post()], "next_cursor": null})))
)]
pub(crate) async fn list_group_posts(
    State(app): State<App>,
    bearer: Bearer,
    Path(GroupPath { id }): Path<GroupPath>,
    query: PageQuery,
) -> Result<Page<PostView>> {
    let list = format!("posts in {id}");
    let after = query.after(&app, &list)?;
    // Strongly, for one may have written some.
    let found = store::posts::in_group(&app, id, query.limit, after.as_deref(), Read::Strong);
    let (viewer, (found, next)) = try_join(bearer.viewer(&app), found).await?;
    let visibility = visibility::ensure_visible(&app, Some(&viewer), [id]).await?.in_place();
    let shown = ids(&found);
    let (group, likes, cards, visibility) = try_join4(
        store::groups::get(&app, id, Read::Strong),
        store::likes::among(&app, viewer.id, &shown),
        store::user_cards::load(&app, shown.iter().map(|post| post.author)),
        visibility.and(&app, visibility::of_posts(&found)),
    )
    .await?;
    group.ok_or_else(Error::not_found)?;
    let items = present(found, &cards, Some(&viewer), &visibility, &likes, &Links::new(&app)?);
    query.page(&app, &list, items, next.as_deref())
}

/// Create a post in a group
///
/// Same as `POST /posts` with its `group_id`; for members.
///
/// It reaches the feeds of those members who follow me, and stands in no list but the group's: neither among my posts nor
/// in their count, and from a private group in no search.
#[utoipa::path(
    post, path = "/groups/{id}/posts", tag = "groups", security(("bearer" = [])), request_body(content((NewPost = "application/json"), (NewPost = "multipart/form-data"))), extensions(("x-limit" = json!("post")), ("x-problems" = json!(["forbidden"]))),
    params(GroupPath, ("Idempotency-Key" = Option<String>, Header, description = "The same key and body create once")),
    responses(
        (status = 201, description = "The post", body = MadePost, headers(("Location" = String)), example = json!(views::group::example_post())),
        (status = 403, description = "Not a member of this public group", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn create_group_post(
    State(app): State<App>,
    bearer: Bearer,
    Path(GroupPath { id }): Path<GroupPath>,
    request: Idempotent<NewPost>,
) -> Result<Response> {
    if request.body.group_id.is_some_and(|named| named != id) {
        let error = FieldError::new("group_id", "another", "The path names another group.");
        return Err(Error::invalid(vec![error]));
    }
    if request.body.waits() {
        let detail = "What is shared in a group does not wait for a time.";
        return Err(Error::invalid(vec![FieldError::new("publish_at", "not_allowed", detail)]));
    }
    posts::create(&app, &bearer, &request, Some(id)).await
}
