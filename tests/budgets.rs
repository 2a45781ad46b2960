//! What each operation costs, as DynamoDB tells it (`ReturnConsumedCapacity`), and which of its reads are strong.
//!
//! Each budget is a line: rounds that wait on each other, read units, write units, and the calls. `!` marks a strong
//! read. Written units of transactions are twice a plain write's. `docs/table.md` has the same figures.

use crate::support::bulk::{Person, app_of, people};
use crate::support::{Response, TestApp, alone, archive, files, set, token_in};
use emulators::wire::{Call, rounds};
use local::Options;
use serde_json::{Value, json};
use shared::ids::{UserId, new_ulid};
use shared::table::Op;
use shared::table::design::key;
use std::time::Duration;

mod background;
mod feed;
mod second_factor;

const HOUR: Duration = Duration::from_secs(3_600);

async fn app() -> TestApp {
    TestApp::with(measured).await
}

fn measured(options: &mut Options) {
    options.record_wire = true;
    set(options, "RateLimits", "on");
    set(options, "FanoutLimit", "1");
}

/// The cost of one request, in a line.
async fn cost(app: &TestApp, request: impl IntoFuture<Output = Response>) -> String {
    cost_of_any(app, async { assert_success(request.await) }).await
}

fn assert_success(answer: Response) -> Response {
    assert!(answer.status < 400, "{}", answer.text());
    answer
}

/// The cost of a call that may be refused, or of something else that is done.
async fn cost_of_any(app: &TestApp, request: impl IntoFuture) -> String {
    app.pause_workers().await;
    let wire = app.wire().expect("the wire is recorded");
    wire.set_delay(Duration::from_millis(25));
    wire.take();
    request.await;
    let calls = wire.take();
    wire.set_delay(Duration::ZERO);
    app.resume_workers().await;
    // The sum of nothing is -0.
    let sum = |units: fn(&Call) -> f64| calls.iter().map(units).sum::<f64>() + 0.0;
    let mut named: Vec<String> = calls.iter().map(name).collect();
    named.sort();
    let (read, write) = (sum(|call| call.read_units), sum(|call| call.write_units));
    format!("{} rounds, {read} read, {write} written: {}", rounds(&calls), named.join(", "))
}

/// 6 KB of text in under 2,000 characters.
fn long_text() -> String {
    "\u{1F426}".repeat(1_450)
}

/// A call as operation and kind of key: `Query U#/H#!`.
fn name(call: &Call) -> String {
    let strong = if call.consistent { "!" } else { "" };
    let kind = |pk: &str, sk: &str| {
        let part = |text: &str| text.split('#').next().unwrap_or_default().to_owned();
        let is_row = sk.starts_with(|c: char| c.is_ascii_digit());
        if is_row || sk == "!" { part(pk) } else { format!("{}/{}", part(pk), part(sk)) }
    };
    let of_key = |key: &Value| kind(key["PK"]["S"].as_str().unwrap_or(""), key["SK"]["S"].as_str().unwrap_or(""));
    let request = &call.request;
    let what = match call.operation.as_str() {
        "Query" => {
            let value = |name: &str| request["ExpressionAttributeValues"][name]["S"].as_str().unwrap_or_default();
            kind(value(":pk"), value(":from"))
        }
        "BatchGetItem" => {
            let tables = request["RequestItems"].as_object().expect("tables");
            let keys = tables.values().next().and_then(|table| table["Keys"].as_array()).expect("keys");
            format!("{} x{}", of_key(&keys[0]), keys.len())
        }
        "PutItem" => of_key(&request["Item"]),
        "TransactWriteItems" => format!("x{}", request["TransactItems"].as_array().map_or(0, Vec::len)),
        _ => of_key(&request["Key"]),
    };
    format!("{} {what}{strong}", call.operation)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts() {
    let _alone = alone().await;
    let app = app().await;
    app.begin_hour();
    let anon = app.anon();
    let sign_up =
        |name: &str| json!({"username": name, "email": format!("{name}@example.com"), "password": "rock pools"});
    let made = cost(&app, anon.post("/users", sign_up("gull"))).await;
    assert_eq!(made, "3 rounds, 0 read, 20 written: PutItem AL, TransactWriteItems x8, UpdateItem RL, UpdateItem RL");
    let keyed = anon.post("/users", sign_up("tern")).header("idempotency-key", "k");
    let keyed = cost(&app, keyed).await;
    let calls = "GetItem IA/I, PutItem AL, TransactWriteItems x9, UpdateItem RL, UpdateItem RL";
    assert_eq!(keyed, format!("3 rounds, 0.5 read, 23 written: {calls}"));

    let login = json!({"username": "gull", "password": "rock pools"});
    // The first try in a window has a round of its own.
    for (first, rounds, written) in [("PutItem U/G, ", 6, 8), ("", 5, 8)] {
        let signed_in = cost(&app, anon.post("/login", login.clone())).await;
        let calls = "Query U/G!, Query U/P!, TransactWriteItems x2, UpdateItem RL, UpdateItem U/G, UpdateItem U/G";
        let expected = format!("{rounds} rounds, 3 read, {written} written: GetItem N/N!, PutItem AL, {first}{calls}");
        assert_eq!(signed_in, expected);
    }

    // A name that somebody has and one that nobody has: the same, but that nothing is left in a log.
    let failing = |name: &str| {
        let wrong = json!({"username": name, "password": "not the password"});
        anon.post("/login", wrong).into_future()
    };
    for count in ["PutItem U/G, UpdateItem RL, UpdateItem U/G", "UpdateItem RL, UpdateItem U/G"] {
        let rounds = if count.starts_with("Put") { 5 } else { 4 };
        for (name, told) in [("tern", "PutItem AL"), ("nobody", "DeleteItem AL")] {
            let mut calls = vec!["GetItem N/N!", told, "Query U/G!", "Query U/P!"];
            calls.extend(count.split(", "));
            calls.sort_unstable();
            let expected = format!("{rounds} rounds, 3 read, 3 written: {}", calls.join(", "));
            assert_eq!(cost_of_any(&app, failing(name)).await, expected, "{name}");
        }
    }

    let tokens = anon.post("/login", login.clone()).await.expect(200).json();
    let me = anon.with_token(tokens["access_token"].as_str().expect("a token"));
    let refreshed = cost(&app, anon.post("/users/refresh", json!({"refresh_token": tokens["refresh_token"]}))).await;
    assert_eq!(refreshed, "2 rounds, 0 read, 2 written: UpdateItem RL, UpdateItem U/H");
    assert_eq!(cost(&app, me.get("/users")).await, "1 rounds, 2 read, 0 written: Query U/H!, Query U/P!");
    assert_eq!(cost(&app, me.get("/activity-log")).await, "1 rounds, 2 read, 0 written: Query AL!, Query U/H!");
    archive::verify(&app, "gull@example.com").await;
    let asked = cost(&app, me.post("/users/export", None)).await;
    let calls = "GetItem U/P!, PutItem AL, Query U/H!, TransactWriteItems x2, UpdateItem RL";
    assert_eq!(asked, format!("4 rounds, 2 read, 7 written: {calls}"));
    let link = format!("/users/export?token={}", token_in(&app.mail_to("gull@example.com", "archive").await));
    assert_eq!(cost(&app, anon.get(&link)).await, "2 rounds, 2 read, 0 written: GetItem X/X!, Query U/P!");
    let out = cost(&app, me.post("/users/logout", None)).await;
    assert_eq!(out, "3 rounds, 0 read, 4 written: PutItem AL, TransactWriteItems x1, UpdateItem RL");

    let tokens = anon.post("/login", login).await.expect(200).json();
    let me = anon.with_token(tokens["access_token"].as_str().expect("a token"));
    let deleted = cost(&app, me.post("/users/delete", json!({"password": "rock pools"}))).await;
    let calls =
        "Query U/G!, Query U/H!, Query U/P!, TransactWriteItems x10, UpdateItem RL, UpdateItem U/G, UpdateItem U/G";
    assert_eq!(deleted, format!("4 rounds, 3 read, 23 written: {calls}"), "with three sessions");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn profiles_and_the_graph() {
    let _alone = alone().await;
    let app = app().await;
    let [me, gull]: [Person; 2] = people(&app, "bird", 2).await.try_into().ok().expect("two");
    let by_id = cost(&app, me.get(&format!("/users/{}", gull.id))).await;
    assert_eq!(by_id, "1 rounds, 3.5 read, 0 written: GetItem U/F, GetItem U/F!, Query U/H!, Query U/P!");
    let by_name = cost(&app, me.get("/users/bird1")).await;
    assert_eq!(by_name, "2 rounds, 4 read, 0 written: GetItem N/N, GetItem U/F, GetItem U/F!, Query U/H!, Query U/P!");

    let followed = cost(&app, me.post(&format!("/users/{}/follow", gull.id), None)).await;
    let calls = "BatchGetItem U/P x1!, PutItem AL, Query U/H!, TransactWriteItems x2, UpdateItem RL";
    assert_eq!(followed, format!("3 rounds, 2 read, 6 written: {calls}"));
    app.settle().await;
    let unfollowed = cost(&app, me.delete(&format!("/users/{}/follow", gull.id))).await;
    assert_eq!(unfollowed, format!("3 rounds, 2 read, 7 written: {calls}"), "the tombstone is listed");
    app.settle().await;
    let one = "BatchGetItem U/P x1!, PutItem AL, Query U/H!";
    let muted = cost(&app, me.post(&format!("/users/{}/mute", gull.id), None)).await;
    assert_eq!(muted, format!("3 rounds, 2 read, 3 written: {one}, UpdateItem RL, UpdateItem U/H"));
    let unmuted = cost(&app, me.delete(&format!("/users/{}/mute", gull.id))).await;
    assert_eq!(unmuted, muted);
    let blocked = cost(&app, me.post(&format!("/users/{}/block", gull.id), None)).await;
    let three = "BatchGetItem U/F x3!, BatchGetItem U/P x1!, PutItem AL, Query U/H!";
    assert_eq!(blocked, format!("4 rounds, 5 read, 13 written: {three}, TransactWriteItems x5, UpdateItem RL"));
    assert_eq!(
        cost(&app, me.get("/users/blocked")).await,
        "2 rounds, 2.5 read, 0 written: BatchGetItem U/P x1, Query U/B!, Query U/H!"
    );
    let searched = cost(&app, me.get("/users/search?query=bird")).await;
    assert_eq!(searched, "2 rounds, 2.5 read, 0 written: BatchGetItem U/P x1, GetItem U/SG, Query U/H!, Query US");
    let unblocked = cost(&app, me.delete(&format!("/users/{}/block", gull.id))).await;
    let two = "BatchGetItem U/H x2!, BatchGetItem U/P x1!, PutItem AL, Query U/H!";
    assert_eq!(unblocked, format!("4 rounds, 4 read, 8 written: {two}, TransactWriteItems x3, UpdateItem RL"));

    let app = TestApp::with(|options| {
        options.record_wire = true;
        set(options, "PublicReading", "on");
    })
    .await;
    let [gull]: [Person; 1] = people(&app, "gull", 1).await.try_into().ok().expect("one");
    let id = gull.post_text("hello").await;
    let anon = app.anon();
    let by_id = cost(&app, anon.get(&format!("/users/{}", gull.id))).await;
    assert_eq!(by_id, "1 rounds, 1 read, 0 written: Query U/P!");
    let by_name = cost(&app, anon.get("/users/gull0")).await;
    assert_eq!(by_name, "2 rounds, 1.5 read, 0 written: GetItem N/N, Query U/P!");
    let read = cost(&app, anon.get(&format!("/posts/{id}"))).await;
    assert_eq!(read, "1 rounds, 1.5 read, 0 written: BatchGetItem U/P x1!, GetItem A/T");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_and_likes() {
    let _alone = alone().await;
    let app = app().await;
    let [me, gull]: [Person; 2] = people(&app, "bird", 2).await.try_into().ok().expect("two");
    me.post_text("so that the author's card is cached").await;
    let made = cost(&app, me.post("/posts", json!({"content": "hello"}))).await;
    assert_eq!(made, "3 rounds, 1 read, 8 written: PutItem AL, Query U/H!, TransactWriteItems x3, UpdateItem RL");
    let keyed = cost(&app, me.post("/posts", json!({"content": "hello"})).header("idempotency-key", "k")).await;
    let calls = "GetItem U/I, PutItem AL, Query U/H!, TransactWriteItems x4, UpdateItem RL";
    assert_eq!(keyed, format!("3 rounds, 1.5 read, 10 written: {calls}"));
    let long = cost(&app, me.post("/posts", json!({"content": long_text()}))).await;
    assert_eq!(
        long, "3 rounds, 1 read, 18 written: PutItem AL, Query U/H!, TransactWriteItems x3, UpdateItem RL",
        "6 KB"
    );

    let id = gull.post_text("hello").await;
    app.settle().await;
    let read = cost(&app, me.get(&format!("/posts/{id}"))).await;
    let calls = "BatchGetItem A/T x3!, Query U/H!";
    assert_eq!(read, format!("1 rounds, 4 read, 0 written: {calls}"), "its author is asked for, whatever is cached");
    let liked = cost(&app, me.post(&format!("/posts/{id}/like"), None)).await;
    let calls = "BatchGetItem A/T x2!, PutItem AL, Query U/H!, UpdateItem RL, UpdateItem U/L";
    assert_eq!(liked, format!("3 rounds, 3 read, 3 written: {calls}"));
    app.settle().await;
    let unliked = cost(&app, me.delete(&format!("/posts/{id}/like"))).await;
    assert_eq!(unliked, format!("3 rounds, 3 read, 3 written: {calls}"));
    let counts = cost(&app, gull.get(&format!("/posts/{id}/analytics"))).await;
    assert_eq!(counts, "1 rounds, 3 read, 0 written: GetItem A/T!, Query U/H!, Query V/A!");
    let mine = cost(&app, me.get("/tweets")).await;
    assert_eq!(mine, "2 rounds, 5 read, 0 written: BatchGetItem U/P x1!, Query A/T!, Query U/H!, Query U/L!");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_and_scheduled_posts() {
    let _alone = alone().await;
    let app = app().await;
    let [me, gull]: [Person; 2] = people(&app, "bird", 2).await.try_into().ok().expect("two");
    me.post_text("so that the author's card is cached").await;
    let post = gull.post_text("hello").await;
    let comment = gull.comment(&post, "hello").await;
    app.settle().await;
    let path = format!("/posts/{post}/comments");
    let made = cost(&app, me.post(&path, json!({"content": "hello"}))).await;
    let calls = "BatchGetItem U/P x1!, GetItem A/T, PutItem AL, Query U/H!, TransactWriteItems x2, UpdateItem RL";
    assert_eq!(made, format!("3 rounds, 2.5 read, 7 written: {calls}"));
    app.settle().await;
    let listed = cost(&app, me.get(&path)).await;
    let calls = "BatchGetItem U/P x1!, GetItem A/T, Query C/R!, Query U/H!, Query U/L!";
    assert_eq!(listed, format!("2 rounds, 4.5 read, 0 written: {calls}"));
    let read = cost(&app, me.get(&format!("/posts/{comment}"))).await;
    let calls = "BatchGetItem A/T x4!, Query U/H!";
    assert_eq!(read, format!("1 rounds, 5 read, 0 written: {calls}"));
    let removed = cost(&app, gull.delete(&format!("/posts/{comment}"))).await;
    assert_eq!(
        removed,
        "3 rounds, 3 read, 6 written: GetItem A/T!, GetItem C/R!, PutItem AL, Query U/H!, TransactWriteItems x2, UpdateItem RL"
    );

    let waiting = json!({"content": "hello", "publish_at": (app_of(&app, "posts").now() + HOUR).rfc3339()});
    let scheduled = me.post("/posts", waiting.clone());
    let calls = "PutItem AL, Query U/H!, TransactWriteItems x3, UpdateItem RL";
    assert_eq!(cost(&app, scheduled).await, format!("3 rounds, 1 read, 8 written: {calls}"));
    let listed = cost(&app, me.get("/posts/scheduled")).await;
    assert_eq!(listed, "1 rounds, 2 read, 0 written: Query U/H!, Query U/S!");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports() {
    let _alone = alone().await;
    let app = app().await;
    let [me, gull, warden]: [Person; 3] = people(&app, "bird", 3).await.try_into().ok().expect("three");
    shared::store::moderators::appoint(&app_of(&app, "users"), warden.id, true).await.expect("a moderator");
    let mut posts = Vec::new();
    for text in ["one", "two", "three"] {
        posts.push(gull.post_text(text).await);
    }
    app.settle().await;
    let report = |post: &String| me.post(&format!("/posts/{post}/report"), json!({"reason": "spam"}));
    let made = cost(&app, report(&posts[0])).await;
    let calls = "BatchGetItem U/P x1!, GetItem A/T, PutItem AL, Query U/H!, TransactWriteItems x2, UpdateItem RL";
    assert_eq!(made, format!("3 rounds, 2.5 read, 7 written: {calls}"));
    report(&posts[1]).await.expect(202);
    report(&posts[2]).await.expect(202);
    let listed = cost(&app, warden.get("/reports")).await;
    assert_eq!(listed, "1 rounds, 3 read, 0 written: GetItem U/P!, Query RQ!, Query U/H!");
    let open = warden.get("/reports").await.expect(200).json();
    let path = |n: usize| format!("/reports/{}", open["items"][n]["id"].as_str().expect("an id"));
    let known = "BatchGetItem RQ x3!";
    let dismissed = cost(&app, warden.patch(&path(0), json!({"status": "dismissed"}))).await;
    let calls = "GetItem U/P!, PutItem AL, Query U/H!, TransactWriteItems x3, UpdateItem RL";
    assert_eq!(dismissed, format!("3 rounds, 5 read, 8 written: {known}, {calls}"));
    let removed = cost(&app, warden.patch(&path(1), json!({"status": "resolved", "action": "remove_post"}))).await;
    let calls = "GetItem A/T!, GetItem U/P!, PutItem AL, Query U/H!, TransactWriteItems x6, UpdateItem RL";
    assert_eq!(removed, format!("4 rounds, 6 read, 14 written: {known}, {calls}"));
    let suspended = cost(&app, warden.patch(&path(2), json!({"status": "resolved", "action": "suspend_author"}))).await;
    let calls = "GetItem U/P!, GetItem U/P!, PutItem AL, Query U/G!, Query U/H!, TransactWriteItems x6, UpdateItem RL";
    assert_eq!(suspended, format!("4 rounds, 7 read, 14 written: {known}, {calls}"), "and 2 for each further session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trends() {
    let _alone = alone().await;
    let app = app().await;
    let [me]: [Person; 1] = people(&app, "bird", 1).await.try_into().ok().expect("one");
    let run = async |function: &str, event: Value| {
        let wire = app.wire().expect("the wire is recorded");
        wire.take();
        app.invoke(function, &event).await.expect("an answer");
        let calls = wire.take();
        let sum = |units: fn(&Call) -> f64| calls.iter().map(units).sum::<f64>();
        (sum(|call| call.read_units), sum(|call| call.write_units))
    };
    app.settle().await;
    app.pause_workers().await;
    let mut costs = Vec::new();
    for text in ["plain", "#one #two", "#one #two again"] {
        let body = json!({"job": "post", "post": me.post_text(text).await}).to_string();
        let event = json!({"Records": [{"messageId": "0", "body": body, "eventSource": "aws:sqs"}]});
        costs.push(run("index", event).await);
    }
    // Postings, of which the last has one more, and the list twice; then each hashtag that begins a use, or is part of one.
    assert_eq!(costs, [(4.0, 4.0), (6.0, 7.0 + 1.0 + 2.0 * 4.0), (6.0, 8.0 + 1.0 + 2.0 * 2.0)]);
    assert_eq!(run("trends", json!({})).await, (2.0, 1.0), "four slots, and nothing to tell");
    app.resume_workers().await;
    let read = cost(&app, me.get("/hashtags/trending")).await;
    assert_eq!(read, "1 rounds, 1.5 read, 0 written: GetItem TOP/TOP, Query U/H!");
}

fn ulid(n: u128) -> ulid::Ulid {
    let now = new_ulid(shared::clock::Clock::default().now());
    ulid::Ulid::from_parts(now.timestamp_ms() + 1_000, n)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fan_out() {
    const FOLLOWERS: u16 = 400;
    let _alone = alone().await;
    let app = app().await;
    let author = people(&app, "author", 1).await.remove(0);
    let fanout = app_of(&app, "fanout");
    // Ledger rows of follows made long ago.
    let row = |n: u16| {
        let (edge, follower) = (ulid::Ulid::from_parts(1, n.into()), UserId::from_ulid(ulid(n.into())));
        Op::put(key::follower_row(author.id, edge, follower), &json!({})).expect("an item")
    };
    fanout.table().batch_write((0..FOLLOWERS).map(row).collect()).await.expect("followers");
    app.settle().await;
    app.wire().expect("the wire is recorded").take();
    author.post_text("to all").await;
    app.settle().await;
    let calls = app.wire().expect("the wire is recorded").take();
    let sum =
        |what: &str, units: fn(&Call) -> f64| calls.iter().filter(|call| name(call) == what).map(units).sum::<f64>();
    // The post's words are indexed beside.
    let to_timelines = |call: &&Call| call.operation == "BatchWriteItem" && call.request.to_string().contains("\"TL#");
    let written: f64 = calls.iter().filter(to_timelines).map(|call| call.write_units).sum();
    assert_eq!(written, f64::from(FOLLOWERS), "one unit a follower");
    let read = sum("Query FL!", |call| call.read_units);
    assert!(read > 0.0 && read / f64::from(FOLLOWERS) <= 0.025, "{read} units to read {FOLLOWERS} followers");
    assert_eq!(sum("GetItem U/P!", |call| call.read_units), 1.0, "how the author's posts are delivered");
    assert_eq!(sum("Query FL", |call| call.read_units), 0.0, "none is read eventually");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures() {
    let _alone = alone().await;
    let app = app().await;
    let [me]: [Person; 1] = people(&app, "bird", 1).await.try_into().ok().expect("one");
    me.post_text("so that the author's card is cached").await;
    let made = cost(&app, me.post("/media", None).body("image/png", files::png())).await;
    let calls = "PutItem AL, Query U/H!, TransactWriteItems x1, TransactWriteItems x3, UpdateItem RL";
    assert_eq!(made, format!("4 rounds, 1 read, 10 written: {calls}"));
    let keyed = me.post("/media", None).body("image/png", files::png()).header("idempotency-key", "k");
    let calls = "GetItem U/I, PutItem AL, Query U/H!, TransactWriteItems x2, TransactWriteItems x3, UpdateItem RL";
    assert_eq!(cost(&app, keyed).await, format!("4 rounds, 1.5 read, 12 written: {calls}"));
    let film = files::film();
    let begin = json!({"content_type": "video/mp4", "size": film.len()});
    let begun = cost(&app, me.post("/media/uploads", begin.clone())).await;
    assert_eq!(begun, "3 rounds, 1 read, 8 written: PutItem AL, Query U/H!, TransactWriteItems x3, UpdateItem RL");
    let begun = me.post("/media/uploads", begin).await.expect(201).json();
    assert_eq!(files::send(&app, &begun["upload"], film).await, 200);
    let path = format!("/media/{}", begun["id"].as_str().expect("an id"));
    let completed = cost(&app, me.post(&format!("{path}/complete"), None)).await;
    let calls = "GetItem M/M!, PutItem AL, Query U/H!, TransactWriteItems x1, UpdateItem RL";
    assert_eq!(completed, format!("3 rounds, 2 read, 4 written: {calls}"));
    let read = cost(&app, me.get(&path)).await;
    assert_eq!(read, "1 rounds, 2 read, 0 written: GetItem M/M!, Query U/H!");
    let url = me.get(&path).await.json()["url"].as_str().expect("an address").to_owned();
    assert_eq!(cost(&app, app.anon().get(&url)).await, "0 rounds, 0 read, 0 written: ");
    let shown = cost(&app, me.post("/posts", json!({"media_ids": [begun["id"]]}))).await;
    let calls = "BatchGetItem M/M x1!, PutItem AL, Query U/H!, TransactWriteItems x5, UpdateItem RL";
    assert_eq!(shown, format!("3 rounds, 2 read, 12 written: {calls}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups() {
    let _alone = alone().await;
    let app = app().await;
    let [me, gull]: [Person; 2] = people(&app, "bird", 2).await.try_into().ok().expect("two");
    for one in [&me, &gull] {
        one.post_text("so that the author's card is cached").await;
    }
    let body = |visibility: &str| json!({"name": "Waders", "visibility": visibility});
    let id = |answer: Response| answer.json()["id"].as_str().expect("an id").to_owned();
    let open = id(gull.post("/groups", body("public")).await.expect(201));
    let closed = id(gull.post("/groups", body("private")).await.expect(201));
    app.settle().await;
    let in_closed = |path: &str| format!("/groups/{closed}/{path}");
    let text = json!({"content": "hello", "group_id": closed});
    let mut measured = vec![
        cost(&app, gull.post("/groups", body("public"))).await,
        cost(&app, gull.post("/groups", body("private"))).await,
        cost(&app, me.post(&format!("/groups/{open}/join"), None)).await,
        cost(&app, me.post(&in_closed("join"), None)).await,
        cost(&app, gull.post(&in_closed(&format!("requests/{}/approve", me.id)), None)).await,
    ];
    app.settle().await;
    measured.push(cost(&app, me.get(&format!("/groups/{closed}"))).await);
    measured.push(cost(&app, me.post("/posts", text.clone())).await);
    let post = id(gull.post("/posts", text).await.expect(201));
    app.settle().await;
    measured.push(cost(&app, me.get(&format!("/posts/{post}"))).await);
    measured.push(cost(&app, me.get(&in_closed("posts"))).await);
    measured.push(cost(&app, me.post(&in_closed("leave"), None)).await);
    let two = "GetItem G/M!, PutItem AL, Query U/H!";
    let expected = [
        "3 rounds, 1 read, 11 written: PutItem AL, Query U/H!, TransactWriteItems x4, UpdateItem RL".to_owned(),
        "3 rounds, 1 read, 9 written: PutItem AL, Query U/H!, TransactWriteItems x3, UpdateItem RL".to_owned(),
        format!("3 rounds, 2 read, 9 written: {two}, TransactWriteItems x3, UpdateItem RL"),
        format!("3 rounds, 2 read, 7 written: {two}, TransactWriteItems x2, UpdateItem RL"),
        "4 rounds, 3 read, 12 written: GetItem G/M!, PutItem AL, Query U/H!, Query U/H!, TransactWriteItems x4, UpdateItem RL"
            .into(),
        "3 rounds, 6 read, 0 written: BatchGetItem G/M x3!, BatchGetItem U/P x2, Query G/m!, Query U/H!".into(),
        format!("3 rounds, 2 read, 9 written: {two}, TransactWriteItems x3, UpdateItem RL"),
        "1 rounds, 5 read, 0 written: BatchGetItem G/M x4!, Query U/H!".into(),
        "2 rounds, 4 read, 0 written: GetItem G/M!, Query G/T!, Query U/H!, Query U/L!".into(),
        "5 rounds, 3 read, 7 written: DeleteItem G/q, GetItem G/M!, GetItem G/m!, PutItem AL, Query U/H!, TransactWriteItems x2, UpdateItem RL".into(),
    ];
    assert_eq!(measured, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn search() {
    let _alone = alone().await;
    let app = app().await;
    let [me, gull]: [Person; 2] = people(&app, "bird", 2).await.try_into().ok().expect("two");
    for n in 0..3 {
        gull.post_text(&format!("Low tide number {n}. #mudflats")).await;
    }
    app.settle().await;
    let _ = me.get("/posts/search?q=tide").await;
    let found = cost(&app, me.get("/posts/search?q=low%20tide")).await;
    let calls = "BatchGetItem A/T x3, Query U/H!, Query U/L!, Query W, Query W";
    assert_eq!(found, format!("3 rounds, 4.5 read, 0 written: {calls}"));
}
