use crate::App;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::{Serialize, de::DeserializeOwned};
use utoipa_axum::router::OpenApiRouter;

pub use lambda_runtime::Error;

pub async fn http(router: OpenApiRouter<App>) -> Result<(), Error> {
    let app = App::new(crate::Config::read(|_| None)?);
    lambda_http::run(crate::http::finish(router, app)).await
}

pub async fn events<E, R>(handle: impl AsyncFn(&App, E) -> R) -> Result<(), Error>
where
    E: DeserializeOwned,
    R: Serialize,
{
    let app = App::new(crate::Config::read(|_| None)?);
    let (app, handle) = (&app, &handle);
    lambda_runtime::run(service_fn(|event: LambdaEvent<E>| async move {
        Ok::<R, Error>(handle(app, event.payload).await)
    }))
    .await
}
