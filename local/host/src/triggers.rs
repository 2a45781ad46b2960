//! What invokes the workers: the table's stream, the queues, clocks. Also the chores AWS does unseen.

mod filter;
mod queue;
mod schedule;
mod stream;
#[cfg(test)]
pub(crate) mod tests;

pub use filter::Pattern;

use emulators::dynamodb::DynamoDb;
use emulators::faults::FaultLayer;
use emulators::faults::replica::Replica;
use emulators::lambda::Function;
use emulators::sqs::{Counts, Sqs};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use stream::{Shard, StreamReader};
use template::{Event, Model};
use tokio::sync::{Mutex, Notify, OwnedRwLockWriteGuard, RwLock, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

/// How often expired items are removed.
const SWEEP: Duration = Duration::from_secs(60);
/// How often old stream records are removed.
const TRIM: Duration = Duration::from_secs(3_600);
/// How often a settling host looks again.
const SETTLE_STEP: Duration = Duration::from_millis(5);

/// What every trigger works with.
pub(crate) struct Sources {
    pub(crate) dynamodb: Arc<DynamoDb>,
    pub(crate) sqs: Sqs,
    pub(crate) table: String,
    pub(crate) faults: Option<FaultLayer>,
    /// For reads that are not strong.
    pub(crate) replica: Option<Arc<Replica>>,
    /// Told after whatever may have written to the table.
    pub(crate) written: Arc<Notify>,
    /// Waiters for the workers: no batch is gathered meanwhile.
    pub(crate) waiting: watch::Sender<usize>,
    /// Each step of a trigger holds it for reading; who holds it for writing sees no worker run.
    pub(crate) gate: Arc<RwLock<()>>,
}

/// All triggers of a host.
pub(crate) struct Triggers {
    sources: Arc<Sources>,
    streams: Vec<Arc<StreamReader>>,
    /// The queues that functions read.
    queues: Vec<String>,
    paused: Mutex<Option<OwnedRwLockWriteGuard<()>>>,
    tasks: JoinSet<()>,
}

/// Somebody who waits for the workers: a batch that is being gathered is handled as it is.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn new(waiting: &'a watch::Sender<usize>) -> Self {
        waiting.send_modify(|count| *count += 1);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Work that did not come to its end in time.
#[derive(Debug, thiserror::Error)]
#[error("not settled: {}", .0.join("; "))]
pub struct Unsettled(Vec<String>);

impl Triggers {
    /// Starts the triggers of `functions`, held until [`Self::resume`].
    pub(crate) async fn start(
        sources: Sources,
        model: &Model,
        functions: &BTreeMap<String, Arc<Function>>,
    ) -> io::Result<Self> {
        let paused = Mutex::new(Some(sources.gate.clone().write_owned().await));
        let sources = Arc::new(sources);
        let mut triggers = Self { sources, streams: Vec::new(), queues: Vec::new(), paused, tasks: JoinSet::new() };
        for (of, event) in model.functions.iter().flat_map(|of| of.events.iter().map(move |event| (of, event))) {
            let (sources, function) = (triggers.sources.clone(), functions[&of.binary].clone());
            match event {
                Event::HttpApi(_) => {}
                Event::Stream(trigger) => {
                    for shard in Shard::all(sources.faults.as_ref(), &function.name) {
                        let reader = StreamReader::new(sources.clone(), trigger, function.clone(), shard).await?;
                        let reader = Arc::new(reader);
                        triggers.streams.push(reader.clone());
                        triggers.tasks.spawn(reader.run());
                    }
                }
                Event::Queue(trigger) => {
                    triggers.queues.push(trigger.queue.clone());
                    queue::spawn(&mut triggers.tasks, &sources, trigger, &function);
                }
                Event::Schedule(trigger) => {
                    triggers.tasks.spawn(schedule::run(sources, trigger.every, function));
                }
            }
        }
        triggers.tasks.spawn(sweep(triggers.sources.clone()));
        triggers.tasks.spawn(trim(triggers.sources.clone(), triggers.streams.clone()));
        Ok(triggers)
    }

    /// Holds all workers; returns when those that run have ended.
    pub(crate) async fn pause(&self) {
        let _waiting = Waiting::new(&self.sources.waiting);
        let mut paused = self.paused.lock().await;
        if paused.is_none() {
            *paused = Some(self.sources.gate.clone().write_owned().await);
        }
    }

    /// Lets them go on.
    pub(crate) async fn resume(&self) {
        self.paused.lock().await.take();
        self.sources.written.notify_waiters();
    }

    /// Returns when every change has been handled and every queue is empty.
    pub(crate) async fn settle(&self, limit: Duration) -> Result<(), Unsettled> {
        let deadline = Instant::now() + limit;
        let _waiting = Waiting::new(&self.sources.waiting);
        loop {
            let left = self.left(deadline).await;
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Unsettled(left));
            }
            tokio::time::sleep(SETTLE_STEP).await;
        }
    }

    /// What is still to be done; nothing only if that was so at a moment when no worker ran.
    async fn left(&self, deadline: Instant) -> Vec<String> {
        // Most looks find something, and need not hold the workers up.
        let left = self.to_do().await;
        if !left.is_empty() {
            return left;
        }
        let paused = self.paused.lock().await;
        let still = async {
            match *paused {
                Some(_) => None,
                None => Some(self.sources.gate.write().await),
            }
        };
        match tokio::time::timeout_at(deadline, still).await {
            Ok(_still) => self.to_do().await,
            Err(_) => vec!["a worker is still running".to_owned()],
        }
    }

    /// Streams that are not at their end, queues that are not empty, a replica that is behind.
    async fn to_do(&self) -> Vec<String> {
        let mut left = Vec::new();
        let end = self.sources.dynamodb.end_of_stream(&self.sources.table).await;
        let is_behind = |stream: &&Arc<StreamReader>| end.as_ref().map_or(true, |end| stream.position() < *end);
        left.extend(
            self.streams.iter().filter(is_behind).map(|stream| format!("{} has changes to read", stream.name())),
        );
        if !left.is_empty() {
            self.sources.written.notify_waiters();
        }
        for queue in &self.queues {
            match self.sources.sqs.counts(queue).await {
                Ok(counts) if counts == Counts::default() => {}
                counts => left.push(format!("{queue}: {counts:?}")),
            }
        }
        if let Some(replica) = &self.sources.replica
            && !replica.is_caught_up().await
        {
            left.push("the replica is behind".to_owned());
        }
        left
    }

    /// Ends all triggers; those that run have `limit` to end by themselves.
    pub(crate) async fn stop(&mut self, limit: Duration) {
        let _ = tokio::time::timeout(limit, self.pause()).await;
        self.tasks.shutdown().await;
    }
}

/// `ReportBatchItemFailures`: what a function says of a batch.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BatchAnswer {
    batch_item_failures: Vec<ItemFailure>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemFailure {
    item_identifier: Option<String>,
}

/// Identifiers of the items that failed. One that names no item of the batch fails the whole batch, and so does an
/// answer that can't be read.
fn failures(answer: &[u8]) -> Vec<String> {
    match serde_json::from_slice::<Option<BatchAnswer>>(answer) {
        Ok(answer) => {
            let failures = answer.unwrap_or_default().batch_item_failures;
            failures.into_iter().map(|failure| failure.item_identifier.unwrap_or_default()).collect()
        }
        Err(_) => vec![String::new()],
    }
}

/// Removes expired items.
async fn sweep(sources: Arc<Sources>) {
    let mut ticks = ticks(SWEEP);
    loop {
        ticks.tick().await;
        match sources.dynamodb.sweep_ttl().await {
            Ok(()) => sources.written.notify_waiters(),
            Err(error) => tracing::error!("removing expired items failed: {error}"),
        }
    }
}

/// Removes stream records that every reader has passed.
async fn trim(sources: Arc<Sources>, streams: Vec<Arc<StreamReader>>) {
    let mut ticks = ticks(TRIM);
    loop {
        ticks.tick().await;
        let passed: Option<Vec<_>> = streams.iter().map(|stream| stream.position()).collect();
        // The positions are of one length: the lowest is the first as text.
        let Some(up_to) = passed.and_then(|passed| passed.into_iter().min()) else {
            continue;
        };
        if let Err(error) = sources.dynamodb.trim_stream(&sources.table, &up_to).await {
            tracing::error!("trimming the stream failed: {error}");
        }
    }
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
