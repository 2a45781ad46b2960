//! What a pass goes through. Each page is read strongly where it can be, and is done again without harm.

use crate::actions::{self, Found};
use futures::{StreamExt, TryStreamExt};
use shared::App;
use shared::clock::Timestamp;
use shared::error::{Error, Result};
use shared::http::rate_limits::{Action, READ};
use shared::ids::UserId;
use shared::jobs::{FilesJob, IndexJob, Job, PurgeStep};
use shared::limits::{PURGE_PAGE, PURGED_AT_ONCE};
use shared::models::report::ReportStatus;
use shared::store::{deletions, follows, media, moderators, posts, relationships, reports, search};
use shared::table::Read;
use shared::table::design::key;

pub(crate) const fn next(step: PurgeStep) -> PurgeStep {
    match step {
        PurgeStep::Close => PurgeStep::Posts,
        PurgeStep::Posts => PurgeStep::Own,
        PurgeStep::Own => PurgeStep::Followers,
        PurgeStep::Followers => PurgeStep::Elsewhere,
        PurgeStep::Elsewhere => PurgeStep::Notifications,
        PurgeStep::Notifications => PurgeStep::Acts,
        PurgeStep::Acts => PurgeStep::Timeline,
        PurgeStep::Timeline => PurgeStep::Media,
        PurgeStep::Media => PurgeStep::Mentions,
        PurgeStep::Mentions => PurgeStep::Reports,
        PurgeStep::Reports => PurgeStep::Moderation,
        PurgeStep::Moderation => PurgeStep::Limits,
        PurgeStep::Limits => PurgeStep::Files,
        PurgeStep::Files | PurgeStep::End => PurgeStep::End,
    }
}

/// Does a page of a step, and answers where the next one begins; None when the step is done.
pub(crate) async fn page(app: &App, user: UserId, step: PurgeStep, after: Option<&str>) -> Result<Option<String>> {
    match step {
        PurgeStep::Close => {
            deletions::close_following(app, user).await?;
            app.jobs().send(vec![Job::Index(IndexJob::Person { user })]).await.map(|()| None)
        }
        PurgeStep::Posts => {
            let (mine, next) = posts::by_author(app, user, posts::TOGETHER, after, Read::Strong).await?;
            posts::delete_all(app, user, &mine).await.map(|()| next)
        }
        PurgeStep::Own => {
            let (rows, next) = deletions::own(app, user, PURGE_PAGE, after).await?;
            let found = rows.into_iter().filter_map(|(key, _)| Found::new(key)).collect();
            actions::apply(app, user, found).await.map(|()| next)
        }
        PurgeStep::Elsewhere => {
            let (keys, next) = deletions::elsewhere(app, user, PURGE_PAGE, after).await?;
            let found = keys.into_iter().filter_map(Found::new).collect();
            actions::apply(app, user, found).await.map(|()| next)
        }
        PurgeStep::Followers => followers(app, user, after).await,
        PurgeStep::Notifications => deletions::wipe(app, &key::notification_rows(user), after).await,
        PurgeStep::Acts => deletions::wipe(app, &key::activities(user), after).await,
        PurgeStep::Timeline => deletions::wipe(app, &key::timeline(user), after).await,
        PurgeStep::Media => files_of(app, user, after).await,
        PurgeStep::Mentions => mentions(app, user, after).await,
        PurgeStep::Reports => {
            list(ReportStatus::ALL, after, |status, after| {
                let after = after.map(str::to_owned);
                async move { reports::purge(app, user, status, after.as_deref()).await }
            })
            .await
        }
        PurgeStep::Moderation => {
            list(&months(user.created_at(), app.now()), after, |month, after| {
                let after = after.map(str::to_owned);
                async move { moderators::purge(app, user, &month, after.as_deref()).await }
            })
            .await
        }
        PurgeStep::Limits => {
            let names = Action::ALL.map(|action| action.quota().name);
            let scopes: Vec<String> = names.into_iter().chain([READ, "notification-mail"]).map(str::to_owned).collect();
            list(&scopes, after, |name, after| {
                let (range, after) = (key::rate_limits(&format!("{name}#{}", user.ulid())), after.map(str::to_owned));
                async move { deletions::wipe(app, &range, after.as_deref()).await }
            })
            .await
        }
        PurgeStep::Files => Ok(app.media().remove_owned(user).await?.then(String::new)),
        PurgeStep::End => Ok(None),
    }
}

/// Goes through several lists, a page at a time: `n|after` is where, in the list of this number.
async fn list<T: Clone, F: Future<Output = Result<Option<String>>>>(
    lists: &[T],
    after: Option<&str>,
    page: impl Fn(T, Option<&str>) -> F,
) -> Result<Option<String>> {
    let (n, after) = match after.and_then(|after| after.split_once('|')) {
        Some((n, after)) => (n.parse::<usize>().map_err(Error::internal)?, Some(after).filter(|text| !text.is_empty())),
        None => (0, None),
    };
    let Some(one) = lists.get(n) else { return Ok(None) };
    Ok(match page(one.clone(), after).await? {
        Some(next) => Some(format!("{n}|{next}")),
        None if n + 1 < lists.len() => Some(format!("{}|", n + 1)),
        None => None,
    })
}

/// The months from one moment to another, such as `2026-11`.
fn months(from: Timestamp, to: Timestamp) -> Vec<String> {
    let month = |at: Timestamp| {
        let text = at.rfc3339();
        let mut parts = text.split('-').filter_map(|part| part.parse::<u32>().ok());
        parts.next().unwrap_or(1970) * 12 + parts.next().unwrap_or(1) - 1
    };
    (month(from)..=month(to)).map(|month| format!("{:04}-{:02}", month / 12, month % 12 + 1)).collect()
}

/// Its followers unfollow it, as they would themselves: what that leaves tells a later pass whose timeline is to be cleaned
/// once more.
async fn followers(app: &App, user: UserId, after: Option<&str>) -> Result<Option<String>> {
    let rows = follows::follower_rows(app, user, PURGE_PAGE, after).await?;
    let followers: Vec<UserId> = rows.items.iter().filter_map(|row| key::other_end(row.sk())).collect();
    let unfollow = async |from: UserId| -> Result<()> {
        let known = relationships::get(app, from, user).await?;
        if known.is_block() {
            return follows::end(app, from, user).await;
        }
        follows::unfollow(app, from, user, known).await
    };
    let unfollowed = followers.into_iter().map(unfollow).collect::<Vec<_>>();
    futures::stream::iter(unfollowed).buffer_unordered(PURGED_AT_ONCE).try_collect::<()>().await?;
    Ok(rows.next)
}

async fn files_of(app: &App, user: UserId, after: Option<&str>) -> Result<Option<String>> {
    let (found, next) = media::all_of(app, user, PURGE_PAGE, after).await?;
    let jobs = found.iter().filter(|one| one.deleted).map(|one| Job::Files(FilesJob::Remove { media: one.id }));
    app.jobs().send(jobs.collect()).await?;
    let left = found.iter().filter(|one| !one.deleted).map(|one| media::abandon(app, one.id)).collect::<Vec<_>>();
    futures::stream::iter(left).buffer_unordered(PURGED_AT_ONCE).try_collect::<()>().await?;
    Ok(next)
}

/// Others' posts keep their text, and mention it no more. What they are found by follows by a job, in place of by the
/// stream, by which the others whom they mention would be told again.
async fn mentions(app: &App, user: UserId, after: Option<&str>) -> Result<Option<String>> {
    let (found, next) = search::mentioning(app, user, PURGE_PAGE, after).await?;
    for post in &found {
        posts::remove_mention(app, *post, user).await?;
    }
    let indexed = found.into_iter().map(|post| Job::Index(IndexJob::Post { post }));
    app.jobs().send(indexed.collect()).await.map(|()| next)
}
