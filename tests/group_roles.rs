//! Roles in groups: who may do what, and that an owner always stays.

use crate::groups::{group, members, pairs, set_role, share};
use crate::support::{TestApp, User};
use futures::future::join_all;
use serde_json::json;

#[tokio::test]
async fn roles_decide_who_may_do_what() {
    let app = TestApp::start().await;
    let [ann, bob, cid, dan] = ["ann", "bob", "cid", "dan"];
    let people = join_all([ann, bob, cid, dan].map(|name| app.user(name))).await;
    let [ann, bob, cid, dan] = &people[..] else { unreachable!() };
    let id = group(ann, "public").await;
    let path = format!("/groups/{id}");
    for user in [bob, cid] {
        user.post(&format!("{path}/join"), None).await.expect(200);
    }
    let put = |by: &User, whom: &str, role: &str| {
        by.put(&format!("{path}/members/{whom}"), json!({ "role": role })).into_future()
    };
    put(bob, "cid", "moderator").await.expect(403).problem("forbidden");
    let answer = put(ann, "bob", "moderator").await.expect(200).json();
    assert_eq!((&answer["role"], &answer["user"]["username"]), (&json!("moderator"), &json!("bob")));
    put(ann, "dan", "moderator").await.expect(404);
    assert_eq!(put(ann, "bob", "king").await.expect(422).fields(), [("role".into(), "invalid".into())]);
    put(bob, "bob", "owner").await.expect(403);
    bob.patch(&path, json!({"name": "Bob's"})).await.expect(200);
    cid.patch(&path, json!({"name": "Cid's"})).await.expect(403);
    bob.delete(&path).await.expect(403);
    bob.delete(&format!("{path}/members/ann")).await.expect(403);
    cid.delete(&format!("{path}/members/bob")).await.expect(403);
    put(ann, "cid", "moderator").await.expect(200);
    cid.delete(&format!("{path}/members/bob")).await.expect(403);
    put(ann, "cid", "member").await.expect(200);
    let post = share(cid, &id, "Low tide.").await;
    let other = share(ann, &id, "High tide.").await;
    let comment = dan.comment(&other, "Is it?").await;
    dan.delete(&format!("/posts/{post}")).await.expect(403);
    cid.delete(&format!("/posts/{other}")).await.expect(403);
    bob.patch(&format!("/posts/{post}"), json!({"content": "Bob's"})).await.expect(403);
    app.settle().await;
    bob.delete(&format!("/posts/{other}/comments/{comment}")).await.expect(204);
    bob.delete(&format!("/posts/{post}")).await.expect(204);
    cid.get(&format!("/posts/{post}")).await.expect(404);
    app.settle().await;
    assert_eq!(ann.get(&format!("/posts/{other}")).await.expect(200).json()["comments_count"], 0);
    bob.delete(&format!("{path}/members/cid")).await.expect(204);
    bob.delete(&format!("{path}/members/cid")).await.expect(404);
    assert_eq!(members(ann, &id).await, pairs(&[("ann", "owner"), ("bob", "moderator")]));
    // The last owner stays, whatever is tried.
    ann.post(&format!("{path}/leave"), None).await.expect(409).problem("last-owner");
    ann.delete(&format!("{path}/members/me")).await.expect(409).problem("last-owner");
    put(ann, "me", "member").await.expect(409).problem("last-owner");
    put(ann, "bob", "owner").await.expect(200);
    put(bob, "ann", "member").await.expect(200);
    ann.patch(&path, json!({"name": "Ann's"})).await.expect(403);
    bob.post(&format!("{path}/leave"), None).await.expect(409);
    ann.post(&format!("{path}/leave"), None).await.expect(200);
    app.settle().await;
    assert_eq!(members(bob, &id).await, pairs(&[("bob", "owner")]));
    app.audit().await;
}

#[tokio::test]
async fn of_ten_owners_who_leave_at_once_one_stays() {
    let app = TestApp::start().await;
    let names: Vec<String> = (0..10).map(|n| format!("owner{n}")).collect();
    let people = join_all(names.iter().map(|name| app.user(name))).await;
    let id = group(&people[0], "public").await;
    for user in &people[1..] {
        user.post(&format!("/groups/{id}/join"), None).await.expect(200);
        set_role(&people[0], &id, user, "owner").await;
    }
    app.settle().await;
    let leave = format!("/groups/{id}/leave");
    let demote = |user: &User| user.put(&format!("/groups/{id}/members/me"), json!({"role": "member"})).into_future();
    // Half of them leave, half give the role away: both end an owner.
    let (leave, demote) = (&leave, &demote);
    let acts = people
        .iter()
        .enumerate()
        .map(|(n, user)| async move { if n % 2 == 0 { user.post(leave, None).await } else { demote(user).await } });
    let answers: Vec<u16> = join_all(acts).await.into_iter().map(|answer| answer.status).collect();
    assert_eq!(answers.iter().filter(|status| **status == 409).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [200, 409].contains(status)), "{answers:?}");
    app.settle().await;
    let left = members(&people[0], &id).await;
    assert_eq!(left.iter().filter(|(_, role)| role == "owner").count(), 1, "{left:?}");
    app.audit().await;
}
