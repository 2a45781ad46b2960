//! Whether what a notification tells of is still so: the follow, the like, the comment, the mention, the request to join.
//! What is taken back keeps its row, for it may be done again; it is left out when it is read.

use super::edges::Edge;
use super::groups;
use crate::App;
use crate::error::Result;
use crate::ids::{GroupId, PostId, UserId};
use crate::models::notification::NotificationKind;
use crate::models::post::Post;
use crate::models::user::Profile;
use crate::table::design::{Key, key};
use crate::table::{Item, Read};
use futures::future::try_join3;
use std::collections::{BTreeSet, HashMap, HashSet};

/// An act as its owner was told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NotifiedAct {
    pub kind: NotificationKind,
    pub actor: UserId,
    pub post: Option<PostId>,
    /// Of what concerns a group itself.
    pub group: Option<GroupId>,
    pub comment: Option<PostId>,
}

/// The items that an act needs.
enum Needs {
    Follow(Key),
    Like(Key),
    /// Either the request, or that it was granted.
    Request(Key, Key),
    Nothing,
}

impl NotifiedAct {
    fn needs(&self, owner: UserId) -> Needs {
        match (self.kind, self.post, self.group) {
            (NotificationKind::Follow, ..) => Needs::Follow(key::follow(self.actor, owner)),
            (NotificationKind::Like, Some(post), _) => Needs::Like(key::like(self.actor, post)),
            (NotificationKind::GroupRequest, _, Some(group)) => {
                Needs::Request(key::join_request(group, self.actor), key::member(group, self.actor))
            }
            _ => Needs::Nothing,
        }
    }

    /// The post or comment that it is about, and all that it stands below.
    fn posts(&self) -> impl Iterator<Item = PostId> {
        let first = self.comment.or(self.post);
        first.into_iter().flat_map(|id| std::iter::once(id).chain(id.parents()))
    }

    fn group(&self) -> Option<GroupId> {
        self.group.or_else(|| self.post.and_then(PostId::group))
    }
}

/// Those of these acts that still stand, of people who are there and not suspended. Of each half a unit for its edge, for
/// who did it and for each post that it is about, a unit for a post of the owner's, whose own deletions show at once.
pub async fn active(app: &App, owner: UserId, acts: &[NotifiedAct]) -> Result<HashSet<NotifiedAct>> {
    let posts: BTreeSet<PostId> = acts.iter().flat_map(NotifiedAct::posts).collect();
    let (own, others): (Vec<PostId>, Vec<PostId>) = posts.into_iter().partition(|post| post.author == owner);
    let mut others: Vec<Key> = others.into_iter().map(key::post).collect();
    for act in acts {
        // No cached card, for a suspension shows within a second.
        others.push(key::profile(act.actor));
        match act.needs(owner) {
            Needs::Follow(key) | Needs::Like(key) => others.push(key),
            Needs::Request(request, member) => others.extend([request, member]),
            Needs::Nothing => {}
        }
    }
    let own: Vec<Key> = own.into_iter().map(key::post).collect();
    let groups: Vec<GroupId> =
        acts.iter().filter_map(NotifiedAct::group).collect::<BTreeSet<_>>().into_iter().collect();
    let items = async |keys: &[Key], read| -> Result<HashMap<Key, Item>> {
        let found = app.table().batch_items(keys, read).await?;
        Ok(keys.iter().cloned().zip(found).filter_map(|(key, item)| Some((key, item?))).collect())
    };
    // What is told of a moment ago may be missing in an eventual read, and is then looked for again.
    let (own, mut found, groups) =
        try_join3(items(&own, Read::Strong), items(&others, Read::Confirmed), groups::load(app, &groups, Read::Strong))
            .await?;
    found.extend(own);
    let groups: HashSet<GroupId> = groups.into_iter().map(|group| group.id).collect();
    let is_active =
        |act: &&NotifiedAct| is_so(act, owner, &found) && act.group().is_none_or(|group| groups.contains(&group));
    Ok(acts.iter().filter(is_active).copied().collect())
}

fn is_so(act: &NotifiedAct, owner: UserId, found: &HashMap<Key, Item>) -> bool {
    let post = |id: PostId| found.get(&key::post(id))?.readable::<Post>().filter(|post| !post.deleted);
    let edge = |key: &Key| found.get(key).and_then(|item| item.readable::<Edge>());
    let is_edge = match act.needs(owner) {
        Needs::Follow(key) | Needs::Like(key) => edge(&key).is_some_and(Edge::is_active),
        Needs::Request(request, member) => found.contains_key(&request) || edge(&member).is_some_and(Edge::is_active),
        Needs::Nothing => true,
    };
    let is_named = match (act.kind, act.post) {
        (NotificationKind::Mention, Some(id)) => {
            post(id).is_some_and(|post| post.mentions.iter().any(|mention| mention.id == owner))
        }
        _ => true,
    };
    let actor = found.get(&key::profile(act.actor)).and_then(|item| item.readable::<Profile>());
    is_edge && is_named && actor.is_some_and(|actor| actor.is_active()) && act.posts().all(|id| post(id).is_some())
}
