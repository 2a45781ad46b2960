//! Renames: one former name is kept, and two a day are enough.

use crate::support::{Client, PASSWORD, Response, TestApp, set, set_moderator};
use serde_json::json;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn rename(user: &Client, name: &str) -> Response {
    user.patch("/users", json!({ "username": name })).await
}

/// How many names the table keeps.
async fn names(app: &TestApp) -> Vec<String> {
    app.table().await.into_keys().filter_map(|(pk, _)| pk.strip_prefix("N#").map(str::to_owned)).collect()
}

#[tokio::test]
async fn of_many_renames_one_former_name_is_kept() {
    let app = TestApp::start().await;
    let gull = app.user("gull0").await;
    for n in 1..8 {
        rename(&gull, &format!("gull{n}")).await.expect(200);
    }
    assert_eq!(names(&app).await, ["gull6", "gull7"]);
    let sign_up = |name: &str| {
        let body = json!({"username": name, "email": format!("{name}.new@example.com"), "password": PASSWORD});
        app.anon().post("/users", body).into_future()
    };
    sign_up("gull6").await.expect(409).problem("taken");
    sign_up("gull5").await.expect(201);
    // Back to the name from before: then the other one is kept.
    rename(&gull, "gull6").await.expect(200);
    sign_up("gull7").await.expect(409);
    app.settle().await;
    app.audit().await;
    // What is kept ends by itself.
    let items = app.table().await;
    let kept = &items[&("N#gull7".to_owned(), "N".to_owned())];
    let left: u64 = kept["ttl"]["N"].as_str().unwrap().parse().unwrap();
    assert!(left > 0, "{kept}");
    app.advance(30 * DAY + Duration::from_secs(1));
    sign_up("gull7").await.expect(201);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn a_third_rename_in_a_day_is_refused_and_failed_ones_do_not_count() {
    let app = TestApp::with(|options| set(options, "RateLimits", "on")).await;
    app.begin_hour();
    let (gull, _tern) = (app.user("gull").await, app.user("tern").await);
    for _ in 0..4 {
        rename(&gull, "tern").await.expect(409).problem("taken");
    }
    rename(&gull, "GULL").await.expect(200);
    rename(&gull, "skua").await.expect(200);
    rename(&gull, "petrel").await.expect(200);
    let refused = rename(&gull, "auk_one").await.expect(429);
    refused.problem("rate-limited");
    assert!(refused.header("ratelimit-policy").contains("rename"), "{}", refused.header("ratelimit-policy"));
    gull.patch("/users", json!({"bio": "Over water.", "username": "Petrel"})).await.expect(200);
    app.advance(DAY);
    rename(&*app.sign_in("petrel", PASSWORD).await, "auk_one").await.expect(200);
}

#[tokio::test]
async fn the_name_of_the_first_moderator_alone_gives_no_role() {
    let app = TestApp::with(|options| set_moderator(options, "warden")).await;
    // With the name, but not the address; or the address, not verified; or that, without the name.
    let body = json!({"username": "warden", "email": "thief@example.com", "password": PASSWORD});
    app.anon().post("/users", body).await.expect(201);
    let thief = app.sign_in("warden", PASSWORD).await;
    app.verify(&thief).await;
    thief.get("/reports").await.expect(403).problem("forbidden");
    rename(&thief, "thief").await.expect(200);
    rename(&thief, "thief2").await.expect(200);
    let body = json!({"username": "gull", "email": "warden@example.com", "password": PASSWORD});
    app.anon().post("/users", body).await.expect(201);
    let gull = app.sign_in("gull", PASSWORD).await;
    rename(&gull, "warden").await.expect(200);
    gull.get("/reports").await.expect(403).problem("forbidden");
    rename(&gull, "gull").await.expect(200);
    app.verify(&gull).await;
    gull.get("/reports").await.expect(403).problem("forbidden");
    rename(&gull, "warden").await.expect(200);
    gull.get("/reports").await.expect(200);
    // Once given, it stays.
    rename(&gull, "gull").await.expect(200);
    gull.get("/reports").await.expect(200);
}

#[tokio::test]
async fn a_name_without_an_address_gives_no_role() {
    let app = TestApp::with(|options| set(options, "Moderator", "warden")).await;
    let warden = app.moderator("warden").await;
    warden.get("/reports").await.expect(403).problem("forbidden");
}
