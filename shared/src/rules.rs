//! The rules step: whom a reader sees. Every answer that names somebody, or shows what is theirs, asks here, and
//! nothing else decides it.
//!
//! Reading goes: skeleton (ids), hydrate (one batch), **rules**, present. A post belongs to its author and to the
//! authors of what it stands below: who can't see one of them doesn't see it.

use crate::App;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::ids::{PostId, UserId};
use crate::models::post::{Mention, Post};
use crate::models::viewer::{Negative, Viewer};
use crate::store::negatives;
use std::collections::{BTreeSet, HashMap};

/// What stands between a reader and others, as far as these were asked for.
#[derive(Debug, Default)]
pub struct Sight<'a> {
    viewer: Option<&'a Viewer>,
    /// What the viewer's prefix had no room for, of all who were asked for.
    more: HashMap<UserId, Negative>,
}

/// How the reader stands to these people. Nobody who is not signed in is kept from anybody.
///
/// Costs nothing but where the viewer's prefix was longer than one read: then a unit for each it did not reach.
///
/// # Errors
/// Unavailable.
pub async fn sight<'a>(
    app: &App,
    viewer: Option<&'a Viewer>,
    people: impl IntoIterator<Item = UserId>,
) -> Result<Sight<'a>> {
    Sight { viewer, more: HashMap::new() }.and(app, people).await
}

/// How somebody who asks for nothing stands to these people, read strongly: a unit each.
///
/// # Errors
/// Unavailable.
pub async fn sight_of(app: &App, user: UserId, people: impl IntoIterator<Item = UserId>) -> Result<Sight<'static>> {
    Ok(Sight { viewer: None, more: negatives::among(app, user, people).await? })
}

/// For what belongs to these people: it is as if it were not there, if the reader can't see one of them.
///
/// # Errors
/// 404.
pub async fn require<'a>(
    app: &App,
    viewer: Option<&'a Viewer>,
    people: impl IntoIterator<Item = UserId>,
) -> Result<Sight<'a>> {
    let people: Vec<UserId> = people.into_iter().collect();
    let sight = sight(app, viewer, people.iter().copied()).await?;
    if sight.sees_all(people) { Ok(sight) } else { Err(Error::not_found()) }
}

/// Everybody that these posts name.
pub fn people(posts: &[Post]) -> impl Iterator<Item = UserId> {
    posts.iter().flat_map(|post| post.id.authors().into_iter().chain(mentioned(&post.mentions)))
}

/// Everybody that these mentions name.
pub fn mentioned(mentions: &[Mention]) -> impl Iterator<Item = UserId> {
    mentions.iter().map(|mention| mention.id)
}

impl Sight<'_> {
    /// The same for these people, too.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn and(mut self, app: &App, people: impl IntoIterator<Item = UserId>) -> Result<Self> {
        let Some(viewer) = self.viewer.filter(|viewer| viewer.overflow) else { return Ok(self) };
        let is_known =
            |id: &UserId| *id == viewer.id || viewer.negatives.contains_key(id) || self.more.contains_key(id);
        let unknown: BTreeSet<UserId> = people.into_iter().filter(|id| !is_known(id)).collect();
        let mut found = negatives::among(app, viewer.id, unknown.iter().copied()).await?;
        self.more.extend(unknown.into_iter().map(|id| (id, found.remove(&id).unwrap_or_default())));
        Ok(self)
    }

    /// What stands between them.
    pub fn towards(&self, other: UserId) -> Negative {
        let known = self.viewer.and_then(|viewer| viewer.negatives.get(&other));
        known.or_else(|| self.more.get(&other)).cloned().unwrap_or_default()
    }

    /// Neither blocks the other.
    pub fn sees(&self, other: UserId) -> bool {
        !self.towards(other).is_block()
    }

    pub fn sees_all(&self, people: impl IntoIterator<Item = UserId>) -> bool {
        people.into_iter().all(|other| self.sees(other))
    }

    pub fn sees_post(&self, id: PostId) -> bool {
        self.sees_all(id.authors())
    }

    /// The reader wants to hear of what they do.
    pub fn hears_of(&self, other: UserId) -> bool {
        let negative = self.towards(other);
        !negative.is_block() && !negative.mute
    }

    /// What they post belongs in the reader's feed: it may still lie there after an unfollow.
    pub fn feeds(&self, author: UserId, now: Timestamp) -> bool {
        self.hears_of(author) && self.towards(author).unf_until.is_none_or(|until| until <= now)
    }

    /// Those of whom a text names that the reader sees; for the reader's own text, those whom it mentions at all.
    pub fn named(&self, mut mentions: Vec<Mention>) -> Vec<Mention> {
        mentions.retain(|mention| self.sees(mention.id));
        mentions
    }
}
