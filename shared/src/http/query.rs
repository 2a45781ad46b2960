//! Query parameters: those alone that an operation documents, each once, and no longer than it says.

use super::openapi;
use crate::error::{Error, FieldError, Result};
use crate::models::fields::unknown;
use http::Method;
use std::collections::HashMap;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{OpenApi, RefOr, Schema};

/// What browsers and mail programs add to links, for counting clicks.
const TRACKING: [&str; 12] =
    ["_ga", "_gl", "dclid", "fbclid", "gbraid", "gclid", "igshid", "mc_cid", "mc_eid", "msclkid", "ttclid", "wbraid"];

/// The parameters of a signed address, which is not to be put together by hand and therefore not documented.
const SIGNED: [&str; 3] = ["expires", "name", "signature"];

/// The parameters of a router's operations.
pub(super) struct Parameters(HashMap<(Method, String), Vec<Known>>);

struct Known {
    name: String,
    max_length: Option<usize>,
}

impl Parameters {
    pub(super) fn of(document: &mut OpenApi) -> Self {
        let mut all = HashMap::new();
        for (path, item) in &mut document.paths.paths {
            for (method, operation) in openapi::operations(item) {
                let mut known = known(operation);
                if path == openapi::SIGNED {
                    known.extend(SIGNED.map(|name| Known { name: name.into(), max_length: None }));
                }
                all.insert((method, path.clone()), known);
            }
        }
        Self(all)
    }

    /// Checks a request's query; one for no operation is not looked at.
    ///
    /// # Errors
    /// 422 with every bad parameter.
    pub(super) fn check(&self, method: &Method, route: &str, query: &str) -> Result<()> {
        let method = if method == Method::HEAD { Method::GET } else { method.clone() };
        let Some(known) = self.0.get(&(method, route.to_owned())) else { return Ok(()) };
        let (mut errors, mut seen) = (Vec::new(), Vec::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let Some(parameter) = known.iter().find(|known| known.name == name) else {
                if !name.starts_with("utm_") && !TRACKING.contains(&&*name) {
                    let (code, detail) = unknown("parameter", &name, known.iter().map(|known| known.name.as_str()));
                    errors.push(FieldError::new(name, code, detail));
                }
                continue;
            };
            if seen.contains(&name) {
                errors.push(FieldError::new(name.clone(), "repeated", "Send it once."));
            }
            if let Some(max) = parameter.max_length.filter(|max| value.chars().count() > *max) {
                errors.push(FieldError::new(name.clone(), "too_long", format!("At most {max} characters.")));
            }
            seen.push(name);
        }
        if errors.is_empty() { Ok(()) } else { Err(Error::invalid(errors)) }
    }
}

fn known(operation: &Operation) -> Vec<Known> {
    let parameters = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => Some(parameter),
        _ => None,
    });
    let max_length = |schema: &RefOr<Schema>| match schema {
        RefOr::T(Schema::Object(object)) => object.max_length,
        _ => None,
    };
    let known = parameters.map(|parameter| Known {
        name: parameter.name.clone(),
        max_length: parameter.schema.as_ref().and_then(max_length),
    });
    known.collect()
}
