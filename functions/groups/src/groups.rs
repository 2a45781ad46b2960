//! Groups themselves.

use crate::{acting, asked, owns};
use axum::extract::State;
use axum::response::Response;
use futures::future::{try_join, try_join3};
use http::StatusCode;
use shared::error::{Error, FieldError, Kind, Result};
use shared::http::etag::{IfMatch, Tagged};
use shared::http::extract::{GroupPath, Json, Path};
use shared::http::idempotency::{Created, Idempotent};
use shared::http::rate_limits::Action;
use shared::http::{Bearer, Page, PageParams, PageQuery};
use shared::ids::{GroupId, GroupVisibility};
use shared::models::fields::{Fields, FromFields, Patch};
use shared::models::group::{Description, Group, GroupName, Role};
use shared::store::groups::Edit;
use shared::table::Read;
use shared::views::group::{GroupPage, GroupView, MembershipState};
use shared::{App, store, views};
use std::collections::HashMap;

/// A new group.
#[derive(utoipa::ToSchema)]
pub(crate) struct NewGroup {
    /// 1 to 80 characters.
    #[schema(value_type = String, example = "Waders of the estuary", min_length = 1, max_length = 80)]
    name: GroupName,
    /// Up to 1,000 characters.
    #[schema(value_type = Option<String>, example = "Who was where at low tide.", max_length = 1000)]
    description: Option<Description>,
    /// Fixed from then on.
    #[schema(value_type = Option<GroupVisibility>, default = "public")]
    visibility: GroupVisibility,
}

impl FromFields for NewGroup {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (name, description) = (fields.required("name"), fields.optional("description"));
        let visibility = fields.optional("visibility");
        Some(Self {
            name: name?,
            description: description?,
            visibility: visibility?.unwrap_or(GroupVisibility::Public),
        })
    }
}

/// Which groups to list, for the documentation.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documentation")]
pub(crate) struct GroupsParams {
    /// All public groups in place of mine.
    #[param(default = false, example = true)]
    discover: Option<bool>,
}

/// List my groups
///
/// Or, with `?discover=true`, all public ones; newest first.
#[utoipa::path(
    get, path = "/groups", tag = "groups", params(GroupsParams, PageParams), security(("bearer" = [])),
    responses((status = 200, description = "A page", body = Page<GroupView>, example = json!({"items": [views::group::example()], "next_cursor": null})))
)]
pub(crate) async fn list_groups(State(app): State<App>, bearer: Bearer, query: PageQuery) -> Result<Page<GroupView>> {
    let list = if query.flag("discover")? { "public groups".to_owned() } else { format!("groups of {}", bearer.id()) };
    let after = query.after(&app, &list)?;
    let (viewer, mine, ids, next) = if query.flag("discover")? {
        let found = store::groups::discover(&app, query.limit, after.as_deref());
        let (viewer, (ids, next)) = try_join(bearer.viewer(&app), found).await?;
        let mine = store::groups::mine(&app, &viewer).await?;
        (viewer, mine, ids, next)
    } else {
        let viewer = bearer.viewer(&app).await?;
        let mine = store::groups::mine(&app, &viewer).await?;
        let (ids, next) = stretch(&mine, after.as_deref(), query.limit);
        (viewer, mine, ids, next)
    };
    let roles: HashMap<GroupId, Role> = mine.into_iter().collect();
    let items = views(&app, &viewer, &ids, &roles).await?;
    query.page(&app, &list, items, next.as_deref())
}

/// A page of all that one is in, which is never much.
fn stretch(mine: &[(GroupId, Role)], after: Option<&str>, limit: usize) -> (Vec<GroupId>, Option<String>) {
    let after = after.and_then(|id| id.parse::<GroupId>().ok());
    let mut ids = mine.iter().map(|(id, _)| *id).filter(|id| after.is_none_or(|after| *id < after));
    let page: Vec<GroupId> = ids.by_ref().take(limit).collect();
    let next = ids.next().and(page.last()).map(GroupId::to_string);
    (page, next)
}

async fn views(
    app: &App,
    viewer: &shared::models::viewer::Viewer,
    ids: &[GroupId],
    roles: &HashMap<GroupId, Role>,
) -> Result<Vec<GroupView>> {
    let own: Vec<GroupId> = ids.iter().copied().filter(|id| roles.contains_key(id)).collect();
    let others: Vec<GroupId> = ids.iter().copied().filter(|id| !roles.contains_key(id)).collect();
    let (groups, rows, requests) = try_join3(
        store::groups::load(app, ids, Read::Confirmed),
        store::groups::rows_of(app, viewer.id, &own),
        store::groups::requests_of(app, viewer.id, &others),
    )
    .await?;
    let view = |group: Group| {
        let mine = MembershipState::new(roles.get(&group.id).copied(), requests.contains(&group.id));
        let own = rows.get(&group.id);
        GroupView::new(group, mine, own)
    };
    Ok(groups.into_iter().map(view).collect())
}

/// Create a group
///
/// I am its owner and its first member.
#[utoipa::path(
    post, path = "/groups", tag = "groups", security(("bearer" = [])),
    extensions(("x-limit" = json!("group")), ("x-problems" = json!(["in-flight", "limit-reached"]))),
    request_body(content = NewGroup, example = json!({"name": "Waders of the estuary", "description": "Who was where at low tide.", "visibility": "private"})),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body create once")),
    responses(
        (status = 201, description = "The group", body = GroupView, headers(("Location" = String)), example = json!(views::group::example())),
        (status = 409, description = "In as many groups as one may be, or the first request with this key is not done yet", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn create_group(
    State(app): State<App>,
    bearer: Bearer,
    request: Idempotent<NewGroup>,
) -> Result<Response> {
    let me = bearer.id();
    let replayed = request.replay(&app, Some(me));
    let (viewer, replayed) = try_join(bearer.acting(&app, Action::Group), replayed).await?;
    if let Some(answer) = replayed {
        return Ok(answer);
    }
    store::groups::has_room(&app, &viewer).await?;
    let NewGroup { name, description, visibility } = &request.body;
    let id = GroupId::new(app.now(), *visibility);
    let group = Group::new(id, name.clone(), description.clone(), me);
    let view = GroupView::new(group.clone(), MembershipState::new(Some(Role::Owner), false), None);
    let created = Created::new(format!("/groups/{id}"), &view)?;
    let made = store::groups::create(&app, &group, me, request.store(&app, Some(me), &created)?).await;
    request.answer(&app, me, made.map(|()| created)).await
}

/// Get a group
///
/// With the first page of its members and my role.
///
/// Of a private one, non-members see what it is, not who is in it.
#[utoipa::path(
    get, path = "/groups/{id}", tag = "groups", params(GroupPath), security(("bearer" = [])), extensions(("x-etag" = json!(true))),
    responses((status = 200, description = "The group", body = GroupPage, example = json!(views::group::example_page())))
)]
pub(crate) async fn get_group(
    State(app): State<App>,
    bearer: Bearer,
    Path(GroupPath { id }): Path<GroupPath>,
) -> Result<Tagged<GroupPage>> {
    let (viewer, found) = try_join(bearer.viewer(&app), store::groups::with_own(&app, id, bearer.id())).await?;
    let (group, row, asks) = found;
    let asked = asked(&app, viewer, group).await?;
    let members = match id.is_private() && asked.role.is_none() {
        true => None,
        false => Some(views::group::members(&app, &asked.viewer, (id, asked.role), &PageQuery::first()).await?),
    };
    let mine = MembershipState::new(asked.role, asks);
    let version = asked.group.ver;
    Ok(Tagged { version, view: GroupPage { group: GroupView::new(asked.group, mine, row.as_ref()), members } })
}

/// Changes to a group; what is absent stays.
#[derive(utoipa::ToSchema)]
pub(crate) struct GroupPatch {
    /// 1 to 80 characters.
    #[schema(value_type = String, required = false, example = "Waders of the estuary", min_length = 1, max_length = 80)]
    name: Option<GroupName>,
    /// Up to 1,000 characters; `null` clears.
    #[schema(value_type = Option<String>, required = false, example = "Who was where at low tide.", max_length = 1000)]
    description: Patch<Description>,
    /// What it is already: its members have written under that promise.
    #[schema(value_type = GroupVisibility, required = false)]
    visibility: Option<GroupVisibility>,
}

impl FromFields for GroupPatch {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (name, description) = (fields.change("name"), fields.patch("description"));
        let visibility = fields.change("visibility");
        Some(Self { name: name?, description: description?, visibility: visibility? })
    }
}

/// Update a group
///
/// For its owners and moderators.
#[utoipa::path(
    patch, path = "/groups/{id}", tag = "groups", params(GroupPath, ("If-Match" = Option<String>, Header, description = "The `ETag` the change was made from")),
    security(("bearer" = [])), request_body(content = GroupPatch, example = json!({"description": "Who was where at high tide."})),
    extensions(("x-limit" = json!("group")), ("x-problems" = json!("forbidden")), ("x-etag" = json!(true))),
    responses(
        (status = 200, description = "The group as it is now", body = GroupView, example = json!(views::group::example())),
        (status = 403, description = "Neither its owner nor a moderator", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn update_group(
    State(app): State<App>,
    bearer: Bearer,
    Path(GroupPath { id }): Path<GroupPath>,
    if_match: IfMatch,
    Json(body): Json<GroupPatch>,
) -> Result<Tagged<GroupView>> {
    if body.visibility.is_some_and(|wanted| wanted != id.visibility()) {
        let error = FieldError::new("visibility", "fixed", "This is fixed when a group is made.");
        return Err(Error::invalid(vec![error]));
    }
    let asked = acting(&app, &bearer, id).await?;
    let (asked, _) = asked.allowed(&app, Role::moderates, "Only its owners and moderators describe a group.").await?;
    if_match.check(asked.group.ver)?;
    let description = match body.description {
        Patch::Absent => None,
        Patch::Clear => Some(None),
        Patch::Set(text) => Some(Some(text)),
    };
    let edit = Edit { name: body.name, description };
    store::groups::edit(&app, &asked.group, edit).await?.ok_or_else(meanwhile)?;
    let (group, row, asks) = store::groups::with_own(&app, id, bearer.id()).await?;
    let group = group.ok_or_else(Error::not_found)?;
    let mine = MembershipState::new(asked.role, asks);
    Ok(Tagged { version: group.ver, view: GroupView::new(group, mine, row.as_ref()) })
}

fn meanwhile() -> Error {
    Error::new(Kind::PreconditionFailed).detail("It was changed at the same moment.")
}

/// Delete a group
///
/// For its owners.
///
/// It is gone for everybody at once, with all that was shared in it.
#[utoipa::path(
    delete, path = "/groups/{id}", tag = "groups", params(GroupPath, ("If-Match" = Option<String>, Header, description = "The `ETag` last seen")),
    security(("bearer" = [])), extensions(("x-limit" = json!("group")), ("x-problems" = json!("forbidden"))),
    responses(
        (status = 204, description = "Deleted"),
        (status = 403, description = "Not its owner", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn delete_group(
    State(app): State<App>,
    bearer: Bearer,
    Path(GroupPath { id }): Path<GroupPath>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    let asked = acting(&app, &bearer, id).await?;
    let (asked, _) = asked.allowed(&app, owns, "Only its owners delete a group.").await?;
    if_match.check(asked.group.ver)?;
    match store::groups::delete(&app, &asked.group, bearer.id()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(meanwhile()),
    }
}
