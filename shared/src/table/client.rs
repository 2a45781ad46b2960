//! The table's client and its reads, with retries in one place. With its writes (`writes.rs`) the only user of the DynamoDB SDK.

use super::design::{INDEXES, Key, PARTITION_KEY, Range, SORT_KEY, key};
use super::failure::{Failure, Outcome, classify};
use super::item::Item;
use super::{TableError, meter};
use crate::aws::{Aws, sdk_config};
use crate::clock::Clock;
use crate::limits::{TABLE_FIRST_WAIT, TABLE_LONGEST_WAIT, TABLE_TRIES, full_jitter};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types as sdk;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

type Result<T, E = TableError> = std::result::Result<T, E>;

/// Items that a batch may read (DynamoDB developer guide, "Service quotas").
const BATCH_READS: usize = 100;

/// How fresh a read must be. A strong one costs twice as much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// What was there a moment ago; what is new may be missing.
    Eventual,
    /// An eventual read that is repeated strongly before anything is said to be missing: for what decides whether
    /// somebody is refused. Costs more only where nothing is found.
    Confirmed,
    Strong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    OldestFirst,
    NewestFirst,
}

/// A page of a query.
#[derive(Debug, Default)]
pub struct Rows {
    pub items: Vec<Item>,
    /// Where the next page starts; None at the end.
    pub next: Option<String>,
}

/// The table. Cheap to clone; the client is made at first use.
#[derive(Clone)]
pub struct Table {
    inner: Arc<Inner>,
}

struct Inner {
    aws: Aws,
    endpoint: Option<String>,
    name: String,
    clock: Clock,
    client: OnceLock<Client>,
}

impl Table {
    pub fn new(aws: Aws, endpoint: Option<String>, name: String, clock: Clock) -> Self {
        Self { inner: Arc::new(Inner { aws, endpoint, name, clock, client: OnceLock::new() }) }
    }

    pub(super) fn client(&self) -> &Client {
        self.inner.client.get_or_init(|| {
            let config = sdk_config!(aws_sdk_dynamodb, self.inner.aws, self.inner.endpoint);
            Client::from_conf(config.build())
        })
    }

    pub(super) fn name(&self) -> String {
        self.inner.name.clone()
    }

    /// One item by its key; an expired one is gone.
    ///
    /// # Errors
    /// The table does not answer, or an item is no `T`.
    pub async fn get<T: DeserializeOwned>(&self, key: &Key, read: Read) -> Result<Option<T>> {
        let found = self.get_once(key, read).await?;
        if found.is_none() && read == Read::Confirmed {
            return self.get_once(key, Read::Strong).await;
        }
        Ok(found)
    }

    async fn get_once<T: DeserializeOwned>(&self, key: &Key, read: Read) -> Result<Option<T>> {
        let call = || {
            self.client()
                .get_item()
                .table_name(self.name())
                .set_key(Some(attributes(key)))
                .consistent_read(read == Read::Strong)
                .return_consumed_capacity(sdk::ReturnConsumedCapacity::Total)
                .send()
        };
        let output = self.retried(call).await?;
        count_reads(output.consumed_capacity());
        let item = output.item.map(Item).filter(|item| !item.is_expired(self.now()));
        item.map(|item| item.read()).transpose()
    }

    /// Neighbours, at most `limit`, from after the sort key `after`. Expired items are left out.
    pub async fn query(
        &self,
        range: &Range,
        order: Order,
        read: Read,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Rows> {
        let (from, to) = range.bounds();
        if from > to {
            return Ok(Rows::default());
        }
        let start = after.map(|sk| {
            let text = |value: &str| AttributeValue::S(value.to_owned());
            HashMap::from([(PARTITION_KEY.into(), text(range.pk())), (SORT_KEY.into(), text(sk))])
        });
        let call = || {
            self.client()
                .query()
                .table_name(self.name())
                .key_condition_expression("PK = :pk AND SK BETWEEN :from AND :to")
                .expression_attribute_values(":pk", AttributeValue::S(range.pk().to_owned()))
                .expression_attribute_values(":from", AttributeValue::S(from.to_owned()))
                .expression_attribute_values(":to", AttributeValue::S(to.to_owned()))
                .scan_index_forward(order == Order::OldestFirst)
                .consistent_read(read == Read::Strong)
                .limit(i32::try_from(limit).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start.clone())
                .return_consumed_capacity(sdk::ReturnConsumedCapacity::Total)
                .send()
        };
        let output = self.retried(call).await?;
        count_reads(output.consumed_capacity());
        let next = output.last_evaluated_key.map(Item).map(|key| key.sk().to_owned());
        let now = self.now();
        let items = output.items.unwrap_or_default().into_iter().map(Item);
        Ok(Rows { items: items.filter(|item| !item.is_expired(now)).collect(), next })
    }

    /// The keys that the index lists under a value, all of them or those whose sort key begins so, and where the next page
    /// starts. An index is read eventually: what was written in the last moments may be missing.
    pub async fn listed(
        &self,
        under: &str,
        beginning: Option<&str>,
        limit: usize,
        after: Option<&str>,
    ) -> Result<(Vec<Key>, Option<String>)> {
        let index = &INDEXES[0];
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let start = after.and_then(|after| after.split_once('\n')).map(|(pk, sk)| {
            let key = [(index.partition_key, under), (PARTITION_KEY, pk), (SORT_KEY, sk)];
            HashMap::from(key.map(|(name, value)| (name.to_owned(), text(value))))
        });
        let also = beginning.map(|_| format!(" AND begins_with({}, :beginning)", index.sort_key)).unwrap_or_default();
        let condition = format!("{} = :under{also}", index.partition_key);
        let values = beginning.map(|beginning| (":beginning", beginning)).into_iter().chain([(":under", under)]);
        let values: HashMap<_, _> = values.map(|(name, value)| (name.to_owned(), text(value))).collect();
        let call = || {
            self.client()
                .query()
                .table_name(self.name())
                .index_name(index.name)
                .key_condition_expression(&condition)
                .set_expression_attribute_values(Some(values.clone()))
                .limit(i32::try_from(limit).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start.clone())
                .return_consumed_capacity(sdk::ReturnConsumedCapacity::Total)
                .send()
        };
        let output = self.retried(call).await?;
        count_reads(output.consumed_capacity());
        let next = output.last_evaluated_key.map(Item).map(|item| item.key());
        let keys = output.items.unwrap_or_default().into_iter().map(|item| Item(item).key());
        let keys = keys.map(|(pk, sk)| key::listed(pk, sk)).collect();
        Ok((keys, next.map(|(pk, sk)| format!("{pk}\n{sk}"))))
    }

    /// Many items by their keys, in the keys' order; each item costs as a read of its own.
    ///
    /// # Errors
    /// The table does not answer, items stay unread after retries, or an item is no `T`.
    pub async fn batch_get<T: DeserializeOwned>(&self, keys: &[Key], read: Read) -> Result<Vec<Option<T>>> {
        let items = self.batch_items(keys, read).await?;
        items.into_iter().map(|item| item.map(|item| item.read()).transpose()).collect()
    }

    /// Many items by their keys, for lists: an item that is no `T` counts as missing.
    pub async fn batch_get_readable<T: DeserializeOwned>(&self, keys: &[Key], read: Read) -> Result<Vec<Option<T>>> {
        let items = self.batch_items(keys, read).await?;
        Ok(items.into_iter().map(|item| item.and_then(|item| item.readable())).collect())
    }

    /// The items themselves, for callers that read several kinds at once.
    pub async fn batch_items(&self, keys: &[Key], read: Read) -> Result<Vec<Option<Item>>> {
        let mut wanted: Vec<&Key> = keys.iter().collect();
        wanted.sort_unstable_by_key(|key| (key.pk(), key.sk()));
        wanted.dedup();
        let chunks = wanted.chunks(BATCH_READS).map(|chunk| self.batch_get_chunk(chunk, read));
        let found = futures::future::try_join_all(chunks).await?;
        let now = self.now();
        let by_key: HashMap<(String, String), Item> =
            found.into_iter().flatten().filter(|item| !item.is_expired(now)).map(|item| (item.key(), item)).collect();
        let item = |key: &Key| by_key.get(&(key.pk().to_owned(), key.sk().to_owned()));
        let mut found: Vec<Option<Item>> = keys.iter().map(|key| item(key).cloned()).collect();
        if read == Read::Confirmed && found.iter().any(Option::is_none) {
            let missing: Vec<usize> = (0..keys.len()).filter(|place| found[*place].is_none()).collect();
            let again: Vec<Key> = missing.iter().map(|place| keys[*place].clone()).collect();
            let confirmed = Box::pin(self.batch_items(&again, Read::Strong)).await?;
            missing.into_iter().zip(confirmed).for_each(|(place, item)| found[place] = item);
        }
        Ok(found)
    }

    async fn batch_get_chunk(&self, keys: &[&Key], read: Read) -> Result<Vec<Item>> {
        let mut left: Vec<_> = keys.iter().map(|key| attributes(key)).collect();
        let mut found = Vec::with_capacity(left.len());
        for attempt in 0..TABLE_TRIES {
            let request = sdk::KeysAndAttributes::builder()
                .set_keys(Some(left.clone()))
                .consistent_read(read == Read::Strong)
                .build()
                .map_err(|error| TableError::Broken(error.into()))?;
            let call = || {
                self.client()
                    .batch_get_item()
                    .request_items(self.name(), request.clone())
                    .return_consumed_capacity(sdk::ReturnConsumedCapacity::Total)
                    .send()
            };
            let output = self.retried(call).await?;
            output.consumed_capacity().iter().for_each(|capacity| count_reads(Some(capacity)));
            found.extend(output.responses.unwrap_or_default().into_values().flatten().map(Item));
            left =
                output.unprocessed_keys.unwrap_or_default().remove(&self.inner.name).map_or(vec![], |rest| rest.keys);
            if left.is_empty() {
                return Ok(found);
            }
            back_off(attempt).await;
        }
        Err(TableError::Unavailable("items stayed unread after retries".into()))
    }

    /// Whether the table answers; reads an item that is not there, for half a unit.
    pub async fn ping(&self) -> Result<()> {
        self.get::<serde::de::IgnoredAny>(&super::design::key::ping(), Read::Eventual).await.map(|_| ())
    }

    fn now(&self) -> u64 {
        self.inner.clock.now().seconds()
    }

    /// Calls until the answer is neither a conflict nor throttling. The SDK itself retries what is lost on the way.
    pub(super) async fn retried<T, E, F>(&self, call: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + Failure + std::error::Error + Send + Sync + 'static,
    {
        let mut attempt = 0;
        loop {
            // On the heap: the SDK's futures take kilobytes, and all that awaits a call would be so much larger.
            match Box::pin(call()).await {
                Ok(output) => return Ok(output),
                Err(error) => match classify(error) {
                    Outcome::Again(_) if attempt + 1 < TABLE_TRIES => back_off(attempt).await,
                    Outcome::Again(error) | Outcome::Failed(error) => return Err(error),
                },
            }
            attempt += 1;
        }
    }
}

pub(super) fn attributes(key: &Key) -> HashMap<String, AttributeValue> {
    HashMap::from([
        (PARTITION_KEY.to_owned(), AttributeValue::S(key.pk().to_owned())),
        (SORT_KEY.to_owned(), AttributeValue::S(key.sk().to_owned())),
    ])
}

fn count_reads(capacity: Option<&sdk::ConsumedCapacity>) {
    meter::count(capacity.and_then(sdk::ConsumedCapacity::capacity_units).unwrap_or(0.0), 0.0);
}

/// Waits after attempt number `attempt`, counted from 0.
pub(crate) async fn back_off(attempt: u32) {
    tokio::time::sleep(full_jitter(TABLE_FIRST_WAIT, TABLE_LONGEST_WAIT, attempt)).await;
}
