//! Accounts that are deleted: gone for readers at once, and then from table, bucket and queues to the last item.

use crate::groups::{group, let_in, share};
use crate::support::bulk::{Person, people};
use crate::support::lists::{ids, page_ids, walk};
use crate::support::services::Items;
use crate::support::{Client, PASSWORD, TestApp, User, archive, files, set, set_moderator};
use emulators::faults::{Death, Faults, Profile};
use emulators::lambda::InvokeError;
use futures::future::join_all;
use serde_json::json;
use shared::table::design::EntityKey;
use std::collections::BTreeSet;
use std::time::Duration;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Nobody else's words.
pub(crate) const NAME: &str = "heliornis";
const FORMER_NAME: &str = "podicaxx";
const FULL_NAME: &str = "Gavia Stellataxx";
pub(crate) const EMAIL: &str = "reap.me@example.net";

pub(crate) async fn delete(user: &Client, password: &str) -> u16 {
    user.post("/users/delete", json!({ "password": password })).await.status
}

/// Begins the passes that are due, and waits for all that follows.
pub(crate) async fn pass(app: &TestApp) {
    app.invoke("reap", &json!({})).await.expect("a tick");
    app.settle().await;
}

/// All passes, from right after the deletion.
async fn passes(app: &TestApp) {
    app.settle().await;
    for wait in [16 * MINUTE, 24 * HOUR, 26 * HOUR] {
        app.advance(wait);
        pass(app).await;
    }
}

#[tokio::test]
async fn an_account_is_gone_at_once_for_whoever_has_its_password() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let bob = app.user("bob").await;
    let post = ann.post_text("hello").await;
    bob.follow(&ann).await;
    app.settle().await;

    for body in [json!({}), json!({"password": null}), json!({"password": 1})] {
        let refused = ann.post("/users/delete", body).await.expect(422);
        assert_eq!(refused.fields().len(), 1);
    }
    let wrong = ann.post("/users/delete", json!({"password": "wrong password"})).await.expect(403);
    wrong.problem("wrong-password");
    ann.delete("/users").json(&json!({"password": "wrong password"})).await.expect(403);
    app.anon().post("/users/delete", json!({ "password": PASSWORD })).await.expect(401);
    ann.get("/users").await.expect(200);
    bob.get(&format!("/posts/{post}")).await.expect(200);

    let other = app.sign_in("ann", PASSWORD).await;
    ann.delete("/users/me").json(&json!({ "password": PASSWORD })).await.expect(204);
    for client in [&*ann, &*other] {
        client.get("/users").await.expect(401);
        client.post("/users/delete", json!({ "password": PASSWORD })).await.expect(401);
        client.post("/posts", json!({"content": "too late"})).await.expect(401);
    }
    app.anon().post("/users/refresh", json!({"refresh_token": ann.refresh_token})).await.expect(401);
    for login in [json!({"username": "ann", "password": PASSWORD}), json!({"email": ann.email, "password": PASSWORD})] {
        app.anon().post("/login", login).await.expect(401).problem("invalid-credentials");
    }
    for path in [format!("/users/{}", ann.id), "/users/ann".into(), format!("/posts/{post}")] {
        bob.get(&path).await.expect(404);
    }
    for path in ["posts", "followers", "following"] {
        bob.get(&format!("/users/{}/{path}", ann.id)).await.expect(404);
    }
    bob.post(&format!("/users/{}/follow", ann.id), None).await.expect(404);
    bob.post(&format!("/posts/{post}/like"), None).await.expect(404);
    bob.post(&format!("/posts/{post}/comments"), json!({"content": "?"})).await.expect(404);
    app.settle().await;
    assert_eq!(bob.feed().await, Vec::<String>::new());
    assert_eq!(bob.get("/users").await.json()["following_count"], 0);
    app.audit().await;
}

#[tokio::test]
async fn a_name_is_held_for_a_month_and_an_address_for_no_time() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let bob = app.user("bob").await;
    assert_eq!(delete(&ann, PASSWORD).await, 204);
    let sign_up = |name: &str, email: &str| json!({"username": name, "email": email, "password": PASSWORD});
    let taken = app.anon().post("/users", sign_up("ANN", "other@example.com")).await.expect(409);
    assert_eq!(taken.fields()[0].0, "username");
    let renamed = bob.call(http::Method::PATCH, "/users").json(&json!({"username": "Ann"})).await.expect(409);
    assert_eq!(renamed.fields()[0].0, "username");
    // One is made from the address: not that one.
    let suggested = app.anon().post("/users", json!({"email": ann.email, "password": PASSWORD})).await.expect(201);
    assert_ne!(suggested.json()["username"], "ann");
    passes(&app).await;
    let bob = app.sign_in(&bob.username, PASSWORD).await;
    bob.call(http::Method::PATCH, "/users").json(&json!({"username": "ann"})).await.expect(409);
    app.advance(Duration::from_secs(28 * 24 * 3_600));
    let cat = app.anon().post("/users", sign_up("ann", "cat@example.com")).await.expect(201).json();
    assert_ne!(cat["id"], ann.id);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn wrong_passwords_are_throttled_as_failed_sign_ins_are() {
    let app = TestApp::start().await;
    app.begin_hour();
    let ann = app.user("ann").await;
    for _ in 0..10 {
        assert_eq!(delete(&ann, "wrong password").await, 403);
    }
    ann.post("/users/delete", json!({ "password": PASSWORD })).await.expect(429).problem("rate-limited");
    ann.get("/users").await.expect(200);
}

#[tokio::test]
async fn the_others_whom_a_post_mentions_hear_nothing_again() {
    let app = TestApp::start().await;
    let (ann, bob, cat) = (app.user("ann").await, app.user("bob").await, app.user("cat").await);
    cat.patch("/users/settings", json!({"notify": {"mention": {"mail": true}}})).await.expect(200);
    let mut socket = cat.listen(&app).await;
    let post = bob.post_text("Ask @ann, or @cat.").await;
    socket.expect("mention").await;
    app.settle().await;
    let told = async || (cat.get("/notifications").await.expect(200).json(), app.mails_to(&cat.email).await.len());
    let before = told().await;
    assert_eq!(delete(&ann, PASSWORD).await, 204);
    app.settle().await;
    let mentions = bob.get(&format!("/posts/{post}")).await.expect(200).json()["mentions"].clone();
    assert_eq!((mentions.as_array().expect("a list").len(), &mentions[0]["id"]), (1, &json!(cat.id)));
    socket.is_silent().await;
    assert_eq!(told().await, before);
    app.audit().await;
}

/// Somebody who has left something of every kind, and the others.
pub(crate) struct World {
    pub(crate) me: User,
    pub(crate) bob: User,
    pub(crate) cat: User,
    /// My group, which cat will own.
    pub(crate) own: String,
    /// Media of mine, by their ids.
    media: Vec<String>,
}

/// A world in which the account has, or had lately, an item of every entity that can be somebody's.
pub(crate) async fn world(app: &TestApp, flock: &[Person]) -> World {
    let email = EMAIL.to_owned();
    let sign_up = json!({"username": FORMER_NAME, "email": email, "password": PASSWORD, "full_name": FULL_NAME});
    app.anon().post("/users", sign_up).header("idempotency-key", "mine").await.expect(201);
    let me = app.sign_in(FORMER_NAME, PASSWORD).await;
    archive::verify(app, EMAIL).await;
    me.call(http::Method::PATCH, "/users").json(&json!({"username": NAME, "interests": ["tides"]})).await.expect(200);
    let bob = app.user("bob").await;
    let (cat, dan, eve, warden) =
        (app.user("cat").await, app.user("dan").await, app.user("eve").await, app.user("warden").await);
    // 21 authors whom bob and I follow are merged, but for the last.
    for author in flock {
        bob.follow(author).await;
        me.follow(author).await;
    }
    app.settle().await;
    cat.follow(&me).await;
    dan.follow(&me).await;
    app.settle().await;
    bob.follow(&me).await;
    me.follow(&bob).await;
    me.follow(&cat).await;
    app.settle().await;

    // What I write and upload.
    let picture = files::upload(&me, "image/png", files::png()).await;
    let unattached = files::upload(&me, "image/png", files::png()).await;
    let avatar = files::upload(&me, "image/png", files::png()).await;
    me.call(http::Method::PATCH, "/users").json(&json!({"avatar_media_id": avatar})).await.expect(200);
    let with_picture = json!({"content": "Low #tideline with @cat.", "media_ids": [picture]});
    let mine = me.post("/posts", with_picture).header("idempotency-key", "post").await.expect(201).json();
    let mine = mine["id"].as_str().expect("an id").to_owned();
    let later = json!({"content": "Later.", "publish_at": "2027-03-01T00:00:00Z"});
    me.post("/posts", later).await.expect(201);
    let theirs = bob.post_text(&format!("Seen @{NAME} at the shore.")).await;
    bob.post_text("Nothing of it.").await;
    let my_comment = me.comment(&theirs, "So you did.").await;
    let reply = cat.comment(&my_comment, &format!("And I, @{NAME}.")).await;
    let below = bob.comment(&mine, "A fine line, @eve.").await;
    app.settle().await;
    for (user, post) in
        [(&me, &theirs), (&me, &below), (&bob, &mine), (&cat, &below), (&dan, &my_comment), (&eve, &reply)]
    {
        user.post(&format!("/posts/{post}/like"), None).await.expect(200);
    }
    cat.comment(&below, "Indeed.").await;
    let waiting = json!({"content": format!("Soon, @{NAME}."), "publish_at": "2027-03-01T00:00:00Z"});
    let waiting = bob.post("/posts", waiting).await.expect(201).json();
    assert_eq!(waiting["mentions"][0]["id"], me.id.as_str());
    for reader in [&bob, &cat] {
        reader.get(&format!("/posts/{mine}")).await.expect(200);
        me.get(&format!("/posts/{theirs}")).await.expect(200);
    }
    // Blocks, muting, and one who unfollowed me.
    me.post(&format!("/users/{}/block", dan.id), None).await.expect(200);
    eve.post(&format!("/users/{}/mute", me.id), None).await.expect(200);
    cat.unfollow(&me).await;
    // Reports, by me, of mine, and of what stands below.
    for (user, post) in [(&me, &theirs), (&bob, &mine), (&eve, &below), (&cat, &my_comment)] {
        user.post(&format!("/posts/{post}/report"), json!({"reason": "spam"})).await.expect(202);
    }
    // I am the moderator whom the configuration names, and decide; another is one by me.
    let reports = walk(&me, "/reports").await;
    let below_mine = reports.iter().find(|one| one["post_id"] == below.as_str()).expect("a report").clone();
    let path = format!("/reports/{}", below_mine["id"].as_str().expect("an id"));
    me.call(http::Method::PATCH, &path).json(&json!({"status": "dismissed"})).await.expect(200);
    let of_mine = app_moderator(app, &warden).await;
    let reports = walk(&of_mine, "/reports").await;
    let mine_reported = reports.iter().find(|one| one["post_id"] == mine.as_str()).expect("a report");
    let path = format!("/reports/{}", mine_reported["id"].as_str().expect("an id"));
    of_mine.call(http::Method::PATCH, &path).json(&json!({"status": "resolved"})).await.expect(200);
    // A group of mine with a member, who will own it; one that I share in; and one that I ask to join.
    let own = group(&me, "public").await;
    let (open, closed) = (group(&bob, "public").await, group(&bob, "private").await);
    cat.post(&format!("/groups/{own}/join"), None).await.expect(200);
    me.post(&format!("/groups/{open}/join"), None).await.expect(200);
    for shared in [&own, &open] {
        let shared = me.post(&format!("/groups/{shared}/posts"), json!({"content": "For us, @cat."})).await.expect(201);
        let shared = shared.json()["id"].as_str().expect("an id").to_owned();
        cat.post(&format!("/posts/{shared}/like"), None).await.expect(200);
    }
    me.post(&format!("/groups/{closed}/join"), None).await.expect(202);
    // Somebody whom I let into a private one.
    let hidden = group(&me, "private").await;
    let_in(&me, &hidden, &cat).await;
    // An open socket.
    std::mem::forget(me.listen(app).await);
    // Suggestions: mine, and others' that may name me.
    for user in [&me, &bob, &cat, &eve] {
        user.get("/users/suggestions").await.expect(200);
    }
    app.settle().await;
    app.anon().post("/users/password/forgot", json!({"email": email})).await.expect(202);
    app.anon().post("/login", json!({"username": NAME, "password": "wrong password"})).await.expect(401);
    app.settle().await;
    // An archive.
    me.post("/users/export", None).await.expect(202);
    app.mail_to(EMAIL, "archive").await;
    app.settle().await;
    // Not counted yet.
    app.pause_workers().await;
    me.comment(&theirs, "One more.").await;
    let media = [picture, unattached, avatar].iter().map(|id| id.trim_start_matches("med_").to_owned()).collect();
    World { me, bob, cat, own, media }
}

async fn app_moderator(app: &TestApp, user: &User) -> Client {
    let users = crate::support::bulk::app_of(app, "users");
    let id = user.id.parse().expect("an id");
    shared::store::moderators::appoint(&users, id, true).await.expect("a moderator");
    app.sign_in(&user.username, PASSWORD).await.with_token_of()
}

impl User {
    fn with_token_of(&self) -> Client {
        self.with_token(self.token())
    }
}

/// Not somebody's, or there only once an account is deleted.
const NOBODYS: [&str; 5] = ["Publisher", "CleanupCursor", "TagCount", "TrendingSnapshot", "Deletion"];

fn entities(items: &Items) -> BTreeSet<String> {
    items.keys().filter_map(|(pk, sk)| Some(EntityKey::read(pk, sk)?.name().to_owned())).collect()
}

/// Every entity of the chart.
fn charted() -> BTreeSet<String> {
    let rows = crate::samples::table(&crate::samples::read("docs/table.md"), "## Entities");
    rows.into_iter().skip(2).map(|row| row[0].clone()).collect()
}

/// What is mine, or names me, in the table: each item by its keys, without what others wrote word by word.
fn traces(items: &Items, needles: &[String], now: u64) -> Vec<String> {
    let named = |text: &str| needles.iter().any(|needle| text.to_lowercase().contains(&needle.to_lowercase()));
    let mut found = Vec::new();
    for ((pk, sk), item) in items {
        // Its time is over: DynamoDB deletes it when it finds time, and nobody reads it any more.
        if item["ttl"]["N"].as_str().and_then(|ttl| ttl.parse::<u64>().ok()).is_some_and(|ttl| ttl <= now) {
            continue;
        }
        let mut item = item.clone();
        match EntityKey::read(pk, sk) {
            // What they did, in their own logs, where it expires.
            Some(EntityKey::Activity(user, _)) if !named(&user.to_string()) => continue,
            // The text of a post of somebody else's, and what that text is found by.
            Some(EntityKey::Post(_) | EntityKey::Comment(_) | EntityKey::Scheduled(..) | EntityKey::Report(..)) => {
                drop(item["content"].take())
            }
            Some(EntityKey::Indexed(_)) => {
                let terms = item["terms"]["L"].as_array_mut().expect("terms");
                terms.retain(|term| term["S"] != NAME);
            }
            Some(EntityKey::Posting { .. }) if *pk == format!("W#{NAME}") => drop(item["PK"].take()),
            _ => {}
        }
        if named(&item.to_string()) {
            found.push(format!("{pk} {sk}: {item}"));
        }
    }
    found
}

fn needles(world: &World) -> Vec<String> {
    let me = world.me.id.trim_start_matches("usr_").to_owned();
    let mut needles = vec![me, NAME.to_owned(), FORMER_NAME.to_owned(), EMAIL.to_owned(), FULL_NAME.to_owned()];
    needles.extend(world.media.iter().map(|id| id.split('.').next().expect("a ulid").to_owned()));
    needles
}

/// Nothing of it is anywhere but what others wrote, and the hashes that hold its names.
async fn assert_gone(app: &TestApp, world: &World) {
    let needles = needles(world);
    let now = app.now().seconds();
    let items = app.table().await;
    let left = traces(&items, &needles, now);
    assert!(left.is_empty(), "{} items are left: {left:#?}", left.len());
    let held: Vec<_> = items.keys().filter(|(pk, _)| pk.starts_with("N#") && pk.len() > 30).collect();
    assert_eq!(held.len(), 2, "{held:?}");
    for (key, _) in app.bucket().await {
        assert!(!needles.iter().any(|needle| key.contains(needle)), "{key}");
    }
    for queue in &app.model().queues {
        let counts = app.queue(&queue.name).await.expect("a queue");
        assert_eq!(format!("{counts:?}"), format!("{:?}", emulators::sqs::Counts::default()), "{}", queue.name);
    }
    app.audit().await;
}

pub(crate) fn options(options: &mut local::Options) {
    set(options, "RateLimits", "on");
    set(options, "FanoutLimit", "1");
    set(options, "Moderator", NAME);
    set(options, "ModeratorEmail", EMAIL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_every_kind_of_item() {
    let app = TestApp::with(options).await;
    let flock = people(&app, "flock", 21).await;
    let world = world(&app, &flock).await;
    let before = app.table().await;
    let missing: Vec<_> = charted().difference(&entities(&before)).cloned().collect();
    let missing: Vec<_> = missing.into_iter().filter(|name| !NOBODYS.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "the world has none of {missing:?}");
    assert!(traces(&before, &needles(&world), 0).len() > 100);
    let files = app.bucket().await;
    assert!(["media/", "exports/"].iter().all(|folder| files.keys().any(|key| key.starts_with(folder))), "{files:?}");

    assert_eq!(delete(&world.me, PASSWORD).await, 204);
    app.resume_workers().await;
    app.settle().await;
    app.audit().await;
    passes(&app).await;
    assert_gone(&app, &world).await;
    let cat = app.sign_in(&world.cat.username, PASSWORD).await;
    let mine = cat.get(&format!("/groups/{}", world.own)).await.expect(200).json();
    assert_eq!((&mine["role"], &mine["members_count"]), (&json!("owner"), &json!(1)), "{mine}");
    let bob = app.sign_in(&world.bob.username, PASSWORD).await;
    let posts = walk(&bob, "/tweets").await;
    let said =
        posts.iter().find(|post| post["content"].as_str().expect("a text").contains(NAME)).expect("its text stays");
    assert_eq!(said["mentions"], json!([]));
    assert_eq!((&said["likes_count"], &said["comments_count"]), (&json!(0), &json!(0)));
    assert_eq!(ids(&posts).len(), 2);
    // The next holder of the name is no moderator for it.
    app.advance(Duration::from_secs(29 * 24 * 3_600));
    let next = app.user(NAME).await;
    next.get("/reports").await.expect(403);
}

#[tokio::test]
async fn two_that_go_at_once_are_both_taken_out_of_what_names_both() {
    let app = TestApp::with(|all| {
        set_moderator(all, "warden");
        all.record_wire = true;
    })
    .await;
    let (ann, bob, warden) = (app.user("ann").await, app.user("bob").await, app.moderator("warden").await);
    let post = ann.post_text("Low tide.").await;
    bob.post(&format!("/posts/{post}/report"), json!({"reason": "spam"})).await.expect(202);
    let report = page_ids(&warden, "/reports").await.remove(0);
    warden.patch(&format!("/reports/{report}"), json!({"status": "dismissed"})).await.expect(200);
    app.settle().await;
    app.pause_workers().await;
    for user in [&ann, &bob, &warden] {
        assert_eq!(delete(user, PASSWORD).await, 204);
    }
    // Each call takes a while, so that both read before either writes.
    let wire = app.wire().expect("the wire is recorded");
    wire.set_delay(Duration::from_millis(50));
    for (step, list, both) in [("moderation", "ML#", [&ann, &warden]), ("reports", "RQ#", [&bob, &warden])] {
        let mut messages = both.map(|user| json!({"job": "reap", "user": user.id, "pass": 0, "step": step})).to_vec();
        while !messages.is_empty() {
            let handled = messages.into_iter().map(|message| {
                let record = json!({"messageId": "0", "body": message.to_string(), "eventSource": "aws:sqs"});
                let (app, event) = (&app, json!({ "Records": [record] }));
                async move { (message, app.invoke("reap", &event).await.expect("an answer")) }
            });
            let failed =
                join_all(handled).await.into_iter().filter(|(_, answer)| answer["batchItemFailures"] != json!([]));
            messages = failed.map(|(message, _)| message).collect();
        }
        let ids = both.map(|user| user.id.trim_start_matches("usr_"));
        let items = app.table().await;
        let listed = items.iter().filter(|((pk, _), _)| pk.starts_with(list));
        let left: Vec<_> = listed.filter(|(_, item)| ids.iter().any(|id| item.to_string().contains(id))).collect();
        assert!(left.is_empty(), "{step}: {left:#?}");
    }
    wire.set_delay(Duration::ZERO);
    app.resume_workers().await;
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn a_group_is_left_to_somebody_who_can_act() {
    let app = TestApp::with(|options| set_moderator(options, "warden")).await;
    let (ann, bob, cid, warden) =
        (app.user("ann").await, app.user("bob").await, app.user("cid").await, app.moderator("warden").await);
    let [both, alone, led, own]: [String; 4] =
        join_all([0; 4].map(|_| group(&ann, "public"))).await.try_into().expect("four groups");
    for (user, group) in [(&bob, &both), (&cid, &both), (&bob, &alone), (&cid, &led), (&warden, &led)] {
        user.post(&format!("/groups/{group}/join"), None).await.expect(200);
    }
    for (group, name) in [(&both, "bob"), (&led, "warden")] {
        ann.put(&format!("/groups/{group}/members/{name}"), json!({"role": "moderator"})).await.expect(200);
    }
    share(&ann, &own, "Nobody here.").await;
    let post = bob.post_text("Buy my gulls.").await;
    warden.post(&format!("/posts/{post}/report"), json!({"reason": "spam"})).await.expect(202);
    let report = page_ids(&warden, "/reports").await.remove(0);
    let decide = async |action: &str| {
        let decision = json!({"status": "resolved", "action": action});
        warden.patch(&format!("/reports/{report}"), decision).await.expect(200);
    };
    decide("suspend_author").await;
    assert_eq!(delete(&ann, PASSWORD).await, 204);
    app.settle().await;
    decide("reinstate_author").await;
    let bob = app.sign_in("bob", PASSWORD).await;
    let role = async |user: &Client, group: &str| {
        user.get(&format!("/groups/{group}")).await.expect(200).json()["role"].clone()
    };
    assert_eq!((role(&cid, &both).await, role(&bob, &both).await), (json!("owner"), json!("moderator")));
    assert_eq!(role(&bob, &alone).await, "owner", "where nobody can act, anybody");
    assert_eq!((role(&warden, &led).await, role(&cid, &led).await), (json!("owner"), json!("member")), "who moderates");
    let ulid = own.trim_start_matches("grp_");
    let left: Vec<_> = app.table().await.into_keys().filter(|(pk, _)| pk.contains(ulid)).collect();
    assert!(left.is_empty(), "a group that nobody is in: {left:?}");
    app.audit().await;
}

/// A number of the seed's.
fn throw(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_anywhere_leaves_what_the_next_one_finishes() {
    let app = TestApp::with(|all| {
        options(all);
        all.faults = Some(Faults::new(Profile::Redelivery));
    })
    .await;
    let seed = app.faults().expect("faults").faults().seed;
    println!("PERCH_SEED={seed}");
    let mut dice = seed;
    let flock = people(&app, "flock", 21).await;
    let world = world(&app, &flock).await;
    assert_eq!(delete(&world.me, PASSWORD).await, 204);
    let mut deaths = 0;
    // First of all pass by pass with the other workers standing still, then with them; each message dies some times.
    for (n, wait) in [Duration::ZERO, 16 * MINUTE, 24 * HOUR, 26 * HOUR].into_iter().enumerate() {
        app.advance(wait);
        let pass = json!({"job": "reap", "user": world.me.id, "pass": n, "step": "close"});
        let mut messages = vec![pass.to_string()];
        app.pause_workers().await;
        while let Some(body) = messages.pop() {
            let event = json!({"Records": [{"messageId": "0", "body": body, "eventSource": "aws:sqs"}]});
            for reach in 1..=8 {
                // Further and further, for what is done is not done again.
                let after_calls = u32::try_from(throw(&mut dice, 12 * reach)).expect("few");
                let done = throw(&mut dice, 2) == 0;
                match app.invoke_killed("reap", &event, Death { after_calls, done }).await {
                    Err(InvokeError::Killed) => deaths += 1,
                    other => other.expect("it is killed or done"),
                }
            }
            let answer = app.invoke("reap", &event).await.expect("an answer");
            if answer["batchItemFailures"] != json!([]) {
                messages.push(body);
            }
            messages.extend(app.take_messages("REAP_QUEUE_URL").await);
        }
        app.resume_workers().await;
        app.settle().await;
    }
    println!("{deaths} deaths");
    assert!(deaths > 12, "{deaths}");
    assert_gone(&app, &world).await;
}
