//! Setting up, confirming and turning off the second factor.

use crate::pages;
use crate::proof::{self, CurrentPassword};
use axum::extract::State;
use futures::future::{try_join, try_join3};
use http::StatusCode;
use serde::Serialize;
use shared::error::{Error, Result};
use shared::http::extract::Json;
use shared::http::rate_limits::Action;
use shared::http::{Address, Bearer, View};
use shared::models::fields::{Fields, FromFields};
use shared::models::second_factor::OneTimeCode;
use shared::models::user::Password;
use shared::{App, store};

/// The name by which an authenticator app shows the account, beside the username.
const ISSUER: &str = "Perch";

/// What an authenticator app needs.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AppSecret {
    /// In base32, for typing it in.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    secret: String,
    /// The secret as a URI, for a QR code.
    #[schema(
        example = "otpauth://totp/Perch:gull?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Perch&algorithm=SHA1&digits=6&period=30"
    )]
    uri: String,
}

/// Set up a second factor
///
/// A secret for an authenticator app (TOTP, RFC 6238). It counts once `POST /users/otp/confirm` has a code of it; asking
/// again gives another secret, and the one before is worth nothing.
#[utoipa::path(
    post, path = "/users/otp", tag = "accounts", security(("bearer" = [])), request_body = CurrentPassword,
    extensions(("x-limit" = json!("second-factor")), ("x-problems" = json!(["wrong-password", "second-factor-on"]))),
    responses(
        (status = 200, description = "The secret, which is shown once", body = AppSecret, example = json!(pages::example_app_secret())),
        (status = 403, description = "The password is wrong", body = shared::http::problem::Problem),
        (status = 409, description = "A second factor is on", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn set_up_otp(
    State(app): State<App>,
    bearer: Bearer,
    address: Address,
    Json(body): Json<CurrentPassword>,
) -> Result<View<AppSecret>> {
    let viewer = bearer.acting(&app, Action::SecondFactor).await?;
    let (found, profile) =
        try_join(store::sessions::credentials(&app, viewer.id), store::users::profile(&app, viewer.id)).await?;
    proof::prove_password(&app, &address, viewer.id, &found, &body.password).await?;
    let (kept, profile) = found.credentials.zip(profile).ok_or_else(Error::not_found)?;
    let secret = store::second_factor::set_up(&app, &kept).await?;
    Ok(View(AppSecret { secret: secret.base32(), uri: secret.uri(ISSUER, profile.username.as_str()) }))
}

/// The first code of an authenticator app.
#[derive(utoipa::ToSchema)]
pub(crate) struct Confirmation {
    #[schema(value_type = String, example = "287082", max_length = 100)]
    code: OneTimeCode,
}

impl FromFields for Confirmation {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { code: fields.required("code")? })
    }
}

/// What signs in when the app is lost.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RecoveryCodes {
    /// Each works once, in place of a code. They are shown this once.
    #[schema(example = json!(["mfrggz-dfmztw-q2lknz-xw6ytb"]))]
    recovery_codes: Vec<String>,
}

/// Enable the second factor
///
/// By a code of the secret from `POST /users/otp`. From then on signing in asks for a code, and so do changes of the
/// address and the password and the deletion of the account. A mail tells of it.
#[utoipa::path(
    post, path = "/users/otp/confirm", tag = "accounts", security(("bearer" = [])), request_body = Confirmation,
    extensions(("x-limit" = json!("second-factor")), ("x-problems" = json!(["wrong-code", "second-factor-on", "second-factor-off"]))),
    responses(
        (status = 200, description = "On; ten recovery codes", body = RecoveryCodes, example = json!({"recovery_codes": ["mfrggz-dfmztw-q2lknz-xw6ytb", "oi4qmf-rggzdf-mztwq2-lknzxw"]})),
        (status = 403, description = "The code is wrong", body = shared::http::problem::Problem),
        (status = 409, description = "It is on, or nothing is set up", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn confirm_otp(
    State(app): State<App>,
    bearer: Bearer,
    address: Address,
    Json(body): Json<Confirmation>,
) -> Result<View<RecoveryCodes>> {
    let viewer = bearer.acting(&app, Action::SecondFactor).await?;
    let (found, account) =
        try_join(store::sessions::credentials(&app, viewer.id), store::users::account(&app, viewer.id)).await?;
    let attempt = store::sessions::attempt(&app, viewer.id, &found, &address.names(&app)?).await?;
    let attempt = attempt.count_code(&app).await?;
    let (kept, account) = found.credentials.zip(account).ok_or_else(Error::not_found)?;
    let confirmed = store::second_factor::confirm(&app, &kept, &account, &body.code).await?;
    let recovery_codes = confirmed.ok_or_else(proof::wrong_code)?;
    attempt.take_back(&app).await;
    Ok(View(RecoveryCodes { recovery_codes }))
}

/// The password, and a code.
#[derive(utoipa::ToSchema)]
pub(crate) struct TurnOff {
    #[schema(value_type = String, example = "tern on the rock")]
    password: Password,
    /// Of the app, or a recovery code.
    #[schema(value_type = String, example = "287082", max_length = 100)]
    code: OneTimeCode,
}

impl FromFields for TurnOff {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (password, code) = (proof::presented(fields, "password"), fields.required("code"));
        Some(Self { password: password?, code: code? })
    }
}

/// Disable the second factor
///
/// A mail tells of it. The recovery codes are worth nothing from then on.
#[utoipa::path(
    delete, path = "/users/otp", tag = "accounts", security(("bearer" = [])), request_body = TurnOff,
    extensions(("x-limit" = json!("second-factor")), ("x-problems" = json!(["wrong-password", "wrong-code", "second-factor-off"]))),
    responses(
        (status = 204, description = "Off"),
        (status = 403, description = "Password or code is wrong", body = shared::http::problem::Problem),
        (status = 409, description = "It is off", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn turn_off_otp(
    State(app): State<App>,
    bearer: Bearer,
    address: Address,
    Json(body): Json<TurnOff>,
) -> Result<StatusCode> {
    let (found, account) = (store::sessions::credentials(&app, bearer.id()), store::users::account(&app, bearer.id()));
    let (_, found, account) = try_join3(bearer.acting(&app, Action::SecondFactor), found, account).await?;
    let account = account.ok_or_else(Error::not_found)?;
    proof::prove(&app, &address, &found, &account, (&body.password, Some(&body.code))).await?;
    match store::second_factor::turn_off(&app, &account).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(store::second_factor::is_off()),
    }
}
