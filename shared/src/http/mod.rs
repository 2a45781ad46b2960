//! The HTTP manners every router gets, on Lambda and locally alike.

mod activity;
mod auth;
pub mod body;
pub mod etag;
pub mod extract;
pub mod idempotency;
pub mod openapi;
mod page;
pub mod paths;
pub mod problem;
mod query;
pub mod rate_limits;
pub mod security;

pub use auth::{Address, Bearer, Reader};
pub use page::{DEFAULT_LIMIT, MAX_LIMIT, Page, PageParams, PageQuery};

use crate::App;
use crate::clock::Timestamp;
use crate::error::{Error, Kind};
use crate::ids::{UserId, new_ulid};
use crate::limits::REQUEST_TIMEOUT;
use crate::models::activity::{ActivityType, Origin, Target};
use crate::store;
use crate::table::meter::Meter;
use activity::{ActivityDetails, Writes};
use axum::Router;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures::{FutureExt, TryFutureExt};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use lambda_http::request::RequestContext;
use query::Parameters;
use rate_limits::LimitStatus;
use serde::Serialize;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tower::Layer;
use tower::util::MapRequestLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;
use utoipa_axum::router::OpenApiRouter;

/// Answers from this size on are worth compressing, in bytes.
const WORTH_GZIP: u16 = 1_000;

/// A router with everything around it.
pub fn finish(router: OpenApiRouter<App>, app: App) -> Router {
    let (router, mut document) = router.split_for_parts();
    let operations = Operations { parameters: Parameters::of(&mut document), writes: Writes::of(document) };
    let state = (app.clone(), Arc::new(operations));
    let router = router
        .fallback(not_found)
        .method_not_allowed_fallback(|| async { Error::new(Kind::MethodNotAllowed) })
        .layer(CompressionLayer::new().gzip(true).compress_when(SizeAbove::new(WORTH_GZIP)))
        .layer(from_fn_with_state(state, around))
        .with_state(app);
    // Outside the router, for it must happen before a route is chosen.
    Router::new().fallback_service(MapRequestLayer::new(paths::normalize).layer(from_fn(allow).layer(router)))
}

/// What a router's document says of its operations.
struct Operations {
    parameters: Parameters,
    writes: Writes,
}

/// What a request's layers and handlers tell each other.
#[derive(Clone, Debug, Default)]
pub struct Notes(Arc<Mutex<Noted>>);

#[derive(Clone, Debug, Default)]
struct Noted {
    user: Option<UserId>,
    limit: Option<LimitStatus>,
    details: ActivityDetails,
}

impl Notes {
    fn change(&self, change: impl FnOnce(&mut Noted)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whose request it is; for one without an access token, whose act it turned out to be.
    pub fn set_user(&self, user: UserId) {
        self.change(|noted| noted.user = Some(user));
    }

    /// What the act is done to, for the activity log, where neither the path nor the answer's `Location` has its id.
    pub fn set_target(&self, id: impl ToString) {
        self.change(|noted| noted.details.target = Target::of(&id.to_string()));
    }

    /// What the act is, for the activity log, where the operation alone does not tell.
    pub fn set_activity(&self, kind: ActivityType) {
        self.change(|noted| noted.details.kind = Some(kind));
    }

    /// Where a sign-in comes from, for the activity log.
    fn set_origin(&self, origin: Origin) {
        self.change(|noted| noted.details.origin = origin);
    }

    fn set_limit(&self, limit: LimitStatus) {
        self.change(|noted| {
            // Of several limits the one nearest to its end is worth telling.
            if noted.limit.is_none_or(|known| limit.remaining <= known.remaining) {
                noted.limit = Some(limit);
            }
        });
    }

    fn read(&self) -> Noted {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<S: Sync> FromRequestParts<S> for Notes {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

async fn not_found(request: Request) -> Error {
    match paths::is_alias(request.uri().path()) {
        true => Error::new(Kind::MethodNotAllowed),
        false => Error::not_found(),
    }
}

/// Completes the `Allow` of a 405, which the router sets after all its layers.
async fn allow(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        paths::allow_aliases(&path, response.headers_mut());
    }
    response
}

/// Runs the handler inside its bounds, completes the answer, and logs both halves of an error once.
async fn around(State((app, operations)): State<(App, Arc<Operations>)>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request, app.now());
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let by_tls = security::came_by_tls(request.headers());
    let if_none_match = request.headers().get(header::IF_NONE_MATCH).cloned();
    let (notes, meter) = (Notes::default(), Meter::default());
    request.extensions_mut().insert(notes.clone());

    let work = async {
        let query = request.uri().query().unwrap_or_default();
        let checked = operations.parameters.check(&method, &route, query);
        match futures::future::ready(checked).and_then(|()| app.key_ring().refresh()).await {
            Ok(()) => next.run(request).await,
            Err(error) => error.into_response(),
        }
    };
    let work = AssertUnwindSafe(meter.scope(work)).catch_unwind();
    let response = match tokio::time::timeout(REQUEST_TIMEOUT, work).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => Error::internal("a handler panicked").into_response(),
        Err(_) => Error::unavailable("a handler took too long").into_response(),
    };
    let error = response.extensions().get::<Arc<Error>>().cloned();
    let mut response = problem::render(response, &id);
    let noted = notes.read();
    let operation = operations.writes.named(&method, &route);
    let row = operation.and_then(|operation| activity::row(&app, operation, &path, &noted, &response));
    if let Some((user, row)) = row {
        // Before the answer goes out: its reader finds the row.
        meter.scope(store::activity::add(&app, user, &row)).await;
    }
    complete(&mut response, &id, &method, &route, noted.limit);
    security::add(response.headers_mut(), by_tls);
    let response = unless_known(response, &method, if_none_match.as_ref());
    let response = if method == Method::HEAD { measured(response).await } else { response };
    log(&Logged { id, method, path, route, started, user: noted.user, meter, error: error.as_deref() }, &response);
    response
}

fn request_id(request: &Request, now: Timestamp) -> String {
    match request.extensions().get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    }
    .unwrap_or_else(|| new_ulid(now).to_string())
}

fn complete(response: &mut Response, id: &str, method: &Method, route: &str, limit: Option<LimitStatus>) {
    let policy = openapi::cache_control(method, route, response.status());
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static(policy));
    // One header: API Gateway's answer form keeps one of several.
    headers.insert(header::VARY, HeaderValue::from_static(openapi::vary(route)));
    if let Some(LimitStatus { quota, remaining, reset }) = limit {
        let told = format!("\"{}\";r={remaining};t={reset}", quota.name);
        let policy = format!("\"{}\";q={};w={}", quota.name, quota.limit, quota.window);
        for (name, value) in [("ratelimit", told), ("ratelimit-policy", policy)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// An answer to a `HEAD` with the length that its body has, compressed too: the router takes the body off later, and would
/// say 0 of one whose length it does not know.
async fn measured(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return Response::from_parts(parts, axum::body::Body::empty());
    };
    if !body.is_empty() {
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    Response::from_parts(parts, body.into())
}

/// 304 without a body for a client that has this representation.
fn unless_known(response: Response, method: &Method, if_none_match: Option<&HeaderValue>) -> Response {
    let known = (method == Method::GET || method == Method::HEAD)
        && response.status() == StatusCode::OK
        && if_none_match
            .zip(response.headers().get(header::ETAG))
            .is_some_and(|(wanted, tag)| etag::matches(wanted, tag));
    if !known {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_TYPE);
    Response::from_parts(parts, axum::body::Body::empty())
}

struct Logged<'a> {
    id: String,
    method: Method,
    path: String,
    route: String,
    started: Instant,
    user: Option<UserId>,
    meter: Meter,
    error: Option<&'a Error>,
}

fn log(logged: &Logged<'_>, response: &Response) {
    let Logged { id, method, path, route, started, user, meter, error } = logged;
    let (status, used) = (response.status().as_u16(), meter.total());
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let user = user.map(|user| user.to_string()).unwrap_or_default();
    if status >= 500 {
        let cause = error.and_then(Error::cause).unwrap_or_default();
        tracing::error!(request_id = id, %method, path, status, ms, user, cause, "request failed");
    }
    tracing::info!(
        target: "request", request_id = id, %method, path, route, status, ms, user,
        calls = used.calls, read_units = used.read_units, write_units = used.write_units, "request"
    );
}

/// 200 with a JSON body.
pub fn json(view: &impl Serialize) -> Response {
    match serde_json::to_vec(view) {
        Ok(body) => ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response(),
        Err(error) => Error::internal(error).into_response(),
    }
}

/// A view as a JSON answer.
pub struct View<T>(pub T);

impl<T: Serialize> IntoResponse for View<T> {
    fn into_response(self) -> Response {
        json(&self.0)
    }
}
