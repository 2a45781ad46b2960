//! Errors as clients see them: RFC 9457 `application/problem+json`.

use crate::error::{Error, FieldError};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use std::sync::Arc;

/// The body of every error.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// A stable URI reference into the catalogue in the docs.
    #[serde(rename = "type")]
    #[schema(example = "/docs/errors#invalid")]
    pub kind: String,
    /// A title that every error of this type has.
    #[schema(example = "Some fields are not valid")]
    pub title: &'static str,
    #[schema(example = 422)]
    pub status: u16,
    /// What is wrong this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "See `errors` for each field.")]
    pub detail: Option<String>,
    /// Name it when you ask us; the log has the rest.
    #[schema(example = "01K9ZP2D7V3T8Q6M5N4C1B0A9Z")]
    pub request_id: String,
    /// Every bad field.
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
}

impl Problem {
    pub fn new(error: &Error, request_id: &str) -> Self {
        let (status, slug, title) = error.kind().parts();
        Self {
            kind: format!("/docs/errors#{slug}"),
            title,
            status,
            detail: error.shown_detail().map(str::to_owned),
            request_id: request_id.to_owned(),
            errors: error.fields().to_vec(),
        }
    }
}

impl IntoResponse for Error {
    /// The status and headers. The body follows in [`render`], which knows the request's id.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            // RFC 6750, 3.
            let value = "Bearer realm=\"perch\", error=\"invalid_token\"";
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(value));
        }
        if let Some(wait) = self.wait() {
            headers.insert(header::RETRY_AFTER, wait.as_secs().max(1).into());
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Gives a response made from an error its body.
pub(super) fn render(response: Response, request_id: &str) -> Response {
    let Some(error) = response.extensions().get::<Arc<Error>>().cloned() else { return response };
    let body = serde_json::to_vec(&Problem::new(&error, request_id)).unwrap_or_default();
    let (mut parts, _) = response.into_parts();
    let json: (HeaderName, HeaderValue) = (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    parts.headers.insert(json.0, json.1);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, axum::body::Body::from(body))
}
