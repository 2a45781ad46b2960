//! CORS as S3 does it: by the bucket's rules, of which the first that fits decides (S3 user guide, "Using cross-origin
//! resource sharing").

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use template::CorsRule;

/// What an answer depends on, once a request names an origin.
const VARY: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Headers, Access-Control-Request-Method");

/// A bucket's rules.
#[derive(Debug)]
pub(super) struct Rules(Vec<CorsRule>);

/// What a page wants to do.
pub(super) struct Asked {
    origin: String,
    method: String,
    /// Lower-case names; a preflight's only.
    headers: Vec<String>,
}

impl Asked {
    /// What a request from a page does; None if it names no origin.
    pub(super) fn of(method: &Method, headers: &HeaderMap) -> Option<Self> {
        let origin = text(headers, &header::ORIGIN)?.to_owned();
        Some(Self { origin, method: method.to_string(), headers: Vec::new() })
    }
}

impl Rules {
    pub(super) fn new(rules: &[CorsRule]) -> Self {
        Self(rules.to_vec())
    }

    /// Adds to an answer what lets the page have it. S3 leaves alone what answers no page, `Vary` included: a browser
    /// that keeps such an answer may take it for a page's, and refuse it.
    pub(super) fn apply(&self, asked: &Asked, headers: &mut HeaderMap) {
        if let Some((rule, origin)) = self.find(asked) {
            allow(rule, origin, asked, headers);
        }
    }

    /// The rule that allows it all, and the origin in it.
    fn find(&self, asked: &Asked) -> Option<(&CorsRule, &str)> {
        self.0.iter().find_map(|rule| {
            let origin = rule.allowed_origins.iter().find(|pattern| fits(pattern, &asked.origin))?;
            let one = |header: &String| rule.allowed_headers.iter().any(|to| fits(&to.to_ascii_lowercase(), header));
            let all = rule.allowed_methods.contains(&asked.method) && asked.headers.iter().all(one);
            all.then_some((rule, origin.as_str()))
        })
    }
}

/// The answer to a browser that asks for leave.
pub(super) fn preflight(rules: Option<&Rules>, headers: &HeaderMap) -> Response<String> {
    let (Some(origin), Some(method)) =
        (text(headers, &header::ORIGIN), text(headers, &header::ACCESS_CONTROL_REQUEST_METHOD))
    else {
        let message = "Insufficient information. Origin and Access-Control-Request-Method headers are needed.";
        return refusal(StatusCode::BAD_REQUEST, "BadRequest", message);
    };
    let names = text(headers, &header::ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default().split(',');
    let names = names.map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty());
    let asked = Asked { origin: origin.to_owned(), method: method.to_owned(), headers: names.collect() };
    let Some((rule, origin)) = rules.and_then(|rules| rules.find(&asked)) else {
        let message = "CORSResponse: This CORS request is not allowed.";
        return refusal(StatusCode::FORBIDDEN, "AccessForbidden", message);
    };
    let mut response = Response::new(String::new());
    allow(rule, origin, &asked, response.headers_mut());
    insert(response.headers_mut(), header::ACCESS_CONTROL_ALLOW_HEADERS, &asked.headers.join(", "));
    response
}

fn allow(rule: &CorsRule, origin: &str, asked: &Asked, headers: &mut HeaderMap) {
    if origin == "*" {
        insert(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    } else {
        insert(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, &asked.origin);
        insert(headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    insert(headers, header::ACCESS_CONTROL_ALLOW_METHODS, &rule.allowed_methods.join(", "));
    insert(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, &rule.exposed_headers.join(", "));
    if let Some(seconds) = rule.max_age {
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(seconds));
    }
    headers.append(header::VARY, VARY);
}

/// What a page may not do, as S3 words it.
fn refusal(status: StatusCode, code: &str, message: &str) -> Response<String> {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = Response::new(xml);
    *response.status_mut() = status;
    insert(response.headers_mut(), header::CONTENT_TYPE, "application/xml");
    response
}

/// Whether a pattern with at most one `*` fits.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        Some((before, after)) => {
            text.len() >= before.len() + after.len() && text.starts_with(before) && text.ends_with(after)
        }
        None => pattern == text,
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A value that no header can hold is left out, and so is an empty one.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value)
        && !value.is_empty()
    {
        headers.insert(name, value);
    }
}
