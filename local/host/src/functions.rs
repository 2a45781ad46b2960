//! The functions' doors. Each takes one event as JSON and answers in JSON, as on Lambda.

use emulators::lambda::Handler;
use futures::future::FutureExt;
use lambda_http::lambda_runtime::{Context, LambdaEvent};
use lambda_http::request::LambdaRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::App;
use std::sync::Arc;
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
