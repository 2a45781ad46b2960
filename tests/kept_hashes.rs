//! What the table keeps of secrets, and of what can be guessed: nothing that can be found again by trying.

use crate::support::{PASSWORD, TestApp, set};
use serde_json::json;
use shared::secrets::{base64url, sha256};

/// All forms in which a hash of these bytes without a key may be written.
fn digests(parts: &[&[u8]]) -> Vec<String> {
    let digest = sha256(parts);
    [9, 12, 16, 32].map(|bytes| base64url(&digest[..bytes])).into()
}

#[tokio::test]
async fn the_table_has_no_digest_of_an_address_or_a_sign_up() {
    let app = TestApp::with(|options| set(options, "RateLimits", "on")).await;
    app.begin_hour();
    let body = json!({"username": "gull", "email": "gull@example.com", "password": PASSWORD}).to_string();
    let sign_up =
        || app.anon().post("/users", None).body("application/json", body.clone()).header("idempotency-key", "k");
    sign_up().await.expect(201);
    assert_eq!(sign_up().await.expect(201).header("idempotency-replayed"), "true");
    app.anon().post("/login", json!({"username": "gull", "password": "petrel above the foam"})).await.expect(401);
    let gull = app.sign_in("gull", PASSWORD).await;
    let post = json!({"content": "Low tide."}).to_string();
    gull.post("/posts", None).body("application/json", post.clone()).header("idempotency-key", "p").await.expect(201);
    app.settle().await;

    let table = app.table().await;
    let text = json!(table.iter().map(|((pk, sk), item)| json!([pk, sk, item])).collect::<Vec<_>>()).to_string();
    assert!(
        text.contains("\"IA#") && text.contains("\"known\"") && text.contains("\"a_"),
        "all kinds of rows are there"
    );
    let mut guessed = digests(&[b"address", b"127.0.0.1"]);
    guessed.extend(digests(&[b"127.0.0.1"]));
    for body in [&body, &post] {
        guessed.extend(digests(&[body.as_bytes()]));
    }
    for key in ["k", "p"] {
        for path in ["/users", "/posts"] {
            guessed.extend(digests(&[b"POST", path.as_bytes(), key.as_bytes()]));
        }
    }
    for guess in guessed {
        assert!(!text.contains(&guess), "{guess} is in the table");
    }
    assert!(!text.contains("127.0.0.1"), "an address is in the table");
}

/// Not even a keyed hash of the password: of two that differ in it alone, the answer is one.
#[tokio::test]
async fn what_is_kept_of_a_sign_up_does_not_depend_on_its_password() {
    let app = TestApp::start().await;
    let sign_up = |password: &str| {
        let body = json!({"username": "gull", "email": "gull@example.com", "password": password});
        app.anon().post("/users", body).header("idempotency-key", "k")
    };
    let first = sign_up(PASSWORD).await.expect(201);
    let again = sign_up("petrel above the foam").await.expect(201);
    assert_eq!((first.json(), again.header("idempotency-replayed")), (again.json(), "true"));
    app.sign_in("gull", PASSWORD).await;
    app.anon().post("/login", json!({"username": "gull", "password": "petrel above the foam"})).await.expect(401);
    let other = json!({"username": "gull2", "email": "gull@example.com", "password": PASSWORD});
    app.anon().post("/users", other).header("idempotency-key", "k").await.expect(409).problem("taken");
}

/// A repeat is known after the signing keys were replaced, as long as the one from before is kept.
#[tokio::test]
async fn an_answer_kept_under_the_key_before_is_found() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let post = || gull.post("/posts", json!({"content": "Low tide."})).header("idempotency-key", "k");
    let first = post().await.expect(201).json();
    let old = app.signing_keys().await["current"].clone();
    app.put_signing_keys(&json!({"current": "b".repeat(64), "previous": old})).await;
    app.advance(shared::limits::KEYS_KEPT);
    // Another's token has the function read the keys anew.
    app.user("tern").await;
    assert_eq!(post().await.expect(201).json()["id"], first["id"]);
    let other = gull.post("/posts", json!({"content": "High tide."})).header("idempotency-key", "k");
    other.await.expect(422).problem("idempotency-key-reused");
}

#[tokio::test]
async fn a_network_is_known_after_the_keys_were_replaced() {
    let app = TestApp::start().await;
    app.begin_hour();
    app.user("gull").await;
    let old = app.signing_keys().await["current"].clone();
    app.put_signing_keys(&json!({"current": "b".repeat(64), "previous": old})).await;
    app.advance(shared::limits::KEYS_KEPT);
    for address in 10..20 {
        let stranger = app.anon_at(&format!("127.0.0.{address}"));
        for _ in 0..10 {
            stranger.post("/login", json!({"username": "gull", "password": "no"})).await.expect(401);
        }
    }
    app.anon_at("127.0.0.20").post("/login", json!({"username": "gull", "password": "no"})).await.expect(429);
    app.sign_in("gull", PASSWORD).await;
}
