//! Blocks. One test walks every operation whose answer can hold somebody, or what is theirs.

use crate::groups::group;
use crate::support::bulk::crowd;
use crate::support::lists::{ids, page_ids, walk};
use crate::support::{PASSWORD, TestApp, User};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures::future::join;
use serde_json::{Value, json};
use std::time::Duration;

mod walk;

pub(crate) use walk::World;

#[tokio::test]
async fn a_block_holds_in_every_operation_that_can_show_somebody() {
    let world = World::new().await;
    let [ann, bob] = &world.sides;
    // Writes first, for some of them end what others show.
    world.shows_all(false).await;
    world.befriend().await;
    world.shows_all(true).await;
    world.app.pause_workers().await;
    ann.user.post("/users/bob/block", None).await.expect(200);
    world.shows_nothing().await;
    world.app.resume_workers().await;
    world.app.settle().await;
    world.shows_nothing().await;
    for (me, other) in world.both() {
        let (post, me) = (format!("/posts/{}", other.post), &me.user);
        for refused in [
            me.post(&format!("{post}/like"), None).await,
            me.post(&format!("{post}/unlike"), None).await,
            me.delete(&format!("{post}/like")).await,
            me.post(&format!("/posts/like/{}", other.post), None).await,
            me.post(&format!("{post}/report"), json!({"reason": "spam"})).await,
            me.get(&format!("{post}/analytics")).await,
            me.delete(&post).await,
        ] {
            refused.expect(404).problem("not-found");
        }
    }
    // What is one's own can be taken away all the same, wherever it stands.
    bob.user.delete(&format!("/posts/{}", bob.reply)).await.expect(204);
    ann.user.delete("/users/bob/block").await.expect(200);
    for (me, other) in world.both() {
        me.user.follow(&other.user).await;
    }
    world.app.settle().await;
    ann.user.get(&format!("/users/{}", bob.user.id)).await.expect(200);
    assert!(ann.user.feed().await.contains(&bob.post), "the follow brings the posts back");
    world.app.audit().await;
}

/// Whether somebody sees somebody, both ways.
async fn see_each_other(ann: &User, bob: &User) -> (bool, bool) {
    let sees = async |one: &User, other: &User| one.get(&format!("/users/{}", other.id)).await.status == 200;
    (sees(ann, bob).await, sees(bob, ann).await)
}

#[tokio::test]
async fn a_block_ends_follows_both_ways_and_they_stay_ended() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    ann.follow(&bob).await;
    bob.follow(&ann).await;
    let post = bob.post_text("Low tide.").await;
    app.settle().await;
    assert_eq!(ann.feed().await, [post.as_str()]);
    for _ in 0..2 {
        let answer = ann.post("/users/BOB/block", None).await.expect(200).json();
        assert_eq!((&answer["blocked"], &answer["user"]["id"]), (&json!(true), &json!(bob.id)), "twice is once");
        assert_eq!(see_each_other(&ann, &bob).await, (false, false));
    }
    let counts = async |user: &User| {
        let me = user.get("/users").await.expect(200).json();
        (me["following_count"].clone(), me["followers_count"].clone())
    };
    app.settle().await;
    for user in [&ann, &bob] {
        assert_eq!(counts(user).await, (json!(0), json!(0)));
    }
    ann.post("/users/bob/follow", None).await.expect(404).problem("not-found");
    bob.post("/users/ann/follow", None).await.expect(404).problem("not-found");
    for call in [ann.delete("/users/bob/block").await, ann.post("/users/bob/unblock", None).await] {
        assert_eq!(call.expect(200).json()["blocked"], false, "twice is once");
    }
    assert_eq!(see_each_other(&ann, &bob).await, (true, true));
    app.settle().await;
    assert_eq!(counts(&ann).await, (json!(0), json!(0)));
    assert_eq!(ann.feed().await, [""; 0]);
    ann.follow(&bob).await;
    app.settle().await;
    assert_eq!(ann.feed().await, [post]);
    for path in ["/users/ann/block", "/users/me/unblock", "/users/ann/mute"] {
        assert_eq!(ann.post(path, None).await.expect(422).fields(), [("user".into(), "oneself".into())]);
    }
    app.audit().await;
}

#[tokio::test]
async fn each_ends_their_own_block_alone() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    ann.post("/users/bob/block", None).await.expect(200);
    bob.delete("/users/ann/block").await.expect(404);
    bob.delete("/users/ann/mute").await.expect(404);
    assert_eq!(see_each_other(&ann, &bob).await, (false, false));
    bob.post("/users/ann/block", None).await.expect(200);
    ann.delete("/users/bob/block").await.expect(200);
    assert_eq!(see_each_other(&ann, &bob).await, (false, false), "the other's stands");
    assert_eq!(
        (page_ids(&ann, "/users/blocked").await, page_ids(&bob, "/users/blocked").await),
        (vec![], vec![ann.id.clone()])
    );
    app.audit().await;
    // No block ends by itself, as what hides an unfollowed one does.
    app.advance(Duration::from_secs(100 * 24 * 3_600));
    let (ann, bob) = (app.sign_in("ann", PASSWORD).await, app.sign_in("bob", PASSWORD).await);
    assert_eq!(see_each_other(&ann, &bob).await, (false, false));
    bob.delete("/users/ann/block").await.expect(200);
    assert_eq!(see_each_other(&ann, &bob).await, (true, true));
    app.audit().await;
}

#[tokio::test]
async fn who_is_blocked_is_listed_newest_first() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut blocked = Vec::new();
    for name in ["bob", "cid", "dan", "eve"] {
        let other = app.user(name).await;
        ann.post(&format!("/users/{name}/block"), None).await.expect(200);
        blocked.insert(0, other.id.clone());
    }
    assert_eq!(ids(&walk(&ann, "/users/blocked?limit=2").await), blocked);
    ann.delete("/users/cid/block").await.expect(200);
    blocked.remove(2);
    assert_eq!(page_ids(&ann, "/users/blocked").await, blocked);
    app.anon().get("/users/blocked").await.expect(401);
}

#[tokio::test]
async fn of_a_follow_and_a_block_at_once_the_block_stands() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for turn in 0..12 {
        let bob = app.user(&format!("bob{turn}")).await;
        let follows = async {
            for _ in 0..3 {
                bob.post("/users/ann/follow", None).await;
                bob.delete("/users/ann/follow").await;
                bob.post("/users/ann/follow", None).await;
            }
        };
        let block = async { ann.post(&format!("/users/bob{turn}/block"), None).await.expect(200) };
        join(follows, block).await;
        assert_eq!(see_each_other(&ann, &bob).await, (false, false));
    }
    app.settle().await;
    assert_eq!(ann.get("/users").await.json()["followers_count"], 0);
    app.audit().await;
}

#[tokio::test]
async fn nobody_is_told_of_what_the_blocked_do() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = ann.post_text("Low tide.").await;
    app.pause_workers().await;
    bob.post(&format!("/posts/{post}/like"), None).await.expect(200);
    bob.comment(&post, "Is it?").await;
    bob.post_text("See @ann.").await;
    ann.post("/users/bob/block", None).await.expect(200);
    app.resume_workers().await;
    app.settle().await;
    assert_eq!(ann.get("/notifications/unread-count").await.json()["unread_count"], 0);
    ann.delete("/users/bob/block").await.expect(200);
    assert_eq!(page_ids(&ann, "/notifications").await, [""; 0]);
    app.audit().await;
}

#[tokio::test]
async fn nobody_is_told_of_what_stands_below_a_post_of_the_blocked() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let post = bob.post_text("Low tide.").await;
    let comment = async |user: &User, on: &str, content: &str| -> String {
        let made = user.post(&format!("/posts/{on}/comments"), json!({ "content": content })).await.expect(201);
        made.json()["id"].as_str().expect("an id").to_owned()
    };
    let anns = comment(&ann, &post, "So low.").await;
    comment(&cid, &post, "Ask @ann.").await;
    app.settle().await;
    let before = ann.get("/notifications").await.expect(200).items();
    assert_eq!((before.len(), &before[0]["kind"]), (1, &json!("mention")));
    ann.post("/users/bob/block", None).await.expect(200);
    let mut socket = ann.listen(&app).await;
    comment(&cid, &post, "Ask @ann again.").await;
    comment(&cid, &anns, "Indeed.").await;
    cid.post(&format!("/posts/{anns}/like"), None).await.expect(200);
    app.settle().await;
    socket.is_silent().await;
    for path in ["/notifications", "/notifications?after=ntf_00000000000000000000000000"] {
        assert_eq!(ann.get(path).await.expect(200).items(), Vec::<Value>::new(), "{path}");
    }
    app.audit().await;
}

#[tokio::test]
async fn no_cursor_tells_who_is_hidden() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    // Not her own, for who owns a group sees everybody in it.
    let group = group(&cid, "public").await;
    for user in [&ann, &bob] {
        user.post(&format!("/groups/{group}/join"), None).await.expect(200);
    }
    bob.post("/users/ann/block", None).await.expect(200);
    app.settle().await;
    let mut path = format!("/groups/{group}/members?limit=1");
    let mut hidden = 0;
    loop {
        let page = ann.get(&path).await.expect(200).json();
        hidden += page["items"].as_array().expect("a list").iter().filter(|member| member["user"].is_null()).count();
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).expect("base64");
        let id = bob.id.trim_start_matches("usr_").as_bytes();
        assert!(!bytes.windows(id.len()).any(|part| part == id), "{cursor}");
        path = format!("/groups/{group}/members?limit=1&cursor={cursor}");
    }
    assert_eq!(hidden, 1);
}

#[tokio::test]
async fn a_block_holds_for_somebody_who_stands_apart_from_many() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = bob.post_text("Low tide.").await;
    ann.post("/users/bob/block", None).await.expect(200);
    crowd(&app, &ann).await;
    assert_eq!(see_each_other(&ann, &bob).await, (false, false));
    ann.get(&format!("/posts/{post}")).await.expect(404);
    ann.post("/users/bob/follow", None).await.expect(404);
    assert_eq!(page_ids(&ann, "/posts/search?q=tide").await, [""; 0]);
    ann.delete("/users/bob/block").await.expect(200);
    assert_eq!(see_each_other(&ann, &bob).await, (true, true));
    assert_eq!(page_ids(&ann, "/posts/search?q=tide").await, [post]);
}
