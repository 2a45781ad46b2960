//! The messages workers receive. Each may come twice, late and out of order; each is safe to do again.

use crate::aws::{Aws, sdk_config};
use crate::clock::Timestamp;
use crate::config::{Config, OwnQueue};
use crate::error::{Error, Result};
use crate::ids::{ActivityId, GroupId, MediaId, PostId, SessionId, UserId};
use crate::limits::VIEW_TIMEOUT;
use crate::models::audience::ViewerHash;
use crate::models::notification::{Act, Topic};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName, SendMessageBatchRequestEntry};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use ulid::Ulid;

/// Work for the `fanout` function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum FanoutJob {
    /// A post is to reach its author's followers, in a group those who are members; `after` is where an earlier message of this job stopped.
    PostCreated { post: PostId, after: Option<Stop> },
    /// A post or comment is gone; its likes and comments go too.
    PostDeleted {
        post: PostId,
        /// The users it mentioned.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mentioned: Vec<UserId>,
    },
    /// `from` follows `to` now: their posts come into the timeline, as far back as it reaches, from where an earlier
    /// message stopped.
    Followed {
        from: UserId,
        to: UserId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<PostId>,
    },
    /// `from` does not follow `to` any more: their posts leave the timeline.
    Unfollowed { from: UserId, to: UserId },
    /// An author has crossed `FanoutLimit`, which began this epoch: the followers learn to merge.
    Crossed { author: UserId, epoch: u64, after: Option<String> },
    /// An author has come back below it, which began this epoch: the followers' merging gets its end.
    CameBack { author: UserId, epoch: u64, after: Option<String> },
    /// A group was deleted: what lies with it goes, from where an earlier message stopped.
    GroupDeleted { group: GroupId, after: Option<String> },
}

/// Where a message stopped, and in which list: the next one goes on in it, however posts are delivered by then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Among all followers.
    Followers { after: String },
    /// Among the members of the group that it is shared in.
    Members { after: String },
    /// Among those an author who is merged pushes to all the same, in this epoch.
    #[serde(rename = "overflow")]
    PushedFollowers { epoch: u64, after: String },
}

/// Work for the `index` function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum IndexJob {
    /// A post appeared, was edited or is gone.
    Post { post: PostId },
    /// Somebody signed up, changed their names, was suspended or reinstated, or is followed more or less widely.
    Person { user: UserId },
    /// Somebody wants suggestions, and theirs are old.
    Suggest { user: UserId },
}

/// Work for the `files` function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum FilesJob {
    /// What was uploaded is to be checked, and made what is kept of it.
    Prepare { media: MediaId },
    /// Nothing needs it any more: its files go, and then it does.
    Remove { media: MediaId },
}

/// Work for the `notify` function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum NotifyJob {
    /// Alike acts that concern the topic's owner: at most [`most_acts`](crate::store::notifications::most_acts),
    /// about 4 KB.
    Notify {
        #[serde(flatten)]
        topic: Topic,
        acts: Vec<Act>,
    },
    /// The users that a post mentions are to be notified.
    Mentioned { post: PostId },
    /// A group's moderators are to be notified of a join request.
    JoinRequested { group: GroupId, user: UserId },
    /// A mail with a token is to be sent.
    MailToken { id: Ulid },
    /// Somebody's own acts, which their sockets are to be told.
    Did { by: UserId, acts: Vec<ActivityId> },
    /// A session has ended: its sockets close.
    SessionEnded { user: UserId, session: SessionId },
}

/// Work for the `views` function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum ViewsJob {
    /// Somebody reads a post.
    Viewed { post: PostId, viewer: ViewerHash, at: Timestamp },
}

/// Work for the `reap` function: a pass over all that a deleted account left, a bounded part of it in each message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum PurgeJob {
    #[serde(rename = "reap")]
    Purge {
        user: UserId,
        pass: usize,
        step: PurgeStep,
        /// Where an earlier message stopped in the step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
}

/// What a pass goes through, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurgeStep {
    /// Nobody follows the account any more, or finds it.
    Close,
    /// Its posts, and with them all that stands below.
    Posts,
    /// Its own partition: what it follows, likes, waits with.
    Own,
    Followers,
    /// What it left in others' partitions.
    Elsewhere,
    /// Its notifications.
    #[serde(rename = "told")]
    Notifications,
    /// Its activity log.
    Acts,
    Timeline,
    Media,
    /// Others' posts that mention it.
    Mentions,
    Reports,
    Moderation,
    /// Counted calls.
    Limits,
    /// What is left of its files.
    Files,
    /// The pass ends.
    End,
}

impl PurgeJob {
    /// A pass from its beginning.
    pub const fn pass(user: UserId, pass: usize) -> Self {
        Self::Purge { user, pass, step: PurgeStep::Close, after: None }
    }
}

/// Work for the `export` function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum ExportJob {
    /// Somebody wants an archive of all that is theirs: the one of this mail's token.
    Archive { id: Ulid },
}

/// Any job, with the queue it goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    Export(ExportJob),
    Fanout(FanoutJob),
    Files(FilesJob),
    Index(IndexJob),
    Notify(NotifyJob),
    Purge(PurgeJob),
}

/// Sends jobs. Cheap to clone; the client is made at first use.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    aws: Aws,
    endpoint: Option<String>,
    export_queue: String,
    fanout_queue: String,
    files_queue: String,
    index_queue: String,
    notify_queue: String,
    reap_queue: String,
    views_queue: String,
    own_queue: Option<OwnQueue>,
    dropped_views: AtomicU64,
    client: OnceLock<Client>,
}

/// Messages in a batch of SQS (SQS developer guide, "Message quotas").
const BATCH: usize = 10;
/// Bytes a batch takes in all: SQS's limit until it grew to 1 MiB in 2025, which may not have reached every region.
const BATCH_BYTES: usize = 256 * 1024;

impl Jobs {
    pub fn new(aws: Aws, endpoint: Option<String>, config: &Config) -> Self {
        Self(Arc::new(Inner {
            aws,
            endpoint,
            export_queue: config.export_queue.clone(),
            fanout_queue: config.fanout_queue.clone(),
            files_queue: config.files_queue.clone(),
            index_queue: config.index_queue.clone(),
            notify_queue: config.notify_queue.clone(),
            reap_queue: config.reap_queue.clone(),
            views_queue: config.views_queue.clone(),
            own_queue: config.own_queue.clone(),
            dropped_views: AtomicU64::new(0),
            client: OnceLock::new(),
        }))
    }

    fn client(&self) -> &Client {
        self.0.client.get_or_init(|| {
            let config = sdk_config!(aws_sdk_sqs, self.0.aws, self.0.endpoint);
            Client::from_conf(config.build())
        })
    }

    /// Sends all jobs, or fails: then some may have been sent, and sending all again is right.
    pub async fn send(&self, jobs: Vec<Job>) -> Result<()> {
        let (mut fanout, mut files, mut index) = (Vec::new(), Vec::new(), Vec::new());
        let (mut notify, mut reap, mut export) = (Vec::new(), Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::Export(job) => export.push(body(&job)?),
                Job::Fanout(job) => fanout.push(body(&job)?),
                Job::Files(job) => files.push(body(&job)?),
                Job::Index(job) => index.push(body(&job)?),
                Job::Notify(job) => notify.push(body(&job)?),
                Job::Purge(job) => reap.push(body(&job)?),
            }
        }
        let to = [
            (&self.0.export_queue, export),
            (&self.0.fanout_queue, fanout),
            (&self.0.files_queue, files),
            (&self.0.index_queue, index),
            (&self.0.notify_queue, notify),
            (&self.0.reap_queue, reap),
        ];
        futures::future::try_join_all(to.map(|(queue, bodies)| self.send_to(queue, bodies))).await.map(|_| ())
    }

    /// Has suggestions computed. Where the queue does not take it, or not within [`VIEW_TIMEOUT`], the next reader of them
    /// next has it done.
    pub async fn suggest(&self, user: UserId) {
        let sent = async { self.send_to(&self.0.index_queue, vec![body(&IndexJob::Suggest { user })?]).await };
        match tokio::time::timeout(VIEW_TIMEOUT, sent).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%user, %error, "suggestions can't be asked for"),
            Err(_) => tracing::warn!(%user, "suggestions can't be asked for in time"),
        }
    }

    /// Sends a view. One that the queue does not take, or not within [`VIEW_TIMEOUT`], is dropped and counted: a read
    /// neither fails nor waits for it.
    pub async fn viewed(&self, view: ViewsJob) {
        let sent = async { self.send_to(&self.0.views_queue, vec![body(&view)?]).await };
        let reason = match tokio::time::timeout(VIEW_TIMEOUT, sent).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the queue did not answer in time".to_owned(),
        };
        self.0.dropped_views.fetch_add(1, Ordering::Relaxed);
        // A metric filter of the template counts these.
        tracing::warn!(views_dropped = 1, reason, "a view was dropped");
    }

    /// How many views this environment has dropped.
    pub fn dropped_views(&self) -> u64 {
        self.0.dropped_views.load(Ordering::Relaxed)
    }

    fn own_queue(&self) -> Result<&OwnQueue> {
        self.0.own_queue.as_ref().ok_or_else(|| Error::internal("this function has no queue of its own"))
    }

    /// Sends messages to the function's own queue, or fails, as [`Self::send`] does.
    pub async fn requeue(&self, bodies: Vec<String>) -> Result<()> {
        self.send_to(&self.own_queue()?.url, bodies).await
    }

    /// Retries a message of the function's own queue after a wait, in whole seconds.
    ///
    /// # Errors
    /// SQS does not answer; the message is delivered again after the visibility timeout.
    pub async fn retry_later(&self, receipt: &str, wait: Duration) -> Result<()> {
        let seconds = i32::try_from(wait.as_secs()).unwrap_or(i32::MAX);
        let change = self.client().change_message_visibility().queue_url(&self.own_queue()?.url);
        let change = change.receipt_handle(receipt).visibility_timeout(seconds).send();
        change.await.map(|_| ()).map_err(Error::unavailable)
    }

    /// Sends a message to the dead-letter queue of the function's own queue, with attributes that say why.
    pub async fn dead_letter(&self, body: &str, about: &[(&str, String)]) -> Result<()> {
        let mut send = self.client().send_message().queue_url(&self.own_queue()?.dead_letters).message_body(body);
        for (name, value) in about {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            send = send.message_attributes(*name, value.map_err(Error::internal)?);
        }
        send.send().await.map(|_| ()).map_err(Error::unavailable)
    }

    async fn send_to(&self, queue: &str, bodies: Vec<String>) -> Result<()> {
        for chunk in batches(&bodies) {
            let entries = chunk.iter().enumerate().map(|(id, body)| {
                SendMessageBatchRequestEntry::builder().id(id.to_string()).message_body(body).build()
            });
            let entries = entries.collect::<Result<Vec<_>, _>>().map_err(Error::internal)?;
            let sent = self.client().send_message_batch().queue_url(queue).set_entries(Some(entries)).send();
            let sent = sent.await.map_err(Error::unavailable)?;
            if !sent.failed().is_empty() {
                return Err(Error::unavailable("the queue refused some messages"));
            }
        }
        Ok(())
    }

    /// Whether the queues answer.
    pub async fn ping(&self) -> Result<()> {
        let name = QueueAttributeName::QueueArn;
        let call = self.client().get_queue_attributes().queue_url(&self.0.fanout_queue).attribute_names(name);
        call.send().await.map(|_| ()).map_err(Error::unavailable)
    }
}

/// As many at once as SQS takes; one that is too large goes alone.
fn batches(bodies: &[String]) -> impl Iterator<Item = &[String]> {
    let mut rest = bodies;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take(BATCH).take_while(|body| {
            bytes += body.len();
            bytes <= BATCH_BYTES
        });
        let batch = rest.split_at(fits.count().max(1).min(rest.len()));
        rest = batch.1;
        (!batch.0.is_empty()).then_some(batch.0)
    })
}

fn body(job: &impl Serialize) -> Result<String> {
    serde_json::to_string(job).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_as_much_as_the_queue_takes() {
        let sizes = |bodies: &[usize]| -> Vec<usize> {
            let bodies: Vec<String> = bodies.iter().map(|size| "x".repeat(*size)).collect();
            batches(&bodies).map(<[String]>::len).collect()
        };
        assert_eq!(sizes(&[]), Vec::<usize>::new());
        assert_eq!(sizes(&[1; 23]), [10, 10, 3]);
        assert_eq!(sizes(&[100_000; 5]), [2, 2, 1]);
        assert_eq!(sizes(&[1, BATCH_BYTES, BATCH_BYTES + 1, 1]), [1, 1, 1, 1]);
    }
}
