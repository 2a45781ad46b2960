//! The notify queue's worker: notifications, open sockets and mail.

mod live;
mod mails;
mod tell;
mod tokens;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use shared::App;
use shared::error::Result;
use shared::jobs::NotifyJob;
use shared::lambda::each_message;
use tell::Turns;

/// Handles each message on its own; those that fail go back to the queue.
pub async fn handle(app: &App, event: SqsEvent) -> SqsBatchResponse {
    let turns = Turns::default();
    each_message(app, event, |job| one(app, &turns, job)).await
}

async fn one(app: &App, turns: &Turns, job: NotifyJob) -> Result<()> {
    match job {
        NotifyJob::Notify { topic, acts } => tell::acts(app, turns, &topic, acts).await,
        NotifyJob::Mentioned { post } => tell::mentions(app, turns, post).await,
        NotifyJob::JoinRequested { group, user } => tell::join_requested(app, turns, group, user).await,
        NotifyJob::MailToken { id } => tokens::send(app, id).await,
        NotifyJob::Did { by, acts } => live::acts(app, by, &acts).await,
        NotifyJob::SessionEnded { user, session } => live::end(app, user, session).await,
    }
}
