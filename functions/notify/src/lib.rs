//! The notify queue's worker: notifications, open sockets and mail.

mod live;
mod mails;
mod notifications;
mod tokens;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use notifications::OwnerLocks;
use shared::App;
use shared::error::Result;
use shared::jobs::NotifyJob;
use shared::lambda::each_message;

/// Handles each message on its own; those that fail go back to the queue.
pub async fn handle(app: &App, event: SqsEvent) -> SqsBatchResponse {
    let locks = OwnerLocks::default();
    each_message(app, event, |job| one(app, &locks, job)).await
}

async fn one(app: &App, locks: &OwnerLocks, job: NotifyJob) -> Result<()> {
    match job {
        NotifyJob::Notify { topic, acts } => notifications::acts(app, locks, &topic, acts).await,
        NotifyJob::Mentioned { post } => notifications::mentions(app, locks, post).await,
        NotifyJob::JoinRequested { group, user } => notifications::join_requested(app, locks, group, user).await,
        NotifyJob::MailToken { id } => tokens::send(app, id).await,
        NotifyJob::Did { by, acts } => live::acts(app, by, &acts).await,
        NotifyJob::SessionEnded { user, session } => live::end(app, user, session).await,
    }
}
