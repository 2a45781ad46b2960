//! Keys, in the order of the entity chart: accounts, what lies between people, and what keeps order.

use super::{END, Key, Range};
use crate::clock::Timestamp;
use crate::ids::{GroupId, PostId, SessionId, UserId, parse_ulid};
use crate::models::user::{Email, Username};
use crate::secrets::{base64url, sha256};
use ulid::Ulid;

mod content;
mod notifications;

pub use content::*;
pub use notifications::*;

fn user(id: UserId) -> String {
    format!("U#{}", id.ulid())
}

/// All that lies in a user's own partition.
pub fn own(id: UserId) -> Range {
    Range::starting(user(id), "")
}

/// A key as the index, or a row of a range, has it.
pub fn listed(pk: impl Into<String>, sk: impl Into<String>) -> Key {
    Key::new(pk, sk)
}

/// Where nothing lies, for asking whether the table answers.
pub fn ping() -> Key {
    Key::new("PING", "PING")
}

pub fn profile(id: UserId) -> Key {
    Key::new(user(id), "P")
}

pub fn account(id: UserId) -> Key {
    Key::new(user(id), "P#n")
}

pub fn followers(id: UserId) -> Key {
    Key::new(user(id), "P#f")
}

/// Profile, account and followers count.
pub fn profile_page(id: UserId) -> Range {
    Range::starting(user(id), "P")
}

pub fn failures(id: UserId) -> Key {
    Key::new(user(id), "G#F")
}

pub fn credentials(id: UserId) -> Key {
    Key::new(user(id), "G#K")
}

/// Credentials and sessions: what signing in needs, side by side.
pub fn sign_in(id: UserId) -> Range {
    Range { pk: user(id), from: credentials(id).sk, to: format!("H#0#{END}") }
}

pub fn session(user_id: UserId, id: SessionId) -> Key {
    Key::new(user(user_id), format!("{SESSION}{}", id.ulid()))
}

pub const SESSION: &str = "H#0#";
pub const MERGED: &str = "H#1#";
pub const PENDING_COUNT: &str = "H#2#";
pub const RELATIONSHIP: &str = "H#3#";
pub const MEMBERSHIP: &str = "H#4#";

/// The user whose id follows the prefix in a sort key.
pub fn ending(sk: &str, prefix: &str) -> Option<UserId> {
    Ulid::from_string(sk.strip_prefix(prefix)?).ok().map(UserId::from_ulid)
}

pub fn merged_author(user_id: UserId, author: UserId) -> Key {
    Key::new(user(user_id), format!("{MERGED}{}", author.ulid()))
}

pub fn pending_count(user_id: UserId, comment: PostId) -> Key {
    Key::new(user(user_id), format!("{PENDING_COUNT}{}", comment.suffix()))
}

/// The post that an uncounted comment is on, by the sort key.
pub fn commented(sk: &str) -> Option<PostId> {
    PostId::from_suffix(sk.strip_prefix(PENDING_COUNT)?).ok()?.parent()
}

pub fn relationship(user_id: UserId, other: UserId) -> Key {
    Key::new(user(user_id), format!("{RELATIONSHIP}{}", other.ulid()))
}

/// A user's relationships.
pub fn relationships(user_id: UserId) -> Range {
    Range::starting(user(user_id), RELATIONSHIP)
}

/// That somebody is a member of a group.
pub fn membership(user_id: UserId, group: GroupId) -> Key {
    Key::new(user(user_id), format!("{MEMBERSHIP}{}", group.ulid()))
}

pub fn memberships(user_id: UserId) -> Range {
    Range::starting(user(user_id), MEMBERSHIP)
}

/// The group that somebody is a member of, by the sort key.
pub fn member_of(sk: &str) -> Option<GroupId> {
    parse_ulid(sk.strip_prefix(MEMBERSHIP)?).ok().map(GroupId::from_ulid)
}

pub const BLOCK: &str = "B#";

pub fn block(user_id: UserId, act: Ulid, other: UserId) -> Key {
    Key::new(user(user_id), format!("{BLOCK}{}", edge(act, other)))
}

pub fn blocks(user_id: UserId) -> Range {
    Range::starting(user(user_id), BLOCK)
}

/// The blocked user, by the sort key.
pub fn blocked(sk: &str) -> Option<UserId> {
    other_end(sk.strip_prefix(BLOCK)?)
}

/// All that bears on what this user may see.
pub fn viewer(id: UserId) -> Range {
    Range::starting(user(id), "H#")
}

pub fn merged_authors(id: UserId) -> Range {
    Range::starting(user(id), MERGED)
}

pub const FOLLOW: &str = "F#";
pub const LIKE: &str = "L#";

pub fn follow(from: UserId, to: UserId) -> Key {
    Key::new(user(from), format!("{FOLLOW}{}", to.ulid()))
}

pub fn like(user_id: UserId, post: PostId) -> Key {
    Key::new(user(user_id), format!("{LIKE}{}", post.suffix()))
}

/// A user's follows, by their ids.
pub fn follows(from: UserId) -> Range {
    Range::starting(user(from), FOLLOW)
}

pub fn likes(user_id: UserId) -> Range {
    Range::starting(user(user_id), LIKE)
}

fn edge(edge: Ulid, other: UserId) -> String {
    format!("{edge}#{}", other.ulid())
}

pub fn follower_row(to: UserId, edge_id: Ulid, from: UserId) -> Key {
    Key::new(follower_rows(to).pk, edge(edge_id, from))
}

pub fn follower_rows(to: UserId) -> Range {
    Range::starting(format!("FL#{}", to.ulid()), "")
}

pub fn following_row(from: UserId, edge_id: Ulid, to: UserId) -> Key {
    Key::new(following_rows(from).pk, edge(edge_id, to))
}

pub fn following_rows(from: UserId) -> Range {
    Range::starting(format!("FW#{}", from.ulid()), "")
}

pub fn pushed_follower(author: UserId, follower: UserId) -> Key {
    Key::new(pushed_followers(author).pk, follower.ulid().to_string())
}

pub fn pushed_followers(author: UserId) -> Range {
    Range::starting(format!("FO#{}", author.ulid()), "")
}

pub fn like_row(post: PostId, edge_id: Ulid, user_id: UserId) -> Key {
    Key::new(like_rows(post).pk, edge(edge_id, user_id))
}

pub fn like_rows(post: PostId) -> Range {
    Range::starting(format!("LK#{}", post.suffix()), "")
}

/// A row of a ledger by its sort key.
pub fn ledger_row(ledger: &Range, sk: &str) -> Key {
    Key::new(ledger.pk(), sk)
}

/// When the edge of a ledger row was made.
pub fn edge_time(sk: &str) -> Option<Timestamp> {
    let edge = Ulid::from_string(sk.split_once('#')?.0).ok()?;
    Some(Timestamp::from_millis(edge.timestamp_ms()))
}

/// The other end of a ledger row.
pub fn other_end(sk: &str) -> Option<UserId> {
    Ulid::from_string(sk.split_once('#')?.1).ok().map(UserId::from_ulid)
}

pub fn timeline_row(owner: UserId, post: PostId) -> Key {
    Key::new(timeline(owner).pk, post.suffix())
}

pub fn timeline(owner: UserId) -> Range {
    Range::starting(format!("TL#{}", owner.ulid()), "")
}

pub fn name_guard(name: &Username) -> Key {
    Key::new(format!("N#{}", name.folded()), "N")
}

/// A name that nobody may take for a while, by a keyed hash of it: longer than any name, so that it is never one's.
pub fn held_name(hash: &str) -> Key {
    Key::new(format!("N#{hash}"), "N")
}

pub fn email_guard(email: &Email) -> Key {
    Key::new(format!("E#{}", base64url(&sha256(&[email.folded().as_bytes()])[..16])), "E")
}

pub fn mail_token(id: Ulid) -> Key {
    Key::new(format!("X#{id}"), "X")
}

/// A user's own repeats, or those of anybody who sends the same body under the same key.
pub fn idempotency(scope: Option<UserId>, hash: &str) -> Key {
    Key::new(scope.map_or_else(|| format!("IA#{hash}"), user), format!("I#{hash}"))
}

pub fn rate_limit(scope: &str, window: u64) -> Key {
    Key::new(format!("RL#{scope}"), format!("{window:012}"))
}

/// Its windows.
pub fn rate_limits(scope: &str) -> Range {
    Range::starting(format!("RL#{scope}"), "")
}

/// An account that is being removed.
pub fn deletion(user_id: UserId) -> Key {
    Key::new(deletions().pk, user_id.ulid().to_string())
}

pub fn deletions() -> Range {
    Range::starting("DEL".to_owned(), "")
}

/// The moderator who was appointed for having the configured name.
pub fn moderator_named(name: &Username) -> Key {
    Key::new(format!("MOD#{}", name.folded()), "MOD")
}
