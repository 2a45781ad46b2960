//! What is encoded in a path is part of a segment, over HTTP and as the event that API Gateway makes of it.

use crate::support::{Http, TestApp, User};
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};

/// A request whose path goes out as it is written here.
async fn raw(app: &TestApp, by: &User, method: &str, path: &str) -> Response<Bytes> {
    let request = Request::builder().method(method).uri(format!("{}{path}", app.url()));
    let request = request.header("authorization", format!("Bearer {}", by.token())).header("accept", "*/*");
    Http::default().send(request.body(Bytes::new()).unwrap()).await.unwrap()
}

/// An event as API Gateway makes it of such a path: decoded, and cut at a decoded `?`, in `rawPath`; decoded in the route's
/// parameter.
fn event(by: &User, method: &str, raw_path: &str, (route, proxy): (&str, Option<&str>)) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../events/http-posts-feed.json")).unwrap();
    event["rawPath"] = raw_path.into();
    event["rawQueryString"] = "".into();
    event["routeKey"] = format!("ANY {route}").into();
    event["requestContext"]["routeKey"] = event["routeKey"].clone();
    event["requestContext"]["http"]["method"] = method.into();
    event["requestContext"]["http"]["path"] = raw_path.into();
    event["headers"]["authorization"] = format!("Bearer {}", by.token()).into();
    event.as_object_mut().unwrap().remove("queryStringParameters");
    event["pathParameters"] = proxy.map(|proxy| json!({ "proxy": proxy })).unwrap_or_default();
    event
}

#[tokio::test]
async fn an_encoded_character_never_becomes_structure() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let paths = [
        ("POST", "/users/bob%3Fx/follow"),
        ("POST", "/users/bob%2Ffollow"),
        ("POST", "/users/follow%2Fbob"),
        ("POST", "/users/bob%23/follow"),
        ("POST", "/users/bob%00/follow"),
        ("POST", "/users/bob%5Cfollow"),
        ("POST", "/users%2Fbob%2Ffollow"),
        ("POST", "/users%3Fx"),
        ("DELETE", "/users/sessions/%3F"),
        ("DELETE", "/users/sessions/%2F"),
        ("DELETE", "/users/sessions%2F"),
        ("DELETE", "/posts/%3F"),
        ("GET", "/users/%2e%2e"),
        ("GET", "/users/bob%2f.."),
        ("GET", "/users/%2562ob"),
        ("GET", "/health%3Fx"),
        ("GET", "/%3Fx"),
        ("GET", "/posts//public"),
    ];
    for (method, path) in paths {
        let answer = raw(&app, &ann, method, path).await;
        // A path of one segment less has other methods.
        let is_refused = [404, 405].contains(&answer.status().as_u16());
        assert!(is_refused && (method != "GET" || answer.status() == 404), "{method} {path}: {:?}", answer.body());
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{method} {path}");
    }
    // What needs no encoding may have it.
    assert_eq!(raw(&app, &ann, "GET", "/users/%40bob").await.status(), 200);
    assert_eq!(
        raw(&app, &ann, "GET", "/%75sers/me").await.status(),
        404,
        "routes are chosen before anything is decoded"
    );
    assert_eq!(ann.get("/users").await.expect(200).json()["following_count"], 0);
    bob.get("/users").await.expect(200);
}

#[tokio::test]
async fn an_event_with_a_decoded_path_is_for_that_path_alone() {
    let app = TestApp::start().await;
    let (ann, _) = (app.user("ann").await, app.user("bob").await);
    let (users, none) = ("/users/{proxy+}", ("$default", None));
    for (method, raw_path, route, function) in [
        ("POST", "/users/bob", (users, Some("bob?x/follow")), "users"),
        ("DELETE", "/users/sessions/", (users, Some("sessions/?")), "users"),
        ("POST", "/users/bob#/follow", (users, Some("bob#/follow")), "users"),
        ("POST", "/users/bob\\follow", (users, Some("bob\\follow")), "users"),
        ("POST", "/users/bob\0/follow", (users, Some("bob\0/follow")), "users"),
        ("GET", "/users/%62ob", (users, Some("%62ob")), "users"),
        ("GET", "/users/../users", (users, Some("../users")), "users"),
        ("GET", "/users/./bob", (users, Some("./bob")), "users"),
        ("GET", "/\\evil.example/", none, "docs"),
        ("GET", "//evil.example/", none, "docs"),
        ("GET", "/api//evil.example", none, "docs"),
        ("GET", "/api/\\evil.example/", none, "docs"),
        ("GET", "/\t/evil.example/", none, "docs"),
        ("GET", "/ /", none, "docs"),
    ] {
        let answer = app.invoke(function, &event(&ann, method, raw_path, route)).await.unwrap();
        let is_refused = [json!(404), json!(405)].contains(&answer["statusCode"]);
        assert!(is_refused && (method != "GET" || answer["statusCode"] == 404), "{raw_path:?}: {answer}");
        assert_eq!(answer["headers"]["location"], Value::Null, "{raw_path:?}");
    }
    let answer = app.invoke("users", &event(&ann, "GET", "/users/@bob", (users, Some("@bob")))).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(ann.get("/users").await.expect(200).json()["following_count"], 0);
}

#[tokio::test]
async fn no_path_redirects_to_another_host() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for path in [
        "/%5Cevil.example/",
        "/%2Fevil.example/",
        "//evil.example/",
        "/%5C%5Cevil.example/",
        "/.%5Cevil.example/",
        "/%09/evil.example/",
        "/api/%5Cevil.example/",
        "/v1//evil.example/",
        "/evil.example%2F..%2F/",
        "/http:%2F%2Fevil.example/",
    ] {
        let answer = raw(&app, &ann, "GET", path).await;
        assert_eq!(answer.status(), 404, "{path}");
        assert!(!answer.headers().contains_key("location"), "{path}: {:?}", answer.headers());
    }
}

#[tokio::test]
async fn a_405_allows_what_the_path_takes() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for (method, path, allowed) in [
        ("PUT", "/tweets", "GET, HEAD, POST"),
        ("OPTIONS", "/tweets", "GET, HEAD, POST"),
        ("PUT", "/users/me", "DELETE, GET, HEAD, PATCH"),
        ("PUT", "/posts/videos", "POST"),
        ("DELETE", "/users/register", "GET, HEAD, POST"),
        ("PUT", "/login", "POST"),
    ] {
        let answer = ann.call(method.parse::<Method>().unwrap(), path).await.expect(405);
        assert_eq!(answer.header("allow"), allowed, "{method} {path}");
    }
}
