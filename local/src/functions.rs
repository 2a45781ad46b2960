//! The functions' doors. Each takes one event as JSON and answers in JSON, as on Lambda.

use crate::faults::{Armed, Delivery};
use futures::future::{BoxFuture, FutureExt};
use lambda_http::lambda_runtime::{Context, LambdaEvent};
use lambda_http::request::LambdaRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::App;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;
use tower::Service;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

/// THE LIST: the door of a binary. A new function is one line here.
pub(crate) fn door(binary: &str, app: App) -> Option<Handler> {
    Some(match binary {
        "users" => http(users::router(), app),
        "posts" => http(posts::router(), app),
        "media" => http(media::router(), app),
        "groups" => http(groups::router(), app),
        "notifications" => http(notifications::router(), app),
        "docs" => http(docs::router(), app),
        "realtime" => worker(app, |app, event| async move { realtime::handle(&app, event).await }),
        "dispatch" => worker(app, |app, event| async move { dispatch::handle(&app, event).await }),
        "export" => worker(app, |app, event| async move { export::handle(&app, event).await }),
        "fanout" => worker(app, |app, event| async move { fanout::handle(&app, event).await }),
        "files" => schedule(app, |app, event| async move { files::handle(&app, event).await }),
        "index" => worker(app, |app, event| async move { index::handle(&app, event).await }),
        "notify" => worker(app, |app, event| async move { notify::handle(&app, event).await }),
        "views" => worker(app, |app, event| async move { views::handle(&app, event).await }),
        "publish" => schedule(app, |app, event| async move { publish::handle(&app, event).await }),
        "reap" => schedule(app, |app, event| async move { reap::handle(&app, event).await }),
        "trends" => schedule(app, |app, event| async move { trends::handle(&app, event).await }),
        _ => return None,
    })
}

/// The parts of the OpenAPI document: those of the functions that answer HTTP.
pub fn openapi_parts() -> Vec<OpenApi> {
    let api = [users::router(), posts::router(), media::router(), groups::router()];
    let routers = api.into_iter().chain([notifications::router(), docs::router()]);
    routers.map(OpenApiRouter::into_openapi).collect()
}

/// An event in, an answer out; the error is for the log.
pub(crate) type Handler = Arc<dyn Fn(Vec<u8>) -> BoxFuture<'static, Result<Vec<u8>, String>> + Send + Sync>;

/// What `lambda_http::run` does with an event, without the runtime around it.
fn http(router: OpenApiRouter<App>, app: App) -> Handler {
    let router = shared::http::finish(router, app);
    Arc::new(move |event| {
        let router = router.clone();
        async move {
            let request: LambdaRequest = serde_json::from_slice(&event).map_err(|error| error.to_string())?;
            let event = LambdaEvent::new(request, Context::default());
            // A statement of its own: the adapter itself can't be held over an await.
            let call = lambda_http::Adapter::from(router).call(event);
            let Ok(response) = call.await;
            serde_json::to_vec(&response).map_err(|error| error.to_string())
        }
        .boxed()
    })
}

/// What `lambda_runtime::run` does with an event.
fn worker<E, R, F, A>(app: App, handle: F) -> Handler
where
    E: DeserializeOwned + Send + 'static,
    R: Serialize,
    F: Fn(App, E) -> A + Copy + Send + Sync + 'static,
    A: Future<Output = R> + Send + 'static,
{
    Arc::new(move |event| {
        let app = app.clone();
        async move {
            let event = serde_json::from_slice(&event).map_err(|error| error.to_string())?;
            app.key_ring().refresh().await.map_err(|error| error.to_string())?;
            serde_json::to_vec(&handle(app, event).await).map_err(|error| error.to_string())
        }
        .boxed()
    })
}

/// A handler of a schedule, whose run may fail.
fn schedule<E, R, F, A>(app: App, handle: F) -> Handler
where
    E: DeserializeOwned + Send + 'static,
    R: Serialize,
    F: Fn(App, E) -> A + Copy + Send + Sync + 'static,
    A: Future<Output = shared::error::Result<R>> + Send + 'static,
{
    Arc::new(move |event| {
        let app = app.clone();
        async move {
            let event = serde_json::from_slice(&event).map_err(|error| error.to_string())?;
            app.key_ring().refresh().await.map_err(|error| error.to_string())?;
            let answer = handle(app, event).await.map_err(|error| error.to_string())?;
            serde_json::to_vec(&answer).map_err(|error| error.to_string())
        }
        .boxed()
    })
}

/// A function, ready to be invoked.
pub(crate) struct Function {
    pub(crate) name: String,
    timeout: Duration,
    handler: Handler,
}

/// Why an invocation has no answer.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// It panicked, or could not read its event.
    #[error("{0}")]
    Failed(String),
    /// It was ended.
    #[error("it took longer than {} s", .0.as_secs())]
    TimedOut(Duration),
    /// A fault of the profile it runs under ended it.
    #[error("it was killed")]
    Killed,
}

impl Function {
    pub(crate) fn new(name: &str, timeout: Duration, handler: Handler) -> Self {
        Self { name: name.to_owned(), timeout, handler }
    }

    /// Runs it once. It runs on when the caller has gone, and a panic ends nothing but this invocation.
    pub(crate) async fn invoke(&self, event: Vec<u8>) -> Result<Vec<u8>, InvokeError> {
        self.invoke_under(None, event).await
    }

    /// Runs it once under faults, which may kill it.
    pub(crate) async fn invoke_under(&self, faults: Option<&Delivery>, event: Vec<u8>) -> Result<Vec<u8>, InvokeError> {
        self.invoke_armed(event, |task| faults.and_then(|faults| faults.arm(task))).await
    }

    /// Runs it once, armed with what may kill it.
    pub(crate) async fn invoke_armed(
        &self,
        event: Vec<u8>,
        arm: impl FnOnce(AbortHandle) -> Option<Armed>,
    ) -> Result<Vec<u8>, InvokeError> {
        let task = tokio::spawn((self.handler)(event));
        let abort = task.abort_handle();
        let _armed = arm(task.abort_handle());
        let result = match tokio::time::timeout(self.timeout, task).await {
            Ok(Ok(result)) => result.map_err(InvokeError::Failed),
            Ok(Err(killed)) if killed.is_cancelled() => Err(InvokeError::Killed),
            Ok(Err(panic)) => Err(InvokeError::Failed(panic.to_string())),
            Err(_) => {
                abort.abort();
                Err(InvokeError::TimedOut(self.timeout))
            }
        };
        if let Err(error) = &result {
            tracing::error!("{} failed: {error}", self.name);
        }
        result
    }
}
