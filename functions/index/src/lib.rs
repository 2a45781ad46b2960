//! The index queue's worker: what posts are found by. Each job may come twice, late and out of order.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use shared::jobs::IndexJob;
use shared::lambda::each_message;
use shared::{App, store};

/// Handles each message on its own; those that fail go back to the queue.
pub async fn handle(app: &App, event: SqsEvent) -> SqsBatchResponse {
    each_message(app, event, |IndexJob::Post { post }| store::search::index(app, post)).await
}
