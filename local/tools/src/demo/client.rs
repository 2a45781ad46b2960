//! Calls of the API, over HTTP as anybody would make them.

use super::FillError;
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// The service, by its address.
#[derive(Clone)]
pub(super) struct Api {
    url: String,
    http: Client<HttpConnector, Full<Bytes>>,
}

/// What a call carries.
pub(super) enum Body {
    None,
    Json(Value),
    Form(Form),
}

/// A form with texts and a picture.
pub(super) struct Form(Vec<u8>);

const BOUNDARY: &str = "aWordThatNoPictureHolds7f3c";

impl Form {
    pub(super) fn new(texts: &[(&str, &str)], picture: (&str, &[u8])) -> Self {
        let mut body = Vec::new();
        for (name, text) in texts {
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
            body.extend(head.bytes());
        }
        let (name, bytes) = picture;
        let head = format!("name=\"{name}\"; filename=\"{name}.jpg\"\r\nContent-Type: image/jpeg");
        body.extend(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n").bytes());
        body.extend(bytes);
        body.extend(format!("\r\n--{BOUNDARY}--\r\n").bytes());
        Self(body)
    }
}

impl Api {
    pub(super) fn new(url: &str) -> Self {
        let connector = HttpConnector::new();
        Self { url: url.to_owned(), http: Client::builder(TokioExecutor::new()).build(connector) }
    }

    /// The answer's body, of a call that succeeded.
    pub(super) async fn call(&self, method: Method, path: &str, token: &str, body: Body) -> Result<Value, FillError> {
        let what = format!("{method} {path}");
        let failed = |why: &dyn std::fmt::Display| FillError::Call { what: what.clone(), why: why.to_string() };
        let mut request = Request::builder().method(method.clone()).uri(format!("{}{path}", self.url));
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let (content_type, bytes) = match body {
            Body::None => (None, Vec::new()),
            Body::Json(json) => (Some("application/json".to_owned()), json.to_string().into_bytes()),
            Body::Form(Form(bytes)) => (Some(format!("multipart/form-data; boundary={BOUNDARY}")), bytes),
        };
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let request = request.body(Full::from(bytes)).map_err(|error| failed(&error))?;
        let answer = self.http.request(request).await.map_err(|error| failed(&error))?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.map_err(|error| failed(&error))?.to_bytes();
        if !status.is_success() {
            return Err(failed(&format!("{status}: {}", String::from_utf8_lossy(&bytes))));
        }
        if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes).map_err(|error| failed(&error)) }
    }
}
