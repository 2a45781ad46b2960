//! Items written straight into the database of a data folder that nobody uses, for tables that are too large to be made by
//! requests.

use dynoxide::{Database, ImportOptions};
use emulators::dynamodb::DynamoDb;
use serde::Serialize;
use serde_json::{Value, json};
use shared::table::design::{Key, PARTITION_KEY, SORT_KEY};
use std::path::Path;

pub(crate) use dynoxide::types::Item;

/// A folder's table.
pub(crate) struct Import<'a> {
    database: Database,
    table: &'a str,
}

impl<'a> Import<'a> {
    pub(crate) fn into(folder: &Path, table: &'a str) -> Self {
        Self { database: Database::new(folder.join(DynamoDb::FILE).to_str().unwrap()).unwrap(), table }
    }

    pub(crate) fn write(&self, items: Vec<Item>) {
        self.database.import_items(self.table, items, ImportOptions::default()).unwrap();
    }
}

/// Adds an item.
pub(crate) fn put(items: &mut Vec<Item>, key: Key, value: &impl Serialize) {
    let mut item = serde_json::to_value(value).unwrap();
    (item[PARTITION_KEY], item[SORT_KEY]) = (key.pk().into(), key.sk().into());
    items.push(serde_json::from_value(attribute(&item)["M"].take()).unwrap());
}

/// A value as DynamoDB's JSON has it.
fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(value) => json!({"BOOL": value}),
        Value::Number(value) => json!({"N": value.to_string()}),
        Value::String(value) => json!({"S": value}),
        Value::Array(values) => json!({"L": values.iter().map(attribute).collect::<Vec<_>>()}),
        Value::Object(values) => {
            let values = values.iter().map(|(name, value)| (name.clone(), attribute(value)));
            json!({"M": values.collect::<serde_json::Map<_, _>>()})
        }
    }
}
