//! What a deletion meets: requests that were under way at that moment, and what they leave. Where that is one moment between
//! two calls, the store is asked with what was read before.

use crate::deletion::{DAY, HOUR, MINUTE, delete, pass};
use crate::support::bulk::{app_of, app_with_keys, people};
use crate::support::{PASSWORD, TestApp, User, set};
use serde_json::json;
use shared::App;
use shared::ids::{PostId, UserId, new_ulid};
use shared::models::fields::FieldValue;
use shared::models::post::{Content, Draft, Post};
use shared::models::viewer::Relationship;
use shared::store;
use shared::store::sessions::SignIn;
use shared::store::users::UserPage;
use shared::table::Read;
use shared::table::design::{Key, key};

fn id(user: &User) -> UserId {
    user.id.parse().expect("an id")
}

/// What a deletion reads first.
async fn read(users: &App, user: UserId) -> (SignIn, UserPage) {
    let page = store::users::page(users, user, Read::Strong).await.unwrap();
    (store::sessions::credentials(users, user).await.unwrap(), page.expect("an account"))
}

fn text(id: PostId) -> Post {
    Post::new(id, Draft::text(&Content::parse(&json!("Late.")).unwrap(), Vec::new()))
}

async fn has(app: &TestApp, key: &Key) -> bool {
    app.table().await.contains_key(&(key.pk().to_owned(), key.sk().to_owned()))
}

#[tokio::test]
async fn a_deletion_needs_the_password_of_the_moment() {
    let app = TestApp::start().await;
    let users = app_with_keys(&app, "users").await;
    let ann = app.user("ann").await;
    let (found, page) = read(&users, id(&ann)).await;
    let passwords = json!({"current_password": PASSWORD, "new_password": "auk under the cliff"});
    ann.put("/users/password", passwords).await.expect(204);
    assert!(!store::deletions::begin(&users, found, page).await.unwrap());
    ann.get("/users").await.expect(200);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn a_deletion_ends_a_session_that_came_after_it_was_read() {
    let app = TestApp::start().await;
    let users = app_with_keys(&app, "users").await;
    let ann = app.user("ann").await;
    let (found, page) = read(&users, id(&ann)).await;
    let again = (found_again(&users, &ann).await, page.clone());
    let other = app.sign_in("ann", PASSWORD).await;
    assert!(store::deletions::begin(&users, found, page).await.unwrap());
    let sessions =
        app.table().await.into_keys().filter(|(pk, sk)| *pk == user_partition(&ann) && sk.starts_with(key::SESSION));
    assert_eq!(sessions.count(), 0, "before any pass");
    for client in [&ann, &other] {
        client.get("/users").await.expect(401);
    }
    let twice = store::deletions::begin(&users, again.0, again.1).await.unwrap_err();
    assert_eq!(twice.status(), 401);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn a_deletion_ends_a_name_that_came_after_it_was_read() {
    let app = TestApp::start().await;
    let users = app_with_keys(&app, "users").await;
    let ann = app.user("ann").await;
    let (found, page) = read(&users, id(&ann)).await;
    ann.patch("/users", json!({"username": "tern"})).await.expect(200);
    assert!(store::deletions::begin(&users, found, page).await.unwrap());
    let guards: Vec<_> = app.table().await.into_keys().filter(|(pk, _)| pk == "N#tern").collect();
    assert!(guards.is_empty(), "nobody has the name any more: {guards:?}");
    app.settle().await;
    app.audit().await;
}

fn user_partition(user: &User) -> String {
    key::profile(id(user)).pk().to_owned()
}

async fn found_again(users: &App, user: &User) -> SignIn {
    store::sessions::credentials(users, id(user)).await.unwrap()
}

#[tokio::test]
async fn with_the_request_go_its_secrets_and_its_name_is_held() {
    let app = TestApp::with(|options| set(options, "HideRegisteredEmails", "on")).await;
    let users = app_with_keys(&app, "users").await;
    let ann = people(&app, "ann", 1).await.remove(0);
    app.pause_workers().await;
    let (found, page) = read(&users, ann.id).await;
    assert!(store::deletions::begin(&users, found, page).await.unwrap());
    assert!(!has(&app, &key::credentials(ann.id)).await);
    let sign_up = json!({"username": "Ann0", "email": "other@example.com", "password": PASSWORD});
    let taken = app.anon().post("/users", sign_up).await.expect(409);
    assert_eq!(taken.fields()[0].0, "username");
}

/// Also what would end by itself before the last pass.
#[tokio::test]
async fn the_first_pass_leaves_nothing_of_its_own() {
    let app = TestApp::with(|options| set(options, "RateLimits", "on")).await;
    let ann = app.user("ann").await;
    ann.post_text("Low tide.").await;
    ann.get("/users/suggestions").await.expect(200);
    app.anon().post("/login", json!({"username": "ann", "password": "not this one"})).await.expect(401);
    app.settle().await;
    let ulid = ann.id.trim_start_matches("usr_").to_owned();
    let own = async || -> Vec<String> {
        let keys = app.table().await.into_keys();
        let mine = keys.filter(|(pk, _)| *pk == format!("U#{ulid}") || pk.starts_with("RL#") && pk.contains(&ulid));
        mine.map(|(_, sk)| sk).collect()
    };
    assert!(own().await.len() > 8);
    // What an upload left of which nothing tells.
    let (s3, bucket) = (app.s3(), app.bucket_name());
    for folder in ["uploads", "media"] {
        let put = s3.put_object().bucket(&bucket).key(format!("{folder}/{ulid}/lost")).body(b"lost".to_vec().into());
        put.send().await.expect("an object");
    }
    assert_eq!(delete(&ann, PASSWORD).await, 204);
    app.settle().await;
    assert_eq!(own().await, ["P", "P#f", "P#n"]);
    assert!(app.bucket().await.is_empty());
    app.audit().await;
}

#[tokio::test]
async fn a_pass_begins_when_its_time_has_come() {
    let app = TestApp::start().await;
    let users = app_with_keys(&app, "users").await;
    let ann = app.user("ann").await;
    assert_eq!(delete(&ann, PASSWORD).await, 204);
    app.settle().await;
    let passes = async || store::deletions::get(&users, id(&ann)).await.unwrap().map(|known| known.pass);
    for (wait, expected) in
        [(MINUTE, Some(1)), (15 * MINUTE, Some(2)), (HOUR, Some(2)), (24 * HOUR, Some(3)), (26 * HOUR, None)]
    {
        app.advance(wait);
        pass(&app).await;
        assert_eq!(passes().await, expected, "{wait:?}");
    }
    app.audit().await;
}

#[tokio::test]
async fn what_names_a_deleted_account_is_refused_and_nobody_follows_it() {
    let app = TestApp::start().await;
    let users = app_with_keys(&app, "users").await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let settings = store::users::account(&users, id(&ann)).await.unwrap().expect("an account").settings;
    assert_eq!(delete(&ann, PASSWORD).await, 204);
    let post = text(PostId::of(new_ulid(users.now()), id(&ann)));
    assert!(store::posts::create(&users, &post, None).await.is_err());
    assert!(!has(&app, &key::post(post.id)).await);
    assert!(!store::users::change_settings(&users, id(&ann), &settings, &settings).await.unwrap());
    app.settle().await;
    store::follows::follow(&users, id(&bob), id(&ann), Relationship::default()).await.unwrap();
    app.settle().await;
    assert!(!has(&app, &key::follow(id(&bob), id(&ann))).await);
    assert_eq!(bob.get("/users").await.expect(200).json()["following_count"], 0);
    app.audit().await;
}

#[tokio::test]
async fn a_post_on_its_way_into_a_timeline_goes_with_a_later_pass() {
    let app = TestApp::start().await;
    let fanout = app_of(&app, "fanout");
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    bob.follow(&ann).await;
    app.settle().await;
    assert_eq!(delete(&ann, PASSWORD).await, 204);
    app.settle().await;
    let late = PostId::of(new_ulid(fanout.now()), id(&ann));
    let to_me = PostId::of(new_ulid(fanout.now()), id(&bob));
    let rows = [(id(&bob), late), (id(&ann), to_me)];
    for (owner, post) in rows {
        store::timelines::push(&fanout, post, [owner]).await.unwrap();
        assert!(has(&app, &key::timeline_row(owner, post)).await);
    }
    app.advance(16 * MINUTE);
    pass(&app).await;
    for (owner, post) in rows {
        assert!(!has(&app, &key::timeline_row(owner, post)).await, "{owner} {post}");
    }
    app.audit().await;
}

/// Goes through a pass without the workers that do what follows from it.
async fn pass_alone(app: &TestApp, user: &User, n: usize) {
    let begin = json!({"job": "reap", "user": user.id, "pass": n, "step": "close"});
    let mut messages = vec![begin.to_string()];
    while let Some(body) = messages.pop() {
        app.work("reap", &[body]).await;
        messages.extend(app.take_messages("REAP_QUEUE_URL").await);
    }
}

/// That the last pass leaves the account until what it undid is uncounted.
async fn the_last_pass_waits(late: impl AsyncFn(&App, UserId, PostId)) {
    let app = TestApp::start().await;
    let users = app_with_keys(&app, "users").await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = bob.post_text("Low tide.").await;
    assert_eq!(delete(&ann, PASSWORD).await, 204);
    app.settle().await;
    for wait in [16 * MINUTE, DAY] {
        app.advance(wait);
        pass(&app).await;
    }
    late(&users, id(&ann), post.parse().expect("an id")).await;
    app.settle().await;
    app.pause_workers().await;
    app.advance(26 * HOUR);
    pass_alone(&app, &ann, 3).await;
    assert!(has(&app, &key::profile(id(&ann))).await);
    app.resume_workers().await;
    app.settle().await;
    app.advance(25 * HOUR);
    pass(&app).await;
    assert!(!has(&app, &key::profile(id(&ann))).await);
    let bob = app.sign_in("bob", PASSWORD).await;
    let is = bob.get(&format!("/posts/{post}")).await.expect(200).json();
    assert_eq!((&is["likes_count"], &is["comments_count"]), (&json!(0), &json!(0)));
    app.audit().await;
}

#[tokio::test]
async fn the_last_pass_waits_for_what_it_found_with_the_account() {
    let like = async |users: &App, me: UserId, post: PostId| {
        store::likes::set(users, me, post, true).await.unwrap();
    };
    the_last_pass_waits(like).await;
}

#[tokio::test]
async fn the_last_pass_waits_for_what_it_found_with_others() {
    let comment = async |users: &App, me: UserId, post: PostId| {
        let comment = post.comment(new_ulid(users.now()), me).expect("a comment");
        store::comments::create(users, &text(comment), None).await.unwrap();
    };
    the_last_pass_waits(comment).await;
}
