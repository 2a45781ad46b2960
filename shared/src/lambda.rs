//! The Lambda runtime's glue, for each function's `main`, and the loop over a queue's messages.

use crate::clock::Clock;
use crate::{App, Config};
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures::{FutureExt, StreamExt, TryFutureExt};
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::panic::AssertUnwindSafe;
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
    lambda_runtime::run(service_fn(
        |event: LambdaEvent<E>| async move { Ok::<R, Error>(handle(app, event.payload).await) },
    ))
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

/// Messages of one event that are worked on at once.
const AT_ONCE: usize = 10;

/// Handles each message of a queue's event on its own: `|job| do_it(app, job)`. One that fails, panics or is no `J` goes
/// back to the queue, and in the end to the dead-letter queue, without the others.
pub async fn each_message<J, F>(event: SqsEvent, handle: impl Fn(J) -> F) -> SqsBatchResponse
where
    J: DeserializeOwned,
    F: Future<Output = crate::Result<()>>,
{
    let one = |message: SqsMessage| {
        let job = read_job(message.body.as_deref().unwrap_or_default());
        let work = futures::future::ready(job).and_then(&handle);
        async {
            let reason = match AssertUnwindSafe(work).catch_unwind().await {
                Ok(Ok(())) => return None,
                Ok(Err(error)) => error.to_string(),
                Err(_) => String::from("the handler panicked"),
            };
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = message.message_id.unwrap_or_default();
            tracing::error!(message_id = failure.item_identifier, reason, "message failed");
            Some(failure)
        }
    };
    let done = futures::stream::iter(event.records).map(one).buffer_unordered(AT_ONCE);
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = done.filter_map(futures::future::ready).collect().await;
    response
}

fn read_job<J: DeserializeOwned>(body: &str) -> crate::Result<J> {
    // Where it stops being a job, not what stands there: a body is nothing for the log.
    serde_json::from_str(body).map_err(|error| {
        crate::Error::internal(format!("not a job: {:?} error at column {}", error.classify(), error.column()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    async fn numbers(app: &str, event: SqsEvent) -> SqsBatchResponse {
        each_message(event, |n| number(app, n)).await
    }

    async fn number(app: &str, n: u32) -> crate::Result<()> {
        tokio::task::yield_now().await;
        match n {
            0 => Err(crate::Error::unavailable(app.to_owned())),
            1 => panic!("one"),
            _ => Ok(()),
        }
    }

    #[tokio::test]
    async fn each_message_fails_alone() {
        let records = ["2", "0", "no number", "1", "3"].iter().enumerate();
        let records = records.map(|(id, body)| json!({"messageId": format!("m{id}"), "body": body}));
        let event = serde_json::from_value(json!({"Records": records.collect::<Vec<_>>()})).unwrap();
        // The local host spawns its workers.
        let response = tokio::spawn(async move { numbers(&String::from("app"), event).await }).await.unwrap();
        let mut failed: Vec<_> = response.batch_item_failures.iter().map(|one| one.item_identifier.as_str()).collect();
        failed.sort_unstable();
        assert_eq!(failed, ["m1", "m2", "m3"]);
    }
}
