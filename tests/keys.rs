//! The signing keys are replaced in Secrets Manager while the service runs.

use crate::support::bulk::app_of;
use crate::support::{PASSWORD, TestApp, User, token_in};
use serde_json::{Value, json};
use shared::limits::{KEYS_KEPT, KEYS_RENEWED};
use shared::secrets::{ACCESS_TOKEN_LIFETIME, Keys, from_base64url};

/// The name of the key that signed an access token.
fn key_of(token: &str) -> String {
    let header: Value = serde_json::from_slice(&from_base64url(token.split('.').next().unwrap()).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// A key that is long enough.
fn key(letter: &str) -> Value {
    letter.repeat(64).into()
}

/// Replaces the keys, and waits until every function has read them.
async fn rotate(app: &TestApp, keys: Value) {
    app.put_signing_keys(&keys).await;
    app.advance(KEYS_KEPT);
}

async fn refreshed(app: &TestApp, user: &User) -> u16 {
    app.anon().post("/users/refresh", json!({"refresh_token": user.refresh_token})).await.status
}

#[tokio::test]
async fn a_key_is_replaced_without_a_deployment() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let (verify, first) =
        (token_in(&app.mail_to(&ann.email, "verify").await), app.signing_keys().await["current"].clone());
    for n in 0..3 {
        ann.post_text(&format!("Post {n}.")).await;
    }
    let page = ann.get("/users/me/posts?limit=1").await.expect(200);
    let old = key_of(ann.token());

    // Known to all before it signs.
    rotate(&app, json!({"current": first, "next": key("b")})).await;
    let bob = app.user("bob").await;
    assert_eq!(key_of(bob.token()), old);
    rotate(&app, json!({"current": key("b"), "previous": first})).await;
    let cid = app.user("cid").await;
    assert_ne!(key_of(cid.token()), old);

    // What the old key made is good: access tokens, cursors, mails, refresh tokens.
    for user in [&ann, &bob, &cid] {
        user.get("/users").await.expect(200);
    }
    ann.get(&page.next().unwrap()).await.expect(200);
    app.anon().post("/users/verify", json!({ "token": verify })).await.expect(200);
    assert_eq!(refreshed(&app, &ann).await, 200);

    // Without it they are not, and what the new one made is.
    rotate(&app, json!({"current": key("b")})).await;
    bob.get("/users").await.expect(401).problem("unauthorized");
    assert_eq!(refreshed(&app, &bob).await, 401);
    cid.get("/users").await.expect(200);
    assert_eq!(refreshed(&app, &cid).await, 200);
    app.sign_in("bob", PASSWORD).await.get("/users").await.expect(200);
}

#[tokio::test]
async fn a_token_of_a_key_that_is_not_known_yet_has_the_keys_read() {
    let app = TestApp::start().await;
    let (ann, first) = (app.user("ann").await, app.signing_keys().await["current"].clone());
    let sessions = ann.get("/users/sessions").await.expect(200);
    let session = sessions.items()[0]["id"].as_str().unwrap().parse().unwrap();
    let keys = json!({"current": key("b"), "previous": first});
    let users = app_of(&app, "users");
    // As another function signs it that has read the keys already.
    let signed = Keys::parse(&keys.to_string())
        .unwrap()
        .access_token(
            &users.config().issuer,
            (ann.id.parse().unwrap(), session),
            users.now(),
            users.now() + ACCESS_TOKEN_LIFETIME,
        )
        .unwrap();
    app.put_signing_keys(&keys).await;
    app.advance(KEYS_RENEWED);
    app.anon().with_token(&signed).get("/users").await.expect(200);
}

#[tokio::test]
async fn keys_that_cannot_be_read_leave_those_from_before() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    rotate(&app, json!({"current": "too short"})).await;
    ann.get("/users").await.expect(200);
    app.sign_in("ann", PASSWORD).await.get("/users").await.expect(200);
}
