//! The deletion action of each entity that an account leaves. The compiler asks for that of a new one.

use futures::{StreamExt, TryStreamExt};
use shared::App;
use shared::error::Result;
use shared::ids::UserId;
use shared::jobs::{FanoutJob, IndexJob, Job, NotifyJob};
use shared::limits::PURGED_AT_ONCE;
use shared::models::socket::Socket;
use shared::store::{
    comments, deletions, follows, groups, likes, notification_cleanup, posts, relationships, scheduled, sockets,
};
use shared::table::Read;
use shared::table::design::{EntityKey, Key};

/// An item of the account's own partition, or one that the index lists, of which the key alone is known.
pub(crate) struct Found {
    key: Key,
    entity: EntityKey,
}

impl Found {
    /// None where the key is of no row of the chart; the audit tells of such.
    pub(crate) fn new(key: Key) -> Option<Self> {
        let entity = EntityKey::read(key.pk(), key.sk())?;
        Some(Self { key, entity })
    }
}

/// Applies the deletion action to each item found.
pub(crate) async fn apply(app: &App, user: UserId, found: Vec<Found>) -> Result<()> {
    let actions = found.into_iter().map(|found| action(app, user, found)).collect::<Vec<_>>();
    let done = futures::stream::iter(actions).buffer_unordered(PURGED_AT_ONCE);
    let done: Vec<DeletionAction> = done.try_collect().await?;
    let (mut keys, mut jobs) = (Vec::new(), Vec::new());
    for one in done {
        match one {
            DeletionAction::Removed(key) => keys.push(key),
            DeletionAction::Left(job) => jobs.push(job),
            DeletionAction::Done => {}
        }
    }
    // First: what is removed tells nobody any more that there was something to do.
    app.jobs().send(jobs).await?;
    deletions::remove(app, keys).await
}

enum DeletionAction {
    /// It goes as it stands.
    Removed(Key),
    /// A worker does the rest.
    Left(Job),
    /// It is done, or another step does it.
    Done,
}

/// **What becomes of each entity of the chart.**
async fn action(app: &App, me: UserId, Found { key, entity }: Found) -> Result<DeletionAction> {
    match entity {
        // ------------------------------------------------ its own partition
        // They say that the account is deleted, and go last.
        EntityKey::Profile(_) | EntityKey::Account(_) | EntityKey::Followers(_) | EntityKey::Deletion(_) => {}
        EntityKey::Failures(_)
        | EntityKey::Credentials(_)
        | EntityKey::Session(..)
        | EntityKey::MergedAuthor { .. }
        | EntityKey::PendingCount { .. }
        | EntityKey::Suggestions(_)
        | EntityKey::ReadMark(_)
        | EntityKey::Notification(..)
        | EntityKey::Idempotency(_) => return Ok(DeletionAction::Removed(key)),
        // As if it took them back itself, so that the stream's consumer takes them off the counters.
        EntityKey::Follow { from, to } => follows::end(app, from, to).await?,
        EntityKey::Like { user, post } => drop(likes::set(app, user, post, false).await?),
        EntityKey::Scheduled(user, id) => match scheduled::get(app, user, id).await? {
            // One that is published at this moment is a post for the next pass.
            Some(waiting) if waiting.post.is_none() => drop(scheduled::cancel(app, user, &waiting).await?),
            _ => return Ok(DeletionAction::Removed(key)),
        },
        EntityKey::Membership { group, .. } => groups::end(app, group, me).await?,
        // The function that closes it removes it.
        EntityKey::Socket(user, slot) => {
            if let Some(Socket { session, .. }) = sockets::at(app, user, slot).await? {
                return Ok(DeletionAction::Left(Job::Notify(NotifyJob::SessionEnded { user, session })));
            }
        }
        // With the relationship, or for want of that.
        EntityKey::Block { user, other, .. } => {
            relationships::unblock(app, user, other).await?;
            return Ok(DeletionAction::Removed(key));
        }
        EntityKey::NamesIndexed(user) => return Ok(DeletionAction::Left(Job::Index(IndexJob::Person { user }))),
        // Both sides of a block go together, and with them its row in the list.
        EntityKey::Relationship { user, other } if user == me => {
            relationships::unblock(app, user, other).await?;
            return Ok(DeletionAction::Removed(key));
        }

        // ------------------------------------------------ others' partitions, found by the index
        // A block, a muting, or that they unfollowed it: with its posts in their timeline.
        EntityKey::Relationship { user, other } => {
            if relationships::purge(app, user, other).await? {
                return Ok(DeletionAction::Left(Job::Fanout(FanoutJob::Unfollowed { from: user, to: other })));
            }
        }
        EntityKey::Comment(id) => comments::end(app, id).await?,
        EntityKey::GroupPost(id) => {
            if let Some(post) = posts::get(app, id, Read::Strong).await? {
                posts::delete(app, &post).await?;
            }
        }
        EntityKey::Member { group, .. } => groups::end(app, group, me).await?,
        EntityKey::JoinRequest { .. } => return Ok(DeletionAction::Removed(key)),
        EntityKey::NotificationEvent(owner, id) => notification_cleanup::purge_event(app, owner, id).await?,
        EntityKey::NotificationDone(_) | EntityKey::MailToken(_) => return Ok(DeletionAction::Removed(key)),
        // A former name, held for the rest of its time.
        EntityKey::NameGuard => deletions::hold_former_name(app, me, &key).await?,
        EntityKey::ModeratorNamed => deletions::hold_moderator(app, &key).await?,

        // ------------------------------------------------ steps of their own
        // With its posts go their timeline row, and by the stream likes, comments, counts and postings; its tag uses are
        // taken back with the posts, or over before the last pass.
        EntityKey::Post(_)
        | EntityKey::TimelineRow { .. }
        | EntityKey::LikeRow { .. }
        | EntityKey::Audience(_)
        | EntityKey::HourAudience { .. }
        | EntityKey::DailyCounts { .. }
        | EntityKey::Posting { .. }
        | EntityKey::Indexed(_)
        | EntityKey::TagUse { .. } => {}
        // With its follows, or its followers', counted down by the stream's consumer.
        EntityKey::FollowerRow { .. } | EntityKey::FollowingRow { .. } | EntityKey::PushedFollower { .. } => {}
        // With its media: the files, and then the item.
        EntityKey::Media(_) | EntityKey::UnattachedMedia(_) => {}
        // With what waits.
        EntityKey::DueEntry(_) => {}
        // By the job that is sent when the profile says it is deleted.
        EntityKey::NameRow { .. } => {}
        // What it was told, as one range.
        EntityKey::NotificationGroup(_) => {}
        // With the lists of reports, which are looked through: of what it wrote they go, of what it did it goes.
        EntityKey::Reported { .. } | EntityKey::Report(..) | EntityKey::Moderation(_) => {}
        // With the socket.
        EntityKey::SocketOwner => {}
        // A range of its own; what others did to it stays in their logs until it expires there.
        EntityKey::Activity(..) => {}
        // By the request itself.
        EntityKey::EmailGuard => {}
        // Ranges that its id names.
        EntityKey::RateLimit => {}

        // ------------------------------------------------ nobody's
        EntityKey::Group(_) | EntityKey::Discoverable(_) => {}
        EntityKey::Publisher | EntityKey::CleanupCursor | EntityKey::TagCount { .. } | EntityKey::TrendingSnapshot => {}
    }
    Ok(DeletionAction::Done)
}
