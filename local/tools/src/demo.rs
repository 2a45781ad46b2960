//! Demo data, made through the API: what a user of it would do, and so a load test, too.

mod client;
mod fill;
mod picture;
mod world;

use client::Api;
use world::Plan;

pub use fill::Made;

/// Everybody's.
pub const PASSWORD: &str = "rock pools at noon";

/// How much is made. What people do follows from it.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// At least one.
    pub people: usize,
    /// Each with a picture.
    pub posts: usize,
}

/// Why a service can't be filled, in one line.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    /// The API refused something.
    #[error("{what}: {why}")]
    Call {
        /// Method and path.
        what: String,
        /// What was answered.
        why: String,
    },
    /// A picture can't be drawn.
    #[error("a picture can't be drawn: {0}")]
    Picture(String),
}

/// How far it is: `done` of `all` requests, and what it is at.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Requests that were answered.
    pub done: u64,
    /// Requests in all.
    pub all: u64,
    /// What is made.
    pub at: &'static str,
}

/// Fills the service at `url`, which is empty, and tells how far it is.
///
/// # Errors
/// The API refused something.
pub async fn fill(url: &str, size: Size, tell: impl Fn(Progress) + Send + Sync) -> Result<Made, FillError> {
    fill::fill(Api::new(url), Plan::new(size), &tell).await
}
