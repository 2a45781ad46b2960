//! `/posts`, `/tweets`, `/feed`, `/reports`, `/hashtags`, `/groups/{id}/posts`: posts, the feed, likes, comments,
//! scheduled posts, search, analytics, moderation, trends, and what is shared in groups.

mod analytics;
mod comments;
mod edits;
mod feed;
mod groups;
mod hashtags;
mod likes;
mod posts;
mod reports;
mod scheduled;
mod search;

use shared::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Every endpoint of this function.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(feed::get_feed, posts::create_post))
        .routes(routes!(feed::list_suggestions))
        .routes(routes!(posts::list_my_posts))
        .routes(routes!(likes::list_liked_posts))
        .routes(routes!(likes::toggle_like))
        .routes(routes!(search::search_posts))
        .routes(routes!(scheduled::list_scheduled))
        .routes(routes!(scheduled::get_scheduled, scheduled::update_scheduled, scheduled::cancel_scheduled))
        .routes(routes!(posts::get_post, edits::update_post, edits::update_post_by_put, posts::delete_post))
        .routes(routes!(likes::like_post, likes::unlike_post))
        .routes(routes!(likes::unlike_post_by_post))
        .routes(routes!(likes::list_likes))
        .routes(routes!(analytics::get_analytics))
        .routes(routes!(comments::list_comments, comments::create_comment))
        .routes(routes!(comments::update_comment, comments::delete_comment))
        .routes(routes!(hashtags::list_trending))
        .routes(routes!(groups::list_group_posts, groups::create_group_post))
        .routes(routes!(reports::report_post))
        .routes(routes!(reports::list_reports))
        .routes(routes!(reports::get_report, reports::decide_report))
}
