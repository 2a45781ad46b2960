//! SQS on a SQLite file: the queues themselves, for the triggers in this process. `protocol` serves them to the SDK.

mod protocol;

use super::sqlite::Sqlite;
use super::{ACCOUNT, Durability, Listener, REGION, listen};
use crate::faults::MessageFaults;
use clock::Clock;
use md5::{Digest, Md5};
use rusqlite::Error::{FromSqlConversionFailure, ToSqlConversionFailure};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;
use ulid::Ulid;

/// Times are milliseconds since the epoch. A message is delayed or in flight until `visible_at`. The number of a
/// message and of its receipt together are the receipt handle, so that only the latest receipt deletes.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS messages (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        message_id TEXT NOT NULL,
        body TEXT NOT NULL,
        sent_at INTEGER NOT NULL,
        visible_at INTEGER NOT NULL,
        received INTEGER NOT NULL DEFAULT 0,
        first_received_at INTEGER
    );
    CREATE INDEX IF NOT EXISTS messages_by_queue ON messages(queue, visible_at);
    CREATE TABLE IF NOT EXISTS message_attributes (number INTEGER PRIMARY KEY, attributes TEXT NOT NULL);
    CREATE TRIGGER IF NOT EXISTS attributes_go_too AFTER DELETE ON messages
        BEGIN DELETE FROM message_attributes WHERE number = OLD.number; END;
    CREATE TABLE IF NOT EXISTS checkpoints (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    -- Receivers of messages died with the process that held the queues: none is to be waited for.
    UPDATE messages SET visible_at = 0 WHERE received > 0;";

/// Under faults messages are drawn from this many times as many as are asked for.
const MIXED: usize = 4;

/// A queue, as the template describes it.
#[derive(Clone, Debug)]
pub struct QueueSpec {
    pub name: String,
    /// How long a message stays hidden at first, unless the sender says otherwise.
    pub delay: Duration,
    /// How long a received message stays hidden, unless the receiver says otherwise.
    pub visibility_timeout: Duration,
    /// The dead-letter queue, and how often a message is received before it goes there.
    pub redrive: Option<(String, u32)>,
}

/// What a sender says of a message beside its body, by name.
pub type MessageAttributes = BTreeMap<String, MessageAttribute>;

/// One of them, in the wire's form; binary values are not embedded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct MessageAttribute {
    /// `String` or `Number`.
    pub data_type: String,
    pub string_value: String,
}

/// A message to be sent.
#[derive(Clone, Debug, Default)]
pub struct NewMessage {
    pub body: String,
    /// So long it stays hidden at first.
    pub delay: Duration,
    pub attributes: MessageAttributes,
}

impl From<String> for NewMessage {
    fn from(body: String) -> Self {
        Self { body, ..Self::default() }
    }
}

/// A message as received, with what Lambda's SQS event shows of it.
#[derive(Clone, Debug)]
pub struct Message {
    pub message_id: String,
    pub receipt_handle: String,
    pub body: String,
    /// ApproximateReceiveCount, SentTimestamp, ApproximateFirstReceiveTimestamp, SenderId.
    pub attributes: BTreeMap<String, String>,
    /// The sender's own.
    pub message_attributes: MessageAttributes,
    /// Of the body, in hexadecimal.
    pub md5: String,
}

/// How many messages a queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub visible: u64,
    pub in_flight: u64,
    pub delayed: u64,
}

/// The embedded SQS. Clones are the same queues. Calls that name a queue there is none of fail with
/// [`io::ErrorKind::NotFound`], those with a handle that was never a receipt with [`io::ErrorKind::InvalidInput`].
#[derive(Clone)]
pub struct Sqs {
    file: Sqlite,
    queues: Arc<BTreeMap<String, QueueSpec>>,
    /// Told when a message of the queue may have become visible: of one queue, for a host has dozens of pollers.
    changed: Arc<BTreeMap<String, Notify>>,
    /// Told when a message was hidden for some time.
    hidden: Arc<Notify>,
    unsent: Arc<Mutex<Vec<Unsent>>>,
    faults: Option<Arc<MessageFaults>>,
    endpoint: String,
}

/// Messages that wait for the file, and who waits for their ids.
struct Unsent {
    queue: String,
    messages: Vec<NewMessage>,
    ids: oneshot::Sender<Result<Vec<String>, String>>,
}

/// A panic while it was held broke nothing: each holder makes one change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sqs {
    /// Opens or makes `queues.sqlite` in `dir` and serves it. Messages are kept by their queue's name.
    pub async fn start(dir: &Path, durability: Durability, queues: Vec<QueueSpec>) -> io::Result<Self> {
        Self::start_under(None, listen()?, dir, durability, queues).await
    }

    /// Opens or makes `queues.sqlite` in `dir` and serves it under faults.
    pub async fn start_under(
        faults: Option<MessageFaults>,
        (listener, endpoint): Listener,
        dir: &Path,
        durability: Durability,
        queues: Vec<QueueSpec>,
    ) -> io::Result<Self> {
        let file = Sqlite::open(&dir.join("queues.sqlite"), durability, SCHEMA)?;
        let changed = Arc::new(queues.iter().map(|queue| (queue.name.clone(), Notify::new())).collect());
        let queues = queues.into_iter().map(|queue| (queue.name.clone(), queue)).collect();
        let (hidden, unsent, faults) = (Arc::default(), Arc::default(), faults.map(Arc::new));
        let sqs = Self { file, queues: Arc::new(queues), changed, hidden, unsent, faults, endpoint };
        tokio::spawn(sqs.clone().tell_in_time());
        tokio::spawn(axum::serve(listener, protocol::router(sqs.clone())).into_future());
        Ok(sqs)
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// `http://127.0.0.1:PORT/000000000000/NAME`
    pub fn queue_url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.endpoint)
    }

    /// The queue's name in events and policies.
    pub fn queue_arn(name: &str) -> String {
        format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
    }

    /// Sends messages, each hidden for its delay, all or none of them; answers their ids.
    pub async fn send(&self, name: &str, mut messages: Vec<NewMessage>) -> io::Result<Vec<String>> {
        let (queue, count) = (self.queue(name)?, messages.len());
        // Nobody waits for what is in a dead-letter queue.
        if let Some(faults) = self.faults.as_ref().filter(|_| queue.redrive.is_some()) {
            faults.spread(&mut messages);
        }
        let (ids, sent) = oneshot::channel();
        lock(&self.unsent).push(Unsent { queue: queue.name.clone(), messages, ids });
        let unsent = self.unsent.clone();
        let insert_all = move |file: &mut Connection| {
            insert_all(file, std::mem::take(&mut *lock(&unsent)));
            Ok(())
        };
        self.file.call(insert_all).await?;
        let ids = sent.await.map_err(io::Error::other)?;
        let mut ids = ids.map_err(io::Error::other)?;
        ids.truncate(count);
        self.tell(name);
        self.hidden.notify_one();
        Ok(ids)
    }

    /// Up to `max` messages that are visible, which the queue's visibility timeout then hides.
    pub async fn receive(&self, name: &str, max: usize) -> io::Result<Vec<Message>> {
        let timeout = self.queue(name)?.visibility_timeout;
        self.receive_for(name, max, timeout).await
    }

    /// Up to `max` messages that are visible, hidden for `timeout`.
    pub async fn receive_for(&self, name: &str, max: usize, timeout: Duration) -> io::Result<Vec<Message>> {
        let queue = self.queue(name)?.clone();
        let faults = self.faults.clone();
        let messages = self.file.call(move |file| receive(file, &queue, max, timeout, faults.as_deref())).await?;
        if !messages.is_empty() {
            self.hidden.notify_one();
        }
        Ok(messages)
    }

    /// Deletes messages by their receipt handles. One that was received again since stays.
    pub async fn delete(&self, name: &str, receipts: &[String]) -> io::Result<()> {
        let queue = self.queue(name)?.name.clone();
        let receipts = receipts.iter().map(|handle| parse_receipt(handle)).collect::<io::Result<Vec<_>>>()?;
        self.file.call(move |file| delete(file, &queue, &receipts)).await
    }

    /// Has a received message become visible after `delay` from now.
    pub async fn make_visible(&self, name: &str, receipt: &str, delay: Duration) -> io::Result<()> {
        let queue = self.queue(name)?.name.clone();
        let (number, received) = parse_receipt(receipt)?;
        let delay = self.faults.as_ref().map_or(delay, |faults| faults.shorten(delay));
        self.file
            .call(move |file| {
                file.execute(
                    "UPDATE messages SET visible_at = ?1 WHERE number = ?2 AND received = ?3 AND queue = ?4",
                    params![now() + millis(delay), number, received, queue],
                )
            })
            .await?;
        self.tell(name);
        self.hidden.notify_one();
        Ok(())
    }

    /// Moves the visible messages of one queue to another, where they are new; answers how many.
    pub async fn move_all(&self, from: &str, to: &str) -> io::Result<usize> {
        let (from, to) = (self.queue(from)?.name.clone(), self.queue(to)?.name.clone());
        let moved_to = to.clone();
        let moved = self.file.call(move |file| move_all(file, &from, &to)).await?;
        self.tell(&moved_to);
        Ok(moved)
    }

    /// Deletes all messages of a queue.
    pub async fn purge(&self, name: &str) -> io::Result<()> {
        let queue = self.queue(name)?.name.clone();
        self.file.call(move |file| file.execute("DELETE FROM messages WHERE queue = ?1", [queue])).await?;
        Ok(())
    }

    /// How many messages the queue holds now.
    pub async fn counts(&self, name: &str) -> io::Result<Counts> {
        let queue = self.queue(name)?.name.clone();
        self.file.call(move |file| counts(file, &queue)).await
    }

    /// Waits until a message of the queue may have become visible: it was sent or given back, or its delay or
    /// visibility timeout ran out. Counts from this call, not from the first await: called before a look that finds
    /// nothing, it misses nothing. Never, for a queue there is none of.
    pub fn changed(&self, name: &str) -> impl Future<Output = ()> + Send + use<'_> {
        let told = self.changed.get(name).map(Notify::notified);
        async move {
            match told {
                Some(told) => told.await,
                None => std::future::pending().await,
            }
        }
    }

    fn tell(&self, name: &str) {
        self.changed.get(name).iter().for_each(|queue| queue.notify_waiters());
    }

    /// Tells who waits when messages become visible by the passing of time.
    async fn tell_in_time(self) {
        // Who looks after this moment sees what was visible then; what shows later is yet to be told.
        let mut told = 0;
        loop {
            let wait = match self.next_visible(told).await {
                Ok(at) => {
                    at.map_or(Duration::MAX, |at| Duration::from_millis(at.saturating_sub(now()).max(0).unsigned_abs()))
                }
                Err(error) => {
                    tracing::error!(%error, "queues.sqlite cannot be read");
                    Duration::from_secs(1)
                }
            };
            if timeout(wait, self.hidden.notified()).await.is_err() {
                told = now();
                self.changed.values().for_each(Notify::notify_waiters);
            }
        }
    }

    /// When the first message of any queue that shows after `told` does so.
    async fn next_visible(&self, told: i64) -> io::Result<Option<i64>> {
        let queues = self.queues.clone();
        self.file
            .call(move |file| {
                let mut next =
                    file.prepare_cached("SELECT MIN(visible_at) FROM messages WHERE queue = ?1 AND visible_at > ?2")?;
                let mut earliest: Option<i64> = None;
                for name in queues.keys() {
                    let at: Option<i64> = next.query_row(params![name, told], |row| row.get(0))?;
                    earliest = earliest.into_iter().chain(at).min();
                }
                Ok(earliest)
            })
            .await
    }

    /// Keeps a consumer's position in a stream.
    pub async fn save_checkpoint(&self, name: &str, value: &str) -> io::Result<()> {
        let checkpoint = (name.to_owned(), value.to_owned());
        self.file
            .call(move |file| file.execute("INSERT OR REPLACE INTO checkpoints VALUES (?1, ?2)", checkpoint))
            .await?;
        Ok(())
    }

    /// The position last saved under this name.
    pub async fn checkpoint(&self, name: &str) -> io::Result<Option<String>> {
        let name = name.to_owned();
        self.file
            .call(move |file| {
                file.query_row("SELECT value FROM checkpoints WHERE name = ?1", [name], |row| row.get(0)).optional()
            })
            .await
    }

    fn queue(&self, name: &str) -> io::Result<&QueueSpec> {
        self.queues.get(name).ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no queue named {name}")))
    }
}

/// Inserts what all have sent that wait, in one transaction: the disk is waited for once.
fn insert_all(file: &mut Connection, unsent: Vec<Unsent>) {
    let mut insert_all = || {
        let transaction = file.transaction()?;
        let ids = unsent.iter().map(|one| insert(&transaction, &one.queue, &one.messages));
        let ids = ids.collect::<rusqlite::Result<Vec<_>>>()?;
        transaction.commit().map(|()| ids)
    };
    match insert_all() {
        Ok(ids) => unsent.into_iter().zip(ids).for_each(|(one, ids)| drop(one.ids.send(Ok(ids)))),
        Err(error) => unsent.into_iter().for_each(|one| drop(one.ids.send(Err(error.to_string())))),
    }
}

fn insert(transaction: &Transaction<'_>, queue: &str, messages: &[NewMessage]) -> rusqlite::Result<Vec<String>> {
    let now = now();
    let mut ids = Vec::with_capacity(messages.len());
    for NewMessage { body, delay, attributes } in messages {
        let id = Ulid::generate().to_string();
        let mut insert = transaction.prepare_cached(
            "INSERT INTO messages (queue, message_id, body, sent_at, visible_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        insert.execute(params![queue, id, body, now, now + millis(*delay)])?;
        if !attributes.is_empty() {
            let text = serde_json::to_string(attributes).map_err(|error| ToSqlConversionFailure(error.into()))?;
            let number = transaction.last_insert_rowid();
            transaction.execute("INSERT INTO message_attributes VALUES (?1, ?2)", params![number, text])?;
        }
        ids.push(id);
    }
    Ok(ids)
}

fn receive(
    file: &mut Connection,
    queue: &QueueSpec,
    max: usize,
    timeout: Duration,
    faults: Option<&MessageFaults>,
) -> rusqlite::Result<Vec<Message>> {
    let now = now();
    // Most looks find nothing, and need no transaction.
    if visible(file, &queue.name, now, 1)?.is_empty() {
        return Ok(Vec::new());
    }
    let transaction = file.transaction()?;
    loop {
        let found = match faults.filter(|faults| faults.mixes()) {
            Some(faults) => {
                let mut found = visible(&transaction, &queue.name, now, max * MIXED)?;
                faults.shuffle(&mut found);
                found.truncate(max);
                found
            }
            None => visible(&transaction, &queue.name, now, max)?,
        };
        let dead_lettered = dead_letter(&transaction, queue, &found, now)?;
        if dead_lettered == 0 {
            let numbers = found.into_iter().map(|(number, _)| number);
            let messages = numbers.map(|number| take(&transaction, number, now, timeout)).collect::<Result<_, _>>()?;
            transaction.commit()?;
            return Ok(messages);
        }
        // What was dead-lettered leaves room for more.
    }
}

/// The numbers and receive counts of the messages that are longest visible.
fn visible(file: &Connection, queue: &str, now: i64, max: usize) -> rusqlite::Result<Vec<(i64, u32)>> {
    file.prepare_cached(
        "SELECT number, received FROM messages WHERE queue = ?1 AND visible_at <= ?2
         ORDER BY visible_at, number LIMIT ?3",
    )?
    .query_map(params![queue, now, max], |row| Ok((row.get(0)?, row.get(1)?)))?
    .collect()
}

fn take(transaction: &Transaction<'_>, number: i64, now: i64, timeout: Duration) -> rusqlite::Result<Message> {
    let mut attributes = transaction.prepare_cached("SELECT attributes FROM message_attributes WHERE number = ?1")?;
    let attributes: Option<String> = attributes.query_row([number], |row| row.get(0)).optional()?;
    let attributes = attributes.map(|text| serde_json::from_str(&text)).transpose();
    let attributes = attributes.map_err(|error| FromSqlConversionFailure(0, Type::Text, error.into()))?;
    let mut taken = transaction.prepare_cached(
        "UPDATE messages SET received = received + 1, visible_at = ?1,
            first_received_at = COALESCE(first_received_at, ?2)
         WHERE number = ?3 RETURNING *",
    )?;
    let mut taken = taken.query_row(params![now + millis(timeout), now, number], message)?;
    taken.message_attributes = attributes.unwrap_or_default();
    Ok(taken)
}

/// Moves what was received too often to the dead-letter queue, where the receive count goes on, as on AWS.
fn dead_letter(
    transaction: &Transaction<'_>,
    queue: &QueueSpec,
    found: &[(i64, u32)],
    now: i64,
) -> rusqlite::Result<usize> {
    let Some((dlq, limit)) = &queue.redrive else {
        return Ok(0);
    };
    let mut dead_lettered = 0;
    for (number, _) in found.iter().filter(|(_, received)| received >= limit) {
        dead_lettered += transaction
            .execute("UPDATE messages SET queue = ?1, visible_at = ?2 WHERE number = ?3", params![dlq, now, number])?;
    }
    Ok(dead_lettered)
}

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let number: i64 = row.get("number")?;
    let received: u32 = row.get("received")?;
    let body: String = row.get("body")?;
    let attributes = BTreeMap::from([
        ("ApproximateReceiveCount".into(), received.to_string()),
        ("SentTimestamp".into(), row.get::<_, i64>("sent_at")?.to_string()),
        ("ApproximateFirstReceiveTimestamp".into(), row.get::<_, i64>("first_received_at")?.to_string()),
        ("SenderId".into(), ACCOUNT.into()),
    ]);
    Ok(Message {
        message_id: row.get("message_id")?,
        receipt_handle: format!("{number}-{received}"),
        md5: md5(&body),
        body,
        attributes,
        message_attributes: MessageAttributes::new(),
    })
}

fn delete(file: &mut Connection, queue: &str, receipts: &[(i64, u32)]) -> rusqlite::Result<()> {
    let transaction = file.transaction()?;
    for (number, received) in receipts {
        let mut delete =
            transaction.prepare_cached("DELETE FROM messages WHERE number = ?1 AND received = ?2 AND queue = ?3")?;
        delete.execute(params![number, received, queue])?;
    }
    transaction.commit()
}

fn move_all(file: &mut Connection, from: &str, to: &str) -> rusqlite::Result<usize> {
    let now = now();
    let transaction = file.transaction()?;
    let found = visible(&transaction, from, now, usize::MAX >> 1)?;
    for (number, _) in &found {
        transaction.execute(
            "UPDATE messages SET queue = ?1, message_id = ?2, sent_at = ?3, visible_at = ?3, received = 0,
                first_received_at = NULL WHERE number = ?4",
            params![to, Ulid::generate().to_string(), now, number],
        )?;
    }
    transaction.commit()?;
    Ok(found.len())
}

fn counts(file: &Connection, queue: &str) -> rusqlite::Result<Counts> {
    file.query_row(
        "SELECT COUNT(*) FILTER (WHERE visible_at <= ?2),
                COUNT(*) FILTER (WHERE visible_at > ?2 AND received > 0),
                COUNT(*) FILTER (WHERE visible_at > ?2 AND received = 0)
         FROM messages WHERE queue = ?1",
        params![queue, now()],
        |row| Ok(Counts { visible: row.get(0)?, in_flight: row.get(1)?, delayed: row.get(2)? }),
    )
}

/// The message's number and receive count.
fn parse_receipt(handle: &str) -> io::Result<(i64, u32)> {
    let parse = || {
        let (number, received) = handle.split_once('-')?;
        Some((number.parse().ok()?, received.parse().ok()?))
    };
    parse().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("not a receipt handle: {handle}")))
}

fn md5(bytes: impl AsRef<[u8]>) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn now() -> i64 {
    i64::try_from(Clock::default().now().millis()).unwrap_or(i64::MAX)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
