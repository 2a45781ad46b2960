//! The table's stream as a Lambda event source: batches in order, retried, halved, and at last given up to a queue.

use super::filter::Pattern;
use super::{Sources, failures};
use crate::functions::Function;
use crate::services::dynamodb::StreamRecord;
use crate::template::StreamTrigger;
use serde_json::{Value, json};
use shared::clock::{Clock, Timestamp};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long an idle reader waits when nothing wakes it.
const POLL: Duration = Duration::from_millis(200);
/// The first wait before a batch is tried again; each next one is twice as long.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// One function's place in the stream.
pub(crate) struct StreamReader {
    sources: Arc<Sources>,
    trigger: StreamTrigger,
    patterns: Vec<Pattern>,
    function: Arc<Function>,
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
    ) -> io::Result<Self> {
        let patterns = trigger.filters().map(Pattern::parse).collect::<Result<_, _>>().map_err(io::Error::other)?;
        let position = Mutex::new(sources.sqs.checkpoint(&function.name).await?);
        Ok(Self { sources, trigger: trigger.clone(), patterns, function, position })
    }

    pub(crate) fn name(&self) -> &str {
        &self.function.name
    }

    pub(crate) fn position(&self) -> Option<String> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether nothing is left to deliver.
    pub(crate) async fn is_at_end(&self) -> bool {
        matches!(self.read(1).await.as_deref(), Ok([]))
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
        let mut records = self.read(self.trigger.batch_size).await?;
        let Some(up_to) = records.last().map(|record| record.sequence.clone()) else {
            return Ok(Step::Idle);
        };
        records.retain(|record| self.lets_through(&record.event));
        if records.is_empty() {
            self.advance(up_to).await?;
        } else {
            pending.batches.push(Batch { records, up_to });
        }
        Ok(Step::Progress)
    }

    fn lets_through(&self, event: &Value) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.matches(event))
    }

    async fn deliver(&self, mut batch: Batch, pending: &mut Pending) -> io::Result<Step> {
        let failed = self.invoke(&batch.records).await;
        self.sources.written.notify_waiters();
        match failed {
            None => {
                pending.failures = 0;
                self.advance(batch.up_to).await?;
            }
            // What came before the first failure is done.
            Some(first) if first > 0 => {
                let records = batch.records.split_off(first);
                pending.failures = 0;
                self.advance(last_sequence(&batch.records)).await?;
                pending.batches.push(Batch { records, up_to: batch.up_to });
            }
            Some(_) if self.trigger.bisect_batch_on_function_error && batch.records.len() > 1 => {
                let records = batch.records.split_off(batch.records.len() / 2);
                let up_to = last_sequence(&batch.records);
                pending.batches.push(Batch { records, up_to: batch.up_to });
                pending.batches.push(Batch { records: batch.records, up_to });
            }
            Some(_) if self.trigger.maximum_retry_attempts.is_none_or(|most| pending.failures < most) => {
                let wait = FIRST_BACKOFF.saturating_mul(1 << pending.failures.min(10)).min(LONGEST_BACKOFF);
                pending.failures += 1;
                pending.batches.push(batch);
                return Ok(Step::Failed { wait });
            }
            Some(_) => {
                self.give_up(&batch.records, pending.failures).await?;
                pending.failures = 0;
                self.advance(batch.up_to).await?;
            }
        }
        Ok(Step::Progress)
    }

    /// The index of the first record that failed, if one did.
    async fn invoke(&self, records: &[StreamRecord]) -> Option<usize> {
        let events: Vec<_> = records.iter().map(|record| &record.event).collect();
        let event = json!({ "Records": events }).to_string().into_bytes();
        let Ok(answer) = self.function.invoke(event).await else {
            return Some(0);
        };
        if self.trigger.function_response_types.is_empty() {
            return None;
        }
        let index = |failed: &String| records.iter().position(|record| record.sequence == *failed).unwrap_or(0);
        failures(&answer).iter().map(index).min()
    }

    async fn read(&self, limit: usize) -> io::Result<Vec<StreamRecord>> {
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
            "functionArn": crate::template::resolve::arn("lambda", &format!("function:{function}")),
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
