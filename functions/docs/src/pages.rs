//! The documents: OpenAPI, the page to read and try it, the catalogue of errors.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use shared::error::Kind;
use shared::http::openapi::catalogue;
use shared::http::security;
use shared::secrets::{base64url, sha256};
use std::fmt::Write;
use std::sync::LazyLock;

/// Written by `cargo run -- --print-openapi`; a test compares it with the code.
const OPENAPI: &str = include_str!("../../../openapi.json");
const DOCS: &str = include_str!("docs.html");

static OPENAPI_JSON: LazyLock<Document> = LazyLock::new(|| Document::new("application/json", OPENAPI, None));
static DOCS_PAGE: LazyLock<Document> = LazyLock::new(|| page(DOCS));
static ERRORS: LazyLock<String> = LazyLock::new(errors);
static ERRORS_PAGE: LazyLock<Document> = LazyLock::new(|| page(&ERRORS));

/// OpenAPI 3.1 document
#[utoipa::path(
    get, path = "/openapi.json", tag = "service", extensions(("x-etag" = json!(true))),
    responses((status = 200, description = "This document", body = Object, example = json!({"openapi": "3.1.0"})))
)]
pub(crate) async fn show_openapi() -> Response {
    OPENAPI_JSON.answer()
}

/// Interactive documentation
///
/// A page to read and try every operation; it loads nothing from elsewhere.
#[utoipa::path(
    get, path = "/docs", tag = "service", extensions(("x-etag" = json!(true))),
    responses((status = 200, description = "The page", body = String, content_type = "text/html", example = json!("<!doctype html>…")))
)]
pub(crate) async fn show_docs() -> Response {
    DOCS_PAGE.answer()
}

/// Error catalogue
///
/// The `type` of every problem leads into it.
#[utoipa::path(
    get, path = "/docs/errors", tag = "service", extensions(("x-etag" = json!(true))),
    responses((status = 200, description = "The page", body = String, content_type = "text/html", example = json!("<!doctype html>…")))
)]
pub(crate) async fn show_errors() -> Response {
    ERRORS_PAGE.answer()
}

/// Something that stays as it is until the next deployment.
struct Document {
    content_type: &'static str,
    body: &'static str,
    tag: HeaderValue,
    policy: Option<HeaderValue>,
}

impl Document {
    fn new(content_type: &'static str, body: &'static str, policy: Option<HeaderValue>) -> Self {
        let tag = format!("\"{}\"", base64url(&sha256(&[body.as_bytes()])[..12]));
        let tag = HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""));
        Self { content_type, body, tag, policy }
    }

    fn answer(&self) -> Response {
        let mut response = ([(header::CONTENT_TYPE, self.content_type)], self.body).into_response();
        response.headers_mut().insert(header::ETAG, self.tag.clone());
        if let Some(policy) = &self.policy {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy.clone());
            response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        }
        response
    }
}

fn page(html: &'static str) -> Document {
    let policy = security::page_policy(html, "connect-src 'self'; img-src data:; form-action 'none'");
    Document::new("text/html; charset=utf-8", html, policy)
}

fn errors() -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Perch: errors</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<style>{}</style>\n<main class=\"page\">\n\
         <p><a href=\"../docs\">Perch</a></p>\n<h1>Errors</h1>\n\
         <p>Every error is <code>application/problem+json</code> (RFC 9457), and its <code>type</code> leads here.</p>\n",
        security::inside(DOCS, "style")
    );
    for kind in Kind::ALL {
        let (status, slug, title) = kind.parts();
        let catalogue::Entry { when, remedy } = catalogue::entry(kind);
        // Writing to a String can't fail.
        let _ = writeln!(
            html,
            "<section id=\"{slug}\">\n<h2><a href=\"#{slug}\">{title}</a></h2>\n<p><b>{status}</b> \
             <code>{slug}</code></p>\n<p>{}</p>\n<p>{}</p>\n</section>",
            prose(when),
            prose(remedy)
        );
    }
    html + "</main>\n</html>\n"
}

/// Text as HTML, with backticked parts as code.
fn prose(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    let parts = escaped.split('`').enumerate();
    parts.map(|(i, part)| if i % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::http::rate_limits::Action;

    #[test]
    fn every_problem_has_its_place() {
        let (page, guide) = (errors(), include_str!("../../../docs/api.md"));
        for kind in Kind::ALL {
            let (status, slug, _) = kind.parts();
            let catalogue::Entry { when, remedy } = catalogue::entry(kind);
            assert!(page.contains(&format!("<section id=\"{slug}\">")), "{slug}");
            let row = format!("| {status} | `{slug}` | {when} | {remedy} |");
            assert!(guide.contains(&row), "docs/api.md has no row\n{row}");
        }
    }

    #[test]
    fn every_limit_has_its_row() {
        let guide = include_str!("../../../docs/api.md");
        for quota in Action::ALL.map(Action::quota) {
            let row = format!("| `{}` | {} | {} | ", quota.name, quota.limit, quota.window / 60);
            assert!(guide.contains(&row), "docs/api.md has no row\n{row}");
        }
    }

    #[test]
    fn the_page_loads_nothing_from_elsewhere() {
        assert!(!security::inside(DOCS, "script").is_empty() && !security::inside(DOCS, "style").is_empty());
        for foreign in ["http:/", "https:/", "src=", "@import", "url("] {
            assert!(!DOCS.contains(foreign), "{foreign}");
        }
        // The policy forbids them.
        for inline in [" style=", " onclick=", "innerHTML", "localStorage"] {
            assert!(!DOCS.contains(inline), "{inline}");
        }
    }
}
