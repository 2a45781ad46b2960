//! The messages workers receive. Each may come twice, late and out of order; each is safe to do again.

use crate::aws::{Aws, sdk_config};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::ids::{PostId, UserId};
use crate::models::notification::{Act, Topic};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};
use ulid::Ulid;

/// Work for the `fanout` function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum FanoutJob {
    /// A post is to reach its author's followers; `after` is where an earlier message of this job stopped.
    PostCreated { post: PostId, after: Option<Stop> },
    /// A post is gone; its likes go too.
    PostDeleted { post: PostId },
    /// `from` follows `to` now: the newest posts come into the timeline.
    Followed { from: UserId, to: UserId },
    /// `from` does not follow `to` any more: their posts leave the timeline.
    Unfollowed { from: UserId, to: UserId },
    /// An author has crossed `FanoutLimit`, which began this epoch: the followers learn to merge.
    Crossed { author: UserId, epoch: u64, after: Option<String> },
    /// An author has come back below it, which began this epoch: the followers' merging gets its end.
    CameBack { author: UserId, epoch: u64, after: Option<String> },
}

/// Where a message stopped, and in which list: the next one goes on in it, however posts are delivered by then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Among all followers.
    Followers { after: String },
    /// Among those an author who is merged pushes to all the same, in this epoch.
    Overflow { epoch: u64, after: String },
}

/// Work for the `notify` function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum NotifyJob {
    /// Alike acts that concern the topic's owner: at most [`MOST_ACTS`](crate::store::notifications::MOST_ACTS), about
    /// 4 KB, each of another actor.
    Notify {
        #[serde(flatten)]
        topic: Topic,
        acts: Vec<Act>,
    },
    /// A mail with a token is to be sent.
    MailToken { id: Ulid },
}

/// Any job, with the queue it goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    Fanout(FanoutJob),
    Notify(NotifyJob),
}

/// Sends jobs. Cheap to clone; the client is made at first use.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    aws: Aws,
    endpoint: Option<String>,
    fanout_queue: String,
    notify_queue: String,
    client: OnceLock<Client>,
}

/// SQS takes so many messages a batch (SQS developer guide, "Message quotas").
const BATCH: usize = 10;

impl Jobs {
    pub fn new(aws: Aws, endpoint: Option<String>, config: &Config) -> Self {
        Self(Arc::new(Inner {
            aws,
            endpoint,
            fanout_queue: config.fanout_queue.clone(),
            notify_queue: config.notify_queue.clone(),
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
    ///
    /// # Errors
    /// Unavailable.
    pub async fn send(&self, jobs: Vec<Job>) -> Result<()> {
        let (mut fanout, mut notify) = (Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::Fanout(job) => fanout.push(body(&job)?),
                Job::Notify(job) => notify.push(body(&job)?),
            }
        }
        let both = (self.send_to(&self.0.fanout_queue, fanout), self.send_to(&self.0.notify_queue, notify));
        futures::future::try_join(both.0, both.1).await.map(|_| ())
    }

    async fn send_to(&self, queue: &str, bodies: Vec<String>) -> Result<()> {
        for chunk in bodies.chunks(BATCH) {
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
    ///
    /// # Errors
    /// Unavailable.
    pub async fn ping(&self) -> Result<()> {
        let name = QueueAttributeName::QueueArn;
        let call = self.client().get_queue_attributes().queue_url(&self.0.fanout_queue).attribute_names(name);
        call.send().await.map(|_| ()).map_err(Error::unavailable)
    }
}

fn body(job: &impl Serialize) -> Result<String> {
    serde_json::to_string(job).map_err(Error::internal)
}
