//! The table's stream as a Lambda event source: batches in order, retried, halved, and at last given up to a queue.

use super::filter::Pattern;
use super::{Sources, failures};
use emulators::dynamodb::StreamRecord;
use emulators::faults::{Delivery, FaultLayer};
use emulators::lambda::{Function, InvokeError};
use serde_json::{Value, json};
use shared::clock::{Clock, Timestamp};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use template::StreamTrigger;

/// How long an idle reader waits when nothing wakes it.
const POLL: Duration = Duration::from_millis(200);
/// The first wait before a batch is tried again; each next one is twice as long.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// The streams API gives no more at once.
const MOST_RECORDS: usize = 1_000;

/// A part of the stream: the items of some partitions. Without faults it is all of it.
pub(crate) struct Shard {
    /// What its position is kept under.
    name: String,
    index: usize,
    count: usize,
    faults: Option<Delivery>,
}

impl Shard {
    /// The shards of which a function reads the stream.
    pub(crate) fn all(faults: Option<&FaultLayer>, function: &str) -> Vec<Self> {
        let count = faults.map_or(1, FaultLayer::shards);
        let shard = |index| {
            let name = if count == 1 { function.to_owned() } else { format!("{function} shard {index}") };
            Self { faults: faults.map(|faults| faults.delivery(function, &name)), name, index, count }
        };
        (0..count).map(shard).collect()
    }

    fn holds(&self, event: &Value) -> bool {
        if self.count == 1 {
            return true;
        }
        let mut hasher = DefaultHasher::new();
        event["dynamodb"]["Keys"]["PK"].to_string().hash(&mut hasher);
        hasher.finish() % self.count as u64 == self.index as u64
    }
}

/// What came of a batch.
enum Delivered {
    Done,
    /// The record of this index failed first.
    FailedAt(usize),
    Killed,
}

/// One function's place in the stream.
pub(crate) struct StreamReader {
    sources: Arc<Sources>,
    trigger: StreamTrigger,
    patterns: Vec<Pattern>,
    function: Arc<Function>,
    shard: Shard,
    /// The last record that needs no more attention; kept on disk too.
    position: Mutex<Option<String>>,
}

/// Records to deliver together.
struct Batch {
    records: Vec<StreamRecord>,
    /// The position once they are done with, which may be that of a later record that no pattern let through.
    up_to: String,
}

/// What a reader has taken from the stream and not yet delivered.
#[derive(Default)]
struct Pending {
    /// The next one last.
    batches: Vec<Batch>,
    /// How often the next one has failed.
    failures: u32,
}

enum Step {
    Progress,
    Idle,
    Failed { wait: Duration },
}

impl StreamReader {
    /// Takes up where the function left off, or at the oldest record.
    pub(crate) async fn new(
        sources: Arc<Sources>,
        trigger: &StreamTrigger,
        function: Arc<Function>,
        shard: Shard,
    ) -> io::Result<Self> {
        let patterns = trigger.filters().map(Pattern::parse).collect::<Result<_, _>>().map_err(io::Error::other)?;
        let mut position = sources.sqs.checkpoint(&shard.name).await?;
        if position.is_none() {
            // The shard's first run: what was read before is not its to read.
            position = sources.sqs.checkpoint(&function.name).await?;
        }
        Ok(Self { sources, trigger: trigger.clone(), patterns, function, shard, position: Mutex::new(position) })
    }

    pub(crate) fn name(&self) -> &str {
        &self.shard.name
    }

    pub(crate) fn position(&self) -> Option<String> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) async fn run(self: Arc<Self>) {
        let mut pending = Pending::default();
        loop {
            let written = self.sources.written.notified();
            let step = {
                let _open = self.sources.gate.read().await;
                self.step(&mut pending).await
            };
            match step {
                Ok(Step::Progress) => {}
                Ok(Step::Idle) => drop(tokio::time::timeout(POLL, written).await),
                Ok(Step::Failed { wait }) => tokio::time::sleep(wait).await,
                Err(error) => {
                    tracing::error!("{} can't read the stream: {error}", self.name());
                    // Start again from the position that was kept.
                    pending = Pending::default();
                    tokio::time::sleep(LONGEST_BACKOFF).await;
                }
            }
        }
    }

    /// Reads a batch or delivers one.
    async fn step(&self, pending: &mut Pending) -> io::Result<Step> {
        if let Some(batch) = pending.batches.pop() {
            return self.deliver(batch, pending).await;
        }
        let mut records = self.read(self.trigger.batch_size * self.shard.count).await?;
        let Some(up_to) = records.last().map(|record| record.sequence.clone()) else {
            return Ok(Step::Idle);
        };
        records.retain(|record| self.shard.holds(&record.event) && self.lets_through(&record.event));
        if records.is_empty() {
            self.advance(up_to).await?;
        } else {
            pending.batches = self.batches(records, up_to);
        }
        Ok(Step::Progress)
    }

    /// The records divided, the next batch last: without faults into one.
    fn batches(&self, mut records: Vec<StreamRecord>, mut up_to: String) -> Vec<Batch> {
        let most = self.trigger.batch_size;
        let mut batches = Vec::new();
        // From the end, so that each batch ends where the one behind it starts.
        while !records.is_empty() {
            let size = self.shard.faults.as_ref().map_or(most, |faults| faults.batch_size(most));
            let last = records.split_off(records.len().saturating_sub(size));
            let before = last_sequence(&records);
            batches.push(Batch { records: last, up_to: std::mem::replace(&mut up_to, before) });
        }
        batches
    }

    fn lets_through(&self, event: &Value) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.matches(event))
    }

    async fn deliver(&self, mut batch: Batch, pending: &mut Pending) -> io::Result<Step> {
        let delivered = self.invoke(&batch.records).await;
        self.sources.written.notify_waiters();
        match delivered {
            // From the position that was kept on all comes again, in other batches.
            Delivered::Done if self.shard.faults.as_ref().is_some_and(Delivery::again) => *pending = Pending::default(),
            Delivered::Done => {
                pending.failures = 0;
                self.advance(batch.up_to).await?;
            }
            Delivered::Killed => {
                let wait = self.shard.faults.as_ref().map_or(FIRST_BACKOFF, Delivery::soon);
                pending.batches.push(batch);
                return Ok(Step::Failed { wait });
            }
            // What came before the first failure is done.
            Delivered::FailedAt(first) if first > 0 => {
                let records = batch.records.split_off(first);
                pending.failures = 0;
                self.advance(last_sequence(&batch.records)).await?;
                pending.batches.push(Batch { records, up_to: batch.up_to });
            }
            Delivered::FailedAt(_) if self.trigger.bisect_batch_on_function_error && batch.records.len() > 1 => {
                let records = batch.records.split_off(batch.records.len() / 2);
                let up_to = last_sequence(&batch.records);
                pending.batches.push(Batch { records, up_to: batch.up_to });
                pending.batches.push(Batch { records: batch.records, up_to });
            }
            Delivered::FailedAt(_) if self.may_retry(pending.failures) => {
                let wait = FIRST_BACKOFF.saturating_mul(1 << pending.failures.min(10)).min(LONGEST_BACKOFF);
                pending.failures += 1;
                pending.batches.push(batch);
                return Ok(Step::Failed { wait });
            }
            Delivered::FailedAt(_) => {
                self.give_up(&batch.records, pending.failures).await?;
                pending.failures = 0;
                self.advance(batch.up_to).await?;
            }
        }
        Ok(Step::Progress)
    }

    fn may_retry(&self, failures: u32) -> bool {
        self.trigger.maximum_retry_attempts.is_none_or(|most| failures < most)
    }

    async fn invoke(&self, records: &[StreamRecord]) -> Delivered {
        let events: Vec<_> = records.iter().map(|record| &record.event).collect();
        let event = json!({ "Records": events }).to_string().into_bytes();
        let answer = match self.function.invoke_under(self.shard.faults.as_ref(), event).await {
            Ok(answer) => answer,
            Err(InvokeError::Killed) => return Delivered::Killed,
            Err(_) => return Delivered::FailedAt(0),
        };
        if self.trigger.function_response_types.is_empty() {
            return Delivered::Done;
        }
        let index = |failed: &String| records.iter().position(|record| record.sequence == *failed).unwrap_or(0);
        failures(&answer).iter().map(index).min().map_or(Delivered::Done, Delivered::FailedAt)
    }

    async fn read(&self, limit: usize) -> io::Result<Vec<StreamRecord>> {
        let limit = limit.min(MOST_RECORDS);
        self.sources.dynamodb.read_stream(&self.sources.table, self.position().as_deref(), limit).await
    }

    async fn advance(&self, position: String) -> io::Result<()> {
        self.sources.sqs.save_checkpoint(self.name(), &position).await?;
        *self.position.lock().unwrap_or_else(PoisonError::into_inner) = Some(position);
        Ok(())
    }

    /// Tells the on-failure queue where the records are, in Lambda's form.
    async fn give_up(&self, records: &[StreamRecord], retries: u32) -> io::Result<()> {
        tracing::error!("{} gave up {} records of the stream", self.name(), records.len());
        let Some(queue) = self.trigger.on_failure() else {
            return Ok(());
        };
        let message = failure_message(&self.function.name, records, retries + 1, Clock::default().now());
        self.sources.sqs.send(queue, vec![message.to_string().into()]).await.map(drop)
    }
}

fn last_sequence(records: &[StreamRecord]) -> String {
    records.last().map(|record| record.sequence.clone()).unwrap_or_default()
}

fn failure_message(function: &str, records: &[StreamRecord], invocations: u32, now: Timestamp) -> Value {
    let (first, last) = (records.first(), records.last());
    let sequence = |record: Option<&StreamRecord>| record.map(|record| record.sequence.clone());
    let arrival = |record: Option<&StreamRecord>| {
        let seconds = record?.event["dynamodb"]["ApproximateCreationDateTime"].as_f64()?;
        Some(Timestamp::from_millis(Duration::try_from_secs_f64(seconds).ok()?.as_millis().try_into().ok()?).rfc3339())
    };
    json!({
        "requestContext": {
            "requestId": ulid::Ulid::generate().to_string(),
            "functionArn": template::resolve::arn("lambda", &format!("function:{function}")),
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": invocations,
        },
        "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
        "version": "1.0",
        "timestamp": now.rfc3339(),
        "DDBStreamBatchInfo": {
            "shardId": "shardId-local",
            "startSequenceNumber": sequence(first),
            "endSequenceNumber": sequence(last),
            "approximateArrivalOfFirstRecord": arrival(first),
            "approximateArrivalOfLastRecord": arrival(last),
            "batchSize": records.len(),
            "streamArn": first.map(|record| &record.event["eventSourceARN"]),
        },
    })
}
