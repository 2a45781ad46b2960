//! Analytics of a post, for its author.

use axum::extract::{FromRequestParts, State};
use futures::future::{OptionFuture, try_join3};
use http::Method;
use http::request::Parts;
use serde::Serialize;
use shared::clock::Timestamp;
use shared::error::{Error, Result};
use shared::http::extract::{Path, PostPath};
use shared::http::{Address, Bearer, View};
use shared::ids::{PostId, UserId};
use shared::jobs::ViewsJob;
use shared::models::audience::{AudienceMember, ViewerHash};
use shared::models::days::{Counted, Day};
use shared::models::post::Post;
use shared::store::analytics::Analytics;
use shared::table::Read;
use shared::visibility::ContentOwner;
use shared::{App, store, visibility};

/// A request for a post, which may count as a view.
pub(crate) struct ViewEvent {
    method: Method,
    address: Address,
}

impl FromRequestParts<App> for ViewEvent {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        Ok(Self { method: parts.method.clone(), address: Address::from_request_parts(parts, app).await? })
    }
}

impl ViewEvent {
    /// Tells of the view, beside the reads that decide whether there is anything to see: what is told of a post that is
    /// not there the worker drops. The author's own reading is no view, nor is a `HEAD`. Never fails.
    pub(crate) async fn record(&self, app: &App, post: PostId, reader: Option<UserId>) -> Result<()> {
        if self.method != Method::GET || reader == Some(post.author) {
            return Ok(());
        }
        let viewer = reader.map_or(AudienceMember::Address(self.address.network()), AudienceMember::User);
        let viewer = ViewerHash::new(&app.keys()?, post, viewer);
        app.jobs().viewed(ViewsJob::Viewed { post, viewer, at: app.now() }).await;
        Ok(())
    }
}

/// What became of a post of mine.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AnalyticsView {
    /// Once per viewer and hour, without my own; up to a minute old.
    views: u64,
    /// Different viewers: exact up to 3,000, else within 2 %.
    unique_viewers: u64,
    likes: u64,
    comments: u64,
    /// The last 90 days in UTC, oldest first, today included: likes and comments that stand, by the day on which they
    /// were made.
    days: Vec<DayView>,
}

/// One day.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct DayView {
    #[schema(format = Date, example = "2026-11-20")]
    date: String,
    views: u64,
    likes: u64,
    comments: u64,
}

impl AnalyticsView {
    fn new(post: &Post, counts: &Analytics, now: Timestamp) -> Self {
        let (likes, comments) = (counts.by_day(Counted::Likes), counts.by_day(Counted::Comments));
        let of = |day: Day| DayView {
            date: day.date(),
            views: counts.audience.days.get(&day).copied().unwrap_or_default(),
            likes: likes.get(&day).copied().unwrap_or_default(),
            comments: comments.get(&day).copied().unwrap_or_default(),
        };
        Self {
            views: counts.audience.n,
            unique_viewers: counts.audience.unique(),
            likes: post.likes,
            comments: post.comments,
            days: Day::shown(now).map(of).collect(),
        }
    }
}

/// For the documentation, with one day of the ninety.
fn example() -> serde_json::Value {
    serde_json::json!({
        "views": 41, "unique_viewers": 33, "likes": 3, "comments": 0,
        "days": [{"date": "2026-11-20", "views": 41, "likes": 3, "comments": 0}]
    })
}

/// Get a post's analytics
///
/// Views, viewers, likes and comments of a post or comment of mine, in all and by day.
#[utoipa::path(
    get, path = "/posts/{id}/analytics", tag = "posts", params(PostPath), security(("bearer" = [])),
    extensions(("x-problems" = json!("forbidden"))),
    responses(
        (status = 200, description = "The counts", body = AnalyticsView, example = json!(example())),
        (status = 403, description = "Somebody else's", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn get_analytics(
    State(app): State<App>,
    bearer: Bearer,
    Path(PostPath { id }): Path<PostPath>,
) -> Result<View<AnalyticsView>> {
    let is_mine = id.author == bearer.id();
    let counts = OptionFuture::from(is_mine.then(|| store::analytics::of_post(&app, id)));
    let counts = async { counts.await.transpose() };
    let (viewer, post, counts) =
        try_join3(bearer.viewer(&app), store::posts::get(&app, id, Read::Strong), counts).await?;
    let post = post.ok_or_else(Error::not_found)?;
    // One's own are one's own wherever they stand, but for a group that one has left.
    let owners: Vec<ContentOwner> = if is_mine {
        id.group().map(ContentOwner::from).into_iter().collect()
    } else {
        visibility::of_post(id).collect()
    };
    visibility::ensure_visible(&app, Some(&viewer), owners).await?;
    let counts = counts.ok_or_else(|| Error::forbidden("Only its author may see a post's analytics."))?;
    Ok(View(AnalyticsView::new(&post, &counts, app.now())))
}
