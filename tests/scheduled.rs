//! Posts that wait for their time.

use crate::support::bulk::people;
use crate::support::files::{form, png, upload};
use crate::support::lists::{ids, page_ids, walk};
use crate::support::{Call, Client, PASSWORD, Response, TestApp, User};
use emulators::faults::{Death, Faults, Profile};
use emulators::lambda::InvokeError;
use futures::future::join_all;
use serde_json::{Value, json};
use shared::clock::{Clock, Timestamp};
use std::ops::Range;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn now() -> Timestamp {
    Clock::default().now()
}

/// Has a post wait; its id.
async fn schedule(user: &Client, content: &str, at: Timestamp) -> String {
    let body = json!({"content": content, "publish_at": at.rfc3339()});
    user.post("/posts", body).await.expect(201).json()["id"].as_str().expect("an id").to_owned()
}

/// One run of the publisher, as EventBridge starts it.
async fn publish(app: &TestApp) {
    let event = serde_json::from_str(include_str!("../events/schedule-publish.json")).expect("JSON");
    app.invoke("publish", &event).await.expect("a run");
}

/// A user with a session that begins now: access tokens live for minutes.
async fn again(app: &TestApp, user: &User) -> User {
    app.sign_in(&user.username, PASSWORD).await
}

async fn post_of(user: &Client, id: &str) -> Value {
    user.get(&format!("/posts/scheduled/{id}")).await.expect(200).json()["post_id"].clone()
}

fn contents(posts: &[Value]) -> Vec<String> {
    posts.iter().map(|post| post["content"].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn a_post_waits_and_is_out_once() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    bob.follow(&ann).await;
    let at = now() + 10 * MINUTE;
    let body = json!({"content": "High tide, @bob. #mudflats", "publish_at": at.rfc3339()});
    let answer = ann.post("/posts", body).await.expect(201);
    let waiting = answer.json();
    let id = waiting["id"].as_str().unwrap();
    assert!(id.starts_with("sch_"), "{waiting}");
    assert_eq!(answer.header("location"), format!("/posts/scheduled/{id}"));
    assert_eq!((&waiting["publish_at"], &waiting["post_id"]), (&json!(at.rfc3339()), &Value::Null));
    assert_eq!((&waiting["hashtags"], &waiting["mentions"][0]["id"]), (&json!(["mudflats"]), &json!(bob.id)));
    let path = format!("/posts/scheduled/{id}");
    assert_eq!(ann.get(&path).await.expect(200).json(), waiting);
    assert_eq!(ann.get("/posts/scheduled").await.expect(200).items(), std::slice::from_ref(&waiting));
    publish(&app).await;
    app.settle().await;
    assert_eq!(page_ids(&ann, "/tweets").await, [""; 0], "not yet");
    for request in [bob.get(&path), bob.delete(&path), bob.patch(&path, json!({"content": "Mine."}))] {
        request.await.expect(404);
    }
    assert_eq!(page_ids(&bob, "/posts/scheduled").await, [""; 0]);

    app.advance(10 * MINUTE);
    let before = now() + 10 * MINUTE;
    for _ in 0..2 {
        publish(&app).await;
    }
    app.settle().await;
    let post = post_of(&ann, id).await;
    assert_eq!(bob.feed().await, [post.as_str().unwrap()]);
    let seen = ann.get(&format!("/posts/{}", post.as_str().unwrap())).await.expect(200).json();
    for field in ["content", "hashtags", "mentions"] {
        assert_eq!(seen[field], waiting[field], "{field}");
    }
    assert!(seen["created_at"].as_str() >= Some(&before.rfc3339()), "the time of its publishing: {seen}");
    assert_eq!(ann.get("/users/ann").await.expect(200).json()["posts_count"], 1);
    let told = bob.get("/notifications").await.expect(200).items();
    assert_eq!((told.len(), &told[0]["kind"], &told[0]["post_id"]), (1, &json!("mention"), &post));
    assert_eq!(page_ids(&ann, "/posts/scheduled").await, [""; 0]);
    for request in [ann.delete(&path), ann.patch(&path, json!({"content": "Other."}))] {
        request.await.expect(409).problem("already-published");
    }
    app.audit().await;
}

#[tokio::test]
async fn whom_it_names_is_decided_when_it_is_out() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = format!("/posts/scheduled/{}", schedule(&ann, "High tide, @bob.", now() + 10 * MINUTE).await);
    assert_eq!(ann.get(&path).await.expect(200).json()["mentions"][0]["id"], json!(bob.id));
    bob.post("/users/ann/block", None).await.expect(200);
    assert_eq!(ann.get(&path).await.expect(200).json()["mentions"], json!([]));
    app.advance(10 * MINUTE);
    publish(&app).await;
    app.settle().await;
    bob.delete("/users/ann/block").await.expect(200);
    let posts = walk(&ann, "/tweets").await;
    assert_eq!((posts.len(), &posts[0]["mentions"]), (1, &json!([])), "nor when the block ends");
    app.audit().await;
}

#[tokio::test]
async fn what_waits_can_be_changed_and_cancelled() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let start = now();
    let soon = start + 10 * MINUTE;
    let [sooner, later, gone] = ["Sooner.", "Later.", "Gone."];
    let mut all = Vec::new();
    for text in [sooner, later, gone] {
        all.push(schedule(&ann, text, soon).await);
    }
    let path = |n: usize| format!("/posts/scheduled/{}", all[n]);
    let mut newest_first = all.clone();
    newest_first.reverse();
    assert_eq!(ids(&walk(&ann, "/posts/scheduled?limit=2").await), newest_first);
    let first = ann.get(&path(1)).await.expect(200);
    let edit = json!({"content": "Much later. #tide", "publish_at": (soon + DAY).rfc3339()});
    let edited = ann.patch(&path(1), edit.clone()).header("if-match", first.header("etag")).await.expect(200);
    assert_eq!((&edited.json()["content"], &edited.json()["publish_at"]), (&edit["content"], &edit["publish_at"]));
    assert_eq!(edited.json()["hashtags"], json!(["tide"]));
    assert_eq!(ann.get(&path(1)).await.expect(200).json(), edited.json());
    for request in [ann.patch(&path(1), edit), ann.delete(&path(1))] {
        request.header("if-match", first.header("etag")).await.expect(412);
    }
    ann.patch(&path(0), json!({"publish_at": (start + 5 * MINUTE).rfc3339()})).await.expect(200);
    ann.delete(&path(2)).await.expect(204);
    ann.delete(&path(2)).await.expect(404);
    app.audit().await;
    app.advance(6 * MINUTE);
    publish(&app).await;
    assert_eq!(contents(&walk(&ann, "/tweets").await), [sooner]);
    app.advance(10 * MINUTE);
    publish(&app).await;
    let ann = again(&app, &ann).await;
    assert_eq!(walk(&ann, "/tweets").await.len(), 1);
    app.advance(DAY);
    publish(&app).await;
    let ann = again(&app, &ann).await;
    assert_eq!(contents(&walk(&ann, "/tweets").await), ["Much later. #tide", sooner]);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn pictures_of_what_waits_are_added_and_removed() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let media = [upload(&ann, "image/png", png()).await, upload(&ann, "image/png", png()).await];
    let body = json!({"content": "Low tide.", "media_ids": [media[0]], "publish_at": (now() + 10 * MINUTE).rfc3339()});
    let path =
        format!("/posts/scheduled/{}", ann.post("/posts", body).await.expect(201).json()["id"].as_str().unwrap());
    let shown = |answer: &Value| -> Vec<String> {
        answer["media"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    // Another's, one of another post, and neither text nor pictures.
    let others = upload(&bob, "image/png", png()).await;
    let posted = ann.post("/posts", json!({"media_ids": [upload(&ann, "image/png", png()).await]})).await.expect(201);
    for (ids, code) in [(json!([others]), "not_found"), (json!(shown(&posted.json())), "in_use")] {
        let refused = ann.patch(&path, json!({ "media_ids": ids })).await.expect(422).fields();
        assert_eq!(refused, [("media_ids".to_owned(), code.to_owned())]);
    }
    let refused = ann.patch(&path, json!({"content": null, "media_ids": []})).await.expect(422).fields();
    assert_eq!(refused, [("content".to_owned(), "required".to_owned())]);
    let edited = ann.patch(&path, json!({"content": "", "media_ids": [media[1]]})).await.expect(200).json();
    assert_eq!((&edited["content"], shown(&edited)), (&json!(""), vec![media[1].clone()]));
    let (kind, body) = form(&[("content", "High tide.")], &[("image", "image/png", png())]);
    let edited = ann.patch(&path, None).body(&kind, body).await.expect(200).json();
    assert_eq!((&edited["content"], &shown(&edited)[..1]), (&json!("High tide."), &media[1..]));
    assert_eq!(shown(&ann.get(&path).await.expect(200).json()), shown(&edited));
    // What was removed belongs to nothing any more, and can't be attached again.
    ann.get(&format!("/media/{}", media[0])).await.expect(404);
    app.settle().await;
    app.audit().await;
    app.advance(11 * MINUTE);
    publish(&app).await;
    let ann = again(&app, &ann).await;
    let posts = walk(&ann, "/tweets").await;
    assert_eq!((&posts[0]["content"], shown(&posts[0])), (&json!("High tide."), shown(&edited)));
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn a_time_must_be_within_a_year_from_now() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let id = schedule(&ann, "Some day.", now() + MINUTE).await;
    app.settle().await;
    let before = app.table().await;
    let texts = [
        (json!(now().rfc3339()), "in_past"),
        (json!((now() + 366 * DAY).rfc3339()), "too_far"),
        (json!("tomorrow"), "invalid_time"),
        (json!("2026-13-01T00:00:00Z"), "invalid_time"),
        (json!(1_795_206_600), "wrong_type"),
    ];
    for (at, code) in texts {
        let body = json!({"content": "Some day.", "publish_at": at});
        for refused in
            [ann.post("/posts", body.clone()).await, ann.patch(&format!("/posts/scheduled/{id}"), body).await]
        {
            assert_eq!(refused.expect(422).fields(), [("publish_at".into(), code.into())], "{at}");
        }
    }
    assert_eq!(app.table().await, before);
    let body = json!({"content": "Once.", "publish_at": (now() + DAY).rfc3339()});
    let once = ann.post("/posts", body.clone()).header("idempotency-key", "k").await.expect(201);
    let again = ann.post("/posts", body).header("idempotency-key", "k").await.expect(201);
    assert_eq!((once.json(), again.header("idempotency-replayed")), (again.json(), "true"));
    assert_eq!(walk(&ann, "/posts/scheduled").await.len(), 2);
    // When it is out, too.
    app.advance(MINUTE);
    let soon = json!({"content": "Soon.", "publish_at": (now() + 2 * MINUTE).rfc3339()});
    let once = ann.post("/posts", soon.clone()).header("idempotency-key", "soon").await.expect(201);
    app.advance(2 * MINUTE);
    let again = ann.post("/posts", soon).header("idempotency-key", "soon").await.expect(201);
    assert_eq!((once.json(), again.header("idempotency-replayed")), (again.json(), "true"));
}

#[tokio::test]
async fn three_hundred_may_wait() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let at = now() + DAY;
    let ids = join_all((0..300).map(|_| schedule(&ann, "One of many.", at))).await;
    app.audit().await;
    let one_more = json!({"content": "One more.", "publish_at": at.rfc3339()});
    let refused = ann.post("/posts", one_more.clone()).await.expect(422);
    assert_eq!(refused.fields(), [("publish_at".into(), "too_many".into())]);
    ann.delete(&format!("/posts/scheduled/{}", ids[7])).await.expect(204);
    ann.post("/posts", one_more.clone()).await.expect(201);
    ann.post("/posts", one_more).await.expect(422);
    app.advance(2 * DAY);
    publish(&app).await;
    app.settle().await;
    app.audit().await;
    let ann = again(&app, &ann).await;
    assert_eq!(ann.get("/users").await.expect(200).json()["posts_count"], 300);
    schedule(&ann, "Room again.", now() + 3 * DAY).await;
}

/// What can't be published holds up nothing else.
#[tokio::test]
async fn a_due_post_that_is_not_there_is_passed_over() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let at = now() + 10 * MINUTE;
    let mut lost = Vec::new();
    for n in 0..25 {
        lost.push(schedule(&ann, "Lost.", at + n * Duration::from_millis(1)).await);
        if n % 5 == 0 {
            schedule(&cid, "Of nobody.", at + n * Duration::from_millis(1)).await;
        }
    }
    schedule(&bob, "Found.", at + MINUTE).await;
    let items = app.table().await;
    let of = |user: &User, sk: &str| (format!("U#{}", user.id.trim_start_matches("usr_")), sk.to_owned());
    for (n, id) in lost.iter().enumerate() {
        let item = &items[&of(&ann, &id.replace("sch_", "S#"))];
        if n % 2 == 0 {
            app.delete_item(item).await;
        } else {
            let mut broken = item.clone();
            broken["content"] = json!({"N": "1"});
            app.put_item(&broken).await;
        }
    }
    app.delete_item(&items[&of(&cid, "P#n")]).await;
    app.advance(20 * MINUTE);
    publish(&app).await;
    let bob = again(&app, &bob).await;
    assert_eq!(contents(&walk(&bob, "/tweets").await), ["Found."]);
    assert!(!app.table().await.keys().any(|(pk, _)| pk.starts_with("DUE#")), "nothing is left to be looked at again");
}

/// Whatever the fault layer does, and under concurrent changes of mind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_changed_while_it_is_published_is_published_once_or_not_at_all() {
    let app = TestApp::with(|options| options.faults = Some(Faults::new(Profile::Mixed))).await;
    println!("seed {}", app.faults().expect("faults").faults().seed);
    let ann = app.user("ann").await;
    let at = now() + 3 * MINUTE;
    let waiting = join_all((0..60).map(|n| {
        let body =
            json!({"content": format!("Number {n:02}"), "publish_at": (at + n * Duration::from_millis(1)).rfc3339()});
        let ann = &ann;
        async move {
            let key = n.to_string();
            let made = repeat(|| ann.post("/posts", body.clone()).header("idempotency-key", &key), &[201]).await;
            made.json()["id"].as_str().expect("an id").to_owned()
        }
    }))
    .await;
    app.advance(5 * MINUTE);
    let ann = &ann;
    let cancelled = join_all(waiting.iter().take(20).map(|id| async move {
        repeat(|| ann.delete(&format!("/posts/scheduled/{id}")), &[204, 404, 409]).await.status != 409
    }));
    let edited = join_all(waiting.iter().skip(20).take(20).map(|id| async move {
        let edit = json!({"content": "Edited."});
        repeat(|| ann.patch(&format!("/posts/scheduled/{id}"), edit.clone()), &[200, 409, 412]).await.status
    }));
    let runs = async {
        for _ in 0..10 {
            let event = json!({});
            let _ = futures::join!(app.invoke("publish", &event), app.invoke("publish", &event));
        }
    };
    let (cancelled, _, ()) = futures::join!(cancelled, edited, runs);
    app.advance(MINUTE);
    while app.table().await.keys().any(|(pk, _)| pk.starts_with("DUE#")) {
        let _ = app.invoke("publish", &json!({})).await;
        app.advance(MINUTE);
    }
    app.settle().await;
    app.audit().await;
    let out = app.table().await.into_keys().filter(|(pk, sk)| pk.starts_with("A#") && sk.starts_with("T#")).count();
    assert_eq!(out, 60 - cancelled.iter().filter(|cancelled| **cancelled).count());
}

/// Until the service says one of these.
async fn repeat(call: impl Fn() -> Call, wanted: &[u16]) -> Response {
    for _ in 0..50 {
        let answer = call().await;
        if wanted.contains(&answer.status) {
            return answer;
        }
        assert!(answer.status == 503 || answer.header("retry-after") == "1", "{} {}", answer.status, answer.text());
    }
    panic!("never done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_in_a_minute_are_each_published_once_and_in_order() {
    publish_in_a_minute(100, 6, 1..100).await;
}

#[ignore = "campaign: 500 posts"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_in_a_minute_are_each_published_once_and_in_order() {
    publish_in_a_minute(500, 12, 20..200).await;
}

/// As many due in one minute, ten each by people whom one follows, while runs die at each of their first calls and two are
/// at it at once; after the deaths, how many wait.
async fn publish_in_a_minute(count: usize, deaths: u32, waiting: Range<usize>) {
    let app = TestApp::with(|options| options.faults = Some(Faults::new(Profile::Stale))).await;
    let reader = app.user("reader").await;
    let people = people(&app, "author", count / 10).await;
    for author in &people {
        reader.follow(author).await;
    }
    // So that the next one knows where to look.
    publish(&app).await;
    // Within the minute after next, in an order that is not that of their making.
    let start = now() + 2 * MINUTE;
    let texts: Vec<usize> = (0..count).map(|n| n * 77 % count).collect();
    for chunk in texts.chunks(50) {
        let one = |n: &usize| {
            let (author, at) = (&people[*n % people.len()], start + Duration::from_millis(100 * *n as u64));
            let n = *n;
            async move { schedule(author, &format!("Number {n}"), at).await }
        };
        join_all(chunk.iter().map(one)).await;
    }
    app.settle().await;
    app.advance(4 * MINUTE);
    let event = json!({});
    for after_calls in 0..deaths {
        for done in [false, true] {
            let death = app.invoke_killed("publish", &event, Death { after_calls, done }).await;
            assert!(matches!(death, Err(InvokeError::Killed)), "{after_calls} {done}: {death:?}");
            // The dead one's turn ends.
            app.advance(MINUTE);
        }
    }
    let left = app.table().await.keys().filter(|(pk, _)| pk.starts_with("DUE#")).count();
    assert!(waiting.contains(&left), "{left} of {count} wait still");
    join_all([publish(&app), publish(&app)]).await;
    publish(&app).await;
    app.settle().await;
    let reader = again(&app, &reader).await;
    let seen = contents(&walk(&reader, "/feed?limit=100").await);
    let expected: Vec<String> = (0..count).rev().map(|n| format!("Number {n}")).collect();
    assert_eq!(seen, expected);
    for author in &people {
        let seen = reader.get(&format!("/users/{}", author.id)).await.expect(200).json();
        assert_eq!(seen["posts_count"], 10);
    }
    app.audit().await;
}

#[tokio::test]
async fn after_a_week_s_sleep_all_is_published_oldest_first() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    publish(&app).await;
    let times: Vec<u32> = (1..=30).map(|n| n * 7 % 31).collect();
    for n in &times {
        schedule(&ann, &format!("Number {n:02}"), now() + *n * Duration::from_secs(5 * 3_600)).await;
    }
    app.advance(7 * DAY);
    publish(&app).await;
    let ann = again(&app, &ann).await;
    let seen = contents(&walk(&ann, "/tweets").await);
    let mut expected: Vec<String> = times.iter().map(|n| format!("Number {n:02}")).collect();
    expected.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(seen, expected);
    app.settle().await;
    app.audit().await;
}
