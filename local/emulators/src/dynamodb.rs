//! DynamoDB and its stream, by Dynoxide on a SQLite file.

use super::sqlite::{Sqlite, blocking};
use super::{ACCOUNT, Durability, Listener, REGION, listen};
use clock::Clock;
use dynoxide::actions::batch_write_item::BatchWriteItemRequest;
use dynoxide::actions::create_table::CreateTableRequest;
use dynoxide::actions::get_records::{GetRecordsRequest, Record};
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use dynoxide::actions::update_table::UpdateTableRequest;
use dynoxide::actions::update_time_to_live::UpdateTimeToLiveRequest;
use dynoxide::{Database, DynoxideError, ImportOptions, Item, streams};
use futures::FutureExt;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// What Dynoxide adds to its sequence numbers to show 21 digits.
const SEQUENCE_BASE: u128 = 100_000_000_000_000_000_000;

/// How long the stream keeps a record, as on AWS.
const STREAM_RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// Stream records deleted at once: writers wait for each chunk.
const TRIM_CHUNK: usize = 500;

/// Deletes that one batch takes.
const BATCH: usize = 25;

/// How long a stop waits for requests that are running.
const GRACE: Duration = Duration::from_secs(1);

/// Dynoxide looks the last stream record up at every write; without this index each write slows with every record
/// kept.
const STREAM_INDEX: &str = "CREATE INDEX IF NOT EXISTS perch_stream_position
    ON _stream_records(table_name, CAST(sequence_number AS INTEGER))";

/// The embedded DynamoDB.
pub struct DynamoDb {
    database: Database,
    /// A connection of our own to the database's file, for what Dynoxide has no call for.
    file: Sqlite,
    endpoint: String,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

/// One change of an item.
#[derive(Clone, Debug)]
pub struct StreamRecord {
    /// Its place in the stream: 21 digits, so that text order is stream order.
    pub sequence: String,
    /// One element of `Records` in Lambda's DynamoDB event.
    pub event: Value,
}

impl DynamoDb {
    /// The file that holds it, in the data folder.
    pub const FILE: &str = "dynamodb.sqlite";

    /// Opens or makes its file in `dir` and serves it on a free port.
    pub async fn start(dir: &Path, durability: Durability) -> io::Result<Self> {
        Self::start_on(listen()?, dir, durability).await
    }

    /// Opens or makes its file in `dir` and serves it.
    pub async fn start_on((listener, endpoint): Listener, dir: &Path, durability: Durability) -> io::Result<Self> {
        let path = dir.join(Self::FILE);
        let (database, file) = blocking(move || open(&path, durability)).await?;
        let (stop, stopped) = oneshot::channel();
        let server = serve(listener.into_std()?, database.clone(), stopped)?;
        Ok(Self { database, file, endpoint, stop, server })
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Makes a table from the properties of an `AWS::DynamoDB::Table` and its `TableName`. Leaves a table that
    /// exists as it is.
    ///
    /// # Errors
    /// DynamoDB would refuse the definition.
    pub async fn create_table(&self, definition: &Value) -> io::Result<()> {
        let create: CreateTableRequest = parse(create_table_request(definition))?;
        let name = create.table_name.clone();
        let time_to_live = definition.get("TimeToLiveSpecification").cloned();
        self.call(move |database| {
            match database.create_table(create) {
                Ok(_) | Err(DynoxideError::ResourceInUseException(_)) => {}
                Err(error) => return Err(io::Error::other(error)),
            }
            if let Some(specification) = time_to_live {
                let update: UpdateTimeToLiveRequest =
                    parse(json!({ "TableName": name, "TimeToLiveSpecification": specification }))?;
                database.update_time_to_live(update).map_err(io::Error::other)?;
            }
            Ok(())
        })
        .await
    }

    /// The changes after `after`, or from the oldest kept, at most `limit` (and 1,000), in the order they were made.
    ///
    /// # Errors
    /// There is no such table, it has no stream, or `after` was never a place in it.
    pub async fn read_stream(&self, table: &str, after: Option<&str>, limit: usize) -> io::Result<Vec<StreamRecord>> {
        let table = table.to_owned();
        let after = after.map(str::to_owned);
        self.call(move |database| read_stream(database, &table, after, limit).map_err(io::Error::other)).await
    }

    /// Deletes what is older than 24 hours and not after `up_to`, the position every consumer has passed.
    ///
    /// # Errors
    /// `up_to` was never a place in the stream.
    pub async fn trim_stream(&self, table: &str, up_to: &str) -> io::Result<()> {
        let up_to = up_to.parse::<u128>().map_err(io::Error::other)?.saturating_sub(SEQUENCE_BASE);
        let up_to = i64::try_from(up_to).map_err(io::Error::other)?;
        let before = Clock::default().now().seconds().saturating_sub(STREAM_RETENTION.as_secs());
        loop {
            let table = table.to_owned();
            let deleted = self.file.call(move |file| trim(file, &table, up_to, before)).await?;
            if deleted < TRIM_CHUNK {
                return Ok(());
            }
        }
    }

    /// Deletes the items whose time to live has passed; AWS does so within days, and tells the stream.
    pub async fn sweep_ttl(&self) -> io::Result<()> {
        self.call(|database| database.sweep_ttl().map(drop).map_err(io::Error::other)).await
    }

    /// The place of the newest change; None if the stream keeps none.
    pub async fn end_of_stream(&self, table: &str) -> io::Result<Option<String>> {
        let table = table.to_owned();
        let newest = self.file.call(move |file| {
            let newest = "SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records WHERE table_name = ?1";
            file.query_row(newest, [table], |row| row.get::<_, Option<u64>>(0))
        });
        Ok(newest.await?.map(|number| (SEQUENCE_BASE + u128::from(number)).to_string()))
    }

    /// A database of its own with all that is here now, without a stream; its file goes into `dir`.
    pub async fn copy(&self, dir: &Path, table: &str) -> io::Result<Self> {
        let path = dir.join(Self::FILE).to_string_lossy().into_owned();
        self.call(move |database| database.vacuum_into(&path).map_err(io::Error::other)).await?;
        let copy = Self::start(dir, Durability::Fast).await?;
        let no_stream = json!({ "TableName": table, "StreamSpecification": { "StreamEnabled": false } });
        let no_stream: UpdateTableRequest = parse(no_stream)?;
        copy.call(move |database| database.update_table(no_stream).map(drop).map_err(io::Error::other)).await?;
        Ok(copy)
    }

    /// Does what changes of another database's stream tell of, all of them at once.
    pub async fn apply(&self, table: &str, changes: &[StreamRecord]) -> io::Result<()> {
        let (puts, deletes) = last_images(changes)?;
        let table = table.to_owned();
        self.call(move |database| {
            database.import_items(&table, puts, ImportOptions::default()).map_err(io::Error::other)?;
            for keys in deletes.chunks(BATCH) {
                let deletes: Vec<_> = keys.iter().map(|key| json!({ "DeleteRequest": { "Key": key } })).collect();
                let delete: BatchWriteItemRequest = parse(json!({ "RequestItems": { &table: deletes } }))?;
                database.batch_write_item(delete).map_err(io::Error::other)?;
            }
            Ok(())
        })
        .await
    }

    /// Finishes the requests that are running, then closes the file. Dropping does the same without waiting.
    pub async fn stop(self) {
        let Self { stop, server, .. } = self;
        drop(stop);
        if blocking(move || server.join().map_err(|_| "the DynamoDB thread panicked")).await.is_err() {
            tracing::warn!("the embedded DynamoDB did not stop cleanly");
        }
    }

    /// Calls of Dynoxide wait for its one lock, and for the disk.
    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let database = self.database.clone();
        blocking(move || work(&database)).await
    }
}

fn open(path: &Path, durability: Durability) -> io::Result<(Database, Sqlite)> {
    let name = path.to_str().ok_or_else(|| io::Error::other("the data folder's name is not UTF-8"))?;
    let database = Database::new(name).map_err(io::Error::other)?;
    if durability == Durability::Fast {
        // Turns `synchronous` off: nobody waits for the disk, not even at a checkpoint.
        database.enable_bulk_loading().map_err(io::Error::other)?;
    }
    Ok((database, Sqlite::open(path, durability, STREAM_INDEX)?))
}

/// Serves on a thread and a runtime of its own, for each request blocks its worker.
fn serve(
    listener: std::net::TcpListener,
    database: Database,
    stopped: oneshot::Receiver<()>,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let stop = stopped.map(drop).shared();
    let serve = async move {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
        tokio::select! {
            ended = dynoxide::server::serve_with_shutdown(listener, database, stop.clone()) => ended,
            () = stop.then(|()| tokio::time::sleep(GRACE)) => Err("requests were still running".into()),
        }
    };
    std::thread::Builder::new().name("dynamodb".into()).spawn(move || {
        if let Err(error) = runtime.block_on(serve) {
            tracing::error!(%error, "the embedded DynamoDB ended");
        }
    })
}

/// CloudFormation's properties as the API's request.
fn create_table_request(definition: &Value) -> Value {
    const SAME: [&str; 5] =
        ["TableName", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "LocalSecondaryIndexes"];
    let mut request: Map<String, Value> =
        SAME.iter().filter_map(|name| Some((String::from(*name), definition.get(name)?.clone()))).collect();
    request.insert("BillingMode".into(), json!("PAY_PER_REQUEST"));
    if let Some(view) = definition.pointer("/StreamSpecification/StreamViewType") {
        request.insert("StreamSpecification".into(), json!({ "StreamEnabled": true, "StreamViewType": view }));
    }
    Value::Object(request)
}

fn read_stream(
    database: &Database,
    table: &str,
    after: Option<String>,
    limit: usize,
) -> dynoxide::Result<Vec<StreamRecord>> {
    let label = database.get_table_metadata(table)?.and_then(|metadata| metadata.stream_label).unwrap_or_default();
    let kind = if after.is_some() { "AFTER_SEQUENCE_NUMBER" } else { "TRIM_HORIZON" };
    let iterator = database.get_shard_iterator(GetShardIteratorRequest {
        stream_arn: streams::stream_arn(table, &label),
        shard_id: streams::shard_id(table),
        shard_iterator_type: kind.into(),
        sequence_number: after,
    })?;
    let request = GetRecordsRequest { shard_iterator: iterator.shard_iterator.unwrap_or_default(), limit: Some(limit) };
    let arn = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}/stream/{label}");
    let records = database.get_records(request)?.records;
    records.into_iter().map(|record| stream_record(record, &arn)).collect()
}

/// A record of the streams API as Lambda passes it on.
fn stream_record(mut record: Record, arn: &str) -> dynoxide::Result<StreamRecord> {
    let sequence = record.dynamodb.sequence_number.clone();
    record.aws_region = REGION.into();
    let mut event =
        serde_json::to_value(record).map_err(|error| DynoxideError::InternalServerError(error.to_string()))?;
    event["eventSourceARN"] = arn.into();
    Ok(StreamRecord { sequence, event })
}

/// The items that stand after these changes, and the keys of those that are gone.
fn last_images(changes: &[StreamRecord]) -> io::Result<(Vec<Item>, Vec<Value>)> {
    let changes = changes.iter().map(|record| &record.event["dynamodb"]);
    // One key, whatever order its attributes come in.
    let key = |change: &Value| -> BTreeMap<String, String> {
        change["Keys"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect()
    };
    let last: HashMap<_, &Value> = changes.map(|change| (key(change), change)).collect();
    let (mut puts, mut deletes) = (Vec::new(), Vec::new());
    for change in last.into_values() {
        match change.get("NewImage") {
            Some(image) => puts.push(parse(image.clone())?),
            None => deletes.push(change["Keys"].clone()),
        }
    }
    Ok((puts, deletes))
}

fn trim(file: &rusqlite::Connection, table: &str, up_to: i64, before: u64) -> rusqlite::Result<usize> {
    file.execute(
        "DELETE FROM _stream_records WHERE id IN (
            SELECT id FROM _stream_records
            WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) <= ?2 AND created_at < ?3
            ORDER BY CAST(sequence_number AS INTEGER) LIMIT ?4)",
        rusqlite::params![table, up_to, before, TRIM_CHUNK],
    )
}

fn parse<T: DeserializeOwned>(request: Value) -> io::Result<T> {
    serde_json::from_value(request).map_err(io::Error::other)
}

#[cfg(test)]
mod tests;
