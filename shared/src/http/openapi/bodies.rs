//! Request bodies: what JSON and a form have each alone, and that there are no other fields.

use super::operations;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::{Components, Content, OpenApi, Ref, RefOr, Schema};

const JSON: &str = "application/json";
const FORM: &str = "multipart/form-data";
const SCHEMAS: &str = "#/components/schemas/";

/// Fields that are texts of several lines, and of one ([`crate::models::fields::bounded`]).
const LINES: [&str; 5] = ["content", "bio", "description", "details", "alt_text"];
const LINE: [&str; 3] = ["name", "full_name", "location"];
/// No control characters but breaks of lines, and none that turn the direction of writing.
const LINES_PATTERN: &str = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]*$";
const LINE_PATTERN: &str = r"^[\t\n\r ]*[^\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]*[\t\n\r ]*$";

/// Completes every request body of the document.
pub(super) fn complete(document: &mut OpenApi, components: &mut Components) {
    let mut forms = BTreeMap::new();
    for (_, operation) in document.paths.paths.values_mut().flat_map(operations) {
        let Some(RefOr::T(body)) = &mut operation.request_body else { continue };
        for schema in body.content.values_mut().filter_map(schema) {
            // A body that may be absent is not `null`.
            edit(schema, without_null);
        }
        let json = body.content.get_mut(JSON).and_then(schema).and_then(|schema| name(schema).map(str::to_owned));
        let Some(form) = body.content.get_mut(FORM).and_then(schema) else { continue };
        if let Some(of) = name(form).map(str::to_owned) {
            let also_json = json.as_ref() == Some(&of);
            let new = if also_json { format!("{of}Form") } else { of.clone() };
            *form = RefOr::Ref(Ref::from_schema_name(&new));
            forms.insert(new, (of, also_json));
        }
    }
    for (form, (of, also_json)) in forms {
        let Some(mut schema) = components.schemas.get(&of).cloned() else { continue };
        edit(&mut schema, properties_without_null);
        components.schemas.insert(form, schema);
        if also_json && let Some(RefOr::T(Schema::Object(object))) = components.schemas.get(&of).cloned() {
            let mut json = object.clone();
            json.properties.retain(|_, property| !is_file(&json!(property), components));
            components.schemas.insert(of, RefOr::T(Schema::Object(json)));
        }
    }
    close(document, components);
}

fn schema(content: &mut RefOr<Content>) -> Option<&mut RefOr<Schema>> {
    match content {
        RefOr::T(content) => content.schema.as_mut(),
        RefOr::Ref(_) => None,
    }
}

/// The name of the schema that this one refers to.
fn name(schema: &RefOr<Schema>) -> Option<&str> {
    match schema {
        RefOr::Ref(reference) => reference.ref_location.strip_prefix(SCHEMAS),
        RefOr::T(_) => None,
    }
}

fn edit(schema: &mut RefOr<Schema>, change: fn(&mut Value)) {
    let mut value = json!(schema);
    change(&mut value);
    if let Ok(changed) = serde_json::from_value(value) {
        *schema = changed;
    }
}

/// A form has no way to write `null`.
fn properties_without_null(schema: &mut Value) {
    for property in schema["properties"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        without_null(property);
    }
}

fn without_null(schema: &mut Value) {
    if let Some(types) = schema["type"].as_array_mut() {
        types.retain(|one| one != "null");
        if let [only] = types.as_slice() {
            schema["type"] = only.clone();
        }
    }
    if let Some(choices) = schema["oneOf"].as_array_mut() {
        choices.retain(|choice| choice["type"] != "null");
        if let [only] = choices.as_slice() {
            *schema = only.clone();
        }
    }
}

/// Whether a field holds the bytes of a file, or of several.
fn is_file(schema: &Value, components: &Components) -> bool {
    let referred = schema["$ref"].as_str().and_then(|path| path.strip_prefix(SCHEMAS));
    schema["format"] == "binary"
        || schema.get("items").is_some_and(|items| is_file(items, components))
        || referred.and_then(|name| components.schemas.get(name)).is_some_and(|of| is_file(&json!(of), components))
}

/// Says of what requests send that it has no other fields: they are refused.
fn close(document: &OpenApi, components: &mut Components) {
    let bodies = document.paths.paths.values().map(|item| json!(item)).collect::<Vec<_>>();
    let bodies = bodies.iter().flat_map(|item| item.as_object().into_iter().flat_map(Map::values));
    let mut open: Vec<String> = bodies.flat_map(|operation| references(&operation["requestBody"])).collect();
    let mut closed = BTreeSet::new();
    while let Some(name) = open.pop() {
        if !closed.insert(name.clone()) {
            continue;
        }
        let Some(schema) = components.schemas.get_mut(&name) else { continue };
        if let RefOr::T(Schema::Object(object)) = schema
            && !object.properties.is_empty()
        {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
        edit(schema, describe_texts);
        open.extend(references(&json!(schema)));
    }
}

/// Says which texts are taken, beside how long they may be.
fn describe_texts(schema: &mut Value) {
    for (name, property) in schema["properties"].as_object_mut().into_iter().flatten() {
        let name = name.as_str();
        if LINES.contains(&name) {
            property["pattern"] = LINES_PATTERN.into();
        } else if LINE.contains(&name) {
            property["pattern"] = LINE_PATTERN.into();
        } else if name.ends_with("password") {
            property["format"] = "password".into();
        } else if name == "interests" {
            property["items"] = json!({"type": "string", "minLength": 1, "maxLength": 30, "pattern": LINE_PATTERN});
        } else if name == "email" && property["type"] == "string" {
            property["format"] = "email".into();
            property["maxLength"] = 254.into();
        } else if name == "website" {
            property["format"] = "iri".into();
        }
    }
}

/// The names of the schemas that a part of the document refers to.
fn references(part: &Value) -> Vec<String> {
    match part {
        Value::Object(object) => {
            let own = object.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix(SCHEMAS));
            own.map(str::to_owned).into_iter().chain(object.values().flat_map(references)).collect()
        }
        Value::Array(parts) => parts.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}
