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
//! | Failures | U#u | G#F | yes | passwords tried in vain in the current window |
//! | Credentials | U#u | G#K | | the password hash and the second factor |
//! | Session | U#u | H#0#session | yes | one sign-in; 10 at most |
//! | MergedAuthor | U#u | H#1#author | may | an author followed whose posts are merged at read; about 20; ends if the author comes back |
//! | PendingCount | U#u | H#2#comment | yes | u's own comment, or u's removal of one, that no counter holds yet |
//! | Relationship | U#u | H#3#other | may | what u and they have set towards each other: a block by either, u's mute, or that u unfollowed them lately, whose rows in the timeline don't show |
//! | Membership | U#u | H#4#group | | u's role in a group; 50 at most |
//! | Block | U#u | B#act#other | | u blocks them, newest first |
//! | Follow | U#a | F#b | | a follows b: the truth |
//! | Like | U#u | L#post | | u likes the post: the truth |
//! | FollowerRow | FL#b | edge#a | | ledger of followers_count, newest first |
//! | FollowingRow | FW#a | edge#b | | ledger of following_count, newest first |
//! | PushedFollower | FO#b | a | | followers of a merged author who merge enough others: pushed all the same |
//! | LikeRow | LK#post | edge#u | | ledger of likes_count, newest first |
//! | Post | A#author | T#ulid | | a post with its counters |
//! | Comment | C#post | R#ulid.author | | a comment on the post, which is a post itself: the ledger of comments_count, oldest first |
//! | Group | G#g | M | | a group, who moderates it, and members_count |
//! | Member | G#g | m#u | | u is in the group: the truth, and the ledger of members_count |
//! | JoinRequest | G#g | q#u | | u asks to join |
//! | GroupPost | G#g | T#ulid.author | | a post that is shared in the group; comments lie as others do |
//! | Discoverable | GD | group | | a public group, newest first |
//! | Scheduled | U#u | S#ulid | may | a post that waits for its time; ends a month after it is out |
//! | DueEntry | DUE#hour | ms#u#ulid | | that it waits: what is due is a range of this |
//! | Publisher | DUE | DUE | | the first hour in which something may be due, and the run that is at it |
//! | Posting | W#term | ulid.author | | a post that has the word, hashtag or author |
//! | Indexed | IX#post | IX | | all that a post is found by |
//! | NameRow | US#beginning | order#u | | that a name of u begins so, or that u has the interest, or any follower: a whole username first, then whole words, then the most widely followed |
//! | NamesIndexed | U#u | SN | | all that u is found by |
//! | Suggestions | U#u | SG | yes | whom u may want to follow, and why |
//! | Media | M#u | M#ulid | | a picture or video of u's, and what it belongs to |
//! | UnattachedMedia | MX#hour | ulid.u | | one of that hour that belongs to nothing yet |
//! | CleanupCursor | MX | MX | | the first hour in which something unattached may be |
//! | Audience | V#post | A | | who has read the post, as a sketch, and its views by day |
//! | HourAudience | V#post | H#hour | yes | who has read it in an hour: its views |
//! | DailyCounts | V#post | D#month | yes | likes and comments of thirty days, by the day on which they were made |
//! | TimelineRow | TL#u | ulid.author | yes | a post in u's timeline |
//! | NameGuard | N#name or N#hash | N | may | who has the username; or, by a keyed hash alone, that a deleted account had it lately |
//! | EmailGuard | E#hash | E | may | who has the address, or had it lately and may have it back |
//! | MailToken | X#ulid | X | yes | what a mail's token allows |
//! | Idempotency | U#u or IA#hash | I#hash | yes | an answer kept for repeats |
//! | RateLimit | RL#scope | window | yes | calls in a window |
//! | ReadMark | U#u | NM | | unread count, read up to, newest event notified |
//! | Notification | U#u | NT#ulid | yes | alike events, grouped |
//! | NotificationEvent | NE#u | E#ulid | yes | one event |
//! | NotificationDone | NE#u | D#kind#target#actor | yes | notified already: once per kind, target and actor |
//! | NotificationGroup | NE#u | G#kind#target | yes | the group that alike events join |
//! | Reported | R#post | u | | that u has reported the post: once |
//! | Report | RQ#status | ulid | | a report, in the list of its status; it is kept |
//! | Moderation | ML#month | ulid | | who did what as a moderator, and when |
//! | ModeratorNamed | MOD#name or MOD#hash | MOD | | who was made a moderator for having the name that the configuration tells |
//! | TagUse | TA#tag | u | yes | that u uses the hashtag since an hour, and in how many posts |
//! | TagCount | TR#slot | hour#tag | yes | how many authors began to use the hashtag in the hour: the number of such rows |
//! | TrendingSnapshot | TOP | TOP | yes | the hashtags used most, counted anew every five minutes |
//! | Socket | U#u | W#slot | yes | an open WebSocket in one of u's ten places |
//! | SocketOwner | WS#socket | WS | yes | whose it is: all that is known when it closes is its name |
//! | Activity | AL#u | ulid | yes | what u did, or that somebody signed in as u, or failed to |
//! | Deletion | DEL | u | | an account that is being removed, and when it is looked for again what was in flight |
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
//! | 4 | name cards of many | U#u, P (batch) | C | store::user_cards::load |
//! | 5 | what signing in needs | U#u, G#K to H#0# | S | store::sessions::credentials |
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
//! | 17 | what is newer than this one? | NE#u, E#ulid upwards | S | store::notifications::after |
//! | 18 | how many are unread? | U#u, NM | S | store::notifications::read_mark |
//! | 19 | was this asked before? | U#u / IA#hash, I#hash | C | store::idempotency::find |
//! | 20 | how often lately? | RL#scope, window | update | store::rate_limits::count |
//! | 21 | what does this token allow? | X#ulid, X | S | store::mail_tokens::find |
//! | 22 | comments on a post, replies to a comment | C#post | S (anonymous: E) | store::comments::page |
//! | 23 | a post that waits; mine that wait | U#u, S#ulid / begins_with S# | S | store::scheduled::get, page |
//! | 24 | what is due? | DUE#hour, up to now | S | store::scheduled::due |
//! | 25 | which posts have this word, hashtag or author? | W#term | E | store::search::page |
//! | 26 | a picture or video; some of mine | M#u, M#ulid (batch) | S | store::media::get, load |
//! | 27 | what came in an hour and belongs to nothing | MX#hour | S | store::media::unattached |
//! | 28 | what may its author know of a post? | V#post, A to D# | S | store::analytics::of_post |
//! | 29 | who has read the post, and in this hour? | V#post, A / V#post, H#hour | S | store::audience::count |
//! | 30 | who of these is there, and not suspended? | U#u, P (batch) | S | store::users::active, active_among |
//! | 31 | is this a moderator? | U#u, P#n | S | store::moderators::is_one |
//! | 32 | reports of a status; one report | RQ#status / RQ#status, ulid (batch) | S | store::reports::page, get |
//! | 33 | how often was each hashtag used within a day? | TR#slot, hour upwards | E | store::trends::refresh |
//! | 34 | what is trending? | TOP | E | store::trends::top |
//! | 35 | whom do I block? | U#u, begins_with B# | S | store::relationships::blocked |
//! | 36 | what have two users set towards each other? | U#u, H#3#other (batch) | S | store::relationships::get, among |
//! | 37 | whose name begins so? who has this interest? whom do many follow? | US#beginning | E | store::names::page, under |
//! | 38 | whom may somebody want to follow? | U#u, SG | E | store::suggestions::get |
//! | 39 | which sockets has somebody open? | U#u, begins_with W# | S | store::sockets::of_user |
//! | 40 | whose socket was it? | WS#socket | S | store::sockets::closed |
//! | 44 | what did I do, and who signed in as me? | AL#u | S | store::activity::page |
//! | 45 | that I did this | AL#u, ulid | put | store::activity::add |
//! | 47 | a group | G#g, M | S | store::groups::get |
//! | 48 | some groups | G#g, M (batch) | E | store::groups::load |
//! | 49 | which groups is somebody in? | U#u, begins_with H#4# | S | store::groups::memberships |
//! | 50 | what role has somebody in these groups? | U#u, H#4#group (batch) | S | store::groups::roles |
//! | 51 | which public groups are there? | GD | E | store::groups::discover |
//! | 52 | a member; somebody's own rows with some groups | G#g, m#u (batch) | S | store::groups::member, rows_of |
//! | 53 | who is in a group? | G#g, begins_with m# | S | store::groups::members |
//! | 54 | does somebody ask to join, and which groups? | G#g, q#u (batch) | S | store::groups::request_of, requests_of |
//! | 55 | who asks to join a group? | G#g, begins_with q# | S | store::groups::requests |
//! | 56 | what is shared in a group? | G#g, begins_with T# | S | store::posts::in_group |
//! | 59 | what does a deleted group leave? | G#g | S | store::group_removal::remove_group |
//! | 60 | what did an account leave elsewhere? | GSI1: O#u | E | store::deletions::elsewhere |
//! | 61 | which accounts are being removed? | DEL | S | store::deletions::due |
//! | 62 | all of one's own partition | U#u | S | store::deletions::own |
//! | 63 | which posts mention an account? | W#~u | S | store::search::mentioning |
//! | 64 | what did moderators do in a month? | ML#month | S | store::moderators::purge |
//! | 65 | whom do I mute? | U#u, begins_with H#3# | S | store::relationships::muted |
//! | 66 | what of one kind did I leave elsewhere? | GSI1: O#u, SK beginning so | E | store::exports::elsewhere |
//! | 67 | whom does somebody follow, by their ids? | U#u, begins_with F# | S | store::follows::followed |

mod entity;
pub mod key;

pub use entity::EntityKey;

use crate::ids::UserId;

pub const PARTITION_KEY: &str = "PK";
pub const SORT_KEY: &str = "SK";
/// The attribute that DynamoDB's TTL reads: seconds since the epoch.
pub const TTL: &str = "ttl";
/// In items that a single conditional write has left: that write's name.
pub const WRITE_TOKEN: &str = "w";

/// In a post that was edited: what follows from it is not on its way yet.
pub const TODO: &str = "todo";

/// In what is soft-deleted: a worker removes it.
pub const DELETED: &str = "un";

/// In edges, members and requests: the act that created them, whose ULID names their ledger rows.
pub const CREATED_AT: &str = "at";

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

/// The key of one item. Only `key` makes one.
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

#[cfg(test)]
mod tests;
