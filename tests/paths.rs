//! Every form of a path answers alike, over HTTP and as the event that API Gateway makes of it.

use crate::support::{PASSWORD, TestApp, User};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Method, form, the path it stands for, and the answer.
const FORMS: &[(&str, &str, &str, u16)] = &[
    ("GET", "/", "/", 200),
    ("GET", "/health", "/health", 200),
    ("GET", "/users/{bob}/nothing", "/users/{bob}/nothing", 404),
    ("POST", "/users", "/users", 201),
    ("POST", "/users/register", "/users", 201),
    ("POST", "/users/login", "/users/login", 200),
    ("POST", "/login", "/users/login", 200),
    ("GET", "/login", "/users/login", 405),
    ("GET", "/users", "/users", 200),
    ("GET", "/users/me", "/users", 200),
    ("PATCH", "/users", "/users", 200),
    ("PATCH", "/users/me", "/users", 200),
    ("GET", "/users/{bob}", "/users/{bob}", 200),
    ("POST", "/users/{bob}/follow", "/users/{bob}/follow", 200),
    ("POST", "/users/follow/{bob}", "/users/{bob}/follow", 200),
    ("POST", "/users/{bob}/unfollow", "/users/{bob}/unfollow", 200),
    ("POST", "/users/unfollow/{bob}", "/users/{bob}/unfollow", 200),
    ("DELETE", "/users/{bob}/follow", "/users/{bob}/follow", 200),
    ("GET", "/posts", "/posts", 200),
    ("GET", "/feed", "/posts", 200),
    ("GET", "/tweets", "/users/me/posts", 200),
    ("POST", "/posts", "/posts", 201),
    ("POST", "/tweets", "/posts", 201),
    ("GET", "/posts/{post}", "/posts/{post}", 200),
    ("GET", "/tweets/{post}", "/posts/{post}", 200),
    ("PATCH", "/tweets/{post}", "/posts/{post}", 200),
    ("DELETE", "/posts/{new}", "/posts/{new}", 204),
    ("DELETE", "/tweets/{new}", "/posts/{new}", 204),
    ("POST", "/tweets/{post}/like", "/posts/{post}/like", 200),
    ("POST", "/tweets/{post}/unlike", "/posts/{post}/unlike", 200),
    ("DELETE", "/tweets/{post}/like", "/posts/{post}/like", 200),
    ("POST", "/tweets/like/{post}", "/posts/like/{post}", 200),
    ("GET", "/tweets/{post}/likes", "/posts/{post}/likes", 200),
    ("GET", "/tweets/liked", "/posts/liked", 200),
    ("PUT", "/tweets/{post}", "/posts/{post}", 200),
    ("GET", "/notifications", "/notifications", 200),
    ("GET", "/notifications/unread-count", "/notifications/unread-count", 200),
];

/// The stage that the prefix names.
const PREFIXES: [(&str, &str); 3] = [("", "$default"), ("/api", "api"), ("/v1", "v1")];

/// What a domain's mappings may make of them: the mapping's key is left in the path, or the stage's name is not.
const MAPPED: [(&str, &str); 3] = [("/api", "$default"), ("/v1", "$default"), ("", "api")];

/// Ann, who asks, and what she asks about.
struct World {
    app: TestApp,
    ann: User,
    bob: User,
    post: String,
    made: AtomicUsize,
}

impl World {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let (ann, bob) = (app.user("ann").await, app.user("bob").await);
        ann.follow(&bob).await;
        bob.post_text("Low tide.").await;
        let post = ann.post_text("High tide.").await;
        app.settle().await;
        // From here on nothing changes but what the requests change.
        app.pause_workers().await;
        Self { app, ann, bob, post, made: AtomicUsize::new(0) }
    }

    async fn fill(&self, path: &str) -> String {
        let path = path.replace("{bob}", &self.bob.username).replace("{post}", &self.post);
        if path.contains("{new}") { path.replace("{new}", &self.ann.post_text("Soon gone.").await) } else { path }
    }

    fn body(&self, method: &str, path: &str) -> Option<Value> {
        match (method, path) {
            // Not Ann: too many sign-ins end the first one's session.
            ("POST", "/users/login") => Some(json!({"username": "bob", "password": PASSWORD})),
            ("POST", "/users") => {
                let name = format!("ann_{}", self.made.fetch_add(1, Ordering::Relaxed));
                Some(json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD}))
            }
            ("PATCH", "/users") => Some(json!({"bio": "Terns."})),
            ("POST", "/posts") | ("PATCH" | "PUT", "/posts/{post}") => Some(json!({"content": "Slack water."})),
            _ => None,
        }
    }

    async fn over_http(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let call = self.ann.call(method.parse().unwrap(), path);
        let answer = match &body {
            Some(body) => call.json(body).await,
            None => call.await,
        };
        Answer::new(answer.status, &answer.text())
    }

    /// Straight to the function that the template's routes give the path to.
    async fn as_event(&self, method: &str, way: (&str, &str), path: &str, body: Option<Value>) -> Answer {
        let (function, event) = self.event(method, way, path, body);
        let answer = self.app.invoke(&function, &event).await.unwrap();
        Answer::new(answer["statusCode"].as_u64().unwrap() as u16, answer["body"].as_str().unwrap_or_default())
    }

    /// To the function that takes what no route does.
    async fn as_no_route(&self, method: &str, way: (&str, &str), path: &str) -> Value {
        let (_, mut event) = self.event(method, way, path, None);
        event["routeKey"] = json!("$default");
        event["requestContext"]["routeKey"] = json!("$default");
        self.app.invoke("docs", &event).await.unwrap()
    }

    /// The event of a request, and whose it is: payload format 2.0 as API Gateway documents it. A named stage stays in
    /// `rawPath` and is no part of what routes are matched with.
    fn event(&self, method: &str, (prefix, stage): (&str, &str), path: &str, body: Option<Value>) -> (String, Value) {
        let routes = self.app.model().routes(|function| function.binary.clone());
        let route = routes.find(&method.parse().unwrap(), path).unwrap();
        let raw_path = format!("{prefix}{path}");
        let host = "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com";
        let mut event = json!({
            "version": "2.0",
            "routeKey": route.key,
            "rawPath": raw_path,
            "rawQueryString": "",
            "headers": {
                "accept": "*/*",
                "authorization": format!("Bearer {}", self.ann.token()),
                "host": host,
                "user-agent": "curl/8.5.0",
                "x-amzn-trace-id": "Root=1-691f7a3c-0a1b2c3d4e5f60718293a4b5",
                "x-forwarded-for": "203.0.113.7",
                "x-forwarded-port": "443",
                "x-forwarded-proto": "https",
            },
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "a1b2c3d4e5",
                "domainName": host,
                "domainPrefix": "a1b2c3d4e5",
                "http": {
                    "method": method,
                    "path": raw_path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "203.0.113.7",
                    "userAgent": "curl/8.5.0",
                },
                "requestId": "UMZ8kiA5liAEJXA=",
                "routeKey": route.key,
                "stage": stage,
                "time": "20/Nov/2026:20:30:00 +0000",
                "timeEpoch": 1_795_206_600_000_u64,
            },
            "isBase64Encoded": false,
        });
        if !route.parameters.is_empty() {
            event["pathParameters"] = route.parameters.iter().map(|(name, value)| (*name, value.clone())).collect();
        }
        if let Some(body) = body {
            event["headers"]["content-type"] = json!("application/json");
            event["body"] = json!(body.to_string());
        }
        (route.target.clone(), event)
    }
}

/// What forms of one path have in common: all of a read's answer, of others the fields.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    fn new(status: u16, body: &str) -> Self {
        let mut body: Value = serde_json::from_str(body).unwrap_or_default();
        if let Some(problem) = body.as_object_mut() {
            problem.remove("request_id");
        }
        Self { status, body }
    }

    fn fields(&self) -> BTreeSet<&String> {
        self.body.as_object().into_iter().flat_map(|body| body.keys()).collect()
    }

    #[track_caller]
    fn assert_like(&self, canonical: &Self, method: &str, what: &str) {
        assert_eq!(self.status, canonical.status, "{what}: {}", self.body);
        assert_eq!(self.fields(), canonical.fields(), "{what}");
        if method == "GET" {
            assert_eq!(self.body, canonical.body, "{what}");
        }
    }
}

#[tokio::test]
async fn every_form_of_a_path_answers_alike() {
    let world = World::new().await;
    for (method, form, canonical, status) in FORMS {
        let path = world.fill(canonical).await;
        let expected = world.over_http(method, &path, world.body(method, canonical)).await;
        assert_eq!(expected.status, *status, "{method} {path}: {}", expected.body);
        for (prefix, stage) in PREFIXES {
            for slash in ["", "/"] {
                let bare = || async { format!("{}{slash}", world.fill(form).await.trim_end_matches('/')) };
                let path = bare().await;
                if path.is_empty() && prefix.is_empty() {
                    continue;
                }
                let answer = world.over_http(method, &format!("{prefix}{path}"), world.body(method, canonical)).await;
                answer.assert_like(&expected, method, &format!("{method} {prefix}{path}"));
                // The root of a stage is its slash.
                let path = Some(bare().await).filter(|path| !path.is_empty()).unwrap_or("/".to_owned());
                let answer = world.as_event(method, (prefix, stage), &path, world.body(method, canonical)).await;
                answer.assert_like(&expected, method, &format!("{method} {path} in the stage {stage}"));
            }
        }
        for way in MAPPED {
            let path = world.fill(form).await;
            let answer = world.as_event(method, way, &path, world.body(method, canonical)).await;
            answer.assert_like(&expected, method, &format!("{method} {path} by {way:?}"));
        }
    }
}

#[tokio::test]
async fn head_answers_as_get_without_a_body() {
    let world = World::new().await;
    for (_, form, _, status) in FORMS.iter().filter(|(method, ..)| *method == "GET") {
        for (prefix, _) in PREFIXES {
            let path = format!("{prefix}{}", world.fill(form).await);
            let answer = world.ann.call(Method::HEAD, &path).await.expect(*status);
            assert!(answer.body.is_empty(), "{path}");
        }
    }
}

/// Should API Gateway hand a bare `/users/` to `$default` after all, the client is told the path without the slash.
#[tokio::test]
async fn a_slash_that_came_to_the_wrong_function_is_sent_on() {
    let world = World::new().await;
    for (way, path, location) in [
        (("", "$default"), "/users/", "/users"),
        (("/api", "api"), "/users/", "/api/users"),
        (("/v1", "v1"), "/feed/", "/v1/feed"),
    ] {
        let answer = world.as_no_route("GET", way, path).await;
        assert_eq!((&answer["statusCode"], &answer["headers"]["location"]), (&json!(308), &json!(location)), "{path}");
    }
}

/// A domain of the operator's own that is mapped to the default stage at its root alone: no route begins with `/api`.
#[tokio::test]
async fn a_prefix_that_no_mapping_takes_off_is_sent_on() {
    let world = World::new().await;
    for (prefix, path) in [("/api", "/users/bob"), ("/v1", "/posts"), ("/api", "/users/")] {
        let answer = world.as_no_route("POST", (prefix, "$default"), path).await;
        assert_eq!((&answer["statusCode"], &answer["headers"]["location"]), (&json!(308), &json!(path)), "{path}");
    }
    let answer = world.as_no_route("GET", ("/api", "$default"), "/health").await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let elsewhere =
        [("/api", "$default", "//evil.example"), ("/api", "$default", "/\\evil.example"), ("/api", "api", "/nowhere")];
    for (prefix, stage, path) in elsewhere {
        let answer = world.as_no_route("GET", (prefix, stage), path).await;
        assert_eq!((&answer["statusCode"], &answer["headers"]["location"]), (&json!(404), &Value::Null), "{path}");
    }
}
