//! What two functions need. A guided tour, from the bottom up; each module uses only those above it.
//!
//! Every function that calls an AWS service fails with a passing error (503) when the service does not answer in time.
//! `# Errors` tells of other failures alone.

/// The environment, read in one place.
pub mod config;
/// The one error: what the client sees and what the log sees.
pub mod error;
/// Prefixed ids that sort by creation.
pub mod ids;
/// Time-outs, retries and concurrency: every limit that is set on purpose. Rate limits are `http::rate_limits`.
pub mod limits;
/// Figures of the business, for CloudWatch.
pub mod metrics;
/// Secrets: signing keys, derived tokens, passwords.
pub mod secrets;

/// What we store and reason about; no HTTP, no SDK.
pub mod models;

/// SDK configuration that all clients share.
mod aws;
/// The DynamoDB table: its design, and the only client of it.
pub mod table;

/// One file per aggregate, one function per access pattern.
pub mod store;

/// The messages workers receive.
pub mod jobs;
/// The signing keys, from Secrets Manager.
pub mod keyring;
/// Mail, sent through SES.
pub mod mail;
/// The media bucket.
pub mod media;
/// Messages to open sockets, through API Gateway.
pub mod push;

/// The one value every handler gets.
pub mod app;

/// From bytes to a picture or video that can be shown.
pub mod uploads;
/// Response types and the read pipeline that more than one function uses.
pub mod views;
/// What a viewer can see: the one place that decides it.
pub mod visibility;

/// The HTTP manners every router gets.
pub mod http;
/// The Lambda runtime's glue, for each function's `main`.
pub mod lambda;

pub use app::App;
pub use clock;
pub use config::Config;
pub use error::{Error, Result};
