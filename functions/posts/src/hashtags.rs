//! Hashtags.

use axum::extract::State;
use futures::future::try_join;
use serde::Serialize;
use shared::error::Result;
use shared::http::{Reader, View};
use shared::models::trend::Trend;
use shared::{App, store};

/// A hashtag that is used a lot.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct TrendView {
    /// In lower case, without `#`.
    #[schema(example = "mudflats")]
    hashtag: String,
    /// Authors who have used it within a day.
    #[schema(example = 12)]
    authors_count: u64,
    /// Those authors, each weighing half after six hours.
    #[schema(example = 7.5)]
    score: f64,
}

impl From<Trend> for TrendView {
    fn from(Trend { tag, authors, score }: Trend) -> Self {
        Self { hashtag: tag, authors_count: authors, score }
    }
}

/// What is used most.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Trending {
    #[schema(max_items = 50)]
    items: Vec<TrendView>,
}

/// List trending hashtags
///
/// Those used most lately, at most 50.
///
/// Counted anew every five minutes. An author counts once per hashtag and day, in posts, not in comments, and weighs half
/// after six hours; a hashtag of fewer than three authors is left out.
#[utoipa::path(
    get, path = "/hashtags/trending", tag = "posts", security(("bearer" = [])),
    extensions(("x-public-reading" = json!(true))),
    responses((status = 200, description = "Most used first", body = Trending))
)]
pub(crate) async fn list_trending(State(app): State<App>, reader: Reader) -> Result<View<Trending>> {
    let (_, top) = try_join(reader.viewer(&app), store::trends::top(&app)).await?;
    Ok(View(Trending { items: top.into_iter().map(TrendView::from).collect() }))
}
