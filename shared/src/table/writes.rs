//! Writes of the table: one, all or none of several, and batches.

use super::client::{Table, attributes, back_off};
use super::design::{Key, WRITE_TOKEN};
use super::expression::{Change, Expressed, Op, Write};
use super::item::Item;
use super::{TableError, meter};
use crate::limits::{BATCHES_AT_ONCE, TABLE_TRIES};
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types as sdk;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::{StreamExt, TryStreamExt};
use std::collections::HashMap;

type Result<T, E = TableError> = std::result::Result<T, E>;

/// Operations that a transaction may hold (DynamoDB developer guide, "Service quotas").
pub(crate) const TRANSACTION_OPS: usize = 100;
/// Items that a batch may write (same page).
const BATCH_WRITES: usize = 25;

/// A builder of the SDK with an operation's condition. All seven have these setters, and no trait for them.
macro_rules! conditional {
    ($builder:expr, $table:expr, $condition:expr, $names:expr, $values:expr) => {
        $builder
            .table_name($table.name())
            .set_condition_expression($condition)
            .set_expression_attribute_names($names)
            .set_expression_attribute_values($values)
            .return_values_on_condition_check_failure(sdk::ReturnValuesOnConditionCheckFailure::AllOld)
    };
}

impl Table {
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
        let total = sdk::ReturnConsumedCapacity::Total;
        let Expressed { key, write, condition, names, values } = op.expressed()?;
        let (consumed, item) = match write {
            Write::Put(item) => {
                let put = self.client().put_item().set_item(Some(with_key(item, &key))).return_consumed_capacity(total);
                let put = conditional!(put, self, condition, names, values);
                (self.retried(|| put.clone().send()).await?.consumed_capacity, None)
            }
            Write::Update(update) => {
                let call = self.client().update_item().set_key(Some(attributes(&key))).update_expression(update);
                let call = call.return_values(sdk::ReturnValue::AllNew).return_consumed_capacity(total);
                let call = conditional!(call, self, condition, names, values);
                let output = self.retried(|| call.clone().send()).await?;
                (output.consumed_capacity, output.attributes)
            }
            Write::Delete => {
                let call = self.client().delete_item().set_key(Some(attributes(&key)));
                let call = call.return_values(sdk::ReturnValue::AllOld).return_consumed_capacity(total);
                let call = conditional!(call, self, condition, names, values);
                let output = self.retried(|| call.clone().send()).await?;
                (output.consumed_capacity, output.attributes)
            }
            Write::Check => return Err(TableError::Broken("a check alone writes nothing".into())),
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
        let item = sdk::TransactWriteItem::builder();
        let Expressed { key, write, condition, names, values } = op.expressed()?;
        let at = Some(attributes(&key));
        Ok(match write {
            Write::Put(put) => {
                let put = sdk::Put::builder().set_item(Some(with_key(put, &key)));
                item.put(conditional!(put, self, condition, names, values).build().map_err(broken)?)
            }
            Write::Update(update) => {
                let update = sdk::Update::builder().set_key(at).update_expression(update);
                item.update(conditional!(update, self, condition, names, values).build().map_err(broken)?)
            }
            Write::Delete => {
                let delete = sdk::Delete::builder().set_key(at);
                item.delete(conditional!(delete, self, condition, names, values).build().map_err(broken)?)
            }
            Write::Check => {
                let check = sdk::ConditionCheck::builder().set_key(at);
                item.condition_check(conditional!(check, self, condition, names, values).build().map_err(broken)?)
            }
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
            left = output.unprocessed_items.unwrap_or_default().remove(&self.name()).unwrap_or_default();
            if left.is_empty() {
                return Ok(());
            }
            back_off(attempt).await;
        }
        Err(TableError::Unavailable("items stayed unwritten after retries".into()))
    }
}

fn with_key(item: Item, key: &Key) -> HashMap<String, AttributeValue> {
    let mut item = item.0;
    item.extend(attributes(key));
    item
}

fn write_request(op: Op) -> Result<sdk::WriteRequest> {
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

fn count_writes(capacity: Option<&sdk::ConsumedCapacity>) {
    meter::count(0.0, capacity.and_then(sdk::ConsumedCapacity::capacity_units).unwrap_or(0.0));
}

fn broken(error: BuildError) -> TableError {
    TableError::Broken(error.into())
}
