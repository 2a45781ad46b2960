//! The security headers of every answer, on AWS and locally.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use sha2::{Digest, Sha256};

/// An answer that is no page: a browser that is led to it loads nothing for it, and shows it in no frame. Pages have a policy
/// of their own.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'";

/// Two years, as browsers' own lists ask. Not for subdomains, which may be others'.
const TRANSPORT: &str = "max-age=63072000";

/// Whether a request came by TLS, as API Gateway says.
pub(super) fn came_by_tls(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https")
}

/// Adds the headers, but for those that the answer has.
pub(super) fn add(headers: &mut HeaderMap, by_tls: bool) {
    let mut add = |name: HeaderName, value| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    add(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    add(header::CONTENT_SECURITY_POLICY, NO_PAGE);
    // Addresses of ours may hold tokens.
    add(header::REFERRER_POLICY, "no-referrer");
    // Over plain HTTP it is to be ignored (RFC 6797, 7.2), and so it is not said.
    if by_tls {
        add(header::STRICT_TRANSPORT_SECURITY, TRANSPORT);
    }
}

/// The policy of a page: it runs its own script and style, by their hashes, and loads nothing from elsewhere. `more` are
/// further directives.
pub fn page_policy(html: &str, more: &str) -> Option<HeaderValue> {
    let hash = |tag: &str| match inside(html, tag) {
        "" => "'none'".to_owned(),
        inside => format!("'sha256-{}'", STANDARD.encode(Sha256::digest(inside))),
    };
    let (script, style) = (hash("script"), hash("style"));
    let policy = format!(
        "default-src 'none'; script-src {script}; style-src {style}; {more}; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).ok()
}

/// What a page's first element of this name holds.
pub fn inside<'a>(html: &'a str, tag: &str) -> &'a str {
    let after = html.split_once(&format!("<{tag}>")).map_or("", |(_, after)| after);
    after.split_once(&format!("</{tag}>")).map_or("", |(inside, _)| inside)
}
