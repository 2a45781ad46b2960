//! Suggestions: computed by the `index` function when somebody asks for them and they are old, within a day's share of
//! read units. What they are made of is read a bounded number of rows deep: following 5,000 costs 60 units more than
//! following 50.

use super::{names, posts, users};
use crate::App;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::ids::{PostId, UserId};
use crate::models::names::{POPULAR, interest_row};
use crate::models::search::Term;
use crate::models::suggestions::{KEPT, Reason, Suggested, Suggestions, Tally};
use crate::models::user::Profile;
use crate::store::edges::Edge;
use crate::table::design::{Range, key};
use crate::table::{Op, Order, Read, Rows};
use crate::visibility;
use futures::{StreamExt, TryStreamExt};
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

/// Follows that are read when suggestions are computed, newest first: about 70 units …
const FOLLOWS: usize = 6_000;
/// … and how many of them are looked at for whom they follow …
const FRIENDS: usize = 100;
/// … the newest of these: a unit for each.
const FRIENDS_FOLLOWS: usize = 60;
/// One's own newest posts, for the hashtags in them.
const OWN_POSTS: usize = 20;
const HASHTAGS: usize = 10;
/// Newest posts with each of the hashtags.
const TAGGED: usize = 40;
/// People with each of the interests, and of those many follow.
const ALIKE: usize = 20;
/// The best of all, of whom it is then seen who may be suggested: one and a half units each, a unit more for somebody
/// who follows more than are known.
const CANDIDATES: usize = 60;
/// Reads at once.
const AT_ONCE: usize = 8;

/// What was computed for somebody. Access pattern 38.
pub async fn get(app: &App, user: UserId, read: Read) -> Result<Option<Suggestions>> {
    Ok(app.table().get(&key::suggestions(user), read).await?)
}

/// Computes them anew, unless that was done too lately.
pub async fn refresh(app: &App, user: UserId) -> Result<()> {
    let known = get(app, user, Read::Strong).await?;
    if known.is_some_and(|known| known.next > app.now()) {
        return Ok(());
    }
    let Some(me) = users::profile(app, user).await?.filter(Profile::is_active) else { return Ok(()) };
    let spent = Spent::default();
    let mut tally = Tally::default();
    let rows = spent.read(app, &key::following_rows(user), FOLLOWS).await?;
    let all_known = rows.next.is_none();
    let follows: Vec<UserId> = rows.items.iter().filter_map(|row| key::other_end(row.sk())).collect();
    let friends = spread(&follows, FRIENDS).map(key::following_rows);
    for rows in spent.read_all(app, friends, FRIENDS_FOLLOWS).await? {
        rows.items.iter().filter_map(|row| key::other_end(row.sk())).for_each(|id| tally.followed(id));
    }
    for interest in &me.interests {
        let alike = spent.people(app, &interest_row(interest)).await?;
        alike.into_iter().for_each(|id| tally.interest(id, interest));
    }
    for tag in own_hashtags(app, user, &spent).await? {
        let rows = spent.read(app, &key::postings(&Term::hashtag(&tag)), TAGGED).await?;
        let authors = rows.items.iter().filter_map(|row| PostId::from_suffix(row.sk()).ok()).map(|post| post.author);
        authors.collect::<HashSet<_>>().into_iter().for_each(|author| tally.hashtag(author, &tag));
    }
    let popular = spent.people(app, POPULAR).await?;
    popular.into_iter().enumerate().for_each(|(place, id)| tally.popular(id, place));
    let known: HashSet<UserId> = follows.into_iter().chain([user]).collect();
    let candidates: Vec<Suggested> = tally.best(CANDIDATES + known.len());
    let candidates = candidates.into_iter().filter(|one| !known.contains(&one.id)).take(CANDIDATES);
    let people = suggestable(app, user, candidates.collect(), all_known, &spent).await?;
    let new = Suggestions::new(app.now(), people, spent.units());
    app.table().write(Op::put(key::suggestions(user), &new)?).await.map(|_| ()).map_err(Error::from)
}

/// Those who are there, and whom this user neither follows nor has anything against, the best of them.
async fn suggestable(
    app: &App,
    user: UserId,
    mut candidates: Vec<Suggested>,
    all_known: bool,
    spent: &Spent,
) -> Result<Vec<Suggested>> {
    let ids: Vec<UserId> = candidates.iter().map(|one| one.id).collect();
    let unknown: Vec<UserId> = if all_known { Vec::new() } else { ids.clone() };
    let follows: Vec<_> = unknown.iter().map(|id| key::follow(user, *id)).collect();
    let follows = app.table().batch_get::<Edge>(&follows, Read::Strong).await?;
    let follows = unknown.iter().zip(follows).filter(|(_, edge)| edge.is_some_and(Edge::is_active));
    let followed: HashSet<UserId> = follows.map(|(id, _)| *id).collect();
    let visibility = visibility::load_for_user(app, user, ids.iter().copied()).await?;
    let cards = super::user_cards::load(app, ids.iter().copied()).await?;
    spent.add((2 * unknown.len() + 3 * ids.len()) as u64);
    candidates.retain(|one| {
        cards.contains_key(&one.id) && !followed.contains(&one.id) && visibility.in_feed(one.id, app.now())
    });
    candidates.truncate(KEPT);
    Ok(candidates)
}

/// The hashtags that somebody used most lately.
async fn own_hashtags(app: &App, user: UserId, spent: &Spent) -> Result<Vec<String>> {
    let (posts, _) = posts::by_author(app, user, OWN_POSTS, None, Read::Eventual).await?;
    // About what posts of the usual size are.
    spent.add(posts.len().div_ceil(4) as u64);
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    posts.into_iter().flat_map(|post| post.hashtags).for_each(|tag| *used.entry(tag).or_default() += 1);
    let mut tags: Vec<(String, usize)> = used.into_iter().collect();
    tags.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    Ok(tags.into_iter().take(HASHTAGS).map(|(tag, _)| tag).collect())
}

/// A sample of all at equal distances, the newest among them.
fn spread(all: &[UserId], most: usize) -> impl Iterator<Item = UserId> {
    all.iter().copied().step_by(all.len().div_ceil(most).max(1))
}

/// A user's newest follows, as far as they are counted.
#[derive(Debug, Default)]
pub struct NewestFollows {
    pub ids: HashSet<UserId>,
    /// When the oldest of them was.
    oldest: Option<Timestamp>,
    /// Where older ones begin.
    next: Option<String>,
}

/// Newest follows that are read beside a page: half a unit …
const NEWEST: usize = 40;
/// … and how many more at once, where these are not all since it was computed.
const NEXT: usize = 500;

impl NewestFollows {
    pub async fn read(app: &App, user: UserId) -> Result<Self> {
        Self::default().and(app, user, NEWEST).await
    }

    async fn and(mut self, app: &App, user: UserId, limit: usize) -> Result<Self> {
        let rows = super::follows::following(app, user, limit, self.next.as_deref()).await?;
        self.ids.extend(rows.items.iter().filter_map(|row| key::other_end(row.sk())));
        self.oldest = rows.items.last().and_then(|row| key::edge_time(row.sk()));
        self.next = rows.next;
        Ok(self)
    }

    /// Whether there are no others.
    pub const fn are_all(&self) -> bool {
        self.next.is_none()
    }

    /// All since then.
    pub async fn since(mut self, app: &App, user: UserId, then: Timestamp) -> Result<Self> {
        while self.next.is_some() && self.oldest >= Some(then) {
            self = self.and(app, user, NEXT).await?;
        }
        Ok(self)
    }
}

/// Those whom many follow; for who has no suggestions yet.
pub async fn popular(app: &App) -> Result<Vec<Suggested>> {
    let found = names::under(app, POPULAR, ALIKE).await?;
    let people = found.items.iter().filter_map(|row| key::named(row.sk()));
    Ok(people.map(|id| Suggested { id, reason: Reason::Popular }).collect())
}

/// What computing has cost so far, in halves of a read unit.
#[derive(Default)]
struct Spent(AtomicU64);

impl Spent {
    fn add(&self, halves: u64) {
        self.0.fetch_add(halves, Ordering::Relaxed);
    }

    fn units(&self) -> u64 {
        self.0.load(Ordering::Relaxed).div_ceil(2)
    }

    async fn read(&self, app: &App, range: &Range, limit: usize) -> Result<Rows> {
        let rows = app.table().query(range, Order::NewestFirst, Read::Eventual, limit, None).await?;
        self.count(&rows);
        Ok(rows)
    }

    fn count(&self, rows: &Rows) {
        let bytes: usize = rows.items.iter().map(|row| row.size()).sum();
        self.add((bytes.div_ceil(4 * 1024) as u64).max(1));
    }

    async fn read_all(&self, app: &App, ranges: impl Iterator<Item = Range>, limit: usize) -> Result<Vec<Rows>> {
        let ranges: Vec<Range> = ranges.collect();
        let reads = ranges.iter().map(|range| self.read(app, range, limit));
        futures::stream::iter(reads.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await
    }

    async fn people(&self, app: &App, beginning: &str) -> Result<Vec<UserId>> {
        let rows = names::under(app, beginning, ALIKE).await?;
        self.count(&rows);
        Ok(rows.items.iter().filter_map(|row| key::named(row.sk())).collect())
    }
}
