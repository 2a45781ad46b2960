//! What a deployment is to show beside all other journeys: sockets on their own host, and a schedule that nobody helps.

use crate::support::{PASSWORD, TestApp, files, until_within};
use serde_json::{Value, json};
use shared::clock::Clock;
use std::time::Duration;

/// A scheduled post appears within 90 s of its time.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(90);

#[tokio::test]
async fn sockets_tell_what_the_list_and_the_log_tell() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    app.settle().await;
    let (mut hears, mut sees) = (ann.listen(&app).await, bob.listen_to(&app, "/activity-log").await);
    bob.post("/users/ann/follow", None).await.expect(200);
    let heard = hears.expect("follow").await;
    assert_eq!(heard["data"]["actor"]["username"], "bob", "{heard}");
    assert_eq!(ann.get("/notifications").await.expect(200).items()[0]["id"], heard["id"]);
    let seen = sees.expect("follow").await;
    assert_eq!(bob.get("/activity-log?limit=1").await.expect(200).items()[0]["id"], seen["id"]);
    hears.say(json!({"type": "ping"})).await;
    hears.expect("pong").await;

    ann.post("/users/logout", None).await.expect(204);
    assert_eq!(hears.next().await, None, "a session's end closes its sockets");
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
#[ignore = "campaign: the schedule's minute"]
async fn a_scheduled_post_is_out_by_its_schedule() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    bob.follow(&ann).await;
    let at = Clock::default().now() + Duration::from_secs(2);
    let body = json!({"content": "By itself.", "publish_at": at.rfc3339()});
    let waiting = ann.post("/posts", body).await.expect(201).json();
    let path = format!("/posts/scheduled/{}", waiting["id"].as_str().expect("an id"));
    let post_id = async || ann.get(&path).await.expect(200).json()["post_id"].clone();
    let post = until_within(PUBLISHED_WITHIN, || async { Some(post_id().await).filter(|id| *id != Value::Null) }).await;
    app.settle().await;
    assert_eq!(bob.feed().await, [post.as_str().expect("an id")]);
    app.audit().await;
}

#[tokio::test]
async fn every_prefix_leads_to_every_function() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for (n, prefix) in ["", "/api", "/v1"].into_iter().enumerate() {
        let at = |path: &str| format!("{prefix}{path}");
        let name = format!("gull{n}");
        let new = json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
        app.anon().post(&at("/users"), new).await.expect(201);
        app.anon().post(&at("/login"), json!({"username": name, "password": PASSWORD})).await.expect(200);
        let post = ann.post(&at("/posts"), json!({"content": name})).await.expect(201).json();
        let post = post["id"].as_str().expect("an id");
        ann.get(&at(&format!("/tweets/{post}"))).await.expect(200);
        let group = ann.post(&at("/groups"), json!({"name": name, "visibility": "public"})).await.expect(201).json();
        let group = group["id"].as_str().expect("an id");
        ann.post(&at(&format!("/groups/{group}/posts")), json!({"content": "Here."})).await.expect(201);
        ann.post(&at("/media"), None).body("image/png", files::png()).await.expect(201);
        for path in ["/feed", "/hashtags/trending", "/notifications", "/activity-log", "/health", "/openapi.json"] {
            ann.get(&at(path)).await.expect(200);
        }
        ann.get(&at("/nothing")).await.expect(404).problem("not-found");
    }
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn a_deleted_account_is_gone_and_leaves_no_dead_letter() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    bob.follow(&ann).await;
    let post = ann.post_text("Soon gone.").await;
    bob.post(&format!("/posts/{post}/like"), None).await.expect(200);
    app.settle().await;
    ann.post("/users/delete", json!({"password": PASSWORD})).await.expect(204);
    bob.get("/users/ann").await.expect(404);
    bob.get(&format!("/posts/{post}")).await.expect(404);
    ann.get("/users").await.expect(401);
    app.anon().post("/login", json!({"username": "ann", "password": PASSWORD})).await.expect(401);
    app.settle().await;
    assert_eq!(bob.feed().await, [""; 0]);
    for dead_letters in app.model().queues.iter().filter(|queue| queue.redrive_policy.is_none()) {
        assert_eq!(app.queue(&dead_letters.name).await.expect("a queue").visible, 0, "{}", dead_letters.name);
    }
}
