//! Whether what the service needs answers.

use axum::extract::State;
use serde::Serialize;
use shared::App;
use shared::error::{Error, Result};
use shared::http::View;
use std::fmt::Display;
use std::time::Duration;

/// For so long a dependency may keep us waiting.
const PATIENCE: Duration = Duration::from_secs(2);

/// All is well.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Health {
    #[schema(example = "ok")]
    status: &'static str,
    checks: Checks,
}

/// Each dependency.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Checks {
    #[schema(example = "ok")]
    table: &'static str,
    #[schema(example = "ok")]
    queue: &'static str,
    #[schema(example = "ok")]
    bucket: &'static str,
}

/// Check health
///
/// 503 names what does not answer.
#[utoipa::path(
    get, path = "/health", tag = "service",
    responses((status = 200, description = "All dependencies answer", body = Health))
)]
pub(crate) async fn check_health(State(app): State<App>) -> Result<View<Health>> {
    let checks = futures::join!(
        check("table", app.table().ping()),
        check("queue", app.jobs().ping()),
        check("bucket", app.media().ping()),
    );
    let silent: Vec<_> = [checks.0, checks.1, checks.2].into_iter().flatten().collect();
    if silent.is_empty() {
        let checks = Checks { table: "ok", queue: "ok", bucket: "ok" };
        return Ok(View(Health { status: "ok", checks }));
    }
    let names: Vec<_> = silent.iter().map(|(name, _)| *name).collect();
    let causes: Vec<_> = silent.iter().map(|(name, cause)| format!("{name}: {cause}")).collect();
    let detail = format!("No answer from: {}.", names.join(", "));
    Err(Error::unavailable(causes.join("; ")).detail(detail))
}

/// The name and the cause, for what does not answer.
async fn check<E: Display>(
    name: &'static str,
    ping: impl Future<Output = Result<(), E>>,
) -> Option<(&'static str, String)> {
    match tokio::time::timeout(PATIENCE, ping).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some((name, error.to_string())),
        Err(_) => Some((name, format!("no answer in {} s", PATIENCE.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::Config;

    #[tokio::test]
    async fn what_does_not_answer_is_named() {
        let config = Config::read(|name| {
            // Port 1 is nobody's.
            let value = match name {
                "AWS_SESSION_TOKEN" | "SIGNING_KEYS_ARN" => return None,
                "ACTIVITY_DAYS" | "FANOUT_LIMIT" | "MEDIA_QUOTA_MB" | "READ_LIMIT" | "SESSION_DAYS" => "1",
                "PUBLIC_READING"
                | "REQUIRE_VERIFIED_EMAIL"
                | "HIDE_REGISTERED_EMAILS"
                | "FINDABLE_BY_EMAIL"
                | "RATE_LIMITS" => "off",
                name if name.contains("URL") => "http://127.0.0.1:1/x",
                "MODERATOR_EMAIL" => "",
                _ => "nothing",
            };
            Some(value.to_owned())
        });
        let error = Box::pin(check_health(State(App::new(config.unwrap())))).await.err().unwrap();
        assert_eq!((error.status(), error.wait()), (503, Some(Duration::from_secs(2))));
        assert_eq!(error.shown_detail(), Some("No answer from: table, queue, bucket."));
        assert!(error.cause().unwrap().contains("bucket: 503"));
    }
}
