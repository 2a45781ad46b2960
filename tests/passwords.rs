//! Forgotten and changed passwords.

use crate::support::{PASSWORD, Response, TestApp, token_in, until};
use futures::future::{join, join_all};
use serde_json::{Value, json};
use std::time::Duration;

const NEW: &str = "auk under the cliff";

async fn forgot(app: &TestApp, email: &str) -> Response {
    app.anon().post("/users/password/forgot", json!({ "email": email })).await
}

async fn reset(app: &TestApp, token: &str, password: &str) -> Response {
    app.anon().post("/users/password/reset", json!({"token": token, "password": password})).await
}

async fn reset_token(app: &TestApp, email: &str) -> String {
    forgot(app, email).await.expect(202);
    token_in(&app.mail_to(email, "new password").await)
}

async fn login(app: &TestApp, password: &str) -> Response {
    app.anon().post("/login", json!({"username": "gull", "password": password})).await
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_once_and_ends_all_sessions() {
    let app = TestApp::start().await;
    let (phone, desk) = (app.user("gull").await, app.sign_in("gull", PASSWORD).await);
    let token = reset_token(&app, &phone.email).await;
    let page = app.anon().get(&format!("/users/password/reset?token={token}")).await.expect(200);
    assert!(page.text().contains(&token));
    // A password that is refused does not use the token up.
    for (password, code) in
        [("short", "too_short"), ("my gull flies", "contains_username"), ("password", "common_password")]
    {
        let answer = reset(&app, &token, password).await.expect(422);
        assert_eq!(answer.fields(), [("password".to_owned(), code.to_owned())]);
    }
    reset(&app, &token, NEW).await.expect(204);
    for session in [&phone, &desk] {
        session.get("/users").await.expect(401).problem("unauthorized");
        let body = json!({"refresh_token": session.refresh_token});
        app.anon().post("/users/refresh", body).await.expect(401).problem("unauthorized");
    }
    login(&app, PASSWORD).await.expect(401).problem("invalid-credentials");
    let me = login(&app, NEW).await.expect(200).json();
    assert_eq!(me["user"]["email_verified"], true, "the mail has proved the address");
    reset(&app, &token, PASSWORD).await.expect(400).problem("invalid-token");
}

#[tokio::test]
async fn of_two_uses_at_once_one_counts() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let token = reset_token(&app, &gull.email).await;
    let answers = join_all([reset(&app, &token, NEW), reset(&app, &token, "puffin in the burrow")]).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 400]);
}

#[tokio::test]
async fn a_reset_token_is_good_for_an_hour() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let token = reset_token(&app, &gull.email).await;
    app.advance(Duration::from_secs(3601));
    reset(&app, &token, NEW).await.expect(400).problem("invalid-token");
    login(&app, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn who_is_registered_is_told_to_nobody() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let told = async |email: &str| {
        let answer = forgot(&app, email).await.expect(202);
        (answer.json(), answer.headers.keys().map(|name| name.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(told(&gull.email).await, told("nobody@example.com").await);
    app.settle().await;
    assert!(app.mails_to("nobody@example.com").await.is_empty());
    assert_eq!(app.mails_to(&gull.email).await.len(), 2, "one to verify the address, one for the password");
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions() {
    let app = TestApp::start().await;
    let (phone, desk) = (app.user("gull").await, app.sign_in("gull", PASSWORD).await);
    let change = |current: &str, new: &str| {
        phone.put("/users/password", json!({"current_password": current, "new_password": new}))
    };
    change("not the password", NEW).await.expect(403).problem("wrong-password");
    for (new, code) in
        [("short", "too_short"), ("iloveyou", "common_password"), ("GULL of the north", "contains_username")]
    {
        assert_eq!(change(PASSWORD, new).await.expect(422).fields(), [("new_password".to_owned(), code.to_owned())]);
    }
    desk.get("/users").await.expect(200);
    change(PASSWORD, NEW).await.expect(204);
    phone.get("/users").await.expect(200);
    desk.get("/users").await.expect(401).problem("unauthorized");
    login(&app, PASSWORD).await.expect(401);
    login(&app, NEW).await.expect(200);
}

#[tokio::test]
async fn a_reset_forgives_failures() {
    let app = TestApp::start().await;
    app.begin_hour();
    let gull = app.user("gull").await;
    for _ in 0..10 {
        login(&app, "wrong password").await.expect(401);
    }
    login(&app, PASSWORD).await.expect(429).problem("rate-limited");
    let token = reset_token(&app, &gull.email).await;
    reset(&app, &token, NEW).await.expect(204);
    let answer: Value = login(&app, NEW).await.expect(200).json();
    assert_eq!(answer["user"]["id"], gull.id.as_str());
}

/// A sign-in with the old password at the moment when it is replaced leaves no session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_of_the_old_password_outlives_its_change() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let mut old = PASSWORD.to_owned();
    for round in 0..8 {
        let new = format!("auk under cliff {round}");
        let sign_in = || app.anon().post("/login", json!({"username": "gull", "password": old})).into_future();
        let me = app.sign_in("gull", &old).await;
        let is_change = round % 2 == 0;
        let replace = if is_change {
            me.put("/users/password", json!({"current_password": old, "new_password": new}))
        } else {
            let mails = app.mails_to(&gull.email).await.len();
            forgot(&app, &gull.email).await.expect(202);
            until(|| async { (app.mails_to(&gull.email).await.len() > mails).then_some(()) }).await;
            let token = token_in(&app.mails_to(&gull.email).await[0]);
            app.anon().post("/users/password/reset", json!({"token": token, "password": new}))
        };
        let (replaced, answers) = join(replace.into_future(), join_all((0..6).map(|_| sign_in()))).await;
        replaced.expect(204);
        for answer in answers {
            match answer.status {
                200 => {
                    let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
                    app.anon().with_token(&token).get("/users").await.expect(401);
                }
                // It was too late, or at that very moment.
                status => assert!(matches!(status, 401 | 503), "{}", answer.text()),
            }
        }
        assert_eq!(me.get("/users").await.status, if is_change { 200 } else { 401 });
        old = new;
    }
}

#[tokio::test]
async fn what_everybody_knows_of_the_account_and_what_many_have_is_no_password() {
    let app = TestApp::start().await;
    let weak = [
        ("shore.bird at noon", "contains_email"),
        ("SHORE.BIRD@example.com", "contains_email"),
        ("Lara Gull 1987", "contains_full_name"),
        ("the_laragull", "contains_full_name"),
        // The 99,999th commonest.
        ("Smokey42", "common_password"),
    ];
    let account = json!({"username": "gull7", "email": "shore.bird@example.com", "full_name": "Lara Gull"});
    let refused = |answer: Response, field: &str, code: &str| {
        assert_eq!(answer.expect(422).fields(), [(field.to_owned(), code.to_owned())]);
    };
    for (password, code) in weak {
        let mut sign_up = account.clone();
        sign_up["password"] = json!(password);
        refused(app.anon().post("/users", sign_up).await, "password", code);
    }
    let mut sign_up = account.clone();
    sign_up["password"] = json!(PASSWORD);
    app.anon().post("/users", sign_up).await.expect(201);
    let gull = app.sign_in("gull7", PASSWORD).await;
    let token = reset_token(&app, "shore.bird@example.com").await;
    for (password, code) in weak {
        let change = json!({"current_password": PASSWORD, "new_password": password});
        refused(gull.put("/users/password", change).await, "new_password", code);
        refused(reset(&app, &token, password).await, "password", code);
    }
    reset(&app, &token, NEW).await.expect(204);
}
