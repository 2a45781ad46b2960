//! One Lambda function: its time-out, its panics, and the faults that end it.

use crate::faults::{Armed, Delivery};
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;

/// Takes an event as JSON and answers in JSON; the error is for the log.
pub type Handler = Arc<dyn Fn(Vec<u8>) -> BoxFuture<'static, Result<Vec<u8>, String>> + Send + Sync>;

/// A function, ready to be invoked.
pub struct Function {
    pub name: String,
    timeout: Duration,
    handler: Handler,
}

/// Why an invocation has no answer.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// It panicked, or could not read its event.
    #[error("{0}")]
    Failed(String),
    /// It was ended.
    #[error("it took longer than {} s", .0.as_secs())]
    TimedOut(Duration),
    /// A fault of the profile it runs under ended it.
    #[error("it was killed")]
    Killed,
}

impl Function {
    pub fn new(name: &str, timeout: Duration, handler: Handler) -> Self {
        Self { name: name.to_owned(), timeout, handler }
    }

    /// Runs it once. It runs on when the caller has gone, and a panic ends nothing but this invocation.
    pub async fn invoke(&self, event: Vec<u8>) -> Result<Vec<u8>, InvokeError> {
        self.invoke_under(None, event).await
    }

    /// Runs it once under faults, which may kill it.
    pub async fn invoke_under(&self, faults: Option<&Delivery>, event: Vec<u8>) -> Result<Vec<u8>, InvokeError> {
        self.invoke_armed(event, |task| faults.and_then(|faults| faults.arm(task))).await
    }

    /// Runs it once, armed with what may kill it.
    pub async fn invoke_armed(
        &self,
        event: Vec<u8>,
        arm: impl FnOnce(AbortHandle) -> Option<Armed>,
    ) -> Result<Vec<u8>, InvokeError> {
        let task = tokio::spawn((self.handler)(event));
        let abort = task.abort_handle();
        let _armed = arm(task.abort_handle());
        let result = match tokio::time::timeout(self.timeout, task).await {
            Ok(Ok(result)) => result.map_err(InvokeError::Failed),
            Ok(Err(killed)) if killed.is_cancelled() => Err(InvokeError::Killed),
            Ok(Err(panic)) => Err(InvokeError::Failed(panic.to_string())),
            Err(_) => {
                abort.abort();
                Err(InvokeError::TimedOut(self.timeout))
            }
        };
        if let Err(error) = &result {
            tracing::error!("{} failed: {error}", self.name);
        }
        result
    }
}
