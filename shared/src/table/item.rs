//! One item of the table.

use super::TableError;
use super::design::{PARTITION_KEY, SORT_KEY, TTL};
use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// One item as it lies in the table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item(pub(super) HashMap<String, AttributeValue>);

impl Item {
    /// The entity in the item.
    ///
    /// # Errors
    /// When the item is not such an entity.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, TableError> {
        serde_dynamo::from_item(self.0.clone()).map_err(|error| TableError::Broken(error.into()))
    }

    /// The entity in the item, for lists: one that can't be read is left out, and logged, so that it does not take the
    /// others with it.
    pub fn readable<T: DeserializeOwned>(&self) -> Option<T> {
        self.read().inspect_err(|error| tracing::error!(key = ?self.key(), %error, "an item can't be read")).ok()
    }

    /// About what DynamoDB counts it as, in bytes: its names and texts (developer guide, "Item sizes and formats").
    pub fn size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.as_s().map_or(8, String::len)).sum()
    }

    pub fn sk(&self) -> &str {
        self.0.get(SORT_KEY).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
    }

    pub(super) fn is_expired(&self, now: u64) -> bool {
        let ttl = self.0.get(TTL).and_then(|value| value.as_n().ok()).and_then(|n| n.parse::<u64>().ok());
        ttl.is_some_and(|ttl| ttl <= now)
    }

    /// Partition and sort key.
    pub(super) fn key(&self) -> (String, String) {
        let text = |name| self.0.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
        (text(PARTITION_KEY), text(SORT_KEY))
    }
}
