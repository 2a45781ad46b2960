//! What `openapi.json` says of answers.

use serde_json::Value;
use std::collections::BTreeSet;

pub(crate) fn document() -> Value {
    serde_json::from_str(include_str!("../../openapi.json")).expect("the document")
}

/// Operations, as `GET /users/{user}`, whose answers of success can have one of these fields.
pub(crate) fn answering_with(fields: &[&str]) -> Vec<String> {
    let document = document();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let answers = operation["responses"].as_object().expect("answers").iter();
            let mut names = BTreeSet::new();
            for (_, answer) in answers.filter(|(status, _)| status.starts_with('2')) {
                collect(&document, answer, &mut BTreeSet::new(), &mut names);
            }
            if fields.iter().any(|field| names.contains(*field)) {
                found.push(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    found
}

/// The names of all fields that a schema, and those it refers to, can have.
fn collect(document: &Value, part: &Value, seen: &mut BTreeSet<String>, names: &mut BTreeSet<String>) {
    match part {
        Value::Object(object) => {
            if let Some(schema) = object.get("$ref").and_then(Value::as_str)
                && seen.insert(schema.to_owned())
            {
                let schema = document.pointer(schema.trim_start_matches('#')).expect("the schema");
                collect(document, schema, seen, names);
            }
            if let Some(fields) = object.get("properties").and_then(Value::as_object) {
                names.extend(fields.keys().cloned());
            }
            for (_, part) in object.iter().filter(|(name, _)| *name != "example") {
                collect(document, part, seen, names);
            }
        }
        Value::Array(parts) => parts.iter().for_each(|part| collect(document, part, seen, names)),
        _ => {}
    }
}
