//! The link in each notification mail (RFC 8058).

use crate::accounts::TokenQuery;
use crate::pages;
use axum::extract::State;
use axum::response::Response;
use shared::error::{Error, Kind, Result};
use shared::http::Address;
use shared::http::extract::Query;
use shared::http::rate_limits::Action;
use shared::models::session::read_unsubscribe_token;
use shared::{App, store};

fn refused() -> Error {
    Error::new(Kind::InvalidToken).detail("This link is not whole. Copy all of it, or change it in your settings.")
}

/// Unsubscribe page
#[utoipa::path(
    get, path = "/users/unsubscribe", tag = "profiles", params(TokenQuery),
    extensions(("x-problems" = json!("invalid-token"))),
    responses((status = 200, description = "The page", body = String, content_type = "text/html", example = json!("<!doctype html>…")))
)]
pub(crate) async fn show_unsubscribe_page(State(app): State<App>, Query(query): Query<TokenQuery>) -> Result<Response> {
    let (_, kind) = read_unsubscribe_token(&app.keys()?, &query.token).ok_or_else(refused)?;
    Ok(pages::unsubscribe(&query.token, &kind))
}

/// Unsubscribe from an e-mail
///
/// What mail programs call by themselves (RFC 8058), and the page's button. Idempotent.
#[utoipa::path(
    post, path = "/users/unsubscribe", tag = "profiles", params(TokenQuery),
    extensions(("x-limit" = json!("mail-token")), ("x-problems" = json!("invalid-token"))),
    responses((status = 200, description = "No more such mails", body = String, content_type = "text/html", example = json!("<!doctype html>…")))
)]
pub(crate) async fn unsubscribe(
    State(app): State<App>,
    address: Address,
    Query(query): Query<TokenQuery>,
) -> Result<Response> {
    address.check(&app, Action::UseMailToken).await?;
    let (user, kind) = read_unsubscribe_token(&app.keys()?, &query.token).ok_or_else(refused)?;
    for _ in 0..5 {
        let Some(account) = store::users::account(&app, user).await? else { break };
        address.acts_for(user);
        let mut settings = account.settings.clone();
        if let Some(ways) = settings.notify.of(&kind) {
            ways.mail = false;
        }
        if settings == account.settings
            || store::users::change_settings(&app, user, &account.settings, &settings).await?
        {
            break;
        }
    }
    Ok(pages::unsubscribed())
}
