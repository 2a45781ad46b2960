//! Keys of what people make, where it is shared, and how it is found and counted.

use super::{other_end, user};
use crate::clock::Timestamp;
use crate::ids::{GroupId, MediaId, PostId, ScheduledId, UserId, parse_ulid};
use crate::models::days::{Hour, Month};
use crate::models::names::NameRow;
use crate::models::scheduled::DueEntry;
use crate::models::search::Term;
use crate::table::design::{END, Key, Range, START};

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

pub fn due(DueEntry { at, user, id }: DueEntry) -> Key {
    Key::new(due_in(hour(at)), format!("{:013}#{}#{}", at.millis(), user.ulid(), id.ulid()))
}

/// What is due in an hour by this moment.
pub fn due_by(hour: u64, now: Timestamp) -> Range {
    Range { pk: due_in(hour), from: START.into(), to: format!("{:013}{END}", now.millis()) }
}

/// Reads the sort key of what is due.
pub fn read_due(sk: &str) -> Option<DueEntry> {
    let mut parts = sk.splitn(3, '#');
    let at = parts.next().filter(|at| at.len() == 13)?.parse().ok().map(Timestamp::from_millis)?;
    let mut ulid = || parse_ulid(parts.next()?).ok();
    Some(DueEntry { at, user: UserId::from_ulid(ulid()?), id: ScheduledId::from_ulid(ulid()?) })
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

/// The user of a row under a beginning.
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

pub fn unattached_media(id: MediaId) -> Key {
    Key::new(loose_since(hour(id.created_at())), id.suffix())
}

/// What came in an hour and belongs to nothing yet.
pub fn unattached_media_in(hour: u64) -> Range {
    Range::starting(loose_since(hour), "")
}

pub fn cleanup_cursor() -> Key {
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
