//! The feed: the viewer's timeline, merged with the posts of authors too widely followed to push.
//!
//! Skeleton: timeline rows, beside the strong read of the viewer. Hydrate: one batch of posts, beside the merged
//! authors' newest, the cards and the likes. Rules: what an unfollow, a mute or a block hides, what is deleted, whose author is gone.
//! Two rounds in all; a page that the rules shrink is refilled a bounded number of times, and the cursor always
//! advances. What is older than timelines reach comes from `sweep`.

mod sweep;

use super::media::Links;
use super::post::{PostView, present};
use crate::App;
use crate::error::{Error, FieldError, Kind, Result};
use crate::http::{Bearer, Page, PageQuery};
use crate::ids::{PostId, UserId};
use crate::models::post::{Post, timeline_horizon};
use crate::models::viewer::Viewer;
use crate::store;
use crate::store::posts::Source;
use crate::store::timelines::Span;
use crate::table::Read;
use crate::visibility::{self, ContentOwner};
use futures::future::{try_join, try_join_all, try_join4};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use sweep::{AUTHORS_AT_ONCE, Sweep};

/// Parameters of the feed beside a list's, for the documentation.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documentation")]
pub struct FeedParams {
    /// Whether my own posts are in it too.
    #[param(default = false, example = false)]
    include_own: Option<bool>,
    /// A post's id: only what is newer.
    #[param(value_type = Option<PostId>, example = "pst_01K9ZP2D7V3T8Q6M5N4C1B0A9Z.01K9ZNXE5R2W8J6H4G3F1D0C7B")]
    after: Option<PostId>,
}

/// A merged author's newest posts read beside a page: four of 1 KB are half a unit. More are read when they are not
/// enough.
const MERGED_AT_FIRST: usize = 4;
/// A page is refilled at most so often.
const REFILLS: usize = 5;

/// One page of the feed.
///
/// # Errors
/// 400 for a cursor of another feed, 401, 422.
pub async fn page(app: &App, bearer: &Bearer, query: &PageQuery) -> Result<Page<PostView>> {
    let own = query.flag("include_own")?;
    let newer_than = after(query)?;
    let list = format!("feed of {} {own} {newer_than:?}", bearer.id());
    let position = Position::read(query.after(app, &list)?.as_deref())?;
    let horizon = timeline_horizon(app.now());
    // One's own posts must be in it at once; others' within a second.
    let read = if own { Read::Strong } else { Read::Eventual };
    // Half as many again as the page holds, for own and unfollowed ones drop out; 30 cost no more than one.
    let rows = (query.limit + query.limit / 2).max(30);
    let reader = |viewer| FeedReader { app, viewer, own, read, newer_than, horizon, limit: query.limit, rows };
    let (items, next) = match position {
        Position::Timeline(older_than) if older_than.is_none_or(|post| post > horizon) => {
            let span = Span { older_than, newer_than: newer_than.max(Some(horizon)) };
            let first = store::timelines::page(app, bearer.id(), rows, span, read);
            let (viewer, first) = try_join(bearer.viewer(app), first).await?;
            reader(viewer).fill(span, first).await?
        }
        position => {
            let below = match position {
                Position::Timeline(post) => Sweep::below(post.unwrap_or(horizon).min(horizon), app.now()),
                Position::Below(sweep) => sweep.fresh(app.now()),
            };
            let (items, next) = reader(bearer.viewer(app).await?).sweep(below, query.limit).await?;
            (items, next.map(Position::Below))
        }
    };
    query.page(app, &list, items, next.map(Position::write).as_deref())
}

/// Where a page starts.
#[expect(clippy::large_enum_variant, reason = "one a request")]
enum Position {
    /// In the timeline: after this post, or at its top.
    Timeline(Option<PostId>),
    Below(Sweep),
}

impl Position {
    fn read(text: Option<&str>) -> Result<Self> {
        let Some(text) = text else { return Ok(Self::Timeline(None)) };
        let below = Sweep::read(text).map(Self::Below);
        let position = below.or_else(|| PostId::from_suffix(text).ok().map(|post| Self::Timeline(Some(post))));
        position.ok_or_else(|| Error::new(Kind::InvalidCursor).detail("Start again without a cursor."))
    }

    fn write(self) -> String {
        match self {
            Self::Timeline(post) => post.unwrap_or(PostId::OLDEST).suffix(),
            Self::Below(sweep) => sweep.write(),
        }
    }
}

fn after(query: &PageQuery) -> Result<Option<PostId>> {
    let parse = |text: &str| {
        let refused = FieldError::new("after", "invalid", "This must be a post's id.");
        text.parse().map_err(|_| Error::invalid(vec![refused]))
    };
    query.param("after").map(parse).transpose()
}

struct FeedReader<'a> {
    app: &'a App,
    viewer: Viewer,
    own: bool,
    read: Read,
    newer_than: Option<PostId>,
    /// Below this, the timeline is not whole.
    horizon: PostId,
    limit: usize,
    rows: usize,
}

/// Rows of a timeline, and whether more follow.
type Skeleton = (Vec<PostId>, bool);

/// Posts that were read, and how far down nothing is missing: None when nothing lies below.
struct Stretch {
    items: Vec<PostView>,
    complete_to: Option<PostId>,
}

impl FeedReader<'_> {
    async fn fill(&self, mut span: Span, first: Skeleton) -> Result<(Vec<PostView>, Option<Position>)> {
        let mut items: Vec<PostView> = Vec::new();
        let mut skeleton = Some(first);
        for refill in 0..=REFILLS {
            let skeleton = match skeleton.take() {
                Some(first) => first,
                None => store::timelines::page(self.app, self.viewer.id, self.rows, span, self.read).await?,
            };
            let stretch = self.stretch(span, skeleton, refill == 0).await?;
            let room = self.limit - items.len();
            let more = stretch.items.len() > room;
            items.extend(stretch.items.into_iter().take(room));
            if more || (items.len() == self.limit && stretch.complete_to.is_some()) {
                let last = items.last().map(|post| post.id);
                return Ok((items, Some(Position::Timeline(last))));
            }
            match stretch.complete_to {
                None => return self.go_below(items).await,
                Some(reached) => span.older_than = Some(reached),
            }
        }
        Ok((items, Some(Position::Timeline(span.older_than))))
    }

    /// Goes on where the timeline ends: right away when few lists are to be read, else with the next page.
    async fn go_below(&self, mut items: Vec<PostView>) -> Result<(Vec<PostView>, Option<Position>)> {
        if self.newer_than >= Some(self.horizon) {
            return Ok((items, None));
        }
        let room = self.limit - items.len();
        let authors = self.authors(self.horizon, 5 * AUTHORS_AT_ONCE, None);
        let ((authors, more), others) = try_join(authors, self.other_sources(self.horizon)).await?;
        let lists = authors.len() + others.len();
        if lists == 0 && more.is_none() {
            return Ok((items, None));
        }
        if lists > AUTHORS_AT_ONCE || more.is_some() || room == 0 {
            return Ok((items, Some(Position::Below(Sweep::below(self.horizon, self.app.now())))));
        }
        let (older, next) = self.sweep_all(self.horizon, authors, others, room).await?;
        items.extend(older);
        Ok((items, next.map(Position::Below)))
    }

    /// Reads on from `span`'s upper end: hydrates the skeleton, and merges.
    async fn stretch(&self, span: Span, (rows, more): Skeleton, first: bool) -> Result<Stretch> {
        let merged = self.viewer.merged.iter().copied().map(ContentOwner::from);
        let subjects: Vec<ContentOwner> =
            rows.iter().flat_map(|post| visibility::of_post(*post)).chain(merged).collect();
        let visibility = visibility::load(self.app, Some(&self.viewer), subjects).await?;
        let now = self.app.now();
        let shows = |author| if author == self.viewer.id { self.own } else { visibility.in_feed(author, now) };
        let mut wanted: Vec<PostId> =
            rows.iter().copied().filter(|post| shows(post.author) && visibility.can_see_post(*post)).collect();
        let mut complete_to = more.then(|| rows.last().copied()).flatten();
        if wanted.len() > self.limit {
            wanted.truncate(self.limit);
            complete_to = wanted.last().copied();
        }
        let merged: Vec<UserId> = self.viewer.merged.iter().copied().filter(|id| shows(*id)).collect();
        let most = if first { MERGED_AT_FIRST } else { self.limit };
        let (app, me) = (self.app, self.viewer.id);
        let oldest = complete_to.or(span.newer_than).unwrap_or(PostId::OLDEST);
        let authors = wanted.iter().map(|post| post.author).chain(merged.iter().copied());
        let (posts, merged, cards, likes) = try_join4(
            store::posts::load(app, &wanted, Some(me)),
            try_join_all(
                merged.iter().map(|id| store::posts::newest(app, Source::Author(*id), most, span, Read::Eventual)),
            ),
            store::user_cards::load(app, authors),
            store::likes::between(app, me, oldest, span.older_than),
        )
        .await?;
        // By id, newest first; a post that was pushed and is merged too comes once.
        let mut found: BTreeMap<Reverse<PostId>, Post> =
            posts.into_iter().map(|post| (Reverse(post.id), post)).collect();
        for (posts, stopped) in merged {
            complete_to = complete_to.max(stopped);
            found.extend(posts.into_iter().map(|post| (Reverse(post.id), post)));
        }
        found.retain(|Reverse(id), _| complete_to.is_none_or(|reached| *id >= reached));
        let (ids, found): (Vec<PostId>, Vec<Post>) = found.into_values().map(|post| (post.id, post)).unzip();
        let visibility = visibility.and(app, visibility::of_posts(&found));
        let (likes, visibility) = try_join(likes.complete(app, me, &ids), visibility).await?;
        Ok(Stretch {
            items: present(found, &cards, Some(&self.viewer), &visibility, &likes, &Links::new(app)?),
            complete_to,
        })
    }
}
