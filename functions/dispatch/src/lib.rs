//! The table's stream: what changed becomes counters and jobs.
//!
//! A batch may come again, longer or shorter; records of different items come in any order. Counters are settled by
//! `store::ledgers`, which finds its work done the second time; jobs are safe to do again.

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use futures::StreamExt;
use shared::error::{Error, Result};
use shared::ids::{PostId, UserId};
use shared::jobs::{FanoutJob, Job, NotifyJob};
use shared::models::notification::{Act, NotificationKind, Topic};
use shared::store::edges::Edge;
use shared::store::notifications::MOST_ACTS;
use shared::table::design::EntityKey;
use shared::{App, store};
use std::collections::HashMap;

/// Posts and accounts settled at once.
const CONCURRENCY: usize = 8;

/// Handles a batch, and names the first record that is to come again.
pub async fn handle(app: &App, event: Event) -> DynamoDbEventResponse {
    let sequence = |record: &EventRecord| record.change.sequence_number.clone();
    let (mut changes, mut failed): (Changes, Option<usize>) = (Changes::default(), None);
    for (place, record) in event.records.iter().enumerate() {
        if let Err(error) = changes.read(place, record) {
            tracing::error!(event_id = record.event_id, %error, "a stream record can't be read");
            failed = Some(place);
            // What came before it is done first; it comes again at the head of the next batch.
            break;
        }
    }
    for place in changes.settle(app).await {
        failed = Some(failed.map_or(place, |first| first.min(place)));
    }
    let first = failed.and_then(|place| sequence(&event.records[place]));
    let failure = first.map(|number| {
        let mut failure = DynamoDbBatchItemFailure::default();
        failure.item_identifier = Some(number);
        failure
    });
    let mut response = DynamoDbEventResponse::default();
    response.batch_item_failures = failure.into_iter().collect();
    response
}

/// What a batch says, the last word per edge, with the place of the first record of each group.
#[derive(Default)]
struct Changes {
    likes: HashMap<PostId, Group>,
    follows: HashMap<UserId, Group>,
    jobs: Vec<(usize, Job)>,
}

#[derive(Default)]
struct Group {
    place: usize,
    edges: HashMap<UserId, Edge>,
}

impl Changes {
    fn read(&mut self, place: usize, record: &EventRecord) -> Result<()> {
        let text = |name: &str| match record.change.keys.get(name) {
            Some(serde_dynamo::AttributeValue::S(text)) => Ok(text.as_str()),
            _ => Err(Error::internal("a record without our keys")),
        };
        let (pk, sk) = (text("PK")?, text("SK")?);
        let is_removal = record.event_name == "REMOVE";
        let edge = || serde_dynamo::from_item(record.change.new_image.clone()).map_err(Error::internal);
        let first = || Group { place, edges: HashMap::new() };
        match EntityKey::read(pk, sk) {
            Some(EntityKey::Like { user, post }) if !is_removal => {
                self.likes.entry(post).or_insert_with(first).edges.insert(user, edge()?);
            }
            Some(EntityKey::Follow { from, to }) if !is_removal => {
                self.follows.entry(to).or_insert_with(first).edges.insert(from, edge()?);
            }
            Some(EntityKey::Post(post)) => {
                let created = FanoutJob::PostCreated { post, after: None };
                let job = if is_removal { FanoutJob::PostDeleted { post } } else { created };
                self.jobs.push((place, Job::Fanout(job)));
            }
            Some(EntityKey::MailToken(id)) => self.jobs.push((place, Job::Notify(NotifyJob::MailToken { id }))),
            _ => {}
        }
        Ok(())
    }

    /// Settles all counters, then sends the jobs that follow. Answers the places of the records that failed.
    async fn settle(self, app: &App) -> Vec<usize> {
        let likes = self.likes.into_iter().map(|(post, group)| Task::Likes(post, group));
        let follows = self.follows.into_iter().map(|(to, group)| Task::Follows(to, group));
        let tasks: Vec<Task> = likes.chain(follows).collect();
        let settled = futures::stream::iter(tasks).map(|task| task.run(app)).buffer_unordered(CONCURRENCY);
        let (mut jobs, mut failed) = (self.jobs, Vec::new());
        for (place, settled) in settled.collect::<Vec<_>>().await {
            match settled {
                Ok(more) => jobs.extend(more.into_iter().map(|job| (place, job))),
                Err(error) => {
                    tracing::error!(%error, "edges could not be settled");
                    failed.push(place);
                }
            }
        }
        let first = jobs.iter().map(|(place, _)| *place).min();
        if let Err(error) = app.jobs().send(jobs.into_iter().map(|(_, job)| job).collect()).await {
            tracing::error!(%error, "jobs could not be sent");
            failed.extend(first);
        }
        failed
    }
}

enum Task {
    Likes(PostId, Group),
    Follows(UserId, Group),
}

impl Task {
    async fn run(self, app: &App) -> (usize, Result<Vec<Job>>) {
        match self {
            Self::Likes(post, group) => (group.place, likes(app, post, group.edges).await),
            Self::Follows(to, group) => (group.place, follows(app, to, group.edges).await),
        }
    }
}

async fn likes(app: &App, post: PostId, edges: HashMap<UserId, Edge>) -> Result<Vec<Job>> {
    let edges: Vec<_> = edges.into_iter().collect();
    store::ledgers::settle_likes(app, post, edges.clone()).await?;
    let topic = Topic { kind: NotificationKind::Like, owner: post.author, post: Some(post) };
    Ok(notify(topic, &edges).collect())
}

async fn follows(app: &App, to: UserId, edges: HashMap<UserId, Edge>) -> Result<Vec<Job>> {
    let edges: Vec<_> = edges.into_iter().collect();
    if let Some(turn) = store::ledgers::settle_follows(app, to, edges.clone()).await? {
        let (author, epoch, after) = (to, turn.epoch, None);
        let walk = match turn.to_merging {
            true => FanoutJob::Crossed { author, epoch, after },
            false => FanoutJob::CameBack { author, epoch, after },
        };
        app.jobs().send(vec![Job::Fanout(walk)]).await?;
        store::delivery::walk_sent(app, to, turn).await?;
    }
    let timeline = |(from, edge): &(UserId, Edge)| match edge.stands() {
        true => Job::Fanout(FanoutJob::Followed { from: *from, to }),
        false => Job::Fanout(FanoutJob::Unfollowed { from: *from, to }),
    };
    let mut jobs: Vec<Job> = edges.iter().map(timeline).collect();
    jobs.extend(notify(Topic { kind: NotificationKind::Follow, owner: to, post: None }, &edges));
    Ok(jobs)
}

/// Few messages that tell of others' acts, oldest first. Undone ones too, for the worker looks which stand: one that is
/// undone and done again at once gives no other record, and may have been found undone before.
fn notify(topic: Topic, edges: &[(UserId, Edge)]) -> impl Iterator<Item = Job> {
    let others = edges.iter().filter(|(actor, _)| *actor != topic.owner);
    let mut acts: Vec<_> = others.map(|(actor, edge)| Act { actor: *actor, event: edge.at }).collect();
    acts.sort_unstable_by_key(|act| act.event);
    let acts: Vec<_> = acts.chunks(MOST_ACTS).map(<[Act]>::to_vec).collect();
    acts.into_iter().map(move |acts| Job::Notify(NotifyJob::Notify { topic, acts }))
}
