//! Groups in the background: who is told of what, and what comes too late to a group that is deleted.

use crate::groups::{group, let_in, share};
use crate::support::bulk::{self, app_of};
use crate::support::{TestApp, User};
use futures::future::join_all;
use serde_json::{Value, json};
use shared::ids::{GroupId, PostId, UserId, new_ulid};
use shared::jobs::FanoutJob;
use shared::models::fields::FieldValue;
use shared::models::group::{MAX_STAFF, Membership, Role};
use shared::models::post::{Content, Draft, Post};
use shared::store;
use shared::table::Op;
use shared::table::design::key;

async fn people<const N: usize>(app: &TestApp, names: [&str; N]) -> [User; N] {
    join_all(names.map(|name| app.user(name))).await.try_into().ok().expect("as many as names")
}

/// The kinds of somebody's notifications, and who did it.
async fn told(user: &User) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let actors =
        |one: &Value| one["actors"].as_array().expect("actors").iter().map(|who| text(&who["username"])).collect();
    let items = user.get("/notifications").await.expect(200).items();
    items.iter().map(|one| (text(&one["kind"]), actors(one))).collect()
}

async fn unread(user: &User) -> Value {
    user.get("/notifications/unread-count").await.expect(200).json()["unread_count"].clone()
}

/// The keys of all that is left of a group, but for what tells of it and ends by itself.
async fn left_of(app: &TestApp, group: &str) -> Vec<(String, String)> {
    let ulid = group.trim_start_matches("grp_");
    let names = |(pk, sk): &(String, String)| pk.contains(ulid) || sk.contains(ulid);
    let stays = |(pk, _): &(String, String)| pk.starts_with("NE#") || pk.starts_with("TL#");
    app.table().await.into_keys().filter(|key| names(key) && !stays(key)).collect()
}

#[tokio::test]
async fn whom_a_private_groups_post_names_is_told_as_a_member_alone() {
    let app = TestApp::start().await;
    let [ann, bob, cid] = people(&app, ["ann", "bob", "cid"]).await;
    let id = group(&ann, "private").await;
    let_in(&ann, &id, &bob).await;
    app.settle().await;
    for user in [&bob, &cid] {
        user.patch("/users/settings", json!({"notify": {"mention": {"mail": true}}})).await.expect(200);
    }
    let (mut bobs, mut cids) = (bob.listen(&app).await, cid.listen(&app).await);
    share(&ann, &id, "A sanderling, @bob and @cid.").await;
    bobs.expect("mention").await;
    app.settle().await;
    cids.is_silent().await;
    let mentions = async |user: &User| {
        app.mails_to(&user.email).await.iter().filter(|mail| mail.subject.contains("mentioned you")).count()
    };
    assert_eq!((mentions(&bob).await, mentions(&cid).await), (1, 0));
    assert_eq!((told(&cid).await, unread(&cid).await), (vec![], json!(0)));
}

#[tokio::test]
async fn what_is_over_before_the_telling_is_not_told() {
    let app = TestApp::start().await;
    let [ann, bob, cid] = people(&app, ["ann", "bob", "cid"]).await;
    let id = group(&ann, "private").await;
    let (join, leave) = (format!("/groups/{id}/join"), format!("/groups/{id}/leave"));
    cid.post(&join, None).await.expect(202);
    app.settle().await;
    app.pause_workers().await;
    bob.post(&join, None).await.expect(202);
    bob.post(&leave, None).await.expect(200);
    ann.post(&format!("/groups/{id}/requests/cid/approve"), None).await.expect(200);
    cid.post(&leave, None).await.expect(200);
    app.resume_workers().await;
    app.settle().await;
    // Nor any more what was told of one who was let in and has left.
    assert_eq!((told(&ann).await, unread(&ann).await), (vec![], json!(0)));
    assert_eq!((told(&cid).await, unread(&cid).await), (vec![], json!(0)));
    app.audit().await;
}

#[tokio::test]
async fn whoever_has_left_is_in_no_list_before_that_is_counted() {
    let app = TestApp::start().await;
    let [ann, bob] = people(&app, ["ann", "bob"]).await;
    let id = group(&ann, "public").await;
    bob.post(&format!("/groups/{id}/join"), None).await.expect(200);
    app.settle().await;
    app.pause_workers().await;
    bob.post(&format!("/groups/{id}/leave"), None).await.expect(200);
    let members = ann.get(&format!("/groups/{id}/members")).await.expect(200).items();
    assert_eq!(members.iter().map(|one| &one["user"]["username"]).collect::<Vec<_>>(), ["ann"]);
}

#[tokio::test]
async fn fifty_own_and_moderate_a_group_at_most() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let path = format!("/groups/{}", group(&ann, "public").await);
    for (n, one) in bulk::people(&app, "user", MAX_STAFF).await.iter().enumerate() {
        one.post(&format!("{path}/join"), None).await.expect(200);
        let answer = ann.put(&format!("{path}/members/{}", one.id), json!({"role": "moderator"})).await;
        match n + 1 < MAX_STAFF {
            true => drop(answer.expect(200)),
            false => drop(answer.expect(409).problem("limit-reached")),
        }
    }
}

#[tokio::test]
async fn of_what_is_shared_nothing_is_told_once_the_group_is_deleted() {
    let app = TestApp::start().await;
    let [ann, bob] = people(&app, ["ann", "bob"]).await;
    let id = group(&ann, "public").await;
    bob.post(&format!("/groups/{id}/join"), None).await.expect(200);
    let post = share(&ann, &id, "Low tide.").await;
    app.settle().await;
    app.pause_workers().await;
    bob.post(&format!("/posts/{post}/like"), None).await.expect(200);
    ann.delete(&format!("/groups/{id}")).await.expect(204);
    for gone in [
        ann.get(&format!("/posts/{post}/analytics")).await,
        ann.patch(&format!("/posts/{post}"), json!({"content": "High tide."})).await,
        ann.delete(&format!("/posts/{post}")).await,
        bob.get(&format!("/posts/{post}")).await,
    ] {
        gone.expect(404).problem("not-found");
    }
    // The telling comes before the removal, which finds the post where it was.
    app.dispatch(&app.stream().await, 100).await;
    let messages = app.take_messages("NOTIFY_QUEUE_URL").await;
    assert!(messages.iter().any(|message| message.contains("like")), "{messages:?}");
    app.work("notify", &messages).await;
    assert_eq!((told(&ann).await, unread(&ann).await), (vec![], json!(0)));
    app.resume_workers().await;
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn a_group_that_stands_is_not_removed_whoever_asks_for_it() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let id = group(&ann, "public").await;
    let post = share(&ann, &id, "Low tide.").await;
    app.settle().await;
    let job = FanoutJob::GroupDeleted { group: id.parse().expect("an id"), after: None };
    app.work("fanout", &[serde_json::to_string(&job).unwrap()]).await;
    ann.get(&format!("/posts/{post}")).await.expect(200);
    assert_eq!(ann.get(&format!("/groups/{id}")).await.expect(200).json()["role"], "owner");
    app.audit().await;
}

#[tokio::test]
async fn what_comes_while_a_group_is_removed_goes_with_it() {
    let app = TestApp::start().await;
    let [ann, bob, cid, dan] = people(&app, ["ann", "bob", "cid", "dan"]).await;
    let groups = app_of(&app, "groups");
    let of = |user: &User| user.id.parse::<UserId>().expect("an id");
    let (being_removed, removed) = (group(&ann, "private").await, group(&ann, "private").await);
    let_in(&ann, &removed, &bob).await;
    app.settle().await;
    ann.delete(&format!("/groups/{removed}")).await.expect(204);
    app.settle().await;
    app.pause_workers().await;
    ann.delete(&format!("/groups/{being_removed}")).await.expect(204);

    // What requests write that found the groups a moment ago. One who joins is not counted, but removed at once …
    let group: GroupId = being_removed.parse().expect("an id");
    store::groups::join(&groups, group, of(&cid)).await.expect("a member");
    app.dispatch(&app.stream().await, 100).await;
    let row = key::member(group, of(&cid));
    assert!(!app.table().await.contains_key(&(row.pk().to_owned(), row.sk().to_owned())), "{being_removed}");

    // … also where the removal is over, and so are requests and posts.
    let group: GroupId = removed.parse().expect("an id");
    store::groups::join(&groups, group, of(&cid)).await.expect("a member");
    store::groups::ask(&groups, group, of(&dan)).await.expect("a request");
    let membership = key::membership(of(&bob), group);
    groups.table().write(Op::put(membership.clone(), &Membership { role: Role::Member }).unwrap()).await.unwrap();
    let id = PostId::shared_in(Some(group), new_ulid(groups.now()), of(&bob));
    let post = Post::new(id, Draft::text(&Content::parse(&json!("Late.")).unwrap(), Vec::new()));
    store::posts::create(&groups, &post, None).await.unwrap();
    groups.table().write(Op::delete(membership)).await.unwrap();
    app.resume_workers().await;
    app.settle().await;
    for group in [&being_removed, &removed] {
        assert_eq!(left_of(&app, group).await, []);
    }
    assert!(!told(&ann).await.iter().any(|(_, actors)| actors.contains(&"dan".to_owned())));
    app.audit().await;
}
