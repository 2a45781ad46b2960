//! What a user's own partition says of itself. A scan gives its items together, so a few words of memory are enough.

use super::report::Findings;
use super::walk::SOON;
use shared::clock::Timestamp;
use shared::ids::UserId;
use shared::models::notification::{NOTIFICATION_LIFETIME, Notification, ReadMark};
use shared::table::design::EntityKey;

/// What an account is made of: all of it or nothing is there.
const PARTS: [&str; 4] = ["Profile", "Account", "Followers", "Credentials"];

/// A user whose items are passing by.
#[derive(Default)]
pub(super) struct Person {
    id: Option<UserId>,
    parts: [bool; PARTS.len()],
    /// Items that only somebody with an account leaves.
    belongings: u64,
    sessions: u64,
    is_suspended: bool,
    is_deleted: bool,
    mark: ReadMark,
    unread: u64,
}

impl Person {
    /// Whether this user's items are the ones that pass.
    pub(super) fn is(&self, id: Option<UserId>) -> bool {
        self.id == id
    }

    pub(super) fn new(id: Option<UserId>) -> Self {
        Self { id, ..Self::default() }
    }

    pub(super) fn enter(&mut self, key: &EntityKey) {
        match PARTS.iter().position(|part| *part == key.name()) {
            Some(part) => self.parts[part] = true,
            // Failed sign-ins of a name that nobody has are counted as if it were somebody's.
            None if matches!(key, EntityKey::Failures(_)) => {}
            None => {
                self.belongings += 1;
                self.sessions += u64::from(matches!(key, EntityKey::Session(..)));
            }
        }
    }

    pub(super) const fn suspended(&mut self) {
        self.is_suspended = true;
    }

    /// It says no more than that it is deleted: it has no password, and its belongings are on their way out.
    pub(super) const fn deleted(&mut self) {
        self.is_deleted = true;
    }

    /// The mark, which sorts before the notifications that are held to it.
    pub(super) fn mark(&mut self, mark: ReadMark) {
        self.mark = mark;
    }

    pub(super) fn notification(&mut self, notification: &Notification) {
        self.unread += u64::from(!notification.is_read(&self.mark));
    }

    /// What is wrong, now that all has passed.
    pub(super) fn close(self, now: Timestamp, findings: &mut Findings) {
        let Some(id) = self.id else { return };
        if self.is_deleted {
            if self.parts[PARTS.len() - 1] || self.sessions > 0 {
                findings.push(format!("{id} is deleted, but may sign in"));
            }
            return;
        }
        let missing: Vec<_> =
            PARTS.iter().zip(self.parts).filter(|(_, is_there)| !is_there).map(|(part, _)| *part).collect();
        if missing.len() == PARTS.len() {
            if self.belongings > 0 {
                findings.push(format!("{id} has no account, but {} items that belong to one", self.belongings));
            }
        } else if !missing.is_empty() {
            findings.push(format!("{id} has an account without {}", missing.join(", ")));
        }
        if self.is_suspended && self.sessions > 0 {
            findings.push(format!("{id} is suspended, but has sessions: {}", self.sessions));
        }
        let (said, found) = (self.mark.unread, self.unread);
        if said < found || said > found && !self.may_have_lost_unread(id, now) {
            findings.push(format!("the unread count of {id} is {said}, but {found} notifications are unread"));
        }
    }

    /// Whether a notification may have ended unread, which takes nothing off the count.
    fn may_have_lost_unread(&self, id: UserId, now: Timestamp) -> bool {
        let read_up_to = self.mark.upto.map_or(id.created_at(), |upto| upto.created_at());
        read_up_to + NOTIFICATION_LIFETIME <= now + SOON
    }
}
