//! Writes that meet. A request acts on what it read; what is written meanwhile it has to find. Where that is one moment
//! between two calls, the store is asked with what was read before.

use crate::groups::{group, let_in};
use crate::support::bulk::{app_of, people};
use crate::support::lists::{page_ids, walk};
use crate::support::{TestApp, User};
use futures::future::{join, join_all};
use serde_json::{Value, json};
use shared::App;
use shared::ids::{GroupId, NotificationId, PostId, SessionId, UserId, new_ulid};
use shared::models::fields::FieldValue;
use shared::models::group::{GroupName, Role};
use shared::models::notification::{Act, NotificationKind, Topic};
use shared::models::post::{Content, Draft, Post};
use shared::models::settings::Ways;
use shared::models::socket::{Channel, SOCKET_OPENING};
use shared::models::viewer::Relationship;
use shared::store::{follows, groups, likes, notification_cleanup, notifications, posts, relationships, sockets};
use shared::table::Read;

fn id(user: &User) -> UserId {
    user.id.parse().expect("an id")
}

/// A user's relationship to another, and whether it has an end.
async fn between(app: &TestApp, users: &App, of: &User, other: &User) -> (Relationship, bool) {
    let key = shared::table::design::key::relationship(id(of), id(other));
    let item = app.table().await.remove(&(key.pk().to_owned(), key.sk().to_owned())).unwrap_or_default();
    (relationships::get(users, id(of), id(other)).await.unwrap(), !item["ttl"].is_null())
}

#[tokio::test]
async fn a_follow_finds_a_block_or_a_mute_that_came_after_it_was_read() {
    let app = TestApp::start().await;
    let users = app_of(&app, "users");
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    ann.post("/users/bob/block", None).await.expect(200);
    for (from, to) in [(&ann, &bob), (&bob, &ann)] {
        let refused = follows::follow(&users, id(from), id(to), Relationship::default()).await.unwrap_err();
        assert_eq!(refused.status(), 404);
        assert_eq!(follows::edge(&users, id(from), id(to), Read::Strong).await.unwrap(), None);
    }
    ann.delete("/users/bob/block").await.expect(200);
    ann.post("/users/bob/mute", None).await.expect(200);
    follows::follow(&users, id(&ann), id(&bob), Relationship::default()).await.unwrap();
    let (found, ends) = between(&app, &users, &ann, &bob).await;
    assert!(found.mute && !ends, "{found:?}");
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn an_unfollow_finds_a_block_or_a_mute_that_came_after_it_was_read() {
    let app = TestApp::start().await;
    let users = app_of(&app, "users");
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    app.pause_workers().await;
    ann.follow(&bob).await;
    ann.post("/users/bob/mute", None).await.expect(200);
    follows::unfollow(&users, id(&ann), id(&bob), Relationship::default()).await.unwrap();
    let (found, ends) = between(&app, &users, &ann, &bob).await;
    assert!(found.mute && !ends, "{found:?}");
    ann.delete("/users/bob/mute").await.expect(200);
    ann.follow(&bob).await;
    bob.post("/users/ann/block", None).await.expect(200);
    for known in [Relationship::default(), relationships::get(&users, id(&ann), id(&bob)).await.unwrap()] {
        follows::unfollow(&users, id(&ann), id(&bob), known).await.unwrap();
        let (found, ends) = between(&app, &users, &ann, &bob).await;
        assert!(found.blocked_by && !ends, "{found:?}");
    }
    app.resume_workers().await;
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn a_mute_that_ends_finds_a_block_that_came_after_it_was_read() {
    let app = TestApp::start().await;
    let users = app_of(&app, "users");
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    ann.post("/users/bob/mute", None).await.expect(200);
    let known = relationships::get(&users, id(&ann), id(&bob)).await.unwrap();
    bob.post("/users/ann/block", None).await.expect(200);
    relationships::unmute(&users, id(&ann), id(&bob), known).await.unwrap();
    let (found, ends) = between(&app, &users, &ann, &bob).await;
    assert!(found.blocked_by && !found.mute && !ends, "{found:?}");
    app.audit().await;
}

#[tokio::test]
async fn whoever_is_muted_after_an_unfollow_stays_muted() {
    let app = TestApp::start().await;
    let users = app_of(&app, "users");
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    ann.follow(&bob).await;
    ann.unfollow(&bob).await;
    assert!(between(&app, &users, &ann, &bob).await.1);
    ann.post("/users/bob/mute", None).await.expect(200);
    assert!(!between(&app, &users, &ann, &bob).await.1, "what hides an unfollowed one ends, a mute does not");
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn blocks_that_end_beside_mutes_leave_the_mutes() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let others = people(&app, "bob", 24).await;
    for bob in &others {
        ann.post(&format!("/users/{}/block", bob.id), None).await.expect(200);
    }
    let both = others.iter().map(|bob| async {
        let mute = async {
            // Refused while the block stands.
            while ann.post(&format!("/users/{}/mute", bob.id), None).await.status == 404 {}
        };
        join(ann.delete(&format!("/users/{}/block", bob.id)).into_future(), mute).await.0.expect(200);
    });
    join_all(both).await;
    for bob in &others {
        assert_eq!(ann.get(&format!("/users/{}", bob.id)).await.expect(200).json()["muted"], true);
    }
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn whoever_is_blocked_many_times_at_once_is_blocked_once() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let others = people(&app, "bob", 8).await;
    let path = |bob: &UserId| format!("/users/{bob}/block");
    join_all(others.iter().flat_map(|bob| [bob.id; 4]).map(|bob| ann.post(&path(&bob), None).into_future())).await;
    assert_eq!(page_ids(&ann, "/users/blocked").await.len(), 8);
    for bob in &others {
        ann.delete(&path(&bob.id)).await.expect(200);
    }
    assert_eq!(page_ids(&ann, "/users/blocked").await, [""; 0]);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn a_role_that_was_lost_or_given_meanwhile_is_found() {
    let app = TestApp::start().await;
    let store = app_of(&app, "groups");
    let names = ["ann", "bob", "cid", "dan"];
    let users = join_all(names.map(|name| app.user(name))).await;
    let [ann, bob, cid, dan] = &users[..] else { unreachable!() };
    let path = group(ann, "private").await;
    let (group, path): (GroupId, _) = (path.parse().expect("an id"), format!("/groups/{path}"));
    for user in [bob, cid] {
        let_in(ann, &group.to_string(), user).await;
    }
    dan.post(&format!("{path}/join"), None).await.expect(202);
    let asking = || async { ann.get(&format!("{path}/requests")).await.expect(200).items() };
    let asked = asking().await;
    dan.post(&format!("{path}/join"), None).await.expect(202);
    assert_eq!(asking().await, asked, "twice is once");
    // Bob was a moderator when this was read, and an owner.
    let by = (id(bob), Role::Moderator);
    for refused in [
        groups::approve(&store, group, id(dan), by).await.map(drop),
        groups::deny(&store, group, id(dan), by).await,
        groups::leave(&store, group, id(cid), Some(by)).await.map(drop),
        groups::set_role(&store, group, id(cid), Role::Moderator, id(bob)).await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().status(), 403);
    }
    let old = groups::get(&store, group, Read::Strong).await.unwrap().unwrap();
    assert!(!groups::delete(&store, &old, id(bob)).await.unwrap());
    // And Ann no member.
    assert_eq!(groups::join(&store, group, id(ann)).await.unwrap(), Role::Owner);
    assert_eq!(groups::ask(&store, group, id(ann)).await.unwrap(), Some(Role::Owner));
    assert_eq!(asking().await, asked);
    let members = walk(ann, &format!("{path}/members")).await;
    let mut roles: Vec<_> = members.iter().map(|one| one["role"].as_str().unwrap()).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["member", "member", "owner"]);
    // Nor does anybody share anything who was removed.
    ann.delete(&format!("{path}/members/cid")).await.expect(204);
    let post = PostId::shared_in(Some(group), new_ulid(store.now()), id(cid));
    let post = Post::new(post, Draft::text(&Content::parse(&json!("Late.")).unwrap(), Vec::new()));
    assert!(posts::create(&store, &post, None).await.is_err());
    assert_eq!(page_ids(ann, &format!("{path}/posts")).await, [""; 0]);
    // The group was changed since it was read, and is deleted in the end.
    ann.patch(&path, json!({"name": "Terns"})).await.expect(200);
    let edit = groups::Edit { name: Some(GroupName::parse(&json!("Auks")).unwrap()), ..groups::Edit::default() };
    assert!(groups::edit(&store, &old, edit).await.unwrap().is_none());
    assert!(!groups::delete(&store, &old, id(ann)).await.unwrap());
    let old = groups::get(&store, group, Read::Strong).await.unwrap().unwrap();
    app.settle().await;
    app.audit().await;
    app.pause_workers().await;
    ann.delete(&path).await.expect(204);
    assert!(!groups::delete(&store, &old, id(ann)).await.unwrap());
    let edit = groups::Edit { name: Some(GroupName::parse(&json!("Auks")).unwrap()), ..groups::Edit::default() };
    assert!(groups::edit(&store, &old, edit).await.unwrap().is_none());
    app.resume_workers().await;
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn whoever_is_given_a_role_and_leaves_at_once_has_left_or_has_it() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let path = format!("/groups/{}", group(&ann, "public").await);
    for bob in people(&app, "bob", 16).await {
        bob.post(&format!("{path}/join"), None).await.expect(200);
        let given = ann.put(&format!("{path}/members/{}", bob.id), json!({"role": "moderator"}));
        let left = bob.post(&format!("{path}/leave"), None);
        let (given, left) = join(given.into_future(), left.into_future()).await;
        assert!([200, 404].contains(&given.status), "{}", given.text());
        left.expect(200);
        assert_eq!(bob.get(&path).await.expect(200).json()["status"], "none");
    }
    app.settle().await;
    assert_eq!(ann.get(&path).await.expect(200).json()["members_count"], 1);
    app.audit().await;
}

async fn session(user: &User) -> SessionId {
    let sessions = user.get("/users/sessions").await.expect(200).items();
    sessions[0]["id"].as_str().expect("an id").parse().expect("an id")
}

#[tokio::test]
async fn no_socket_opens_for_a_session_that_has_ended_meanwhile() {
    let app = TestApp::start().await;
    let realtime = app_of(&app, "realtime");
    let ann = app.user("ann").await;
    let session = session(&ann).await;
    ann.post("/users/logout", None).await.expect(204);
    let refused = sockets::open(&realtime, id(&ann), session, Channel::Notifications, "late").await.unwrap_err();
    assert_eq!(refused.status(), 401);
    assert_eq!(sockets::of_user(&realtime, id(&ann)).await.unwrap(), []);
}

#[tokio::test]
async fn a_socket_that_closes_late_takes_no_place_from_another() {
    let app = TestApp::start().await;
    let realtime = app_of(&app, "realtime");
    let ann = app.user("ann").await;
    let _socket = ann.listen(&app).await;
    let open = sockets::of_user(&realtime, id(&ann)).await.unwrap();
    sockets::purge(&realtime, id(&ann), open[0].slot, "another").await.unwrap();
    assert_eq!(sockets::of_user(&realtime, id(&ann)).await.unwrap(), open);
}

#[tokio::test]
async fn a_socket_that_is_not_open_yet_is_not_taken_for_gone() {
    let app = TestApp::start().await;
    let realtime = app_of(&app, "realtime");
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    // Noted, and nobody there.
    let session = session(&ann).await;
    assert_eq!(sockets::open(&realtime, id(&ann), session, Channel::Notifications, "opening").await.unwrap(), None);
    let open = async || sockets::of_user(&realtime, id(&ann)).await.unwrap().len();
    bob.follow(&ann).await;
    app.settle().await;
    assert_eq!(open().await, 1);
    app.advance(2 * SOCKET_OPENING);
    cid.follow(&ann).await;
    app.settle().await;
    assert_eq!(open().await, 0);
    app.audit().await;
}

const LISTED: Ways = Ways { live: true, list: true, mail: false };

fn topic(owner: &User, post: &str) -> Topic {
    let post: PostId = post.parse().expect("an id");
    Topic { kind: NotificationKind::Like, owner: id(owner), post: Some(post), group: None }
}

#[tokio::test]
async fn nothing_is_told_of_a_post_that_has_gone_meanwhile() {
    let app = TestApp::start().await;
    let store = app_of(&app, "notify");
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = ann.post_text("Low tide.").await;
    ann.delete(&format!("/posts/{post}")).await.expect(204);
    let act = Act { actor: id(&bob), event: new_ulid(store.now()) };
    assert_eq!(notifications::notify(&store, &topic(&ann, &post), &[act], LISTED).await.unwrap(), []);
    assert_eq!(ann.get("/notifications").await.expect(200).items(), [] as [Value; 0]);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn a_telling_beside_the_forgetting_of_another_leaves_both_right() {
    let app = TestApp::start().await;
    let store = app_of(&app, "notify");
    let users = join_all(["ann", "bob", "cid", "dan"].map(|name| app.user(name))).await;
    let [ann, bob, cid, dan] = &users[..] else { unreachable!() };
    app.settle().await;
    app.pause_workers().await;
    for _ in 0..16 {
        let post = ann.post_text("Low tide.").await;
        let topic = topic(ann, &post);
        let act = async |user: &User| {
            user.post(&format!("/posts/{post}/like"), None).await.expect(200);
            let edge = likes::edge(&store, id(user), post.parse().unwrap(), Read::Strong).await.unwrap();
            Act { actor: id(user), event: edge.expect("a like").created_at }
        };
        let (mut bobs, told, dans) = (None::<NotificationId>, [act(bob).await, act(cid).await], act(dan).await);
        for one in notifications::notify(&store, &topic, &told, LISTED).await.unwrap() {
            bobs = bobs.or(Some(one.id).filter(|_| one.act.actor == id(bob)));
        }
        let forgotten = notification_cleanup::purge_event(&store, id(ann), bobs.expect("an event"));
        let (told, forgotten) = join(notifications::notify(&store, &topic, &[dans], LISTED), forgotten).await;
        assert_eq!((told.unwrap().len(), forgotten.unwrap()), (1, ()));
        let newest = ann.get("/notifications?limit=1").await.expect(200).items().remove(0);
        let names: Vec<_> =
            newest["actors"].as_array().unwrap().iter().map(|one| one["username"].as_str().unwrap()).collect();
        assert_eq!((names, &newest["actors_count"]), (vec!["dan", "cid"], &json!(2)));
    }
}
