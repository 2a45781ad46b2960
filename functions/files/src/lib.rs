//! Uploads that take longer to check than a request may, files that nothing needs any more, and, every hour, what was
//! uploaded and never became part of anything.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;
use shared::clock::Timestamp;
use shared::error::Result;
use shared::ids::MediaId;
use shared::jobs::FilesJob;
use shared::lambda::each_message;
use shared::limits::GROUPS_AT_ONCE;
use shared::models::media::{FailureReason, LOOSE_LIFETIME, Status};
use shared::store::creation::CreateError;
use shared::store::media::{self, CleanupCursor};
use shared::table::design::key;
use shared::{App, uploads};

/// Messages of the function's queue, or, without any, the schedule's tick: that it comes says all.
#[derive(Deserialize)]
pub struct Event {
    #[serde(rename = "Records")]
    records: Option<Vec<SqsMessage>>,
}

/// Handles a batch, and names what failed; or sweeps.
///
/// # Errors
/// The table does not answer during a sweep; the next one continues.
pub async fn handle(app: &App, event: Event) -> Result<SqsBatchResponse> {
    let Some(records) = event.records else {
        return sweep(app).await.map(|()| SqsBatchResponse::default());
    };
    let mut messages = SqsEvent::default();
    messages.records = records;
    Ok(each_message(app, messages, |job| work(app, job)).await)
}

async fn work(app: &App, job: FilesJob) -> Result<()> {
    match job {
        FilesJob::Prepare { media } => prepare(app, media).await,
        FilesJob::Remove { media } => remove(app, media).await,
    }
}

/// Checks what was uploaded. Done twice, it finds nothing to do.
async fn prepare(app: &App, id: MediaId) -> Result<()> {
    let Some(found) = media::get(app, id).await? else {
        // What an earlier try wrote beside its removal.
        return uploads::abandon(app, id).await;
    };
    if found.status != Status::Processing {
        return Ok(());
    }
    let checked = match app.media().uploaded(id).await? {
        Some(uploaded) => uploads::prepare(app, &found, uploaded).await?,
        None => Err(("not_uploaded", "Its bytes are not there.".into())),
    };
    match checked {
        Ok(shape) => match media::ready(app, &found, shape, None).await {
            Ok(_) => app.media().remove_upload(id).await,
            // Somebody described or removed it meanwhile: it comes again, and is looked at again.
            Err(CreateError::Error(error)) if !error.is_passing() => {
                uploads::abandon(app, id).await?;
                Err(shared::Error::unavailable(error))
            }
            Err(CreateError::Error(error)) => Err(error),
            Err(CreateError::IdempotencyKeyUsed) => Ok(()),
        },
        Err((code, detail)) => match media::fail(app, &found, FailureReason { code: code.to_owned(), detail }).await? {
            Some(_) => app.media().remove_upload(id).await,
            None => Err(shared::Error::unavailable("it was changed at the same moment")),
        },
    }
}

/// Removes the files, and then what told of them.
async fn remove(app: &App, id: MediaId) -> Result<()> {
    let Some(found) = media::get_any_state(app, id).await?.filter(|found| found.deleted) else { return Ok(()) };
    app.media().remove_all(id).await?;
    media::purge(app, &found).await
}

/// Removes what came more than a day ago and belongs to nothing. Done twice, or by two at once, it is done once.
async fn sweep(app: &App) -> Result<()> {
    let over = Timestamp::from_millis(app.now().millis().saturating_sub(LOOSE_LIFETIME.as_secs() * 1_000));
    // The very first run finds nothing older than the hour before.
    let first = media::cleanup_cursor(app).await?.map_or_else(|| key::hour(over) - 1, |cursor| cursor.hour);
    for hour in first..key::hour(over) {
        let mut after = None;
        loop {
            let (unattached, next) = media::unattached(app, hour, after.as_deref()).await?;
            // One that became part of something at the same moment was taken off the list by that.
            let removals = unattached.into_iter().map(async |id| media::remove_unattached(app, id).await.map(|_| ()));
            let removals = futures::stream::iter(removals).buffer_unordered(GROUPS_AT_ONCE);
            removals.try_collect::<()>().await?;
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        media::set_cleanup_cursor(app, CleanupCursor { hour: hour + 1 }).await?;
    }
    Ok(())
}
