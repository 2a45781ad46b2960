//! Mutes: who is muted goes on as before, and does not learn of it.

use crate::support::TestApp;
use crate::support::lists::page_ids;
use serde_json::json;
use std::time::Duration;

const SINCE_EVER: &str = "/notifications?after=ntf_00000000000000000000000000";

#[tokio::test]
async fn the_muted_leave_feed_and_notifications_and_do_not_learn_of_it() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    ann.follow(&bob).await;
    let own = ann.post_text("Low tide.").await;
    let post = bob.post_text("High tide.").await;
    for user in [&bob, &cid] {
        user.post(&format!("/posts/{own}/like"), None).await.expect(200);
    }
    app.settle().await;
    let before = bob.get("/users/ann").await.expect(200).json();
    assert_eq!(ann.feed().await, [post.as_str()]);
    app.pause_workers().await;
    bob.comment(&own, "Is it?").await;
    for _ in 0..2 {
        let answer = ann.post("/users/bob/mute", None).await.expect(200).json();
        assert_eq!((&answer["muted"], &answer["user"]["username"]), (&json!(true), &json!("bob")));
    }
    assert_eq!(ann.feed().await, [""; 0]);
    let told = ann.get("/notifications").await.expect(200).items();
    assert_eq!(
        (told.len(), &told[0]["actors_count"], &told[0]["actors"][0]["username"]),
        (1, &json!(1), &json!("cid"))
    );
    let events = ann.get(SINCE_EVER).await.expect(200).items();
    assert_eq!(events.iter().map(|event| &event["actor"]["username"]).collect::<Vec<_>>(), ["cid"]);
    app.resume_workers().await;
    app.settle().await;
    assert_eq!(page_ids(&ann, "/notifications").await.len(), 1, "the comment is not told");
    // All else is as before, for both.
    let profile = ann.get("/users/bob").await.expect(200).json();
    assert_eq!([&profile["muted"], &profile["following"]], [true, true]);
    assert_eq!(page_ids(&ann, "/users/bob/posts").await, [post.as_str()]);
    ann.get(&format!("/posts/{post}")).await.expect(200);
    assert_eq!(page_ids(&ann, &format!("/posts/{own}/comments")).await.len(), 1);
    assert_eq!(bob.get("/users/ann").await.expect(200).json(), before);
    // Nor does it end with the follow.
    ann.unfollow(&bob).await;
    ann.follow(&bob).await;
    app.settle().await;
    assert_eq!(ann.feed().await, [""; 0]);
    for _ in 0..2 {
        assert_eq!(ann.delete("/users/bob/mute").await.expect(200).json()["muted"], false);
    }
    assert_eq!(ann.feed().await, [post]);
    assert_eq!(ann.get("/users/bob").await.json()["muted"], false);
    app.audit().await;
}

#[tokio::test]
async fn a_mute_survives_a_block_and_an_unfollow() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let muted = async || ann.get("/users/bob").await.expect(200).json()["muted"].clone();
    ann.follow(&bob).await;
    ann.post("/users/bob/mute", None).await.expect(200);
    ann.post("/users/bob/block", None).await.expect(200);
    ann.delete("/users/bob/block").await.expect(200);
    assert_eq!(muted().await, true);
    ann.follow(&bob).await;
    ann.unfollow(&bob).await;
    assert_eq!(muted().await, true);
    app.settle().await;
    app.audit().await;
    ann.delete("/users/bob/mute").await.expect(200);
    assert_eq!(muted().await, false);
    app.audit().await;
    app.advance(Duration::from_secs(100 * 24 * 3_600));
    app.audit().await;
}
