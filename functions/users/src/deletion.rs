//! Deleting my account.

use crate::proof;
use axum::extract::State;
use futures::future::try_join3;
use http::StatusCode;
use shared::error::{Error, Result};
use shared::http::extract::Json;
use shared::http::rate_limits::Action;
use shared::http::{Address, Bearer};
use shared::models::fields::{Fields, FromFields};
use shared::models::second_factor::OneTimeCode;
use shared::models::user::Password;
use shared::table::Read;
use shared::{App, store};

/// What proves that it is I.
#[derive(utoipa::ToSchema)]
pub(crate) struct Farewell {
    #[schema(value_type = String, example = "tern on the rock")]
    password: Password,
    /// While the second factor is on: a code of the authenticator app, or a recovery code.
    #[schema(value_type = Option<String>, example = "287082", max_length = 100)]
    otp: Option<OneTimeCode>,
}

impl FromFields for Farewell {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (password, otp) = (proof::presented(fields, "password"), fields.optional("otp"));
        Some(Self { password: password?, otp: otp? })
    }
}

/// Delete my account
///
/// From the very next request on nobody sees it or what it wrote, and nobody signs in; from lists it is gone within 30
/// seconds. All that is its own is removed in the background, and so is its name from what others wrote. The address is
/// free at once; nobody may take the username for 30 days.
#[utoipa::path(
    delete, path = "/users", tag = "profiles", security(("bearer" = [])), request_body = Farewell,
    extensions(("x-limit" = json!("delete-account")), ("x-problems" = json!(["wrong-password", "code-required", "wrong-code"]))),
    responses(
        (status = 204, description = "Deleted"),
        (status = 403, description = "The password is wrong, or a code is missing or wrong", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn delete_me(
    State(app): State<App>,
    bearer: Bearer,
    address: Address,
    Json(body): Json<Farewell>,
) -> Result<StatusCode> {
    let page = store::users::page(&app, bearer.id(), Read::Strong);
    let found = store::sessions::credentials(&app, bearer.id());
    let (_, found, page) = try_join3(bearer.acting(&app, Action::DeleteAccount), found, page).await?;
    let page = page.ok_or_else(Error::not_found)?;
    proof::prove(&app, &address, &found, &page.account, (&body.password, body.otp.as_ref())).await?;
    match store::deletions::begin(&app, found, page).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(proof::wrong()),
    }
}

/// Delete my account (alias)
///
/// Same as `DELETE /users`.
#[utoipa::path(
    post, path = "/users/delete", tag = "profiles", security(("bearer" = [])), request_body = Farewell,
    extensions(("x-limit" = json!("delete-account")), ("x-problems" = json!(["wrong-password", "code-required", "wrong-code"]))),
    responses(
        (status = 204, description = "Deleted"),
        (status = 403, description = "The password is wrong, or a code is missing or wrong", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn delete_me_by_post(
    state: State<App>,
    bearer: Bearer,
    address: Address,
    body: Json<Farewell>,
) -> Result<StatusCode> {
    delete_me(state, bearer, address, body).await
}
