//! The entrance.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use shared::error::{Error, Result};
use shared::http::{View, paths};
use shared::models::socket::Channel;
use shared::{App, Config};

/// What this is, and where all else is.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Index {
    #[schema(example = "Perch")]
    name: &'static str,
    #[schema(example = "A social-media backend.")]
    description: &'static str,
    #[schema(example = "0.1.0")]
    version: &'static str,
    links: Links,
}

/// Addresses; relative to this one where the deployment does not name its own (`PublicUrl`).
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Links {
    /// A page to read and try every operation.
    #[schema(example = "https://api.example.com/docs")]
    docs: String,
    /// The catalogue of errors.
    #[schema(example = "https://api.example.com/docs/errors")]
    errors: String,
    #[schema(example = "https://api.example.com/openapi.json")]
    openapi: String,
    /// What apps would otherwise hard-code.
    #[schema(example = "https://api.example.com/config")]
    config: String,
    #[schema(example = "https://api.example.com/health")]
    health: String,
    /// WebSocket: notifications as they happen.
    #[schema(example = "wss://sockets.example.com/notifications")]
    notifications_socket: String,
    /// WebSocket: the activity log as it happens.
    #[schema(example = "wss://sockets.example.com/activity-log")]
    activity_log_socket: String,
}

impl Index {
    fn new(config: &Config) -> Self {
        let link = |path: &str| format!("{}{path}", config.public_url);
        let socket = |channel: Channel| format!("{}/{}", config.sockets_url, channel.as_str());
        Self {
            name: "Perch",
            description: "A social-media backend.",
            version: env!("CARGO_PKG_VERSION"),
            links: Links {
                docs: link("/docs"),
                errors: link("/docs/errors"),
                openapi: link("/openapi.json"),
                config: link("/config"),
                health: link("/health"),
                notifications_socket: socket(Channel::Notifications),
                activity_log_socket: socket(Channel::ActivityLog),
            },
        }
    }
}

/// Index with links to the API's documents
#[utoipa::path(
    get, path = "/", tag = "service",
    responses((status = 200, description = "The entrance", body = Index))
)]
pub(crate) async fn show_index(State(app): State<App>) -> View<Index> {
    View(Index::new(app.config()))
}

/// Browsers ask for it; the pages carry their own.
pub(crate) async fn favicon() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// A path that no other route takes: 404, or 308 to the path that another function's route takes.
pub(crate) async fn elsewhere(request: Request) -> Result<Response> {
    let path = paths::moved(&request).ok_or_else(Error::not_found)?;
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let location = HeaderValue::from_str(&format!("{path}{query}")).map_err(|_| Error::not_found())?;
    Ok((StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]).into_response())
}
