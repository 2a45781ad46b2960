//! Which hashtags are used most, every five minutes.

use serde::Deserialize;
use shared::error::Result;
use shared::{App, store};

/// EventBridge's event. That it comes says all.
#[derive(Debug, Deserialize)]
pub struct Tick {}

/// Counts anew. Twice in an hour without a use between is the same as once.
///
/// # Errors
/// The table does not answer; the next run does it.
pub async fn handle(app: &App, _: Tick) -> Result<()> {
    store::trends::refresh(app).await
}
