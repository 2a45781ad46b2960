//! Figures of the business, such as sign-ups. On Lambda each is a line in CloudWatch's embedded metric format, of which
//! CloudWatch makes a metric without a call of ours; the local host logs it at the level `debug`.
//!
//! The format: CloudWatch user guide, "Specification: Embedded metric format".

use crate::clock::Clock;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::io::Write;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// The target of the events that are metrics.
pub(crate) const TARGET: &str = "metrics";

/// A metric of the namespace that the stack's name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Accounts that were registered.
    SignUps,
    /// Posts that appeared; no comments.
    Posts,
    /// Timelines that a post was written to.
    Deliveries,
    /// Milliseconds from a post's creation until the last follower's timeline has it.
    FeedDelay,
}

impl Metric {
    const fn unit(self) -> &'static str {
        match self {
            Self::SignUps | Self::Posts | Self::Deliveries => "Count",
            Self::FeedDelay => "Milliseconds",
        }
    }

    /// Records a value.
    pub fn record(self, value: u64) {
        tracing::debug!(target: TARGET, metric = ?self, unit = self.unit(), value);
    }
}

/// Writes metrics to the standard output, where Lambda takes a function's log from.
pub(crate) struct EmbeddedMetrics {
    /// The namespace of the metrics.
    pub(crate) namespace: String,
}

impl<S: Subscriber> Layer<S> for EmbeddedMetrics {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = fields.line(&self.namespace, Clock::default().now().millis());
        // In one piece, for other threads write their lines meanwhile. Nobody is to wait for a log that is closed.
        let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
    }
}

#[derive(Default)]
struct Fields {
    metric: String,
    unit: String,
    value: u64,
}

impl Fields {
    fn line(&self, namespace: &str, now: u64) -> Value {
        let metric = json!({"Name": self.metric, "Unit": self.unit});
        let metrics = json!([{"Namespace": namespace, "Dimensions": [[]], "Metrics": [metric]}]);
        json!({"_aws": {"Timestamp": now, "CloudWatchMetrics": metrics}, self.metric.as_str(): self.value})
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "metric" {
            self.metric = format!("{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "unit" {
            self.unit = value.to_owned();
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "value" {
            self.value = value;
        }
    }
}
