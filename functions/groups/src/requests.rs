//! Requests to join private groups.

use crate::members::{MemberPath, named};
use crate::{Asked, acting, reading};
use axum::extract::State;
use http::StatusCode;
use shared::error::Result;
use shared::http::extract::{GroupPath, Path};
use shared::http::{Bearer, Page, PageParams, PageQuery, View};
use shared::models::group::Role;
use shared::views::group::{JoinRequestView, MembershipState};
use shared::{App, store, views};

async fn moderating(app: &App, asked: Asked) -> Result<(Asked, Role)> {
    asked.allowed(app, Role::moderates, "Only its owners and moderators answer who asks to join.").await
}

/// List requests to join a group
///
/// For its owners and moderators, in the order in which the accounts were made.
///
/// Somebody and I who block each other are marked as `blocked`.
#[utoipa::path(
    get, path = "/groups/{id}/requests", tag = "groups", params(GroupPath, PageParams), security(("bearer" = [])),
    extensions(("x-problems" = json!("forbidden"))),
    responses(
        (status = 200, description = "A page", body = Page<JoinRequestView>, example = json!({"items": [{"user": views::post::example()["author"], "blocked": false, "requested_at": "2026-11-20T20:30:00.000Z"}], "next_cursor": null})),
        (status = 403, description = "Neither its owner nor a moderator", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn list_requests(
    State(app): State<App>,
    bearer: Bearer,
    Path(GroupPath { id }): Path<GroupPath>,
    query: PageQuery,
) -> Result<Page<JoinRequestView>> {
    let (asked, _) = moderating(&app, reading(&app, &bearer, id).await?).await?;
    views::group::requests(&app, &asked.viewer, id, &query).await
}

/// Approve a request to join
///
/// Idempotent.
#[utoipa::path(
    post, path = "/groups/{id}/requests/{user}/approve", tag = "groups", params(MemberPath), security(("bearer" = [])),
    extensions(("x-limit" = json!("group")), ("x-problems" = json!(["forbidden", "limit-reached"]))),
    responses(
        (status = 200, description = "A member now", body = MembershipState, example = json!({"role": "member", "status": "member"})),
        (status = 403, description = "Neither its owner nor a moderator", body = shared::http::problem::Problem),
        (status = 409, description = "They are in as many groups as one may be", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn approve_request(
    State(app): State<App>,
    bearer: Bearer,
    Path(MemberPath { id, user }): Path<MemberPath>,
) -> Result<View<MembershipState>> {
    let (asked, role) = moderating(&app, acting(&app, &bearer, id).await?).await?;
    let user = named(&app, &asked.viewer, &user).await?;
    bearer.notes().set_target(user);
    let role = store::groups::approve(&app, id, user, (bearer.id(), role)).await?;
    Ok(View(MembershipState::new(Some(role), false)))
}

/// Deny a request to join
///
/// The user may ask again.
#[utoipa::path(
    post, path = "/groups/{id}/requests/{user}/deny", tag = "groups", params(MemberPath), security(("bearer" = [])),
    extensions(("x-limit" = json!("group")), ("x-problems" = json!("forbidden"))),
    responses(
        (status = 204, description = "Refused"),
        (status = 403, description = "Neither its owner nor a moderator", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn deny_request(
    State(app): State<App>,
    bearer: Bearer,
    Path(MemberPath { id, user }): Path<MemberPath>,
) -> Result<StatusCode> {
    let (asked, role) = moderating(&app, acting(&app, &bearer, id).await?).await?;
    let user = named(&app, &asked.viewer, &user).await?;
    bearer.notes().set_target(user);
    store::groups::deny(&app, id, user, (bearer.id(), role)).await?;
    Ok(StatusCode::NO_CONTENT)
}
