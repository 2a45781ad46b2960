//! Calls and what comes of them.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::error::Error;
use std::future::IntoFuture;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;
use url::Url;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How often a client asks again that is told to.
const REPEATS: usize = 5;

/// An HTTP client that shows answers as they came: no redirect is followed, nothing is unzipped.
#[derive(Clone)]
pub(crate) struct Http {
    client: legacy::Client<HttpConnector, Full<Bytes>>,
    /// Whether it asks again where the service says 503 and asking twice is as good as once. For a host with faults.
    repeats: bool,
}

impl Default for Http {
    fn default() -> Self {
        Self::at(None)
    }
}

impl Http {
    /// A client at an address of this machine.
    pub(super) fn at(local_address: Option<IpAddr>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_local_address(local_address);
        connector.set_nodelay(true);
        Self { client: legacy::Client::builder(TokioExecutor::new()).build(connector), repeats: false }
    }

    pub(super) fn repeating(self, repeats: bool) -> Self {
        Self { repeats, ..self }
    }

    /// Sends a request.
    ///
    /// # Errors
    /// No whole answer came in time.
    pub(crate) async fn send(
        &self,
        request: Request<Bytes>,
    ) -> Result<http::Response<Bytes>, Box<dyn Error + Send + Sync>> {
        let answer = async {
            let (head, body) = self.client.request(request.map(Full::new)).await?.into_parts();
            Ok(http::Response::from_parts(head, body.collect().await?.to_bytes()))
        };
        tokio::time::timeout(TIMEOUT, answer).await?
    }
}

/// Somebody who calls the API.
#[derive(Clone)]
pub(crate) struct Client {
    url: String,
    http: Http,
    token: Option<String>,
}

impl Client {
    pub(super) fn new(url: &str, http: Http) -> Self {
        Self { url: url.to_owned(), http, token: None }
    }

    /// This client with another access token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The access token; empty for somebody not signed in.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub(crate) fn head(&self, path: &str) -> Call {
        self.call(Method::HEAD, path)
    }

    /// With a JSON body, or `None`.
    pub(crate) fn post(&self, path: &str, body: impl Into<Option<Value>>) -> Call {
        self.call(Method::POST, path).maybe_json(body.into())
    }

    pub(crate) fn put(&self, path: &str, body: impl Into<Option<Value>>) -> Call {
        self.call(Method::PUT, path).maybe_json(body.into())
    }

    pub(crate) fn patch(&self, path: &str, body: impl Into<Option<Value>>) -> Call {
        self.call(Method::PATCH, path).maybe_json(body.into())
    }

    pub(crate) fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    /// Any method; `path` may also be a whole address of this service.
    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) };
        let what = format!("{method} {path}");
        // As a browser writes it: what a path can't hold is percent-encoded.
        let url = Url::parse(&url).expect("an address");
        let mut request = Request::builder().method(method).uri(url.as_str());
        request = request.header(ACCEPT, "*/*").header(USER_AGENT, "tests");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        Call { what, http: self.http.clone(), request: request.body(Bytes::new()).expect("a request") }
    }
}

/// A call to be made: await it.
pub(crate) struct Call {
    what: String,
    http: Http,
    request: Request<Bytes>,
}

impl Call {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header's name");
        let value = HeaderValue::from_str(value).expect("a header's value");
        // Set, not added: a test may replace what is there.
        self.request.headers_mut().insert(name, value);
        self
    }

    /// Any bytes as the body.
    pub(crate) fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        *self.request.body_mut() = body.into().into();
        self.header("content-type", content_type)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// The answer; None when the service is gone.
    pub(crate) async fn try_send(self) -> Option<Response> {
        let answer = self.http.send(self.request).await.ok()?;
        Some(Response::new(self.what, answer))
    }

    async fn send(&self) -> Response {
        let answer = self.http.send(self.request.clone()).await;
        Response::new(self.what.clone(), answer.unwrap_or_else(|error| panic!("{}: {error:?}", self.what)))
    }

    fn maybe_json(self, body: Option<Value>) -> Self {
        match body {
            Some(body) => self.json(&body),
            None => self,
        }
    }
}

/// What the contract says may be asked twice: all but what creates something or turns it round.
fn is_repeatable(request: &Request<Bytes>) -> bool {
    let last = request.uri().path().rsplit('/').next();
    request.method() != Method::POST || matches!(last, Some("follow" | "unfollow" | "like" | "unlike" | "logout"))
}

impl IntoFuture for Call {
    type Output = Response;
    type IntoFuture = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let repeats = if self.http.repeats && is_repeatable(&self.request) { REPEATS } else { 0 };
            for _ in 0..repeats {
                let answer = self.send().await;
                if answer.status != 503 {
                    return answer;
                }
                let wait = answer.header("retry-after").parse().expect("when to ask again");
                tokio::time::sleep(Duration::from_secs(wait)).await;
            }
            self.send().await
        })
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    /// Method and path, for messages.
    what: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Response {
    fn new(what: String, answer: http::Response<Bytes>) -> Self {
        let (head, body) = answer.into_parts();
        Self { what, status: head.status.as_u16(), headers: head.headers, body: body.to_vec() }
    }

    /// Goes on if this is the status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text());
        self
    }

    /// Method and path of the call.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{}: {error}: {}", self.what, self.text()))
    }

    /// A header's value; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("readable"))
    }

    /// The problem of this kind (`not-found`) that this is.
    #[track_caller]
    pub(crate) fn problem(&self, slug: &str) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}: {}", self.what, self.text());
        let problem = self.json();
        assert_eq!(problem["type"], format!("/docs/errors#{slug}"), "{}: {problem}", self.what);
        assert_eq!(problem["status"], self.status, "{}: {problem}", self.what);
        assert_eq!(problem["request_id"], self.header("x-request-id"), "{}: {problem}", self.what);
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{}: {problem}", self.what);
        problem
    }

    /// What a 422 (or 409) says of each field: `[("email", "invalid_email")]`.
    #[track_caller]
    pub(crate) fn fields(&self) -> Vec<(String, String)> {
        let problem = self.json();
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("{}: {problem}", self.what));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        errors.iter().map(|error| (text(&error["field"]), text(&error["code"]))).collect()
    }
}
