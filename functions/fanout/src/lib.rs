//! Timelines: posts into followers' timelines, back-fill on follow, removal on unfollow, and what a deleted post
//! leaves. Each job may come twice, late and out of order.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use futures::future::try_join3;
use shared::error::Result;
use shared::ids::{GroupId, PostId, UserId};
use shared::jobs::{FanoutJob, Job, Stop};
use shared::lambda::each_message;
use shared::limits::FANOUT_CHUNK;
use shared::metrics::Metric;
use shared::models::following::Delivery;
use shared::models::post::timeline_horizon;
use shared::store::delivery;
use shared::store::likes;
use shared::store::posts::Source;
use shared::store::timelines::{self, Span};
use shared::table::Read;
use shared::table::design::key;
use shared::{App, store};

/// Posts that one message of a new follow brings into the timeline.
const BACK_FILL: usize = 500;

/// Handles a batch, each message on its own.
pub async fn handle(app: &App, event: SqsEvent) -> SqsBatchResponse {
    each_message(app, event, |job| run(app, job)).await
}

async fn run(app: &App, job: FanoutJob) -> Result<()> {
    match job {
        FanoutJob::PostCreated { post, after } => Box::pin(push(app, post, after)).await,
        FanoutJob::PostDeleted { post, mentioned } => {
            let counts = store::analytics::purge(app, post);
            try_join3(purge_likes(app, post), purge_comments(app, post), counts).await?;
            // Its id names who wrote it and what it stood below: of a deleted account that is to be read nowhere.
            match store::deletions::is_gone(app, &post.authors()).await?.is_empty() {
                true => Ok(()),
                false => store::notification_cleanup::purge_post(app, post, &mentioned).await,
            }
        }
        FanoutJob::Followed { from, to, after } => back_fill(app, from, to, after).await,
        FanoutJob::Unfollowed { from, to } => remove(app, from, to).await,
        FanoutJob::Crossed { author, epoch, after } => cross(app, author, epoch, after).await,
        FanoutJob::CameBack { author, epoch, after } => come_back(app, author, epoch, after).await,
        FanoutJob::GroupDeleted { group, after } => remove_group(app, group, after).await,
    }
}

/// Pushes a post to the author's followers, one that is shared in a group to those who are members; of an author who is merged at read, to those alone who merge enough others.
async fn push(app: &App, post: PostId, after: Option<Stop>) -> Result<()> {
    if let Some(group) = post.group() {
        let after = after.and_then(|stop| if let Stop::Members { after } = stop { Some(after) } else { None });
        return push_to_members(app, group, post, after).await;
    }
    match after {
        Some(Stop::Followers { after }) => push_to_all(app, post, Some(after)).await,
        Some(Stop::PushedFollowers { epoch, after }) => push_to_pushed_followers(app, post, epoch, Some(after)).await,
        None | Some(Stop::Members { .. }) => match delivery::of(app, post.author).await? {
            author if author.mode == Delivery::Pull => push_to_pushed_followers(app, post, author.epoch, None).await,
            _ => push_to_all(app, post, None).await,
        },
    }
}

async fn push_to_all(app: &App, post: PostId, after: Option<String>) -> Result<()> {
    // Strongly: a follower who is not counted by now finds the post when the new follow is back-filled.
    let (owners, next) = followers(app, post.author, after.as_deref()).await?;
    deliver(app, post, owners).await?;
    push_on(app, post, next.map(|after| Stop::Followers { after })).await
}

async fn push_to_pushed_followers(app: &App, post: PostId, epoch: u64, after: Option<String>) -> Result<()> {
    let (owners, next) = timelines::pushed_followers(app, post.author, FANOUT_CHUNK, after.as_deref()).await?;
    // The list is whole only while its epoch lasts: when the author comes back it is emptied.
    if delivery::of(app, post.author).await?.epoch != epoch {
        return push_to_all(app, post, None).await;
    }
    deliver(app, post, owners).await?;
    push_on(app, post, next.map(|after| Stop::PushedFollowers { epoch, after })).await
}

/// Pushes a post to those members of the group who follow its author.
async fn push_to_members(app: &App, group: GroupId, post: PostId, after: Option<String>) -> Result<()> {
    if after.is_none() && store::groups::get(app, group, Read::Strong).await?.is_none() {
        // Shared at the moment at which the group was deleted: its removal may have been past it.
        return remove_group(app, group, None).await;
    }
    let (members, next) = store::groups::members(app, group, FANOUT_CHUNK, after.as_deref()).await?;
    let others: Vec<UserId> = members.into_iter().map(|(user, _)| user).filter(|user| *user != post.author).collect();
    let followers = store::follows::followers_among(app, post.author, &others).await?;
    deliver(app, post, followers).await?;
    push_on(app, post, next.map(|after| Stop::Members { after })).await
}

/// Removes what a deleted group leaves, by the page.
async fn remove_group(app: &App, group: GroupId, after: Option<String>) -> Result<()> {
    let next = store::group_removal::remove_group(app, group, after.as_deref()).await?;
    let next = next.map(|after| Job::Fanout(FanoutJob::GroupDeleted { group, after: Some(after) }));
    app.jobs().send(next.into_iter().collect()).await
}

async fn deliver(app: &App, post: PostId, owners: impl IntoIterator<Item = UserId>) -> Result<()> {
    let owners: Vec<UserId> = owners.into_iter().collect();
    let deliveries = owners.len() as u64;
    timelines::push(app, post, owners).await?;
    Metric::Deliveries.record(deliveries);
    Ok(())
}

/// Sends what is left to the next message: last, for each try of this one would send all that follows it again.
async fn push_on(app: &App, post: PostId, stop: Option<Stop>) -> Result<()> {
    if stop.is_none() {
        Metric::FeedDelay.record(app.now().millis().saturating_sub(post.ulid.timestamp_ms()));
    }
    let job = stop.map(|stop| Job::Fanout(FanoutJob::PostCreated { post, after: Some(stop) }));
    app.jobs().send(job.into_iter().collect()).await
}

type Followers = (Vec<UserId>, Option<String>);

async fn followers(app: &App, author: UserId, after: Option<&str>) -> Result<Followers> {
    let rows = store::follows::follower_rows(app, author, FANOUT_CHUNK, after).await?;
    Ok((rows.items.iter().filter_map(|row| key::other_end(row.sk())).collect(), rows.next))
}

/// An author's posts into a new follower's timeline, as far back as it reaches: as many rows as if the follow were as
/// old.
async fn back_fill(app: &App, from: UserId, to: UserId, after: Option<PostId>) -> Result<()> {
    // First, for after an unfollow there is mostly nothing to fill, and the posts cost more to read.
    if !store::follows::follows(app, from, to, Read::Strong).await? || delivery::merges_all(app, from, to).await? {
        return Ok(());
    }
    let span = Span { older_than: after, newer_than: Some(timeline_horizon(app.now())) };
    // Strongly: a post made just now may have been fanned out before this follow was known.
    let (posts, stopped) = store::posts::newest(app, Source::Author(to), BACK_FILL, span, Read::Strong).await?;
    timelines::fill(app, from, posts.iter().map(|post| post.id)).await?;
    let next = stopped.map(|after| Job::Fanout(FanoutJob::Followed { from, to, after: Some(after) }));
    app.jobs().send(next.into_iter().collect()).await
}

/// Removes an author's posts from a timeline. One who follows again by the end gets them back, for this may have removed
/// what the new follow brought.
async fn remove(app: &App, from: UserId, to: UserId) -> Result<()> {
    if !store::follows::follows(app, from, to, Read::Strong).await? {
        timelines::purge(app, from, to).await?;
    }
    back_fill(app, from, to, None).await
}

/// The likes of a deleted post: ledger and edges.
async fn purge_likes(app: &App, post: PostId) -> Result<()> {
    let mut after = None;
    loop {
        // Strongly, once through: with the post its counter is gone, and so no like is counted any more.
        let rows = likes::of_post(app, post, 100, after.as_deref(), Read::Strong).await?;
        likes::purge(app, post, &rows).await?;
        match rows.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// The comments on a deleted post. Each is a deleted post itself, whose likes and replies go when the stream tells of it.
async fn purge_comments(app: &App, post: PostId) -> Result<()> {
    let mut after = None;
    loop {
        let (comments, next) = store::comments::ids(app, post, 100, after.as_deref()).await?;
        store::comments::purge(app, comments).await?;
        match next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// An author has crossed the limit: every follower learns to merge, then the pushing ends.
async fn cross(app: &App, author: UserId, epoch: u64, after: Option<String>) -> Result<()> {
    let (owners, next) = followers(app, author, after.as_deref()).await?;
    if !delivery::start_merging(app, author, epoch, &owners).await? {
        return Ok(());
    }
    match next {
        Some(_) => app.jobs().send(vec![Job::Fanout(FanoutJob::Crossed { author, epoch, after: next })]).await,
        None => delivery::stop_pushing(app, author, epoch).await,
    }
}

/// An author has come back: every follower's merging gets its end.
async fn come_back(app: &App, author: UserId, epoch: u64, after: Option<String>) -> Result<()> {
    let (owners, next) = followers(app, author, after.as_deref()).await?;
    delivery::stop_merging(app, author, epoch, &owners).await?;
    let next = next.map(|after| Job::Fanout(FanoutJob::CameBack { author, epoch, after: Some(after) }));
    app.jobs().send(next.into_iter().collect()).await
}
