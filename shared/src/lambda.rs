//! The Lambda runtime's glue, for each function's `main`.

use crate::clock::Clock;
use crate::{App, Config};
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa_axum::router::OpenApiRouter;

pub use lambda_runtime::Error;

/// Serves a router behind API Gateway.
///
/// # Errors
/// An environment that is not complete; the runtime's own.
pub async fn http(router: OpenApiRouter<App>) -> Result<(), Error> {
    let app = start()?;
    warm(&app).await;
    lambda_http::run(crate::http::finish(router, app)).await
}

/// Serves events of a stream or a queue.
///
/// # Errors
/// An environment that is not complete; the runtime's own.
pub async fn events<E, R>(handle: impl AsyncFn(&App, E) -> R) -> Result<(), Error>
where
    E: DeserializeOwned,
    R: Serialize,
{
    let app = start()?;
    warm(&app).await;
    let (app, handle) = (&app, &handle);
    lambda_runtime::run(service_fn(|event: LambdaEvent<E>| async move {
        Ok::<R, Error>(handle(app, event.payload).await)
    }))
    .await
}

#[expect(clippy::disallowed_methods, reason = "the log's level, needed before there is a configuration")]
fn start() -> Result<App, Error> {
    let level = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".into());
    let filter = tracing_subscriber::EnvFilter::new(level);
    tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_env_filter(filter).init();
    Ok(App::with_clock(Config::from_env()?, Clock::default()))
}

/// One cheap call whose answer nobody waits for twice: the TLS handshake happens here, in the init phase, where Lambda
/// does not throttle the CPU.
async fn warm(app: &App) {
    let _ = app.table().ping().await;
}
