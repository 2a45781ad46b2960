//! The list.

use axum::extract::State;
use serde::Serialize;
use serde_json::json;
use shared::App;
use shared::error::{Error, FieldError, Result};
use shared::http::{Bearer, Page, PageParams, PageQuery};
use shared::ids::NotificationId;
use shared::views::notification::{self, NotificationEventView, NotificationView};

/// What to list, for the documentation.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documentation")]
pub(crate) struct ListParams {
    /// Only what is unread. A page may then be short; its cursor goes on.
    unread: Option<bool>,
    /// An id out of either list: what is newer, event by event, oldest first.
    #[param(value_type = Option<NotificationId>, example = "ntf_01K9ZP2D7V3T8Q6M5N4C1B0A9Z")]
    after: Option<NotificationId>,
}

/// Notifications, or with `?after=` single events.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(crate) enum Entry {
    Notification(NotificationView),
    Event(NotificationEventView),
}

/// List my notifications
///
/// Newest first, alike ones grouped: the likes of one post, or new followers, join one notification for a day while it
/// is unread. With `?after=` single events instead, oldest first, for a client that asks what is new.
#[utoipa::path(
    get, path = "/notifications", tag = "notifications", params(ListParams, PageParams), security(("bearer" = [])),
    responses((status = 200, description = "A page", body = Page<Entry>, example = json!({"items": [example()], "next_cursor": null})))
)]
pub(crate) async fn list_notifications(State(app): State<App>, bearer: Bearer, page: PageQuery) -> Result<Page<Entry>> {
    let (owner, unread) = (bearer.id(), page.flag("unread")?);
    if let Some(since) = page.param("after") {
        let since: NotificationId = since.parse().map_err(|_| invalid_after())?;
        let list = format!("events of {owner}");
        let after = page.after(&app, &list)?;
        let events = notification::events(&app, &bearer, since, page.limit, after.as_deref());
        let (mut events, next) = events.await?;
        events.retain(|event| !(unread && event.read));
        return page.page(&app, &list, events.into_iter().map(Entry::Event).collect(), next.as_deref());
    }
    let list = format!("notifications of {owner}");
    let after = page.after(&app, &list)?;
    let (found, next) = notification::page(&app, &bearer, unread, page.limit, after).await?;
    page.page(&app, &list, found.into_iter().map(Entry::Notification).collect(), next.as_deref())
}

fn invalid_after() -> Error {
    Error::invalid(vec![FieldError::new("after", "invalid_id", "This is not a notification's id.")])
}

fn example() -> serde_json::Value {
    json!({
        "id": "ntf_01K9ZP2D7V3T8Q6M5N4C1B0A9Z",
        "kind": "follow",
        "actors": [{
            "id": "usr_01K9ZNXE5R2W8J6H4G3F1D0C7B",
            "username": "gull",
            "full_name": "Lara Gull",
            "avatar_url": null,
        }],
        "actors_count": 1,
        "post_id": null,
        "comment_id": null,
        "read": false,
        "created_at": "2026-11-20T20:30:00.000Z",
        "updated_at": "2026-11-20T20:30:00.000Z",
    })
}
