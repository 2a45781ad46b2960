//! The feed: posts by those I follow, and whom to follow.

use axum::extract::State;
use shared::error::Result;
use shared::http::{Bearer, Page, PageParams, PageQuery};
use shared::views::feed::{self, FeedParams};
use shared::views::post::PostView;
use shared::views::suggestions::SuggestionView;
use shared::{App, views};

/// List my feed
///
/// Posts by those I follow, newest first.
///
/// With `after`, what is newer than that post, newest first; `next_cursor` then leads towards it.
#[utoipa::path(
    get, path = "/posts", tag = "posts", params(PageParams, FeedParams), security(("bearer" = [])),
    responses((status = 200, description = "A page", body = Page<PostView>, example = json!({"items": [views::post::example()], "next_cursor": null})))
)]
pub(crate) async fn get_feed(State(app): State<App>, bearer: Bearer, query: PageQuery) -> Result<Page<PostView>> {
    feed::page(&app, &bearer, &query).await
}

/// List suggested users (alias)
///
/// Same as `GET /users/suggestions`.
#[utoipa::path(
    get, path = "/posts/suggestions", tag = "graph", params(PageParams), security(("bearer" = [])),
    responses((status = 200, description = "A page", body = Page<SuggestionView>, example = json!({"items": [views::suggestions::example()], "next_cursor": null})))
)]
pub(crate) async fn list_suggestions(
    State(app): State<App>,
    bearer: Bearer,
    query: PageQuery,
) -> Result<Page<SuggestionView>> {
    views::suggestions::page(&app, &bearer, &query).await
}
