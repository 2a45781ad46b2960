//! CORS as an HTTP API does it: from its own configuration, whatever the functions say.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use template::Cors;

/// The template's `CorsConfiguration`, made into headers.
#[derive(Debug)]
pub(crate) struct CorsRules {
    any_origin: bool,
    origins: Vec<String>,
    /// Headers of every answer to an allowed origin.
    common: HeaderMap,
    /// Headers of an answer to a preflight request, besides those.
    preflight: HeaderMap,
}

impl CorsRules {
    /// The rules of a configuration, or the value that no header can hold.
    pub(crate) fn new(cors: &Cors) -> Result<Self, http::header::InvalidHeaderValue> {
        let (mut common, mut preflight) = (HeaderMap::new(), HeaderMap::new());
        insert(&mut common, header::ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose_headers.join(","))?;
        insert(&mut preflight, header::ACCESS_CONTROL_ALLOW_METHODS, &cors.allow_methods.join(","))?;
        insert(&mut preflight, header::ACCESS_CONTROL_ALLOW_HEADERS, &cors.allow_headers.join(","))?;
        if let Some(seconds) = cors.max_age {
            preflight.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(seconds));
        }
        if cors.allow_credentials {
            insert(&mut common, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true")?;
        }
        let any_origin = cors.allow_origins.iter().any(|origin| origin == "*");
        Ok(Self { any_origin, origins: cors.allow_origins.clone(), common, preflight })
    }

    /// The answer to a preflight request, which no function sees; [`Self::apply`] adds the rest.
    pub(crate) fn preflight(&self, origin: Option<&HeaderValue>) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if self.allowed(origin).is_some() {
            response.headers_mut().extend(self.preflight.clone());
        }
        response
    }

    /// Puts the configured headers in place of what the function said.
    pub(crate) fn apply(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        for name in [
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        ] {
            headers.remove(name);
        }
        if let Some(allowed) = self.allowed(origin) {
            headers.extend(self.common.clone());
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            if !self.any_origin {
                headers.append(header::VARY, HeaderValue::from_static("origin"));
            }
        }
    }

    /// What `Access-Control-Allow-Origin` says to a request from `origin`.
    fn allowed(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        let origin = origin?;
        if self.any_origin {
            return Some(HeaderValue::from_static("*"));
        }
        self.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }
}

/// Whether a browser asks for leave.
pub(crate) fn is_preflight(request: &Request) -> bool {
    let has = |name: HeaderName| request.headers().contains_key(name);
    request.method() == Method::OPTIONS && has(header::ORIGIN) && has(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn insert(map: &mut HeaderMap, name: HeaderName, value: &str) -> Result<(), http::header::InvalidHeaderValue> {
    if !value.is_empty() {
        map.insert(name, HeaderValue::from_str(value)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(origin: &str) -> CorsRules {
        let list = |value: &str| vec![value.to_owned()];
        CorsRules::new(&Cors {
            allow_origins: list(origin),
            allow_methods: list("GET"),
            expose_headers: list("etag"),
            max_age: Some(60),
            ..Cors::default()
        })
        .unwrap()
    }

    #[test]
    fn the_configuration_overrides_what_a_function_says() {
        let origin = HeaderValue::from_static("https://app.example.com");
        let said = || HeaderMap::from_iter([(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("x"))]);

        let mut headers = said();
        rules("*").apply(Some(&origin), &mut headers);
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(headers[header::ACCESS_CONTROL_EXPOSE_HEADERS], "etag");

        let mut headers = said();
        rules("https://app.example.com").apply(Some(&origin), &mut headers);
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example.com");
        assert_eq!(headers[header::VARY], "origin");

        let mut headers = said();
        rules("https://other.example.com").apply(Some(&origin), &mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn a_preflight_is_answered_without_a_function() {
        let origin = HeaderValue::from_static("https://app.example.com");
        let response = rules("*").preflight(Some(&origin));
        assert_eq!(response.status(), 204);
        assert_eq!(response.headers()[header::ACCESS_CONTROL_ALLOW_METHODS], "GET");
        assert_eq!(response.headers()[header::ACCESS_CONTROL_MAX_AGE], "60");
        assert!(rules("https://other.example.com").preflight(Some(&origin)).headers().is_empty());
    }
}
