//! The HTTP API's payload format 2.0: requests to events, answers to responses.

use axum::body::Body;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use emulators::ACCOUNT;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::clock::Clock;
use std::net::IpAddr;
use time::OffsetDateTime;
use time::macros::format_description;

/// The gateway's part of an event.
pub(super) struct Invocation<'r> {
    pub(super) stage: &'r str,
    pub(super) route_key: &'r str,
    /// Still percent-encoded.
    pub(super) parameters: Vec<(&'r str, String)>,
    pub(super) source_ip: IpAddr,
}

impl Invocation<'_> {
    /// The event's JSON.
    pub(super) fn event(&self, request: &Parts, body: &[u8]) -> Vec<u8> {
        let mut event = json!({
            "version": "2.0",
            "routeKey": self.route_key,
            "rawPath": self.raw_path(request.uri.path()),
            "rawQueryString": request.uri.query().unwrap_or_default(),
            "headers": self.headers(&request.headers),
            "requestContext": self.context(request),
            "isBase64Encoded": false,
        });
        let cookies = request.headers.get_all(header::COOKIE).iter();
        let cookies: Vec<_> =
            cookies.flat_map(|line| lossy(line).split("; ").map(str::to_owned).collect::<Vec<_>>()).collect();
        if !cookies.is_empty() {
            event["cookies"] = Value::from(cookies);
        }
        if let Some(query) = request.uri.query().filter(|query| !query.is_empty()) {
            event["queryStringParameters"] = Value::Object(query_parameters(query));
        }
        if !self.parameters.is_empty() {
            let decoded = self.parameters.iter().map(|(name, value)| ((*name).to_owned(), Value::from(decode(value))));
            event["pathParameters"] = Value::Object(decoded.collect());
        }
        match std::str::from_utf8(body) {
            Ok("") => {}
            Ok(text) if is_text(&request.headers) => event["body"] = Value::from(text),
            _ => {
                event["body"] = Value::from(BASE64_STANDARD.encode(body));
                event["isBase64Encoded"] = Value::from(true);
            }
        }
        event.to_string().into_bytes()
    }

    /// Decoded, as an HTTP API does; a named stage stays in it.
    ///
    /// A path in which `%2F` or `%3F` would become structure stays as it came, and is nobody's. An HTTP API decodes it all
    /// the same, splits it at the one and cuts it at the other: nothing here shall come to rely on that.
    fn raw_path(&self, path: &str) -> String {
        let is_structure = |segment: &str| decode(segment).contains(['/', '?']);
        let mut raw = if path.split('/').any(is_structure) { path.to_owned() } else { decode(path) };
        // A bare `/api` is the root of its stage.
        if raw.strip_prefix('/') == Some(self.stage) {
            raw.push('/');
        }
        raw
    }

    fn context(&self, request: &Parts) -> Value {
        let host = request.headers.get(header::HOST).map(lossy).unwrap_or_default();
        let millis = Clock::default().now().millis();
        let format = format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
        let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000);
        json!({
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": host,
            "domainPrefix": host.split('.').next(),
            "http": {
                "method": request.method.as_str(),
                "path": self.raw_path(request.uri.path()),
                "protocol": "HTTP/1.1",
                "sourceIp": self.source_ip,
                "userAgent": request.headers.get(header::USER_AGENT).map(lossy).unwrap_or_default(),
            },
            "requestId": ulid::Ulid::generate().to_string(),
            "routeKey": self.route_key,
            "stage": self.stage,
            "time": time.ok().and_then(|time| time.format(format).ok()),
            "timeEpoch": millis,
        })
    }

    /// Lower-cased, those of one name joined by commas; cookies have a field of their own.
    fn headers(&self, headers: &HeaderMap) -> Map<String, Value> {
        let mut joined = Map::new();
        for name in headers.keys().filter(|name| *name != header::COOKIE) {
            let values: Vec<_> = headers.get_all(name).iter().map(lossy).collect();
            joined.insert(name.as_str().to_owned(), Value::from(values.join(",")));
        }
        let hops = headers.get_all("x-forwarded-for").iter().map(lossy).chain([self.source_ip.to_string()]);
        joined.insert("x-forwarded-for".to_owned(), Value::from(hops.collect::<Vec<_>>().join(", ")));
        joined.insert("x-forwarded-proto".to_owned(), Value::from("http"));
        joined
    }
}

/// Decoded, those of one name joined by commas.
pub(super) fn query_parameters(query: &str) -> Map<String, Value> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    let mut joined: Map<String, Value> = Map::new();
    for (name, value) in pairs {
        let value = match joined.get(&name).and_then(Value::as_str) {
            Some(before) => format!("{before},{value}"),
            None => value,
        };
        joined.insert(name, Value::from(value));
    }
    joined
}

/// Whether API Gateway hands a body on as it is; all else, forms included, goes as base64.
fn is_text(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map(lossy).unwrap_or_default().to_ascii_lowercase();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.starts_with("text/")
        || matches!(essence, "" | "application/json" | "application/javascript" | "application/xml")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
}

pub(super) fn lossy(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A function's answer. API Gateway looks at nothing else.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    cookies: Vec<String>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// The response for a function's answer, or none if that is not what API Gateway understands.
pub(super) fn response(answer: &[u8], method: &Method) -> Option<Response> {
    let answer: Answer = serde_json::from_slice(answer).ok()?;
    let body = match answer.body {
        Some(body) if answer.is_base64_encoded => BASE64_STANDARD.decode(body).ok()?,
        body => body.unwrap_or_default().into_bytes(),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = http::StatusCode::from_u16(answer.status_code).ok()?;
    let headers = response.headers_mut();
    for (name, value) in answer.headers {
        let name = HeaderName::try_from(name).ok()?;
        // The gateway frames the body itself; a HEAD has none to measure.
        let framing = name == header::TRANSFER_ENCODING || name == header::CONNECTION;
        let length = name == header::CONTENT_LENGTH && method != Method::HEAD;
        if !framing && !length {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            headers.append(name, HeaderValue::try_from(value).ok()?);
        }
    }
    for cookie in answer.cookies {
        headers.append(header::SET_COOKIE, HeaderValue::try_from(cookie).ok()?);
    }
    Some(response)
}

#[cfg(test)]
mod tests;
