//! Ids: opaque to clients, prefixed by kind, sorted by creation.
//!
//! A [ULID](https://github.com/ulid/spec) holds 48 bits of milliseconds and 80 random ones; its text form sorts
//! as its bytes do. No id contains `#`, the separator of table keys.

use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use ulid::Ulid;

/// The text is no id of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct InvalidId;

/// A ULID as a regular expression, for the documentation.
macro_rules! ulid_pattern {
    () => {
        "[0-7][0-9A-HJKMNP-TV-Z]{25}"
    };
}

/// A ULID and that of an account.
macro_rules! pair_pattern {
    () => {
        concat!(ulid_pattern!(), "\\.", ulid_pattern!())
    };
}

pub(crate) fn parse_ulid(text: &str) -> Result<Ulid, InvalidId> {
    // One spelling per id: lower case would be a second one.
    let ulid = Ulid::from_string(text).map_err(|_| InvalidId)?;
    (ulid.to_string() == text).then_some(ulid).ok_or(InvalidId)
}

/// A new ULID for the given moment.
pub fn new_ulid(at: Timestamp) -> Ulid {
    let random = Ulid::from_bytes(crate::secrets::random_bytes());
    Ulid::from_parts(at.millis(), random.random())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        id!(made_otherwise $(#[$doc])* $name, $prefix);

        impl $name {
            pub fn new(at: Timestamp) -> Self {
                Self(new_ulid(at))
            }
        }
    };
    (made_otherwise $(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Ulid);

        impl $name {
            pub const PREFIX: &str = $prefix;

            pub const fn from_ulid(ulid: Ulid) -> Self {
                Self(ulid)
            }

            pub const fn ulid(self) -> Ulid {
                self.0
            }

            /// When this was created.
            pub fn created_at(self) -> Timestamp {
                Timestamp::from_millis(self.0.timestamp_ms())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix($prefix).ok_or(InvalidId).and_then(parse_ulid).map(Self)
            }
        }

        string_forms!($name, $prefix, ulid_pattern!());
    };
}

macro_rules! string_forms {
    ($name:ident, $prefix:literal, $($pattern:expr),+) => {
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some(concat!("An opaque id; starts with `", $prefix, "` and sorts by creation.")))
                    .pattern(Some(concat!("^", $prefix, $($pattern),+, "$")))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

id!(
    /// An account.
    UserId, "usr_"
);
id!(
    /// A sign-in: one device, until it signs out.
    SessionId, "ses_"
);
id!(
    /// A notification, or a group of alike ones, named by its first event.
    NotificationId, "ntf_"
);

id!(
    /// A row of the activity log.
    ActivityId, "act_"
);
id!(
    /// A post that waits for its time.
    ScheduledId, "sch_"
);
id!(
    /// A report of a post.
    ReportId, "rpt_"
);
id!(
    made_otherwise
    /// A group. Whether it is private is fixed when it is made, and told by the id, so that who may see what is shared
    /// in it is decided without reading the group: the lowest bit of the random ones is set where it is.
    GroupId, "grp_"
);

impl GroupId {
    pub fn new(at: Timestamp, visibility: GroupVisibility) -> Self {
        let ulid = new_ulid(at);
        Self(match visibility {
            GroupVisibility::Public => Ulid(ulid.0 & !1),
            GroupVisibility::Private => Ulid(ulid.0 | 1),
        })
    }

    pub const fn visibility(self) -> GroupVisibility {
        if self.0.0 & 1 == 1 { GroupVisibility::Private } else { GroupVisibility::Public }
    }

    pub const fn is_private(self) -> bool {
        matches!(self.visibility(), GroupVisibility::Private)
    }
}

/// Who sees what is shared in a group: everybody, or its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Visibility)]
pub enum GroupVisibility {
    Public,
    Private,
}

/// A post, or a comment, which is a post below another one. The id names its author, all that it stands below and the
/// group that it is shared in, so that a post is one `GetItem`, a list one `Query`, and what a comment belongs to is known
/// without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PostId {
    pub ulid: Ulid,
    pub author: UserId,
    below: Below,
    /// Of a comment, the group of what it stands below.
    group: Option<GroupId>,
}

/// What a post stands below, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Below {
    Nothing,
    Post(Link),
    Comment(Link, Link),
}

type Link = (Ulid, UserId);

impl PostId {
    /// Sorts before every post.
    pub const OLDEST: Self = Self::of(Ulid::nil(), UserId::from_ulid(Ulid::nil()));

    pub fn new(at: Timestamp, author: UserId) -> Self {
        Self::of(new_ulid(at), author)
    }

    /// A post that stands by itself.
    pub const fn of(ulid: Ulid, author: UserId) -> Self {
        Self::shared_in(None, ulid, author)
    }

    /// A post that stands by itself, shared in a group or in none.
    pub const fn shared_in(group: Option<GroupId>, ulid: Ulid, author: UserId) -> Self {
        Self { ulid, author, below: Below::Nothing, group }
    }

    /// The group that it is shared in.
    pub const fn group(self) -> Option<GroupId> {
        self.group
    }

    /// Whether others than the members of a group may see it.
    pub const fn is_open(self) -> bool {
        !matches!(self.group, Some(group) if group.is_private())
    }

    /// A comment on this one. None below a reply: replies are one level deep.
    pub const fn comment(self, ulid: Ulid, author: UserId) -> Option<Self> {
        let link = (self.ulid, self.author);
        let below = match self.below {
            Below::Nothing => Below::Post(link),
            Below::Post(post) => Below::Comment(link, post),
            Below::Comment(..) => return None,
        };
        Some(Self { ulid, author, below, group: self.group })
    }

    /// What it is a comment on.
    pub const fn parent(self) -> Option<Self> {
        let group = self.group;
        match self.below {
            Below::Nothing => None,
            Below::Post((ulid, author)) => Some(Self::shared_in(group, ulid, author)),
            Below::Comment((ulid, author), post) => Some(Self { ulid, author, below: Below::Post(post), group }),
        }
    }

    /// All that it stands below, the nearest first.
    pub fn parents(self) -> impl Iterator<Item = Self> {
        std::iter::successors(self.parent(), |id| id.parent())
    }

    /// Its author, and those of what it stands below: any of them may delete it.
    pub fn authors(self) -> Vec<UserId> {
        std::iter::once(self).chain(self.parents()).map(|id| id.author).collect()
    }

    /// Sorts before every post made at this time or later, and after those made before.
    pub const fn first_at(at: Timestamp) -> Self {
        Self::of(Ulid::from_parts(at.millis(), 0), UserId::from_ulid(Ulid::nil()))
    }

    pub fn created_at(self) -> Timestamp {
        Timestamp::from_millis(self.ulid.timestamp_ms())
    }

    /// The part after the prefix, `<ulid>.<author>` and the same of all that it stands below, then `.<group>` of what is
    /// shared in one: what sort keys hold.
    pub fn suffix(self) -> String {
        let own = format!("{}.{}", self.ulid, self.author.ulid());
        let text = self.parents().fold(own, |text, id| format!("{text}.{}.{}", id.ulid, id.author.ulid()));
        self.group.map_or_else(|| text.clone(), |group| format!("{text}.{}", group.ulid()))
    }

    /// Reads what [`Self::suffix`] wrote.
    pub fn from_suffix(text: &str) -> Result<Self, InvalidId> {
        let parts: Vec<Ulid> = text.split('.').map(parse_ulid).collect::<Result<_, _>>()?;
        let (links, group) = parts.as_chunks::<2>();
        let group = group.first().copied().map(GroupId::from_ulid);
        let (root, below) = links.split_last().ok_or(InvalidId)?;
        let root = Self::shared_in(group, root[0], UserId::from_ulid(root[1]));
        let comment = |on: Self, [ulid, author]: &[Ulid; 2]| on.comment(*ulid, UserId::from_ulid(*author));
        below.iter().rev().try_fold(root, comment).ok_or(InvalidId)
    }
}

impl fmt::Display for PostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pst_{}", self.suffix())
    }
}

impl FromStr for PostId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.strip_prefix("pst_").ok_or(InvalidId).and_then(Self::from_suffix)
    }
}

string_forms!(PostId, "pst_", pair_pattern!(), "(?:\\.", pair_pattern!(), "){0,2}(?:\\.", ulid_pattern!(), ")?");

/// A picture or video. The id names whose it is, so that it is one `GetItem`, and nobody attaches another's unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct MediaId {
    pub ulid: Ulid,
    pub owner: UserId,
}

impl MediaId {
    pub fn new(at: Timestamp, owner: UserId) -> Self {
        Self { ulid: new_ulid(at), owner }
    }

    pub fn created_at(self) -> Timestamp {
        Timestamp::from_millis(self.ulid.timestamp_ms())
    }

    /// The part after the prefix, `<ulid>.<owner>`: what sort keys hold.
    pub fn suffix(self) -> String {
        format!("{}.{}", self.ulid, self.owner.ulid())
    }

    /// Reads what [`Self::suffix`] wrote.
    pub fn from_suffix(text: &str) -> Result<Self, InvalidId> {
        let (ulid, owner) = text.split_once('.').ok_or(InvalidId)?;
        Ok(Self { ulid: parse_ulid(ulid)?, owner: UserId::from_ulid(parse_ulid(owner)?) })
    }
}

impl fmt::Display for MediaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "med_{}", self.suffix())
    }
}

impl FromStr for MediaId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.strip_prefix("med_").ok_or(InvalidId).and_then(Self::from_suffix)
    }
}

string_forms!(MediaId, "med_", pair_pattern!());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_their_text_and_sort_by_time() {
        let early = UserId::new(Timestamp::from_millis(1_000));
        let late = UserId::new(Timestamp::from_millis(2_000));
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
        let post = PostId::new(Timestamp::from_millis(3_000), early);
        assert_eq!(post.to_string().parse(), Ok(post));
        assert_eq!(PostId::from_suffix(&post.suffix()), Ok(post));
        assert_eq!(post.created_at().millis(), 3_000);
    }

    #[test]
    fn a_comment_names_what_it_stands_below() {
        let [ann, bob] = [1_000, 2_000].map(|ms| UserId::new(Timestamp::from_millis(ms)));
        let ulid = |ms| new_ulid(Timestamp::from_millis(ms));
        let post = PostId::new(Timestamp::from_millis(3_000), ann);
        let comment = post.comment(ulid(4_000), bob).unwrap();
        let reply = comment.comment(ulid(5_000), ann).unwrap();
        assert_eq!(reply.comment(ulid(6_000), bob), None);
        assert_eq!(reply.parents().collect::<Vec<_>>(), [comment, post]);
        for id in [post, comment, reply] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert!(post < comment && comment < reply);
        let deeper = format!("{}.{}", PostId::of(ulid(7_000), bob), reply.suffix());
        assert_eq!(deeper.parse::<PostId>(), Err(InvalidId));
    }

    #[test]
    fn a_post_names_the_group_it_is_shared_in() {
        let at = Timestamp::from_millis(1_000);
        for visibility in [GroupVisibility::Public, GroupVisibility::Private] {
            let group = GroupId::new(at, visibility);
            assert_eq!((group.visibility(), group.to_string().parse()), (visibility, Ok(group)));
            let ann = UserId::new(at);
            let post = PostId::shared_in(Some(group), new_ulid(at), ann);
            let reply = post.comment(new_ulid(at), ann).and_then(|id| id.comment(new_ulid(at), ann)).unwrap();
            assert_eq!(reply.parents().last(), Some(post));
            for id in [post, reply] {
                assert_eq!(id.to_string().parse(), Ok(id));
                assert_eq!((id.group(), id.is_open()), (Some(group), visibility == GroupVisibility::Public));
            }
        }
    }

    #[test]
    fn other_texts_are_no_ids() {
        let id = UserId::new(Timestamp::from_millis(1)).to_string();
        for text in ["", "usr_", "me", &id[1..], &id.to_lowercase(), &format!("{id}#"), &id.replace("usr", "pst")] {
            assert_eq!(text.parse::<UserId>(), Err(InvalidId), "{text}");
        }
        assert_eq!("pst_1.2".parse::<PostId>(), Err(InvalidId));
    }
}
