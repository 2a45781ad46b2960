//! The whole service over HTTP: real router, real template, embedded services.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that fails panics; figures are printed"
)]

mod budgets;
mod comments;
mod crash;
mod large;
mod live_load;
mod load;
mod media_browser;
mod model;
mod moderation;
mod read_limits;
mod readme;
mod scheduled;
mod search;
mod second_factor;
mod stored_items;
mod support;
mod under_faults;

mod accounts;
mod activity;
mod address_changes;
mod analytics;
mod audit;
mod authority;
mod blocks;
mod browser;
mod command_line;
mod contract;
mod conventions;
mod crate_graph;
mod cursors;
mod dead_letters;
mod deletion;
mod deletion_late;
mod demo;
mod deployed;
mod edits;
mod encoded_paths;
mod environment;
mod export;
mod fanout_transitions;
mod faults;
mod feed;
mod feed_whole;
mod folding;
mod graph;
mod group_roles;
mod groups;
mod groups_background;
mod groups_private;
mod journeys;
mod kept_hashes;
mod keys;
mod likes;
mod live;
mod lost_responses;
mod mail_links;
mod matrix;
mod media;
mod merged;
mod mutes;
mod names_given_up;
mod notifications;
mod notifications_gone;
mod operations;
mod own_writes_visible;
mod password_tries;
mod passwords;
mod paths;
mod people;
mod pictures;
mod posts;
mod profiles;
mod redelivery;
mod runtime;
mod samples;
mod security_headers;
mod sessions;
mod spellings;
mod suggestions;
mod throttle;
mod tokens;
mod trends;
mod unknown_fields;
mod unverified;
mod videos;
mod viewer_overflow;
