//! Accounts: the items that one is made of.

mod password;
mod values;

pub use password::{Password, PasswordOwner};
pub use values::*;

use super::media::{Attached, ORIGINAL};
use super::second_factor::SecondFactor;
use super::session::MailAction;
use super::settings::Settings;
use crate::clock::Timestamp;
use crate::ids::{MediaId, UserId};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// The public card: what any viewer who may see the account sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    pub id: UserId,
    pub username: Username,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bio: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interests: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<Avatar>,
    /// Raised by each edit of the owner's, and by a suspension; what `If-Match` compares.
    pub ver: u64,
    /// Since when a moderator keeps this account from being seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Timestamp>,
    /// Since when the account is deleted: nothing else of the profile is left then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Timestamp>,
}

impl Profile {
    /// Whether others may see the account and what it wrote.
    pub const fn is_active(&self) -> bool {
        self.suspended.is_none() && self.deleted.is_none()
    }

    /// What is left of it when the account is deleted, until all else is removed.
    #[must_use]
    pub fn tombstone(&self, at: Timestamp) -> Self {
        Self {
            id: self.id,
            username: Username::none(),
            full_name: None,
            bio: None,
            location: None,
            website: None,
            interests: Vec::new(),
            avatar: None,
            ver: self.ver + 1,
            suspended: None,
            deleted: Some(at),
        }
    }
}

/// The picture of somebody: which, and which of its forms is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Avatar {
    pub id: MediaId,
    pub name: String,
}

impl Avatar {
    /// The smallest form that there is.
    pub fn new(picture: Attached) -> Self {
        let smallest = picture.shape.variants.into_iter().min_by_key(|variant| variant.width);
        Self { id: picture.id, name: smallest.map_or_else(|| ORIGINAL.to_owned(), |variant| variant.name) }
    }
}

/// What only its owner sees, and the counters of the owner's own acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: UserId,
    pub email: Email,
    #[serde(default)]
    pub verified: bool,
    #[serde(default)]
    pub posts: u64,
    /// Follows this account made, counted by the stream's consumer.
    #[serde(default)]
    pub following: u64,
    /// Posts that wait for their time.
    #[serde(default)]
    pub waiting: u64,
    /// Bytes of pictures and videos, until their files are gone.
    #[serde(default)]
    pub stored: u64,
    /// Whether this account looks after reports.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moderator: bool,
    #[serde(default)]
    pub settings: Settings,
    /// Nothing is made in its name any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// Of the links that verify the address, the one that counts: the newest. None where an earlier version sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_link: Option<Ulid>,
    /// Of the links to an archive, the one that counts: the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_link: Option<Ulid>,
    /// The address to be, once it is verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingEmail>,
    /// Addresses given up lately whose links still undo the change, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<FormerEmail>,
    /// The name given up last, which is kept for its old holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_name: Option<FormerName>,
    /// How many recovery codes of the second factor are left. None while it is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_codes: Option<u64>,
}

impl Account {
    pub fn new(id: UserId, email: Email, verified: bool) -> Self {
        Self {
            id,
            email,
            verified,
            posts: 0,
            following: 0,
            waiting: 0,
            stored: 0,
            moderator: false,
            settings: Settings::default(),
            deleted: false,
            verify_link: None,
            export_link: None,
            pending: None,
            former: Vec::new(),
            former_name: None,
            recovery_codes: None,
        }
    }

    /// The address to be, while the link that verifies it is good.
    pub fn awaited(&self, now: Timestamp) -> Option<&PendingEmail> {
        let sent = |pending: &PendingEmail| Timestamp::from_millis(pending.link.timestamp_ms());
        self.pending.as_ref().filter(|pending| sent(pending) + MailAction::VerifyEmail.lifetime() > now)
    }
}

/// An address that waits to be verified, and then takes the other's place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingEmail {
    pub email: Email,
    /// The link that verifies it.
    pub link: Ulid,
    /// Until when a link in a mail to the present address undoes the change. None where that one was never verified: it
    /// may be a stranger's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_until: Option<Timestamp>,
}

/// An address that a link can bring back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerEmail {
    pub email: Email,
    pub until: Timestamp,
}

/// A username that is kept for its old holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerName {
    pub name: Username,
    pub until: Timestamp,
}

/// The password hash and the second factor: an item of its own that only signing in reads, and what asks for them again.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    pub id: UserId,
    pub hash: String,
    /// Networks that signed in before, by name; a stranger's failures don't slow them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<String>,
    /// Sessions started with this password or one before it: changing it ends all that there are.
    #[serde(default)]
    pub starts: u64,
    /// No session starts while this is so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    /// Of the links that set a new password, the one that counts: the newest. A new password puts an id here that no link
    /// has. None where an earlier version sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_link: Option<Ulid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<SecondFactor>,
    /// The secret of a second factor that is not confirmed yet, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor_pending: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.id)
    }
}

/// The holder of a username or an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    pub id: UserId,
    /// When given up: until then nobody else may take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_at: Option<Timestamp>,
    /// Seconds since the epoch: the end of what was given up. DynamoDB deletes days late: readers compare the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
}

impl Guard {
    pub const fn new(id: UserId) -> Self {
        Self { id, free_at: None, ttl: None }
    }

    /// Of what was given up, and is kept for its old holder.
    pub fn kept(id: UserId, until: Timestamp) -> Self {
        Self { id, free_at: Some(until), ttl: Some(until.seconds()) }
    }
}
