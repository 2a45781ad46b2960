//! A new e-mail address waits until it is verified, and a link to the old one undoes the change.

use crate::support::{Client, PASSWORD, Response, TestApp, User, set, token_in, until};
use serde_json::{Value, json};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);
const NEW: &str = "skua@example.com";

async fn change(user: &Client, email: &str) -> Response {
    user.patch("/users", json!({"email": email, "current_password": PASSWORD})).await
}

async fn verify(app: &TestApp, email: &str) -> Response {
    let token = token_in(&app.mail_to(email, "verify").await);
    app.anon().post("/users/verify", json!({ "token": token })).await
}

/// Changes the address, and verifies the new one.
async fn change_and_verify(app: &TestApp, user: &Client, email: &str) {
    let known = app.mails_to(email).await.len();
    change(user, email).await.expect(200);
    until(|| async { (app.mails_to(email).await.len() > known).then_some(()) }).await;
    verify(app, email).await.expect(200);
}

/// The token in the newest notice to an address.
async fn undo_token(app: &TestApp, email: &str) -> String {
    token_in(&app.mail_to(email, "to be another").await)
}

async fn undo(app: &TestApp, token: &str) -> Response {
    app.anon().post("/users/verify/undo", json!({ "token": token })).await
}

async fn login(app: &TestApp, email: &str) -> u16 {
    app.anon().post("/login", json!({"email": email, "password": PASSWORD})).await.status
}

async fn verified(app: &TestApp, name: &str) -> User {
    let user = app.user(name).await;
    app.verify(&user).await;
    user
}

/// Address, whether it is verified, and the one that waits.
async fn addresses(user: &Client) -> Value {
    let me = user.get("/users").await.expect(200).json();
    json!([me["email"], me["email_verified"], me["pending_email"]])
}

#[tokio::test]
async fn until_it_is_verified_all_goes_to_the_old_address() {
    let app = TestApp::start().await;
    let gull = verified(&app, "gull").await;
    let answer = change(&gull, NEW).await.expect(200).json();
    assert_eq!((&answer["email"], &answer["pending_email"]), (&json!(gull.email), &json!(NEW)));
    assert_eq!((login(&app, &gull.email).await, login(&app, NEW).await), (200, 401));
    for email in [&*gull.email, NEW] {
        app.anon().post("/users/password/forgot", json!({ "email": email })).await.expect(202);
    }
    app.mail_to(&gull.email, "new password").await;
    app.settle().await;
    let subjects: Vec<_> = app.mails_to(NEW).await.into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects, ["Verify your e-mail address"]);
    let notice = app.mail_to(&gull.email, "to be another").await;
    let page = app.anon().get(&format!("/users/verify/undo?token={}", token_in(&notice))).await.expect(200);
    assert!(page.text().contains(&token_in(&notice)), "the link leads to a page whose button posts it");
    assert_eq!(addresses(&gull).await, json!([gull.email, true, NEW]), "a scanner that follows it changes nothing");

    verify(&app, NEW).await.expect(200);
    assert_eq!(addresses(&gull).await, json!([NEW, true, null]));
    assert_eq!((login(&app, &gull.email).await, login(&app, NEW).await), (401, 200));
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn an_address_needs_the_password_and_the_throttle_counts_it() {
    let app = TestApp::start().await;
    app.begin_hour();
    let gull = app.user("gull").await;
    let absent = gull.patch("/users", json!({"email": NEW})).await.expect(422);
    assert_eq!(absent.fields(), [("current_password".to_owned(), "required".to_owned())]);
    let wrong =
        || gull.patch("/users", json!({"email": NEW, "current_password": "petrel above the foam", "bio": "Gone."}));
    for _ in 0..10 {
        wrong().await.expect(403).problem("wrong-password");
    }
    wrong().await.expect(429).problem("rate-limited");
    change(&gull, NEW).await.expect(429);
    assert_eq!(login(&app, &gull.email).await, 429, "it is the throttle of signing in");
    let me = gull.get("/users").await.expect(200).json();
    assert_eq!((&me["bio"], &me["pending_email"]), (&Value::Null, &Value::Null));
    app.settle().await;
    assert!(app.mails_to(NEW).await.is_empty());
    gull.patch("/users", json!({"bio": "Over water."})).await.expect(200);
}

#[tokio::test]
async fn whether_somebody_has_the_address_shows_in_no_answer() {
    let app = TestApp::start().await;
    let (gull, tern, _skua) = (verified(&app, "gull").await, verified(&app, "tern").await, app.user("skua").await);
    let (taken, free) = (change(&gull, "SKUA@example.com").await, change(&tern, "FREE@example.com").await);
    let shape = |answer: &Response| {
        let fields: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
        (answer.status, fields, answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(shape(&taken), shape(&free));
    assert_eq!((taken.status, &taken.json()["pending_email"]), (200, &json!("SKUA@example.com")));
    let mail = app.mail_to("SKUA@example.com", "account already").await;
    assert!(!mail.text.contains("token="), "{}", mail.text);
    app.mail_to("FREE@example.com", "verify").await;
    assert_eq!(addresses(&gull).await, json!([gull.email, true, "SKUA@example.com"]));
}

#[tokio::test]
async fn of_two_who_wait_for_an_address_the_first_to_verify_has_it() {
    let app = TestApp::start().await;
    let (gull, tern) = (app.user("gull").await, app.user("tern").await);
    change(&gull, NEW).await.expect(200);
    let of_gull = token_in(&app.mail_to(NEW, "verify").await);
    change(&tern, NEW).await.expect(200);
    until(|| async { (app.mails_to(NEW).await.len() == 2).then_some(()) }).await;
    verify(&app, NEW).await.expect(200);
    app.anon().post("/users/verify", json!({ "token": of_gull })).await.expect(400).problem("invalid-token");
    assert_eq!(addresses(&tern).await, json!([NEW, true, null]));
    assert_eq!(addresses(&gull).await, json!([gull.email, false, NEW]));
    app.audit().await;
}

#[tokio::test]
async fn a_change_is_undone_before_and_after_it_was_verified() {
    let app = TestApp::start().await;
    for is_verified in [false, true] {
        let name = if is_verified { "gull" } else { "tern" };
        let me = verified(&app, name).await;
        let other = app.sign_in(name, PASSWORD).await;
        let new = format!("{name}.new@example.com");
        change(&me, &new).await.expect(200);
        if is_verified {
            verify(&app, &new).await.expect(200);
        }
        let reset = async || {
            let body = json!({"email": if is_verified { &new } else { &me.email }});
            app.anon().post("/users/password/forgot", body).await.expect(202);
            token_in(&app.mail_to(if is_verified { &new } else { &me.email }, "new password").await)
        };
        let reset = reset().await;
        let token = undo_token(&app, &me.email).await;
        undo(&app, &token).await.expect(204);
        for session in [&me, &other] {
            session.get("/users").await.expect(401);
            app.anon().post("/users/refresh", json!({"refresh_token": session.refresh_token})).await.expect(401);
        }
        assert_eq!((login(&app, &me.email).await, login(&app, &new).await), (200, 401), "{name}");
        assert_eq!(addresses(&*app.sign_in(name, PASSWORD).await).await, json!([me.email, true, null]));
        undo(&app, &token).await.expect(400).problem("invalid-token");
        verify(&app, &new).await.expect(400);
        // Nor does a link that the other address may have got.
        let body = json!({"token": reset, "password": "auk under the cliff"});
        app.anon().post("/users/password/reset", body).await.expect(400);
        let body = json!({"username": format!("{name}2"), "email": new, "password": PASSWORD});
        app.anon().post("/users", body).await.expect(201);
    }
    app.settle().await;
    app.audit().await;
}

/// Who moved the account twice can't bring it back to their own address.
#[tokio::test]
async fn an_older_link_undoes_all_that_came_after() {
    let app = TestApp::start().await;
    let gull = verified(&app, "gull").await;
    change_and_verify(&app, &gull, "thief1@example.com").await;
    change_and_verify(&app, &gull, "thief2@example.com").await;
    let (first, second) = (undo_token(&app, &gull.email).await, undo_token(&app, "thief1@example.com").await);
    undo(&app, &first).await.expect(204);
    undo(&app, &second).await.expect(400).problem("invalid-token");
    let gull = app.sign_in("gull", PASSWORD).await;
    assert_eq!(addresses(&gull).await, json!(["gull@example.com", true, null]));
    for name in ["thief1", "thief2"] {
        app.user(name).await;
    }
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn each_of_two_changes_is_undone_by_itself() {
    let app = TestApp::start().await;
    let gull = verified(&app, "gull").await;
    change_and_verify(&app, &gull, "b@example.com").await;
    change_and_verify(&app, &gull, "c@example.com").await;
    let (first, second) = (undo_token(&app, &gull.email).await, undo_token(&app, "b@example.com").await);
    undo(&app, &second).await.expect(204);
    assert_eq!(addresses(&*app.sign_in("gull", PASSWORD).await).await, json!(["b@example.com", true, null]));
    undo(&app, &first).await.expect(204);
    assert_eq!(addresses(&*app.sign_in("gull", PASSWORD).await).await, json!([gull.email, true, null]));
    app.audit().await;
}

#[tokio::test]
async fn the_old_address_is_kept_for_a_week_and_no_longer() {
    let app = TestApp::start().await;
    let gull = verified(&app, "gull").await;
    change_and_verify(&app, &gull, NEW).await;
    let token = undo_token(&app, &gull.email).await;
    let taken = || json!({"username": "petrel", "email": "gull@example.com", "password": PASSWORD});
    app.anon().post("/users", taken()).await.expect(409).problem("taken");
    // Its own holder may have it back.
    let gull = app.sign_in("gull", PASSWORD).await;
    change_and_verify(&app, &gull, "gull@example.com").await;
    change_and_verify(&app, &gull, NEW).await;
    app.advance(DAY * 7 + Duration::from_secs(1));
    undo(&app, &token).await.expect(400).problem("invalid-token");
    app.anon().post("/users", taken()).await.expect(201);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn an_address_never_verified_hears_nothing_and_is_free_at_once() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    change_and_verify(&app, &gull, NEW).await;
    app.settle().await;
    let subjects: Vec<_> = app.mails_to(&gull.email).await.into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects, ["Verify your e-mail address"], "from the sign-up");
    let body = json!({"username": "petrel", "email": gull.email, "password": PASSWORD});
    app.anon().post("/users", body).await.expect(201);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn an_address_waits_for_a_day_or_until_its_owner_thinks_again() {
    let app = TestApp::start().await;
    let gull = verified(&app, "gull").await;
    change(&gull, NEW).await.expect(200);
    let first = token_in(&app.mail_to(NEW, "verify").await);
    assert_eq!(change(&gull, "GULL@example.com").await.expect(200).json()["pending_email"], Value::Null);
    app.anon().post("/users/verify", json!({ "token": first })).await.expect(400).problem("invalid-token");
    change(&gull, "tern@example.com").await.expect(200);
    let token = token_in(&app.mail_to("tern@example.com", "verify").await);
    app.advance(DAY + Duration::from_secs(1));
    app.anon().post("/users/verify", json!({ "token": token })).await.expect(400).problem("invalid-token");
    let gull = app.sign_in("gull", PASSWORD).await;
    assert_eq!(addresses(&gull).await, json!(["gull@example.com", true, null]));
    gull.post("/users/verify/resend", None).await.expect(422);
}

#[tokio::test]
async fn a_deleted_account_keeps_no_address_from_others() {
    let app = TestApp::start().await;
    let gull = verified(&app, "gull").await;
    for email in ["b@example.com", "c@example.com"] {
        change_and_verify(&app, &gull, email).await;
    }
    let token = undo_token(&app, &gull.email).await;
    gull.post("/users/delete", json!({"password": PASSWORD})).await.expect(204);
    undo(&app, &token).await.expect(400).problem("invalid-token");
    for (n, email) in ["gull@example.com", "b@example.com", "c@example.com"].iter().enumerate() {
        let body = json!({"username": format!("bird{n}"), "email": email, "password": PASSWORD});
        app.anon().post("/users", body).await.expect(201);
    }
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn at_most_five_changes_can_be_undone() {
    let app = TestApp::start().await;
    let gull = verified(&app, "gull").await;
    for n in 0..5 {
        change_and_verify(&app, &gull, &format!("gull{n}@example.com")).await;
    }
    change(&gull, NEW).await.expect(409).problem("limit-reached");
    app.advance(DAY * 7 + Duration::from_secs(1));
    change_and_verify(&app, &*app.sign_in("gull", PASSWORD).await, NEW).await;
    app.audit().await;
}

/// However it is asked for, a stranger gets five mails in an hour.
#[tokio::test]
async fn a_stranger_gets_five_mails_an_hour_from_all_ways_together() {
    const STRANGER: &str = "stranger@example.com";
    let app = TestApp::with(|options| set(options, "RateLimits", "on")).await;
    app.begin_hour();
    let gull = verified(&app, "gull").await;
    let mut refused = 0;
    for n in 0..8 {
        let to = if n % 2 == 0 { STRANGER } else { "gull@example.com" };
        let answer = change(&gull, to).await;
        assert!(matches!(answer.status, 200 | 429), "{}", answer.text());
        refused += usize::from(answer.status == 429);
    }
    // Four went to the stranger, and as many notices to gull, who had one at the sign-up; the fourth was one too many.
    assert!(refused <= 1, "{refused}");
    let tern = verified(&app, "tern").await;
    for _ in 0..3 {
        change(&tern, STRANGER).await;
    }
    for _ in 0..3 {
        app.anon().post("/users/password/forgot", json!({ "email": STRANGER })).await;
    }
    let body = json!({"username": "stranger", "email": STRANGER, "password": PASSWORD});
    app.anon().post("/users", body).await.expect(429).problem("rate-limited");
    app.settle().await;
    let mails = app.mails_to(STRANGER).await;
    assert!((4..=5).contains(&mails.len()), "{}", mails.len());
}

#[tokio::test]
async fn sign_ups_that_tell_nothing_mail_a_stranger_five_times_an_hour() {
    let app = TestApp::with(|options| {
        set(options, "RateLimits", "on");
        set(options, "HideRegisteredEmails", "on");
    })
    .await;
    app.begin_hour();
    let sign_up = |n: usize, email: &str| {
        let body = json!({"username": format!("gull{n}"), "email": email, "password": PASSWORD});
        app.anon().post("/users", body).into_future()
    };
    for n in 0..5 {
        sign_up(n, "stranger@example.com").await.expect(202);
    }
    sign_up(5, "STRANGER@example.com").await.expect(429).problem("rate-limited");
    sign_up(6, "other@example.com").await.expect(202);
    app.settle().await;
    assert_eq!(app.mails_to("stranger@example.com").await.len(), 5);
}

#[tokio::test]
async fn a_sign_up_that_sends_no_mail_counts_none() {
    let app = TestApp::with(|options| set(options, "RateLimits", "on")).await;
    app.begin_hour();
    app.user("gull").await;
    let sign_up = |name: &str| {
        let body = json!({"username": name, "email": "tern@example.com", "password": PASSWORD});
        app.anon().post("/users", body).into_future()
    };
    for _ in 0..8 {
        sign_up("gull").await.expect(409).problem("taken");
    }
    sign_up("tern").await.expect(201);
}
