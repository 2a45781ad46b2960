//! Notifications of what is no more are left out at once, and the count of unread ones is always the list's.

use crate::groups::group;
use crate::support::bulk::people;
use crate::support::lists::walk;
use crate::support::past::DAY;
use crate::support::{PASSWORD, TestApp, User, set_moderator};
use futures::future::join_all;
use serde_json::{Value, json};

async fn users<const N: usize>(app: &TestApp, names: [&str; N]) -> [User; N] {
    join_all(names.map(|name| app.user(name))).await.try_into().ok().unwrap()
}

/// Kinds and actors of the list, after holding the count, the unread list and the single events to it.
async fn told(user: &User) -> Vec<(String, Vec<String>)> {
    let all = walk(user, "/notifications").await;
    let unread = walk(user, "/notifications?unread=true").await;
    let count = user.get("/notifications/unread-count").await.expect(200).json()["unread_count"].clone();
    assert_eq!(count, json!(unread.len()), "the badge and the list");
    assert_eq!(unread.len(), all.iter().filter(|one| one["read"] == false).count());
    let events = walk(user, "/notifications?after=ntf_00000000000000000000000000").await;
    for one in &all {
        assert!(events.iter().any(|event| event["notification_id"] == one["id"]), "{one} has no event");
        assert!(
            one["actors_count"].as_u64() >= Some(one["actors"].as_array().unwrap().len() as u64)
                && one["actors"] != json!([])
        );
    }
    for event in &events {
        assert!(all.iter().any(|one| one["id"] == event["notification_id"]), "{event} is in no notification");
    }
    let name = |actor: &Value| actor["username"].as_str().unwrap().to_owned();
    let entry = |one: &Value| {
        (one["kind"].as_str().unwrap().to_owned(), one["actors"].as_array().unwrap().iter().map(name).collect())
    };
    all.iter().map(entry).collect()
}

fn of(expected: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    expected.iter().map(|(kind, actors)| ((*kind).to_owned(), names(actors))).collect()
}

#[tokio::test]
async fn what_is_taken_back_or_deleted_is_not_told_of() {
    let app = TestApp::start().await;
    let [ann, bob, cid] = users(&app, ["ann", "bob", "cid"]).await;
    let post = ann.post_text("Low tide.").await;
    bob.follow(&ann).await;
    app.settle().await;
    bob.post(&format!("/posts/{post}/like"), None).await.expect(200);
    app.settle().await;
    let first = bob.comment(&post, "Seen.").await;
    app.settle().await;
    let second = cid.comment(&post, "Me, too.").await;
    app.settle().await;
    let mention = cid.post_text("See @ann.").await;
    app.settle().await;
    let comments: (&str, &[&str]) = ("comment", &["cid", "bob"]);
    assert_eq!(told(&ann).await, of(&[("mention", &["cid"]), comments, ("like", &["bob"]), ("follow", &["bob"])]));

    // No worker does it.
    app.pause_workers().await;
    cid.delete(&format!("/posts/{mention}")).await.expect(204);
    assert_eq!(told(&ann).await, of(&[comments, ("like", &["bob"]), ("follow", &["bob"])]));
    cid.delete(&format!("/posts/{second}")).await.expect(204);
    assert_eq!(told(&ann).await, of(&[("comment", &["bob"]), ("like", &["bob"]), ("follow", &["bob"])]));
    let seen = walk(&ann, "/notifications").await;
    assert_eq!((&seen[0]["comment_id"], &seen[0]["actors_count"]), (&json!(first), &json!(1)));
    bob.delete(&format!("/posts/{first}")).await.expect(204);
    assert_eq!(told(&ann).await, of(&[("like", &["bob"]), ("follow", &["bob"])]));
    bob.delete(&format!("/posts/{post}/like")).await.expect(200);
    assert_eq!(told(&ann).await, of(&[("follow", &["bob"])]));
    bob.unfollow(&ann).await;
    assert_eq!(told(&ann).await, []);
    app.resume_workers().await;
    app.settle().await;
    assert_eq!(told(&ann).await, []);
    // Done again it is back, and no news.
    bob.follow(&ann).await;
    bob.post(&format!("/posts/{post}/like"), None).await.expect(200);
    app.settle().await;
    assert_eq!(told(&ann).await, of(&[("like", &["bob"]), ("follow", &["bob"])]));
    ann.delete(&format!("/posts/{post}")).await.expect(204);
    assert_eq!(told(&ann).await, of(&[("follow", &["bob"])]), "with one's own post");
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn an_edit_that_names_nobody_any_more_and_a_deleted_parent_are_not_told_of() {
    let app = TestApp::start().await;
    let [ann, bob, cid] = users(&app, ["ann", "bob", "cid"]).await;
    let post = bob.post_text("See @ann.").await;
    app.settle().await;
    let reply = cid.comment(&post, "Indeed, @ann.").await;
    app.settle().await;
    assert_eq!(told(&ann).await, of(&[("mention", &["cid"]), ("mention", &["bob"])]));
    bob.patch(&format!("/posts/{post}"), json!({"content": "See nobody."})).await.expect(200);
    assert_eq!(told(&ann).await, of(&[("mention", &["cid"])]));
    app.pause_workers().await;
    bob.delete(&format!("/posts/{post}")).await.expect(204);
    ann.get(&format!("/posts/{reply}")).await.expect(404);
    assert_eq!(told(&ann).await, []);
}

#[tokio::test]
async fn whom_one_does_not_hear_of_is_neither_listed_nor_counted() {
    let app = TestApp::with(|options| set_moderator(options, "warden")).await;
    let [ann, bob, cid] = users(&app, ["ann", "bob", "cid"]).await;
    let warden = app.moderator("warden").await;
    for (follower, names) in [(&bob, &["bob"][..]), (&cid, &["cid", "bob"][..])] {
        follower.follow(&ann).await;
        app.settle().await;
        assert_eq!(told(&ann).await, of(&[("follow", names)]));
    }
    ann.post("/users/cid/mute", None).await.expect(200);
    assert_eq!(told(&ann).await, of(&[("follow", &["bob"])]));
    ann.post("/users/bob/block", None).await.expect(200);
    assert_eq!(told(&ann).await, []);
    ann.delete("/users/cid/mute").await.expect(200);
    assert_eq!(told(&ann).await, of(&[("follow", &["cid"])]));
    let post = cid.post_text("Buy this.").await;
    bob.post(&format!("/posts/{post}/report"), json!({"reason": "spam"})).await.expect(202);
    let report = warden.get("/reports").await.expect(200).items()[0]["id"].as_str().unwrap().to_owned();
    let decision = json!({"status": "resolved", "action": "suspend_author"});
    warden.patch(&format!("/reports/{report}"), decision).await.expect(200);
    assert_eq!(told(&ann).await, []);
}

#[tokio::test]
async fn a_withdrawn_request_and_a_group_that_is_gone_are_not_told_of() {
    let app = TestApp::start().await;
    let [ann, bob, cid] = users(&app, ["ann", "bob", "cid"]).await;
    let (id, other) = (group(&ann, "private").await, group(&ann, "private").await);
    bob.post(&format!("/groups/{id}/join"), None).await.expect(202);
    app.settle().await;
    cid.post(&format!("/groups/{other}/join"), None).await.expect(202);
    app.settle().await;
    assert_eq!(told(&ann).await, of(&[("group_request", &["cid"]), ("group_request", &["bob"])]));
    bob.post(&format!("/groups/{id}/leave"), None).await.expect(200);
    assert_eq!(told(&ann).await, of(&[("group_request", &["cid"])]));
    ann.post(&format!("/groups/{other}/requests/cid/approve"), None).await.expect(200);
    app.settle().await;
    assert_eq!(told(&cid).await, of(&[("group_accepted", &["ann"])]));
    app.pause_workers().await;
    ann.delete(&format!("/groups/{other}")).await.expect(204);
    assert_eq!((told(&ann).await, told(&cid).await), (vec![], vec![]));
}

#[tokio::test]
async fn of_many_who_liked_those_who_still_do_are_shown() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let fans = people(&app, "fan", 8).await;
    let post = ann.post_text("Low tide.").await;
    for fan in &fans {
        fan.post(&format!("/posts/{post}/like"), None).await.expect(200);
        app.settle().await;
    }
    assert_eq!(told(&ann).await, of(&[("like", &["fan7", "fan6", "fan5"])]));
    for fan in &fans[5..] {
        fan.delete(&format!("/posts/{post}/like")).await.expect(200);
    }
    assert_eq!(told(&ann).await, of(&[("like", &["fan4", "fan3", "fan2"])]));
    assert_eq!(walk(&ann, "/notifications").await[0]["actors_count"], 5);
    for fan in &fans[..5] {
        fan.delete(&format!("/posts/{post}/like")).await.expect(200);
    }
    assert_eq!(told(&ann).await, []);
}

#[tokio::test]
async fn after_ninety_days_nothing_is_listed_or_counted() {
    let app = TestApp::start().await;
    let [ann, bob] = users(&app, ["ann", "bob"]).await;
    bob.follow(&ann).await;
    app.settle().await;
    assert_eq!(told(&ann).await, of(&[("follow", &["bob"])]));
    app.advance(DAY * 91);
    let ann = app.sign_in("ann", PASSWORD).await;
    assert_eq!(told(&ann).await, []);
}
