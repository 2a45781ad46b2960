//! Writes and their conditions, as DynamoDB's expressions.

use super::design::{INDEXES, Key, WRITE_TOKEN, owner};
use super::{Item, TableError};
use crate::ids::UserId;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use std::collections::HashMap;

/// When a write may happen.
#[derive(Clone, Debug)]
pub enum Condition {
    /// No item lies at the key.
    Missing,
    /// An item lies at the key.
    Exists,
    /// The item has no such attribute (or there is no item).
    Without(&'static str),
    Equal(&'static str, Attribute),
    /// The attribute is there and has another value.
    Differs(&'static str, Attribute),
    Less(&'static str, Attribute),
    /// The attribute, which counts as nothing where it is missing, is less.
    Below(String, u64),
    Greater(&'static str, Attribute),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

impl Condition {
    pub fn equal(name: &'static str, value: impl Serialize) -> Self {
        Self::Equal(name, attribute(value))
    }

    pub fn less(name: &'static str, value: impl Serialize) -> Self {
        Self::Less(name, attribute(value))
    }

    pub fn greater(name: &'static str, value: impl Serialize) -> Self {
        Self::Greater(name, attribute(value))
    }
}

/// A value as DynamoDB holds it, or why there is none; then the write fails.
#[derive(Clone, Debug)]
pub struct Attribute(Result<AttributeValue, String>);

fn attribute(value: impl Serialize) -> Attribute {
    Attribute(serde_dynamo::to_attribute_value(value).map_err(|error| error.to_string()))
}

impl From<AttributeValue> for Attribute {
    fn from(value: AttributeValue) -> Self {
        Self(Ok(value))
    }
}

pub(super) enum Change {
    Put(Item),
    Update(Vec<Step>),
    Delete,
    Check,
}

pub(super) enum Step {
    Set(String, Attribute),
    SetIfAbsent(&'static str, Attribute),
    Add(String, AttributeValue),
    Remove(&'static str),
}

impl Step {
    const fn counts(&self) -> bool {
        matches!(self, Self::Add(..))
    }
}

/// One write.
pub struct Op {
    pub(super) key: Key,
    pub(super) change: Change,
    pub(super) condition: Option<Condition>,
    /// Leaves no write token.
    without_write_token: bool,
}

impl Op {
    /// Writes the whole item.
    ///
    /// # Errors
    /// When the value is no map.
    pub fn put(key: Key, value: &impl Serialize) -> Result<Self, TableError> {
        let item = serde_dynamo::to_item(value).map_err(|error| TableError::Broken(error.into()))?;
        Ok(Self { key, change: Change::Put(Item(item)), condition: None, without_write_token: false })
    }

    /// Writes the whole item where none is.
    ///
    /// # Errors
    /// When the value is no map.
    pub fn create(key: Key, value: &impl Serialize) -> Result<Self, TableError> {
        Ok(Self::put(key, value)?.when(Condition::Missing))
    }

    /// Of a put or an update: has the index list the item as one that this user left in another partition.
    #[must_use]
    pub fn owned_by(mut self, user: UserId) -> Self {
        let (name, value) = (INDEXES[0].partition_key.to_owned(), AttributeValue::S(owner(user)));
        match &mut self.change {
            Change::Put(item) => drop(item.0.insert(name, value)),
            Change::Update(steps) => steps.push(Step::Set(name, value.into())),
            Change::Delete | Change::Check => {}
        }
        self
    }

    /// Changes single attributes; without a condition a missing item is made.
    pub fn update(key: Key) -> Self {
        Self { key, change: Change::Update(Vec::new()), condition: None, without_write_token: false }
    }

    pub fn delete(key: Key) -> Self {
        Self { key, change: Change::Delete, condition: None, without_write_token: false }
    }

    /// Writes nothing; in a transaction, holds the others to a condition.
    pub fn check(key: Key, condition: Condition) -> Self {
        Self { key, change: Change::Check, condition: Some(condition), without_write_token: false }
    }

    #[must_use]
    pub fn when(mut self, condition: Condition) -> Self {
        self.condition = Some(match self.condition.take() {
            None => condition,
            Some(first) => Condition::All(vec![first, condition]),
        });
        self
    }

    /// Of a write that may be done twice, and whose caller takes a refusal for what was done before: it leaves no
    /// token, and so takes no other write's away.
    #[must_use]
    pub const fn without_write_token(mut self) -> Self {
        self.without_write_token = true;
        self
    }

    /// With a token of its own in the item that it leaves, if the write is not idempotent: it has a condition or counts.
    /// What counts is held to the token too, for its condition may hold again.
    pub(super) fn with_write_token(mut self) -> (Self, Option<AttributeValue>) {
        let counts = matches!(&self.change, Change::Update(steps) if steps.iter().any(Step::counts));
        if self.without_write_token || self.condition.is_none() && !counts {
            return (self, None);
        }
        let token = AttributeValue::S(crate::secrets::base64url(&crate::secrets::random_bytes::<12>()));
        if counts {
            self = self.when(Condition::Any(vec![
                Condition::Without(WRITE_TOKEN),
                Condition::Differs(WRITE_TOKEN, token.clone().into()),
            ]));
        }
        match &mut self.change {
            Change::Put(item) => drop(item.0.insert(WRITE_TOKEN.to_owned(), token.clone())),
            Change::Update(steps) => steps.push(Step::Set(WRITE_TOKEN.to_owned(), token.clone().into())),
            Change::Delete | Change::Check => return (self, None),
        }
        (self, Some(token))
    }

    fn step(mut self, step: Step) -> Self {
        if let Change::Update(steps) = &mut self.change {
            steps.push(step);
        }
        self
    }

    #[must_use]
    pub fn set(self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.step(Step::Set(name.into(), attribute(value)))
    }

    /// Sets the attribute where the item has none yet.
    #[must_use]
    pub fn set_if_absent(self, name: &'static str, value: impl Serialize) -> Self {
        self.step(Step::SetIfAbsent(name, attribute(value)))
    }

    #[must_use]
    pub fn add(self, name: impl Into<String>, n: i64) -> Self {
        self.step(Step::Add(name.into(), AttributeValue::N(n.to_string())))
    }

    #[must_use]
    pub fn remove(self, name: &'static str) -> Self {
        self.step(Step::Remove(name))
    }
}

/// An operation as the SDK takes it.
pub(super) struct Expressed {
    pub(super) key: Key,
    pub(super) write: Write,
    pub(super) condition: Option<String>,
    pub(super) names: Option<HashMap<String, String>>,
    pub(super) values: Option<HashMap<String, AttributeValue>>,
}

pub(super) enum Write {
    Put(Item),
    /// With its update expression.
    Update(String),
    Delete,
    Check,
}

impl Op {
    /// # Errors
    /// [`TableError::Broken`] when a value is none that DynamoDB can hold.
    pub(super) fn expressed(self) -> Result<Expressed, TableError> {
        let mut expression = Expression::default();
        let condition = self.condition.map(|condition| expression.condition(condition));
        let write = match self.change {
            Change::Put(item) => Write::Put(item),
            Change::Update(steps) => Write::Update(expression.update(steps)),
            Change::Delete => Write::Delete,
            Change::Check => Write::Check,
        };
        let Expression { names, values, unwritable } = expression;
        match unwritable {
            Some(error) => Err(TableError::Broken(error.into())),
            None => Ok(Expressed { key: self.key, write, condition, names: some(names), values: some(values) }),
        }
    }
}

/// DynamoDB takes no empty map.
fn some<K, V>(map: HashMap<K, V>) -> Option<HashMap<K, V>> {
    (!map.is_empty()).then_some(map)
}

/// An expression with the names and values it uses.
#[derive(Default)]
struct Expression {
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
    /// Why a value is none that DynamoDB can hold.
    unwritable: Option<String>,
}

impl Expression {
    fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#{}", self.names.len());
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    fn value(&mut self, value: impl Into<Attribute>) -> String {
        let placeholder = format!(":{}", self.values.len());
        match value.into().0 {
            Ok(value) => drop(self.values.insert(placeholder.clone(), value)),
            Err(error) => self.unwritable = Some(error),
        }
        placeholder
    }

    fn condition(&mut self, condition: Condition) -> String {
        let list = |this: &mut Self, all: Vec<Condition>, word: &str| {
            let parts: Vec<String> = all.into_iter().map(|one| this.condition(one)).collect();
            format!("({})", parts.join(word))
        };
        match condition {
            Condition::Missing => format!("attribute_not_exists({})", self.name(super::design::PARTITION_KEY)),
            Condition::Exists => format!("attribute_exists({})", self.name(super::design::PARTITION_KEY)),
            Condition::Without(name) => format!("attribute_not_exists({})", self.name(name)),
            Condition::Equal(name, value) => format!("{} = {}", self.name(name), self.value(value)),
            Condition::Differs(name, value) => format!("{} <> {}", self.name(name), self.value(value)),
            Condition::Less(name, value) => format!("{} < {}", self.name(name), self.value(value)),
            Condition::Below(name, limit) => {
                let (name, limit) = (self.name(&name), self.value(AttributeValue::N(limit.to_string())));
                format!("(attribute_not_exists({name}) OR {name} < {limit})")
            }
            Condition::Greater(name, value) => format!("{} > {}", self.name(name), self.value(value)),
            Condition::All(all) => list(self, all, " AND "),
            Condition::Any(any) => list(self, any, " OR "),
        }
    }

    fn update(&mut self, steps: Vec<Step>) -> String {
        let (mut sets, mut adds, mut removes) = (Vec::new(), Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Set(name, value) => sets.push(format!("{} = {}", self.name(&name), self.value(value))),
                Step::SetIfAbsent(name, value) => {
                    let name = self.name(name);
                    sets.push(format!("{name} = if_not_exists({name}, {})", self.value(value)));
                }
                Step::Add(name, value) => adds.push(format!("{} {}", self.name(&name), self.value(value))),
                Step::Remove(name) => removes.push(self.name(name)),
            }
        }
        let clause = |word: &str, parts: Vec<String>| {
            if parts.is_empty() { String::new() } else { format!("{word} {} ", parts.join(", ")) }
        };
        let text = clause("SET", sets) + &clause("ADD", adds) + &clause("REMOVE", removes);
        text.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_name_every_attribute_and_value() {
        let op = Op::update(super::super::design::key::read_mark(crate::ids::UserId::from_ulid(ulid::Ulid::nil())))
            .set("a", 1)
            .add("n", -1)
            .remove("r")
            .when(Condition::Exists)
            .when(Condition::Any(vec![Condition::Without("x"), Condition::less("x", 5)]));
        let op = op.expressed().unwrap();
        assert_eq!(op.condition.unwrap(), "(attribute_exists(#0) AND (attribute_not_exists(#1) OR #2 < :0))");
        let Write::Update(update) = op.write else { unreachable!() };
        assert_eq!(update, "SET #3 = :1 ADD #4 :2 REMOVE #5");
        assert_eq!(op.names.unwrap()["#0"], "PK");
    }

    #[test]
    fn a_value_that_dynamodb_cannot_hold_fails_the_write() {
        struct Unwritable;
        impl Serialize for Unwritable {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("no value"))
            }
        }
        let key = || super::super::design::key::read_mark(crate::ids::UserId::from_ulid(ulid::Ulid::nil()));
        for op in [Op::update(key()).set("a", Unwritable), Op::delete(key()).when(Condition::equal("a", Unwritable))] {
            assert!(matches!(op.expressed(), Err(TableError::Broken(_))));
        }
    }
}
