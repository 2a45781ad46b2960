//! What the service tells of itself, and the 404 of every path that no other route takes.

mod config;
mod health;
mod index;
mod pages;

use axum::routing::{any, get};
use shared::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// THE LIST of endpoints.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(index::show_index))
        .routes(routes!(config::show_config))
        .routes(routes!(pages::show_openapi))
        .routes(routes!(pages::show_docs))
        .routes(routes!(pages::show_errors))
        .routes(routes!(health::check_health))
        .route("/favicon.ico", get(index::favicon))
        .route("/{*path}", any(index::elsewhere))
}
