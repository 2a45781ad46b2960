//! One file per aggregate, one function per access pattern (the numbers are the chart's in `table::design`).
//!
//! Every function that calls the table fails with a passing error (503) when it does not answer in time, or when other
//! writers win at each attempt. `# Errors` tells of other failures alone.

pub mod activity;
pub mod acts;
pub mod addresses;
pub mod analytics;
pub mod audience;
pub mod comments;
pub mod creation;
pub mod deletions;
pub mod delivery;
pub mod edges;
pub mod exports;
pub mod follows;
pub mod group_removal;
pub mod groups;
pub mod idempotency;
pub mod ledgers;
pub mod likes;
pub mod mail_tokens;
pub mod mails;
pub mod media;
pub mod moderators;
pub mod names;
pub mod notification_cleanup;
pub mod notifications;
pub mod posts;
pub mod rate_limits;
pub mod relationships;
pub mod reports;
pub mod scheduled;
pub mod search;
pub mod second_factor;
pub mod sessions;
pub mod sockets;
pub mod suggestions;
pub mod suspensions;
pub mod timelines;
pub mod trends;
pub mod user_cards;
pub mod users;
pub mod viewers;
