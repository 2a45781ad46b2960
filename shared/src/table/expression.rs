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
    Equal(&'static str, AttributeValue),
    /// The attribute is there and has another value.
    Differs(&'static str, AttributeValue),
    Less(&'static str, AttributeValue),
    /// The attribute, which counts as nothing where it is missing, is less.
    Below(String, u64),
    Greater(&'static str, AttributeValue),
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

/// A value as DynamoDB holds it; what can't be one (nothing of ours) becomes null.
fn attribute(value: impl Serialize) -> AttributeValue {
    serde_dynamo::to_attribute_value(value).unwrap_or(AttributeValue::Null(true))
}

pub(super) enum Change {
    Put(Item),
    Update(Vec<Step>),
    Delete,
    Check,
}

pub(super) enum Step {
    Set(String, AttributeValue),
    SetIfAbsent(&'static str, AttributeValue),
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
            Change::Update(steps) => steps.push(Step::Set(name, value)),
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
                Condition::Differs(WRITE_TOKEN, token.clone()),
            ]));
        }
        match &mut self.change {
            Change::Put(item) => drop(item.0.insert(WRITE_TOKEN.to_owned(), token.clone())),
            Change::Update(steps) => steps.push(Step::Set(WRITE_TOKEN.to_owned(), token.clone())),
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

/// An expression with the names and values it uses.
#[derive(Default)]
pub(super) struct Expression {
    pub(super) names: HashMap<String, String>,
    pub(super) values: HashMap<String, AttributeValue>,
}

impl Expression {
    pub(super) fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#{}", self.names.len());
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    pub(super) fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    pub(super) fn condition(&mut self, condition: Condition) -> String {
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

    pub(super) fn update(&mut self, steps: Vec<Step>) -> String {
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
        let mut expression = Expression::default();
        let op = Op::update(super::super::design::key::read_mark(crate::ids::UserId::from_ulid(ulid::Ulid::nil())))
            .set("a", 1)
            .add("n", -1)
            .remove("r")
            .when(Condition::Exists)
            .when(Condition::Any(vec![Condition::Without("x"), Condition::less("x", 5)]));
        let Change::Update(steps) = op.change else { unreachable!() };
        assert_eq!(expression.update(steps), "SET #0 = :0 ADD #1 :1 REMOVE #2");
        let condition = expression.condition(op.condition.unwrap());
        assert_eq!(condition, "(attribute_exists(#3) AND (attribute_not_exists(#4) OR #5 < :2))");
        assert_eq!(expression.names["#3"], "PK");
    }
}
