//! `/media` and `/posts/videos`: pictures and videos.

mod media;
mod uploads;

use shared::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Every endpoint of this function.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(uploads::create_media))
        .routes(routes!(uploads::create_upload))
        .routes(routes!(uploads::complete_upload))
        .routes(routes!(media::get_media, media::describe_media, media::delete_media))
        .routes(routes!(media::read_file))
}
