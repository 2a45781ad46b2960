//! What I want to be told, and how.

use axum::extract::State;
use futures::future::try_join;
use shared::error::{Error, Kind, Result};
use shared::http::Bearer;
use shared::http::etag::{IfMatch, Tagged};
use shared::http::extract::Json;
use shared::http::rate_limits::Action;
use shared::models::settings::{Settings, SettingsPatch};
use shared::{App, store};

/// Get my settings
#[utoipa::path(
    get, path = "/users/settings", tag = "profiles", security(("bearer" = [])), extensions(("x-etag" = json!(true))),
    responses((status = 200, description = "The settings", body = Settings, example = json!(Settings::default().in_full(true))))
)]
pub(crate) async fn get_settings(State(app): State<App>, bearer: Bearer) -> Result<Tagged<Settings>> {
    let (_, account) = try_join(bearer.viewer(&app), store::users::account(&app, bearer.id())).await?;
    let settings = account.ok_or_else(Error::not_found)?.settings;
    Ok(tagged(&app, settings))
}

fn tagged(app: &App, settings: Settings) -> Tagged<Settings> {
    Tagged { version: settings.fingerprint(), view: settings.in_full(app.config().findable_by_email) }
}

/// Update my settings
///
/// What is absent stays.
#[utoipa::path(
    patch, path = "/users/settings", tag = "profiles", security(("bearer" = [])),
    request_body(content = SettingsPatch, description = "Any part of the settings", example = json!({"notify": {"follow": {"mail": false}}})),
    extensions(("x-limit" = json!("edit-account")), ("x-etag" = json!(true))),
    params(("If-Match" = Option<String>, Header, description = "The `ETag` the change was made from")),
    responses((status = 200, description = "The settings as they are now", body = Settings, example = json!(Settings::default().in_full(true))))
)]
pub(crate) async fn update_settings(
    State(app): State<App>,
    bearer: Bearer,
    if_match: IfMatch,
    Json(patch): Json<SettingsPatch>,
) -> Result<Tagged<Settings>> {
    let account = store::users::account(&app, bearer.id());
    let (viewer, account) = try_join(bearer.acting(&app, Action::EditAccount), account).await?;
    let old = account.ok_or_else(Error::not_found)?.settings;
    if_match.check(old.fingerprint())?;
    let mut new = old.clone();
    patch.apply(&mut new);
    if new == old {
        return Ok(tagged(&app, old));
    }
    match store::users::change_settings(&app, viewer.id, &old, &new).await? {
        true => Ok(tagged(&app, new)),
        false => Err(Error::new(Kind::PreconditionFailed).detail("They were changed at the same moment.")),
    }
}
