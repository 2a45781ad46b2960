//! Authority beats a block: who acts by a role, or owns what something stands below, sees it, marked as blocked, and
//! removes and reports it.

use crate::groups::{group, share};
use crate::support::bulk::crowd;
use crate::support::lists::{ids, page_ids};
use crate::support::{Client, TestApp, User};
use futures::future::join_all;
use serde_json::{Value, json};

async fn users<const N: usize>(app: &TestApp, names: [&str; N]) -> [User; N] {
    join_all(names.map(|name| app.user(name))).await.try_into().ok().unwrap()
}

/// Either blocks the other; what holds must hold both ways.
async fn block(by_other: bool, one: &User, other: &User) {
    let (by, of) = if by_other { (other, one) } else { (one, other) };
    by.post(&format!("/users/{}/block", of.id), None).await.expect(200);
}

/// Somebody's entry in a list of members, as seen by this reader.
async fn entry(reader: &Client, path: &str, name: &str) -> Value {
    let items = reader.get(path).await.expect(200).items();
    items.into_iter().find(|item| item["user"]["username"] == name).unwrap_or(Value::Null)
}

/// Whether it shows by its id and in this list, marked.
async fn shows(reader: &Client, post: &str, list: &str) -> bool {
    let found = reader.get(&format!("/posts/{post}")).await;
    let listed = reader.get(list).await.expect(200).items().into_iter().find(|item| item["id"] == post);
    assert_eq!(listed.is_some(), found.status == 200, "{post} in {list}");
    if let Some(listed) = listed {
        assert_eq!((&listed["blocked"], &found.json()["blocked"]), (&json!(true), &json!(true)));
    }
    found.status == 200
}

async fn staff_see_and_remove_whom_they_block(visibility: &str, by_member: bool, apart: bool) {
    let app = TestApp::start().await;
    let [owner, staff, member, other] = users(&app, ["owner", "staff", "member", "other"]).await;
    let id = group(&owner, visibility).await;
    for user in [&staff, &member, &other] {
        user.post(&format!("/groups/{id}/join"), None).await;
        if visibility == "private" {
            owner.post(&format!("/groups/{id}/requests/{}/approve", user.id), None).await.expect(200);
        }
    }
    owner.put(&format!("/groups/{id}/members/staff"), json!({"role": "moderator"})).await.expect(200);
    for user in [&owner, &staff, &other] {
        if apart {
            crowd(&app, user).await;
        }
        block(by_member, user, &member).await;
    }
    let post = share(&member, &id, "Low tide.").await;
    let comment = other.comment(&share(&other, &id, "High tide.").await, "Mine.").await;
    let (list, members) = (format!("/groups/{id}/posts"), format!("/groups/{id}/members"));
    for reader in [&owner, &staff] {
        assert!(shows(reader, &post, &list).await);
        let seen = entry(reader, &members, "member").await;
        assert_eq!((&seen["blocked"], &seen["role"]), (&json!(true), &json!("member")));
        let page = reader.get(&format!("/groups/{id}")).await.expect(200).json();
        assert!(page["members"]["items"].as_array().unwrap().iter().any(|one| one["user"]["username"] == "member"));
        reader.get(&format!("/posts/{post}/comments")).await.expect(200);
        reader.get(&format!("/posts/{post}/likes")).await.expect(200);
        reader.post(&format!("/posts/{post}/report"), json!({"reason": "spam"})).await.expect(202);
        assert_eq!(reader.get(&format!("/posts/{comment}")).await.expect(200).json()["blocked"], false);
        // What a role is not for stays as it is.
        reader.post(&format!("/posts/{post}/like"), None).await.expect(404);
        reader.post(&format!("/posts/{post}/comments"), json!({"content": "Ah."})).await.expect(404);
        reader.get("/users/member").await.expect(404);
        assert_eq!(page_ids(reader, "/posts/search?q=low").await, [""; 0]);
    }
    // Who has no role there sees nothing more than before.
    assert!(!shows(&other, &post, &list).await);
    let hidden = other.get(&members).await.expect(200).items();
    let hidden: Vec<_> = hidden.iter().filter(|one| one["user"].is_null()).collect();
    assert_eq!(hidden.len(), 1);
    assert_eq!(hidden[0]["blocked"], true);
    other.delete(&format!("/posts/{post}")).await.expect(404);
    assert!(other.post(&format!("/posts/{post}/report"), json!({"reason": "spam"})).await.status == 404);
    // Nor does the member who blocks them.
    assert_eq!(entry(&member, &members, "owner").await, Value::Null);

    let second = share(&member, &id, "Another.").await;
    staff.delete(&format!("/posts/{second}")).await.expect(204);
    owner.delete(&format!("/posts/{post}")).await.expect(204);
    let promoted =
        owner.put(&format!("/groups/{id}/members/member"), json!({"role": "moderator"})).await.expect(200).json();
    assert_eq!((&promoted["user"]["username"], &promoted["blocked"]), (&json!("member"), &json!(true)));
    owner.put(&format!("/groups/{id}/members/member"), json!({"role": "member"})).await.expect(200);
    staff.delete(&format!("/groups/{id}/members/member")).await.expect(204);
    if visibility == "private" {
        member.post(&format!("/groups/{id}/join"), None).await.expect(202);
        let asks = entry(&staff, &format!("/groups/{id}/requests"), "member").await;
        assert_eq!(asks["blocked"], true);
        staff.post(&format!("/groups/{id}/requests/member/deny"), None).await.expect(204);
        member.post(&format!("/groups/{id}/join"), None).await.expect(202);
        owner.post(&format!("/groups/{id}/requests/member/approve"), None).await.expect(200);
        owner.delete(&format!("/groups/{id}/members/{}", member.id)).await.expect(204);
    }
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn staff_see_and_remove_members_who_block_them() {
    staff_see_and_remove_whom_they_block("private", true, false).await;
}

#[tokio::test]
async fn staff_see_and_remove_members_whom_they_block() {
    staff_see_and_remove_whom_they_block("public", false, false).await;
}

#[tokio::test]
async fn staff_whose_prefix_overflows_see_and_remove_members_who_block_them() {
    staff_see_and_remove_whom_they_block("private", true, true).await;
}

#[tokio::test]
async fn an_author_sees_and_removes_all_that_stands_below_a_post() {
    for by_other in [true, false] {
        let app = TestApp::start().await;
        let [ann, bob, cid, dan] = users(&app, ["ann", "bob", "cid", "dan"]).await;
        let post = ann.post_text("Low tide.").await;
        let comment = bob.comment(&post, "Seen.").await;
        let reply = cid.comment(&comment, "By me, too.").await;
        block(by_other, &ann, &bob).await;
        block(by_other, &bob, &cid).await;
        block(by_other, &dan, &bob).await;
        let (comments, replies) = (format!("/posts/{post}/comments"), format!("/posts/{comment}/comments"));
        assert!(shows(&ann, &comment, &comments).await);
        assert_eq!(page_ids(&ann, &replies).await, std::slice::from_ref(&reply));
        assert_eq!(ids(&ann.get(&comments).await.items()).len(), 1);
        // To others a block hides what it did, a reply below it included.
        assert_eq!(page_ids(&dan, &comments).await, [""; 0]);
        dan.get(&format!("/posts/{reply}")).await.expect(404);
        // Below a post that a block hides, owning a comment shows nothing.
        bob.get(&format!("/posts/{post}")).await.expect(404);
        bob.get(&format!("/posts/{reply}")).await.expect(404);
        ann.post(&format!("/posts/{comment}/like"), None).await.expect(404);
        ann.post(&format!("/posts/{comment}/report"), json!({"reason": "spam"})).await.expect(202);
        ann.post(&format!("/posts/{reply}/report"), json!({"reason": "spam"})).await.expect(202);
        ann.delete(&format!("/posts/{post}/comments/{comment}")).await.expect(204);
        assert_eq!(page_ids(&ann, &comments).await, [""; 0]);
        app.settle().await;
        app.audit().await;
    }
}

#[tokio::test]
async fn the_author_of_a_comment_sees_and_removes_the_replies_to_it() {
    let app = TestApp::start().await;
    let [ann, bob, cid] = users(&app, ["ann", "bob", "cid"]).await;
    let comment = bob.comment(&ann.post_text("Low tide.").await, "Seen.").await;
    let reply = cid.comment(&comment, "By me, too.").await;
    block(true, &bob, &cid).await;
    assert!(shows(&bob, &reply, &format!("/posts/{comment}/comments")).await);
    bob.delete(&format!("/posts/{reply}")).await.expect(204);
    cid.get(&format!("/posts/{reply}")).await.expect(404);
}

#[tokio::test]
async fn a_moderator_reads_what_is_reported_by_whoever_blocks_them() {
    let app = TestApp::with(|options| crate::support::set_moderator(options, "warden")).await;
    let [warden, bob, cid] = users(&app, ["warden", "bob", "cid"]).await;
    app.verify(&warden).await;
    warden.get("/reports").await.expect(200);
    bob.post("/users/warden/block", None).await.expect(200);
    let post = bob.post_text("Buy this.").await;
    cid.post(&format!("/posts/{post}/report"), json!({"reason": "spam"})).await.expect(202);
    assert_eq!(warden.get(&format!("/posts/{post}")).await.expect(200).json()["blocked"], true);
    warden.get(&format!("/posts/{post}/comments")).await.expect(200);
    let report = warden.get("/reports").await.items()[0]["id"].as_str().unwrap().to_owned();
    let decision = json!({"status": "resolved", "action": "remove_post"});
    warden.patch(&format!("/reports/{report}"), decision).await.expect(200);
    cid.get(&format!("/posts/{post}")).await.expect(404);
}
