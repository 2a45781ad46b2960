//! One spelling for what looks the same, on every way in; and texts that pretend to be something else.

use crate::support::files::{form, png, upload};
use crate::support::{TestApp, token_in};
use serde_json::json;
use shared::clock::Clock;
use std::time::Duration;

#[tokio::test]
async fn composed_and_decomposed_are_the_same() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    ann.put(
        "/users/password",
        json!({"current_password": crate::support::PASSWORD, "new_password": "cafe\u{301} au lait"}),
    )
    .await
    .expect(204);
    for typed in ["café au lait", "cafe\u{301} au lait", "café\u{a0}au\u{3000}lait"] {
        app.sign_in("ann", typed).await;
    }
    app.anon().post("/login", json!({"username": "ann", "password": "cafe au lait"})).await.expect(401);
    let post = ann.post_text("Ein Gru\u{308}n. #gru\u{308}n").await;
    app.settle().await;
    for path in [
        "/posts/search?hashtag=gr%C3%BCn",
        "/posts/search?hashtag=gru%CC%88n",
        "/posts/search?q=gru%CC%88n",
        "/posts/search?hashtag=gru%CC%88n&author=ann%20",
    ] {
        assert_eq!(crate::support::lists::page_ids(&ann, path).await, [post.as_str()], "{path}");
    }
}

#[tokio::test]
async fn a_space_that_a_keyboard_added_is_no_part_of_a_name() {
    let app = TestApp::start().await;
    let sign_up = json!({"username": "ann ", "email": " ann@example.com ", "password": crate::support::PASSWORD});
    let made = app.anon().post("/users", sign_up).await.expect(201).json();
    assert_eq!((&made["username"], &made["email"]), (&json!("ann"), &json!("ann@example.com")));
    for name in [json!({"username": "ann "}), json!({"username": "@Ann\u{a0}"}), json!({"email": "ann@example.com "})] {
        let mut body = name.clone();
        body["password"] = crate::support::PASSWORD.into();
        app.anon().post("/login", body).await.expect(200);
    }
}

#[tokio::test]
async fn international_addresses_are_taken_and_shown_as_typed() {
    let app = TestApp::start().await;
    let sign_up = |email: &str, name: &str| {
        let body = json!({"email": email, "username": name, "password": crate::support::PASSWORD});
        app.anon().post("/users", body).into_future()
    };
    let made = sign_up("x@München.de", "ann").await.expect(201).json();
    assert_eq!(made["email"], "x@München.de");
    for same in ["x@mu\u{308}nchen.de", "X@xn--mnchen-3ya.de"] {
        assert_eq!(sign_up(same, "bob").await.expect(409).fields(), [("email".to_owned(), "taken".to_owned())]);
        app.anon().post("/login", json!({"email": same, "password": crate::support::PASSWORD})).await.expect(200);
    }
    // SES takes ASCII alone.
    let mail = app.mail_to("x@xn--mnchen-3ya.de", "verify").await;
    app.anon().post("/users/verify", json!({"token": token_in(&mail)})).await.expect(200);
    let ann = app.sign_in("ann", crate::support::PASSWORD).await;
    let me = ann.patch("/users", json!({"website": "https://müller.de/über"})).await.expect(200).json();
    assert_eq!(me["website"], "https://müller.de/über");
}

#[tokio::test]
async fn errors_blame_only_what_was_sent() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    // A name would be made of the address, and that is taken, too.
    let again = json!({"email": "ann@example.com", "password": crate::support::PASSWORD});
    let answer = app.anon().post("/users", again).await.expect(409);
    assert_eq!(answer.fields(), [("email".to_owned(), "taken".to_owned())]);
    let code = |answer: crate::support::Response| answer.expect(422).fields().remove(0).1;
    let sent = png();
    assert_eq!(code(ann.post("/media", None).body("image/png", sent[..sent.len() / 2].to_vec()).await), "truncated");
    let mut damaged = sent.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 8].fill(0);
    assert_eq!(code(ann.post("/media", None).body("image/png", damaged).await), "broken");
    assert_eq!(code(ann.post("/media", None).body("image/png", Vec::new()).await), "empty");
    let (kind, body) = form(&[], &[("image", "image/png", Vec::new())]);
    assert_eq!(code(ann.post("/posts", None).body(&kind, body).await), "empty");
    let at = (Clock::default().now() + Duration::from_secs(3_600)).rfc3339();
    let at = at.replace('Z', "+0000");
    ann.post("/posts", json!({"content": "later", "publish_at": at})).await.expect(201);
}

#[tokio::test]
async fn an_address_is_no_mention_and_emphasis_hides_none() {
    let app = TestApp::start().await;
    let (ann, _) = (app.user("ann").await, app.user("name").await);
    for (text, count) in [("andré@name.fr", 0), ("иван@name.рф", 0), ("**@name** flies", 1), ("*@name*", 1)] {
        let post = ann.post("/posts", json!({ "content": text })).await.expect(201).json();
        assert_eq!(post["mentions"].as_array().unwrap().len(), count, "{text}");
    }
}

#[tokio::test]
async fn texts_that_turn_around_or_show_nothing_are_refused() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let post = ann.post_text("hello").await;
    let media = upload(&ann, "image/png", png()).await;
    for (text, code) in [("a\u{202e}gpj.exe", "invalid_characters"), ("\u{2066}a\u{2069}", "invalid_characters")] {
        for (call, field) in [
            (ann.post("/posts", json!({ "content": text })), "content"),
            (ann.post(&format!("/posts/{post}/comments"), json!({ "content": text })), "content"),
            (ann.patch("/users", json!({ "full_name": text })), "full_name"),
            (ann.patch("/users", json!({ "bio": text })), "bio"),
            (ann.patch("/users", json!({ "location": text })), "location"),
            (ann.patch("/users", json!({ "interests": [text] })), "interests"),
            (ann.patch(&format!("/media/{media}"), json!({ "alt_text": text })), "alt_text"),
            (ann.post("/groups", json!({ "name": text })), "name"),
            (ann.post("/groups", json!({ "name": "a", "description": text })), "description"),
            (ann.post(&format!("/posts/{post}/report"), json!({ "details": text })), "details"),
        ] {
            assert_eq!(call.await.expect(422).fields(), [(field.to_owned(), code.to_owned())], "{text:?}");
        }
    }
    for nothing in ["\u{200b}", "\u{3164}", "\u{2800}\u{ad}", "\u{feff} \u{200d}"] {
        assert_eq!(ann.post("/groups", json!({ "name": nothing })).await.expect(422).fields()[0].1, "empty");
        let comments = format!("/posts/{post}/comments");
        assert_eq!(ann.post(&comments, json!({ "content": nothing })).await.expect(422).fields()[0].1, "empty");
        assert_eq!(ann.patch("/users", json!({ "full_name": nothing })).await.expect(422).fields()[0].1, "empty");
    }
}

#[tokio::test]
async fn a_mail_names_people_by_their_username_alone() {
    let app = TestApp::start().await;
    let (ann, eve) = (app.user("ann").await, app.user("eve").await);
    app.verify(&ann).await;
    ann.patch("/users/settings", json!({"notify": {"follow": {"mail": true}}})).await.expect(200);
    let name = "Perch Security: your account is locked, sign in at https://evil.example";
    eve.patch("/users", json!({ "full_name": name })).await.expect(200);
    eve.follow(&ann).await;
    let mail = app.mail_to(&ann.email, "follows").await;
    for text in [&mail.text, &mail.html, &mail.subject] {
        assert!(text.contains("@eve") && !text.contains("Security") && !text.contains("evil.example"), "{text}");
    }
}
