//! What is not known is refused, with the nearest name that is.

use crate::support::files::{form, png};
use crate::support::{PASSWORD, Response, TestApp, document};
use serde_json::{Value, json};

#[track_caller]
fn refused(answer: Response, field: &str, nearest: &str) {
    let answer = answer.expect(422);
    let error = answer.json()["errors"][0].clone();
    assert_eq!((&error["field"], &error["code"]), (&json!(field), &json!("unknown_field")), "{}", answer.text());
    let detail = error["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("`{nearest}`")), "{detail}");
}

#[tokio::test]
async fn an_unknown_field_is_refused() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    refused(ann.patch("/users", json!({"full_nam": "Ann"})).await, "full_nam", "full_name");
    refused(
        ann.patch("/users/settings", json!({"notify": {"follow": {"mails": true}}})).await,
        "notify.follow.mails",
        "mail",
    );
    refused(ann.post("/posts", json!({"content": "hello", "media": []})).await, "media", "media_ids");
    let (kind, photo) = form(&[], &[("photo", "image/png", png())]);
    refused(ann.patch("/users", None).body(&kind, photo).await, "photo", "avatar");
    let (kind, title) = form(&[("titel", "Low tide.")], &[("video", "image/png", png())]);
    refused(ann.post("/media", None).body(&kind, title).await, "titel", "alt_text");
    // A file where a text belongs.
    let (kind, body) = form(&[], &[("content", "image/png", png()), ("image", "image/png", png())]);
    let answer = ann.post("/posts", None).body(&kind, body).await.expect(422);
    assert_eq!(answer.fields(), [("content".to_owned(), "wrong_type".to_owned())]);
    let me = ann.get("/users").await.expect(200).json();
    assert_eq!((&me["full_name"], &me["avatar_url"], &me["posts_count"]), (&Value::Null, &Value::Null, &json!(0)));
}

#[tokio::test]
async fn an_unknown_parameter_is_refused_and_tracking_passes() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    refused(ann.get("/posts?limitt=3").await, "limitt", "limit");
    refused(ann.get("/posts/search?query=x").await, "query", "q");
    let answer = ann.post("/posts?content=x", json!({"content": "hello"})).await.expect(422);
    assert_eq!(answer.fields(), [("content".to_owned(), "unknown_field".to_owned())]);
    ann.get("/posts?utm_source=mail&fbclid=x&limit=3").await.expect(200);
    app.anon().get("/?gclid=x").await.expect(200);
    app.anon().get("/?glid=x").await.expect(422);
}

#[tokio::test]
async fn a_parameter_comes_once_and_is_no_longer_than_it_says() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let code = async |path: &str| ann.get(path).await.expect(422).fields().remove(0);
    let (long, longer) = ("a".repeat(2_001), "a".repeat(4_001));
    for (path, field) in [
        (format!("/posts/search?q={long}"), "q"),
        (format!("/posts/search?hashtag={long}"), "hashtag"),
        (format!("/users/search?query={long}"), "query"),
        (format!("/posts?cursor={longer}"), "cursor"),
        (format!("/users/verify?token={long}"), "token"),
    ] {
        assert_eq!(code(&path).await, (field.to_owned(), "too_long".to_owned()), "{field}");
    }
    for path in ["/posts", "/notifications"] {
        for wrong in ["", "x", &long] {
            assert_eq!(code(&format!("{path}?after={wrong}")).await.0, "after", "{path} {wrong}");
        }
    }
    assert_eq!(code("/posts?limit=1&limit=2").await, ("limit".to_owned(), "repeated".to_owned()));
    for (path, item) in document::document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for parameter in operation["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "query")
            {
                let schema = &parameter["schema"];
                let is_text = schema["type"] == "string" || schema["type"] == json!(["string", "null"]);
                let is_bounded = ["maxLength", "enum"].iter().any(|bound| schema.get(bound).is_some());
                assert!(!is_text || is_bounded, "{method} {path}: {parameter}");
            }
        }
    }
}

#[tokio::test]
async fn what_clients_of_other_stacks_send_is_taken() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let group = ann.post("/groups", json!({"name": "Waders"})).await.expect(201).json();
    assert_eq!(group["visibility"], "public");
    let post = ann.post_text("hello").await;
    bob.post(&format!("/posts/{post}/report"), None).await.expect(202);
    let pair = app.anon().post("/users/refresh", json!({"refresh": ann.refresh_token})).await.expect(200).json();
    app.anon().post("/users/logout", json!({"refresh": pair["refresh_token"]})).await.expect(204);
    let ann = app.sign_in("ann", PASSWORD).await;
    let edited = ann.put(&format!("/posts/{post}"), json!({"content": "low tide"})).await.expect(200).json();
    assert_eq!(edited["content"], "low tide");
    for (path, part) in [("/media", "file"), ("/media", "image"), ("/media", "video"), ("/posts/videos", "video")] {
        let (kind, body) = form(&[], &[(part, "image/png", png())]);
        let made = ann.post(path, None).body(&kind, body).await.expect(201).json();
        assert_eq!(made["status"], "ready", "{path} {part}");
    }
}
