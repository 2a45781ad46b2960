//! The entity chart, read from the key.

use super::{Key, key};
use crate::ids::{
    ActivityId, GroupId, MediaId, NotificationId, PostId, ReportId, ScheduledId, SessionId, UserId, parse_ulid,
};
use crate::limits::TREND_SLOTS;
use crate::models::days::{Hour, Month};
use crate::models::names::NameRow;
use crate::models::notification::NotificationKind;
use crate::models::report::ReportStatus;
use crate::models::scheduled::DueEntry;
use crate::models::search::Term;
use crate::models::socket::MAX_SOCKETS;
use ulid::Ulid;

/// What lies at a key. Hashes and the windows of counters are left out, for nobody reads them back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EntityKey {
    Profile(UserId),
    Account(UserId),
    Followers(UserId),
    Failures(UserId),
    Credentials(UserId),
    Session(UserId, SessionId),
    MergedAuthor { user: UserId, author: UserId },
    PendingCount { user: UserId, comment: PostId },
    Relationship { user: UserId, other: UserId },
    Membership { user: UserId, group: GroupId },
    Block { user: UserId, act: Ulid, other: UserId },
    Follow { from: UserId, to: UserId },
    Like { user: UserId, post: PostId },
    FollowerRow { to: UserId, edge: Ulid, from: UserId },
    FollowingRow { from: UserId, edge: Ulid, to: UserId },
    PushedFollower { author: UserId, follower: UserId },
    LikeRow { post: PostId, edge: Ulid, user: UserId },
    Post(PostId),
    Comment(PostId),
    Group(GroupId),
    Member { group: GroupId, user: UserId },
    JoinRequest { group: GroupId, user: UserId },
    GroupPost(PostId),
    Discoverable(GroupId),
    Scheduled(UserId, ScheduledId),
    DueEntry(DueEntry),
    Publisher,
    Posting { term: Term, post: PostId },
    Indexed(PostId),
    NameRow { row: NameRow, user: UserId },
    NamesIndexed(UserId),
    Suggestions(UserId),
    Media(MediaId),
    UnattachedMedia(MediaId),
    CleanupCursor,
    Audience(PostId),
    HourAudience { post: PostId, hour: Hour },
    DailyCounts { post: PostId, month: Month },
    TimelineRow { owner: UserId, post: PostId },
    NameGuard,
    EmailGuard,
    MailToken(Ulid),
    Idempotency(Option<UserId>),
    RateLimit,
    ReadMark(UserId),
    Notification(UserId, NotificationId),
    NotificationEvent(UserId, NotificationId),
    NotificationDone(UserId),
    NotificationGroup(UserId),
    Reported { post: PostId, reporter: UserId },
    Report(ReportStatus, ReportId),
    Moderation(Ulid),
    ModeratorNamed,
    TagUse { tag: String, author: UserId },
    TagCount { hour: u64, tag: String },
    TrendingSnapshot,
    Socket(UserId, usize),
    SocketOwner,
    Activity(UserId, ActivityId),
    Deletion(UserId),
}

impl EntityKey {
    /// Reads a key; None where it has the form of no row of the chart.
    pub fn read(pk: &str, sk: &str) -> Option<Self> {
        if pk == key::publisher().pk() {
            return (sk == key::publisher().sk()).then_some(Self::Publisher);
        }
        if pk == key::cleanup_cursor().pk() {
            return (sk == key::cleanup_cursor().sk()).then_some(Self::CleanupCursor);
        }
        if pk == key::top().pk() {
            return (sk == key::top().sk()).then_some(Self::TrendingSnapshot);
        }
        if pk == key::discoverables().pk() {
            return group(sk).filter(|group| !group.is_private()).map(Self::Discoverable);
        }
        if pk == key::deletions().pk() {
            return user(sk).map(Self::Deletion);
        }
        let (partition, id) = pk.split_once('#')?;
        match partition {
            "U" => Self::of_user(user(id)?, sk),
            "FL" => ledger_row(sk).and_then(|(edge, from)| Some(Self::FollowerRow { to: user(id)?, edge, from })),
            "FW" => ledger_row(sk).and_then(|(edge, to)| Some(Self::FollowingRow { from: user(id)?, edge, to })),
            "LK" => ledger_row(sk).and_then(|(edge, user)| Some(Self::LikeRow { post: post(id)?, edge, user })),
            "FO" => Some(Self::PushedFollower { author: user(id)?, follower: user(sk)? }),
            "A" => Some(Self::Post(PostId::of(parse_ulid(sk.strip_prefix(key::POST)?).ok()?, user(id)?))),
            "C" => {
                let comment = post(&format!("{}.{id}", sk.strip_prefix(key::COMMENT)?))?;
                // A half of one and the post itself would read as something shared in a group.
                (key::post(comment) == Key::new(pk, sk)).then_some(Self::Comment(comment))
            }
            "G" => Self::of_group(group(id)?, sk),
            "DUE" => key::read_due(sk).filter(|due| key::due(*due).pk() == pk).map(Self::DueEntry),
            "W" => Some(Self::Posting { term: Term::from_key(id)?, post: post(sk)? }),
            "US" => {
                let (order, user) = sk.split_once('#').and_then(|(order, id)| Some((order, user(id)?)))?;
                let beginning = Some(id.to_owned()).filter(|beginning| !beginning.is_empty())?;
                let is_order = order.len() == 3 && order.bytes().all(|byte| byte.is_ascii_digit());
                is_order.then(|| Self::NameRow { row: NameRow { beginning, order: order.to_owned() }, user })
            }
            "IX" => Some(Self::Indexed(post(id).filter(|_| sk == "IX")?)),
            "M" => {
                let ulid = parse_ulid(sk.strip_prefix(key::MEDIA)?).ok()?;
                Some(Self::Media(MediaId { ulid, owner: user(id)? }))
            }
            "MX" => MediaId::from_suffix(sk)
                .ok()
                .filter(|id| key::unattached_media(*id).pk() == pk)
                .map(Self::UnattachedMedia),
            "V" => Self::of_counts(post(id)?, sk),
            "TL" => Some(Self::TimelineRow { owner: user(id)?, post: post(sk)? }),
            "N" => (sk == "N").then_some(Self::NameGuard),
            "E" => (sk == "E").then_some(Self::EmailGuard),
            "X" => Some(Self::MailToken(parse_ulid(id).ok().filter(|_| sk == "X")?)),
            "IA" => (sk.strip_prefix("I#")? == id).then_some(Self::Idempotency(None)),
            "RL" => sk.bytes().all(|byte| byte.is_ascii_digit()).then_some(Self::RateLimit),
            "NE" => Self::of_told(user(id)?, sk),
            "R" => Some(Self::Reported { post: post(id)?, reporter: user(sk)? }),
            "RQ" => Some(Self::Report(ReportStatus::named(id)?, ReportId::from_ulid(parse_ulid(sk).ok()?))),
            "ML" => parse_ulid(sk).ok().filter(|entry| key::moderation(*entry).pk() == pk).map(Self::Moderation),
            "TA" => Some(Self::TagUse { tag: Some(id.to_owned()).filter(|tag| !tag.is_empty())?, author: user(sk)? }),
            "TR" if id.parse().is_ok_and(|slot: u64| slot < TREND_SLOTS) => {
                key::read_tag_count(sk).map(|(hour, tag)| Self::TagCount { hour, tag: tag.to_owned() })
            }
            "WS" => (sk == "WS").then_some(Self::SocketOwner),
            "AL" => Some(Self::Activity(user(id)?, ActivityId::from_ulid(parse_ulid(sk).ok()?))),
            "MOD" => (sk == "MOD").then_some(Self::ModeratorNamed),
            _ => None,
        }
    }

    /// What lies in a user's own partition.
    fn of_user(id: UserId, sk: &str) -> Option<Self> {
        match sk {
            "P" => return Some(Self::Profile(id)),
            "P#n" => return Some(Self::Account(id)),
            "P#f" => return Some(Self::Followers(id)),
            "G#F" => return Some(Self::Failures(id)),
            "G#K" => return Some(Self::Credentials(id)),
            "NM" => return Some(Self::ReadMark(id)),
            "SN" => return Some(Self::NamesIndexed(id)),
            "SG" => return Some(Self::Suggestions(id)),
            _ => {}
        }
        let after = |prefix: &str| sk.strip_prefix(prefix);
        if let Some(session) = after(key::SESSION) {
            Some(Self::Session(id, SessionId::from_ulid(parse_ulid(session).ok()?)))
        } else if let Some(author) = after(key::MERGED) {
            Some(Self::MergedAuthor { user: id, author: user(author)? })
        } else if let Some(comment) = after(key::PENDING_COUNT) {
            let comment = post(comment).filter(|comment| comment.parent().is_some())?;
            Some(Self::PendingCount { user: id, comment })
        } else if let Some(other) = after(key::RELATIONSHIP) {
            Some(Self::Relationship { user: id, other: user(other)? })
        } else if sk.starts_with(key::MEMBERSHIP) {
            Some(Self::Membership { user: id, group: key::member_of(sk)? })
        } else if let Some(row) = after(key::BLOCK) {
            ledger_row(row).map(|(act, other)| Self::Block { user: id, act, other })
        } else if let Some(to) = after(key::FOLLOW) {
            Some(Self::Follow { from: id, to: user(to)? })
        } else if let Some(liked) = after(key::LIKE) {
            Some(Self::Like { user: id, post: post(liked)? })
        } else if let Some(scheduled) = after(key::SCHEDULED) {
            Some(Self::Scheduled(id, ScheduledId::from_ulid(parse_ulid(scheduled).ok()?)))
        } else if let Some(slot) = after(key::SOCKET) {
            Some(Self::Socket(id, slot.parse().ok().filter(|slot| *slot < MAX_SOCKETS)?))
        } else if let Some(notification) = after("NT#") {
            Some(Self::Notification(id, NotificationId::from_ulid(parse_ulid(notification).ok()?)))
        } else {
            after("I#").map(|_| Self::Idempotency(Some(id)))
        }
    }

    /// What lies with a group.
    fn of_group(group: GroupId, sk: &str) -> Option<Self> {
        if sk == key::group(group).sk() {
            return Some(Self::Group(group));
        }
        if let Some(member) = sk.strip_prefix(key::MEMBER) {
            Some(Self::Member { group, user: user(member)? })
        } else if let Some(requester) = sk.strip_prefix(key::JOIN_REQUEST) {
            Some(Self::JoinRequest { group, user: user(requester)? })
        } else {
            let (ulid, author) = sk.strip_prefix(key::POST)?.split_once('.')?;
            Some(Self::GroupPost(PostId::shared_in(Some(group), parse_ulid(ulid).ok()?, user(author)?)))
        }
    }

    /// What is counted of a post.
    fn of_counts(post: PostId, sk: &str) -> Option<Self> {
        if sk == "A" {
            Some(Self::Audience(post))
        } else if let Some(hour) = sk.strip_prefix(key::HOUR_AUDIENCE) {
            Some(Self::HourAudience { post, hour: Hour::parse(hour)? })
        } else {
            Some(Self::DailyCounts { post, month: Month::parse(sk.strip_prefix(key::DAYS)?)? })
        }
    }

    /// What is kept of the notifications that were told to a user.
    fn of_told(id: UserId, sk: &str) -> Option<Self> {
        let (kind, rest) = sk.split_once('#')?;
        match kind {
            "E" => Some(Self::NotificationEvent(id, NotificationId::from_ulid(parse_ulid(rest).ok()?))),
            "D" => rest.rsplit_once('#').and_then(|(target, actor)| {
                is_target(target).then_some(Self::NotificationDone(user(actor).map(|_| id)?))
            }),
            "G" => is_target(rest).then_some(Self::NotificationGroup(id)),
            _ => None,
        }
    }

    /// Its name in the chart.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Profile(_) => "Profile",
            Self::Account(_) => "Account",
            Self::Followers(_) => "Followers",
            Self::Failures(_) => "Failures",
            Self::Credentials(_) => "Credentials",
            Self::Session(..) => "Session",
            Self::MergedAuthor { .. } => "MergedAuthor",
            Self::PendingCount { .. } => "PendingCount",
            Self::Relationship { .. } => "Relationship",
            Self::Membership { .. } => "Membership",
            Self::Block { .. } => "Block",
            Self::Follow { .. } => "Follow",
            Self::Like { .. } => "Like",
            Self::FollowerRow { .. } => "FollowerRow",
            Self::FollowingRow { .. } => "FollowingRow",
            Self::PushedFollower { .. } => "PushedFollower",
            Self::LikeRow { .. } => "LikeRow",
            Self::Post(_) => "Post",
            Self::Comment(_) => "Comment",
            Self::Group(_) => "Group",
            Self::Member { .. } => "Member",
            Self::JoinRequest { .. } => "JoinRequest",
            Self::GroupPost(_) => "GroupPost",
            Self::Discoverable(_) => "Discoverable",
            Self::Scheduled(..) => "Scheduled",
            Self::DueEntry(_) => "DueEntry",
            Self::Publisher => "Publisher",
            Self::Posting { .. } => "Posting",
            Self::Indexed(_) => "Indexed",
            Self::NameRow { .. } => "NameRow",
            Self::NamesIndexed(_) => "NamesIndexed",
            Self::Suggestions(_) => "Suggestions",
            Self::Media(_) => "Media",
            Self::UnattachedMedia(_) => "UnattachedMedia",
            Self::CleanupCursor => "CleanupCursor",
            Self::Audience(_) => "Audience",
            Self::HourAudience { .. } => "HourAudience",
            Self::DailyCounts { .. } => "DailyCounts",
            Self::TimelineRow { .. } => "TimelineRow",
            Self::NameGuard => "NameGuard",
            Self::EmailGuard => "EmailGuard",
            Self::MailToken(_) => "MailToken",
            Self::Idempotency(_) => "Idempotency",
            Self::RateLimit => "RateLimit",
            Self::ReadMark(_) => "ReadMark",
            Self::Notification(..) => "Notification",
            Self::NotificationEvent(..) => "NotificationEvent",
            Self::NotificationDone(_) => "NotificationDone",
            Self::NotificationGroup(_) => "NotificationGroup",
            Self::Reported { .. } => "Reported",
            Self::Report(..) => "Report",
            Self::Moderation(_) => "Moderation",
            Self::ModeratorNamed => "ModeratorNamed",
            Self::TagUse { .. } => "TagUse",
            Self::TagCount { .. } => "TagCount",
            Self::TrendingSnapshot => "TrendingSnapshot",
            Self::Socket(..) => "Socket",
            Self::SocketOwner => "SocketOwner",
            Self::Activity(..) => "Activity",
            Self::Deletion(_) => "Deletion",
        }
    }

    /// Whether every item of its kind ends by a ttl.
    pub const fn expires(&self) -> bool {
        matches!(
            self,
            Self::Failures(_)
                | Self::Session(..)
                | Self::PendingCount { .. }
                | Self::HourAudience { .. }
                | Self::DailyCounts { .. }
                | Self::TimelineRow { .. }
                | Self::MailToken(_)
                | Self::Idempotency(_)
                | Self::RateLimit
                | Self::Notification(..)
                | Self::NotificationEvent(..)
                | Self::NotificationDone(_)
                | Self::NotificationGroup(_)
                | Self::Suggestions(_)
                | Self::TagUse { .. }
                | Self::TagCount { .. }
                | Self::TrendingSnapshot
                | Self::Socket(..)
                | Self::SocketOwner
                | Self::Activity(..)
        )
    }
}

fn user(text: &str) -> Option<UserId> {
    parse_ulid(text).ok().map(UserId::from_ulid)
}

fn group(text: &str) -> Option<GroupId> {
    parse_ulid(text).ok().map(GroupId::from_ulid)
}

fn post(suffix: &str) -> Option<PostId> {
    PostId::from_suffix(suffix).ok()
}

/// `edge#other`
fn ledger_row(sk: &str) -> Option<(Ulid, UserId)> {
    let (edge, other) = sk.split_once('#')?;
    Some((parse_ulid(edge).ok()?, user(other)?))
}

/// `kind#post` or `kind#group`, where either may be missing.
fn is_target(text: &str) -> bool {
    text.split_once('#').is_some_and(|(kind, target)| {
        NotificationKind::ALL.iter().any(|known| known.as_str() == kind)
            && (target.is_empty() || post(target).is_some() || group(target).is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_another_form_is_no_entity() {
        let id = "01HF7YAT000000000000000001";
        let user = format!("U#{id}");
        for sk in ["P", "NM", &format!("F#{id}"), &format!("L#{id}.{id}"), &format!("NT#{id}"), "I#any"] {
            assert!(EntityKey::read(&user, sk).is_some(), "{sk}");
        }
        for (pk, sk) in [
            ("PING", "PING"),
            (&user, "P#x"),
            (&user, "F#"),
            (&user, &format!("F#{}", id.to_lowercase())),
            (&user, &format!("F#{id}#")),
            (&user, &format!("H#2#{id}")),
            ("U#", "P"),
            ("U#1", "P"),
            (&format!("LK#{id}"), &format!("{id}#{id}")),
            (&format!("FL#{id}"), id),
            (&format!("A#{id}"), id),
            (&format!("C#{id}.{id}"), &format!("R#{id}")),
            (&format!("C#{id}.{id}.{id}.{id}.{id}.{id}"), &format!("R#{id}.{id}")),
            (&user, &format!("H#2#{id}.{id}")),
            ("N#ann", "E"),
            ("DUE", "P"),
            ("DUE#472222", &format!("1700000000007#{id}")),
            ("DUE#472223", &format!("1700000000007#{id}#{id}")),
            ("IA#one", "I#other"),
            (&format!("V#{id}.{id}"), "H#"),
            (&format!("V#{id}.{id}"), "D#x"),
            (&format!("V#{id}"), "A"),
            ("RL#login", "soon"),
            (&format!("NE#{id}"), &format!("G#wave#{id}.{id}")),
            (&format!("NE#{id}"), "D#like#"),
            ("RQ#closed", id),
            (&format!("G#{id}"), "m#"),
            (&format!("G#{id}"), &format!("T#{id}")),
            ("G#1", "M"),
            ("GD", id),
            (&user, "H#4#1"),
            ("ML#2023-10", id),
            ("TOP", "top"),
            ("TR#9", "0472222#tide"),
            ("TR#0", "472222#tide"),
            ("TA#", id),
            (&format!("AL#{id}"), "P"),
        ] {
            assert_eq!(EntityKey::read(pk, sk), None, "{pk} {sk}");
        }
    }
}
