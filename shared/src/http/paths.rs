//! The forms a path may take, brought to the one the routers know.

use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What a decoded path can't hold as it is when it becomes a URI's (RFC 3986, 3.3).
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The API's stages: a named stage's name stays in the path that a function sees.
pub const PREFIXES: [&str; 2] = ["api", "v1"];

/// An older or shorter form of a path.
pub struct Alias {
    pub method: Method,
    pub form: &'static str,
    pub path: &'static str,
}

const fn alias(method: Method, form: &'static str, path: &'static str) -> Alias {
    Alias { method, form, path }
}

/// Single forms. `/tweets…` is `/posts…` throughout, but for `GET /tweets`.
pub static ALIASES: [Alias; 14] = [
    alias(Method::POST, "/users/register", "/users"),
    alias(Method::POST, "/login", "/users/login"),
    alias(Method::GET, "/users/me", "/users"),
    alias(Method::PATCH, "/users/me", "/users"),
    alias(Method::DELETE, "/users/me", "/users"),
    alias(Method::POST, "/users/follow/{user}", "/users/{user}/follow"),
    alias(Method::POST, "/users/unfollow/{user}", "/users/{user}/unfollow"),
    alias(Method::POST, "/posts/videos", "/media/uploads"),
    alias(Method::POST, "/posts/videos/{id}/complete", "/media/{id}/complete"),
    alias(Method::GET, "/posts/videos/{id}", "/media/{id}"),
    alias(Method::PATCH, "/posts/videos/{id}", "/media/{id}"),
    alias(Method::DELETE, "/posts/videos/{id}", "/media/{id}"),
    alias(Method::GET, "/feed", "/posts"),
    alias(Method::GET, "/tweets", "/tweets"),
];

/// The path as the client sent it, encoded again after API Gateway decoded it; [`normalize`] adds it to the request.
#[derive(Clone, Debug)]
struct Given(String);

/// Strips a stage's name and a trailing slash, and puts the one path in place of its other forms.
///
/// Routes are chosen by the encoded path and decode a segment once, when it is read: nothing in it becomes structure.
pub fn normalize<B>(mut request: Request<B>) -> Request<B> {
    let given = given(&request);
    let path = canonical(request.method(), &given);
    let path = path.as_ref().unwrap_or(&given);
    if path != request.uri().path() {
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        if let Ok(uri) = format!("{path}{query}").parse::<Uri>() {
            *request.uri_mut() = uri;
        }
    }
    request.extensions_mut().insert(Given(given));
    request
}

/// The event's path, encoded. API Gateway decodes it, and what `lambda_http` makes of that is another one: space is cut off
/// its end, `#` ends it, `\` is `/`. `DELETE /users/sessions/%20` must not be `DELETE /users/sessions`.
fn given<B>(request: &Request<B>) -> String {
    let raw = request.raw_http_path();
    if raw.is_empty() {
        return request.uri().path().to_owned();
    }
    // A decoded `?` ends `rawPath`; the route's parameter has what followed.
    let parameters = request.path_parameters_ref();
    let cut = parameters.and_then(|all| all.first("proxy")).filter(|rest| rest.contains('?'));
    let whole = cut.and_then(|rest| {
        let kept = rest.split('?').next().unwrap_or_default();
        raw.strip_suffix(kept).map(|before| format!("{before}{rest}"))
    });
    utf8_percent_encode(whole.as_deref().unwrap_or(raw), ENCODED).to_string()
}

/// Where a request belongs that came to the default stage's last route and yet is another function's: a bare `/users/`, or
/// `/api/users` by a domain that is mapped at its root alone. None for any other path.
///
/// Only a path of plain segments is told, for a second slash or a backslash would make it another host's address.
pub fn moved<B>(request: &Request<B>) -> Option<String> {
    let Given(given) = request.extensions().get()?;
    let path = match below_a_prefix(request, given) {
        Some(rest) => rest,
        // One segment, behind which stood a slash.
        None if !request.uri().path().get(1..)?.contains('/') => given.strip_suffix('/')?,
        None => return None,
    };
    let is_plain = |segment: &str| {
        !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.@-".contains(&b))
    };
    let segments = path.strip_prefix('/')?;
    segments.strip_suffix('/').unwrap_or(segments).split('/').all(is_plain).then(|| path.to_owned())
}

/// The rest of a path that begins with a stage's name and yet came by the default stage: API Gateway's routes know no such
/// beginning.
fn below_a_prefix<'p, B>(request: &Request<B>, given: &'p str) -> Option<&'p str> {
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else { return None };
    let rest = PREFIXES.iter().find_map(|prefix| given.strip_prefix('/')?.strip_prefix(prefix))?;
    (rest.starts_with('/') && context.stage.as_deref() == Some("$default")).then_some(rest)
}

/// The other forms of a route, the stages' prefixes aside; for the documentation.
pub(super) fn aliases(method: &Method, route: &str) -> Vec<String> {
    let same = |alias: &&Alias| alias.method == *method && alias.path == route && alias.form != route;
    let mut forms: Vec<String> = ALIASES.iter().filter(same).map(|alias| alias.form.to_owned()).collect();
    let is_single = |form: &str| ALIASES.iter().any(|alias| alias.method == *method && alias.form == form);
    if let Some(rest) = route.strip_prefix("/posts")
        && !is_single(&format!("/tweets{rest}"))
    {
        forms.push(format!("/tweets{rest}"));
    }
    forms
}

/// Whether a path that no route takes is another form of one, with another method.
pub(super) fn is_alias(path: &str) -> bool {
    alias_methods(path).next().is_some()
}

/// Adds to a 405's `Allow` the methods that the path has as another form of one, of which its route knows nothing.
pub(super) fn allow_aliases(path: &str, headers: &mut HeaderMap) {
    let routed = headers.get(header::ALLOW).and_then(|allow| allow.to_str().ok()).unwrap_or_default();
    let routed = routed.split(',').map(str::trim).filter(|method| !method.is_empty());
    let mut methods: Vec<&str> = routed
        .chain(alias_methods(path).flat_map(|alias| match alias.method {
            Method::GET => vec!["GET", "HEAD"],
            _ => vec![alias.method.as_str()],
        }))
        .collect();
    methods.sort_unstable();
    methods.dedup();
    if let Ok(allow) = HeaderValue::from_str(&methods.join(", ")) {
        headers.insert(header::ALLOW, allow);
    }
}

fn alias_methods(path: &str) -> impl Iterator<Item = &'static Alias> {
    let path = of_posts(path);
    ALIASES.iter().filter(move |alias| alias.applied_to(&path).is_some())
}

/// The path the routers know; None when it is that already.
fn canonical(method: &Method, given: &str) -> Option<String> {
    let mut path = given;
    for prefix in PREFIXES {
        if let Some(rest) = path.strip_prefix('/').and_then(|path| path.strip_prefix(prefix))
            && (rest.is_empty() || rest.starts_with('/'))
        {
            path = rest;
            break;
        }
    }
    let path = match path.strip_suffix('/').unwrap_or(path) {
        "" => "/",
        path => path,
    };
    let found = if method == Method::HEAD { &Method::GET } else { method };
    let alias =
        |path: &str| ALIASES.iter().filter(|alias| alias.method == *found).find_map(|alias| alias.applied_to(path));
    let path = alias(path).unwrap_or_else(|| {
        let path = of_posts(path);
        alias(&path).unwrap_or(path)
    });
    (path != given).then_some(path)
}

/// What `/tweets…` stands for; None for another path.
pub(super) fn posts_form(path: &str) -> Option<String> {
    let is_form = path.strip_prefix("/tweets").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    is_form.then(|| of_posts(path))
}

/// `/tweets…` is `/posts…`.
fn of_posts(path: &str) -> String {
    match path.strip_prefix("/tweets") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("/posts{rest}"),
        _ => path.to_owned(),
    }
}

impl Alias {
    fn applied_to(&self, path: &str) -> Option<String> {
        let Some((before, after)) = self.form.split_once('{') else {
            return (self.form == path).then(|| self.path.to_owned());
        };
        let (name, after) = after.split_once('}')?;
        let value = path.strip_prefix(before)?.strip_suffix(after)?;
        let place = format!("{{{name}}}");
        (!value.is_empty() && !value.contains('/')).then(|| self.path.replace(&place, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn every_form_comes_to_one_path() {
        let table = [
            ("GET", "/", "/"),
            ("GET", "/api", "/"),
            ("GET", "/v1/", "/"),
            ("GET", "/apis", "/apis"),
            ("GET", "/api/users/", "/users"),
            ("GET", "/api/v1/users", "/v1/users"),
            ("POST", "/users/register", "/users"),
            ("GET", "/users/register", "/users/register"),
            ("POST", "/v1/login/", "/users/login"),
            ("GET", "/users/me", "/users"),
            ("HEAD", "/users/me/", "/users"),
            ("GET", "/users/me/posts", "/users/me/posts"),
            ("POST", "/users/follow/Ann", "/users/Ann/follow"),
            ("POST", "/api/users/unfollow/@ann/", "/users/@ann/unfollow"),
            ("DELETE", "/users/ann/follow", "/users/ann/follow"),
            ("GET", "/feed", "/posts"),
            ("GET", "/tweets", "/tweets"),
            ("POST", "/tweets", "/posts"),
            ("GET", "/tweets/pst_1.2/likes", "/posts/pst_1.2/likes"),
            ("POST", "/tweets/like/pst_1.2", "/posts/like/pst_1.2"),
            ("GET", "/tweetsy", "/tweetsy"),
        ];
        for (method, given, expected) in table {
            let request = Request::builder().method(method).uri(format!("{given}?a=1")).body(()).unwrap();
            let uri = normalize(request).uri().to_string();
            assert_eq!(uri, format!("{expected}?a=1"), "{method} {given}");
        }
    }

    #[test]
    fn what_follows_a_question_mark_in_a_segment_is_no_query() {
        let parameters = HashMap::from([("proxy".to_owned(), vec!["A?x/block".to_owned()])]);
        let request = Request::builder().uri("/users/A?a=1").body(()).unwrap();
        let request = request.with_raw_http_path("/api/users/A").with_path_parameters(parameters);
        assert_eq!(normalize(request).uri().to_string(), "/users/A%3Fx/block?a=1");
    }

    #[test]
    fn a_path_is_what_the_event_says() {
        for (raw, expected) in [
            ("/users/sessions/ ", "/users/sessions/%20"),
            ("/users/sessions/\0", "/users/sessions/%00"),
            ("/users/sessions/#", "/users/sessions/%23"),
            ("/users/x/..", "/users/x/.."),
            ("/api/users/jörg", "/users/j%C3%B6rg"),
            // Decoded once, by API Gateway: this was `%2540ann`.
            ("/users/%40ann", "/users/%2540ann"),
            ("/\\evil.example/", "/%5Cevil.example"),
        ] {
            let uri = "/users/sessions/?a=1";
            let request = Request::builder().uri(uri).body(()).unwrap().with_raw_http_path(raw);
            assert_eq!(normalize(request).uri().to_string(), format!("{expected}?a=1"), "{raw:?}");
        }
    }
}
