//! Visibility: what a viewer can see. Every answer that names a user, or shows what is theirs, asks here, and nothing
//! else decides it.
//!
//! Reading goes: skeleton (ids), hydrate (one batch), **visibility**, present. A post belongs to its author, to the
//! authors of its ancestors, and to its group: a viewer who can't see one of them doesn't see the post.
//!
//! Authority beats a block: where somebody acts by a role, or by owning what something stands below, it shows, marked as
//! blocked, and may be removed and reported. That is so in its place alone (`in_place`), not in feeds, search or lists of
//! what somebody likes.

use crate::App;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::ids::{GroupId, PostId, UserId};
use crate::models::group::Role;
use crate::models::post::{Mention, Post};
use crate::models::viewer::{Relationship, Viewer};
use crate::store::{groups, moderators, relationships};
use futures::future::try_join;
use std::collections::{BTreeSet, HashMap};

/// Whose content it is: what a viewer can see or can't.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContentOwner {
    Person(UserId),
    /// What is shared in it, and who is in it.
    Group(GroupId),
}

impl From<UserId> for ContentOwner {
    fn from(person: UserId) -> Self {
        Self::Person(person)
    }
}

impl From<GroupId> for ContentOwner {
    fn from(group: GroupId) -> Self {
        Self::Group(group)
    }
}

/// What a viewer may see, as far as it was loaded.
#[derive(Debug, Default)]
pub struct Visibility<'a> {
    viewer: Option<&'a Viewer>,
    /// What the viewer's prefix had no room for, of all who were asked for.
    beyond_prefix: HashMap<UserId, Relationship>,
    /// Roles in groups that the viewer's prefix had no room for.
    groups: HashMap<GroupId, Role>,
    authority: Authority,
}

/// The viewer's authority that beats a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Authority {
    /// Nothing: outside of the place that they answer for.
    #[default]
    None,
    /// Their role in a post's group, and that it stands below theirs.
    InPlace,
    /// That they moderate the service.
    Everywhere,
    /// That a post is theirs, for an archive of all that is: whatever it stands below or in.
    Archive,
}

/// Loads what a viewer may see of these. A viewer who is not signed in is blocked by nobody and a member of no group.
///
/// Costs nothing but where the viewer's prefix was longer than one read: then a unit for each it did not reach.
pub async fn load<'a, S: Into<ContentOwner>>(
    app: &App,
    viewer: Option<&'a Viewer>,
    owners: impl IntoIterator<Item = S>,
) -> Result<Visibility<'a>> {
    Visibility { viewer, ..Visibility::default() }.and(app, owners).await
}

/// Loads what a user may see of these, for workers: read strongly, a unit each.
pub async fn load_for_user<S: Into<ContentOwner>>(
    app: &App,
    user: UserId,
    owners: impl IntoIterator<Item = S>,
) -> Result<Visibility<'static>> {
    let (mut people, private) = split(owners);
    people.remove(&user);
    let (beyond_prefix, groups) =
        try_join(relationships::among(app, user, people), groups::roles(app, user, private)).await?;
    Ok(Visibility { viewer: None, beyond_prefix, groups, authority: Authority::None })
}

/// People, and groups, each once.
fn split<S: Into<ContentOwner>>(owners: impl IntoIterator<Item = S>) -> (BTreeSet<UserId>, BTreeSet<GroupId>) {
    let (mut people, mut groups) = (BTreeSet::new(), BTreeSet::new());
    for owner in owners {
        match owner.into() {
            ContentOwner::Person(person) => drop(people.insert(person)),
            ContentOwner::Group(group) => drop(groups.insert(group)),
        }
    }
    (people, groups)
}

/// Answers 404 unless the viewer can see each of these.
///
/// # Errors
/// 404.
pub async fn ensure_visible<'a, S: Into<ContentOwner>>(
    app: &App,
    viewer: Option<&'a Viewer>,
    owners: impl IntoIterator<Item = S>,
) -> Result<Visibility<'a>> {
    let owners: Vec<ContentOwner> = owners.into_iter().map(Into::into).collect();
    let visibility = load(app, viewer, owners.iter().copied()).await?;
    if owners.iter().all(|owner| visibility.can_see_owner(*owner)) { Ok(visibility) } else { Err(Error::not_found()) }
}

/// Answers 404 unless the viewer can see a post in its place, to read, remove or report it: there a block hides it neither
/// from moderators of its group or of the service, nor from the authors of its ancestors.
///
/// # Errors
/// 404.
pub async fn ensure_visible_in_place<'a>(app: &App, viewer: Option<&'a Viewer>, id: PostId) -> Result<Visibility<'a>> {
    let mut visibility = load(app, viewer, of_post(id)).await?.in_place();
    if visibility.can_see_post(id) {
        return Ok(visibility);
    }
    // Asked here alone, for it costs a read.
    if let Some(viewer) = viewer
        && moderators::is_one(app, viewer.id).await?
    {
        visibility.authority = Authority::Everywhere;
    }
    if visibility.can_see_post(id) { Ok(visibility) } else { Err(Error::not_found()) }
}

/// All that a post belongs to.
pub fn of_post(id: PostId) -> impl Iterator<Item = ContentOwner> {
    id.authors().into_iter().map(ContentOwner::from).chain(id.group().map(ContentOwner::from))
}

/// All that many posts belong to, and every user that they mention.
pub fn of_posts(posts: &[Post]) -> impl Iterator<Item = ContentOwner> {
    posts.iter().flat_map(|post| of_post(post.id).chain(mentioned(&post.mentions).map(ContentOwner::from)))
}

/// Everybody that these mentions name.
pub fn mentioned(mentions: &[Mention]) -> impl Iterator<Item = UserId> {
    mentions.iter().map(|mention| mention.id)
}

/// What role the viewer has in a group. Costs nothing but where the prefix overflowed.
pub async fn role_in(app: &App, viewer: &Viewer, group: GroupId) -> Result<Option<Role>> {
    Ok(load(app, Some(viewer), [group]).await?.role_in(group))
}

impl Visibility<'_> {
    /// Loads what is needed to decide about these, too.
    pub async fn and<S: Into<ContentOwner>>(mut self, app: &App, owners: impl IntoIterator<Item = S>) -> Result<Self> {
        let Some(viewer) = self.viewer.filter(|viewer| viewer.overflow) else { return Ok(self) };
        let (mut people, mut groups) = split(owners);
        people.retain(|id| {
            *id != viewer.id && !viewer.relationships.contains_key(id) && !self.beyond_prefix.contains_key(id)
        });
        groups.retain(|id| !viewer.groups.contains_key(id) && !self.groups.contains_key(id));
        let found = relationships::among(app, viewer.id, people.iter().copied());
        let (mut found, roles) = try_join(found, groups::roles(app, viewer.id, groups)).await?;
        self.beyond_prefix.extend(people.into_iter().map(|id| (id, found.remove(&id).unwrap_or_default())));
        self.groups.extend(roles);
        Ok(self)
    }

    /// What the viewer and a user have set towards each other.
    pub fn towards(&self, other: UserId) -> Relationship {
        let known = self.viewer.and_then(|viewer| viewer.relationships.get(&other));
        known.or_else(|| self.beyond_prefix.get(&other)).cloned().unwrap_or_default()
    }

    /// The viewer's role in a group; None for somebody who is no member, or a group that was not asked for.
    pub fn role_in(&self, group: GroupId) -> Option<Role> {
        let known = self.viewer.and_then(|viewer| viewer.groups.get(&group));
        known.or_else(|| self.groups.get(&group)).copied()
    }

    /// Neither blocks the other.
    pub fn can_see(&self, other: UserId) -> bool {
        !self.towards(other).is_block()
    }

    pub fn can_see_all(&self, people: impl IntoIterator<Item = UserId>) -> bool {
        people.into_iter().all(|other| self.can_see(other))
    }

    /// What is shared in a group: everybody sees what is in a public one, members alone what is in a private one.
    pub fn can_see_group(&self, group: GroupId) -> bool {
        !group.is_private() || self.role_in(group).is_some()
    }

    fn can_see_owner(&self, owner: ContentOwner) -> bool {
        match owner {
            ContentOwner::Person(person) => self.can_see(person),
            ContentOwner::Group(group) => self.can_see_group(group),
        }
    }

    pub fn can_see_post(&self, id: PostId) -> bool {
        if self.authority == Authority::Archive && self.viewer.is_some_and(|me| me.id == id.author) {
            return true;
        }
        let authors = id.authors();
        let hidden_by_none = self.block_exempt(id, &authors);
        id.group().is_none_or(|group| self.can_see_group(group))
            && self.can_see_all(authors.into_iter().skip(hidden_by_none))
    }

    /// In the place that the viewer answers for: their role in a group and their own posts beat a block.
    #[must_use]
    pub fn in_place(mut self) -> Self {
        self.authority = Authority::InPlace;
        self
    }

    /// For the viewer's own archive, which has all that is theirs.
    #[must_use]
    pub fn in_archive(mut self) -> Self {
        self.authority = Authority::Archive;
        self
    }

    /// How many of a post's authors, from its own on, no block hides from the viewer.
    fn block_exempt(&self, id: PostId, authors: &[UserId]) -> usize {
        let moderates = || id.group().and_then(|group| self.role_in(group)).is_some_and(Role::moderates);
        match (self.authority, self.viewer) {
            (Authority::None | Authority::Archive, _) | (_, None) => 0,
            (Authority::InPlace, Some(_)) if moderates() => authors.len(),
            (Authority::InPlace, Some(me)) => authors.iter().rposition(|author| *author == me.id).unwrap_or(0),
            (Authority::Everywhere, Some(_)) => authors.len(),
        }
    }

    /// Neither blocks the other, and the viewer does not mute them.
    pub fn not_muted(&self, other: UserId) -> bool {
        let relationship = self.towards(other);
        !relationship.is_block() && !relationship.mute
    }

    /// Their posts belong in the viewer's feed; after an unfollow rows may still lie in the timeline.
    pub fn in_feed(&self, author: UserId, now: Timestamp) -> bool {
        self.not_muted(author) && self.towards(author).unf_until.is_none_or(|until| until <= now)
    }

    /// The mentions that the viewer can see; of the viewer's own text, those that count as mentions at all.
    pub fn visible_mentions(&self, mut mentions: Vec<Mention>) -> Vec<Mention> {
        mentions.retain(|mention| self.can_see(mention.id));
        mentions
    }
}
