//! `/users` and `/login`: accounts, sessions, profiles, the graph.

mod accounts;
mod blocks;
mod deletion;
mod emails;
mod export;
mod graph;
mod pages;
mod passwords;
mod profiles;
mod proof;
mod search;
mod second_factor;
mod sessions;
mod settings;
mod unsubscribe;

use shared::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Every endpoint of this function.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(profiles::get_me, profiles::update_me, accounts::register_user, deletion::delete_me))
        .routes(routes!(accounts::show_verify_page, accounts::verify_email))
        .routes(routes!(accounts::resend_verification))
        .routes(routes!(emails::show_undo_page, emails::undo_email_change))
        .routes(routes!(sessions::login))
        .routes(routes!(sessions::refresh_session))
        .routes(routes!(sessions::logout))
        .routes(routes!(sessions::list_sessions, sessions::end_all_sessions))
        .routes(routes!(sessions::end_session))
        .routes(routes!(second_factor::set_up_otp, second_factor::turn_off_otp))
        .routes(routes!(second_factor::confirm_otp))
        .routes(routes!(passwords::forgot_password))
        .routes(routes!(passwords::show_reset_page, passwords::reset_password))
        .routes(routes!(passwords::change_password))
        .routes(routes!(deletion::delete_me_by_post))
        .routes(routes!(export::request_export, export::read_export))
        .routes(routes!(settings::get_settings, settings::update_settings))
        .routes(routes!(unsubscribe::show_unsubscribe_page, unsubscribe::unsubscribe))
        .routes(routes!(profiles::get_user))
        .routes(routes!(profiles::list_user_posts))
        .routes(routes!(graph::list_followers))
        .routes(routes!(graph::list_following))
        .routes(routes!(graph::follow_user, graph::unfollow_user))
        .routes(routes!(graph::unfollow_user_by_post))
        .routes(routes!(search::search_users))
        .routes(routes!(search::suggest_users))
        .routes(routes!(blocks::list_blocked))
        .routes(routes!(blocks::block_user, blocks::unblock_user))
        .routes(routes!(blocks::unblock_user_by_post))
        .routes(routes!(blocks::mute_user, blocks::unmute_user))
}
