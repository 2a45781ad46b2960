//! Blocking and muting.

use crate::graph::{TargetUser, target};
use crate::pages;
use axum::extract::State;
use futures::future::try_join;
use serde::Serialize;
use shared::error::Result;
use shared::http::extract::{Path, UserPath};
use shared::http::rate_limits::Action;
use shared::http::{Bearer, Page, PageParams, PageQuery, View};
use shared::ids::UserId;
use shared::table::design::key;
use shared::views::user::{UserCard, cards};
use shared::{App, store};

/// Whether I block somebody now.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct BlockState {
    blocked: bool,
    user: UserCard,
}

/// Block a user
///
/// Idempotent.
///
/// From the very next request on neither sees the other's profile, posts, comments, likes or notifications, nor finds
/// them in lists or search; follows between them end. `GET /users/blocked` is the one place where I still see them.
#[utoipa::path(
    post, path = "/users/{user}/block", tag = "graph", params(UserPath), security(("bearer" = [])), extensions(("x-limit" = json!("follow"))),
    responses(
        (status = 200, description = "Blocked", body = BlockState, example = json!({"blocked": true, "user": pages::example_card()})),
        (status = 422, description = "Oneself", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn block_user(
    State(app): State<App>,
    bearer: Bearer,
    Path(path): Path<UserPath>,
) -> Result<View<BlockState>> {
    // A blocked user may block as well: the other's block may end first.
    let TargetUser { id, card: user, .. } = target(&app, &bearer, Action::Follow, &path.user).await?;
    store::relationships::block(&app, bearer.id(), id).await?;
    Ok(View(BlockState { blocked: true, user }))
}

/// Unblock a user
///
/// Idempotent; follows that the block ended stay ended.
#[utoipa::path(
    delete, path = "/users/{user}/block", tag = "graph", params(UserPath), security(("bearer" = [])), extensions(("x-limit" = json!("follow"))),
    responses(
        (status = 200, description = "Not blocked", body = BlockState, example = json!({"blocked": false, "user": pages::example_card()})),
        (status = 422, description = "Oneself", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn unblock_user(
    State(app): State<App>,
    bearer: Bearer,
    Path(path): Path<UserPath>,
) -> Result<View<BlockState>> {
    let mut target = target(&app, &bearer, Action::Follow, &path.user).await?;
    if target.known.blocking.is_none() {
        target = target.seen()?;
    }
    store::relationships::unblock(&app, bearer.id(), target.id).await?;
    Ok(View(BlockState { blocked: false, user: target.card }))
}

/// Unblock a user (alias)
///
/// Same as `DELETE /users/{user}/block`.
#[utoipa::path(
    post, path = "/users/{user}/unblock", tag = "graph", params(UserPath), security(("bearer" = [])), extensions(("x-limit" = json!("follow"))),
    responses(
        (status = 200, description = "Not blocked", body = BlockState, example = json!({"blocked": false, "user": pages::example_card()})),
        (status = 422, description = "Oneself", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn unblock_user_by_post(
    state: State<App>,
    bearer: Bearer,
    path: Path<UserPath>,
) -> Result<View<BlockState>> {
    unblock_user(state, bearer, path).await
}

/// List the users I block
///
/// Newest first.
#[utoipa::path(
    get, path = "/users/blocked", tag = "graph", params(PageParams), security(("bearer" = [])),
    responses((status = 200, description = "A page", body = Page<UserCard>, example = json!({"items": [pages::example_card()], "next_cursor": null})))
)]
pub(crate) async fn list_blocked(State(app): State<App>, bearer: Bearer, query: PageQuery) -> Result<Page<UserCard>> {
    let list = format!("blocked by {}", bearer.id());
    let after = query.after(&app, &list)?;
    let rows = store::relationships::blocked(&app, bearer.id(), query.limit, after.as_deref());
    let (_, rows) = try_join(bearer.viewer(&app), rows).await?;
    let people: Vec<UserId> = rows.items.iter().filter_map(|row| key::blocked(row.sk())).collect();
    // Nobody's sight: this is how one finds them again.
    query.page(&app, &list, cards(&app, None, &people).await?, rows.next.as_deref())
}

/// Whether I mute somebody now.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct MuteState {
    muted: bool,
    user: UserCard,
}

/// Mute a user
///
/// Idempotent.
///
/// Their posts leave my feed, and what they do my notifications, from the very next request on. They don't learn of it.
#[utoipa::path(
    post, path = "/users/{user}/mute", tag = "graph", params(UserPath), security(("bearer" = [])), extensions(("x-limit" = json!("follow"))),
    responses(
        (status = 200, description = "Muted", body = MuteState, example = json!({"muted": true, "user": pages::example_card()})),
        (status = 422, description = "Oneself", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn mute_user(
    State(app): State<App>,
    bearer: Bearer,
    Path(path): Path<UserPath>,
) -> Result<View<MuteState>> {
    let TargetUser { id, card: user, .. } = target(&app, &bearer, Action::Follow, &path.user).await?.seen()?;
    store::relationships::mute(&app, bearer.id(), id).await?;
    Ok(View(MuteState { muted: true, user }))
}

/// Unmute a user
///
/// Idempotent.
#[utoipa::path(
    delete, path = "/users/{user}/mute", tag = "graph", params(UserPath), security(("bearer" = [])), extensions(("x-limit" = json!("follow"))),
    responses(
        (status = 200, description = "Not muted", body = MuteState, example = json!({"muted": false, "user": pages::example_card()})),
        (status = 422, description = "Oneself", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn unmute_user(
    State(app): State<App>,
    bearer: Bearer,
    Path(path): Path<UserPath>,
) -> Result<View<MuteState>> {
    let TargetUser { id, card: user, known } = target(&app, &bearer, Action::Follow, &path.user).await?.seen()?;
    store::relationships::unmute(&app, bearer.id(), id, known).await?;
    Ok(View(MuteState { muted: false, user }))
}
