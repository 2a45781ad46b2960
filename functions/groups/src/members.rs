//! Members of groups.

use crate::{acting, owns, reading};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use shared::error::{Error, Result};
use shared::http::extract::{GroupPath, Json, Path, UserRef};
use shared::http::{Bearer, Page, PageParams, PageQuery, View};
use shared::ids::{GroupId, UserId};
use shared::models::fields::{Fields, FromFields};
use shared::models::group::Role;
use shared::models::viewer::Viewer;
use shared::views::group::{MemberView, MembershipState};
use shared::{App, store, views};

/// `/groups/{id}/members/{user}` and `/groups/{id}/requests/{user}`
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct MemberPath {
    /// A group's id.
    #[param(value_type = GroupId, example = "grp_01K9ZQ7A4M2T8Q6M5N4C1B0A9Z")]
    pub(crate) id: GroupId,
    /// A user id, a username (whatever its case, with or without `@`), or `me`.
    #[param(value_type = String, pattern = "^(@?[A-Za-z0-9_]{3,20}|me|usr_[0-7][0-9A-HJKMNP-TV-Z]{25})$", example = "gull")]
    pub(crate) user: UserRef,
}

/// Whom a path names. A block hides nobody here: who comes so far owns or moderates the group.
pub(crate) async fn named(app: &App, viewer: &Viewer, user: &UserRef) -> Result<UserId> {
    user.resolve(app, Some(viewer.id)).await
}

/// Join a group
///
/// Idempotent.
///
/// A public one at once; of a private one I am a member once an owner or a moderator has let me in.
#[utoipa::path(
    post, path = "/groups/{id}/join", tag = "groups", params(GroupPath), security(("bearer" = [])),
    extensions(("x-limit" = json!("group")), ("x-problems" = json!("limit-reached"))),
    responses(
        (status = 200, description = "A member", body = MembershipState, example = json!({"role": "member", "status": "member"})),
        (status = 202, description = "Somebody has to let me in", body = MembershipState, example = json!({"role": null, "status": "requested"})),
        (status = 409, description = "In as many groups as one may be", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn join_group(
    State(app): State<App>,
    bearer: Bearer,
    Path(GroupPath { id }): Path<GroupPath>,
) -> Result<Response> {
    let asked = acting(&app, &bearer, id).await?;
    let role = match asked.role {
        Some(role) => Some(role),
        None => {
            store::groups::has_room(&app, &asked.viewer).await?;
            match id.is_private() {
                true => store::groups::ask(&app, id, bearer.id()).await?,
                false => Some(store::groups::join(&app, id, bearer.id()).await?),
            }
        }
    };
    let status = if role.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, View(MembershipState::new(role, role.is_none()))).into_response())
}

/// Leave a group
///
/// Or withdraw a request to join it. Idempotent.
///
/// From the very next request on I see nothing more of a private one.
#[utoipa::path(
    post, path = "/groups/{id}/leave", tag = "groups", params(GroupPath), security(("bearer" = [])),
    extensions(("x-limit" = json!("group")), ("x-problems" = json!("last-owner"))),
    responses(
        (status = 200, description = "Not a member", body = MembershipState, example = json!({"role": null, "status": "none"})),
        (status = 409, description = "I am its last owner", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn leave_group(
    State(app): State<App>,
    bearer: Bearer,
    Path(GroupPath { id }): Path<GroupPath>,
) -> Result<View<MembershipState>> {
    acting(&app, &bearer, id).await?;
    // First the request: once it is gone nobody is let in by it any more, so that leaving has the last word.
    store::groups::withdraw(&app, id, bearer.id()).await?;
    store::groups::leave(&app, id, bearer.id(), None).await?;
    Ok(View(MembershipState::new(None, false)))
}

/// List a group's members
///
/// In the order in which their accounts were made.
///
/// Where somebody and I block each other, that somebody is there, not who; its owners and moderators see who, marked as
/// `blocked`.
#[utoipa::path(
    get, path = "/groups/{id}/members", tag = "groups", params(GroupPath, PageParams), security(("bearer" = [])),
    responses((status = 200, description = "A page", body = Page<MemberView>, example = json!({"items": [views::group::example_member()], "next_cursor": null})))
)]
pub(crate) async fn list_members(
    State(app): State<App>,
    bearer: Bearer,
    Path(GroupPath { id }): Path<GroupPath>,
    query: PageQuery,
) -> Result<Page<MemberView>> {
    let asked = reading(&app, &bearer, id).await?.seen(&app).await?;
    views::group::members(&app, &asked.viewer, (id, asked.role), &query).await
}

/// A member's new role.
#[derive(utoipa::ToSchema)]
pub(crate) struct RoleChange {
    role: Role,
}

impl FromFields for RoleChange {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { role: fields.required("role")? })
    }
}

/// Set a member's role
///
/// For the group's owners.
#[utoipa::path(
    put, path = "/groups/{id}/members/{user}", tag = "groups", params(MemberPath), security(("bearer" = [])),
    request_body(content = RoleChange, example = json!({"role": "moderator"})),
    extensions(("x-limit" = json!("group")), ("x-problems" = json!(["forbidden", "last-owner", "limit-reached"]))),
    responses(
        (status = 200, description = "The member as they are now", body = MemberView, example = json!(views::group::example_member())),
        (status = 403, description = "Not its owner", body = shared::http::problem::Problem),
        (status = 409, description = "The last owner, or as many owners and moderators as there may be", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn set_role(
    State(app): State<App>,
    bearer: Bearer,
    Path(MemberPath { id, user }): Path<MemberPath>,
    Json(RoleChange { role }): Json<RoleChange>,
) -> Result<View<MemberView>> {
    let asked = acting(&app, &bearer, id).await?;
    let (asked, _) = asked.allowed(&app, owns, "Only its owners give others a role.").await?;
    let user = named(&app, &asked.viewer, &user).await?;
    bearer.notes().set_target(user);
    let member = store::groups::set_role(&app, id, user, role, bearer.id()).await?;
    let member = views::group::member(&app, &asked.viewer, user, member).await?;
    member.map(View).ok_or_else(Error::not_found)
}

/// Remove a member
///
/// Owners remove anybody; moderators remove those who are neither owner nor moderator.
#[utoipa::path(
    delete, path = "/groups/{id}/members/{user}", tag = "groups", params(MemberPath), security(("bearer" = [])),
    extensions(("x-limit" = json!("group")), ("x-problems" = json!(["forbidden", "last-owner"]))),
    responses(
        (status = 204, description = "Not a member any more"),
        (status = 403, description = "Not mine to remove", body = shared::http::problem::Problem),
        (status = 409, description = "The last owner", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn remove_member(
    State(app): State<App>,
    bearer: Bearer,
    Path(MemberPath { id, user }): Path<MemberPath>,
) -> Result<StatusCode> {
    let asked = acting(&app, &bearer, id).await?;
    let moderates = Role::moderates;
    let (asked, role) = asked.allowed(&app, moderates, "Only its owners and moderators remove members.").await?;
    let user = named(&app, &asked.viewer, &user).await?;
    bearer.notes().set_target(user);
    match store::groups::leave(&app, id, user, Some((bearer.id(), role))).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Error::not_found()),
    }
}
