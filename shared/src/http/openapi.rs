//! x
use http::{Method, StatusCode};

/// Routes whose answers are the same for everybody.
const PUBLIC: [&str; 5] = ["/", "/config", "/openapi.json", "/docs", "/docs/errors"];

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
    if PUBLIC.contains(&route) { "accept-encoding" } else { "authorization, accept-encoding" }
}
