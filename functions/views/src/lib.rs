//! The views queue's worker: who has read which post. A batch holds what came in a window, up to thousands of views, and
//! is folded by post; it may come again, in part and late.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use shared::ids::PostId;
use shared::jobs::ViewsJob;
use shared::lambda::each_group;
use shared::limits::VIEWS_AT_ONCE;
use shared::models::audience::ViewerHash;
use shared::models::days::Hour;
use shared::{App, Result, store};

/// Counts the views of each post together; those that fail go back to the queue.
pub async fn handle(app: &App, event: SqsEvent) -> SqsBatchResponse {
    let post = |ViewsJob::Viewed { post, .. }: &ViewsJob| *post;
    each_group(app, event, VIEWS_AT_ONCE, post, |post, views| count(app, post, views)).await
}

async fn count(app: &App, post: PostId, views: Vec<ViewsJob>) -> Result<()> {
    let views = views.into_iter().map(|ViewsJob::Viewed { viewer, at, .. }| (Hour::of(at), viewer));
    store::audience::count(app, post, &views.collect::<Vec<(Hour, ViewerHash)>>()).await
}
