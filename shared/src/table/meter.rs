//! What a request's DynamoDB calls cost, as DynamoDB tells it; for the log line of each request.

use std::sync::{Arc, Mutex};

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Consumed {
    pub calls: u32,
    pub read_units: f64,
    pub write_units: f64,
}

/// Adds up the calls made while it is in scope.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Mutex<Consumed>>);

tokio::task_local! {
    static CURRENT: Meter;
}

impl Meter {
    /// Runs `work` with its calls counted here.
    pub async fn scope<F: Future>(&self, work: F) -> F::Output {
        CURRENT.scope(self.clone(), work).await
    }

    pub fn total(&self) -> Consumed {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

pub(super) fn count(read_units: f64, write_units: f64) {
    let _ = CURRENT.try_with(|meter| {
        let mut total = meter.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        total.calls += 1;
        total.read_units += read_units;
        total.write_units += write_units;
    });
}
