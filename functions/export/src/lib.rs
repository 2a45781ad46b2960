//! Archives of all that is somebody's: one zip each, in the bucket for a week, and a mail that leads there. Nothing but
//! that is written, and a message that comes again finds the archive made.

mod archive;
mod contents;
mod files;

use archive::Archive;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use shared::App;
use shared::error::Result;
use shared::ids::UserId;
use shared::jobs::{ExportJob, Job, NotifyJob};
use shared::lambda::each_message_within;
use shared::limits::ARCHIVE_TIMEOUT;
use shared::store::exports;
use shared::store::users::UserPage;
use ulid::Ulid;

/// Handles a batch, and names what failed.
pub async fn handle(app: &App, event: SqsEvent) -> SqsBatchResponse {
    each_message_within(app, event, ARCHIVE_TIMEOUT, |job| work(app, job)).await
}

/// Makes an archive, unless it is there or nobody is to have it any more, and has its mail sent: once, for `notify` claims
/// it.
async fn work(app: &App, ExportJob::Archive { id }: ExportJob) -> Result<()> {
    let Some((token, page)) = exports::wanted(app, id).await? else { return Ok(()) };
    let user = token.user;
    if token.mailed {
        return Ok(());
    }
    if !app.media().has_archive(user, id).await? && !Box::pin(make(app, user, id, page)).await? {
        return Ok(());
    }
    app.jobs().send(vec![Job::Notify(NotifyJob::MailToken { id })]).await
}

/// False when nobody is to have it any more: the account was deleted or suspended while it was written, or has another
/// address now.
async fn make(app: &App, user: UserId, id: Ulid, page: UserPage) -> Result<bool> {
    let mut archive = Archive::begin(app, user, id).await?;
    let written = async {
        files::write(app, &mut archive, page).await?;
        archive.finish().await?;
        Ok(exports::wanted(app, id).await?.is_some())
    };
    match written.await {
        Ok(true) => archive.complete().await.map(|()| true),
        Ok(false) => archive.abandon().await.map(|()| false),
        Err(error) => {
            if let Err(left) = archive.abandon().await {
                tracing::warn!(%left, "an archive's parts are left to the bucket");
            }
            Err(error)
        }
    }
}
