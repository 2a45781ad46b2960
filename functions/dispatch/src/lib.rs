//! The table's stream: what changed becomes counters and jobs.
//!
//! A batch may come again, longer or shorter; records of different items come in any order. Counters are settled by
//! `store::ledgers`, which finds its work done the second time; jobs are safe to do again.
//!
//! A record that fails delays no other: it is set aside in the function's own queue, whence it comes again by itself,
//! later and later, and ends in the dead letters when it can't be handled at all.

mod record;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse};
use futures::future::{BoxFuture, try_join_all};
use futures::{FutureExt, StreamExt};
use record::{Record, RecordSubject};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::error::Result;
use shared::ids::{ActivityId, GroupId, PostId, UserId};
use shared::jobs::{ExportJob, FanoutJob, FilesJob, IndexJob, Job, NotifyJob, PurgeJob};
use shared::lambda::{each_message, guarded};
use shared::limits::{GROUPS_AT_ONCE, SETTLE_TIMEOUT};
use shared::metrics::Metric;
use shared::models::group::Member;
use shared::models::media::Media;
use shared::models::names::Rank;
use shared::models::notification::{Act, NotificationKind, Topic};
use shared::models::post::Post;
use shared::models::session::{MailAction, MailToken};
use shared::models::socket::Channel;
use shared::models::user::Profile;
use shared::store::edges::Edge;
use shared::store::ledgers::Settled;
use shared::store::notifications::most_acts;
use shared::table::Read;
use shared::{App, store};
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use tokio::time::Instant;

/// Records of either source, each read by itself.
#[derive(Deserialize)]
pub struct Event {
    #[serde(rename = "Records")]
    records: Vec<Value>,
}

/// Handles a batch of the stream, or of what was set aside, and names what failed. Lambda reads both answers alike: a
/// stream is read again from the first record that is named.
pub async fn handle(app: &App, event: Event) -> SqsBatchResponse {
    if event.records.first().is_none_or(|record| record["eventSource"] != "aws:sqs") {
        return batch(app, &event.records).await;
    }
    match serde_json::from_value(json!({ "Records": event.records })) {
        Ok(event) => each_message(app, event, |record| again(app, record)).await,
        Err(error) => {
            tracing::error!(%error, "an event of the queue can't be read");
            // No message's name: all of them come again.
            failures([String::new()])
        }
    }
}

fn failures(items: impl IntoIterator<Item = String>) -> SqsBatchResponse {
    let failure = |item| {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = item;
        failure
    };
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = items.into_iter().map(failure).collect();
    response
}

/// Settles what a batch of the stream says, and sets aside what fails.
async fn batch(app: &App, records: &[Value]) -> SqsBatchResponse {
    let (mut changes, mut failed) = (Changes::default(), BTreeSet::new());
    for (place, record) in records.iter().enumerate() {
        if let Err(error) = changes.add(place, record) {
            tracing::error!(event_id = record["eventID"].as_str(), %error, "a stream record can't be read");
            failed.insert(place);
        }
    }
    failed.extend(changes.settle(app).await);
    if failed.is_empty() {
        return failures([]);
    }
    // No images: what an edge is now is read anyway, and a mail's has secrets. Whom a post mentioned that is gone, nothing
    // else tells.
    let name = |record: &Value| {
        let mut dynamodb = json!({"Keys": record["dynamodb"]["Keys"]});
        if let Some(mentions) =
            record["dynamodb"]["OldImage"].get("mentions").filter(|_| record["eventName"] == "REMOVE")
        {
            dynamodb["OldImage"] = json!({ "mentions": mentions });
        }
        json!({"eventName": record["eventName"], "dynamodb": dynamodb})
    };
    let bodies = failed.iter().map(|place| name(&records[*place]).to_string()).collect();
    match app.jobs().requeue(bodies).await {
        Ok(()) => failures([]),
        Err(error) => {
            tracing::error!(%error, "records that failed could not be set aside");
            let sequence = |place: &usize| records[*place]["dynamodb"]["SequenceNumber"].as_str();
            failures(failed.iter().map(|place| sequence(place).unwrap_or_default().to_owned()))
        }
    }
}

/// Handles one record that was set aside. Minutes may have passed: an edge is taken as it is now. One that is gone
/// counts for nothing, and its tombstone keeps what it brought out of feeds; but a mode change that it made may
/// still be unsent.
async fn again(app: &App, record: Value) -> Result<()> {
    let record = Record::read(&record)?;
    let mut post_changes = Vec::new();
    let mut jobs = match record.subject {
        RecordSubject::Like { post, by } => {
            let edge = store::likes::edge(app, by, post, Read::Strong).await?;
            likes(app, post, edge.map(|edge| (by, edge)).into_iter().collect()).await?
        }
        RecordSubject::Follow { to, by } => {
            let edge = store::follows::edge(app, by, to, Read::Strong).await?;
            follows(app, to, edge.map(|edge| (by, edge)).into_iter().collect()).await?
        }
        RecordSubject::Member { group, user } => {
            let member = store::groups::member(app, group, user).await?;
            let told = member.as_ref().and_then(|member| accepted(group, user, member));
            let edge = member.as_ref().map(|member| (user, edge(member)));
            store::ledgers::settle_members(app, group, edge.into_iter().collect()).await?;
            told.into_iter().collect()
        }
        RecordSubject::Comment { on, id } => {
            post_changes
                .extend(store::posts::get(app, id, Read::Strong).await?.map(|comment| PostChange::of(&comment, false)));
            let edge = store::comments::edge(app, id).await?;
            if edge.is_none() {
                store::comments::purge_pending_counts(app, vec![id]).await?;
            }
            comments(app, on, edge.map(|edge| (id, edge)).into_iter().collect()).await?
        }
        RecordSubject::Post { id, appeared } => {
            post_changes
                .extend(store::posts::get(app, id, Read::Strong).await?.map(|post| PostChange::of(&post, appeared)));
            Vec::new()
        }
        RecordSubject::Gone(id) => gone(id, record.mentioned),
        RecordSubject::Media(id) => {
            store::media::get_any_state(app, id).await?.as_ref().and_then(media).into_iter().collect()
        }
        RecordSubject::Did { by, act } => did(app, by, vec![act]).await?,
        RecordSubject::Person(user) => {
            let profile = store::users::profile(app, user).await?;
            person(user, profile.is_some_and(|profile| profile.deleted.is_some()))
        }
        RecordSubject::Mail(id) => store::mail_tokens::find(app, id).await?.as_ref().map(mail).into_iter().collect(),
        RecordSubject::Other(job) => vec![job],
        RecordSubject::Nothing => Vec::new(),
    };
    jobs.extend(post_changes.iter().flat_map(|change| change.jobs.clone()));
    app.jobs().send(jobs).await?;
    try_join_all(post_changes.iter().map(|change| change.followed_up(app))).await.map(|_| ())
}

/// What follows when a post or comment is gone.
fn gone(post: PostId, mentioned: Vec<UserId>) -> Vec<Job> {
    let is_indexed = store::search::is_found(post) || !mentioned.is_empty();
    let indexed = is_indexed.then_some(Job::Index(IndexJob::Post { post }));
    std::iter::once(Job::Fanout(FanoutJob::PostDeleted { post, mentioned })).chain(indexed).collect()
}

/// What follows when a profile is new or was changed.
fn person(user: UserId, is_deleted: bool) -> Vec<Job> {
    let reaped = is_deleted.then_some(Job::Purge(PurgeJob::pass(user, 0)));
    std::iter::once(Job::Index(IndexJob::Person { user })).chain(reaped).collect()
}

/// Sends a user's own acts to their open sockets, if there are any. Few have one, so that is looked at before a job is
/// made.
async fn did(app: &App, by: UserId, acts: Vec<ActivityId>) -> Result<Vec<Job>> {
    let open = store::sockets::of_user(app, by).await?;
    let told = open.iter().any(|socket| socket.channel == Channel::ActivityLog);
    Ok(told.then_some(Job::Notify(NotifyJob::Did { by, acts })).into_iter().collect())
}

/// A member's row as an edge.
const fn edge(member: &Member) -> Edge {
    Edge { created_at: member.created_at, counted: member.counted, deleted: member.deleted }
}

/// That somebody was let into a group.
fn accepted(group: GroupId, user: UserId, member: &Member) -> Option<Job> {
    let by = member.by.filter(|_| !member.deleted)?;
    let topic = Topic { kind: NotificationKind::GroupAccepted, owner: user, post: None, group: Some(group) };
    Some(Job::Notify(NotifyJob::Notify { topic, acts: vec![Act { actor: by, event: member.created_at }] }))
}

/// What follows when a token for a mail is written: of an archive, that it is made, and the mail then.
const fn mail(token: &MailToken) -> Job {
    match token.action {
        MailAction::Export => Job::Export(ExportJob::Archive { id: token.id }),
        MailAction::VerifyEmail
        | MailAction::ResetPassword
        | MailAction::AlreadyRegistered
        | MailAction::EmailChanged
        | MailAction::SecondFactorOn
        | MailAction::SecondFactorOff
        | MailAction::RecoveryCodeUsed
        | MailAction::Nothing => Job::Notify(NotifyJob::MailToken { id: token.id }),
    }
}

/// What is to be done with a picture or video. The worker looks what is still to be done.
fn media(media: &Media) -> Option<Job> {
    let media = media
        .deleted
        .then_some(FilesJob::Remove { media: media.id })
        .or(media.todo.then_some(FilesJob::Prepare { media: media.id }))?;
    Some(Job::Files(media))
}

/// A post or comment that appeared or was edited.
struct PostChange {
    /// What follows from it.
    jobs: Vec<Job>,
    id: PostId,
    /// The version that is marked as not followed up yet.
    edited: Option<u64>,
}

impl PostChange {
    fn of(post: &Post, appeared: bool) -> Self {
        let id = post.id;
        let pushed = appeared.then_some(Job::Fanout(FanoutJob::PostCreated { post: id, after: None }));
        let told = (!post.mentions.is_empty()).then_some(Job::Notify(NotifyJob::Mentioned { post: id }));
        // A comment, for whom it mentions or did before.
        let is_indexed = store::search::is_found(id) || post.todo || !post.mentions.is_empty();
        let indexed = is_indexed.then_some(Job::Index(IndexJob::Post { post: id }));
        Self {
            jobs: pushed.into_iter().chain(told).chain(indexed).collect(),
            id,
            edited: post.todo.then_some(post.ver),
        }
    }

    /// Its jobs are on their queues.
    async fn followed_up(&self, app: &App) -> Result<()> {
        match self.edited {
            Some(ver) => store::posts::followed_up(app, self.id, ver).await,
            None => Ok(()),
        }
    }
}

/// What a batch says, with the places of the records that say it.
#[derive(Default)]
struct Changes {
    /// By what they end at, for these share a counter.
    likes: HashMap<PostId, Edges<UserId>>,
    follows: HashMap<UserId, Edges<UserId>>,
    comments: HashMap<PostId, Edges<PostId>>,
    acts: HashMap<UserId, (Vec<usize>, Vec<ActivityId>)>,
    members: HashMap<GroupId, Edges<UserId>>,
    post_changes: Vec<(usize, PostChange)>,
    jobs: Vec<(Vec<usize>, Job)>,
}

/// The last word per edge.
struct Edges<I> {
    places: Vec<usize>,
    edges: HashMap<I, Edge>,
}

impl<I> Default for Edges<I> {
    fn default() -> Self {
        Self { places: Vec::new(), edges: HashMap::new() }
    }
}

impl<I: Eq + Hash> Edges<I> {
    fn add(&mut self, place: usize, id: I, edge: Edge) {
        self.places.push(place);
        self.edges.insert(id, edge);
    }
}

/// Settles edges within a time. Answers the places, and what is to be done next.
fn settled<'a>(
    places: Vec<usize>,
    deadline: Instant,
    work: impl Future<Output = Result<Vec<Job>>> + Send + 'a,
) -> BoxFuture<'a, (Vec<usize>, Result<Vec<Job>>)> {
    async move { (places, guarded(deadline, work).await) }.boxed()
}

impl Changes {
    fn add(&mut self, place: usize, record: &Value) -> Result<()> {
        let record = Record::read(record)?;
        match record.subject {
            RecordSubject::Like { post, by } => self.likes.entry(post).or_default().add(place, by, record.image()?),
            RecordSubject::Follow { to, by } => self.follows.entry(to).or_default().add(place, by, record.image()?),
            RecordSubject::Member { group, user } => {
                let member: Member = record.image()?;
                self.members.entry(group).or_default().add(place, user, edge(&member));
                self.jobs.extend(accepted(group, user, &member).map(|job| (vec![place], job)));
            }
            RecordSubject::Comment { on, id } => {
                self.comments.entry(on).or_default().add(place, id, record.image()?);
                self.post_changes.push((place, PostChange::of(&record.image()?, false)));
            }
            RecordSubject::Post { id: _, appeared } => {
                self.post_changes.push((place, PostChange::of(&record.image()?, appeared)))
            }
            RecordSubject::Gone(id) => {
                self.jobs.extend(gone(id, record.mentioned).into_iter().map(|job| (vec![place], job)));
            }
            RecordSubject::Person(user) => {
                let is_deleted = record.image::<Profile>()?.deleted.is_some();
                self.jobs.extend(person(user, is_deleted).into_iter().map(|job| (vec![place], job)));
            }
            RecordSubject::Media(_) => self.jobs.extend(media(&record.image()?).map(|job| (vec![place], job))),
            RecordSubject::Did { by, act } => {
                let (places, acts) = self.acts.entry(by).or_default();
                places.push(place);
                acts.push(act);
            }
            RecordSubject::Mail(_) => self.jobs.push((vec![place], mail(&record.image()?))),
            RecordSubject::Other(job) => self.jobs.push((vec![place], job)),
            RecordSubject::Nothing => {}
        }
        Ok(())
    }

    /// Settles all counters, then sends the jobs that follow. Answers the places of the records that failed.
    async fn settle(self, app: &App) -> Vec<usize> {
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        let Self { likes: liked, follows: followed, comments: commented, members, acts, post_changes, mut jobs } = self;
        let mut work = Vec::new();
        for (post, Edges { places, edges }) in liked {
            work.push(settled(places, deadline, likes(app, post, edges.into_iter().collect())));
        }
        for (to, Edges { places, edges }) in followed {
            work.push(settled(places, deadline, follows(app, to, edges.into_iter().collect())));
        }
        for (on, Edges { places, edges }) in commented {
            work.push(settled(places, deadline, comments(app, on, edges.into_iter().collect())));
        }
        for (by, (places, acts)) in acts {
            work.push(settled(places, deadline, did(app, by, acts)));
        }
        for (group, Edges { places, edges }) in members {
            let count = store::ledgers::settle_members(app, group, edges.into_iter().collect());
            work.push(settled(places, deadline, async move { count.await.map(|()| Vec::new()) }));
        }
        let settled = futures::stream::iter(work).buffer_unordered(GROUPS_AT_ONCE);
        let mut failed = Vec::new();
        for (places, settled) in settled.collect::<Vec<_>>().await {
            match settled {
                Ok(more) => jobs.extend(more.into_iter().map(|job| (places.clone(), job))),
                Err(error) => {
                    tracing::error!(%error, "edges could not be settled");
                    failed.extend(places);
                }
            }
        }
        jobs.extend(
            post_changes.iter().flat_map(|(place, change)| change.jobs.iter().map(|job| (vec![*place], job.clone()))),
        );
        let (places, jobs): (Vec<_>, Vec<_>) = jobs.into_iter().unzip();
        let appeared = jobs.iter().filter(|job| matches!(job, Job::Fanout(FanoutJob::PostCreated { .. }))).count();
        if let Err(error) = app.jobs().send(jobs).await {
            tracing::error!(%error, "jobs could not be sent");
            failed.extend(places.into_iter().flatten());
            return failed;
        }
        if appeared > 0 {
            Metric::Posts.record(appeared as u64);
        }
        let followed_up =
            async |(place, change): (usize, PostChange)| (place, guarded(deadline, change.followed_up(app)).await);
        let marks = futures::stream::iter(post_changes).map(followed_up).buffer_unordered(GROUPS_AT_ONCE);
        for (place, marked) in marks.collect::<Vec<_>>().await {
            if let Err(error) = marked {
                tracing::error!(%error, "an edit could not be marked as followed up");
                failed.push(place);
            }
        }
        failed
    }
}

async fn likes(app: &App, post: PostId, edges: Vec<(UserId, Edge)>) -> Result<Vec<Job>> {
    store::ledgers::settle_likes(app, post, edges.clone()).await?;
    let topic = Topic { kind: NotificationKind::Like, owner: post.author, post: Some(post), group: None };
    Ok(notify(topic, &edges).collect())
}

async fn comments(app: &App, on: PostId, edges: Vec<(PostId, Edge)>) -> Result<Vec<Job>> {
    store::ledgers::settle_comments(app, on, edges.clone()).await?;
    let topic = Topic { kind: NotificationKind::Comment, owner: on.author, post: Some(on), group: None };
    let edges: Vec<_> = edges.into_iter().map(|(comment, edge)| (comment.author, edge)).collect();
    Ok(notify(topic, &edges).collect())
}

async fn follows(app: &App, to: UserId, edges: Vec<(UserId, Edge)>) -> Result<Vec<Job>> {
    let Settled { mode_change, followers } = store::ledgers::settle_follows(app, to, edges.clone()).await?;
    if let Some(change) = mode_change {
        let (author, epoch, after) = (to, change.epoch, None);
        let walk = match change.to_merging {
            true => FanoutJob::Crossed { author, epoch, after },
            false => FanoutJob::CameBack { author, epoch, after },
        };
        app.jobs().send(vec![Job::Fanout(walk)]).await?;
        store::delivery::mark_walk_sent(app, to, change).await?;
    }
    let timeline = |(from, edge): &(UserId, Edge)| match edge.is_active() {
        true => Job::Fanout(FanoutJob::Followed { from: *from, to, after: None }),
        false => Job::Fanout(FanoutJob::Unfollowed { from: *from, to }),
    };
    let mut jobs: Vec<Job> = edges.iter().map(timeline).collect();
    // After a crash the next delivery finds all counted: so it is what these may have changed.
    let changed = edges.len() as u64;
    if Rank::by(followers.saturating_sub(changed)) != Rank::by(followers + changed) {
        jobs.push(Job::Index(IndexJob::Person { user: to }));
    }
    jobs.extend(notify(Topic { kind: NotificationKind::Follow, owner: to, post: None, group: None }, &edges));
    Ok(jobs)
}

/// Few messages that tell of others' acts, oldest first. Undone ones too, for the worker looks which stand: one that is
/// deleted and created again at once gives no other record, and may have been found deleted before.
fn notify(topic: Topic, edges: &[(UserId, Edge)]) -> impl Iterator<Item = Job> {
    let others = edges.iter().filter(|(actor, _)| *actor != topic.owner);
    let mut acts: Vec<_> = others.map(|(actor, edge)| Act { actor: *actor, event: edge.created_at }).collect();
    acts.sort_unstable_by_key(|act| act.event);
    let acts: Vec<_> = acts.chunks(most_acts(topic.kind)).map(<[Act]>::to_vec).collect();
    acts.into_iter().map(move |acts| Job::Notify(NotifyJob::Notify { topic, acts }))
}
