//! What stands in the table twice.

use super::book::Sides;
use shared::ids::{GroupId, MediaId, NotificationId, PostId, ReportId, UserId};
use shared::models::days::{Counted, Day, Hour};
use shared::models::group::Role;
use shared::models::scheduled::DueEntry;
use ulid::Ulid;

/// Something that two sides of the table tell of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Fact {
    /// A post's counter; its ledger's rows.
    Likes(PostId),
    /// A post's counter; the comments on it that are counted.
    Comments(PostId),
    /// A post's number of views; that of its audience.
    Views(PostId),
    /// What an audience holds of an hour; the viewers of that hour.
    ViewsOf { post: PostId, hour: Hour },
    /// What is counted of a day; the rows of its ledger, or the comments, made on it.
    ByDay { post: PostId, what: Counted, day: Day },
    /// A counted edge; its row in the post's ledger.
    LikeRow { post: PostId, edge: Ulid, user: UserId },
    /// An account's counter; its ledger's rows.
    Followers(UserId),
    /// An account's counter of whom it follows; its ledger's rows.
    Following(UserId),
    /// A counted edge; its row in the ledger of the one who is followed.
    FollowerRow { to: UserId, edge: Ulid, from: UserId },
    /// A counted edge; its row in the ledger of the one who follows.
    FollowingRow { from: UserId, edge: Ulid, to: UserId },
    /// An account's counter; its posts.
    Posts(UserId),
    /// A post; its row in the author's own timeline.
    OwnRow(PostId),
    /// A follower of an author who is merged at read; the row that says so.
    Merging { author: UserId, follower: UserId },
    /// An account's counter; its posts that wait.
    Waiting(UserId),
    /// A picture or video; what holds it: a post, a scheduled post, a profile, or its hour's list.
    Held(MediaId),
    /// An account's count of bytes; those of its pictures and videos.
    Stored(UserId),
    /// A post; what it is found by.
    Indexed(PostId),
    /// A profile that is to be seen; what it is found by.
    Names(UserId),
    /// Under how many beginnings somebody is found; the rows there.
    NameRows(UserId),
    /// A post that waits; its entry in the hour in which it is due.
    DueEntry(DueEntry),
    /// A notification's count; its events.
    Events { owner: UserId, group: NotificationId },
    /// A group's counter; its counted members.
    Members(GroupId),
    /// A member's row with the group; the row in their own prefix. With the same role.
    Member { group: GroupId, user: UserId, role: Role },
    /// Who moderates a group, as its item tells; the member's row that says so.
    Staff { group: GroupId, user: UserId, role: Role },
    /// A public group; that it is in the list of all of them.
    Discoverable(GroupId),
    /// A report; that this person has reported the post.
    Reported { report: ReportId, post: PostId, reporter: UserId },
    /// A count; the authors who use the hashtag since this hour.
    TagCount { hour: u64, tag: String },
    /// How many posts are behind an author's use of a hashtag; those that are noted for it.
    TagUse { tag: String, author: UserId, hour: u64 },
    /// A user's relationship to whom they block; the row in their list.
    Block { user: UserId, act: Ulid, other: UserId },
    /// A user's relationship to whom they block; the other's relationship to them.
    Blocked { user: UserId, other: UserId },
    /// An open socket in a user's place; whose it is, by its name.
    Socket { socket: String, user: UserId, slot: usize },
    /// A profile that says it is deleted; that it is being removed.
    Deletion(UserId),
    /// A profile that says so; the credentials that let nobody in.
    Suspended(UserId),
    /// What an account says of its second factor, and how many recovery codes are left; the credentials, which have them.
    SecondFactor(UserId),
    /// A profile's username; the guard that holds it, by its partition key.
    Name { guard: String, user: UserId },
    /// An account's address; the guard that holds it, by its partition key.
    Address { guard: String, user: UserId },
}

impl Fact {
    /// What is wrong, where the sides differ.
    pub(super) fn finding(&self, sides: &Sides) -> Option<String> {
        let (said, found) = (sides.said.unwrap_or(0), sides.found);
        if said == found {
            return None;
        }
        let counter = |name: &str, of: String, rows: &str| match sides.said {
            Some(said) => format!("{name} of {of} is {said}, its {rows} {found}"),
            None => format!("{of} is gone, but its {rows} {found} for {name}"),
        };
        let lacks = said > found;
        Some(match self {
            Self::Likes(post) => counter("likes_count", post.to_string(), "ledger has"),
            Self::Comments(post) => counter("comments_count", post.to_string(), "comments are"),
            Self::Views(post) => counter("views_count", post.to_string(), "audience has"),
            Self::ViewsOf { post, hour } => {
                counter("the number of views", format!("{post} in the hour {}", hour.number()), "viewers are")
            }
            Self::ByDay { post, what: Counted::Likes, day } => {
                counter("the number of likes", format!("{post} on {}", day.date()), "ledger has")
            }
            Self::ByDay { post, what: Counted::Comments, day } => {
                counter("the number of comments", format!("{post} on {}", day.date()), "comments are")
            }
            Self::Followers(user) => counter("followers_count", user.to_string(), "ledger has"),
            Self::Following(user) => counter("following_count", user.to_string(), "ledger has"),
            Self::Posts(user) => counter("posts_count", user.to_string(), "partition has"),
            Self::Events { owner, group } => counter("n", format!("{group} of {owner}"), "events are"),
            Self::LikeRow { post, edge, user } => {
                pair(lacks, &format!("the like of {post} by {user}"), &format!("the post's ledger (edge {edge})"))
            }
            Self::FollowerRow { to, edge, from } => {
                pair(lacks, &format!("the follow of {to} by {from}"), &format!("the ledger of {to} (edge {edge})"))
            }
            Self::FollowingRow { from, edge, to } => {
                pair(lacks, &format!("the follow of {to} by {from}"), &format!("the ledger of {from} (edge {edge})"))
            }
            Self::OwnRow(post) if lacks => format!("{post} is not in its author's own timeline"),
            Self::OwnRow(post) => format!("{post} is gone, but stands in its author's own timeline"),
            Self::Waiting(user) => counter("the count of waiting posts", user.to_string(), "partition has"),
            Self::Held(media) if lacks => format!("{media} is held by nothing"),
            Self::Held(media) => format!("{media} is held, but not there, or held {found} times"),
            Self::Stored(user) => counter("the count of stored bytes", user.to_string(), "media are"),
            Self::Indexed(post) if lacks => format!("{post} is not indexed"),
            Self::Indexed(post) => format!("{post} is gone, but indexed"),
            Self::Names(user) if lacks => format!("{user} is not found by any name"),
            Self::Names(user) => format!("{user} is gone or suspended, but found by name"),
            Self::NameRows(user) => counter("the number of rows", format!("the names of {user}"), "rows are"),
            Self::DueEntry(DueEntry { user, id, .. }) if lacks => {
                format!("{id} of {user} waits, but is not due at its time")
            }
            Self::DueEntry(DueEntry { user, id, .. }) => format!("{id} of {user} does not wait, but is due"),
            Self::Merging { author, follower } if lacks => {
                format!("{follower} follows {author}, but merges no posts of it")
            }
            Self::Merging { author, follower } if said == 0 => {
                format!("{follower} merges {author}, but does not follow")
            }
            Self::Merging { author, follower } => format!("{follower} merges {author} and is pushed to as well"),
            Self::Members(group) => counter("members_count", group.to_string(), "members are"),
            Self::Member { group, user, .. } if lacks => {
                format!("{user} is a member of {group}, but sees nothing of it, or in another role")
            }
            Self::Member { group, user, .. } => {
                format!("{user} sees {group}, but is no member, or in another role")
            }
            Self::Staff { group, user, .. } if lacks => {
                format!("{group} tells that {user} moderates it, who is no member, or in another role")
            }
            Self::Staff { group, user, .. } => {
                format!("{user} moderates {group}, which does not tell so, or of another role")
            }
            Self::Discoverable(group) if lacks => format!("{group} is public, but not in the list"),
            Self::Discoverable(group) => format!("{group} is gone, but in the list of public groups"),
            Self::Reported { report, post, reporter } if found == 0 => {
                format!("{report} lies in {said} lists, but nothing says that {reporter} has reported {post}")
            }
            Self::Reported { report, post, reporter } => {
                format!("{reporter} has reported {post}, but {report} lies in {said} lists")
            }
            Self::TagCount { hour, tag } => {
                format!("the count of #{tag} in hour {hour} is {said}, but {found} authors use it since")
            }
            Self::TagUse { tag, author, hour } => {
                format!("{author} uses #{tag} since hour {hour} in {said} posts, but {found} are noted for it")
            }
            Self::Block { user, other, .. } if lacks => format!("{user} blocks {other}, but has no row in the list"),
            Self::Block { user, other, .. } => format!("{user} does not block {other}, but has a row in the list"),
            Self::Blocked { user, other } if lacks => format!("{user} blocks {other}, who sees nothing of it"),
            Self::Blocked { user, other } => format!("{other} is blocked by {user}, who does not block"),
            Self::Socket { user, slot, .. } if lacks => {
                format!("{user} has a socket in place {slot}, whose name is not theirs")
            }
            Self::Socket { user, slot, .. } => format!("a socket's name is {user}'s in place {slot}, where it is not"),
            Self::Deletion(user) if lacks => format!("{user} is deleted, but nobody removes what it left"),
            Self::Deletion(user) => format!("{user} is not deleted, but being removed"),
            Self::Suspended(user) if lacks => format!("{user} is suspended, but may sign in"),
            Self::Suspended(user) => format!("{user} is not suspended, but may not sign in"),
            Self::SecondFactor(user) if found == 0 => format!("{user} says it has a second factor, but has none"),
            Self::SecondFactor(user) if said == 0 => format!("{user} has a second factor, but says it has none"),
            Self::SecondFactor(user) => {
                format!("{user} says that {} recovery codes are left, but has {}", said - 1, found - 1)
            }
            Self::Name { guard, user } if lacks => {
                format!("{user} has a username that no guard ({guard}) holds for it")
            }
            Self::Name { guard, user } => format!("the guard {guard} holds a username for {user}, who has another"),
            Self::Address { guard, user } if lacks => {
                format!("{user} has an address that no guard ({guard}) holds for it")
            }
            Self::Address { guard, user } => format!("the guard {guard} holds an address for {user}, who has another"),
        })
    }
}

/// An edge and its ledger row, of which one is there too many.
fn pair(lacks: bool, edge: &str, ledger: &str) -> String {
    match lacks {
        true => format!("{edge} is counted, but has no row in {ledger}"),
        false => format!("{edge} is not counted, but has a row in {ledger}"),
    }
}
