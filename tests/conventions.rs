//! What every answer has in common.

use crate::support::{PASSWORD, Response, TestApp, set};
use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};

fn sign_up(name: &str) -> Value {
    json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD})
}

#[tokio::test]
async fn an_etag_saves_the_body_and_guards_an_edit() {
    let app = TestApp::start().await;
    let (gull, tern) = (app.user("gull").await, app.user("tern").await);
    let post = format!("/posts/{}", gull.post_text("hello").await);
    for path in ["/users", "/users/tern", "/users/settings", &post] {
        let first = gull.get(path).await.expect(200);
        let tag = first.header("etag");
        let if_none_match = async |tag: &str| gull.get(path).header("if-none-match", tag).await;
        for same in [tag, &format!("W/{tag}"), &format!("\"x\", {tag}"), "*"] {
            let answer = if_none_match(same).await.expect(304);
            assert!(answer.body.is_empty() && answer.header("etag") == tag, "{path}");
        }
        if_none_match("\"x\"").await.expect(200);
        let head = gull.head(path).await.expect(200);
        assert!(head.body.is_empty(), "{path}");
        assert_eq!((head.header("etag"), head.header("content-type")), (tag, first.header("content-type")), "{path}");
        gull.head(path).header("if-none-match", tag).await.expect(304);
    }
    let tag = gull.get("/users").await.expect(200).header("etag").to_owned();
    // A follower is news for a reader, and no conflict for an edit.
    tern.follow(&gull).await;
    app.settle().await;
    assert_ne!(gull.get("/users").header("if-none-match", &tag).await.expect(200).header("etag"), tag);
    let edit = |bio: &str, tag: &str| gull.patch("/users", json!({ "bio": bio })).header("if-match", tag);
    let answer = edit("one", &tag).await.expect(200);
    assert_eq!(gull.get("/users").await.header("etag"), answer.header("etag"));
    edit("two", &tag).await.expect(412).problem("precondition-failed");
    edit("two", "\"nonsense\"").await.expect(412).problem("precondition-failed");
    edit("two", &format!("\"x\", {}", answer.header("etag"))).await.expect(200);
    edit("three", "*").await.expect(200);
}

#[tokio::test]
async fn the_same_key_and_body_create_once() {
    let app = TestApp::start().await;
    let (gull, tern) = (app.user("gull").await, app.user("tern").await);
    let post = |text: &str, key: &str| gull.post("/posts", json!({ "content": text })).header("idempotency-key", key);
    let first = post("hello", "k1").await.expect(201);
    assert_eq!(first.header("idempotency-replayed"), "");
    let again = post("hello", "k1").await.expect(201);
    assert_eq!((again.header("idempotency-replayed"), again.header("location")), ("true", first.header("location")));
    assert_eq!(again.json(), first.json());
    post("other", "k1").await.expect(422).problem("idempotency-key-reused");
    assert_ne!(post("hello", "k2").await.expect(201).json()["id"], first.json()["id"]);
    // Another's key is another key; a refusal is not kept.
    tern.post("/posts", json!({"content": "mine"})).header("idempotency-key", "k1").await.expect(201);
    post("", "k3").await.expect(422).problem("invalid");
    post("hello", "k3").await.expect(201);
    for bad in ["", &"k".repeat(256)] {
        assert_eq!(post("hello", bad).await.expect(422).fields()[0].0, "Idempotency-Key");
    }
    app.advance(std::time::Duration::from_secs(24 * 3600 + 1));
    let gull = app.sign_in("gull", PASSWORD).await;
    let late = gull.post("/posts", json!({"content": "other"})).header("idempotency-key", "k1").await.expect(201);
    assert_ne!(late.json()["id"], first.json()["id"]);
}

#[tokio::test]
async fn of_twenty_at_once_with_one_key_one_creates() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let body = json!({"content": "once"});
    let posts = (0..20).map(|_| gull.post("/posts", body.clone()).header("idempotency-key", "k").into_future());
    let ups = (0..20).map(|_| app.anon().post("/users", sign_up("tern")).header("idempotency-key", "k").into_future());
    let (posts, ups) = (join_all(posts).await, join_all(ups).await);
    for answers in [posts, ups] {
        let created: Vec<&Response> = answers.iter().filter(|answer| answer.status == 201).collect();
        let fresh = created.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count();
        assert_eq!(fresh, 1);
        assert!(created.iter().all(|answer| answer.json() == created[0].json()));
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            assert_eq!(answer.status, 409, "{}", answer.text());
            answer.problem("in-flight");
            assert!(!answer.header("retry-after").is_empty());
        }
    }
    assert_eq!(gull.get("/users").await.expect(200).json()["posts_count"], 1);
}

#[tokio::test]
async fn browsers_may_call() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let origin = "https://app.example.org";
    let preflight = app.anon().call(Method::OPTIONS, "/posts").header("origin", origin);
    let preflight = preflight.header("access-control-request-method", "POST");
    let preflight =
        preflight.header("access-control-request-headers", "authorization,content-type,idempotency-key").await;
    assert!([200, 204].contains(&preflight.status));
    let list = |answer: &Response, name: &str| answer.header(name).to_lowercase();
    assert_eq!(preflight.header("access-control-allow-origin"), "*");
    for method in ["get", "post", "put", "patch", "delete"] {
        assert!(list(&preflight, "access-control-allow-methods").contains(method), "{method}");
    }
    for header in ["authorization", "content-type", "idempotency-key", "if-match", "if-none-match"] {
        assert!(list(&preflight, "access-control-allow-headers").contains(header), "{header}");
    }
    let answers = [
        gull.get("/users").header("origin", origin).await.expect(200),
        app.anon().get("/users").header("origin", origin).await.expect(401),
        app.anon().get("/nowhere").header("origin", origin).await.expect(404),
        gull.put("/users", json!({})).header("origin", origin).await.expect(405),
    ];
    for answer in answers {
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        for header in ["etag", "idempotency-replayed", "link", "location", "ratelimit", "retry-after", "x-request-id"] {
            assert!(list(&answer, "access-control-expose-headers").contains(header), "{header}");
        }
    }

    let app = TestApp::with(|options| set(options, "AllowOrigins", origin)).await;
    let allowed = async |origin: &str| {
        let answer = app.anon().get("/").header("origin", origin).await.expect(200);
        answer.header("access-control-allow-origin").to_owned()
    };
    assert_eq!(allowed(origin).await, origin);
    assert_eq!(allowed("https://evil.example").await, "");
}

#[tokio::test]
async fn long_answers_are_gzipped_when_asked() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let short = gull.get("/users").header("accept-encoding", "gzip").await.expect(200);
    assert!(short.body.len() < 1_000 && short.header("content-encoding").is_empty());
    let id = gull.post_text(&"All gulls fly. ".repeat(100)).await;
    let path = format!("/posts/{id}");
    let plain = gull.get(&path).await.expect(200);
    assert!(plain.header("content-encoding").is_empty() && plain.header("vary").contains("accept-encoding"));
    let zipped = gull.get(&path).header("accept-encoding", "gzip").await.expect(200);
    assert_eq!(zipped.header("content-encoding"), "gzip");
    assert!(zipped.body.starts_with(&[0x1f, 0x8b]) && zipped.body.len() < plain.body.len() / 2);
    assert_eq!(zipped.header("etag"), plain.header("etag"));
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own_and_is_kept_by_nobody_else() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let mut ids = std::collections::BTreeSet::new();
    for (answer, cached) in [
        (gull.get("/users").await.expect(200), "private, no-cache"),
        (gull.get("/users").await.expect(200), "private, no-cache"),
        (gull.post("/login", json!({})).await.expect(422), "no-store"),
        (app.anon().get("/users").await.expect(401), "no-store"),
        (app.anon().get("/nowhere").await.expect(404), "no-store"),
        (app.anon().get("/").await.expect(200), "public, max-age=300"),
    ] {
        let id = answer.header("x-request-id");
        assert!(!id.is_empty() && ids.insert(id.to_owned()), "{ids:?} {id}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), cached);
        assert!(cached.starts_with("public") || answer.header("vary").contains("authorization"));
    }
}

#[tokio::test]
async fn limits_are_told_and_kept() {
    let app = TestApp::with(|options| set(options, "RateLimits", "on")).await;
    app.begin_hour();
    let gull = app.user("gull").await;
    let resend = || gull.post("/users/verify/resend", None);
    // Of the two limits the nearer to its end: the sign-up has sent a mail to the address, too.
    for left in (0..4).rev() {
        let answer = resend().await.expect(202);
        assert_eq!(answer.header("ratelimit-policy"), "\"mail-to-address\";q=5;w=3600");
        assert!(answer.header("ratelimit").starts_with(&format!("\"mail-to-address\";r={left};t=")));
    }
    let refused = resend().await.expect(429);
    refused.problem("rate-limited");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=3600).contains(&wait), "{wait}");
    let tern = app.user("tern").await;
    tern.post("/users/verify/resend", None).await.expect(202);
    app.advance(std::time::Duration::from_secs(3600));
    app.sign_in("gull", PASSWORD).await.post("/users/verify/resend", None).await.expect(202);
}

#[tokio::test]
async fn what_is_no_path_is_a_problem_too() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    for path in
        ["/nowhere", "/users/gull/nothing", "/users/gull/posts/more", "/api/api/users", "/v1/nowhere", "/login/x"]
    {
        gull.get(path).await.expect(404).problem("not-found");
    }
    for (method, path, allow) in [("PUT", "/login", "POST"), ("GET", "/users/register", ""), ("POST", "/", "GET, HEAD")]
    {
        let answer = gull.call(method.parse().unwrap(), path).await;
        if allow.is_empty() {
            // The form belongs to POST alone; for a GET it is a name that nobody has.
            answer.expect(404).problem("not-found");
            continue;
        }
        let answer = answer.expect(405);
        answer.problem("method-not-allowed");
        assert_eq!(answer.header("allow").replace(',', ", ").replace("  ", " "), allow, "{method} {path}");
    }
}
