use crate::App;
use utoipa_axum::router::OpenApiRouter;

pub fn finish(router: OpenApiRouter<App>, app: App) -> axum::Router {
    let (router, _api) = router.split_for_parts();
    router.with_state(app)
}
