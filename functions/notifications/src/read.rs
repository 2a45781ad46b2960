//! What is read, and what is not.

use axum::extract::State;
use futures::future::try_join;
use serde::Serialize;
use shared::App;
use shared::error::Result;
use shared::http::extract::Json;
use shared::http::rate_limits::Action;
use shared::http::{Bearer, View};
use shared::ids::NotificationId;
use shared::models::fields::{Fields, FromFields};
use shared::store::notifications;
use shared::views::notification;

/// Ids that a request may name.
const MAX_IDS: usize = 100;

/// What was read: some, or all.
#[derive(utoipa::ToSchema)]
pub(crate) struct MarkRead {
    /// Ids of notifications, or of their events.
    #[schema(value_type = Option<Vec<NotificationId>>, max_items = 100, example = json!(["ntf_01K9ZP2D7V3T8Q6M5N4C1B0A9Z"]))]
    ids: Vec<NotificationId>,
    /// True, in place of ids: all there are now.
    #[schema(value_type = Option<bool>)]
    all: bool,
}

impl FromFields for MarkRead {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (ids, all) = (fields.optional::<Vec<_>>("ids"), fields.optional("all"));
        let (ids, all) = (ids?, all?.unwrap_or(false));
        if ids.is_some() && all {
            fields.refuse("all", "conflict", "Send ids or all, not both.");
        }
        if ids.is_none() && !all {
            fields.refuse("ids", "required", "Send ids, or all: true.");
        }
        let ids = ids.unwrap_or_default();
        if ids.len() > MAX_IDS {
            fields.refuse("ids", "too_many", "At most 100 ids.");
        }
        Some(Self { ids, all })
    }
}

/// How many are unread.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Unread {
    /// 100 stands for that many or more.
    #[schema(example = 0, maximum = 100)]
    unread_count: u64,
}

/// Mark notifications as read
///
/// Ids that name none of mine do nothing. Idempotent.
#[utoipa::path(
    post, path = "/notifications/read", tag = "notifications", request_body = MarkRead, security(("bearer" = [])),
    extensions(("x-limit" = json!("mark-read"))),
    responses((status = 200, description = "How many are left", body = Unread, example = json!({"unread_count": 0})))
)]
pub(crate) async fn mark_read(
    State(app): State<App>,
    bearer: Bearer,
    Json(body): Json<MarkRead>,
) -> Result<View<Unread>> {
    let viewer = bearer.acting(&app, Action::MarkRead).await?;
    let me = viewer.id;
    if body.all {
        notifications::mark_all_read(&app, me).await?;
    } else {
        notifications::mark_read(&app, me, &body.ids).await?;
    }
    let mark = notifications::read_mark(&app, me).await?;
    Ok(View(Unread { unread_count: notification::unread_count(&app, &viewer, &mark).await? }))
}

/// Count unread notifications
///
/// As many as `GET /notifications?unread=true` shows, up to 100.
#[utoipa::path(
    get, path = "/notifications/unread-count", tag = "notifications", security(("bearer" = [])),
    responses((status = 200, description = "The count; alike ones that are grouped count once", body = Unread, example = json!({"unread_count": 3})))
)]
pub(crate) async fn count_unread(State(app): State<App>, bearer: Bearer) -> Result<View<Unread>> {
    let (viewer, mark) = try_join(bearer.viewer(&app), notifications::read_mark(&app, bearer.id())).await?;
    Ok(View(Unread { unread_count: notification::unread_count(&app, &viewer, &mark).await? }))
}
