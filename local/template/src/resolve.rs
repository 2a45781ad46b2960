//! CloudFormation's intrinsic functions, evaluated to what stands for each resource on this machine.

use super::TemplateError;
use crate::{ACCOUNT, REGION};
use serde_json::{Map, Value};
use serde_yaml_ng::Value as Yaml;
use std::collections::BTreeMap;

const STACK: &str = "perch";

/// What is known only once the services run. Empty while the template is being read.
#[derive(Clone, Debug, Default)]
pub struct Bindings {
    /// Where the queues are, such as `http://127.0.0.1:4100`.
    pub queues: String,
}

/// YAML to JSON, with short-form tags (`!Ref X`) in their long form (`{"Ref": "X"}`).
pub(crate) fn long_form(yaml: Yaml, place: &str) -> Result<Value, TemplateError> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(value),
        Yaml::Number(number) => serde_json::to_value(number).map_err(|error| TemplateError::at(place, error))?,
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => Value::Array(
            items
                .into_iter()
                .enumerate()
                .map(|(index, item)| long_form(item, &format!("{place}[{index}]")))
                .collect::<Result<_, _>>()?,
        ),
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let Yaml::String(key) = key else {
                    return Err(TemplateError::at(place, "a key is not a text"));
                };
                let value = long_form(value, &join(place, &key))?;
                map.insert(key, value);
            }
            Value::Object(map)
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let name = tag.trim_start_matches('!');
            let argument = long_form(tagged.value, place)?;
            match name {
                "Ref" | "Condition" => one_entry(name, argument),
                "GetAtt" => one_entry("Fn::GetAtt", split_attribute(argument)),
                _ => one_entry(&format!("Fn::{name}"), argument),
            }
        }
    })
}

fn one_entry(key: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(key.to_owned(), value)]))
}

/// `!GetAtt Table.Arn` is short for `["Table", "Arn"]`.
fn split_attribute(argument: Value) -> Value {
    match argument.as_str().and_then(|text| text.split_once('.')) {
        Some((resource, attribute)) => Value::from(vec![resource, attribute]),
        None => argument,
    }
}

fn join(place: &str, key: &str) -> String {
    if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") }
}

/// Evaluates a template's values.
pub(crate) struct Resolver<'a> {
    pub(crate) conditions: &'a Value,
    pub(crate) resources: &'a Value,
    pub(crate) parameters: &'a BTreeMap<String, Value>,
    pub(crate) bindings: &'a Bindings,
}

impl Resolver<'_> {
    /// `value` without intrinsic functions; what is `AWS::NoValue` is left out.
    ///
    /// # Errors
    /// An unknown intrinsic, parameter, resource or attribute, with its place in the template.
    pub(crate) fn resolve(&self, value: &Value, place: &str) -> Result<Value, TemplateError> {
        match value {
            Value::Object(map) => match intrinsic(map) {
                Some((name, argument)) => self.call(name, argument, place),
                None => {
                    let mut resolved = Map::new();
                    for (key, value) in map {
                        let value = self.resolve(value, &join(place, key))?;
                        if !value.is_null() {
                            resolved.insert(key.clone(), value);
                        }
                    }
                    Ok(Value::Object(resolved))
                }
            },
            Value::Array(_) => Ok(Value::Array(self.list(value, place)?)),
            other => Ok(other.clone()),
        }
    }

    fn list(&self, value: &Value, place: &str) -> Result<Vec<Value>, TemplateError> {
        let Value::Array(items) = value else {
            return Err(TemplateError::at(place, "a list is expected"));
        };
        let mut resolved = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let item = self.resolve(item, &format!("{place}[{index}]"))?;
            if !item.is_null() {
                resolved.push(item);
            }
        }
        Ok(resolved)
    }

    fn call(&self, name: &str, argument: &Value, place: &str) -> Result<Value, TemplateError> {
        match name {
            "Ref" => self.reference(text(argument, place)?, place),
            "Fn::GetAtt" => match argument.as_array().map(Vec::as_slice) {
                Some([Value::String(resource), Value::String(attribute)]) => self.attribute(resource, attribute, place),
                _ => Err(TemplateError::at(place, "GetAtt takes a resource and an attribute")),
            },
            "Fn::Sub" => self.substitute(argument, place),
            "Fn::Join" => match argument.as_array().map(Vec::as_slice) {
                Some([Value::String(separator), items]) => {
                    let items = match self.resolve(items, place)? {
                        Value::Array(items) => items,
                        _ => {
                            return Err(TemplateError::at(place, "Join takes a separator and a list"));
                        }
                    };
                    let items: Vec<_> = items.iter().map(|item| scalar(item, place)).collect::<Result<_, _>>()?;
                    Ok(Value::String(items.join(separator)))
                }
                _ => Err(TemplateError::at(place, "Join takes a separator and a list")),
            },
            "Fn::If" => match argument.as_array().map(Vec::as_slice) {
                Some([Value::String(name), yes, no]) => {
                    let chosen = if self.named_condition(name, place)? { yes } else { no };
                    self.resolve(chosen, place)
                }
                _ => Err(TemplateError::at(place, "If takes a condition's name and two values")),
            },
            "Condition" | "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or" => {
                self.condition(&one_entry(name, argument.clone()), place).map(Value::Bool)
            }
            _ => Err(TemplateError::at(place, format!("{name} is not supported locally"))),
        }
    }

    /// Whether the condition of that name holds.
    pub(crate) fn named_condition(&self, name: &str, place: &str) -> Result<bool, TemplateError> {
        match self.conditions.get(name) {
            Some(condition) => self.condition(condition, &join("Conditions", name)),
            None => Err(TemplateError::at(place, format!("there is no condition {name}"))),
        }
    }

    fn condition(&self, value: &Value, place: &str) -> Result<bool, TemplateError> {
        let call = value.as_object().and_then(intrinsic);
        let Some((name, argument)) = call else {
            return Err(TemplateError::at(place, "a condition is expected"));
        };
        let parts = || argument.as_array().map(Vec::as_slice).unwrap_or_default();
        match (name, parts()) {
            ("Condition", _) => self.named_condition(text(argument, place)?, place),
            ("Fn::Equals", [left, right]) => {
                let left = scalar(&self.resolve(left, place)?, place)?;
                Ok(left == scalar(&self.resolve(right, place)?, place)?)
            }
            ("Fn::Not", [condition]) => Ok(!self.condition(condition, place)?),
            ("Fn::And", all) => all.iter().try_fold(true, |held, part| Ok(held & self.condition(part, place)?)),
            ("Fn::Or", any) => any.iter().try_fold(false, |held, part| Ok(held | self.condition(part, place)?)),
            _ => Err(TemplateError::at(place, format!("{name} is not a condition"))),
        }
    }

    fn reference(&self, name: &str, place: &str) -> Result<Value, TemplateError> {
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.clone());
        }
        Ok(Value::String(match name {
            "AWS::Region" => REGION.to_owned(),
            "AWS::AccountId" => ACCOUNT.to_owned(),
            "AWS::StackName" => STACK.to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::NoValue" => return Ok(Value::Null),
            _ => match self.resource_type(name, place)? {
                "AWS::SQS::Queue" => format!("{}/{ACCOUNT}/{name}", self.bindings.queues),
                "AWS::SecretsManager::Secret" => secret_arn(name),
                kind => physical_name(kind, name),
            },
        }))
    }

    fn attribute(&self, resource: &str, attribute: &str, place: &str) -> Result<Value, TemplateError> {
        let kind = self.resource_type(resource, place)?;
        let name = physical_name(kind, resource);
        Ok(Value::String(match (kind, attribute) {
            ("AWS::DynamoDB::Table", "Arn") => arn("dynamodb", &format!("table/{name}")),
            ("AWS::DynamoDB::Table", "StreamArn") => arn("dynamodb", &format!("table/{name}/stream/local")),
            ("AWS::SQS::Queue", "Arn") => arn("sqs", &name),
            ("AWS::SQS::Queue", "QueueName") => name,
            ("AWS::S3::Bucket", "Arn") => format!("arn:aws:s3:::{name}"),
            ("AWS::Serverless::Function", "Arn") => arn("lambda", &format!("function:{name}")),
            ("AWS::Logs::LogGroup", "Arn") => arn("logs", &format!("log-group:{name}:*")),
            _ => {
                return Err(TemplateError::at(place, format!("{resource}.{attribute} is not known locally")));
            }
        }))
    }

    fn resource_type(&self, name: &str, place: &str) -> Result<&str, TemplateError> {
        self.resources
            .get(name)
            .and_then(|resource| resource["Type"].as_str())
            .ok_or_else(|| TemplateError::at(place, format!("there is no parameter or resource {name}")))
    }

    /// `Fn::Sub`: a text, or a text and a map of values of its own.
    fn substitute(&self, argument: &Value, place: &str) -> Result<Value, TemplateError> {
        let (template, own) = match argument {
            Value::Array(parts) if parts.len() == 2 => (&parts[0], self.resolve(&parts[1], place)?),
            other => (other, Value::Null),
        };
        let mut rest = text(template, place)?;
        let mut result = String::new();
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, after)) = after.split_once('}') else {
                return Err(TemplateError::at(place, "a ${ is not closed"));
            };
            result.push_str(before);
            result.push_str(&match (name.strip_prefix('!'), own.get(name), name.split_once('.')) {
                (Some(literal), _, _) => format!("${{{literal}}}"),
                (_, Some(value), _) => scalar(value, place)?,
                (_, _, Some((resource, attribute))) => scalar(&self.attribute(resource, attribute, place)?, place)?,
                _ => scalar(&self.reference(name, place)?, place)?,
            });
            rest = after;
        }
        result.push_str(rest);
        Ok(Value::String(result))
    }
}

/// The only entry of a map, if it is an intrinsic function's call.
fn intrinsic(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = map.iter().next().filter(|_| map.len() == 1)?;
    (name == "Ref" || name == "Condition" || name.starts_with("Fn::")).then_some((name.as_str(), argument))
}

fn text<'v>(value: &'v Value, place: &str) -> Result<&'v str, TemplateError> {
    value.as_str().ok_or_else(|| TemplateError::at(place, "a text is expected"))
}

/// A text, number or boolean as text, as CloudFormation hands it on.
pub(crate) fn scalar(value: &Value, place: &str) -> Result<String, TemplateError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        _ => Err(TemplateError::at(place, "a single value is expected")),
    }
}

/// The name a resource has on this machine.
pub(crate) fn physical_name(kind: &str, logical_id: &str) -> String {
    match kind {
        // Bucket names have no capitals.
        "AWS::S3::Bucket" => logical_id.to_ascii_lowercase(),
        _ => logical_id.to_owned(),
    }
}

/// The ARN of a resource of `service`.
pub fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

/// What `Ref` gives for a secret.
pub fn secret_arn(name: &str) -> String {
    arn("secretsmanager", &format!("secret:{name}"))
}
