//! The table: one, single-table design. Nothing else writes a key.
//!
//! ## Entities
//!
//! Ids stand here without their prefixes (`u`, `a`, `b` are users); ULIDs sort by time.
//!
//! | entity | PK | SK | ttl | what it is |
//! |---|---|---|---|---|
//! | Profile | U#u | P | | the public card |
//! | Account | U#u | P#n | | address, settings, posts_count, following_count |
//! | Followers | U#u | P#f | | followers_count and how posts are delivered; only workers write it |
//! | Failures | U#u | G#F | yes | failed sign-ins of the current window |
//! | Credentials | U#u | G#K | | the password hash |
//! | Session | U#u | H#0#session | yes | one sign-in; 10 at most |
//! | Merged | U#u | H#1#author | may | an author followed whose posts are merged at read; about 20; ends if the author comes back |
//! | Uncounted | U#u | H#2#comment | yes | u's own comment, or u's removal of one, that no counter holds yet |
//! | Negative | U#u | H#3#other | yes | unfollowed lately: their rows in the timeline don't show |
//! | Follow | U#a | F#b | | a follows b: the truth |
//! | Like | U#u | L#post | | u likes the post: the truth |
//! | FollowerRow | FL#b | edge#a | | ledger of followers_count, newest first |
//! | FollowingRow | FW#a | edge#b | | ledger of following_count, newest first |
//! | Overflow | FO#b | a | | followers of a merged author who merge enough others: pushed all the same |
//! | LikeRow | LK#post | edge#u | | ledger of likes_count, newest first |
//! | Post | A#author | T#ulid | | a post with its counters |
//! | Comment | C#post | R#ulid.author | | a comment on the post, which is a post itself: the ledger of comments_count, oldest first |
//! | Scheduled | U#u | S#ulid | may | a post that waits for its time; ends a month after it is out |
//! | Due | DUE#hour | ms#u#ulid | | that it waits: what is due is a range of this |
//! | Publisher | DUE | DUE | | the first hour in which something may be due, and the run that is at it |
//! | Posting | W#term | ulid.author | | a post that has the word, hashtag or author |
//! | Indexed | IX#post | IX | | all that a post is found by |
//! | TimelineRow | TL#u | ulid.author | yes | a post in u's timeline |
//! | NameGuard | N#name | N | | who has the username |
//! | EmailGuard | E#hash | E | | who has the address |
//! | MailToken | X#ulid | X | yes | what a mail's token allows |
//! | Idempotency | U#u or IA#hash | I#hash | yes | an answer kept for repeats |
//! | RateLimit | RL#scope | window | yes | calls in a window |
//! | ReadMark | U#u | NM | | unread count, read up to, newest event told |
//! | Notification | U#u | NT#ulid | yes | alike events, grouped |
//! | NotificationEvent | NE#u | E#ulid | yes | one event |
//! | NotificationDone | NE#u | D#kind#target#actor | yes | told already: once per kind, target and actor |
//! | NotificationGroup | NE#u | G#kind#target | yes | the group that alike events join |
//!
//! GSI1 (KEYS_ONLY, sparse: `GSI1PK` = `O#u`) lists what an account left in other partitions; for deletion and export.
//!
//! ## Access patterns
//!
//! E: eventually consistent, S: strongly, C: eventually, but what is missing is looked for again strongly before anybody
//! is refused for it. `H` is the strong query of the viewer's prefix, 1 unit up to 4 KB.
//!
//! | # | question | key condition | read | function |
//! |---|---|---|---|---|
//! | 1 | who asks, and what may they see? | U#u, begins_with H# | S | store::viewers::load |
//! | 2 | whose is this name or address? | N#name / E#hash | C (signing in: S) | store::users::by_name, by_email |
//! | 3 | a profile with its counts | U#u, begins_with P | S (anonymous: C) | store::users::page |
//! | 4 | name cards of many | U#u, P (batch) | C | store::cards::load |
//! | 5 | what signing in needs | U#u, G# to H#0# | S | store::sessions::credentials |
//! | 6 | one session's refresh | U#u, H#0#session | update | store::sessions::refresh |
//! | 7 | does a follow b? | U#a, F#b | E (own: S) | store::follows::follows |
//! | 8 | who follows b? whom does a follow? | FL#b / FW#a | E | store::follows::followers, following |
//! | 9 | one post, or comment | A#author, T#ulid / C#post, R#ulid | S (anonymous, and before a comment by others: C) | store::posts::get |
//! | 10 | an author's posts | A#author, begins_with T# | E (own: S) | store::posts::by_author |
//! | 11 | a timeline | TL#u | E (own: S) | store::timelines::page |
//! | 12 | posts of many ids | A#author, T#ulid (batch) | E (own: S) | store::posts::load |
//! | 13 | which of these do I like? | U#u, L# between | S | store::likes::between |
//! | 14 | what do I like? | U#u, begins_with L# | S | store::likes::by_user |
//! | 15 | who likes this post? | LK#post | E (deleted: S) | store::likes::of_post |
//! | 16 | my notifications | U#u, begins_with NT# | S | store::notifications::page |
//! | 17 | what is newer than this one? | NE#u, E#ulid upwards | E | store::notifications::after |
//! | 18 | how many are unread? | U#u, NM | S | store::notifications::read_mark |
//! | 19 | was this asked before? | U#u / IA#hash, I#hash | C | store::idempotency::find |
//! | 20 | how often lately? | RL#scope, window | update | store::limits::count |
//! | 21 | what does this token allow? | X#ulid, X | S | store::mail_tokens::find |
//! | 22 | comments on a post, replies to a comment | C#post | S (anonymous: E) | store::comments::page |
//! | 23 | a post that waits; mine that wait | U#u, S#ulid / begins_with S# | S | store::scheduled::get, page |
//! | 24 | what is due? | DUE#hour, up to now | S | store::scheduled::due |
//! | 25 | which posts have this word, hashtag or author? | W#term | E | store::search::page |

mod entity;

pub use entity::EntityKey;

use crate::clock::Timestamp;
use crate::ids::{NotificationId, PostId, ScheduledId, SessionId, UserId, parse_ulid};
use crate::models::notification::NotificationKind;
use crate::models::scheduled::Due;
use crate::models::search::Term;
use crate::models::user::{Email, Username};
use crate::secrets::{base64url, sha256};
use ulid::Ulid;

pub const PARTITION_KEY: &str = "PK";
pub const SORT_KEY: &str = "SK";
/// The attribute that DynamoDB's TTL reads: seconds since the epoch.
pub const TTL: &str = "ttl";
/// In items that a single conditional write has left: that write's name.
pub const WRITE: &str = "w";

/// In a post that was edited: what follows from it is not on its way yet.
pub const TODO: &str = "todo";

/// A secondary index, as `template.yaml` must define it; a test compares the two.
#[derive(Debug, PartialEq, Eq)]
pub struct Index {
    pub name: &'static str,
    pub partition_key: &'static str,
    pub sort_key: &'static str,
    pub projection: &'static str,
}

pub const INDEXES: [Index; 1] =
    [Index { name: "GSI1", partition_key: "GSI1PK", sort_key: SORT_KEY, projection: "KEYS_ONLY" }];

/// What an item that a user left in another partition has for the index.
pub fn owner(user: UserId) -> String {
    format!("O#{}", user.ulid())
}

/// The key of one item. Only this file makes one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pk: String,
    sk: String,
}

impl Key {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    pub fn pk(&self) -> &str {
        &self.pk
    }

    pub fn sk(&self) -> &str {
        &self.sk
    }
}

/// Neighbours in one partition: all whose sort key starts with a text, or lies in a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    pk: String,
    from: String,
    to: String,
}

/// Sorts after every character that a key of ours begins a part with.
const END: char = '~';
/// Sorts before them.
const START: &str = "!";

impl Range {
    fn starting(pk: String, prefix: &str) -> Self {
        // No key value may be empty.
        let from = if prefix.is_empty() { START } else { prefix };
        Self { pk, from: from.to_owned(), to: format!("{prefix}{END}") }
    }

    /// Narrowed to what sorts after the given row; `from` and `to` are inclusive, so the row itself is skipped by the caller.
    #[must_use]
    pub fn from(mut self, sk: &str) -> Self {
        self.from = self.from.max(sk.to_owned());
        self
    }

    #[must_use]
    pub fn to(mut self, sk: &str) -> Self {
        self.to = self.to.min(sk.to_owned());
        self
    }

    pub fn pk(&self) -> &str {
        &self.pk
    }

    pub fn bounds(&self) -> (&str, &str) {
        (&self.from, &self.to)
    }
}

/// Keys, in the order of the entity chart.
pub mod key {
    use super::*;

    fn user(id: UserId) -> String {
        format!("U#{}", id.ulid())
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

    /// Failures, credentials and sessions: what signing in needs, side by side.
    pub fn sign_in(id: UserId) -> Range {
        Range { pk: user(id), from: "G#".into(), to: format!("H#0#{END}") }
    }

    pub fn session(user_id: UserId, id: SessionId) -> Key {
        Key::new(user(user_id), format!("{SESSION}{}", id.ulid()))
    }

    pub const SESSION: &str = "H#0#";
    pub const MERGED: &str = "H#1#";
    pub const UNCOUNTED: &str = "H#2#";
    pub const NEGATIVE: &str = "H#3#";

    /// The user whose id follows the prefix in a sort key.
    pub fn ending(sk: &str, prefix: &str) -> Option<UserId> {
        Ulid::from_string(sk.strip_prefix(prefix)?).ok().map(UserId::from_ulid)
    }

    pub fn merged(user_id: UserId, author: UserId) -> Key {
        Key::new(user(user_id), format!("{MERGED}{}", author.ulid()))
    }

    pub fn uncounted(user_id: UserId, comment: PostId) -> Key {
        Key::new(user(user_id), format!("{UNCOUNTED}{}", comment.suffix()))
    }

    /// The post that an uncounted comment is on, by the sort key.
    pub fn commented(sk: &str) -> Option<PostId> {
        PostId::from_suffix(sk.strip_prefix(UNCOUNTED)?).ok()?.parent()
    }

    pub fn negative(user_id: UserId, other: UserId) -> Key {
        Key::new(user(user_id), format!("{NEGATIVE}{}", other.ulid()))
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

    pub fn overflow(author: UserId, follower: UserId) -> Key {
        Key::new(overflows(author).pk, follower.ulid().to_string())
    }

    pub fn overflows(author: UserId) -> Range {
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

    /// The other end of a ledger row.
    pub fn other_end(sk: &str) -> Option<UserId> {
        Ulid::from_string(sk.split_once('#')?.1).ok().map(UserId::from_ulid)
    }

    pub const COMMENT: &str = "R#";

    pub fn post(id: PostId) -> Key {
        match id.parent() {
            None => Key::new(posts_by(id.author).pk, format!("T#{}", id.ulid)),
            Some(parent) => Key::new(comments(parent).pk, format!("{COMMENT}{}.{}", id.ulid, id.author.ulid())),
        }
    }

    pub fn posts_by(author: UserId) -> Range {
        Range::starting(format!("A#{}", author.ulid()), "T#")
    }

    pub fn comments(on: PostId) -> Range {
        Range::starting(format!("C#{}", on.suffix()), COMMENT)
    }

    pub const SCHEDULED: &str = "S#";

    pub fn scheduled(user_id: UserId, id: ScheduledId) -> Key {
        Key::new(user(user_id), format!("{SCHEDULED}{}", id.ulid()))
    }

    pub fn scheduled_by(user_id: UserId) -> Range {
        Range::starting(user(user_id), SCHEDULED)
    }

    /// Milliseconds in an hour: a partition of what is due.
    const HOUR: u64 = 3_600_000;

    /// The hour that a moment is in, since the epoch.
    pub fn hour(at: Timestamp) -> u64 {
        at.millis() / HOUR
    }

    /// When an hour is over.
    pub fn end_of(hour: u64) -> Timestamp {
        Timestamp::from_millis((hour + 1) * HOUR)
    }

    fn due_in(hour: u64) -> String {
        format!("DUE#{hour}")
    }

    pub fn due(Due { at, user, id }: Due) -> Key {
        Key::new(due_in(hour(at)), format!("{:013}#{}#{}", at.millis(), user.ulid(), id.ulid()))
    }

    /// What is due in an hour by this moment.
    pub fn due_by(hour: u64, now: Timestamp) -> Range {
        Range { pk: due_in(hour), from: START.into(), to: format!("{:013}{END}", now.millis()) }
    }

    /// Reads the sort key of what is due.
    pub fn read_due(sk: &str) -> Option<Due> {
        let mut parts = sk.splitn(3, '#');
        let at = parts.next().filter(|at| at.len() == 13)?.parse().ok().map(Timestamp::from_millis)?;
        let mut ulid = || parse_ulid(parts.next()?).ok();
        Some(Due { at, user: UserId::from_ulid(ulid()?), id: ScheduledId::from_ulid(ulid()?) })
    }

    pub fn publisher() -> Key {
        Key::new("DUE", "DUE")
    }

    pub fn posting(term: &Term, post: PostId) -> Key {
        Key::new(postings(term).pk, post.suffix())
    }

    pub fn postings(term: &Term) -> Range {
        Range::starting(format!("W#{}", term.as_str()), "")
    }

    pub fn indexed(post: PostId) -> Key {
        Key::new(format!("IX#{}", post.suffix()), "IX")
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

    pub fn read_mark(owner: UserId) -> Key {
        Key::new(user(owner), "NM")
    }

    pub fn notification(owner: UserId, id: NotificationId) -> Key {
        Key::new(user(owner), format!("NT#{}", id.ulid()))
    }

    pub fn notifications(owner: UserId) -> Range {
        Range::starting(user(owner), "NT#")
    }

    fn told(owner: UserId) -> String {
        format!("NE#{}", owner.ulid())
    }

    pub fn notification_event(owner: UserId, id: NotificationId) -> Key {
        Key::new(told(owner), format!("E#{}", id.ulid()))
    }

    pub fn notification_events(owner: UserId) -> Range {
        Range::starting(told(owner), "E#")
    }

    fn target(kind: NotificationKind, post: Option<PostId>) -> String {
        format!("{}#{}", kind.as_str(), post.map(PostId::suffix).unwrap_or_default())
    }

    pub fn notification_done(owner: UserId, kind: NotificationKind, post: Option<PostId>, actor: UserId) -> Key {
        Key::new(told(owner), format!("D#{}#{}", target(kind, post), actor.ulid()))
    }

    pub fn notification_group(owner: UserId, kind: NotificationKind, post: Option<PostId>) -> Key {
        Key::new(told(owner), format!("G#{}", target(kind, post)))
    }
}

#[cfg(test)]
mod tests;
