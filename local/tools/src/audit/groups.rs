//! Groups, and who is in them.

use super::book::Book;
use super::fact::Fact;
use super::walk::Walk;
use shared::ids::{GroupId, PostId, UserId};
use shared::models::group::{Group, Member, Role};
use shared::models::post::Post;

impl<B: Book> Walk<B> {
    pub(super) fn group(&mut self, id: GroupId, group: &Group) -> Result<(), String> {
        if group.id != id {
            return Err(format!("names another id: {}", group.id));
        }
        if group.deleted {
            self.under_way(|| format!("what {id} leaves is not removed yet"));
            // Its members' rows go before it, and no counter follows.
            return Ok(());
        }
        self.said(Fact::Members(id), group.members);
        for (user, role) in &group.staff {
            self.said(Fact::Staff { group: id, user: *user, role: *role }, 1);
        }
        if !id.is_private() {
            self.said(Fact::Discoverable(id), 1);
        }
        match group.staff.values().any(|role| *role == Role::Owner) {
            true => Ok(()),
            false => Err("has no owner".into()),
        }
    }

    pub(super) fn member(&mut self, group: GroupId, user: UserId, member: &Member) {
        let role = member.role;
        if member.counted {
            self.found(Fact::Members(group));
        }
        if member.deleted {
            self.under_way(|| format!("{user} has left {group}, but is not removed yet"));
            return;
        }
        if !member.counted {
            self.under_way(|| format!("{user} in {group} is not counted yet"));
        }
        self.said(Fact::Member { group, user, role }, 1);
        if role.moderates() {
            self.found(Fact::Staff { group, user, role });
        }
    }

    /// Something shared in a group: in its author's own timeline, but in no count of the author's.
    pub(super) fn group_post(&mut self, id: PostId, post: &Post) -> Result<(), String> {
        self.counters(id, post)?;
        post.media.iter().for_each(|one| self.found(Fact::Held(one.id)));
        self.stands_in_lists(post);
        Ok(())
    }
}
