//! Deleted accounts: all that is theirs is removed, and all that names them elsewhere. Each message does a bounded part of
//! a pass and sends the next; every five minutes those are begun whose time has come. Done twice is done once.

mod actions;
mod steps;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use serde::Deserialize;
use shared::error::Result;
use shared::jobs::{Job, PurgeJob, PurgeStep};
use shared::lambda::each_message;
use shared::limits::PURGE_PAGES;
use shared::{App, store};

/// Messages of the function's queue, or, without any, the schedule's tick: that it comes says all.
#[derive(Deserialize)]
pub struct Event {
    #[serde(rename = "Records")]
    records: Option<Vec<SqsMessage>>,
}

/// Handles a batch, and names what failed; or begins the passes that are due.
///
/// # Errors
/// The table does not answer during a tick; the next one continues.
pub async fn handle(app: &App, event: Event) -> Result<SqsBatchResponse> {
    let Some(records) = event.records else {
        let due = store::deletions::due(app).await?;
        let passes = due.into_iter().map(|(user, pass)| Job::Purge(PurgeJob::pass(user, pass)));
        return app.jobs().send(passes.collect()).await.map(|()| SqsBatchResponse::default());
    };
    let mut messages = SqsEvent::default();
    messages.records = records;
    Ok(each_message(app, messages, |job| work(app, job)).await)
}

/// Goes on with a pass, and sends what is left to the next message: last, for each try of this one would send it again.
async fn work(app: &App, job: PurgeJob) -> Result<()> {
    let PurgeJob::Purge { user, pass, mut step, mut after } = job;
    // A late message finds the pass over.
    if store::deletions::get(app, user).await?.is_none_or(|known| known.pass != pass) {
        return Ok(());
    }
    for _ in 0..PURGE_PAGES {
        if step == PurgeStep::End {
            return store::deletions::finish(app, user, pass).await;
        }
        after = steps::page(app, user, step, after.as_deref()).await?;
        if after.is_none() {
            step = steps::next(step);
        }
    }
    app.jobs().send(vec![Job::Purge(PurgeJob::Purge { user, pass, step, after })]).await
}
