//! Another e-mail address, and how it is undone.

use crate::accounts::{TokenBody, TokenQuery};
use crate::pages;
use crate::proof;
use axum::extract::State;
use axum::response::Response;
use futures::future::try_join3;
use http::StatusCode;
use shared::error::{Error, Kind, Result};
use shared::http::extract::{Json, Query};
use shared::http::rate_limits::Action;
use shared::http::{Address, Bearer};
use shared::models::second_factor::OneTimeCode;
use shared::models::session::MailAction;
use shared::models::user::{Account, Email, Password};
use shared::store::users::NewEmail;
use shared::{App, store};

/// The address to be, once the password is proven; the same whether or not somebody has it.
///
/// # Errors
/// 403 for a wrong password or code, 429 after too many mails.
pub(crate) async fn wanted(
    app: &App,
    bearer: &Bearer,
    address: &Address,
    account: &Account,
    email: Email,
    proof: (&Password, Option<&OneTimeCode>),
) -> Result<NewEmail> {
    let found = store::sessions::credentials(app, account.id).await?;
    proof::prove(app, address, &found, account, proof).await?;
    let is_own = email.folded() == account.email.folded();
    let is_taken = !is_own && may_mail(app, bearer, account, &email).await?;
    Ok(NewEmail { email, is_taken })
}

/// Counts the mails of a change: to the address that is to be, and to the one that is told of it. Answers whether somebody
/// has the former.
///
/// # Errors
/// 429 after too many.
pub(crate) async fn may_mail(app: &App, bearer: &Bearer, account: &Account, email: &Email) -> Result<bool> {
    let told = async {
        match account.verified {
            true => Action::check_mail_to(app, bearer.notes(), &account.email).await,
            false => Ok(()),
        }
    };
    let asked = Action::check_mail_to(app, bearer.notes(), email);
    let (holder, (), ()) = try_join3(store::users::by_email(app, email), asked, told).await?;
    Ok(holder.is_some())
}

/// Undo a change of the e-mail address
///
/// With the token from the mail to the old address, for 7 days. It stays the account's, or is it again, and all sessions end.
#[utoipa::path(
    post, path = "/users/verify/undo", tag = "accounts", request_body = TokenBody,
    extensions(("x-limit" = json!("mail-token")), ("x-problems" = json!("invalid-token"))),
    responses((status = 204, description = "Undone; sign in, and set a new password"))
)]
pub(crate) async fn undo_email_change(
    State(app): State<App>,
    address: Address,
    Json(body): Json<TokenBody>,
) -> Result<StatusCode> {
    address.check(&app, Action::UseMailToken).await?;
    let token = store::mail_tokens::presented(&app, &body.token, MailAction::EmailChanged).await?;
    if !store::addresses::undo(&app, &token).await? {
        return Err(Error::new(Kind::InvalidToken).detail("There is nothing to undo."));
    }
    address.acts_for(token.user);
    Ok(StatusCode::NO_CONTENT)
}

/// Page for undoing a change of the e-mail address
#[utoipa::path(
    get, path = "/users/verify/undo", tag = "accounts", params(TokenQuery),
    responses((status = 200, description = "The page", body = String, content_type = "text/html", example = json!("<!doctype html>…")))
)]
pub(crate) async fn show_undo_page(Query(query): Query<TokenQuery>) -> Response {
    pages::undo_email_change(&query.token)
}
