//! What posts and people are found by.

use super::book::Book;
use super::fact::Fact;
use super::walk::Walk;
use shared::ids::{PostId, UserId};
use shared::models::names::NamesIndexed;
use shared::models::search::Indexed;
use shared::models::trend::{self, TagUse};
use shared::table::design::key;

impl<B: Book> Walk<B> {
    pub(super) fn indexed(&mut self, id: PostId, indexed: Indexed) {
        if indexed.done.is_none() {
            self.under_way(|| format!("{id} is not indexed yet"));
        }
        self.found(Fact::Indexed(id));
        let now = key::hour(self.now);
        for (tag, hour) in indexed.used.into_iter().filter(|(_, hour)| trend::counts(*hour, now)) {
            self.found(Fact::TagUse { tag, author: id.author, hour });
        }
    }

    /// What counts no more is left as it is.
    pub(super) fn tag_use(&mut self, tag: String, author: UserId, TagUse { hour, posts, ttl: _ }: TagUse) {
        if trend::counts(hour, key::hour(self.now)) {
            self.said(Fact::TagUse { tag: tag.clone(), author, hour }, posts);
            self.found(Fact::TagCount { hour, tag });
        }
    }

    pub(super) fn names(&mut self, id: UserId, indexed: &NamesIndexed) {
        if indexed.done.is_none() {
            self.under_way(|| format!("the names of {id} are not indexed yet"));
        }
        if self.settled {
            self.found(Fact::Names(id));
        }
        self.said(Fact::NameRows(id), indexed.rows.len() as u64);
    }
}
