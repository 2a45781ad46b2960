//! Finding people.

use crate::pages;
use axum::extract::State;
use futures::future::{try_join, try_join3};
use shared::error::{Error, FieldError, Result};
use shared::http::{Bearer, Page, PageParams, PageQuery};
use shared::ids::UserId;
use shared::models::fields::FieldValue;
use shared::models::names::Names;
use shared::models::user::{Account, Email};
use shared::table::Read;
use shared::views::suggestions::SuggestionView;
use shared::views::user::{UserCard, cards};
use shared::{App, store, views};

/// The search parameters, for the documentation.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documentation")]
pub(crate) struct SearchParams {
    /// A username or words of a full name, each from its first letter on, whatever case and accents; or a whole address.
    #[param(example = "lara", max_length = 320, pattern = "\\S")]
    query: String,
}

/// Search users
///
/// By username, by words of their full name, or by address.
///
/// An exact username first, then whole words of a full name, then beginnings; among those on a page whom people I follow
/// follow, as far as my suggestions know; then the most widely followed. By a whole address only those who have
/// verified it and are `findable_by_email`.
/// A page may come out short, even empty, with a cursor: go on with it.
#[utoipa::path(
    get, path = "/users/search", tag = "profiles", params(SearchParams, PageParams), security(("bearer" = [])),
    responses((status = 200, description = "A page", body = Page<UserCard>, example = json!({"items": [pages::example_card()], "next_cursor": null})))
)]
pub(crate) async fn search_users(State(app): State<App>, bearer: Bearer, query: PageQuery) -> Result<Page<UserCard>> {
    let asked = query.param("query").map(str::trim).filter(|text| !text.is_empty());
    let refused = |code, detail: &str| Error::invalid(vec![FieldError::new("query", code, detail)]);
    let asked = asked.ok_or_else(|| refused("required", "Say whom to look for."))?;
    if let Some(email) = address(asked) {
        let (viewer, found) = try_join(bearer.viewer(&app), by_address(&app, &email)).await?;
        let people: Vec<UserId> = found.into_iter().collect();
        return query.page(&app, "", cards(&app, Some(&viewer), &people).await?, None);
    }
    let names = Names::asked(asked);
    names.longest().ok_or_else(|| refused("no_words", "There is no name in this."))?;
    let list = format!("people with {names:?}");
    let after = query.after(&app, &list)?;
    let found = store::names::page(&app, &names, query.limit, after.as_deref());
    let known = store::suggestions::get(&app, bearer.id(), Read::Eventual);
    let (viewer, (mut found, next), known) = try_join3(bearer.viewer(&app), found, known).await?;
    let close = known.map(|known| known.followed_by()).unwrap_or_default();
    // The order that they came in stays within each part.
    found.sort_by_key(|(class, id)| (*class, !close.contains(id)));
    let people: Vec<UserId> = found.into_iter().map(|(_, id)| id).collect();
    query.page(&app, &list, cards(&app, Some(&viewer), &people).await?, next.as_deref())
}

/// List suggested users
///
/// Whom to follow, best first, each with its reason.
///
/// Friends of friends, people with the same interests or hashtags, and those whom many follow; never myself, whom I
/// follow, nor anybody blocked, muted or unfollowed lately. Computed in the background, once a day for somebody who
/// follows thousands; whom I have followed since leaves within a second.
#[utoipa::path(
    get, path = "/users/suggestions", tag = "graph", params(PageParams), security(("bearer" = [])),
    responses((status = 200, description = "A page", body = Page<SuggestionView>, example = json!({"items": [views::suggestions::example()], "next_cursor": null})))
)]
pub(crate) async fn suggest_users(
    State(app): State<App>,
    bearer: Bearer,
    query: PageQuery,
) -> Result<Page<SuggestionView>> {
    views::suggestions::page(&app, &bearer, &query).await
}

/// An address, which has its `@` within.
fn address(asked: &str) -> Option<Email> {
    let within = asked.find('@').is_some_and(|at| at > 0);
    within.then(|| Email::parse(&asked.into()).ok()).flatten()
}

/// The user who has the address, by the link in a mail to it, and lets others find them by it: anybody may sign up with
/// somebody else's.
async fn by_address(app: &App, email: &Email) -> Result<Option<UserId>> {
    let Some(id) = store::users::by_email(app, email).await? else { return Ok(None) };
    let account = store::users::account(app, id).await?;
    let by_default = app.config().findable_by_email;
    let is_findable = |account: &Account| account.verified && account.settings.findable_by_email.unwrap_or(by_default);
    Ok(account.filter(is_findable).map(|account| account.id))
}
