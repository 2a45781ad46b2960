//! Groups.

use super::fields::{FieldValue, Refusal, bounded, text};
use crate::clock::Timestamp;
use crate::ids::{GroupId, GroupVisibility, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use ulid::Ulid;

/// Groups that somebody may be a member of. Each is a row of some 80 bytes in the prefix that every request of theirs reads,
/// so that all of them together cost a unit at most.
pub const MAX_GROUPS: usize = 50;
/// Owners and moderators of a group: they stand in the group's own item, and each is told of every request to join.
pub const MAX_STAFF: usize = 50;

/// What somebody may do in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// All that moderators may, and name others' roles, and delete the group.
    Owner,
    /// Lets people in, removes members, posts and comments, and describes the group.
    Moderator,
    Member,
}

impl Role {
    pub const fn moderates(self) -> bool {
        matches!(self, Self::Owner | Self::Moderator)
    }

    /// Whether somebody in this role may remove a member in the other one.
    pub const fn removes(self, other: Self) -> bool {
        matches!((self, other), (Self::Owner, _) | (Self::Moderator, Self::Member))
    }
}

impl FieldValue for Role {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        match text(value)?.as_ref() {
            "owner" => Ok(Self::Owner),
            "moderator" => Ok(Self::Moderator),
            "member" => Ok(Self::Member),
            _ => Err(("invalid", "One of: owner, moderator, member.".into())),
        }
    }
}

impl FieldValue for GroupVisibility {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        match text(value)?.as_ref() {
            "public" => Ok(Self::Public),
            "private" => Ok(Self::Private),
            _ => Err(("invalid", "One of: public, private.".into())),
        }
    }
}

impl FieldValue for GroupId {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        text(value)?.parse().map_err(|_| ("invalid_id", "This is not a group's id.".into()))
    }
}

/// A group's name: 1 to 80 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct GroupName(String);

impl GroupName {
    /// Grapheme clusters.
    pub const MAX: usize = 80;
}

impl FieldValue for GroupName {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        bounded(value, Self::MAX, 8 * Self::MAX, false).map(Self)
    }
}

/// What a group is about: up to 1,000 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct Description(String);

impl Description {
    /// Grapheme clusters.
    pub const MAX: usize = 1_000;
}

impl FieldValue for Description {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        bounded(value, Self::MAX, 4 * Self::MAX, true).map(Self)
    }
}

/// A group as it lies in the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub id: GroupId,
    pub name: GroupName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// Raised by each edit; what `If-Match` compares.
    pub ver: u64,
    /// Its owners and moderators; the members' own rows say the same.
    pub staff: BTreeMap<UserId, Role>,
    /// Raised by each change of those: such a change is held to it, so that of all at once the last owner stays.
    pub sver: u64,
    /// Its counted members; written by the stream's consumer alone.
    #[serde(default)]
    pub members: u64,
    /// It was deleted, and what lies with it is being removed.
    #[serde(default, rename = "un", skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

impl Group {
    /// One that only its maker is in, who is not counted yet.
    pub fn new(id: GroupId, name: GroupName, description: Option<Description>, maker: UserId) -> Self {
        let staff = BTreeMap::from([(maker, Role::Owner)]);
        Self { id, name, description, ver: 1, staff, sver: 1, members: 0, deleted: false }
    }

    /// Who moderates it once somebody has this role, or has left. None where nobody would own it.
    pub fn staff_with(&self, user: UserId, role: Option<Role>) -> Option<BTreeMap<UserId, Role>> {
        let mut staff = self.staff.clone();
        match role.filter(|role| role.moderates()) {
            Some(role) => staff.insert(user, role),
            None => staff.remove(&user),
        };
        staff.values().any(|role| *role == Role::Owner).then_some(staff)
    }
}

/// A member's row: an edge, too (see `store::edges`), which the stream's consumer counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub role: Role,
    /// When they joined.
    pub joined: Timestamp,
    /// Who let them in, where somebody had to; until they are told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<UserId>,
    #[serde(rename = "at")]
    pub created_at: Ulid,
    /// The counter holds it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counted: bool,
    /// They have left.
    #[serde(default, rename = "un", skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

/// A membership in the member's own prefix, which each request of theirs reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub role: Role,
}

/// That somebody asks to join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The act, and its time.
    #[serde(rename = "at")]
    pub created_at: Ulid,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_group_never_loses_its_last_owner() {
        let at = Timestamp::from_millis(1_000);
        let [ann, bob] = [UserId::new(at), UserId::new(at)];
        let name = GroupName::parse(&json!("Waders")).unwrap();
        let mut group = Group::new(GroupId::new(at, GroupVisibility::Private), name, None, ann);
        assert_eq!(group.staff_with(ann, None), None);
        assert_eq!(group.staff_with(ann, Some(Role::Moderator)), None);
        group.staff = group.staff_with(bob, Some(Role::Moderator)).unwrap();
        assert_eq!(group.staff_with(ann, None), None, "a moderator owns nothing");
        group.staff = group.staff_with(bob, Some(Role::Owner)).unwrap();
        assert_eq!(group.staff_with(ann, Some(Role::Member)), Some(BTreeMap::from([(bob, Role::Owner)])));
    }
}
