//! Signing in and out, and what lies between.

use crate::support::{PASSWORD, Response, TestApp, User, set};
use futures::future::join_all;
use serde_json::{Value, json};
use shared::models::session::{RefreshToken, Session};
use shared::secrets::ACCESS_TOKEN_LIFETIME;
use shared::table::Op;
use shared::table::design::key;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Asks for a new pair of tokens.
async fn refresh(app: &TestApp, token: &str) -> Response {
    app.anon().post("/users/refresh", json!({"refresh_token": token})).await
}

/// The refresh token of a new pair, which must be given.
async fn rotated(app: &TestApp, token: &str) -> String {
    refresh(app, token).await.expect(200).json()["refresh_token"].as_str().unwrap().to_owned()
}

async fn assert_ended(app: &TestApp, user: &User, tokens: &[&str]) {
    let refused = user.get("/users").await.expect(401);
    refused.problem("unauthorized");
    assert!(refused.header("www-authenticate").starts_with("Bearer "), "{}", refused.header("www-authenticate"));
    for token in tokens {
        refresh(app, token).await.expect(401).problem("unauthorized");
    }
}

#[tokio::test]
async fn a_name_in_any_form_or_an_address_signs_in() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    for who in [
        json!({"username": "gull"}),
        json!({"username": "GuLL"}),
        json!({"username": "@GULL"}),
        json!({"username": "Gull@Example.com"}),
        json!({"email": "gull@example.com"}),
        json!({"email": "GULL@EXAMPLE.COM", "username": null}),
    ] {
        let mut body = who.clone();
        body["password"] = json!(PASSWORD);
        for path in ["/login", "/users/login"] {
            let answer = app.anon().post(path, body.clone()).await.expect(200).json();
            assert_eq!(answer["user"]["id"], gull.id.as_str(), "{who}");
            assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(900)));
        }
    }
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_password_are_told_alike() {
    let app = TestApp::start().await;
    app.user("gull").await;
    let mut answers = Vec::new();
    for (name, password) in [
        ("gull", "wrong password"),
        ("gull", ""),
        ("nobody", PASSWORD),
        ("no name at all", PASSWORD),
        ("nobody@example.com", PASSWORD),
    ] {
        let answer = app.anon().post("/login", json!({"username": name, "password": password})).await.expect(401);
        let mut problem = answer.problem("invalid-credentials");
        problem["request_id"] = Value::Null;
        answers.push((problem, answer.header("www-authenticate").to_owned()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    for (body, field) in [(json!({"password": PASSWORD}), "username"), (json!({"username": "gull"}), "password")] {
        let answer = app.anon().post("/login", body).await.expect(422);
        assert_eq!(answer.fields(), [(field.to_owned(), "required".to_owned())]);
    }
    let long = json!({"username": "gull", "password": "x".repeat(10_000)});
    app.anon().post("/login", long).await.expect(422).problem("invalid");
}

#[tokio::test]
async fn a_refresh_token_is_replaced_at_each_use() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let answer = refresh(&app, &gull.refresh_token).await.expect(200).json();
    let token = |field: &str| answer[field].as_str().unwrap().to_owned();
    assert_ne!(token("refresh_token"), gull.refresh_token);
    app.anon().with_token(&token("access_token")).get("/users").await.expect(200);
    let next = rotated(&app, &token("refresh_token")).await;
    rotated(&app, &next).await;
    gull.get("/users").await.expect(200);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let lost = rotated(&app, &gull.refresh_token).await;
    app.advance(Duration::from_secs(25));
    assert_eq!(rotated(&app, &gull.refresh_token).await, lost);
    let next = rotated(&app, &lost).await;

    // Each replacement has a grace of its own.
    assert_eq!(rotated(&app, &lost).await, next);
    assert_eq!(rotated(&app, &lost).await, next);
    gull.get("/users").await.expect(200);
    rotated(&app, &next).await;
}

#[tokio::test]
async fn tabs_that_wake_at_once_get_one_successor_until_it_is_used() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let successor = rotated(&app, &gull.refresh_token).await;
    let tabs = join_all((0..8).map(|_| rotated(&app, &gull.refresh_token))).await;
    assert!(tabs.iter().all(|one| *one == successor), "{tabs:?}");
    app.advance(Duration::from_secs(29));
    assert_eq!(rotated(&app, &gull.refresh_token).await, successor);
    gull.get("/users").await.expect(200);
    let next = rotated(&app, &successor).await;
    refresh(&app, &gull.refresh_token).await.expect(401).problem("unauthorized");
    assert_ended(&app, &gull, &[&successor, &next]).await;
}

#[tokio::test]
async fn tabs_get_one_successor_while_the_signing_keys_are_replaced() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let old = app.signing_keys().await["current"].clone();
    app.put_signing_keys(&json!({"current": old, "next": "b".repeat(64)})).await;
    app.advance(shared::limits::KEYS_KEPT);
    let successor = rotated(&app, &gull.refresh_token).await;
    app.put_signing_keys(&json!({"current": "b".repeat(64), "previous": old})).await;
    // A token of the new key has the keys read at once.
    let users = crate::support::bulk::app_with_keys(&app, "users").await;
    let (user, session) = (gull.id.parse().unwrap(), shared::ids::SessionId::new(users.now()));
    let unknown = users
        .keys()
        .unwrap()
        .access_token(&users.config().issuer, (user, session), users.now(), users.now() + ACCESS_TOKEN_LIFETIME)
        .unwrap();
    app.advance(shared::limits::KEYS_RENEWED);
    app.anon().with_token(&unknown).get("/users").await.expect(401);
    assert_eq!(rotated(&app, &gull.refresh_token).await, successor);
}

#[tokio::test]
async fn two_refreshes_at_once_get_one_successor() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let answers = join_all([refresh(&app, &gull.refresh_token), refresh(&app, &gull.refresh_token)]).await;
    let tokens: Vec<Value> = answers.into_iter().map(|one| one.expect(200).json()["refresh_token"].clone()).collect();
    assert_eq!(tokens[0], tokens[1]);
    rotated(&app, tokens[0].as_str().unwrap()).await;
}

#[tokio::test]
async fn a_replay_after_the_successor_was_used_ends_the_session() {
    let app = TestApp::start().await;
    let (thief, other) = (app.user("gull").await, app.sign_in("gull", PASSWORD).await);
    let second = rotated(&app, &thief.refresh_token).await;
    let third = rotated(&app, &second).await;
    refresh(&app, &thief.refresh_token).await.expect(401).problem("unauthorized");
    assert_ended(&app, &thief, &[&second, &third]).await;
    other.get("/users").await.expect(200);
}

#[tokio::test]
async fn a_replay_after_the_grace_ends_the_session() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let second = rotated(&app, &gull.refresh_token).await;
    app.advance(Duration::from_secs(31));
    refresh(&app, &gull.refresh_token).await.expect(401).problem("unauthorized");
    assert_ended(&app, &gull, &[&second]).await;
}

#[tokio::test]
async fn tokens_end_with_their_time() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    app.advance(Duration::from_secs(15 * 60 + 1));
    gull.get("/users").await.expect(401).problem("unauthorized");
    let next = rotated(&app, &gull.refresh_token).await;
    app.advance(Duration::from_secs(29 * 24 * 3600));
    let last = rotated(&app, &next).await;
    app.advance(Duration::from_secs(30 * 24 * 3600 + 1));
    refresh(&app, &last).await.expect(401).problem("unauthorized");
}

#[tokio::test]
async fn signing_out_shows_in_the_very_next_request() {
    let app = TestApp::start().await;
    app.pause_workers().await;
    let (phone, desk) = (app.user("gull").await, app.sign_in("gull", PASSWORD).await);
    phone.post("/users/logout", None).await.expect(204);
    assert_ended(&app, &phone, &[&phone.refresh_token]).await;
    phone.post("/users/logout", None).await.expect(401).problem("unauthorized");

    let with = |token: &str| app.anon().post("/users/logout", json!({"refresh_token": token}));
    desk.get("/users").await.expect(200);
    with(&desk.refresh_token).await.expect(204);
    assert_ended(&app, &desk, &[&desk.refresh_token]).await;
    with(&desk.refresh_token).await.expect(401).problem("unauthorized");
    with("nonsense").await.expect(401).problem("unauthorized");
    app.anon().post("/users/logout", None).await.expect(401).problem("unauthorized");
    app.anon().post("/users/logout", json!({})).await.expect(401).problem("unauthorized");
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let app = TestApp::start().await;
    let (phone, desk) = (app.user("gull").await, app.sign_in("gull", PASSWORD).await);
    let (tv, tern) = (app.sign_in("gull", PASSWORD).await, app.user("tern").await);
    let list = phone.get("/users/sessions").await.expect(200).json();
    let items = list["items"].as_array().unwrap();
    let current: Vec<_> = items.iter().map(|session| session["current"].as_bool().unwrap()).collect();
    assert_eq!(current, [false, false, true], "newest first");
    assert!(items.iter().all(|session| session["user_agent"] == "tests"), "{list}");

    let of_desk = format!("/users/sessions/{}", items[1]["id"].as_str().unwrap());
    let (right, wrong) = (json!({"password": PASSWORD}), json!({"password": "petrel above the foam"}));
    tern.delete(&of_desk).json(&right).await.expect(404).problem("not-found");
    desk.get("/users").await.expect(200);
    phone.delete(&of_desk).json(&right).await.expect(204);
    assert_ended(&app, &desk, &[&desk.refresh_token]).await;
    phone.delete(&of_desk).json(&right).await.expect(404).problem("not-found");
    phone.delete("/users/sessions/nonsense").await.expect(404).problem("not-found");
    assert_eq!(phone.get("/users/sessions").await.expect(200).json()["items"].as_array().unwrap().len(), 2);

    tv.delete("/users/sessions").json(&wrong).await.expect(403).problem("wrong-password");
    phone.get("/users").await.expect(200);
    tv.delete("/users/sessions").json(&right).await.expect(204);
    for user in [&phone, &tv] {
        assert_ended(&app, user, &[&user.refresh_token]).await;
    }
    tern.get("/users").await.expect(200);
}

/// A holder of a token alone ends that session, and no other.
#[tokio::test]
async fn to_end_another_session_takes_the_password() {
    let app = TestApp::start().await;
    app.begin_hour();
    let (phone, desk) = (app.user("gull").await, app.sign_in("gull", PASSWORD).await);
    let sessions = phone.get("/users/sessions").await.expect(200).items();
    let path = |current: bool| {
        let found = sessions.iter().find(|session| session["current"] == current).unwrap();
        format!("/users/sessions/{}", found["id"].as_str().unwrap())
    };
    let wrong = json!({"password": "petrel above the foam"});
    let missing = phone.delete(&path(false)).await.expect(422);
    assert_eq!(missing.fields(), [("password".to_owned(), "required".to_owned())]);
    phone.delete("/users/sessions").json(&json!({})).await.expect(422);
    for n in 0..10 {
        let path = if n % 2 == 0 { path(false) } else { "/users/sessions".to_owned() };
        phone.delete(&path).json(&wrong).await.expect(403).problem("wrong-password");
    }
    // The throttle is that of signing in.
    phone.delete(&path(false)).json(&json!({"password": PASSWORD})).await.expect(429).problem("rate-limited");
    app.anon().post("/login", json!({"username": "gull", "password": PASSWORD})).await.expect(429);
    desk.get("/users").await.expect(200);
    phone.delete(&path(true)).await.expect(204);
    assert_ended(&app, &phone, &[&phone.refresh_token]).await;
    desk.post("/users/logout", None).await.expect(204);
}

#[tokio::test]
async fn a_session_ends_with_its_longest_life_however_often_it_is_used() {
    let app = TestApp::with(|options| set(options, "SessionDays", "2")).await;
    let gull = app.user("gull").await;
    let expires = |list: &Value| list["items"][0]["expires_at"].as_str().unwrap().to_owned();
    let list = gull.get("/users/sessions").await.expect(200).json();
    let created = list["items"][0]["created_at"].as_str().unwrap().to_owned();
    let end = shared::clock::Timestamp::from_rfc3339(&created).unwrap() + 2 * DAY;
    assert_eq!(expires(&list)[..19], end.rfc3339()[..19]);
    app.advance(DAY);
    let pair = refresh(&app, &gull.refresh_token).await.expect(200).json();
    assert_eq!(pair["expires_in"], 900);
    app.advance(DAY - Duration::from_secs(10 * 60));
    let pair = refresh(&app, pair["refresh_token"].as_str().unwrap()).await.expect(200).json();
    let last = pair["expires_in"].as_u64().unwrap();
    assert!((500..=600).contains(&last), "{last}");
    let with_last = app.anon().with_token(pair["access_token"].as_str().unwrap());
    assert_eq!(expires(&with_last.get("/users/sessions").await.expect(200).json())[..19], end.rfc3339()[..19]);
    app.advance(Duration::from_secs(10 * 60));
    with_last.get("/users").await.expect(401).problem("unauthorized");
    refresh(&app, pair["refresh_token"].as_str().unwrap()).await.expect(401).problem("unauthorized");
    let again = app.sign_in("gull", PASSWORD).await;
    assert_eq!(again.get("/users/sessions").await.expect(200).items().len(), 1);
}

/// Its row says nothing of a longest life; the time of the sign-in is in its id.
#[tokio::test]
async fn a_session_of_an_earlier_version_has_a_longest_life_too() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let users = crate::support::bulk::app_with_keys(&app, "users").await;
    let (user, now) = (gull.id.parse().unwrap(), users.now());
    let long_ago = shared::clock::Timestamp::from_millis(now.millis() - 91 * 24 * 3_600_000);
    let session = shared::ids::SessionId::new(long_ago);
    let token = RefreshToken { user, session, generation: 0 }.text(&users.keys().unwrap());
    let (hash, agent) = (shared::models::session::hashed(&token), String::new());
    let ttl = (now + 29 * DAY).seconds();
    let row = Session { user, id: session, hash, generation: 0, rotated: now, agent, ttl };
    users.table().write(Op::put(key::session(user, session), &row).unwrap()).await.unwrap();
    let access = users
        .keys()
        .unwrap()
        .access_token(&users.config().issuer, (user, session), now, now + ACCESS_TOKEN_LIFETIME)
        .unwrap();
    app.anon().with_token(&access).get("/users").await.expect(401).problem("unauthorized");
    assert_eq!(gull.get("/users/sessions").await.expect(200).items().len(), 1);
    refresh(&app, &token).await.expect(401).problem("unauthorized");
}

#[tokio::test]
async fn the_eleventh_session_ends_the_oldest() {
    let app = TestApp::start().await;
    let mut sessions = vec![app.user("gull").await];
    for _ in 1..11 {
        sessions.push(app.sign_in("gull", PASSWORD).await);
    }
    assert_ended(&app, &sessions[0], &[&sessions[0].refresh_token]).await;
    for session in &sessions[1..] {
        session.get("/users").await.expect(200);
    }
    let list = sessions[10].get("/users/sessions").await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 10);
}
