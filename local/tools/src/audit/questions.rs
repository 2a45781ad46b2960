//! What the rows of a page can't answer by themselves: asked in batches at its end.

use super::AuditError;
use super::book::{Book, Side};
use super::fact::Fact;
use super::source::{Row, Source, text};
use super::walk::{Walk, read};
use serde::de::{DeserializeOwned, IgnoredAny};
use shared::ids::UserId;
use shared::models::following::{Delivery, Followers};
use shared::models::viewer::Relationship;
use shared::store::edges::Edge;
use shared::table::design::{EntityKey, Key, PARTITION_KEY, SORT_KEY, key};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A page's questions.
#[derive(Default)]
pub(super) struct Questions {
    /// Rows by the timeline's owner and the author: are these posts followed, or hidden?
    shown: BTreeMap<(UserId, UserId), u64>,
    /// Authors and followers: are they to merge?
    followers: Vec<(UserId, UserId)>,
    /// Authors and who merges them, and whether that has an end: do they follow, and are they to merge?
    merging: Vec<(UserId, UserId, bool)>,
    /// Between whom a block stands: does the one follow the other?
    blocks: Vec<(UserId, UserId)>,
    /// Who has a log: is there such an account?
    acting: BTreeSet<UserId>,
}

impl Questions {
    /// A row of another's post in a timeline.
    pub(super) fn shown(&mut self, owner: UserId, author: UserId) {
        *self.shown.entry((owner, author)).or_default() += 1;
    }

    pub(super) fn follower(&mut self, author: UserId, follower: UserId) {
        self.followers.push((author, follower));
    }

    pub(super) fn block(&mut self, user: UserId, other: UserId) {
        self.blocks.push((user, other));
    }

    pub(super) fn acting(&mut self, user: UserId) {
        self.acting.insert(user);
    }

    pub(super) fn merging(&mut self, author: UserId, follower: UserId, ends: bool) {
        self.merging.push((author, follower, ends));
    }
}

impl<B: Book> Walk<B> {
    /// Answers the questions of the page.
    pub(super) async fn answer(&mut self, source: &Source) -> Result<(), AuditError> {
        let Questions { shown, followers, merging, blocks, acting } = std::mem::take(&mut self.questions);
        self.hold_timelines(source, shown).await?;
        self.hold_blocks(source, &blocks).await?;
        self.hold_logs(source, acting).await?;
        self.hold_deliveries(source, &followers, &merging).await
    }

    /// Holds rows of timelines to the follows and to what is hidden.
    async fn hold_timelines(
        &mut self,
        source: &Source,
        shown: BTreeMap<(UserId, UserId), u64>,
    ) -> Result<(), AuditError> {
        let edges = self.edges(source, shown.keys().copied()).await?;
        let others: Vec<_> =
            shown.iter().filter(|(pair, _)| !edges.get(pair).is_some_and(|edge| edge.is_active())).collect();
        let tombstones = others.iter().map(|((owner, author), _)| key::relationship(*owner, *author)).collect();
        let tombstones: HashMap<EntityKey, Relationship> = self.fetch(source, tombstones).await?;
        for ((owner, author), rows) in others {
            let tombstone = tombstones.get(&EntityKey::Relationship { user: *owner, other: *author });
            if tombstone.and_then(|one| one.unf_until).is_none_or(|until| until <= self.now) {
                self.findings
                    .push(format!("the timeline of {owner} shows {author}, whom it does not follow (rows: {rows})"));
            }
        }
        Ok(())
    }

    pub(super) fn relationship(
        &mut self,
        user: UserId,
        other: UserId,
        ends: bool,
        it: &Relationship,
    ) -> Result<(), String> {
        if let Some(act) = it.blocking {
            self.said(Fact::Block { user, act, other }, 1);
            self.said(Fact::Blocked { user, other }, 1);
        }
        if it.blocked_by {
            self.found(Fact::Blocked { user: other, other: user });
        }
        if it.is_block() {
            self.questions.block(user, other);
        }
        match (it.is_block() || it.mute, ends) {
            (true, true) => Err("is a block or a mute, but ends by a ttl".into()),
            (false, false) => Err("says nothing, but has no ttl and would stay for ever".into()),
            _ => Ok(()),
        }
    }

    /// Holds blocks to the follows: there are none.
    async fn hold_blocks(&mut self, source: &Source, blocks: &[(UserId, UserId)]) -> Result<(), AuditError> {
        for ((from, to), edge) in self.edges(source, blocks.iter().copied()).await? {
            if edge.is_active() {
                self.findings.push(format!("{from} follows {to}, though one of them blocks the other"));
            }
        }
        Ok(())
    }

    /// Holds logs to the accounts they are of.
    async fn hold_logs(&mut self, source: &Source, acting: BTreeSet<UserId>) -> Result<(), AuditError> {
        let keys = acting.iter().copied().map(key::profile).collect();
        let there: HashMap<EntityKey, IgnoredAny> = self.fetch(source, keys).await?;
        for user in acting.into_iter().filter(|user| !there.contains_key(&EntityKey::Profile(*user))) {
            self.findings.push(format!("{user} has no account, but an activity log"));
        }
        Ok(())
    }

    /// Holds who merges whom to the follows and to the authors' delivery.
    async fn hold_deliveries(
        &mut self,
        source: &Source,
        followers: &[(UserId, UserId)],
        merging: &[(UserId, UserId, bool)],
    ) -> Result<(), AuditError> {
        let authors = followers.iter().map(|one| one.0).chain(merging.iter().map(|one| one.0));
        let authors: BTreeSet<UserId> = authors.collect();
        let keys = authors.into_iter().map(key::followers).collect();
        let deliveries: HashMap<EntityKey, Followers> = self.fetch(source, keys).await?;
        let mode = |author| deliveries.get(&EntityKey::Followers(author)).map_or(Delivery::Push, |found| found.mode);
        for &(author, follower) in followers.iter().filter(|one| mode(one.0) == Delivery::Pull) {
            self.book.enter(Fact::Merging { author, follower }, Side::Said, 1);
        }
        let (pulled, others): (Vec<_>, Vec<_>) = merging.iter().partition(|one| mode(one.0) == Delivery::Pull);
        for (author, follower, _) in pulled.into_iter().filter(|(_, _, ends)| !ends) {
            self.book.enter(Fact::Merging { author, follower }, Side::Found, 1);
        }
        let edges = self.edges(source, others.iter().map(|(author, follower, _)| (*follower, *author))).await?;
        for (author, follower, ends) in others {
            if !edges.get(&(follower, author)).is_some_and(|edge| edge.counted) {
                self.findings.push(format!("{follower} merges {author}, but does not follow"));
            } else if !ends && mode(author) == Delivery::Push {
                self.under_way(|| format!("{follower} merges {author} without an end, who pushes to all"));
            }
        }
        Ok(())
    }

    /// The edges between these, from the one to the other.
    async fn edges(
        &mut self,
        source: &Source,
        pairs: impl Iterator<Item = (UserId, UserId)>,
    ) -> Result<HashMap<(UserId, UserId), Edge>, AuditError> {
        let keys = pairs.map(|(from, to)| key::follow(from, to)).collect();
        let edges = self.fetch::<Edge>(source, keys).await?;
        let pair = |(key, edge)| match key {
            EntityKey::Follow { from, to } => Some(((from, to), edge)),
            _ => None,
        };
        Ok(edges.into_iter().filter_map(pair).collect())
    }

    /// What is there at these keys. What can't be read is a finding where the walk comes by it.
    async fn fetch<T: DeserializeOwned>(
        &mut self,
        source: &Source,
        keys: Vec<Key>,
    ) -> Result<HashMap<EntityKey, T>, AuditError> {
        let (rows, units) = source.get(&keys).await?;
        self.units += units;
        let entry = |row: Row| {
            let key = EntityKey::read(text(&row, PARTITION_KEY), text(&row, SORT_KEY))?;
            (!self.is_over(&row)).then_some(())?;
            Some((key, read(row).ok()?))
        };
        Ok(rows.into_iter().filter_map(entry).collect())
    }
}
