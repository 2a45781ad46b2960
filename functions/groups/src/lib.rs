//! `/groups`: groups, who is in them, and who asks to be. What is shared in them is the `posts` function's.

mod groups;
mod members;
mod requests;

use futures::future::try_join;
use shared::error::{Error, Result};
use shared::http::Bearer;
use shared::http::rate_limits::Action;
use shared::ids::GroupId;
use shared::models::group::{Group, Role};
use shared::models::viewer::Viewer;
use shared::table::Read;
use shared::{App, store, visibility};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Every endpoint of this function.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(groups::list_groups, groups::create_group))
        .routes(routes!(groups::get_group, groups::update_group, groups::delete_group))
        .routes(routes!(members::join_group))
        .routes(routes!(members::leave_group))
        .routes(routes!(members::list_members))
        .routes(routes!(members::set_role, members::remove_member))
        .routes(routes!(requests::list_requests))
        .routes(routes!(requests::approve_request))
        .routes(routes!(requests::deny_request))
}

/// A group that is there, and who asks for it.
struct Asked {
    viewer: Viewer,
    group: Group,
    role: Option<Role>,
}

/// The session and the group, at once.
async fn reading(app: &App, bearer: &Bearer, id: GroupId) -> Result<Asked> {
    let group = store::groups::get(app, id, Read::Strong);
    let (viewer, group) = try_join(bearer.viewer(app), group).await?;
    asked(app, viewer, group).await
}

/// The session and the group, at once, for a write: counts against the rate limit.
async fn acting(app: &App, bearer: &Bearer, id: GroupId) -> Result<Asked> {
    let group = store::groups::get(app, id, Read::Strong);
    let (viewer, group) = try_join(bearer.acting(app, Action::Group), group).await?;
    asked(app, viewer, group).await
}

async fn asked(app: &App, viewer: Viewer, group: Option<Group>) -> Result<Asked> {
    let group = group.ok_or_else(Error::not_found)?;
    let role = visibility::role_in(app, &viewer, group.id).await?;
    Ok(Asked { viewer, group, role })
}

impl Asked {
    /// For somebody who may see who is in the group, and what is shared there.
    async fn seen(self, app: &App) -> Result<Self> {
        visibility::ensure_visible(app, Some(&self.viewer), [self.group.id]).await?;
        Ok(self)
    }

    /// For somebody with a role that is `allowed` to: others who see the group get 403, and those who don't 404.
    async fn allowed(self, app: &App, allowed: fn(Role) -> bool, to: &str) -> Result<(Self, Role)> {
        let seen = self.seen(app).await?;
        match seen.role.filter(|role| allowed(*role)) {
            Some(role) => Ok((seen, role)),
            None => Err(Error::forbidden(to)),
        }
    }
}

const fn owns(role: Role) -> bool {
    matches!(role, Role::Owner)
}
