//! The index queue's worker: what posts and people are found by, and who is suggested. Each job may come twice, late and out of order.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use shared::error::Result;
use shared::jobs::IndexJob;
use shared::lambda::each_message;
use shared::{App, store};

/// Handles each message on its own; those that fail go back to the queue.
pub async fn handle(app: &App, event: SqsEvent) -> SqsBatchResponse {
    each_message(app, event, |job| run(app, job)).await
}

async fn run(app: &App, job: IndexJob) -> Result<()> {
    match job {
        IndexJob::Post { post } => store::search::index(app, post).await,
        IndexJob::Person { user } => store::names::index(app, user).await,
        IndexJob::Suggest { user } => store::suggestions::refresh(app, user).await,
    }
}
