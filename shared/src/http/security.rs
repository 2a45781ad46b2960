//! The security headers of every answer, on AWS and locally.

use http::{HeaderMap, HeaderName, HeaderValue, header};

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
