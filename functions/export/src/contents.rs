//! Which file of an archive has each kind of item. A new one is asked for by the compiler.

use shared::table::design::EntityKey;

/// A file of every archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum File {
    Profile,
    Settings,
    Sessions,
    Following,
    Followers,
    Blocked,
    Muted,
    Groups,
    GroupRequests,
    Posts,
    GroupPosts,
    Comments,
    Likes,
    Scheduled,
    Media,
    Notifications,
    Activity,
    Reports,
}

impl File {
    pub(crate) const ALL: [Self; 18] = [
        Self::Profile,
        Self::Settings,
        Self::Sessions,
        Self::Following,
        Self::Followers,
        Self::Blocked,
        Self::Muted,
        Self::Groups,
        Self::GroupRequests,
        Self::Posts,
        Self::GroupPosts,
        Self::Comments,
        Self::Likes,
        Self::Scheduled,
        Self::Media,
        Self::Notifications,
        Self::Activity,
        Self::Reports,
    ];

    /// Its name, and what is in it.
    pub(crate) const fn about(self) -> (&'static str, &'static str) {
        match self {
            Self::Profile => ("profile.json", "my profile and address, as GET /users has them"),
            Self::Settings => ("settings.json", "my settings, as GET /users/settings has them"),
            Self::Sessions => ("sessions.json", "where I am signed in, as GET /users/sessions has it"),
            Self::Following => ("following.json", "whom I follow, as GET /users/me/following has them"),
            Self::Followers => ("followers.json", "who follows me, as GET /users/me/followers has them"),
            Self::Blocked => ("blocked.json", "whom I block, as GET /users/blocked has them"),
            Self::Muted => ("muted.json", "whom I mute, likewise"),
            Self::Groups => ("groups.json", "groups that I am in, with my role, as GET /groups has them"),
            Self::GroupRequests => ("group_requests.json", "groups that I ask to join, likewise"),
            Self::Posts => ("posts.json", "my posts, as GET /users/me/posts has them"),
            Self::GroupPosts => ("group_posts.json", "what I shared in groups, likewise"),
            Self::Comments => ("comments.json", "my comments and replies, as GET /posts/{id} has them"),
            Self::Likes => ("likes.json", "posts that I like, as GET /posts/liked has them"),
            Self::Scheduled => ("scheduled.json", "posts that wait for their time, as GET /posts/scheduled has them"),
            Self::Media => {
                ("media.json", "my pictures and videos, as GET /media/{id} has them; the files are in media/")
            }
            Self::Notifications => ("notifications.json", "what I was told, as GET /notifications has it"),
            Self::Activity => ("activity.json", "what I did, and who signed in as me, as GET /activity-log has it"),
            Self::Reports => ("reports.json", "which posts I reported, and why"),
        }
    }
}

/// **Which file has each entity of the chart**; None for what is not in an archive.
pub(crate) const fn file_of(entity: &EntityKey) -> Option<File> {
    Some(match entity {
        EntityKey::Profile(_) | EntityKey::Followers(_) => File::Profile,
        // Its address and counts stand with the profile.
        EntityKey::Account(_) => File::Settings,
        // Without their tokens' hashes.
        EntityKey::Session(..) => File::Sessions,
        EntityKey::Follow { .. } | EntityKey::FollowingRow { .. } => File::Following,
        EntityKey::FollowerRow { .. } => File::Followers,
        EntityKey::Block { .. } => File::Blocked,
        // Muting alone: who blocks me is not mine to know, and unfollowing leaves this only until no late row can come.
        EntityKey::Relationship { .. } => File::Muted,
        EntityKey::Membership { .. } | EntityKey::Member { .. } => File::Groups,
        EntityKey::JoinRequest { .. } => File::GroupRequests,
        // Their views, likes and comments as numbers, which stand in them.
        EntityKey::Post(_) => File::Posts,
        EntityKey::GroupPost(_) => File::GroupPosts,
        EntityKey::Comment(_) => File::Comments,
        EntityKey::Like { .. } => File::Likes,
        EntityKey::Scheduled(..) => File::Scheduled,
        EntityKey::Media(_) => File::Media,
        // Alike events are one there, with the latest who did it.
        EntityKey::Notification(..) | EntityKey::NotificationEvent(..) | EntityKey::ReadMark(_) => File::Notifications,
        EntityKey::Activity(..) => File::Activity,
        // My words; what became of it is the moderators'.
        EntityKey::Reported { .. } | EntityKey::Report(..) => File::Reports,

        // ------------------------------------------------ secrets, or worth nothing without one
        EntityKey::Credentials(_) | EntityKey::MailToken(_) | EntityKey::Idempotency(_) => return None,
        // ------------------------------------------------ others', or what others did
        EntityKey::TimelineRow { .. } | EntityKey::LikeRow { .. } | EntityKey::Group(_) => return None,
        // ------------------------------------------------ derived from what is in it
        EntityKey::Posting { .. }
        | EntityKey::Indexed(_)
        | EntityKey::NameRow { .. }
        | EntityKey::NamesIndexed(_)
        | EntityKey::Suggestions(_)
        | EntityKey::Discoverable(_)
        | EntityKey::MergedAuthor { .. }
        | EntityKey::PushedFollower { .. }
        | EntityKey::TagUse { .. }
        | EntityKey::DueEntry(_)
        | EntityKey::UnattachedMedia(_)
        | EntityKey::NameGuard
        | EntityKey::EmailGuard
        | EntityKey::NotificationDone(_)
        | EntityKey::NotificationGroup(_) => return None,
        // ------------------------------------------------ numbers, of which the sums stand in posts
        EntityKey::Audience(_) | EntityKey::HourAudience { .. } | EntityKey::DailyCounts { .. } => return None,
        // ------------------------------------------------ how the service works at this moment
        EntityKey::Failures(_)
        | EntityKey::PendingCount { .. }
        | EntityKey::RateLimit
        | EntityKey::Socket(..)
        | EntityKey::SocketOwner
        | EntityKey::Publisher
        | EntityKey::CleanupCursor
        | EntityKey::TagCount { .. }
        | EntityKey::TrendingSnapshot => return None,
        // ------------------------------------------------ the service's own books; what I did as a moderator is in my log
        EntityKey::Moderation(_) | EntityKey::ModeratorNamed => return None,
        // ------------------------------------------------ of accounts that get no archive any more
        EntityKey::Deletion(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_by_the_index_has_its_file() {
        let id = "01HF7YAT000000000000000001";
        for (pk, sk, file) in [
            (format!("C#{id}.{id}"), format!("R#{id}.{id}"), Some(File::Comments)),
            (format!("G#{id}"), format!("T#{id}.{id}"), Some(File::GroupPosts)),
            (format!("G#{id}"), format!("q#{id}"), Some(File::GroupRequests)),
            (format!("R#{id}.{id}"), id.to_owned(), Some(File::Reports)),
            (format!("X#{id}"), "X".to_owned(), None),
            (format!("U#{id}"), "G#K".to_owned(), None),
        ] {
            let entity = EntityKey::read(&pk, &sk);
            assert_eq!(entity.as_ref().and_then(file_of), file, "{pk} {sk}");
        }
    }

    #[test]
    fn no_two_files_have_one_name() {
        let names: std::collections::BTreeSet<_> = File::ALL.iter().map(|file| file.about().0).collect();
        assert_eq!(names.len(), File::ALL.len());
    }
}
