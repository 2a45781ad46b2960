//! The feed below the timeline: everything that is older than timelines reach, merged from the lists of all authors
//! followed and of the reader's groups.
//!
//! A sweep reads the newest posts below a position from each of these lists, a bounded number of lists a request, and
//! keeps the newest of what it finds. With the last list it is known which posts come next. The cursor carries the sweep:
//! what was found so far, down to where nothing is missing from it, and after whom it goes on.

use super::FeedReader;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::ids::{GroupId, PostId, UserId, parse_ulid};
use crate::limits::LISTS_AT_ONCE;
use crate::models::post::Post;
use crate::store;
use crate::store::posts::Source;
use crate::store::timelines::Span;
use crate::table::Read;
use crate::views::media::Links;
use crate::views::post::{PostView, present};
use crate::visibility;
use futures::future::try_join3;
use futures::{StreamExt, TryStreamExt};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// Authors whose lists one request reads.
pub(super) const AUTHORS: usize = 300;
/// So few are read right away when the timeline ends before its page is full.
pub(super) const AUTHORS_AT_ONCE: usize = 20;
/// The least that is read of a list: four posts of 1 KB are half a unit.
const DEPTH: usize = 4;
/// Posts that a cursor carries, some 70 characters each.
const CARRIED: usize = 20;
/// What an older cursor carries is looked for again: it may be of somebody who is not followed any more.
const LASTS: Duration = Duration::from_secs(3600);

/// A sweep in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sweep {
    started: Timestamp,
    /// What is newer was answered.
    older_than: PostId,
    /// Down to here `found` has everything of the lists that were read; None: to their ends.
    complete_to: Option<PostId>,
    reached: Reached,
    /// Newest first.
    found: Vec<PostId>,
}

/// The lists that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    None,
    /// Authors go by their ids.
    Author(UserId),
    All,
}

impl Sweep {
    pub(super) const fn below(older_than: PostId, started: Timestamp) -> Self {
        Self { started, older_than, complete_to: None, reached: Reached::None, found: Vec::new() }
    }

    /// What a cursor holds of it; begins otherwise than a post's suffix, which is a position in the timeline.
    pub(super) fn write(&self) -> String {
        let to = self.complete_to.map_or_else(|| "-".to_owned(), PostId::suffix);
        let reached = match self.reached {
            Reached::None => "-".to_owned(),
            Reached::Author(author) => author.ulid().to_string(),
            Reached::All => "all".to_owned(),
        };
        let head = format!("below {} {} {to} {reached}", self.started.millis(), self.older_than.suffix());
        self.found.iter().fold(head, |text, post| format!("{text} {}", post.suffix()))
    }

    /// Reads what [`Self::write`] wrote.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("below ")?.split(' ');
        let post = |text: &str| PostId::from_suffix(text).ok();
        let started = Timestamp::from_millis(parts.next()?.parse().ok()?);
        let older_than = post(parts.next()?)?;
        let complete_to = match parts.next()? {
            "-" => None,
            text => Some(post(text)?),
        };
        let reached = match parts.next()? {
            "-" => Reached::None,
            "all" => Reached::All,
            author => Reached::Author(UserId::from_ulid(parse_ulid(author).ok()?)),
        };
        let found = parts.map(post).collect::<Option<_>>()?;
        Some(Self { started, older_than, complete_to, reached, found })
    }

    /// As it is now, or from its beginning when it is too old.
    pub(super) fn fresh(self, now: Timestamp) -> Self {
        if now.since(self.started) > LASTS { Self::below(self.older_than, now) } else { self }
    }

    /// Keeps the newest of what was found, and no more than is complete.
    fn keep(&mut self, most: usize) {
        self.found.sort_unstable_by(|a, b| b.cmp(a));
        self.found.dedup();
        if self.found.len() > most {
            self.found.truncate(most);
            self.complete_to = self.complete_to.max(self.found.last().copied());
        }
        let complete_to = self.complete_to;
        self.found.retain(|post| complete_to.is_none_or(|to| *post >= to));
    }

    /// The next posts to answer, and what is left to do after them.
    fn take(mut self, limit: usize) -> (Vec<PostId>, Option<Self>) {
        let left = self.found.split_off(self.found.len().min(limit));
        let page = std::mem::replace(&mut self.found, left);
        if let Some(last) = page.last() {
            self.older_than = *last;
        }
        match (self.found.is_empty(), self.complete_to) {
            (false, _) => (page, Some(self)),
            (true, Some(to)) => (page, Some(Self::below(to, self.started))),
            (true, None) => (page, None),
        }
    }
}

/// Authors to read, and after whom more follow.
pub(super) type Authors = (Vec<UserId>, Option<UserId>);

impl FeedReader<'_> {
    /// Those of the next authors whom the reader follows who may have posts below a position: nobody posts before
    /// signing up.
    pub(super) async fn authors(&self, below: PostId, rows: usize, after: Option<UserId>) -> Result<Authors> {
        let (mut authors, next) = store::follows::followed(self.app, self.viewer.id, rows, after).await?;
        authors.retain(|author| author.created_at() < below.created_at());
        Ok((authors, next))
    }

    /// What else than authors is read: the lists of the reader's groups and, where they are asked for, their own posts.
    pub(super) async fn other_sources(&self, below: PostId) -> Result<Vec<Source>> {
        let groups = match self.viewer.overflow {
            true => store::groups::memberships(self.app, self.viewer.id).await?.into_iter().map(|(id, _)| id).collect(),
            false => self.viewer.groups.keys().copied().collect::<Vec<_>>(),
        };
        let at = below.created_at();
        let groups = groups.into_iter().filter(|group| group.created_at() < at).map(Source::Group);
        let own = Some(self.viewer.id).filter(|me| self.own && me.created_at() < at).map(Source::Author);
        Ok(groups.chain(own).collect())
    }

    /// A page of the sweep: reads the next lists and, with the last of them, answers what comes next.
    pub(super) async fn sweep(&self, mut sweep: Sweep, limit: usize) -> Result<(Vec<PostView>, Option<Sweep>)> {
        let mut posts = HashMap::new();
        if sweep.reached != Reached::All {
            let after = if let Reached::Author(author) = sweep.reached { Some(author) } else { None };
            let authors = self.authors(sweep.older_than, AUTHORS, after).await?;
            let others = match sweep.reached {
                Reached::None => self.other_sources(sweep.older_than).await?,
                _ => Vec::new(),
            };
            posts = self.read_lists(&mut sweep, authors, others, limit).await?;
        }
        self.answer(sweep, posts, limit).await
    }

    /// Sweeps all lists at once, where they are known and few.
    pub(super) async fn sweep_all(
        &self,
        below: PostId,
        authors: Vec<UserId>,
        others: Vec<Source>,
        limit: usize,
    ) -> Result<(Vec<PostView>, Option<Sweep>)> {
        let mut sweep = Sweep::below(below, self.app.now());
        let posts = self.read_lists(&mut sweep, (authors, None), others, limit).await?;
        self.answer(sweep, posts, limit).await
    }

    /// Reads lists into the sweep; answers the authors' posts it read.
    async fn read_lists(
        &self,
        sweep: &mut Sweep,
        (authors, next): Authors,
        others: Vec<Source>,
        limit: usize,
    ) -> Result<HashMap<PostId, Post>> {
        let sources: Vec<Source> = authors.into_iter().map(Source::Author).chain(others).collect();
        let depth = (2 * limit / sources.len().max(1)).clamp(DEPTH, limit.max(DEPTH));
        let newer_than = sweep.complete_to.max(self.newer_than);
        let span = Span { older_than: Some(sweep.older_than), newer_than };
        let own = Source::Author(self.viewer.id);
        let lists = futures::stream::iter(sources).map(|source| {
            let read = if source == own { Read::Strong } else { Read::Eventual };
            store::posts::newest(self.app, source, depth, span, read)
        });
        let lists: Vec<_> = lists.buffer_unordered(LISTS_AT_ONCE).try_collect().await?;
        let mut posts = HashMap::new();
        for (list, stopped) in lists {
            sweep.complete_to = sweep.complete_to.max(stopped);
            posts.extend(list.into_iter().map(|post| (post.id, post)));
        }
        let complete_to = sweep.complete_to;
        posts.retain(|post, _| complete_to.is_none_or(|to| *post >= to));
        sweep.found.extend(self.in_feed(posts.keys().copied().collect()).await?);
        sweep.reached = next.map_or(Reached::All, Reached::Author);
        sweep.keep(if next.is_some() { CARRIED } else { limit + CARRIED });
        // A group may be gone, which loading its posts finds.
        posts.retain(|post, _| post.group().is_none());
        Ok(posts)
    }

    /// Those of these posts that belong in this feed. What was shared in a group does if the reader was a member and
    /// followed its author by then.
    async fn in_feed(&self, posts: Vec<PostId>) -> Result<Vec<PostId>> {
        let (app, me, now) = (self.app, self.viewer.id, self.app.now());
        let shared: Vec<(GroupId, UserId)> =
            posts.iter().filter_map(|post| Some((post.group()?, post.author))).filter(|(_, by)| *by != me).collect();
        let groups: Vec<GroupId> =
            shared.iter().map(|(group, _)| *group).collect::<BTreeSet<_>>().into_iter().collect();
        let authors: Vec<UserId> = shared.iter().map(|(_, by)| *by).collect::<BTreeSet<_>>().into_iter().collect();
        let subjects: Vec<_> = posts.iter().flat_map(|post| visibility::of_post(*post)).collect();
        let (members, followed, visibility) = try_join3(
            store::groups::rows_of(app, me, &groups),
            store::follows::followed_since(app, me, &authors),
            visibility::load(app, Some(&self.viewer), subjects),
        )
        .await?;
        let reached = |post: &PostId, group: GroupId| {
            let joined = members.get(&group).filter(|member| !member.deleted).map(|member| member.joined);
            let followed = followed.get(&post.author).copied();
            joined.zip(followed).is_some_and(|(joined, followed)| joined.max(followed) <= post.created_at())
        };
        let belongs = |post: &PostId| {
            visibility.can_see_post(*post)
                && match post.author == me {
                    true => self.own,
                    false => {
                        visibility.in_feed(post.author, now) && post.group().is_none_or(|group| reached(post, group))
                    }
                }
        };
        Ok(posts.into_iter().filter(belongs).collect())
    }

    async fn answer(
        &self,
        sweep: Sweep,
        known: HashMap<PostId, Post>,
        limit: usize,
    ) -> Result<(Vec<PostView>, Option<Sweep>)> {
        if sweep.reached != Reached::All {
            return Ok((Vec::new(), Some(sweep)));
        }
        let (page, next) = sweep.take(limit);
        Ok((self.hydrate(page, known).await?, next))
    }

    async fn hydrate(&self, page: Vec<PostId>, mut known: HashMap<PostId, Post>) -> Result<Vec<PostView>> {
        if page.is_empty() {
            return Ok(Vec::new());
        }
        let (app, me) = (self.app, self.viewer.id);
        // Once more, for a cursor may have carried them since somebody was blocked or is not followed any more.
        let carried: Vec<PostId> = page.iter().copied().filter(|post| !known.contains_key(post)).collect();
        let carried = self.in_feed(carried).await?;
        let authors = page.iter().map(|post| post.author);
        let (loaded, cards, likes) = try_join3(
            store::posts::load(app, &carried, Some(me)),
            store::user_cards::load(app, authors),
            store::likes::among(app, me, &page),
        )
        .await?;
        let known = page.iter().filter_map(|post| known.remove(post)).chain(loaded);
        let posts: BTreeMap<_, _> = known.map(|post| (std::cmp::Reverse(post.id), post)).collect();
        let posts: Vec<Post> = posts.into_values().collect();
        let visibility = visibility::load(app, Some(&self.viewer), visibility::of_posts(&posts)).await?;
        Ok(present(posts, &cards, Some(&self.viewer), &visibility, &likes, &Links::new(app)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{GroupId, GroupVisibility};

    fn post(at: u64) -> PostId {
        PostId::new(Timestamp::from_millis(at), UserId::new(Timestamp::from_millis(1)))
    }

    #[test]
    fn a_cursor_carries_a_sweep() {
        let (author, now) = (UserId::new(Timestamp::from_millis(5)), Timestamp::from_millis(1_000_000));
        let group = GroupId::new(Timestamp::from_millis(2), GroupVisibility::Private);
        let shared = PostId::shared_in(Some(group), post(7).ulid, author);
        let begun = Sweep::below(post(9), now);
        let halfway = Sweep { complete_to: Some(post(3)), reached: Reached::Author(author), ..begun.clone() };
        let done = Sweep { reached: Reached::All, found: vec![post(8), shared], ..begun.clone() };
        for sweep in [begun, halfway, done.clone()] {
            assert_eq!(Sweep::read(&sweep.write()), Some(sweep));
        }
        assert_eq!(Sweep::read(&post(1).suffix()), None, "a position in the timeline");
        assert_eq!(Sweep::read("below 1 2"), None);
        assert_eq!(done.clone().fresh(now), done);
        let later = now + LASTS + Duration::from_secs(1);
        assert_eq!(done.clone().fresh(later), Sweep::below(done.older_than, later));
        let full = Sweep { found: vec![shared; CARRIED], ..done };
        assert!(full.write().len() < 2_000, "{}", full.write().len());
    }

    #[test]
    fn what_is_kept_is_complete() {
        let posts: Vec<PostId> = (1..=6).map(|n| post(n * 10)).collect();
        let mut sweep = Sweep::below(post(99), Timestamp::from_millis(0));
        sweep.found = posts.clone();
        sweep.complete_to = Some(posts[1]);
        sweep.keep(9);
        assert_eq!(sweep.found, [posts[5], posts[4], posts[3], posts[2], posts[1]]);
        sweep.keep(3);
        assert_eq!((sweep.found.len(), sweep.complete_to), (3, Some(posts[3])));
        let (page, next) = sweep.take(2);
        assert_eq!(page, [posts[5], posts[4]]);
        let next = next.expect("one is left");
        assert_eq!((&next.found[..], next.older_than), (&posts[3..4], posts[4]));
        let (page, next) = next.take(2);
        assert_eq!(page, [posts[3]]);
        assert_eq!(next.map(|sweep| sweep.older_than), Some(posts[3]));
    }
}
