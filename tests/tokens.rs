//! Forged access tokens, and secrets in places where they don't belong.

use crate::support::bulk::app_with_keys;
use crate::support::{PASSWORD, TestApp, token_in};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use shared::secrets::{Purpose, base64url, from_base64url};
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// A part of a token, and a token's part.
fn decode(part: &str) -> Value {
    serde_json::from_slice(&from_base64url(part).unwrap()).unwrap()
}

/// A token signed as the service signs its own.
fn signed(key: &[u8], header: &Value, claims: &Value) -> String {
    let text = format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(claims.to_string().as_bytes()));
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(&text).finalize().into_bytes();
    format!("{text}.{}", base64url(&mac))
}

/// The value with one field changed.
fn with(value: &Value, field: &str, to: Value) -> Value {
    let mut changed = value.clone();
    changed[field] = to;
    changed
}

#[tokio::test]
async fn forged_access_tokens_are_refused() {
    let app = TestApp::start().await;
    let (gull, tern) = (app.user("gull").await, app.user("tern").await);
    let key = app_with_keys(&app, "users").await.keys().unwrap().mac(Purpose::AccessToken, &[]);
    let parts: Vec<&str> = gull.token().split('.').collect();
    let (header, claims) = (decode(parts[0]), decode(parts[1]));
    let try_token = async |token: &str| app.anon().with_token(token).get("/users").await;
    // That this is how the service signs is what makes the refusals below mean anything.
    try_token(&signed(&key, &header, &claims)).await.expect(200);

    let now = claims["iat"].as_u64().unwrap();
    let none = with(&header, "alg", json!("none"));
    let unsigned = signed(&key, &none, &claims);
    let forged = [
        ("no algorithm", unsigned.clone()),
        ("no algorithm, no signature", unsigned[..=unsigned.rfind('.').unwrap()].to_owned()),
        ("another algorithm", signed(&key, &with(&header, "alg", json!("HS512")), &claims)),
        ("another key", signed(&[7; 32], &header, &claims)),
        ("an unknown key", signed(&key, &with(&header, "kid", json!("00000000")), &claims)),
        ("another type", signed(&key, &with(&header, "typ", json!("JWT")), &claims)),
        ("another issuer", signed(&key, &header, &with(&claims, "iss", json!("other")))),
        ("another audience", signed(&key, &header, &with(&claims, "aud", json!("other")))),
        ("expired", signed(&key, &header, &with(&claims, "exp", json!(now - 1)))),
        ("without an end", signed(&key, &header, &with(&claims, "exp", Value::Null))),
        ("another's session", signed(&key, &header, &with(&claims, "sub", json!(tern.id)))),
        ("another's name on it", format!("{}.{}.{}", parts[0], tern.token().split('.').nth(1).unwrap(), parts[2])),
        ("cut", gull.token()[..gull.token().len() - 1].to_owned()),
        ("nothing", String::new()),
    ];
    for (what, token) in forged {
        let answer = try_token(&token).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
        answer.problem("unauthorized");
        assert!(answer.header("www-authenticate").starts_with("Bearer "), "{what}");
    }
    for scheme in ["Basic", "", "Bearer\t"] {
        let header = format!("{scheme} {}", gull.token());
        app.anon().get("/users").header("authorization", &header).await.expect(401).problem("unauthorized");
    }
    app.anon().get("/users").header("authorization", &format!("bearer {}", gull.token())).await.expect(200);
}

/// What is written to the log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_in_the_log_or_in_an_answer() {
    let lines = Lines::default();
    let writer = lines.clone();
    // The most that the template's LogLevel asks for. The local host itself shows mails, for that is what it is for.
    let levels: Targets = "debug,local=off,mail=off".parse().unwrap();
    let json = tracing_subscriber::fmt::layer().json().with_writer(move || writer.clone());
    let log = tracing_subscriber::registry().with(levels).with(json);
    // With one subscriber alone, whichever thread comes to a line first decides for all whether anybody listens to it.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _log = tracing::subscriber::set_default(log);

    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let verify = token_in(&app.mail_to(&gull.email, "verify").await);
    app.anon().post("/users/password/forgot", json!({"email": gull.email})).await.expect(202);
    let reset = token_in(&app.mail_to(&gull.email, "new password").await);
    let (wrong, new) = ("petrel above the foam", "auk under the cliff");
    let mut answers = Vec::new();
    for body in [json!({"username": "gull", "password": wrong}), json!({"username": "nobody", "password": wrong})] {
        answers.push(app.anon().post("/login", body).await.expect(401));
    }
    let body = format!("{{\"username\": \"gull\", \"password\": \"{PASSWORD}\"");
    answers.push(app.anon().post("/login", None).body("application/json", body).await.expect(400));
    answers.push(app.anon().post("/users/verify", json!({ "token": verify })).await.expect(200));
    answers.push(app.anon().post("/users/verify", json!({ "token": verify })).await.expect(400));
    let refused = json!({"current_password": wrong, "new_password": new});
    answers.push(gull.put("/users/password", refused).await.expect(403));
    app.anon().post("/users/refresh", json!({"refresh_token": gull.refresh_token})).await.expect(200);
    answers.push(app.anon().post("/users/password/reset", json!({"token": reset, "password": new})).await.expect(204));
    answers.push(app.anon().post("/users/refresh", json!({"refresh_token": gull.refresh_token})).await.expect(401));
    app.settle().await;

    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("/users/password/reset"), "requests are logged: {log}");
    let keys = app.signing_keys().await;
    let mut secrets = vec![PASSWORD, wrong, new, "$argon2id$", gull.token(), &gull.refresh_token, &verify, &reset];
    secrets.extend(keys.values().filter_map(Value::as_str));
    for secret in secrets {
        let place = log.find(secret).map(|at| log[..at].lines().next_back().unwrap_or_default());
        assert_eq!(place, None, "{secret} is in the log");
        assert!(answers.iter().all(|answer| !answer.text().contains(secret)), "{secret} is in an answer");
    }
}
