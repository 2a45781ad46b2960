//! Groups as clients see them.

use super::media::Links;
use super::user::UserCard;
use crate::error::Result;
use crate::http::{Page, PageQuery};
use crate::ids::{GroupId, GroupVisibility, UserId};
use crate::models::group::{Description, Group, GroupName, Member, Role};
use crate::models::viewer::Viewer;
use crate::store::edges::{Edge, with_own};
use crate::{App, store, visibility};
use futures::future::try_join;
use serde::Serialize;

/// How I stand to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MembershipStatus {
    None,
    /// I ask to join, and nobody has answered yet.
    Requested,
    Member,
}

/// How I stand to a group now.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
pub struct MembershipState {
    /// Null for somebody who is no member.
    #[schema(required = true)]
    pub role: Option<Role>,
    pub status: MembershipStatus,
}

impl MembershipState {
    pub const fn new(role: Option<Role>, requested: bool) -> Self {
        let status = match (role, requested) {
            (Some(_), _) => MembershipStatus::Member,
            (None, true) => MembershipStatus::Requested,
            (None, false) => MembershipStatus::None,
        };
        Self { role, status }
    }
}

/// A group.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct GroupView {
    pub id: GroupId,
    #[schema(value_type = String)]
    pub name: GroupName,
    #[schema(value_type = Option<String>, required = true)]
    pub description: Option<Description>,
    /// Fixed when it is made.
    pub visibility: GroupVisibility,
    /// My own membership included at once.
    pub members_count: u64,
    #[serde(flatten)]
    pub mine: MembershipState,
    /// RFC 3339, UTC, with milliseconds.
    #[schema(format = DateTime)]
    pub created_at: String,
}

impl GroupView {
    /// `own` is the viewer's row with the group.
    pub fn new(group: Group, mine: MembershipState, own: Option<&Member>) -> Self {
        let own = own.map(|own| Edge { created_at: own.created_at, counted: own.counted, deleted: own.deleted });
        // No counter holds its maker's row yet, who is in it all the same.
        let least = u64::from(mine.role.is_some());
        Self {
            id: group.id,
            name: group.name,
            description: group.description,
            visibility: group.id.visibility(),
            members_count: with_own(group.members, own).max(least),
            mine,
            created_at: group.id.created_at().rfc3339(),
        }
    }
}

/// A group, with the first of its members.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct GroupPage {
    #[serde(flatten)]
    pub group: GroupView,
    /// As `GET /groups/{id}/members` has them; null for somebody who may not see who is in it.
    #[schema(required = true)]
    pub members: Option<Page<MemberView>>,
}

/// Somebody in a group.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct MemberView {
    /// Null where one of us blocks the other, for who neither owns nor moderates the group: that somebody is there, not
    /// who.
    #[schema(required = true)]
    pub user: Option<UserCard>,
    /// Whether one of us blocks the other.
    pub blocked: bool,
    pub role: Role,
    /// RFC 3339, UTC, with milliseconds; null with the user.
    #[schema(format = DateTime, required = true)]
    pub joined_at: Option<String>,
}

/// Somebody who asks to join.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct JoinRequestView {
    pub user: UserCard,
    /// Whether one of us blocks the other.
    pub blocked: bool,
    /// RFC 3339, UTC, with milliseconds.
    #[schema(format = DateTime)]
    pub requested_at: String,
}

/// Somebody's name card, and whether one of the two blocks the other.
struct Shown {
    user: UserCard,
    blocked: bool,
}

/// Name cards; who is gone or suspended is left out.
async fn visible<T>(app: &App, viewer: &Viewer, people: Vec<(UserId, T)>) -> Result<Vec<(Shown, T)>> {
    let ids = || people.iter().map(|(user, _)| *user).collect::<Vec<_>>();
    let visibility = visibility::load(app, Some(viewer), ids());
    let (visibility, cards) = try_join(visibility, store::user_cards::load(app, ids())).await?;
    let links = Links::new(app)?;
    let card = |(user, rest)| {
        let card = UserCard::new(cards.get(&user)?, &links);
        Some((Shown { user: card, blocked: !visibility.can_see(user) }, rest))
    };
    Ok(people.into_iter().filter_map(card).collect())
}

impl MemberView {
    /// Staff see everybody, others nobody whom a block hides.
    fn new(Shown { user, blocked }: Shown, member: &Member, staff: bool) -> Self {
        let user = Some(user).filter(|_| staff || !blocked);
        Self { joined_at: user.is_some().then(|| member.joined.rfc3339()), user, blocked, role: member.role }
    }
}

/// A page of a group's members, for somebody who may see who is in it, with this role.
///
/// # Errors
/// 400 for a cursor of another list.
pub async fn members(
    app: &App,
    viewer: &Viewer,
    (group, role): (GroupId, Option<Role>),
    query: &PageQuery,
) -> Result<Page<MemberView>> {
    let list = format!("members of {group}");
    let after = query.after(app, &list)?;
    let (found, next) = store::groups::members(app, group, query.limit, after.as_deref()).await?;
    let staff = role.is_some_and(Role::moderates);
    let found = visible(app, viewer, found).await?;
    let items = found.into_iter().map(|(user, member)| MemberView::new(user, &member, staff)).collect();
    query.page(app, &list, items, next.as_deref())
}

/// One member, for an owner or a moderator. None for somebody who is gone or suspended.
pub async fn member(app: &App, viewer: &Viewer, user: UserId, member: Member) -> Result<Option<MemberView>> {
    let found = visible(app, viewer, vec![(user, member)]).await?;
    Ok(found.into_iter().next().map(|(user, member)| MemberView::new(user, &member, true)))
}

/// A page of those who ask to join, for somebody who may answer them.
///
/// # Errors
/// 400 for a cursor of another list.
pub async fn requests(app: &App, viewer: &Viewer, group: GroupId, query: &PageQuery) -> Result<Page<JoinRequestView>> {
    let list = format!("requests to join {group}");
    let after = query.after(app, &list)?;
    let (found, next) = store::groups::requests(app, group, query.limit, after.as_deref()).await?;
    let view = |(Shown { user, blocked }, request): (Shown, crate::models::group::JoinRequest)| {
        let at = crate::clock::Timestamp::from_millis(request.created_at.timestamp_ms());
        JoinRequestView { user, blocked, requested_at: at.rfc3339() }
    };
    let items = visible(app, viewer, found).await?.into_iter().map(view).collect();
    query.page(app, &list, items, next.as_deref())
}

/// A group, for the documentation.
pub fn example() -> serde_json::Value {
    serde_json::json!({
        "id": "grp_01K9ZQ7A4M2T8Q6M5N4C1B0A9Z", "name": "Waders of the estuary",
        "description": "Who was where at low tide.", "visibility": "private", "members_count": 12,
        "role": "member", "status": "member", "created_at": "2026-11-20T20:30:00.000Z"
    })
}

/// A member, for the documentation.
pub fn example_member() -> serde_json::Value {
    serde_json::json!({
        "user": super::post::example()["author"], "blocked": false, "role": "owner", "joined_at": "2026-11-20T20:30:00.000Z"
    })
}

/// A group with its members, for the documentation.
pub fn example_page() -> serde_json::Value {
    let mut group = example();
    group["members"] = serde_json::json!({"items": [example_member()], "next_cursor": null});
    group
}

/// Something shared in a group, for the documentation.
pub fn example_post() -> serde_json::Value {
    let (mut post, group) = (super::post::example(), example()["id"].clone());
    let id = format!("{}.{}", post["id"].as_str().unwrap_or_default(), group.as_str().unwrap_or_default());
    post["id"] = id.replace("grp_", "").into();
    post["group_id"] = group;
    post
}
