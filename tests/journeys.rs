//! Stories from beginning to end: by themselves here, and under faults in `under_faults`.

use crate::support::lists::{ids, page_ids, walk};
use crate::support::shape::Shape;
use crate::support::{PASSWORD, TestApp, token_in, until};
use emulators::data::Data;
use local::Options;
use serde_json::json;

/// How a journey's service differs from the usual one.
pub(crate) type Change = fn(&mut Options);

#[tokio::test]
async fn from_signing_up_to_signing_out() {
    first_day(|_| ()).await;
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    restart(|_| ()).await;
}

/// The README's walk: sign up, verify by mail, follow, post, read the feed, like, be told of it, sign out.
pub(crate) async fn first_day(change: Change) -> Shape {
    let app = TestApp::with(change).await;
    let anon = app.anon();
    let sign_up =
        json!({"username": "gull", "email": "gull@example.com", "password": PASSWORD, "full_name": "Lara Gull"});
    let gull = anon.post("/api/users/register/", sign_up).await.expect(201).json();
    assert_eq!(gull["email_verified"], false);
    let mail = app.mail_to("gull@example.com", "verify").await;
    assert!(mail.text.contains(&format!("{}/users/verify?token=", app.url().replace("127.0.0.1", "localhost"))));
    anon.get(&format!("/users/verify?token={}", token_in(&mail))).await.expect(200);
    let verify = anon.post("/users/verify", json!({"token": token_in(&mail)})).await;
    assert!(verify.status < 300, "{}", verify.text());
    let gull = app.sign_in("gull@example.com", PASSWORD).await;
    assert_eq!(gull.get("/users").await.expect(200).json()["email_verified"], true);

    let tern = app.user("tern").await;
    gull.post("/users/follow/tern", None).await.expect(200);
    let post =
        tern.post("/tweets", json!({"content": "Herring off the pier! #herring @gull"})).await.expect(201).json();
    // Within a second, and at most so long as the machine takes.
    let found = until(|| async { gull.get("/feed").await.expect(200).items().first().cloned() }).await;
    assert_eq!((&found["id"], &found["mentions"][0]["username"]), (&post["id"], &json!("gull")));
    let like = format!("/tweets/like/{}", post["id"].as_str().unwrap());
    assert_eq!(gull.post(&like, None).await.expect(200).json(), json!({"liked": true, "likes_count": 1}));

    until(|| async { (tern.get("/notifications/unread-count").await.json()["unread_count"] == 2).then_some(()) }).await;
    let told = tern.get("/notifications").await.expect(200).items();
    let mut kinds: Vec<_> = told.iter().map(|one| one["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["follow", "like"]);
    app.mail_to("tern@example.com", "@gull follows you").await;
    tern.post("/notifications/read", json!({"all": true})).await.expect(200);
    assert_eq!(tern.get("/notifications/unread-count").await.json()["unread_count"], 0);

    gull.post("/users/logout", None).await.expect(204);
    for path in ["/users", "/feed", "/notifications"] {
        gull.get(path).await.expect(401).problem("unauthorized");
    }
    anon.post("/users/refresh", json!({"refresh_token": gull.refresh_token})).await.expect(401);
    app.sign_in("gull", PASSWORD).await.get("/feed").await.expect(200);
    app.settle().await;
    Shape::of(&app.table().await)
}

/// What was done is there after a stop and a start, and what was queued is done.
pub(crate) async fn restart(change: Change) -> Shape {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        TestApp::with(|options| {
            change(options);
            options.data = Data::Dir(folder.path().to_owned());
        })
    };
    let app = start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    ann.follow(&bob).await;
    let first = bob.post_text("Before.").await;
    app.settle().await;
    // Done, but not followed up: that is for after the start.
    app.pause_workers().await;
    let second = bob.post_text("Just before.").await;
    ann.post(&format!("/posts/{second}/like"), None).await.expect(200);
    let (ann_token, bob_token) = (ann.token().to_owned(), bob.token().to_owned());
    let mails = app.mails().await.len();
    app.stop().await;

    let app = start().await;
    let (ann, bob) = (app.anon().with_token(&ann_token), app.anon().with_token(&bob_token));
    app.settle().await;
    assert_eq!(page_ids(&ann, "/feed").await, [second.clone(), first]);
    let post = bob.get(&format!("/posts/{second}")).await.expect(200).json();
    assert_eq!(post["likes_count"], 1);
    assert_eq!(walk(&bob, "/notifications").await.len(), 2);
    assert_eq!(ids(&walk(&bob, "/users/me/followers").await).len(), 1);
    assert_eq!(app.mails().await.len(), mails, "no mail is sent twice");
    app.audit().await;
    app.sign_in("bob", PASSWORD).await.post_text("After.").await;
    app.settle().await;
    assert_eq!(page_ids(&ann, "/feed").await.len(), 3);
    let shape = Shape::of(&app.table().await);
    app.stop().await;
    shape
}
