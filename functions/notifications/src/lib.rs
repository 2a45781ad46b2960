//! `/notifications` and `/activity-log`.

mod activity;
mod list;
mod read;

use shared::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Every endpoint of this function.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_notifications))
        .routes(routes!(read::mark_read))
        .routes(routes!(read::count_unread))
        .routes(routes!(activity::list_activity))
}
