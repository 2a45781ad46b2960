//! The forms a path may take, brought to the one the routers know.

use http::{Method, Request, Uri};
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What a path of a URI may not hold as it is (RFC 3986, 3.3), `%` aside.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
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

/// Strips a stage's name and a trailing slash, and puts the one path in place of its other forms.
pub fn normalize<B>(mut request: Request<B>) -> Request<B> {
    // API Gateway decodes the path, and the URL that `lambda_http` makes of it is another one: space is cut off its end,
    // `#` ends it. `DELETE /users/sessions/%20` must not be `DELETE /users/sessions`.
    let given = match request.raw_http_path() {
        "" => request.uri().path().to_owned(),
        raw => utf8_percent_encode(raw, ENCODED).to_string(),
    };
    let path = canonical(request.method(), &given).unwrap_or(given);
    if path != request.uri().path() {
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        if let Ok(uri) = format!("{path}{query}").parse::<Uri>() {
            *request.uri_mut() = uri;
        }
    }
    request
}

/// The rest of a given path that begins with a stage's name and yet came by the default stage, as by a domain that is mapped
/// at its root alone: API Gateway's routes know no such beginning. None for any other path, and where the rest could be
/// another host's address.
pub fn below_a_prefix<'p, B>(request: &Request<B>, given: &'p str) -> Option<&'p str> {
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else { return None };
    let rest = PREFIXES.iter().find_map(|prefix| given.strip_prefix('/')?.strip_prefix(prefix))?;
    let is_path = rest.starts_with('/') && !rest.starts_with("//") && !rest.contains('\\');
    (is_path && context.stage.as_deref() == Some("$default")).then_some(rest)
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

/// The methods of an alias that the routers know nothing of, for a 405.
pub(super) fn alias_methods(path: &str) -> Vec<&'static str> {
    let path = of_posts(path);
    let same_form = ALIASES.iter().filter(|alias| alias.applied_to(&path).is_some());
    same_form.map(|alias| if alias.method == Method::GET { "GET, HEAD" } else { alias.method.as_str() }).collect()
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
    fn a_path_is_what_the_event_says() {
        for (raw, expected) in [
            ("/users/sessions/ ", "/users/sessions/%20"),
            ("/users/sessions/\0", "/users/sessions/%00"),
            ("/users/sessions/#", "/users/sessions/%23"),
            ("/users/x/..", "/users/x/.."),
            ("/api/users/jörg", "/users/j%C3%B6rg"),
        ] {
            let uri = "/users/sessions/?a=1";
            let request = Request::builder().uri(uri).body(()).unwrap().with_raw_http_path(raw);
            assert_eq!(normalize(request).uri().to_string(), format!("{expected}?a=1"), "{raw:?}");
        }
    }
}
