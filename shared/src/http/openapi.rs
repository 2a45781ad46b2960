//! The OpenAPI document: the functions' parts merged, and every operation completed from what it declares.
//!
//! A handler annotates its success alone. What follows from its declaration is added here, once for all of them:
//!
//! | declared | added |
//! | --- | --- |
//! | anything | 422 (a parameter that is not known), 500, 503; `X-Request-Id` on every answer; of a GET's 200 `Cache-Control` and `Vary` |
//! | `security` | 401; of a GET 429 (`ReadLimit`); with `x-public-reading` it becomes optional |
//! | a parameter in the path | 404 |
//! | `cursor` in the query | 400, and `Link` on the 200 |
//! | a body | 400, 413, 415 |
//! | `Idempotency-Key` | 409, 422; `Idempotency-Replayed` on the 201 |
//! | `If-Match` | 412 |
//! | `x-limit` (a name or a list of [`Action`]s') | 429, `RateLimit` headers; 403 where an unverified account may not |
//! | `x-etag` | `ETag`; of a GET `If-None-Match` and 304 |
//! | an error of its own | body, headers and examples of the kinds that a handler may mean by this status |
//! | a form | a schema of its own, with files and without `null`; that of JSON has no files |
//! | a 201 | links to the operations that take the id |
//! | `x-problems` (slugs) | these kinds, and of their status no other that only a handler can mean |

mod bodies;
pub mod catalogue;
mod components;
mod examples;
mod links;

use crate::error::Kind;
use crate::http::paths;
use crate::http::rate_limits::Action;
use components::{header, parameter, problem, reference};
use http::{Method, StatusCode};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{
    Components, Info, InfoBuilder, License, OpenApi, OpenApiBuilder, RefOr, Response, ServerBuilder, Tag,
};

pub use examples::gaps;

/// Routes whose answers are the same for everybody.
const PUBLIC: [&str; 5] = ["/", "/config", "/openapi.json", "/docs", "/docs/errors"];

/// The route whose handler says how long its answer may be kept.
pub(super) const SIGNED: &str = "/media/{id}/file";

/// What may keep an answer, and for how long.
pub fn cache_control(method: &Method, route: &str, status: StatusCode) -> &'static str {
    let read = (method == Method::GET || method == Method::HEAD) && status == StatusCode::OK;
    match read {
        true if PUBLIC.contains(&route) => "public, max-age=300",
        // Kept by the client alone, and asked about (If-None-Match) before each use: a block, a deletion or a
        // sign-out stops it at once.
        true if route != "/health" => "private, no-cache",
        _ => "no-store",
    }
}

/// What an answer depends on beside the path.
pub fn vary(route: &str) -> &'static str {
    // A signed address is the same for all readers.
    if PUBLIC.contains(&route) || route == SIGNED { "accept-encoding" } else { "authorization, accept-encoding" }
}

const TAGS: [(&str, &str); 11] = [
    ("accounts", "Sign up, sign in, sessions, passwords, settings."),
    ("profiles", "Who somebody is, and finding them."),
    ("graph", "Following, blocking and muting."),
    ("posts", "Posts and likes."),
    ("comments", "Comments and replies; every operation on a post takes a comment's id, too."),
    ("groups", "Groups, who is in them, and what is shared there."),
    ("media", "Pictures and videos."),
    ("feed", "The posts of those I follow."),
    ("notifications", "What others did that concerns me."),
    ("moderation", "Reporting posts, and what moderators make of the reports."),
    ("service", "The service itself."),
];

/// The whole document, of the functions' parts (`router().into_openapi()`).
pub fn document(parts: impl IntoIterator<Item = OpenApi>) -> OpenApi {
    let servers = ["/", "/api", "/v1"].map(|url| ServerBuilder::new().url(url).build());
    let mut document =
        OpenApiBuilder::new().info(info()).servers(Some(servers)).components(Some(components::shared())).build();
    for part in parts {
        document.merge(part);
    }
    add_tweets(&mut document);
    let mut components = document.components.take().unwrap_or_default();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            complete(&method, path, operation, &mut components);
        }
    }
    bodies::complete(&mut document, &mut components);
    links::add(&mut document, &mut components);
    examples::fill(&mut document, &components);
    document.components = Some(components);
    document.tags = Some(tags(&mut document));
    document
}

/// Of a path that has operations of its own, `/tweets`, those too that it has as another form of `/posts`.
fn add_tweets(document: &mut OpenApi) {
    let forms = document.paths.paths.keys().filter_map(|path| Some((path.clone(), paths::posts_form(path)?)));
    for (form, path) in forms.collect::<Vec<_>>() {
        let same = document.paths.paths.get(&path).cloned();
        let (Some(same), Some(item)) = (same, document.paths.paths.get_mut(&form)) else { continue };
        for (own, other, method) in [(&mut item.post, same.post, "POST"), (&mut item.delete, same.delete, "DELETE")] {
            if let (None, Some(mut operation)) = (&own, other) {
                operation.operation_id = operation.operation_id.map(|id| format!("{id}_as_tweet"));
                operation.description = Some(format!("The same as `{method} {path}`."));
                *own = Some(operation);
            }
        }
    }
}

fn info() -> Info {
    InfoBuilder::new()
        .title("Perch")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(include_str!("openapi/about.md")))
        .license(Some(License::builder().name("MIT").identifier(Some("MIT")).build()))
        .build()
}

/// Those that operations have, in the order to be read in.
fn tags(document: &mut OpenApi) -> Vec<Tag> {
    let operations = document.paths.paths.values_mut().flat_map(operations);
    let used: Vec<String> = operations.flat_map(|(_, operation)| operation.tags.clone().unwrap_or_default()).collect();
    let known = TAGS.into_iter().filter(|(name, _)| used.iter().any(|tag| tag == name));
    known.map(|(name, description)| Tag::builder().name(name).description(Some(description)).build()).collect()
}

/// Method and path of each operation, with its id.
pub(super) fn operation_ids(document: OpenApi) -> impl Iterator<Item = ((Method, String), String)> {
    document.paths.paths.into_iter().flat_map(|(path, mut item)| {
        let ids = operations(&mut item)
            .filter_map(|(method, operation)| Some(((method, path.clone()), operation.operation_id.clone()?)));
        ids.collect::<Vec<_>>()
    })
}

pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let PathItem { get, post, put, patch, delete, .. } = item;
    let all = [
        (Method::GET, get),
        (Method::POST, post),
        (Method::PUT, put),
        (Method::PATCH, patch),
        (Method::DELETE, delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// What an operation declares.
struct Declared {
    is_read: bool,
    bearer: bool,
    public_reading: bool,
    body: bool,
    path: bool,
    cursor: bool,
    if_match: bool,
    idempotency_key: bool,
    etag: bool,
    limits: Vec<Action>,
    /// Statuses of its own error responses.
    errors: Vec<u16>,
    problems: Vec<Kind>,
}

impl Declared {
    /// Reads an operation and takes its marks away: all they say is said in OpenAPI's own words afterwards.
    fn take(method: &Method, operation: &mut Operation) -> Self {
        let marks = operation.extensions.take();
        let mark = |name: &str| marks.as_ref().and_then(|marks| marks.get(name)).cloned().unwrap_or_default();
        let parameters = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some((&parameter.parameter_in, parameter.name.to_ascii_lowercase())),
            RefOr::Ref(_) => None,
        });
        let parameters: Vec<_> = parameters.collect();
        let has = |place: ParameterIn| parameters.iter().any(|(other, _)| **other == place);
        let named = |name: &str| parameters.iter().any(|(_, other)| other == name);
        Self {
            is_read: method == Method::GET,
            bearer: operation.security.iter().flatten().any(|one| *one != SecurityRequirement::default()),
            public_reading: mark("x-public-reading") == Value::Bool(true),
            body: operation.request_body.is_some(),
            path: has(ParameterIn::Path),
            cursor: named("cursor"),
            if_match: named("if-match"),
            idempotency_key: named("idempotency-key"),
            etag: mark("x-etag") == Value::Bool(true),
            errors: operation
                .responses
                .responses
                .keys()
                .filter_map(|status| status.parse().ok())
                .filter(|status| *status >= 400)
                .collect(),
            limits: words(&mark("x-limit")).iter().filter_map(|name| action(name)).collect(),
            problems: words(&mark("x-problems")).iter().filter_map(|slug| kind(slug)).collect(),
        }
    }

    /// Whether it follows from the declaration that this can go wrong.
    fn implies(&self, kind: Kind) -> bool {
        match kind {
            // Any operation refuses a parameter that it does not know.
            Kind::Internal | Kind::Unavailable | Kind::Invalid => true,
            Kind::Unauthorized => self.bearer,
            Kind::EmailNotVerified => self.bearer && self.limits.iter().any(|limit| !limit.is_open_to_unverified()),
            Kind::NotFound => self.path,
            Kind::MalformedRequest | Kind::TooLarge | Kind::UnsupportedMediaType => self.body,
            Kind::InvalidCursor => self.cursor,
            Kind::InFlight | Kind::IdempotencyKeyReused => self.idempotency_key,
            Kind::PreconditionFailed => self.if_match,
            // Of reads, where `ReadLimit` is on.
            Kind::RateLimited => !self.limits.is_empty() || (self.bearer && self.is_read),
            _ => false,
        }
    }

    /// Whether the handler says that this can go wrong: by its slug, or by an error response that may mean it.
    fn says(&self, kind: Kind) -> bool {
        const IMPLIED_ONLY: [Kind; 5] = [
            Kind::MalformedRequest,
            Kind::InvalidCursor,
            Kind::EmailNotVerified,
            Kind::InFlight,
            Kind::IdempotencyKeyReused,
        ];
        let status = kind.parts().0;
        let named = self.problems.iter().any(|named| named.parts().0 == status);
        self.problems.contains(&kind) || (self.errors.contains(&status) && !named && !IMPLIED_ONLY.contains(&kind))
    }
}

/// A mark's words: one, or a list of them.
fn words(mark: &Value) -> Vec<&str> {
    match mark {
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
        word => word.as_str().into_iter().collect(),
    }
}

fn action(name: &str) -> Option<Action> {
    Action::ALL.into_iter().find(|action| action.quota().name == name)
}

fn kind(slug: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.parts().1 == slug)
}

fn complete(method: &Method, path: &str, operation: &mut Operation, components: &mut Components) {
    let declared = Declared::take(method, operation);
    if declared.bearer && declared.public_reading {
        let bearer = SecurityRequirement::new("bearer", [""; 0]);
        operation.security = Some(vec![SecurityRequirement::default(), bearer]);
    }
    describe(method, path, operation, &declared);
    share_parameters(operation);
    add_problems(operation, &declared, components);
    if declared.etag && method == Method::GET {
        operation.parameters.get_or_insert_default().push(RefOr::Ref(parameter("If-None-Match")));
        operation.responses.responses.insert("304".into(), RefOr::Ref(reference("responses", "not-modified")));
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && let Ok(status) = status.parse()
        {
            add_headers(method, path, status, response, &declared);
        }
    }
}

/// Adds the other forms of the path, and the limits, to the description.
fn describe(method: &Method, path: &str, operation: &mut Operation, declared: &Declared) {
    let mut told: Vec<String> = operation.description.take().into_iter().collect();
    let aliases = paths::aliases(method, path);
    if !aliases.is_empty() {
        let aliases: Vec<_> = aliases.iter().map(|alias| format!("`{method} {alias}`")).collect();
        told.push(format!("Also as {}.", aliases.join(", ")));
    }
    for limit in &declared.limits {
        let quota = limit.quota();
        told.push(format!("Limit `{}`: {} in {} minutes.", quota.name, quota.limit, quota.window / 60));
    }
    operation.description = (!told.is_empty()).then(|| told.join("\n\n"));
}

/// Puts the one description of a known header in place of the handler's.
fn share_parameters(operation: &mut Operation) {
    for declared in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(one) = declared
            && one.parameter_in == ParameterIn::Header
            && let Some(name) = components::PARAMETERS.iter().find(|known| known.0.eq_ignore_ascii_case(&one.name))
        {
            *declared = RefOr::Ref(parameter(name.0));
        }
    }
}

/// One response a status, with an example of each kind of problem.
fn add_problems(operation: &mut Operation, declared: &Declared, components: &mut Components) {
    let mut by_status: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for kind in Kind::ALL.into_iter().filter(|kind| declared.implies(*kind) || declared.says(*kind)) {
        by_status.entry(kind.parts().0).or_default().push(kind);
    }
    let responses = &mut operation.responses.responses;
    for (status, kinds) in by_status {
        if let Some(RefOr::T(own)) = responses.get_mut(&status.to_string()) {
            let mut told = vec![format!("{}.", own.description.trim_end_matches('.'))];
            let implied = kinds.iter().filter(|kind| declared.implies(**kind));
            told.extend(implied.map(|kind| catalogue::entry(*kind).when.to_owned()));
            *own = problem(&kinds);
            own.description = told.join(" ");
        } else {
            let name = kinds.iter().map(|kind| kind.parts().1).collect::<Vec<_>>().join("_");
            responses.insert(status.to_string(), RefOr::Ref(reference("responses", &name)));
            components.responses.entry(name).or_insert_with(|| problem(&kinds).into());
        }
    }
}

/// The headers of a success.
fn add_headers(method: &Method, path: &str, status: u16, response: &mut Response, declared: &Declared) {
    if status >= 400 {
        return;
    }
    let (read, created) = (*method == Method::GET && status == 200, status == 201);
    let names = [
        ("X-Request-Id", true),
        ("ETag", declared.etag && status == 200),
        ("Link", declared.cursor && status == 200),
        ("Location", created),
        ("Idempotency-Replayed", created && declared.idempotency_key),
        ("RateLimit", !declared.limits.is_empty()),
        ("RateLimit-Policy", !declared.limits.is_empty()),
    ];
    for (name, _) in names.into_iter().filter(|(_, applies)| *applies) {
        response.headers.insert(name.into(), RefOr::Ref(reference("headers", name)));
    }
    if read {
        let policy = cache_control(method, path, StatusCode::OK);
        response.headers.insert("Cache-Control".into(), header("What may keep this answer.", policy).into());
        response.headers.insert("Vary".into(), header("What it depends on beside the path.", vary(path)).into());
    }
}

#[cfg(test)]
mod tests;
