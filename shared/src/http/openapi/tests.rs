use super::*;
use serde::Serialize;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[derive(Serialize, utoipa::ToSchema)]
struct Note {
    #[schema(example = "Terns on the rock.")]
    text: String,
    #[schema(example = json!(["rock"]))]
    tags: Vec<String>,
    pinned: Option<bool>,
}

/// Read a note.
#[utoipa::path(
    get, path = "/posts/{id}", tag = "posts", params(("id" = String, Path), ("cursor" = Option<String>, Query)),
    security(("bearer" = [])), extensions(("x-public-reading" = json!(true)), ("x-etag" = json!(true))),
    responses((status = 200, description = "The note", body = Note))
)]
async fn read_note() {}

/// Write a note.
///
/// It is kept.
#[utoipa::path(
    post, path = "/posts", tag = "posts", request_body = Note, security(("bearer" = [])),
    params(("idempotency-key" = Option<String>, Header, description = "mine")),
    extensions(("x-limit" = json!("post")), ("x-problems" = json!(["taken"]))),
    responses((status = 201, description = "The note", body = Note), (status = 403, description = "Not you", body = Note))
)]
async fn write_note() {}

/// Sign up.
#[utoipa::path(
    get, path = "/hello", tag = "elsewhere", extensions(("x-limit" = json!("breathing"))),
    responses((status = 200, description = "Hello", body = u64))
)]
async fn say_hello() {}

fn part() -> OpenApi {
    OpenApiRouter::<()>::new().routes(routes!(read_note)).routes(routes!(write_note)).into_openapi()
}

fn written(parts: Vec<OpenApi>) -> Value {
    json!(document(parts))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_read_is_completed() {
    let document = written(vec![part()]);
    let read = &document["paths"]["/posts/{id}"]["get"];
    assert_eq!(read["operationId"], "read_note");
    assert_eq!(read["security"], json!([{}, {"bearer": []}]));
    assert_eq!(keys(&read["responses"]), ["200", "304", "400", "401", "404", "422", "429", "500", "503"]);
    let ok = &read["responses"]["200"];
    assert_eq!(keys(&ok["headers"]), ["Cache-Control", "ETag", "Link", "Vary", "X-Request-Id"]);
    assert_eq!(ok["headers"]["Cache-Control"]["example"], "private, no-cache");
    assert_eq!(
        ok["content"]["application/json"]["example"],
        json!({"text": "Terns on the rock.", "tags": ["rock"], "pinned": null})
    );
    assert_eq!(read["parameters"][2]["$ref"], "#/components/parameters/If-None-Match");
    assert_eq!(read["description"], "Also as `GET /tweets/{id}`.");
    assert_eq!(keys(read).iter().find(|key| key.starts_with("x-")), None);
}

#[test]
fn a_write_is_completed() {
    let document = written(vec![part()]);
    let write = &document["paths"]["/posts"]["post"];
    let statuses = ["201", "400", "401", "403", "409", "413", "415", "422", "429", "500", "503"];
    assert_eq!(keys(&write["responses"]), statuses);
    assert_eq!(write["parameters"], json!([{"$ref": "#/components/parameters/Idempotency-Key"}]));
    assert_eq!(write["responses"]["409"]["$ref"], "#/components/responses/taken_in-flight");
    let own = &write["responses"]["403"];
    assert_eq!(
        own["description"],
        "Not you. This asks for a verified address: an archive does, and some deployments have every write do so."
    );
    let meant = keys(&own["content"]["application/problem+json"]["examples"]);
    let expected =
        ["account-suspended", "code-required", "email-not-verified", "forbidden", "wrong-code", "wrong-password"];
    assert_eq!(meant, expected);
    let headers = ["Idempotency-Replayed", "Location", "RateLimit", "RateLimit-Policy", "X-Request-Id"];
    assert_eq!(keys(&write["responses"]["201"]["headers"]), headers);
    let limited = &document["components"]["responses"]["rate-limited"];
    assert!(limited["headers"]["Retry-After"].is_object());
    assert_eq!(write["description"], "It is kept.\n\nAlso as `POST /tweets`.\n\nLimit `post`: 300 in 60 minutes.");
}

#[test]
fn every_reference_leads_somewhere() {
    let document = written(vec![part()]);
    let text = document.to_string();
    for rest in text.split("\"$ref\":\"#").skip(1) {
        let pointer = rest.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[test]
fn what_is_lacking_is_told() {
    assert_eq!(gaps(&[part()]), Vec::<String>::new());
    let other = OpenApiRouter::<()>::new().routes(routes!(say_hello)).into_openapi();
    let told = [
        "GET /hello: x-limit \"breathing\" is not known",
        "GET /hello: no tag that is known",
        "GET /hello: no example of 200",
    ];
    assert_eq!(gaps(&[part(), other]), told);
}

#[test]
fn two_schemas_of_one_name_are_told() {
    let mut other = part();
    other.components.as_mut().unwrap().schemas.insert("Note".into(), utoipa::openapi::Object::new().into());
    assert!(gaps(&[part(), other]).contains(&"two schemas are called Note".to_owned()));
}
