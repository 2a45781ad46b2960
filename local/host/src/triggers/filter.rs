//! Lambda's event filter patterns.

use serde_json::Value;

/// A pattern: an object's fields must all match, of a list's rules one must hold.
#[derive(Clone, Debug)]
pub enum Pattern {
    Fields(Vec<(String, Pattern)>),
    OneOf(Vec<Rule>),
}

#[derive(Clone, Debug)]
pub enum Rule {
    Equals(Value),
    Prefix(String),
    Exists(bool),
    AnythingBut(Vec<Value>),
}

impl Pattern {
    /// Reads a pattern; the error is a rule that is not supported.
    pub fn parse(pattern: &Value) -> Result<Self, String> {
        match pattern {
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, inner)| Ok((name.clone(), Self::parse(inner)?)));
                fields.collect::<Result<_, String>>().map(Self::Fields)
            }
            Value::Array(rules) => rules.iter().map(Rule::parse).collect::<Result<_, _>>().map(Self::OneOf),
            other => Err(format!("{other} is not an event pattern")),
        }
    }

    /// Whether an event matches.
    pub fn matches(&self, event: &Value) -> bool {
        self.matches_field(Some(event))
    }

    fn matches_field(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Fields(fields), value) => {
                fields.iter().all(|(name, inner)| inner.matches_field(value.and_then(|value| value.get(name))))
            }
            (Self::OneOf(rules), Some(Value::Array(values))) => {
                values.iter().any(|value| rules.iter().any(|rule| rule.holds(Some(value))))
            }
            (Self::OneOf(rules), value) => rules.iter().any(|rule| rule.holds(value)),
        }
    }
}

impl Rule {
    fn parse(rule: &Value) -> Result<Self, String> {
        let unsupported = || format!("{rule} is not a supported rule of an event pattern");
        let Value::Object(map) = rule else {
            return Ok(Self::Equals(rule.clone()));
        };
        match map.iter().next().filter(|_| map.len() == 1).map(|(name, value)| (name.as_str(), value)) {
            Some(("prefix", Value::String(prefix))) => Ok(Self::Prefix(prefix.clone())),
            Some(("exists", Value::Bool(exists))) => Ok(Self::Exists(*exists)),
            Some(("anything-but", Value::Array(values))) => Ok(Self::AnythingBut(values.clone())),
            Some(("anything-but", value @ (Value::String(_) | Value::Number(_)))) => {
                Ok(Self::AnythingBut(vec![value.clone()]))
            }
            _ => Err(unsupported()),
        }
    }

    fn holds(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Equals(expected) => value == Some(expected),
            Self::Prefix(prefix) => value.and_then(Value::as_str).is_some_and(|text| text.starts_with(prefix.as_str())),
            Self::Exists(exists) => value.is_some() == *exists,
            Self::AnythingBut(values) => value.is_some_and(|value| !values.contains(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_are_or_and_objects_are_and() {
        let insert = json!({
            "eventName": "INSERT",
            "dynamodb": { "Keys": { "PK": { "S": "A#1" }, "SK": { "S": "F#2" } }, "Tags": ["x", "y"], "Nothing": null },
        });
        for (pattern, expected) in [
            (json!({}), true),
            (json!({ "eventName": ["INSERT"] }), true),
            (json!({ "eventName": ["REMOVE", "INSERT"] }), true),
            (json!({ "eventName": ["REMOVE"] }), false),
            (json!({ "eventName": [] }), false),
            (json!({ "dynamodb": { "Keys": { "SK": { "S": [{ "prefix": "F#" }, { "prefix": "L#" }] } } } }), true),
            (json!({ "dynamodb": { "Keys": { "SK": { "S": [{ "prefix": "L#" }] } } } }), false),
            // Both keys must match.
            (json!({ "dynamodb": { "Keys": { "SK": { "S": ["F#2"] }, "PK": { "S": ["X"] } } } }), false),
            (json!({ "dynamodb": { "OldImage": [{ "exists": false }] } }), true),
            (json!({ "dynamodb": { "Keys": { "PK": { "S": [{ "exists": true }] } } } }), true),
            (json!({ "dynamodb": { "OldImage": { "gone": { "S": [{ "exists": true }] } } } }), false),
            (json!({ "eventName": [{ "anything-but": ["REMOVE", "MODIFY"] }] }), true),
            (json!({ "eventName": [{ "anything-but": "INSERT" }] }), false),
            (json!({ "missing": [{ "anything-but": "INSERT" }] }), false),
            (json!({ "dynamodb": { "Tags": ["y"] } }), true),
            (json!({ "dynamodb": { "Tags": ["z"] } }), false),
            (json!({ "dynamodb": { "Nothing": [null] } }), true),
            (json!({ "missing": [null] }), false),
        ] {
            assert_eq!(Pattern::parse(&pattern).unwrap().matches(&insert), expected, "{pattern}");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_at_the_start() {
        for pattern in [json!({ "a": [{ "numeric": [">", 1] }] }), json!({ "a": "b" }), json!({ "a": [{}] })] {
            assert!(Pattern::parse(&pattern).is_err(), "{pattern}");
        }
    }
}
