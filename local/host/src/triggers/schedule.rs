//! A clock as a Lambda event source.

use super::Sources;
use emulators::lambda::Function;
use emulators::{ACCOUNT, REGION};
use serde_json::json;
use shared::clock::Clock;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// Invokes a function at once, and again and again; a run that fails is logged, and the next one comes in its time.
pub(crate) async fn run(sources: Arc<Sources>, every: Duration, function: Arc<Function>) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let _open = sources.gate.read().await;
        let event = json!({
            "version": "0",
            "id": ulid::Ulid::generate().to_string(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": ACCOUNT,
            "time": Clock::default().now().rfc3339(),
            "region": REGION,
            "resources": [],
            "detail": {},
        });
        let _ = function.invoke(event.to_string().into_bytes()).await;
        sources.written.notify_waiters();
    }
}
