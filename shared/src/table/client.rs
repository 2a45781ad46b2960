//! The only user of the DynamoDB SDK: few verbs, retries in one place.

use super::design::{INDEXES, Key, PARTITION_KEY, Range, SORT_KEY, WRITE_TOKEN, key};
use super::expression::{Change, Expression, Op};
use super::failure::{Failure, Outcome, classify};
use super::item::Item;
use super::{TableError, meter};
use crate::aws::{Aws, sdk_config};
use crate::clock::Clock;
use crate::limits::{BATCHES_AT_ONCE, TABLE_FIRST_WAIT, TABLE_LONGEST_WAIT, TABLE_TRIES, full_jitter};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types as sdk;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::{StreamExt, TryStreamExt};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

type Result<T, E = TableError> = std::result::Result<T, E>;

/// Operations that a transaction may hold (DynamoDB developer guide, "Service quotas").
pub(crate) const TRANSACTION_OPS: usize = 100;
/// Items that a batch may read, and write (same page).
const BATCH_READS: usize = 100;
const BATCH_WRITES: usize = 25;

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

    fn client(&self) -> &Client {
        self.inner.client.get_or_init(|| {
            let config = sdk_config!(aws_sdk_dynamodb, self.inner.aws, self.inner.endpoint);
            Client::from_conf(config.build())
        })
    }

    fn name(&self) -> String {
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

    /// One write. Answers the item after an update, or before a delete.
    ///
    /// A conditional one, and one that counts, has a write token, for when its answer is lost and it is sent again: what it did
    /// itself may be what its condition does not hold for any more, and it must not count twice.
    ///
    /// # Errors
    /// [`TableError::Refused`] when its condition does not hold.
    pub async fn write(&self, op: Op) -> Result<Option<Item>> {
        let (op, token) = op.with_write_token();
        match self.write_named(op).await {
            Err(TableError::Refused(refused)) => match refused.item(0) {
                Some(item) if token.is_some() && item.0.get(WRITE_TOKEN) == token.as_ref() => Ok(Some(item.clone())),
                _ => Err(TableError::Refused(refused)),
            },
            result => result,
        }
    }

    async fn write_named(&self, op: Op) -> Result<Option<Item>> {
        let mut expression = Expression::default();
        let condition = op.condition.map(|condition| expression.condition(condition));
        let on_failure = sdk::ReturnValuesOnConditionCheckFailure::AllOld;
        let total = sdk::ReturnConsumedCapacity::Total;
        let (consumed, item) = match op.change {
            Change::Put(item) => {
                let builder = self
                    .client()
                    .put_item()
                    .table_name(self.name())
                    .set_item(Some(with_key(item, &op.key)))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(some(expression.names))
                    .set_expression_attribute_values(some(expression.values))
                    .return_values_on_condition_check_failure(on_failure)
                    .return_consumed_capacity(total);
                (self.retried(|| builder.clone().send()).await?.consumed_capacity, None)
            }
            Change::Update(steps) => {
                let update = expression.update(steps);
                let builder = self
                    .client()
                    .update_item()
                    .table_name(self.name())
                    .set_key(Some(attributes(&op.key)))
                    .update_expression(update)
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(some(expression.names))
                    .set_expression_attribute_values(some(expression.values))
                    .return_values(sdk::ReturnValue::AllNew)
                    .return_values_on_condition_check_failure(on_failure)
                    .return_consumed_capacity(total);
                let output = self.retried(|| builder.clone().send()).await?;
                (output.consumed_capacity, output.attributes)
            }
            Change::Delete => {
                let builder = self
                    .client()
                    .delete_item()
                    .table_name(self.name())
                    .set_key(Some(attributes(&op.key)))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(some(expression.names))
                    .set_expression_attribute_values(some(expression.values))
                    .return_values(sdk::ReturnValue::AllOld)
                    .return_values_on_condition_check_failure(on_failure)
                    .return_consumed_capacity(total);
                let output = self.retried(|| builder.clone().send()).await?;
                (output.consumed_capacity, output.attributes)
            }
            Change::Check => return Err(TableError::Broken("a check alone writes nothing".into())),
        };
        count_writes(consumed.as_ref());
        Ok(item.map(Item))
    }

    /// All of the operations or none. Conflicts with other writers are tried again under one ClientRequestToken, so a
    /// lost answer is not a second write.
    ///
    /// # Errors
    /// [`TableError::Refused`] names the operations whose conditions did not hold.
    pub async fn transact(&self, ops: Vec<Op>) -> Result<()> {
        let items: Vec<_> = ops.into_iter().map(|op| self.transact_item(op)).collect::<Result<_>>()?;
        let token = crate::secrets::base64url(&crate::secrets::random_bytes::<16>());
        let call = || {
            self.client()
                .transact_write_items()
                .set_transact_items(Some(items.clone()))
                .client_request_token(&token)
                .return_consumed_capacity(sdk::ReturnConsumedCapacity::Total)
                .send()
        };
        let output = self.retried(call).await?;
        output.consumed_capacity().iter().for_each(|capacity| count_writes(Some(capacity)));
        Ok(())
    }

    fn transact_item(&self, op: Op) -> Result<sdk::TransactWriteItem> {
        let mut expression = Expression::default();
        let condition = op.condition.map(|condition| expression.condition(condition));
        let on_failure = sdk::ReturnValuesOnConditionCheckFailure::AllOld;
        let broken = |error: aws_sdk_dynamodb::error::BuildError| TableError::Broken(error.into());
        let item = sdk::TransactWriteItem::builder();
        Ok(match op.change {
            Change::Put(put) => item.put(
                sdk::Put::builder()
                    .table_name(self.name())
                    .set_item(Some(with_key(put, &op.key)))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(some(expression.names))
                    .set_expression_attribute_values(some(expression.values))
                    .return_values_on_condition_check_failure(on_failure)
                    .build()
                    .map_err(broken)?,
            ),
            Change::Update(steps) => {
                let update = expression.update(steps);
                item.update(
                    sdk::Update::builder()
                        .table_name(self.name())
                        .set_key(Some(attributes(&op.key)))
                        .update_expression(update)
                        .set_condition_expression(condition)
                        .set_expression_attribute_names(some(expression.names))
                        .set_expression_attribute_values(some(expression.values))
                        .return_values_on_condition_check_failure(on_failure)
                        .build()
                        .map_err(broken)?,
                )
            }
            Change::Delete => item.delete(
                sdk::Delete::builder()
                    .table_name(self.name())
                    .set_key(Some(attributes(&op.key)))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(some(expression.names))
                    .set_expression_attribute_values(some(expression.values))
                    .return_values_on_condition_check_failure(on_failure)
                    .build()
                    .map_err(broken)?,
            ),
            Change::Check => item.condition_check(
                sdk::ConditionCheck::builder()
                    .table_name(self.name())
                    .set_key(Some(attributes(&op.key)))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(some(expression.names))
                    .set_expression_attribute_values(some(expression.values))
                    .return_values_on_condition_check_failure(on_failure)
                    .build()
                    .map_err(broken)?,
            ),
        }
        .build())
    }

    /// Puts and deletes without conditions, each on its own.
    ///
    /// # Errors
    /// Some items stay unwritten after retries; the caller's job returns to its queue.
    pub async fn batch_write(&self, ops: Vec<Op>) -> Result<()> {
        let requests: Vec<sdk::WriteRequest> = ops.into_iter().map(write_request).collect::<Result<_>>()?;
        let chunks: Vec<Vec<_>> = requests.chunks(BATCH_WRITES).map(<[_]>::to_vec).collect();
        let writes = chunks.into_iter().map(|chunk| self.batch_write_chunk(chunk));
        futures::stream::iter(writes).buffer_unordered(BATCHES_AT_ONCE).try_collect().await
    }

    async fn batch_write_chunk(&self, mut left: Vec<sdk::WriteRequest>) -> Result<()> {
        for attempt in 0..TABLE_TRIES {
            let call = || {
                self.client()
                    .batch_write_item()
                    .request_items(self.name(), left.clone())
                    .return_consumed_capacity(sdk::ReturnConsumedCapacity::Total)
                    .send()
            };
            let output = self.retried(call).await?;
            output.consumed_capacity().iter().for_each(|capacity| count_writes(Some(capacity)));
            left = output.unprocessed_items.unwrap_or_default().remove(&self.inner.name).unwrap_or_default();
            if left.is_empty() {
                return Ok(());
            }
            back_off(attempt).await;
        }
        Err(TableError::Unavailable("items stayed unwritten after retries".into()))
    }

    /// Whether the table answers; reads an item that is not there, for half a unit.
    pub async fn ping(&self) -> Result<()> {
        self.get::<serde::de::IgnoredAny>(&super::design::key::ping(), Read::Eventual).await.map(|_| ())
    }

    fn now(&self) -> u64 {
        self.inner.clock.now().seconds()
    }

    /// Calls until the answer is neither a conflict nor throttling. The SDK itself retries what is lost on the way.
    async fn retried<T, E, F>(&self, call: impl Fn() -> F) -> Result<T>
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

fn attributes(key: &Key) -> HashMap<String, AttributeValue> {
    HashMap::from([
        (PARTITION_KEY.to_owned(), AttributeValue::S(key.pk().to_owned())),
        (SORT_KEY.to_owned(), AttributeValue::S(key.sk().to_owned())),
    ])
}

fn with_key(item: Item, key: &Key) -> HashMap<String, AttributeValue> {
    let mut item = item.0;
    item.extend(attributes(key));
    item
}

fn some<K, V>(map: HashMap<K, V>) -> Option<HashMap<K, V>> {
    (!map.is_empty()).then_some(map)
}

fn write_request(op: Op) -> Result<sdk::WriteRequest> {
    let broken = |error: aws_sdk_dynamodb::error::BuildError| TableError::Broken(error.into());
    let request = sdk::WriteRequest::builder();
    Ok(match (op.change, op.condition) {
        (Change::Put(item), None) => {
            let put = sdk::PutRequest::builder().set_item(Some(with_key(item, &op.key)));
            request.put_request(put.build().map_err(broken)?).build()
        }
        (Change::Delete, None) => {
            let delete = sdk::DeleteRequest::builder().set_key(Some(attributes(&op.key)));
            request.delete_request(delete.build().map_err(broken)?).build()
        }
        _ => return Err(TableError::Broken("a batch takes puts and deletes without conditions".into())),
    })
}

fn count_reads(capacity: Option<&sdk::ConsumedCapacity>) {
    meter::count(capacity.and_then(sdk::ConsumedCapacity::capacity_units).unwrap_or(0.0), 0.0);
}

fn count_writes(capacity: Option<&sdk::ConsumedCapacity>) {
    meter::count(0.0, capacity.and_then(sdk::ConsumedCapacity::capacity_units).unwrap_or(0.0));
}

/// Waits after attempt number `attempt`, counted from 0.
pub(crate) async fn back_off(attempt: u32) {
    tokio::time::sleep(full_jitter(TABLE_FIRST_WAIT, TABLE_LONGEST_WAIT, attempt)).await;
}
