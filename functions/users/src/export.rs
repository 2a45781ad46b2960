//! Archives of all that is mine.

use crate::accounts::TokenQuery;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::future::try_join;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use shared::error::{Error, Result};
use shared::http::extract::Query;
use shared::http::rate_limits::Action;
use shared::http::{Bearer, View};
use shared::{App, store};
use std::time::Duration;

/// How long the bucket takes the address that ours leads to.
const ARCHIVE_ADDRESS: Duration = Duration::from_secs(300);

/// That an archive was asked for.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ExportRequested {
    #[schema(example = "A mail will lead to your archive once it is made.")]
    detail: &'static str,
}

/// Request an export archive
///
/// It is made in the background; a mail leads to it, for a week. The address must be verified, whatever this deployment
/// asks else: an archive goes to nobody who has not shown that the address is theirs.
#[utoipa::path(
    post, path = "/users/export", tag = "profiles", security(("bearer" = [])),
    extensions(("x-limit" = json!("export"))),
    responses((status = 202, description = "A mail will come", body = ExportRequested))
)]
pub(crate) async fn request_export(State(app): State<App>, bearer: Bearer) -> Result<Response> {
    let (viewer, account) = try_join(bearer.viewer(&app), store::users::account(&app, bearer.id())).await?;
    // Before it counts: a user who is refused for this is to have their archive as soon as it is verified.
    let account = account.filter(|account| account.verified).ok_or_else(Error::email_not_verified)?;
    Action::Export.check(&app, bearer.notes(), &viewer.id.ulid().to_string()).await?;
    store::mail_tokens::send_export(&app, &account).await?;
    let body = ExportRequested { detail: "A mail will lead to your archive once it is made." };
    Ok((StatusCode::ACCEPTED, View(body)).into_response())
}

/// Download an export archive
///
/// As often as you like, for a week from when it was asked for. Refused once another was asked for, the password is a new
/// one, or the account has another address or is gone.
#[utoipa::path(
    get, path = "/users/export", tag = "profiles", params(TokenQuery), extensions(("x-problems" = json!("invalid-token"))),
    responses((status = 303, description = "Where it is for five minutes, a zip", headers(("Location" = String, description = "The archive in storage"))))
)]
pub(crate) async fn read_export(State(app): State<App>, Query(query): Query<TokenQuery>) -> Result<Response> {
    let (token, page) = store::exports::presented(&app, &query.token).await?;
    let name = format!("perch-{}.zip", page.profile.username);
    let address = app.media().sign_archive(token.user, token.id, &name, ARCHIVE_ADDRESS).await?;
    let headers = [
        (header::LOCATION, HeaderValue::try_from(address).map_err(Error::internal)?),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}
