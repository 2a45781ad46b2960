//! Profiles, settings, and the end of mails.

use crate::support::{Client, PASSWORD, Response, TestApp, set};
use serde_json::{Value, json};
use std::time::Duration;

async fn edit(client: &Client, body: Value) -> Response {
    client.patch("/users", body).await
}

#[tokio::test]
async fn a_profile_is_edited_field_by_field() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let all = json!({
        "full_name": "Lara Gull", "bio": "Over water.\nMostly.", "location": "Heligoland",
        "website": "https://gull.example.com/me", "interests": ["wind", "herring"],
    });
    let me = edit(&gull, all.clone()).await.expect(200).json();
    let mut expected = gull.get("/users/me").await.expect(200).json();
    assert_eq!(me, expected);
    for (field, value) in all.as_object().unwrap() {
        assert_eq!(me[field], *value, "{field}");
    }
    let cleared = json!({"bio": null, "interests": null});
    (expected["bio"], expected["interests"]) = (Value::Null, json!([]));
    assert_eq!(gull.patch("/users/me", cleared).await.expect(200).json(), expected, "what is absent stays");

    let bad = json!({
        "full_name": "x".repeat(101), "bio": 7, "location": "a\nb", "website": "javascript:alert(1)",
        "interests": vec!["x"; 21], "username": null, "email": "nobody",
    });
    let codes = [
        ("full_name", "too_long"),
        ("bio", "wrong_type"),
        ("location", "invalid_characters"),
        ("website", "invalid_url"),
        ("interests", "too_many"),
        ("username", "required"),
        ("email", "invalid_email"),
    ];
    let told = edit(&gull, bad).await.expect(422).fields();
    assert_eq!(told, codes.map(|(field, code)| (field.to_owned(), code.to_owned())));
    assert_eq!(gull.get("/users").await.expect(200).json(), expected);
}

#[tokio::test]
async fn a_name_given_up_is_kept_for_its_old_holder() {
    let app = TestApp::start().await;
    let (gull, tern) = (app.user("gull").await, app.user("tern").await);
    edit(&gull, json!({"username": "Tern"})).await.expect(409).problem("taken");
    edit(&gull, json!({"username": "Gull"})).await.expect(200);
    assert_eq!(edit(&gull, json!({"username": "skua"})).await.expect(200).json()["username"], "skua");
    assert_eq!(tern.get("/users/skua").await.expect(200).json()["id"], gull.id.as_str());
    tern.get("/users/gull").await.expect(404).problem("not-found");
    let login = |name: &str| app.anon().post("/login", json!({"username": name, "password": PASSWORD}));
    login("gull").await.expect(401);
    login("skua").await.expect(200);

    let other = json!({"username": "GULL", "email": "other@example.com", "password": PASSWORD});
    assert_eq!(app.anon().post("/users", other.clone()).await.expect(409).fields()[0].0, "username");
    edit(&tern, json!({"username": "gull"})).await.expect(409).problem("taken");
    edit(&gull, json!({"username": "gull"})).await.expect(200);
    edit(&gull, json!({"username": "skua"})).await.expect(200);
    app.advance(Duration::from_secs(30 * 24 * 3600 + 1));
    app.anon().post("/users", other).await.expect(201);
}

#[tokio::test]
async fn a_profile_is_found_by_id_by_name_and_as_me() {
    let app = TestApp::start().await;
    let (gull, tern) = (app.user("gull").await, app.user("tern").await);
    gull.follow(&tern).await;
    for form in [tern.id.as_str(), "tern", "TERN", "@Tern"] {
        let profile = gull.get(&format!("/users/{form}")).await.expect(200).json();
        assert_eq!(profile["id"], tern.id.as_str(), "{form}");
        assert_eq!((&profile["following"], &profile["followed_by"]), (&json!(true), &json!(false)));
        assert!(profile.get("email").is_none(), "{profile}");
    }
    assert_eq!(tern.get("/users/gull").await.expect(200).json()["followed_by"], true);
    assert_eq!(gull.get("/users/me").await.expect(200).json()["email"], gull.email.as_str());
    assert_eq!(gull.get("/users/me/posts").await.expect(200).json(), json!({"items": [], "next_cursor": null}));
}

#[tokio::test]
async fn public_reading_is_off_unless_it_is_on() {
    let reads = ["/users/gull", "/users/gull/posts", "/users/gull/followers", "/users/gull/following"];
    let closed = TestApp::start().await;
    let gull = closed.user("gull").await;
    let open = TestApp::with(|options| set(options, "PublicReading", "on")).await;
    open.user("gull").await;
    for path in reads {
        gull.get(path).await.expect(200);
        closed.anon().get(path).await.expect(401).problem("unauthorized");
        open.anon().get(path).await.expect(200);
        // A bad token is refused, never taken for nobody.
        open.anon().with_token("nonsense").get(path).await.expect(401).problem("unauthorized");
    }
    assert!(open.anon().get("/users/gull").await.json().get("following").is_none(), "nobody stands to nobody");
    for path in ["/users/me/posts", "/users/me/followers", "/users", "/users/me"] {
        open.anon().get(path).await.expect(401).problem("unauthorized");
    }
}

#[tokio::test]
async fn settings_change_where_told() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let first = gull.get("/users/settings").await.expect(200);
    let mut expected = first.json();
    assert_eq!(expected["notify"]["follow"], json!({"live": true, "list": true, "mail": true}));
    assert_eq!(expected["notify"]["like"], json!({"live": true, "list": true, "mail": false}));

    let change = json!({"findable_by_email": false, "notify": {"like": {"mail": true}}});
    let answer =
        gull.patch("/users/settings", change.clone()).header("if-match", first.header("etag")).await.expect(200);
    expected["findable_by_email"] = json!(false);
    expected["notify"]["like"]["mail"] = json!(true);
    assert_eq!(answer.json(), expected);
    let late = gull.patch("/users/settings", change).header("if-match", first.header("etag")).await;
    late.expect(412).problem("precondition-failed");
    assert_eq!(gull.get("/users/settings").await.expect(200).json(), expected);
}

#[tokio::test]
async fn one_click_ends_a_kind_of_mail() {
    let app = TestApp::start().await;
    let (gull, tern, skua) = (app.user("gull").await, app.user("tern").await, app.user("skua").await);
    tern.follow(&gull).await;
    let mail = app.mail_to(&gull.email, "follows you").await;
    let link = mail.headers["List-Unsubscribe"].trim_matches(['<', '>']).replace("localhost", "127.0.0.1");
    assert_eq!(mail.headers["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click");
    assert!(mail.text.contains("/users/unsubscribe?token="), "{}", mail.text);
    let wants = async || gull.get("/users/settings").await.expect(200).json()["notify"]["follow"]["mail"].clone();

    let page = app.anon().get(&link).await.expect(200);
    assert!(page.text().contains("<button>"), "{}", page.text());
    assert_eq!(wants().await, true, "a page changes nothing");
    for _ in 0..2 {
        let form = "application/x-www-form-urlencoded";
        app.anon().post(&link, None).body(form, "List-Unsubscribe=One-Click").await.expect(200);
        assert_eq!(wants().await, false);
    }
    skua.follow(&gull).await;
    app.settle().await;
    let mails = app.mails_to(&gull.email).await;
    assert_eq!(mails.iter().filter(|mail| mail.subject.contains("follows you")).count(), 1);

    for forged in [link.replace(".follow.", ".like."), format!("{link}x"), link.replace("usr_0", "usr_1")] {
        app.anon().post(&forged, None).await.expect(400).problem("invalid-token");
    }
}
