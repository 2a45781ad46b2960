//! Keys, in the order of the entity chart.

use super::{END, Key, Range, START};
use crate::clock::Timestamp;
use crate::ids::{
    ActivityId, GroupId, MediaId, NotificationId, PostId, ReportId, ScheduledId, SessionId, UserId, parse_ulid,
};
use crate::models::days::{Hour, Month};
use crate::models::names::NameRow;
use crate::models::notification::{NotificationKind, Topic};
use crate::models::report::ReportStatus;
use crate::models::scheduled::Due;
use crate::models::search::Term;
use crate::models::user::{Email, Username};
use crate::secrets::{base64url, sha256};
use ulid::Ulid;

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
pub const MEMBERSHIP: &str = "H#4#";

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

/// What stands between somebody and all others.
pub fn negatives(user_id: UserId) -> Range {
    Range::starting(user(user_id), NEGATIVE)
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

/// Who is blocked, by the sort key.
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

/// When the edge of a ledger row was made.
pub fn edge_time(sk: &str) -> Option<Timestamp> {
    let edge = Ulid::from_string(sk.split_once('#')?.0).ok()?;
    Some(Timestamp::from_millis(edge.timestamp_ms()))
}

/// The other end of a ledger row.
pub fn other_end(sk: &str) -> Option<UserId> {
    Ulid::from_string(sk.split_once('#')?.1).ok().map(UserId::from_ulid)
}

pub const POST: &str = "T#";
pub const COMMENT: &str = "R#";

pub fn post(id: PostId) -> Key {
    match (id.parent(), id.group()) {
        (None, None) => Key::new(posts_by(id.author).pk, format!("{POST}{}", id.ulid)),
        (None, Some(group)) => Key::new(posts_in(group).pk, format!("{POST}{}.{}", id.ulid, id.author.ulid())),
        (Some(parent), _) => Key::new(comments(parent).pk, format!("{COMMENT}{}.{}", id.ulid, id.author.ulid())),
    }
}

pub fn posts_by(author: UserId) -> Range {
    Range::starting(format!("A#{}", author.ulid()), POST)
}

pub fn posts_in(group: GroupId) -> Range {
    Range::starting(in_group(group).pk, POST)
}

/// All that lies with a group.
pub fn in_group(id: GroupId) -> Range {
    Range::starting(format!("G#{}", id.ulid()), "")
}

pub fn group(id: GroupId) -> Key {
    Key::new(in_group(id).pk, "M")
}

pub const MEMBER: &str = "m#";
pub const JOIN_REQUEST: &str = "q#";

pub fn member(group: GroupId, user_id: UserId) -> Key {
    Key::new(in_group(group).pk, format!("{MEMBER}{}", user_id.ulid()))
}

pub fn members(group: GroupId) -> Range {
    Range::starting(in_group(group).pk, MEMBER)
}

pub fn join_request(group: GroupId, user_id: UserId) -> Key {
    Key::new(in_group(group).pk, format!("{JOIN_REQUEST}{}", user_id.ulid()))
}

pub fn join_requests(group: GroupId) -> Range {
    Range::starting(in_group(group).pk, JOIN_REQUEST)
}

/// One row of a group's by its sort key.
pub fn group_row(group: GroupId, sk: &str) -> Key {
    Key::new(in_group(group).pk, sk)
}

/// A public group in the list of all of them.
pub fn discoverable(id: GroupId) -> Key {
    Key::new(discoverables().pk, id.ulid().to_string())
}

pub fn discoverables() -> Range {
    Range::starting("GD".to_owned(), "")
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

/// Somebody under a beginning of a name of theirs.
pub fn name_row(row: &NameRow, id: UserId) -> Key {
    Key::new(names(&row.beginning).pk, format!("{}#{}", row.order, id.ulid()))
}

pub fn names(beginning: &str) -> Range {
    Range::starting(format!("US#{beginning}"), "")
}

/// Whom a row under a beginning is of.
pub fn named(sk: &str) -> Option<UserId> {
    other_end(sk)
}

/// Of which class it is there.
pub fn name_class(sk: &str) -> Option<char> {
    sk.chars().next()
}

pub fn suggestions(id: UserId) -> Key {
    Key::new(user(id), "SG")
}

pub fn names_indexed(id: UserId) -> Key {
    Key::new(user(id), "SN")
}

pub fn indexed(post: PostId) -> Key {
    Key::new(format!("IX#{}", post.suffix()), "IX")
}

pub const MEDIA: &str = "M#";

pub fn media(id: MediaId) -> Key {
    Key::new(media_of(id.owner).pk, format!("{MEDIA}{}", id.ulid))
}

pub fn media_of(owner: UserId) -> Range {
    Range::starting(format!("M#{}", owner.ulid()), MEDIA)
}

fn loose_since(hour: u64) -> String {
    format!("MX#{hour}")
}

pub fn loose(id: MediaId) -> Key {
    Key::new(loose_since(hour(id.created_at())), id.suffix())
}

/// What came in an hour and belongs to nothing yet.
pub fn loose_in(hour: u64) -> Range {
    Range::starting(loose_since(hour), "")
}

pub fn sweeper() -> Key {
    Key::new("MX", "MX")
}

pub const HOUR_AUDIENCE: &str = "H#";
pub const DAYS: &str = "D#";

pub fn audience(post: PostId) -> Key {
    Key::new(counted(post).pk, "A")
}

pub fn hour_audience(post: PostId, hour: Hour) -> Key {
    Key::new(counted(post).pk, format!("{HOUR_AUDIENCE}{}", hour.number()))
}

pub fn days(post: PostId, month: Month) -> Key {
    Key::new(counted(post).pk, format!("{DAYS}{:05}", month.number()))
}

/// The audience and the days, without the hours.
pub fn analytics(post: PostId) -> Range {
    Range { pk: counted(post).pk, from: "A".into(), to: format!("{DAYS}{END}") }
}

/// All that is counted of a post.
pub fn counted(post: PostId) -> Range {
    Range::starting(format!("V#{}", post.suffix()), "")
}

/// One item of that by its sort key.
pub fn counted_row(counted: &Range, sk: &str) -> Key {
    Key::new(counted.pk(), sk)
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

/// What alike acts are about.
pub struct Target(String);

impl From<Option<PostId>> for Target {
    fn from(post: Option<PostId>) -> Self {
        Self(post.map(PostId::suffix).unwrap_or_default())
    }
}

impl From<&Topic> for Target {
    fn from(topic: &Topic) -> Self {
        topic.group.map_or_else(|| topic.post.into(), |group| Self(group.ulid().to_string()))
    }
}

fn target(kind: NotificationKind, about: impl Into<Target>) -> String {
    format!("{}#{}", kind.as_str(), about.into().0)
}

pub fn notification_done(owner: UserId, kind: NotificationKind, about: impl Into<Target>, actor: UserId) -> Key {
    Key::new(told(owner), format!("D#{}#{}", target(kind, about), actor.ulid()))
}

/// All that is kept of what was told to a user.
pub fn told_to(owner: UserId) -> Range {
    Range::starting(told(owner), "")
}

/// Who was told of as having done this to a post.
pub fn notifications_done(owner: UserId, kind: NotificationKind, post: PostId) -> Range {
    Range::starting(told(owner), &format!("D#{}#", target(kind, Some(post))))
}

pub fn notification_group(owner: UserId, kind: NotificationKind, about: impl Into<Target>) -> Key {
    Key::new(told(owner), format!("G#{}", target(kind, about)))
}

/// That somebody has reported a post.
pub fn reported(post: PostId, reporter: UserId) -> Key {
    Key::new(format!("R#{}", post.suffix()), reporter.ulid().to_string())
}

pub fn report(status: ReportStatus, id: ReportId) -> Key {
    Key::new(reports(status).pk, id.ulid().to_string())
}

pub fn reports(status: ReportStatus) -> Range {
    Range::starting(format!("RQ#{}", status.as_str()), "")
}

/// An entry of the log of moderation, in the month of its id.
pub fn moderation(id: Ulid) -> Key {
    let at = Timestamp::from_millis(id.timestamp_ms()).rfc3339();
    Key::new(format!("ML#{}", at.get(.."2026-11".len()).unwrap_or_default()), id.to_string())
}

/// The entries of a month, such as `2026-11`.
pub fn moderations(month: &str) -> Range {
    Range::starting(format!("ML#{month}"), "")
}

/// The same when that account is gone: a keyed hash of the name, so that its next holder is not made one.
pub fn held_moderator(hash: &str) -> Key {
    Key::new(format!("MOD#{hash}"), "MOD")
}

/// An account that is being removed.
pub fn deletion(user_id: UserId) -> Key {
    Key::new(deletions().pk, user_id.ulid().to_string())
}

pub fn deletions() -> Range {
    Range::starting("DEL".to_owned(), "")
}

/// Who was made a moderator for having the name that the configuration tells.
pub fn moderator_named(name: &Username) -> Key {
    Key::new(format!("MOD#{}", name.folded()), "MOD")
}

/// That an author uses a hashtag.
pub fn tag_use(tag: &str, author: UserId) -> Key {
    Key::new(format!("TA#{tag}"), author.ulid().to_string())
}

/// How many authors of a slot began to use a hashtag in an hour.
pub fn tag_count(slot: u64, hour: u64, tag: &str) -> Key {
    Key::new(format!("TR#{slot}"), format!("{hour:07}#{tag}"))
}

/// The counts of a slot from an hour on.
pub fn tag_counts(slot: u64, from: u64) -> Range {
    Range { pk: format!("TR#{slot}"), from: format!("{from:07}"), to: END.into() }
}

/// Reads the sort key of a count.
pub fn read_tag_count(sk: &str) -> Option<(u64, &str)> {
    let (hour, tag) = sk.split_once('#')?;
    let hour = Some(hour).filter(|hour| hour.len() == 7)?.parse().ok()?;
    Some((hour, tag)).filter(|_| !tag.is_empty())
}

/// The hashtags used most.
pub fn top() -> Key {
    Key::new("TOP", "TOP")
}

/// One of a user's few places for open sockets.
pub fn socket(user_id: UserId, slot: usize) -> Key {
    Key::new(user(user_id), format!("{SOCKET}{slot:02}"))
}

pub const SOCKET: &str = "W#";

pub fn sockets(user_id: UserId) -> Range {
    Range::starting(user(user_id), SOCKET)
}

/// Whose a socket is, by API Gateway's name for it.
pub fn socket_owner(id: &str) -> Key {
    Key::new(format!("WS#{id}"), "WS")
}

/// What somebody did, or who signed in as them.
pub fn activity(user: UserId, id: ActivityId) -> Key {
    Key::new(activities(user).pk, id.ulid().to_string())
}

pub fn activities(user: UserId) -> Range {
    Range::starting(format!("AL#{}", user.ulid()), "")
}
