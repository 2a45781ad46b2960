//! A mail's link ends with what it was for: a newer one, a new password, and what it did end it.

use crate::support::{Client, PASSWORD, Response, TestApp, User, set, token_in, until};
use serde_json::{Value, json};

const NEW: &str = "auk under the cliff";

/// The token in the next mail to an address that `act` has sent.
async fn next_token(app: &TestApp, address: &str, act: impl IntoFuture<Output = Response>) -> String {
    // Or the mail of what came before may be taken for this one.
    app.settle().await;
    let known = app.mails_to(address).await.len();
    let answer = act.await;
    assert!(answer.status < 300, "{}", answer.text());
    let mail = until(|| async { Some(app.mails_to(address).await).filter(|mails| mails.len() > known) }).await;
    token_in(&mail[0])
}

async fn reset_token(app: &TestApp, email: &str) -> String {
    next_token(app, email, app.anon().post("/users/password/forgot", json!({ "email": email }))).await
}

async fn post_token(app: &TestApp, path: &str, token: &str) -> Response {
    let mut body = json!({ "token": token });
    if path.ends_with("/reset") {
        body["password"] = json!(NEW);
    }
    app.anon().post(path, body).await
}

async fn change_password(user: &Client, old: &str, new: &str) {
    user.put("/users/password", json!({"current_password": old, "new_password": new})).await.expect(204);
}

async fn wait_for(app: &TestApp, user: &User, email: &str) -> String {
    let body = json!({"email": email, "current_password": PASSWORD});
    next_token(app, email, user.patch("/users", body)).await
}

async fn me(user: &Client) -> Value {
    user.get("/users").await.expect(200).json()
}

#[tokio::test]
async fn a_reset_link_ends_when_the_password_is_changed() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let token = reset_token(&app, &gull.email).await;
    change_password(&gull, PASSWORD, "puffin in the burrow").await;
    post_token(&app, "/users/password/reset", &token).await.expect(400).problem("invalid-token");
    app.sign_in("gull", "puffin in the burrow").await;
}

#[tokio::test]
async fn of_three_reset_links_the_newest_works_once() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(reset_token(&app, &gull.email).await);
    }
    for old in &tokens[..2] {
        post_token(&app, "/users/password/reset", old).await.expect(400).problem("invalid-token");
    }
    app.sign_in("gull", PASSWORD).await;
    post_token(&app, "/users/password/reset", &tokens[2]).await.expect(204);
    for token in &tokens {
        post_token(&app, "/users/password/reset", token).await.expect(400);
    }
    app.sign_in("gull", NEW).await;
}

#[tokio::test]
async fn of_two_verification_links_the_newest_works() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let first = token_in(&app.mail_to(&gull.email, "verify").await);
    let second = next_token(&app, &gull.email, gull.post("/users/verify/resend", None)).await;
    post_token(&app, "/users/verify", &first).await.expect(400).problem("invalid-token");
    assert_eq!(me(&gull).await["email_verified"], false);
    post_token(&app, "/users/verify", &second).await.expect(200);
    assert_eq!(me(&gull).await["email_verified"], true);
}

#[tokio::test]
async fn of_two_links_to_a_new_address_the_newest_works() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let first = wait_for(&app, &gull, "skua@example.com").await;
    let other = wait_for(&app, &gull, "tern@example.com").await;
    let resent = next_token(&app, "tern@example.com", gull.post("/users/verify/resend", None)).await;
    for old in [&first, &other] {
        post_token(&app, "/users/verify", old).await.expect(400).problem("invalid-token");
    }
    assert_eq!(
        (me(&gull).await["email"].as_str(), me(&gull).await["pending_email"].as_str()),
        (Some(&*gull.email), Some("tern@example.com"))
    );
    post_token(&app, "/users/verify", &resent).await.expect(200);
    assert_eq!(
        (&me(&gull).await["email"], &me(&gull).await["pending_email"]),
        (&json!("tern@example.com"), &Value::Null)
    );
}

#[tokio::test]
async fn a_new_password_ends_an_address_that_waits() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    app.verify(&gull).await;
    let token = wait_for(&app, &gull, "skua@example.com").await;
    change_password(&gull, PASSWORD, "puffin in the burrow").await;
    assert_eq!(me(&gull).await["pending_email"], Value::Null);
    post_token(&app, "/users/verify", &token).await.expect(400).problem("invalid-token");
    change_password(&gull, "puffin in the burrow", PASSWORD).await;
    let token = wait_for(&app, &gull, "skua@example.com").await;
    let reset = reset_token(&app, &gull.email).await;
    post_token(&app, "/users/password/reset", &reset).await.expect(204);
    post_token(&app, "/users/verify", &token).await.expect(400).problem("invalid-token");
    let gull = app.sign_in("gull", NEW).await;
    assert_eq!((&me(&gull).await["email"], &me(&gull).await["pending_email"]), (&json!(gull.email), &Value::Null));
    app.audit().await;
}

/// A holder of the password may change it, and must not end the way back by that.
#[tokio::test]
async fn a_new_password_leaves_the_link_that_undoes_a_change() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    app.verify(&gull).await;
    let verify = wait_for(&app, &gull, "skua@example.com").await;
    let undo = token_in(&app.mail_to(&gull.email, "to be another").await);
    post_token(&app, "/users/verify", &verify).await.expect(200);
    change_password(&gull, PASSWORD, "puffin in the burrow").await;
    post_token(&app, "/users/verify/undo", &undo).await.expect(204);
    let gull = app.sign_in("gull@example.com", "puffin in the burrow").await;
    assert_eq!(me(&gull).await["email"], "gull@example.com");
}

#[tokio::test]
async fn a_link_to_an_archive_ends_with_a_newer_one_and_with_a_new_password() {
    let app = TestApp::with(|options| set(options, "RateLimits", "off")).await;
    let gull = app.user("gull").await;
    app.verify(&gull).await;
    let export = || next_token(&app, &gull.email, gull.post("/users/export", None));
    let load = async |token: &str| app.anon().get(&format!("/users/export?token={token}")).await.status;
    let first = export().await;
    assert_eq!(load(&first).await, 303);
    let second = export().await;
    assert_eq!((load(&first).await, load(&second).await), (400, 303));
    change_password(&gull, PASSWORD, NEW).await;
    assert_eq!(load(&second).await, 400);
    let third = export().await;
    let reset = reset_token(&app, &gull.email).await;
    assert_eq!(load(&third).await, 303);
    post_token(&app, "/users/password/reset", &reset).await.expect(204);
    assert_eq!(load(&third).await, 400);
}
