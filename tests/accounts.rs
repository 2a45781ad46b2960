//! Signing up and verifying the address.

use crate::support::{PASSWORD, TestApp, altered, set, token_in};
use futures::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

fn sign_up(name: &str) -> Value {
    json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD})
}

#[tokio::test]
async fn signing_up_makes_an_account() {
    let app = TestApp::start().await;
    let body =
        json!({"username": "Ann_Lee", "email": "Ann@Example.com", "password": PASSWORD, "full_name": " Ann Lee "});
    let answer = app.anon().post("/users", body).await.expect(201);
    let me = answer.json();
    let id = me["id"].as_str().unwrap();
    assert!(id.starts_with("usr_"), "{me}");
    assert_eq!(answer.header("location"), format!("/users/{id}"));
    for (field, expected) in [
        ("username", json!("Ann_Lee")),
        ("email", json!("Ann@Example.com")),
        ("email_verified", json!(false)),
        ("full_name", json!("Ann Lee")),
        ("bio", Value::Null),
        ("interests", json!([])),
        ("followers_count", json!(0)),
        ("following_count", json!(0)),
        ("posts_count", json!(0)),
    ] {
        assert_eq!(me[field], expected, "{field}");
    }
    let registered_at = me["registered_at"].as_str().unwrap();
    assert!(registered_at.len() == 24 && registered_at.ends_with('Z'), "{registered_at}");
    let ann = app.sign_in("ann_lee", PASSWORD).await;
    assert_eq!(ann.get("/users").await.expect(200).json(), me);
    assert_eq!(ann.get(answer.header("location")).await.expect(200).json()["username"], "Ann_Lee");
}

#[tokio::test]
async fn without_a_username_one_is_made_from_the_address() {
    let app = TestApp::start().await;
    let mut names = Vec::new();
    for email in ["ann.lee+x@example.com", "annleex@example.com", "me@example.com", "settings@example.com"] {
        let body = json!({"email": email, "password": PASSWORD, "username": null});
        let me = app.anon().post("/users/register", body).await.expect(201).json();
        names.push(me["username"].as_str().unwrap().to_owned());
    }
    assert_eq!(names[0], "annleex");
    assert!(names[1].starts_with("annleex_") && names[2].starts_with("user_"), "{names:?}");
    assert!(names[3].starts_with("user_"), "a reserved name is nobody's: {names:?}");
}

#[tokio::test]
async fn names_and_addresses_are_unique_whatever_their_case() {
    let app = TestApp::start().await;
    app.user("gull").await;
    let post = |username: &str, email: &str| {
        app.anon().post("/users", json!({"username": username, "email": email, "password": PASSWORD}))
    };
    let taken = |field: &str| (field.to_owned(), "taken".to_owned());
    let answer = post("GULL", "other@example.com").await.expect(409);
    answer.problem("taken");
    assert_eq!(answer.fields(), [taken("username")]);
    assert_eq!(post("other", "GULL@example.com").await.expect(409).fields(), [taken("email")]);
    assert_eq!(post("Gull", "Gull@Example.com").await.expect(409).fields(), [taken("username"), taken("email")]);
    post("other", "other@example.com").await.expect(201);
}

#[tokio::test]
async fn of_many_at_once_one_gets_the_name() {
    let app = TestApp::start().await;
    let all = (0..8).map(|n| {
        let body = json!({"username": "gull", "email": format!("gull{n}@example.com"), "password": PASSWORD});
        app.anon().post("/users", body).into_future()
    });
    let mut statuses: Vec<_> = join_all(all).await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn names_that_nobody_can_have_are_refused() {
    let app = TestApp::start().await;
    let reserved = ["root", "Settings", "SEARCH", "login", "admin"].map(|name| (name, "reserved_username"));
    let long = "x".repeat(21);
    let malformed = ["me", "usr_gull", "USR_01", "ab", &long, "a b", "a-b", "gül", "@gull"];
    for (name, code) in reserved.into_iter().chain(malformed.map(|name| (name, "invalid_username"))) {
        let body = json!({"username": name, "email": "gull@example.com", "password": PASSWORD});
        let answer = app.anon().post("/users", body).await.expect(422);
        answer.problem("invalid");
        assert_eq!(answer.fields(), [("username".to_owned(), code.to_owned())], "{name}");
    }
}

#[tokio::test]
async fn passwords_may_have_any_characters_and_must_not_be_easy_to_guess() {
    let app = TestApp::start().await;
    let with = |name: &str, password: &str| {
        let mut body = sign_up(name);
        body["password"] = json!(password);
        app.anon().post("/users", body)
    };
    for (password, code) in [
        ("short", "too_short"),
        (&"x".repeat(129), "too_long"),
        ("password", "common_password"),
        ("PassWord", "common_password"),
        ("qwertyuiop", "common_password"),
        ("my-GULL-flies", "contains_username"),
    ] {
        let answer = with("gull", password).await.expect(422);
        assert_eq!(answer.fields(), [("password".to_owned(), code.to_owned())], "{password}");
    }
    let long = "ä".repeat(128);
    let passwords = ["        ", "пароль длинный", "🐦🐦🐦🐦🐦🐦🐦🐦", " spaces around ", "nul\u{0}inside", &long];
    for (n, password) in passwords.into_iter().enumerate() {
        let name = format!("bird{n}");
        with(&name, password).await.expect(201);
        app.sign_in(&name, password).await;
        let other = format!("{}x", &password[..password.len() - password.chars().next_back().unwrap().len_utf8()]);
        let body = json!({"username": name, "password": other});
        app.anon().post("/login", body).await.expect(401).problem("invalid-credentials");
    }
}

#[tokio::test]
async fn every_bad_field_is_told_at_once() {
    let app = TestApp::start().await;
    let body = json!({"username": "a b", "email": "nobody", "password": "x", "full_name": 7});
    let answer = app.anon().post("/users", body).await.expect(422);
    let expected = [
        ("email", "invalid_email"),
        ("password", "too_short"),
        ("username", "invalid_username"),
        ("full_name", "wrong_type"),
    ];
    assert_eq!(answer.fields(), expected.map(|(field, code)| (field.to_owned(), code.to_owned())));
    let answer = app.anon().post("/users", json!({})).await.expect(422);
    let required = |field: &str| (field.to_owned(), "required".to_owned());
    assert_eq!(answer.fields(), [required("email"), required("password")]);
}

#[tokio::test]
async fn the_token_in_the_mail_verifies_the_address_once() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let token = token_in(&app.mail_to(&ann.email, "verify").await);
    let verify = |token: &str| app.anon().post("/users/verify", json!({ "token": token }));
    // A scanner that follows the link changes nothing.
    let page = app.anon().get(&format!("/users/verify?token={token}")).await.expect(200);
    assert!(page.text().contains(&token) && page.header("content-type").starts_with("text/html"));
    assert_eq!(ann.get("/users").await.expect(200).json()["email_verified"], false);
    for wrong in ["", "nonsense", &token[1..], &format!("{token}A"), &altered(&token)] {
        verify(wrong).await.expect(400).problem("invalid-token");
    }
    verify(&token).await.expect(200);
    assert_eq!(ann.get("/users").await.expect(200).json()["email_verified"], true);
    verify(&token).await.expect(400).problem("invalid-token");
    let again = ann.post("/users/verify/resend", None).await.expect(422);
    assert_eq!(again.fields(), [("email".to_owned(), "already_verified".to_owned())]);
}

#[tokio::test]
async fn the_token_in_the_mail_is_good_for_a_day() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let first = token_in(&app.mail_to(&ann.email, "verify").await);
    ann.post("/users/verify/resend", None).await.expect(202);
    app.settle().await;
    let second = token_in(&app.mail_to(&ann.email, "verify").await);
    assert_ne!(first, second);
    app.advance(Duration::from_secs(24 * 3600 + 60));
    for token in [first, second] {
        app.anon().post("/users/verify", json!({ "token": token })).await.expect(400).problem("invalid-token");
    }
}

#[tokio::test]
async fn a_token_is_good_for_what_it_was_made_for_alone() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let token = token_in(&app.mail_to(&ann.email, "verify").await);
    let body = json!({"token": token, "password": "auk under the cliff"});
    app.anon().post("/users/password/reset", body).await.expect(400).problem("invalid-token");
    app.anon().post("/users/refresh", json!({"refresh_token": token})).await.expect(401).problem("unauthorized");
    app.anon().post("/users/verify", json!({"token": ann.refresh_token})).await.expect(400).problem("invalid-token");
    app.anon().with_token(&token).get("/users").await.expect(401).problem("unauthorized");
}

#[tokio::test]
async fn where_it_is_asked_for_only_verified_accounts_write() {
    let app = TestApp::with(|options| set(options, "RequireVerifiedEmail", "on")).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let follow = format!("/users/{}/follow", bob.id);
    ann.post(&follow, None).await.expect(403).problem("email-not-verified");
    ann.post("/posts", json!({"content": "hello"})).await.expect(403).problem("email-not-verified");
    ann.get("/users").await.expect(200);
    ann.get("/users/bob").await.expect(200);
    let token = token_in(&app.mail_to(&ann.email, "verify").await);
    app.anon().post("/users/verify", json!({ "token": token })).await.expect(200);
    ann.follow(&bob).await;
}

#[tokio::test]
async fn where_it_is_hidden_nobody_learns_who_is_registered() {
    let app = TestApp::with(|options| set(options, "HideRegisteredEmails", "on")).await;
    let first = app.anon().post("/users", sign_up("ann")).await.expect(202);
    let login = || app.anon().post("/login", json!({"username": "ann", "password": PASSWORD}));
    login().await.expect(401).problem("invalid-credentials");
    let token = token_in(&app.mail_to("ann@example.com", "verify").await);
    app.anon().post("/users/verify", json!({ "token": token })).await.expect(200);
    let ann = app.sign_in("ann", PASSWORD).await;
    assert_eq!(ann.get("/users").await.expect(200).json()["email_verified"], true);

    let again = json!({"email": "ANN@example.com", "password": "auk under the cliff"});
    let second = app.anon().post("/users", again).await.expect(202);
    assert_eq!((first.body, first.headers.len()), (second.body, second.headers.len()));
    let mail = app.mail_to("ANN@example.com", "account already").await;
    assert!(!mail.text.contains("token="), "{}", mail.text);
    // Names are public, so that one is taken may be told.
    let mut taken = sign_up("ANN");
    taken["email"] = json!("other@example.com");
    app.anon().post("/users", taken).await.expect(409).problem("taken");
}

#[tokio::test]
async fn an_account_that_waits_for_its_address_loses_no_race() {
    let app = TestApp::with(|options| set(options, "HideRegisteredEmails", "on")).await;
    let verify = async |email: &str| {
        let token = token_in(&app.mail_to(email, "verify").await);
        app.anon().post("/users/verify", json!({ "token": token })).await
    };
    // Two ask for one name, and one address is asked for twice: the first to verify has it.
    for (username, email) in [("ann", "a@example.com"), ("ann", "b@example.com")] {
        let body = json!({"username": username, "email": email, "password": PASSWORD});
        app.anon().post("/users", body).await.expect(202);
    }
    verify("b@example.com").await.expect(200);
    verify("a@example.com").await.expect(200);
    let name = async |email: &str| {
        let body = json!({"email": email, "password": PASSWORD});
        app.anon().post("/login", body).await.expect(200).json()["user"]["username"].as_str().unwrap().to_owned()
    };
    assert_eq!(name("b@example.com").await, "ann");
    assert_eq!(name("a@example.com").await, "user_".to_owned() + &name("a@example.com").await[5..]);
}

#[tokio::test]
async fn links_in_mails_are_built_from_what_was_configured() {
    let app = TestApp::with(|options| set(options, "PublicUrl", "https://api.example.com/")).await;
    app.anon().post("/users", sign_up("ann")).header("host", "evil.example").await.expect(201);
    let mail = app.mail_to("ann@example.com", "verify").await;
    assert!(mail.text.contains("https://api.example.com/users/verify?token="), "{}", mail.text);
    assert!(!mail.text.contains("evil.example") && !mail.html.contains("evil.example"));

    let app = TestApp::with(|options| set(options, "AppUrl", "https://app.example.com")).await;
    app.user("ann").await;
    let mail = app.mail_to("ann@example.com", "verify").await;
    assert!(mail.text.contains("https://app.example.com/verify?token="), "{}", mail.text);
}

#[tokio::test]
async fn pages_show_a_token_as_text_alone() {
    let app = TestApp::start().await;
    let attack = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    for path in ["/users/verify", "/users/password/reset"] {
        let page = app.anon().get(&format!("{path}?token={attack}")).await.expect(200);
        assert!(!page.text().contains("<script>alert"), "{}", page.text());
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
        assert_eq!((page.header("referrer-policy"), page.header("cache-control")), ("no-referrer", "no-store"));
    }
}
