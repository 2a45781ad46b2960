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
//! | Negative | U#u | H#3#other | yes | unfollowed lately: their rows in the timeline don't show |
//! | Follow | U#a | F#b | | a follows b: the truth |
//! | Like | U#u | L#post | | u likes the post: the truth |
//! | FollowerRow | FL#b | edge#a | | ledger of followers_count, newest first |
//! | FollowingRow | FW#a | edge#b | | ledger of following_count, newest first |
//! | Overflow | FO#b | a | | followers of a merged author who merge enough others: pushed all the same |
//! | LikeRow | LK#post | edge#u | | ledger of likes_count, newest first |
//! | Post | A#author | T#ulid | | a post with its counters |
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
//! | 9 | one post | A#author, T#ulid | S (anonymous: C) | store::posts::get |
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

mod entity;

pub use entity::EntityKey;

use crate::ids::{NotificationId, PostId, SessionId, UserId};
use crate::models::notification::NotificationKind;
use crate::models::user::{Email, Username};
use crate::secrets::{base64url, sha256};
use ulid::Ulid;

pub const PARTITION_KEY: &str = "PK";
pub const SORT_KEY: &str = "SK";
/// The attribute that DynamoDB's TTL reads: seconds since the epoch.
pub const TTL: &str = "ttl";
/// In items that a single conditional write has left: that write's name.
pub const WRITE: &str = "w";

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
    pub const NEGATIVE: &str = "H#3#";

    /// The user whose id follows the prefix in a sort key.
    pub fn ending(sk: &str, prefix: &str) -> Option<UserId> {
        Ulid::from_string(sk.strip_prefix(prefix)?).ok().map(UserId::from_ulid)
    }

    pub fn merged(user_id: UserId, author: UserId) -> Key {
        Key::new(user(user_id), format!("{MERGED}{}", author.ulid()))
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

    pub fn post(id: PostId) -> Key {
        Key::new(posts_by(id.author).pk, format!("T#{}", id.ulid))
    }

    pub fn posts_by(author: UserId) -> Range {
        Range::starting(format!("A#{}", author.ulid()), "T#")
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
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn sample() -> (UserId, UserId, PostId, Ulid) {
        let ulid = |n: u128| Ulid::from_parts(1_700_000_000_000, n);
        let (a, b) = (UserId::from_ulid(ulid(1)), UserId::from_ulid(ulid(2)));
        (a, b, PostId { ulid: ulid(3), author: b }, ulid(4))
    }

    /// A changed key is a migration: it should show as a changed line here.
    #[test]
    fn keys() {
        let (a, b, post, edge) = sample();
        let shown = |key: Key| format!("{} {}", key.pk, key.sk).replace("01HF7YAT00000000000000000", "_");
        let name = Username::from_path("Ann").unwrap();
        let kind = NotificationKind::Like;
        let keys = [
            (key::profile(a), "U#_1 P"),
            (key::account(a), "U#_1 P#n"),
            (key::followers(a), "U#_1 P#f"),
            (key::failures(a), "U#_1 G#F"),
            (key::credentials(a), "U#_1 G#K"),
            (key::session(a, SessionId::from_ulid(edge)), "U#_1 H#0#_4"),
            (key::merged(a, b), "U#_1 H#1#_2"),
            (key::negative(a, b), "U#_1 H#3#_2"),
            (key::follow(a, b), "U#_1 F#_2"),
            (key::like(a, post), "U#_1 L#_3._2"),
            (key::follower_row(b, edge, a), "FL#_2 _4#_1"),
            (key::following_row(a, edge, b), "FW#_1 _4#_2"),
            (key::overflow(b, a), "FO#_2 _1"),
            (key::like_row(post, edge, a), "LK#_3._2 _4#_1"),
            (key::post(post), "A#_2 T#_3"),
            (key::timeline_row(a, post), "TL#_1 _3._2"),
            (key::name_guard(&name), "N#ann N"),
            (key::mail_token(edge), "X#_4 X"),
            (key::idempotency(Some(a), "h"), "U#_1 I#h"),
            (key::idempotency(None, "h"), "IA#h I#h"),
            (key::rate_limit("login", 7), "RL#login 000000000007"),
            (key::read_mark(a), "U#_1 NM"),
            (key::notification(a, NotificationId::from_ulid(edge)), "U#_1 NT#_4"),
            (key::notification_event(a, NotificationId::from_ulid(edge)), "NE#_1 E#_4"),
            (key::notification_done(a, kind, Some(post), b), "NE#_1 D#like#_3._2#_2"),
            (key::notification_group(a, kind, None), "NE#_1 G#like#"),
        ];
        for (key, expected) in keys {
            assert_eq!(shown(key), expected);
        }
    }

    #[test]
    fn ranges_hold_what_they_name() {
        let (a, b, post, edge) = sample();
        let holds = |range: Range, key: Key| range.pk == key.pk && range.from <= key.sk && key.sk <= range.to;
        assert!(holds(key::profile_page(a), key::profile(a)) && holds(key::profile_page(a), key::followers(a)));
        assert!(holds(key::sign_in(a), key::credentials(a)) && holds(key::sign_in(a), key::failures(a)));
        assert!(holds(key::sign_in(a), key::session(a, SessionId::new(Timestamp::from_millis(1)))));
        assert!(!holds(key::sign_in(a), key::merged(a, b)));
        assert!(holds(key::viewer(a), key::negative(a, b)) && !holds(key::viewer(a), key::credentials(a)));
        assert!(holds(key::likes(a), key::like(a, post)) && holds(key::like_rows(post), key::like_row(post, edge, a)));
        assert_eq!(key::other_end(key::like_row(post, edge, a).sk()), Some(a));
    }
}
