//! Examples of bodies: taken from the schemas where a handler gives none.

use super::{action, document, kind, operations, words};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Components, Content, OpenApi, RefOr};

/// Gives every body without an example the one that its schema makes.
pub(super) fn fill(document: &mut OpenApi, components: &Components) {
    let schemas = json!(components.schemas);
    for item in document.paths.paths.values_mut() {
        for (_, operation) in operations(item) {
            for (_, content) in contents(operation) {
                if content.example.is_none() && content.examples.is_empty() {
                    content.example = content.schema.as_ref().and_then(|schema| example(&json!(schema), &schemas));
                }
            }
        }
    }
}

/// Request and response bodies, each with what to call it.
fn contents(operation: &mut Operation) -> impl Iterator<Item = (String, &mut Content)> {
    let request = match &mut operation.request_body {
        Some(RefOr::T(body)) => Some(body.content.iter_mut()),
        _ => None,
    };
    let responses = operation.responses.responses.iter_mut().filter_map(|(status, response)| match response {
        RefOr::T(response) => Some((status, response.content.values_mut())),
        RefOr::Ref(_) => None,
    });
    let request = request.into_iter().flatten().map(|(form, content)| (format!("the request as {form}"), content));
    let responses = responses.flat_map(|(status, contents)| contents.map(move |content| (status.clone(), content)));
    request.chain(responses).filter_map(|(name, content)| match content {
        RefOr::T(content) => Some((name, content)),
        RefOr::Ref(_) => None,
    })
}

/// The example that a schema makes: its own, or one of its parts. None where a required part has none.
fn example(schema: &Value, schemas: &Value) -> Option<Value> {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return example(&schemas[name], schemas);
    }
    let own = schema.get("example").or_else(|| schema["examples"].get(0)).or_else(|| schema.get("const"));
    if let Some(own) = own.or_else(|| schema.get("default")).or_else(|| schema["enum"].get(0)) {
        return Some(own.clone());
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let parts = parts.iter().map(|part| example(part, schemas)?.as_object().cloned());
        return Some(Value::Object(parts.collect::<Option<Vec<Map<_, _>>>>()?.into_iter().flatten().collect()));
    }
    if let Some(choices) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
        return choices.iter().filter_map(|choice| example(choice, schemas)).find(|value| !value.is_null());
    }
    if let Some(items) = schema.get("items") {
        return Some(json!([example(items, schemas)?]));
    }
    if let Some(properties) = schema["properties"].as_object() {
        return object(properties, &schema["required"], schemas);
    }
    let nullable = schema["type"].as_array().is_some_and(|types| types.contains(&json!("null")));
    nullable.then_some(Value::Null)
}

fn object(properties: &Map<String, Value>, required: &Value, schemas: &Value) -> Option<Value> {
    let mut made = Map::new();
    for (name, property) in properties {
        match example(property, schemas) {
            Some(value) => _ = made.insert(name.clone(), value),
            None if required.as_array().is_some_and(|required| required.contains(&json!(name))) => return None,
            None => {}
        }
    }
    Some(Value::Object(made))
}

/// What the functions' parts lack or contradict each other in, one line each; for a test.
pub fn gaps(parts: &[OpenApi]) -> Vec<String> {
    let mut gaps = clashes(parts);
    gaps.extend(parts.iter().cloned().flat_map(unknown_marks));
    let mut document = document(parts.iter().cloned());
    let known: Vec<String> = document.tags.iter().flatten().map(|tag| tag.name.clone()).collect();
    let mut ids = BTreeSet::new();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let mut lacks = |what: &str| gaps.push(format!("{method} {path}: {what}"));
            if operation.summary.as_deref().unwrap_or_default().is_empty() {
                lacks("no summary");
            }
            if !operation.tags.iter().flatten().any(|tag| known.contains(tag)) {
                lacks("no tag that is known");
            }
            if operation.operation_id.as_ref().is_none_or(|id| !ids.insert(id.clone())) {
                lacks("its name is not its own");
            }
            for (name, content) in contents(operation) {
                // Bytes have none that could be sent.
                let is_bytes = name.starts_with("the request") && !name.ends_with("json");
                if !is_bytes && content.example.is_none() && content.examples.is_empty() {
                    lacks(&format!("no example of {name}"));
                }
            }
        }
    }
    gaps
}

/// Schemas that two functions call by one name.
fn clashes(parts: &[OpenApi]) -> Vec<String> {
    let mut known = BTreeMap::new();
    let schemas = parts.iter().filter_map(|part| part.components.as_ref()).flat_map(|all| &all.schemas);
    let clashes = schemas.filter(|(name, schema)| known.entry(*name).or_insert(*schema) != schema);
    clashes.map(|(name, _)| format!("two schemas are called {name}")).collect()
}

/// Limits and problems that nobody knows.
fn unknown_marks(mut part: OpenApi) -> Vec<String> {
    let mut unknown = Vec::new();
    for (path, item) in &mut part.paths.paths {
        for (method, operation) in operations(item) {
            for (name, mark) in operation.extensions.iter().flat_map(|marks| marks.iter()) {
                let is_known = match name.as_str() {
                    "x-limit" => words(mark).into_iter().all(|word| action(word).is_some()),
                    "x-problems" => words(mark).into_iter().all(|word| kind(word).is_some()),
                    "x-etag" | "x-public-reading" => mark.is_boolean(),
                    _ => false,
                };
                if !is_known {
                    unknown.push(format!("{method} {path}: {name} {mark} is not known"));
                }
            }
        }
    }
    unknown
}
