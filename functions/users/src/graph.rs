//! Following.

use crate::pages;
use axum::extract::State;
use futures::future::try_join3;
use serde::Serialize;
use shared::error::{Error, FieldError, Result};
use shared::http::extract::{Path, UserPath, UserRef};
use shared::http::rate_limits::Action;
use shared::http::{Bearer, Page, PageParams, PageQuery, Reader, View};
use shared::ids::UserId;
use shared::models::user::Profile;
use shared::models::viewer::{Relationship, Viewer};
use shared::table::Rows;
use shared::table::design::key;
use shared::views::media::Links;
use shared::views::user::{UserCard, cards};
use shared::{App, store, visibility};

/// How I stand to somebody now.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FollowState {
    /// Whether I follow them.
    following: bool,
    user: UserCard,
}

/// The user to follow, block or mute, and the viewer's relationship to them.
pub(crate) struct TargetUser {
    pub(crate) id: UserId,
    pub(crate) card: UserCard,
    pub(crate) known: Relationship,
}

/// The session, the limit and whom the path means, all at once; a name costs a round more.
pub(crate) async fn target(app: &App, bearer: &Bearer, action: Action, user: &UserRef) -> Result<TargetUser> {
    let find = async {
        let id = user.resolve(app, Some(bearer.id())).await?;
        Ok::<_, Error>((id, UserCard::new(&active(app, id).await?, &Links::new(app)?)))
    };
    let (viewer, found) = futures::future::join(bearer.acting(app, action), find).await;
    let (viewer, (id, card)) = (viewer?, found?);
    bearer.notes().set_target(id);
    if id == viewer.id {
        let error = FieldError::new("user", "oneself", "This can't be done to yourself.");
        return Err(Error::invalid(vec![error]));
    }
    let known = visibility::load(app, Some(&viewer), [id]).await?.towards(id);
    Ok(TargetUser { id, card, known })
}

impl TargetUser {
    /// As far as I see them.
    pub(crate) fn seen(self) -> Result<Self> {
        if self.known.is_block() { Err(Error::not_found()) } else { Ok(self) }
    }
}

/// Follow a user
///
/// Idempotent.
#[utoipa::path(
    post, path = "/users/{user}/follow", tag = "graph", params(UserPath), security(("bearer" = [])), extensions(("x-limit" = json!("follow"))),
    responses(
        (status = 200, description = "Following", body = FollowState, example = json!({"following": true, "user": pages::example_card()})),
        (status = 422, description = "Oneself", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn follow_user(
    State(app): State<App>,
    bearer: Bearer,
    Path(path): Path<UserPath>,
) -> Result<View<FollowState>> {
    let TargetUser { id, card: user, known } = target(&app, &bearer, Action::Follow, &path.user).await?.seen()?;
    store::follows::follow(&app, bearer.id(), id, known).await?;
    Ok(View(FollowState { following: true, user }))
}

/// Unfollow a user
///
/// Idempotent.
///
/// Their posts are out of the feed from the very next request on.
#[utoipa::path(
    delete, path = "/users/{user}/follow", tag = "graph", params(UserPath), security(("bearer" = [])), extensions(("x-limit" = json!("follow"))),
    responses(
        (status = 200, description = "Not following", body = FollowState, example = json!({"following": false, "user": pages::example_card()})),
        (status = 422, description = "Oneself", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn unfollow_user(
    State(app): State<App>,
    bearer: Bearer,
    Path(path): Path<UserPath>,
) -> Result<View<FollowState>> {
    let TargetUser { id, card: user, known } = target(&app, &bearer, Action::Follow, &path.user).await?.seen()?;
    store::follows::unfollow(&app, bearer.id(), id, known).await?;
    Ok(View(FollowState { following: false, user }))
}

/// Unfollow a user (alias)
///
/// Same as `DELETE /users/{user}/follow`.
#[utoipa::path(
    post, path = "/users/{user}/unfollow", tag = "graph", params(UserPath), security(("bearer" = [])), extensions(("x-limit" = json!("follow"))),
    responses(
        (status = 200, description = "Not following", body = FollowState, example = json!({"following": false, "user": pages::example_card()})),
        (status = 422, description = "Oneself", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn unfollow_user_by_post(
    state: State<App>,
    bearer: Bearer,
    path: Path<UserPath>,
) -> Result<View<FollowState>> {
    unfollow_user(state, bearer, path).await
}

/// List a user's followers
///
/// Newest first.
#[utoipa::path(
    get, path = "/users/{user}/followers", tag = "graph", params(UserPath, PageParams), security(("bearer" = [])),
    extensions(("x-public-reading" = json!(true))),
    responses((status = 200, description = "A page", body = Page<UserCard>, example = json!({"items": [pages::example_card()], "next_cursor": null})))
)]
pub(crate) async fn list_followers(
    State(app): State<App>,
    reader: Reader,
    Path(path): Path<UserPath>,
    query: PageQuery,
) -> Result<Page<UserCard>> {
    let of = path.user.resolve(&app, reader.id()).await?;
    let list = format!("followers of {of}");
    let after = query.after(&app, &list)?;
    let rows = store::follows::followers(&app, of, query.limit, after.as_deref());
    let (viewer, _, rows) = try_join3(reader.viewer(&app), active(&app, of), rows).await?;
    list_cards(&app, viewer.as_ref(), of, &query, &list, &rows).await
}

/// List whom a user follows
///
/// Newest first.
#[utoipa::path(
    get, path = "/users/{user}/following", tag = "graph", params(UserPath, PageParams), security(("bearer" = [])),
    extensions(("x-public-reading" = json!(true))),
    responses((status = 200, description = "A page", body = Page<UserCard>, example = json!({"items": [pages::example_card()], "next_cursor": null})))
)]
pub(crate) async fn list_following(
    State(app): State<App>,
    reader: Reader,
    Path(path): Path<UserPath>,
    query: PageQuery,
) -> Result<Page<UserCard>> {
    let of = path.user.resolve(&app, reader.id()).await?;
    let list = format!("following of {of}");
    let after = query.after(&app, &list)?;
    let rows = store::follows::following(&app, of, query.limit, after.as_deref());
    let (viewer, _, rows) = try_join3(reader.viewer(&app), active(&app, of), rows).await?;
    list_cards(&app, viewer.as_ref(), of, &query, &list, &rows).await
}

/// The profile, unless its owner is gone or suspended.
async fn active(app: &App, id: UserId) -> Result<Profile> {
    let found = store::users::active(app, &[id]).await?;
    found.and_then(|profiles| profiles.into_iter().next()).ok_or_else(Error::not_found)
}

/// A page of cards out of somebody's ledger rows.
async fn list_cards(
    app: &App,
    viewer: Option<&Viewer>,
    of: UserId,
    query: &PageQuery,
    list: &str,
    rows: &Rows,
) -> Result<Page<UserCard>> {
    visibility::ensure_visible(app, viewer, [of]).await?;
    let people: Vec<UserId> = rows.items.iter().filter_map(|row| key::other_end(row.sk())).collect();
    query.page(app, list, cards(app, viewer, &people).await?, rows.next.as_deref())
}
