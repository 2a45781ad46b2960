//! The activity log.

use axum::extract::State;
use futures::future::try_join;
use serde_json::json;
use shared::App;
use shared::error::{Error, FieldError, Result};
use shared::http::{Bearer, Page, PageParams, PageQuery};
use shared::models::activity::ActivityType;
use shared::views::activity::{self, ActivityView};

/// What to list, for the documentation.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documentation")]
pub(crate) struct ActivityParams {
    /// Only acts of these types, separated by commas. A page may then be short, even empty; its cursor goes on.
    #[param(value_type = Option<Vec<ActivityType>>, rename = "type", style = Form, explode = false, example = json!(["sign_in", "sign_in_failed"]))]
    types: Option<Vec<ActivityType>>,
}

/// List my activity
///
/// Every write of mine that succeeded, and every sign-in to my account, failed ones included; newest first, for as many
/// days as the parameter `ActivityDays` says (90). Nobody else sees it.
#[utoipa::path(
    get, path = "/activity-log", tag = "accounts", params(ActivityParams, PageParams), security(("bearer" = [])),
    responses((status = 200, description = "A page", body = Page<ActivityView>, example = json!({"items": [example()], "next_cursor": null})))
)]
pub(crate) async fn list_activity(
    State(app): State<App>,
    bearer: Bearer,
    query: PageQuery,
) -> Result<Page<ActivityView>> {
    let (me, types) = (bearer.id(), types(&query)?);
    let list = format!("activity of {me}");
    let after = query.after(&app, &list)?;
    let found = activity::page(&app, me, &types, query.limit, after);
    let (_, (items, next)) = try_join(bearer.viewer(&app), found).await?;
    query.page(&app, &list, items, next.as_deref())
}

/// None for all.
fn types(query: &PageQuery) -> Result<Vec<ActivityType>> {
    let names = query.param("type").filter(|names| !names.is_empty()).into_iter().flat_map(|names| names.split(','));
    let named = names.map(|name| {
        let refused = || FieldError::new("type", "invalid", "Types of acts, separated by commas, such as sign_in.");
        ActivityType::named(name).ok_or_else(|| Error::invalid(vec![refused()]))
    });
    named.collect()
}

fn example() -> serde_json::Value {
    json!({
        "id": "act_01K9ZQ7A4M2T8Q6M5N4C1B0A9Z",
        "type": "sign_in",
        "created_at": "2026-11-20T20:30:00.000Z",
        "target": {"type": "session", "id": "ses_01K9ZQ7A4M2T8Q6M5N4C1B0A9Z"},
        "address": "192.0.2.0/24",
        "user_agent": "curl/8.14.1",
    })
}
