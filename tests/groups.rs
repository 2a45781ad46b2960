//! Groups: who is in them, and what is shared there. Who may do what: `group_roles`; what nobody else sees:
//! `groups_private`.

use crate::support::bulk::crowd;
use crate::support::files::{photo, upload};
use crate::support::lists::{ids, page_ids, walk};
use crate::support::{Client, PASSWORD, TestApp, User};
use emulators::faults::{Faults, Profile};
use futures::future::{join, join_all};
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::models::group::MAX_GROUPS;
use std::time::Duration;

/// Makes a group; its id.
pub(crate) async fn group(user: &Client, visibility: &str) -> String {
    let body = json!({"name": "Waders", "visibility": visibility});
    let group = user.post("/groups", body).await.expect(201).json();
    group["id"].as_str().expect("an id").to_owned()
}

/// Asks to join, and is let in.
pub(crate) async fn let_in(owner: &Client, group: &str, user: &User) {
    user.post(&format!("/groups/{group}/join"), None).await.expect(202);
    owner.post(&format!("/groups/{group}/requests/{}/approve", user.id), None).await.expect(200);
}

pub(crate) async fn set_role(owner: &Client, group: &str, user: &User, role: &str) {
    owner.put(&format!("/groups/{group}/members/{}", user.id), json!({ "role": role })).await.expect(200);
}

/// Shares a text in a group; the post's id.
pub(crate) async fn share(user: &Client, group: &str, content: &str) -> String {
    let post = user.post(&format!("/groups/{group}/posts"), json!({ "content": content })).await.expect(201).json();
    assert_eq!(post["group_id"], group);
    post["id"].as_str().expect("an id").to_owned()
}

/// Who is in a group, and in which role, by name; `-` for somebody hidden.
pub(crate) async fn members(user: &Client, group: &str) -> Vec<(String, String)> {
    let name = |member: &Value| member["user"]["username"].as_str().unwrap_or("-").to_owned();
    let found = walk(user, &format!("/groups/{group}/members?limit=2")).await;
    let mut members: Vec<_> =
        found.iter().map(|member| (name(member), member["role"].as_str().unwrap().to_owned())).collect();
    members.sort();
    members
}

pub(crate) fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, role)| ((*name).to_owned(), (*role).to_owned())).collect()
}

async fn count(user: &Client, group: &str) -> Value {
    user.get(&format!("/groups/{group}")).await.expect(200).json()["members_count"].clone()
}

#[tokio::test]
async fn a_group_is_made_described_and_deleted() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let body = json!({"name": " Waders ", "description": "Low tide.", "visibility": "public"});
    let made = ann.post("/groups", body.clone()).header("idempotency-key", "one").await.expect(201);
    let again = ann.post("/groups", body).header("idempotency-key", "one").await.expect(201);
    assert_eq!((made.json(), again.header("idempotency-replayed")), (again.json(), "true"));
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/groups/{id}");
    assert_eq!(made.header("location"), path);
    let shown = ann.get(&path).await.expect(200);
    let is = shown.json();
    assert_eq!(
        (&is["name"], &is["description"], &is["visibility"]),
        (&json!("Waders"), &json!("Low tide."), &json!("public"))
    );
    assert_eq!((&is["role"], &is["status"], &is["members_count"]), (&json!("owner"), &json!("member"), &json!(1)));
    assert_eq!(is["members"]["items"][0]["user"]["username"], "ann");
    let seen = bob.get(&path).await.expect(200).json();
    assert_eq!((&seen["role"], &seen["status"]), (&Value::Null, &json!("none")));

    let etag = shown.header("etag").to_owned();
    let change = json!({"name": "Waders of the estuary", "description": null, "visibility": "public"});
    let changed = ann.patch(&path, change.clone()).header("if-match", &etag).await.expect(200);
    assert_eq!((&changed.json()["name"], &changed.json()["description"]), (&change["name"], &Value::Null));
    ann.patch(&path, change).header("if-match", &etag).await.expect(412).problem("precondition-failed");
    let refused = ann.patch(&path, json!({"visibility": "private"})).await.expect(422);
    assert_eq!(refused.fields(), [("visibility".into(), "fixed".into())]);
    for (body, expected) in [
        (json!({}), vec![("name", "required")]),
        (json!({"name": " ", "visibility": "secret"}), vec![("name", "empty"), ("visibility", "invalid")]),
        (json!({"name": "x".repeat(81), "visibility": "public"}), vec![("name", "too_long")]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|(field, code)| (field.to_owned(), code.to_owned())).collect();
        assert_eq!(ann.post("/groups", body).await.expect(422).fields(), expected);
    }

    bob.patch(&path, json!({"name": "Mine"})).await.expect(403).problem("forbidden");
    bob.delete(&path).await.expect(403).problem("forbidden");
    let secret = group(&ann, "private").await;
    assert_eq!(page_ids(&ann, "/groups").await, [secret.clone(), id.clone()]);
    assert_eq!(ids(&walk(&ann, "/groups?limit=1").await), [secret.clone(), id.clone()]);
    assert_eq!(page_ids(&bob, "/groups").await, [""; 0]);
    assert_eq!(page_ids(&bob, "/groups?discover=true").await, [id.as_str()], "no private one");
    bob.get(&format!("/groups/{id}x")).await.expect(404);

    bob.post(&format!("{path}/join"), None).await.expect(200);
    let post = share(&bob, &id, "Low tide. #waders").await;
    let media = upload(&bob, "image/jpeg", photo()).await;
    bob.post(&format!("{path}/posts"), json!({"media_ids": [media]})).await.expect(201);
    bob.follow(&ann).await;
    ann.follow(&bob).await;
    ann.comment(&post, "Is it?").await;
    app.settle().await;
    app.audit().await;
    app.pause_workers().await;
    ann.delete(&path).header("if-match", "\"1-x\"").await.expect(412);
    ann.delete(&path).await.expect(204);
    for user in [&ann, &bob] {
        for path in [path.clone(), format!("{path}/members"), format!("{path}/posts"), format!("/posts/{post}")] {
            user.get(&path).await.expect(404).problem("not-found");
        }
        user.post(&format!("{path}/join"), None).await.expect(404);
        user.post(&format!("{path}/posts"), json!({"content": "Late."})).await.expect(404);
        assert!(!page_ids(user, "/groups").await.contains(&id));
        assert_eq!(page_ids(user, "/groups?discover=true").await, [""; 0]);
        assert_eq!(page_ids(user, "/posts/search?q=tide").await, [""; 0]);
        assert_eq!(user.feed().await, [""; 0]);
    }
    app.resume_workers().await;
    app.settle().await;
    app.audit().await;
    let ulid = id.trim_start_matches("grp_");
    let left: Vec<_> =
        app.table().await.into_keys().filter(|(pk, sk)| pk.contains(ulid) || sk.contains(ulid)).collect();
    let left: Vec<_> = left.into_iter().filter(|(pk, _)| !pk.starts_with("NE#") && !pk.starts_with("TL#")).collect();
    assert!(left.is_empty(), "left of the group: {left:?}");
}

#[tokio::test]
async fn a_public_group_is_joined_at_once_and_left() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let id = group(&ann, "public").await;
    let (join_path, leave) = (format!("/groups/{id}/join"), format!("/groups/{id}/leave"));
    let both = join(bob.post(&join_path, None).into_future(), bob.post(&join_path, None).into_future()).await;
    for answer in [both.0, both.1] {
        assert_eq!(answer.expect(200).json(), json!({"role": "member", "status": "member"}));
    }
    assert_eq!(count(&bob, &id).await, 2, "one's own act is counted at once");
    app.settle().await;
    assert_eq!(count(&ann, &id).await, 2);
    assert_eq!(members(&ann, &id).await, pairs(&[("ann", "owner"), ("bob", "member")]));
    for _ in 0..2 {
        assert_eq!(bob.post(&leave, None).await.expect(200).json(), json!({"role": null, "status": "none"}));
    }
    assert_eq!(members(&ann, &id).await, pairs(&[("ann", "owner")]));
    assert_eq!(count(&bob, &id).await, 1);
    app.settle().await;
    assert_eq!(count(&ann, &id).await, 1);
    app.audit().await;
    // In and out, over and over, while the counter runs after.
    let people = ["cid", "dan", "eve"];
    let people = join_all(people.map(|name| app.user(name))).await;
    join_all(people.iter().map(|user| async {
        for turn in 0..9 {
            let path = if turn % 2 == 0 { &join_path } else { &leave };
            user.post(path, None).await.expect(200);
        }
    }))
    .await;
    app.settle().await;
    assert_eq!(count(&ann, &id).await, 4);
    app.audit().await;
}

#[tokio::test]
async fn a_private_group_is_joined_by_approval() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let id = group(&ann, "private").await;
    let path = format!("/groups/{id}");
    for _ in 0..2 {
        let answer = bob.post(&format!("{path}/join"), None).await.expect(202).json();
        assert_eq!(answer, json!({"role": null, "status": "requested"}), "twice is once");
    }
    let seen = bob.get(&path).await.expect(200).json();
    assert_eq!(
        (&seen["status"], &seen["members"], &seen["name"]),
        (&json!("requested"), &Value::Null, &json!("Waders"))
    );
    for hidden in ["/members", "/posts", "/requests"] {
        bob.get(&format!("{path}{hidden}")).await.expect(404).problem("not-found");
    }
    bob.post(&format!("{path}/posts"), json!({"content": "Low tide."})).await.expect(404);
    bob.post(&format!("{path}/requests/bob/approve"), None).await.expect(404);
    cid.post(&format!("{path}/join"), None).await.expect(202);
    let asking = walk(&ann, &format!("{path}/requests?limit=1")).await;
    assert_eq!(asking.iter().map(|one| &one["user"]["username"]).collect::<Vec<_>>(), ["bob", "cid"]);
    ann.post(&format!("{path}/requests/dan/approve"), None).await.expect(404);
    for _ in 0..2 {
        let approved = ann.post(&format!("{path}/requests/BOB/approve"), None).await.expect(200).json();
        assert_eq!(approved, json!({"role": "member", "status": "member"}));
    }
    bob.get(&format!("{path}/requests")).await.expect(403).problem("forbidden");
    bob.post(&format!("{path}/requests/cid/approve"), None).await.expect(403);
    bob.get(&format!("{path}/posts")).await.expect(200);
    assert_eq!(bob.post(&format!("{path}/join"), None).await.expect(200).json()["role"], "member");
    ann.post(&format!("{path}/requests/cid/deny"), None).await.expect(204);
    ann.post(&format!("{path}/requests/cid/deny"), None).await.expect(404);
    cid.get(&format!("{path}/members")).await.expect(404);
    assert_eq!(cid.get(&path).await.json()["status"], "none");
    // A user whose request is open asks no more.
    cid.post(&format!("{path}/join"), None).await.expect(202);
    cid.post(&format!("{path}/leave"), None).await.expect(200);
    ann.post(&format!("{path}/requests/cid/approve"), None).await.expect(404);
    app.settle().await;
    assert_eq!(members(&bob, &id).await, pairs(&[("ann", "owner"), ("bob", "member")]));
    app.audit().await;
}

#[tokio::test]
async fn whoever_asks_again_on_another_day_is_heard_again() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let id = group(&ann, "private").await;
    let asked = async |ann: &User| {
        app.settle().await;
        let events = ann.get("/notifications?limit=100&after=ntf_00000000000000000000000000").await.expect(200).items();
        events.iter().filter(|event| event["kind"] == "group_request").count()
    };
    for _ in 0..2 {
        bob.post(&format!("/groups/{id}/join"), None).await.expect(202);
        assert_eq!(asked(&ann).await, 1, "once a day");
        ann.post(&format!("/groups/{id}/requests/bob/deny"), None).await.expect(204);
    }
    app.advance(Duration::from_secs(25 * 3600));
    let (ann, bob) = (app.sign_in("ann", PASSWORD).await, app.sign_in("bob", PASSWORD).await);
    bob.post(&format!("/groups/{id}/join"), None).await.expect(202);
    assert_eq!(asked(&ann).await, 2);
    app.audit().await;
}

#[tokio::test]
async fn of_approval_and_denial_at_once_one_holds() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let id = group(&ann, "private").await;
    let mut let_in = 1;
    for turn in 0..8 {
        let user = app.user(&format!("bob{turn}")).await;
        user.post(&format!("/groups/{id}/join"), None).await.expect(202);
        let answer = |verb: &str| ann.post(&format!("/groups/{id}/requests/{}/{verb}", user.id), None).into_future();
        let (approved, denied) = join(answer("approve"), answer("deny")).await;
        let is_member = user.get(&format!("/groups/{id}")).await.expect(200).json()["status"] == "member";
        assert_eq!((approved.status, denied.status), if is_member { (200, 404) } else { (404, 204) });
        let_in += i32::from(is_member);
    }
    app.settle().await;
    assert_eq!(count(&ann, &id).await, let_in);
    app.audit().await;
}

#[tokio::test]
async fn what_is_shared_reaches_members_who_follow_and_stands_in_the_group_alone() {
    let app = TestApp::start().await;
    let people = join_all(["ann", "bob", "cid", "dan"].map(|name| app.user(name))).await;
    let [ann, bob, cid, dan] = &people[..] else { unreachable!() };
    let id = group(ann, "public").await;
    for user in [bob, cid] {
        user.post(&format!("/groups/{id}/join"), None).await.expect(200);
    }
    for user in [bob, dan] {
        user.follow(ann).await;
    }
    app.settle().await;
    dan.post(&format!("/groups/{id}/posts"), json!({"content": "Low tide."})).await.expect(403).problem("forbidden");
    dan.post("/posts", json!({"content": "Low tide.", "group_id": id})).await.expect(403);
    let later = (Clock::default().now() + Duration::from_secs(3_600)).rfc3339();
    for path in ["/posts".to_owned(), format!("/groups/{id}/posts")] {
        let body = json!({"content": "Low tide.", "group_id": id, "publish_at": later});
        assert_eq!(ann.post(&path, body).await.expect(422).fields(), [("publish_at".into(), "not_allowed".into())]);
    }
    let other = group(ann, "public").await;
    let refused = ann.post(&format!("/groups/{id}/posts"), json!({"content": "Tide.", "group_id": other})).await;
    assert_eq!(refused.expect(422).fields(), [("group_id".into(), "another".into())]);
    let post = ann.post("/posts", json!({"content": "Low tide. #waders", "group_id": id})).await.expect(201);
    assert_eq!(
        (post.json()["group_id"].as_str(), post.header("location").starts_with("/posts/pst_")),
        (Some(&*id), true)
    );
    let post = post.json()["id"].as_str().unwrap().to_owned();
    let second = share(ann, &id, "High tide.").await;
    app.settle().await;
    let newest = [second.clone(), post.clone()];
    assert_eq!(bob.feed().await, newest);
    assert_eq!(cid.feed().await, [""; 0], "does not follow");
    assert_eq!(dan.feed().await, [""; 0], "is no member");
    assert_eq!(page_ids(ann, "/feed?include_own=true").await, newest);
    assert_eq!(ids(&walk(cid, &format!("/groups/{id}/posts?limit=1")).await), newest);
    assert_eq!(page_ids(ann, "/users/ann/posts").await, [""; 0]);
    assert_eq!(ann.get("/users").await.json()["posts_count"], 0);
    // A public group's posts are like any others to everybody.
    assert_eq!(dan.get(&format!("/posts/{post}")).await.expect(200).json()["group_id"], *id);
    assert_eq!(page_ids(dan, "/posts/search?hashtag=waders").await, [post.as_str()]);
    let comment = dan.comment(&post, "Is it?").await;
    assert_eq!(dan.get(&format!("/posts/{comment}")).await.expect(200).json()["group_id"], *id);
    dan.post(&format!("/posts/{post}/like"), None).await.expect(200);
    bob.unfollow(ann).await;
    assert_eq!(bob.feed().await, [""; 0]);
    ann.patch(&format!("/posts/{post}"), json!({"content": "Spring tide."})).await.expect(200);
    app.settle().await;
    app.audit().await;
    let shown = cid.get(&format!("/posts/{post}")).await.expect(200).json();
    assert_eq!((&shown["likes_count"], &shown["comments_count"]), (&json!(1), &json!(1)));
    ann.delete(&format!("/posts/{post}")).await.expect(204);
    assert_eq!(page_ids(cid, &format!("/groups/{id}/posts")).await, [second]);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn who_asks_and_who_is_let_in_is_told() {
    let app = TestApp::start().await;
    let people = join_all(["ann", "bob", "cid", "dan"].map(|name| app.user(name))).await;
    let [ann, bob, cid, dan] = &people[..] else { unreachable!() };
    let id = group(ann, "private").await;
    bob.post(&format!("/groups/{id}/join"), None).await.expect(202);
    // A request that is answered before anybody was told of it is told to nobody.
    app.settle().await;
    ann.post(&format!("/groups/{id}/requests/bob/approve"), None).await.expect(200);
    set_role(ann, &id, bob, "moderator").await;
    ann.post("/users/dan/block", None).await.expect(200);
    app.settle().await;
    for user in [cid, dan] {
        user.post(&format!("/groups/{id}/join"), None).await.expect(202);
    }
    app.settle().await;
    let told = async |user: &User| -> Vec<(String, Vec<String>, Value)> {
        let entry = |one: &Value| {
            let actors =
                one["actors"].as_array().unwrap().iter().map(|actor| actor["username"].as_str().unwrap().to_owned());
            (one["kind"].as_str().unwrap().to_owned(), actors.collect(), one["group_id"].clone())
        };
        user.get("/notifications").await.expect(200).items().iter().map(entry).collect()
    };
    let request = |names: &[&str]| {
        ("group_request".to_owned(), names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), json!(id))
    };
    // Bob's own request joined the same one, for Ann has not read it.
    assert_eq!(told(ann).await, [request(&["cid", "bob"])], "never of the blocked");
    let accepted = ("group_accepted".to_owned(), vec!["ann".to_owned()], json!(id));
    assert_eq!(told(bob).await, [request(&["dan", "cid"]), accepted.clone()]);
    cid.patch("/users/settings", json!({"notify": {"group": {"list": false}}})).await.expect(200);
    bob.post(&format!("/groups/{id}/requests/cid/approve"), None).await.expect(200);
    bob.post(&format!("/groups/{id}/requests/dan/approve"), None).await.expect(200);
    app.settle().await;
    assert_eq!(told(cid).await, []);
    assert_eq!(told(dan).await, [("group_accepted".to_owned(), vec!["bob".to_owned()], json!(id))]);
    // A moderator no more, Bob does not see who asked.
    set_role(ann, &id, bob, "member").await;
    assert_eq!(told(bob).await, [accepted]);
    app.audit().await;
}

#[tokio::test]
async fn of_the_blocked_members_see_that_somebody_is_there() {
    let app = TestApp::start().await;
    let people = join_all(["ann", "bob"].map(|name| app.user(name))).await;
    let [ann, bob] = &people[..] else { unreachable!() };
    let id = group(ann, "private").await;
    let_in(ann, &id, bob).await;
    let post = share(ann, &id, "Low tide.").await;
    bob.post("/users/ann/block", None).await.expect(200);
    assert_eq!(members(bob, &id).await, pairs(&[("-", "owner"), ("bob", "member")]));
    assert_eq!(members(ann, &id).await, pairs(&[("ann", "owner"), ("bob", "member")]), "an owner sees who");
    let page = bob.get(&format!("/groups/{id}")).await.expect(200);
    assert!(!page.text().contains(ann.id.trim_start_matches("usr_")), "{}", page.text());
    assert_eq!(page_ids(bob, &format!("/groups/{id}/posts")).await, [""; 0]);
    bob.get(&format!("/posts/{post}")).await.expect(404);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn somebody_is_in_fifty_groups_at_most() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let (open, closed) = (group(&bob, "public").await, group(&bob, "private").await);
    ann.post(&format!("/groups/{closed}/join"), None).await.expect(202);
    for _ in 0..MAX_GROUPS {
        group(&ann, "private").await;
    }
    for refused in [
        ann.post("/groups", json!({"name": "Waders", "visibility": "public"})).await,
        ann.post(&format!("/groups/{open}/join"), None).await,
        bob.post(&format!("/groups/{closed}/requests/ann/approve"), None).await,
    ] {
        refused.expect(409).problem("limit-reached");
    }
    assert_eq!(walk(&ann, "/groups?limit=20").await.len(), MAX_GROUPS);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn membership_holds_for_somebody_who_stands_apart_from_many() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let id = group(&ann, "private").await;
    let_in(&ann, &id, &bob).await;
    bob.follow(&ann).await;
    app.settle().await;
    let post = share(&ann, &id, "Low tide.").await;
    app.settle().await;
    for user in [&bob, &cid] {
        crowd(&app, user).await;
    }
    bob.get(&format!("/posts/{post}")).await.expect(200);
    assert_eq!(bob.feed().await, [post.as_str()]);
    assert_eq!(page_ids(&bob, "/groups").await, [id.as_str()]);
    assert_eq!(bob.get(&format!("/groups/{id}")).await.expect(200).json()["role"], "member");
    assert_eq!(page_ids(&bob, &format!("/groups/{id}/posts")).await, [post.as_str()]);
    cid.get(&format!("/posts/{post}")).await.expect(404);
    cid.get(&format!("/groups/{id}/members")).await.expect(404);
    bob.post(&format!("/groups/{id}/leave"), None).await.expect(200);
    bob.get(&format!("/posts/{post}")).await.expect(404);
    assert_eq!(bob.feed().await, [""; 0]);
}

#[tokio::test]
async fn workers_that_die_and_messages_that_come_again_change_nothing() {
    let app = TestApp::with(|options| options.faults = Some(Faults::new(Profile::Redelivery))).await;
    let people = join_all(["ann", "bob", "cid", "dan"].map(|name| app.user(name))).await;
    let [ann, bob, cid, dan] = &people[..] else { unreachable!() };
    let (stays, goes) = (group(ann, "private").await, group(ann, "private").await);
    for id in [&stays, &goes] {
        for user in [bob, cid] {
            let_in(ann, id, user).await;
        }
        dan.post(&format!("/groups/{id}/join"), None).await.expect(202);
    }
    for user in [bob, cid] {
        user.follow(ann).await;
    }
    app.settle().await;
    let mut posts = Vec::new();
    for turn in 0..6 {
        posts.insert(0, share(ann, &stays, "Low tide.").await);
        let post = share(bob, &goes, "High tide. #waders").await;
        if turn % 2 == 0 {
            cid.post(&format!("/posts/{post}/like"), None).await.expect(200);
            cid.comment(&post, "Is it?").await;
        }
        let (path, status) = if turn % 2 == 0 { ("leave", 200) } else { ("join", 202) };
        cid.post(&format!("/groups/{goes}/{path}"), None).await.expect(status);
        if turn % 2 == 1 {
            ann.post(&format!("/groups/{goes}/requests/cid/approve"), None).await.expect(200);
        }
    }
    cid.post(&format!("/groups/{stays}/leave"), None).await.expect(200);
    app.settle().await;
    assert_eq!((count(ann, &stays).await, count(ann, &goes).await), (json!(2), json!(3)));
    assert_eq!((bob.feed().await, cid.feed().await), (posts, vec![]));
    ann.delete(&format!("/groups/{goes}")).await.expect(204);
    app.settle().await;
    app.audit().await;
    let ulid = goes.trim_start_matches("grp_");
    let left: Vec<_> = app.table().await.into_keys().filter(|(pk, _)| pk.starts_with(&format!("G#{ulid}"))).collect();
    assert!(left.is_empty(), "left of the group: {left:?}");
    assert_eq!(page_ids(ann, "/groups").await, [stays]);
}
