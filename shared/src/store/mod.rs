//! One file per aggregate, one function per access pattern (the numbers are the chart's in `table::design`).

pub mod analytics;
pub mod audience;
pub mod cards;
pub mod comments;
pub mod delivery;
pub mod edges;
pub mod follows;
pub mod idempotency;
pub mod ledgers;
pub mod likes;
pub mod limits;
pub mod mail_tokens;
pub mod mails;
pub mod media;
pub mod moderators;
pub mod notifications;
pub mod posts;
pub mod reports;
pub mod scheduled;
pub mod search;
pub mod sessions;
pub mod suspensions;
pub mod timelines;
pub mod trends;
pub mod users;
pub mod viewers;
