//! What operations share: headers, parameters, problems and the security scheme.

use super::catalogue;
use crate::error::{Error, FieldError, Kind};
use crate::http::problem::Problem;
use serde_json::{Value, json};
use std::time::Duration;
use utoipa::ToSchema;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, ComponentsBuilder, Ref, RefOr, Required, Response, ResponseBuilder};

/// Name, description, example.
type Described = (&'static str, &'static str, &'static str);

const HEADERS: [Described; 9] = [
    ("X-Request-Id", "Names this answer; tell it when you ask for help.", "01K9ZP2D7V3T8Q6M5N4C1B0A9Z"),
    ("ETag", "Version and representation, for `If-None-Match` and `If-Match`.", "\"3-x9Zc0Rk2Pq7Lm4Tn\""),
    ("Link", "The next page, if there is one (RFC 8288).", "</posts?cursor=q83v…>; rel=\"next\""),
    ("Location", "Where the new resource is.", "/users/usr_01K9ZNXE5R2W8J6H4G3F1D0C7B"),
    ("Idempotency-Replayed", "`true` when this is the answer kept for the key.", "true"),
    ("RateLimit", "What remains, and the seconds until the window ends.", "\"like\";r=1199;t=1800"),
    ("RateLimit-Policy", "The quota, and the window in seconds.", "\"like\";q=1200;w=3600"),
    ("Retry-After", "Ask again after so many seconds.", "2"),
    ("WWW-Authenticate", "How to sign in (RFC 6750).", "Bearer realm=\"perch\", error=\"invalid_token\""),
];

/// Header parameters that mean the same everywhere.
pub(super) const PARAMETERS: [Described; 3] = [
    (
        "Idempotency-Key",
        "1 to 255 characters of your choice: for 24 hours the same key and body give the same answer and create once.",
        "5f1c0a52-8f0e-4c1b-9a53-0d9b1f6f7a11",
    ),
    ("If-Match", "Change it only if the version is still that of this `ETag`.", "\"3-x9Zc0Rk2Pq7Lm4Tn\""),
    ("If-None-Match", "Answer 304 if the `ETag` is still this one.", "\"3-x9Zc0Rk2Pq7Lm4Tn\""),
];

pub(super) fn reference(section: &str, name: &str) -> Ref {
    Ref::new(format!("#/components/{section}/{name}"))
}

pub(super) fn parameter(name: &str) -> Ref {
    reference("parameters", name)
}

/// What every document has; the problems' responses come as operations need them.
pub(super) fn shared() -> Components {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The access token that `POST /users/login` gives; it lives for 15 minutes."));
    let mut components = ComponentsBuilder::new()
        .schema_from::<Problem>()
        .schema_from::<FieldError>()
        .security_scheme("bearer", SecurityScheme::Http(bearer.build()))
        .response("not-modified", not_modified())
        .build();
    for (name, description, example) in HEADERS {
        components.headers.insert(name.into(), header(description, example).into());
    }
    for (name, description, example) in PARAMETERS {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .example(Some(example.into()));
        components.parameters.insert(name.into(), parameter.build().into());
    }
    for kind in Kind::ALL {
        let (_, slug, title) = kind.parts();
        let example = ExampleBuilder::new().summary(title).value(Some(example(kind)));
        components.examples.insert(slug.into(), example.into());
    }
    components
}

pub(super) fn header(description: &str, example: &str) -> Header {
    HeaderBuilder::new().description(Some(description)).example(Some(example.into())).build()
}

fn not_modified() -> Response {
    ResponseBuilder::new()
        .description("It is still what your `If-None-Match` names.")
        .header_ref("ETag", reference("headers", "ETag"))
        .header_ref("X-Request-Id", reference("headers", "X-Request-Id"))
        .build()
}

/// The response for kinds of problem that share a status.
pub(super) fn problem(kinds: &[Kind]) -> Response {
    let examples = kinds.iter().map(|kind| {
        let slug = kind.parts().1;
        (slug, RefOr::Ref(reference("examples", slug)))
    });
    let content =
        ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).examples_from_iter(examples);
    let whens: Vec<_> = kinds.iter().map(|kind| catalogue::entry(*kind).when).collect();
    let response = ResponseBuilder::new()
        .description(whens.join(" "))
        .content("application/problem+json", content.build())
        .header_ref("X-Request-Id", reference("headers", "X-Request-Id"));
    let mut response = response.build();
    for name in kinds.iter().flat_map(|kind| headers(*kind)) {
        response.headers.insert((*name).into(), RefOr::Ref(reference("headers", name)));
    }
    response
}

const fn headers(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Unauthorized | Kind::InvalidCredentials => &["WWW-Authenticate"],
        Kind::InFlight | Kind::Unavailable => &["Retry-After"],
        Kind::RateLimited => &["Retry-After", "RateLimit", "RateLimit-Policy"],
        _ => &[],
    }
}

fn example(kind: Kind) -> Value {
    let error = match kind {
        Kind::Invalid => {
            let field = FieldError::new("email", "invalid_email", "This is not an e-mail address.");
            Error::invalid(vec![field])
        }
        Kind::Taken => Error::taken("username"),
        Kind::NotFound => Error::not_found(),
        Kind::Unavailable => Error::unavailable("an example").retry_after(Duration::from_secs(2)),
        kind => Error::new(kind).detail(catalogue::entry(kind).remedy),
    };
    json!(Problem::new(&error, "01K9ZP2D7V3T8Q6M5N4C1B0A9Z"))
}
