//! Forgotten and changed passwords.

use crate::accounts::{MailSent, TokenQuery, mail_sent};
use crate::{pages, proof};
use axum::extract::State;
use axum::response::Response;
use futures::future::{try_join, try_join3};
use http::StatusCode;
use shared::error::{Error, FieldError, Kind, Result};
use shared::http::extract::{Json, Query};
use shared::http::rate_limits::Action;
use shared::http::{Address, Bearer};
use shared::models::fields::{Fields, FromFields, Refusal};
use shared::models::second_factor::OneTimeCode;
use shared::models::session::MailAction;
use shared::models::user::{Email, Password, PasswordOwner, Profile};
use shared::secrets::password;
use shared::table::Read;
use shared::{App, store};

/// Who forgot.
#[derive(utoipa::ToSchema)]
pub(crate) struct Forgot {
    #[schema(value_type = String, example = "gull@example.com")]
    email: Email,
}

impl FromFields for Forgot {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { email: fields.required("email")? })
    }
}

/// Request a password-reset e-mail
///
/// 202 always: the answer tells nothing of who is registered.
#[utoipa::path(
    post, path = "/users/password/forgot", tag = "accounts", request_body = Forgot,
    extensions(("x-limit" = json!(["forgot-password", "mail-to-address"]))),
    responses((status = 202, description = "If the address is registered, a mail is on its way", body = MailSent, example = json!({"detail": "If this address can be used, a mail is on its way."})))
)]
pub(crate) async fn forgot_password(
    State(app): State<App>,
    address: Address,
    Json(body): Json<Forgot>,
) -> Result<Response> {
    let (limit, mails) = (address.check(&app, Action::ForgotPassword), address.check_mail_to(&app, &body.email));
    let ((), (), holder) = try_join3(limit, mails, store::users::by_email(&app, &body.email)).await?;
    let dummy = store::sessions::dummy_user(&app, &body.email.folded())?;
    store::mail_tokens::send_reset(&app, holder, dummy, &body.email).await?;
    Ok(mail_sent())
}

/// A new password by a token from a mail.
#[derive(utoipa::ToSchema)]
pub(crate) struct Reset {
    #[schema(example = "AZqZp2D7V3T8Q6M5N4C1B0A9Z")]
    token: String,
    #[schema(value_type = String, example = "auk under the cliff", min_length = 8, max_length = 128)]
    password: Password,
}

impl FromFields for Reset {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (token, password) = (fields.required("token"), new_password(fields, "password"));
        Some(Self { token: token?, password: password? })
    }
}

fn new_password(fields: &mut Fields, name: &str) -> Option<Password> {
    let password = fields.required::<Password>(name)?;
    if let Some((code, detail)) = password.weakness(PasswordOwner::default()) {
        fields.refuse(name, code, &detail);
    }
    Some(password)
}

fn owner<'a>(profile: Option<&'a Profile>, email: &'a Email) -> PasswordOwner<'a> {
    PasswordOwner {
        username: profile.map(|profile| &profile.username),
        email: Some(email),
        full_name: profile.and_then(|profile| profile.full_name.as_deref()),
    }
}

fn weak(field: &str, (code, detail): Refusal) -> Error {
    Error::invalid(vec![FieldError::new(field, code, detail)])
}

/// Reset a password
///
/// The token works once, for an hour, and until a newer one is sent or the password is changed. All sessions end, and so
/// does every link from before.
#[utoipa::path(
    post, path = "/users/password/reset", tag = "accounts", request_body = Reset,
    extensions(("x-limit" = json!("mail-token")), ("x-problems" = json!("invalid-token"))),
    responses((status = 204, description = "The new password holds; sign in with it"))
)]
pub(crate) async fn reset_password(
    State(app): State<App>,
    address: Address,
    Json(body): Json<Reset>,
) -> Result<StatusCode> {
    address.check(&app, Action::UseMailToken).await?;
    let token = store::mail_tokens::presented(&app, &body.token, MailAction::ResetPassword).await?;
    let (profile, hash) =
        try_join(store::users::profile(&app, token.user), password::hash(body.password.as_str())).await?;
    if let Some(refusal) = body.password.weakness(owner(profile.as_ref(), &token.email)) {
        return Err(weak("password", refusal));
    }
    match store::sessions::reset_password(&app, &token, &hash, &address.names(&app)?).await? {
        true => {
            address.acts_for(token.user);
            Ok(StatusCode::NO_CONTENT)
        }
        false => Err(Error::new(Kind::InvalidToken).detail("Ask for a new mail.")),
    }
}

/// Password-reset page
#[utoipa::path(
    get, path = "/users/password/reset", tag = "accounts", params(TokenQuery),
    responses((status = 200, description = "The page", body = String, content_type = "text/html", example = json!("<!doctype html>…")))
)]
pub(crate) async fn show_reset_page(Query(query): Query<TokenQuery>) -> Response {
    pages::reset(&query.token)
}

/// The current password and the new one.
#[derive(utoipa::ToSchema)]
pub(crate) struct Change {
    #[schema(value_type = String, example = "tern on the rock")]
    current_password: Password,
    #[schema(value_type = String, example = "auk under the cliff", min_length = 8, max_length = 128)]
    new_password: Password,
    /// While the second factor is on: a code of the authenticator app, or a recovery code.
    #[schema(value_type = Option<String>, example = "287082", max_length = 100)]
    otp: Option<OneTimeCode>,
}

impl FromFields for Change {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (current, new) = (proof::presented(fields, "current_password"), new_password(fields, "new_password"));
        let otp = fields.optional("otp");
        Some(Self { current_password: current?, new_password: new?, otp: otp? })
    }
}

/// Change my password
///
/// The other sessions end, and so does every link from before: to set a password, to an archive, and to verify an address
/// that waits.
#[utoipa::path(
    put, path = "/users/password", tag = "accounts", security(("bearer" = [])), request_body = Change,
    extensions(("x-limit" = json!("change-password")), ("x-problems" = json!(["wrong-password", "code-required", "wrong-code"]))),
    responses(
        (status = 204, description = "Changed"),
        (status = 403, description = "The current password is wrong, or a code is missing or wrong", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn change_password(
    State(app): State<App>,
    bearer: Bearer,
    address: Address,
    Json(body): Json<Change>,
) -> Result<StatusCode> {
    let viewer = bearer.acting(&app, Action::ChangePassword).await?;
    let page = store::users::page(&app, viewer.id, Read::Strong);
    let (found, page) = try_join(store::sessions::credentials(&app, viewer.id), page).await?;
    let page = page.ok_or_else(Error::not_found)?;
    if let Some(refusal) = body.new_password.weakness(owner(Some(&page.profile), &page.account.email)) {
        return Err(weak("new_password", refusal));
    }
    let proof = (&body.current_password, body.otp.as_ref());
    proof::prove(&app, &address, &found, &page.account, proof).await?;
    let hash = password::hash(body.new_password.as_str()).await?;
    match store::sessions::change_password(&app, found, &hash, bearer.session()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(proof::wrong()),
    }
}
