//! The Lambda runtime's glue, for each function's `main`, and the loop over a queue's messages.

use crate::clock::Clock;
use crate::limits::{MESSAGE_TIMEOUT, MESSAGES_AT_ONCE, RECEIVES, back_off};
use crate::metrics::{EmbeddedMetrics, TARGET};
use crate::{App, Config};
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures::{FutureExt, StreamExt, TryFutureExt};
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::Instant;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;
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
        // On the heap, or the future's type grows deeper than the compiler follows.
        |event: LambdaEvent<E>| async move {
            app.key_ring().refresh().await?;
            Ok::<R, Error>(Box::pin(handle(app, event.payload)).await)
        },
    ))
    .await
}

/// Serves a schedule, or events whose handling may fail as a whole: a run that fails is told as one that failed.
///
/// # Errors
/// An environment that is not complete; the runtime's own.
pub async fn schedule<E, R>(handle: impl AsyncFn(&App, E) -> crate::Result<R>) -> Result<(), Error>
where
    E: DeserializeOwned,
    R: Serialize,
{
    let app = start()?;
    warm(&app).await;
    let (app, handle) = (&app, &handle);
    let run = |event: LambdaEvent<E>| async move {
        app.key_ring().refresh().await?;
        Ok::<R, Error>(Box::pin(handle(app, event.payload)).await?)
    };
    lambda_runtime::run(service_fn(run)).await
}

#[expect(clippy::disallowed_methods, reason = "the log's level, needed before there is a configuration")]
fn start() -> Result<App, Error> {
    let levels = std::env::var("RUST_LOG").ok().and_then(|levels| levels.parse().ok());
    let levels = levels.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false);
    let config = Config::from_env();
    let metrics = config.as_ref().ok().map(|config| EmbeddedMetrics { namespace: config.metrics_namespace.clone() });
    let metrics = metrics.with_filter(Targets::new().with_target(TARGET, LevelFilter::DEBUG));
    let lines = lines.with_filter(levels.with_target(TARGET, LevelFilter::OFF));
    tracing_subscriber::registry().with(lines).with(metrics).init();
    Ok(App::with_clock(config?, Clock::default()))
}

/// One cheap call of the table, whose answer nobody waits for twice, and the signing keys: the TLS handshakes happen
/// here, in the init phase, where Lambda does not throttle the CPU. What fails is tried again by the first invocation.
async fn warm(app: &App) {
    let _ = futures::future::join(app.table().ping(), app.key_ring().refresh()).await;
}

/// Handles each message of the event of a worker's own queue, without the others: `|job| do_it(app, job)`.
///
/// One that fails for a passing reason, panics or takes too long comes again after a wait that grows. One that can
/// never succeed (it is no `J`, or our data or request is wrong), or has come as often as is allowed, is sent to the
/// queue's dead letters with the reason.
pub async fn each_message<J, F>(app: &App, event: SqsEvent, handle: impl Fn(J) -> F) -> SqsBatchResponse
where
    J: DeserializeOwned,
    F: Future<Output = crate::Result<()>>,
{
    each_message_within(app, event, MESSAGE_TIMEOUT, handle).await
}

/// [`each_message`] with a time-out of the caller's, for messages that take longer than others.
pub async fn each_message_within<J, F>(
    app: &App,
    event: SqsEvent,
    timeout: Duration,
    handle: impl Fn(J) -> F,
) -> SqsBatchResponse
where
    J: DeserializeOwned,
    F: Future<Output = crate::Result<()>>,
{
    let deadline = Instant::now() + timeout;
    let one = |message: SqsMessage| {
        let job = read_job(message.body.as_deref().unwrap_or_default());
        let work = guarded(deadline, futures::future::ready(job).and_then(&handle));
        async {
            match work.await {
                Ok(()) => None,
                Err(error) => failed(app, message, &error).await,
            }
        }
    };
    let done = futures::stream::iter(event.records).map(one).buffer_unordered(MESSAGES_AT_ONCE);
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = done.filter_map(futures::future::ready).collect().await;
    response
}

/// Handles the messages of the event of a worker's own queue in groups: those of one `key` by one call, `|key, jobs|
/// do_it(app, key, jobs)`, with `at_once` calls at a time. A group that fails, fails with each of its messages, as in
/// [`each_message`].
pub async fn each_group<J, K, F>(
    app: &App,
    event: SqsEvent,
    at_once: usize,
    key: impl Fn(&J) -> K,
    handle: impl Fn(K, Vec<J>) -> F,
) -> SqsBatchResponse
where
    J: DeserializeOwned,
    K: Ord + Clone,
    F: Future<Output = crate::Result<()>>,
{
    let deadline = Instant::now() + MESSAGE_TIMEOUT;
    let (mut groups, mut failures) = (BTreeMap::<K, (Vec<SqsMessage>, Vec<J>)>::new(), Vec::new());
    for message in event.records {
        match read_job(message.body.as_deref().unwrap_or_default()) {
            Ok(job) => {
                let (messages, jobs) = groups.entry(key(&job)).or_default();
                messages.push(message);
                jobs.push(job);
            }
            Err(error) => failures.push((vec![message], error)),
        }
    }
    let one = |(key, (messages, jobs))| {
        let work = guarded(deadline, handle(key, jobs));
        async { work.await.err().map(|error| (messages, error)) }
    };
    let done = futures::stream::iter(groups).map(one).buffer_unordered(at_once);
    failures.extend(done.filter_map(futures::future::ready).collect::<Vec<_>>().await);
    let mut response = SqsBatchResponse::default();
    for (messages, error) in failures {
        let moved = messages.into_iter().map(|message| failed(app, message, &error));
        let left = futures::stream::iter(moved).buffer_unordered(MESSAGES_AT_ONCE);
        response.batch_item_failures.extend(left.filter_map(futures::future::ready).collect::<Vec<_>>().await);
    }
    response
}

/// Runs work of which nothing else shall fail: a panic, and not being done by the deadline, are passing errors like any
/// other.
///
/// # Errors
/// The work's own, and these.
pub async fn guarded<T>(deadline: Instant, work: impl Future<Output = crate::Result<T>>) -> crate::Result<T> {
    match tokio::time::timeout_at(deadline, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
            Err(crate::Error::unavailable(format!("it panicked: {text}")))
        }
        Err(_) => Err(crate::Error::unavailable("it was not done in time")),
    }
}

/// Dead-letters a message or has it retried later; a message that this answers stays on the queue.
async fn failed(app: &App, message: SqsMessage, error: &crate::Error) -> Option<BatchItemFailure> {
    let message_id = message.message_id.unwrap_or_default();
    let receives = message.attributes.get("ApproximateReceiveCount").and_then(|n| n.parse().ok()).unwrap_or(1);
    let reason = error.to_string();
    tracing::error!(message_id, receives, reason, "message failed");
    let next = if error.is_passing() && receives < RECEIVES {
        app.jobs().retry_later(message.receipt_handle.as_deref().unwrap_or_default(), back_off(receives)).await
    } else {
        let about = [
            ("reason", attribute(&reason)),
            ("function", attribute(&app.config().function)),
            ("receives", receives.to_string()),
            ("message_id", attribute(&message_id)),
        ];
        match app.jobs().dead_letter(message.body.as_deref().unwrap_or_default(), &about).await {
            Ok(()) => return None,
            Err(error) => Err(error),
        }
    };
    if let Err(error) = next {
        // SQS delivers it again by itself, and dead-letters it in the end.
        tracing::error!(message_id, %error, "a message that failed could not be moved");
    }
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message_id;
    Some(failure)
}

/// What SQS takes as an attribute: no control characters, not empty, and here not long.
fn attribute(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(1_000).collect();
    if text.is_empty() { "unknown".into() } else { text }
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

    /// An app whose services are nowhere.
    fn app() -> App {
        let variable = |name: &str| match name {
            "ACTIVITY_DAYS" | "FANOUT_LIMIT" | "MEDIA_QUOTA_MB" | "READ_LIMIT" | "SESSION_DAYS" => "1".to_owned(),
            "AWS_ENDPOINT_URL_SQS" => "http://127.0.0.1:1".to_owned(),
            "MODERATOR_EMAIL" => String::new(),
            _ => "off".to_owned(),
        };
        let config = Config::read(|name| (name != "SIGNING_KEYS_ARN").then(|| variable(name))).unwrap();
        App::with_clock(config, Clock::default())
    }

    async fn numbers(app: App, event: SqsEvent) -> SqsBatchResponse {
        each_message(&app, event, |n| number(&app, n)).await
    }

    async fn number(app: &App, n: u32) -> crate::Result<()> {
        tokio::task::yield_now().await;
        match n {
            0 => Err(crate::Error::unavailable(app.config().region.clone())),
            1 => panic!("one"),
            _ => Ok(()),
        }
    }

    #[tokio::test]
    async fn each_message_fails_alone() {
        let records = ["2", "0", "no number", "1", "3"].iter().enumerate();
        let records = records.map(|(id, body)| json!({"messageId": format!("m{id}"), "body": body}));
        let event = serde_json::from_value(json!({"Records": records.collect::<Vec<_>>()})).unwrap();
        // The local host spawns its workers. None can be moved, for there is no queue: all stay where they are.
        let response = tokio::spawn(async move { numbers(app(), event).await }).await.unwrap();
        let mut failed: Vec<_> = response.batch_item_failures.iter().map(|one| one.item_identifier.as_str()).collect();
        failed.sort_unstable();
        assert_eq!(failed, ["m1", "m2", "m3"]);
    }

    #[tokio::test]
    async fn what_hangs_or_panics_fails_like_anything_else() {
        let hangs = guarded(Instant::now(), std::future::pending::<crate::Result<()>>()).await.unwrap_err();
        let deadline = Instant::now() + MESSAGE_TIMEOUT;
        let panics = guarded::<()>(deadline, async { panic!("at {}", "once") }).await.unwrap_err();
        assert!(hangs.is_passing() && panics.is_passing());
        assert!(hangs.to_string().contains("not done in time"), "{hangs}");
        assert!(panics.to_string().contains("it panicked: at once"), "{panics}");
    }

    #[test]
    fn a_reason_is_what_the_queue_takes() {
        assert_eq!(attribute(""), "unknown");
        assert_eq!(attribute("a\u{0}b\nc"), "a b c");
        assert_eq!(attribute(&"ü".repeat(2_000)).chars().count(), 1_000);
    }
}
