//! A second database that follows the first one late, for reads that are not strong.

use crate::dynamodb::{DynamoDb, StreamRecord};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The replica of a host under faults shows no write younger than this.
pub const LAG: Duration = Duration::from_millis(200);
/// How often it looks for new ones.
const POLL: Duration = Duration::from_millis(10);
/// Changes read, and applied, at once: as many as the stream gives.
const BATCH: usize = 1_000;
/// Looks of which the finds wait: those of the lag, several times over.
const MOST_HELD: usize = 256;
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// The copy, and what keeps it up.
pub struct Replica {
    endpoint: String,
    follower: Arc<Follower>,
    tasks: JoinSet<()>,
    _folder: TempDir,
}

struct Follower {
    primary: Arc<DynamoDb>,
    copy: DynamoDb,
    table: String,
    lag: Duration,
    /// The last change of the first one's stream that the copy has.
    applied: Mutex<Option<String>>,
}

/// Changes, and when they may be seen.
type Held = (Instant, Vec<StreamRecord>);

impl Replica {
    /// Copies the table as it is, before anybody writes to it, and follows it from there, so long behind.
    pub async fn start(primary: Arc<DynamoDb>, table: &str, lag: Duration) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("perch-replica-").tempdir()?;
        let at = primary.end_of_stream(table).await?;
        let copy = primary.copy(folder.path(), table).await?;
        let endpoint = copy.endpoint().to_owned();
        let applied = Mutex::new(at.clone());
        let follower = Arc::new(Follower { primary, copy, table: table.to_owned(), lag, applied });
        // What has not come yet is in the stream.
        let (held, due) = mpsc::channel(MOST_HELD);
        let mut tasks = JoinSet::new();
        tasks.spawn(follower.clone().read(at, held));
        tasks.spawn(follower.clone().apply(due));
        Ok(Self { endpoint, follower, tasks, _folder: folder })
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    /// Whether it shows all that was written.
    pub async fn is_caught_up(&self) -> bool {
        let end = self.follower.primary.end_of_stream(&self.follower.table).await;
        end.is_ok_and(|end| end <= *super::lock(&self.follower.applied))
    }
}

impl Follower {
    async fn read(self: Arc<Self>, mut at: Option<String>, held: mpsc::Sender<Held>) {
        loop {
            match self.after(at.as_deref()).await {
                Ok(records) if records.is_empty() => tokio::time::sleep(POLL).await,
                Ok(records) => {
                    at = records.last().map(|record| record.sequence.clone());
                    // They were made before now: at that time none is younger than the lag.
                    if held.send((Instant::now() + self.lag, records)).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::error!("the replica can't read the stream: {error}");
                    tokio::time::sleep(AFTER_ERROR).await;
                }
            }
        }
    }

    /// Changes after this place. Most looks find none, and cost no more than the look at where the stream ends.
    async fn after(&self, at: Option<&str>) -> io::Result<Vec<StreamRecord>> {
        if self.primary.end_of_stream(&self.table).await?.as_deref() <= at {
            return Ok(Vec::new());
        }
        self.primary.read_stream(&self.table, at, BATCH).await
    }

    async fn apply(self: Arc<Self>, mut due: mpsc::Receiver<Held>) {
        while let Some((at, records)) = due.recv().await {
            tokio::time::sleep_until(at).await;
            let last = records.last().map(|record| record.sequence.clone());
            while let Err(error) = self.copy.apply(&self.table, &records).await {
                tracing::error!("the replica can't be written: {error}");
                tokio::time::sleep(AFTER_ERROR).await;
            }
            *super::lock(&self.applied) = last;
        }
    }
}
