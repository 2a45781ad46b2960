//! Who reads a post: views, viewers, likes and comments by day.

use crate::support::bulk::{app_with_keys, people};
use crate::support::services::shuffled;
use crate::support::{Client, PASSWORD, TestApp, User, alone, set};
use emulators::faults::{Death, Faults, Profile};
use emulators::lambda::InvokeError;
use emulators::wire::Call;
use futures::StreamExt;
use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};
use shared::clock::{Clock, Timestamp};
use shared::ids::{PostId, SessionId, UserId, new_ulid};
use shared::limits::VIEW_TIMEOUT;
use shared::models::days::Day;
use shared::models::session::Session;
use shared::secrets::ACCESS_TOKEN_LIFETIME;
use shared::table::Op;
use shared::table::design::key;
use std::time::{Duration, Instant};

const DAY: Duration = Duration::from_secs(24 * 3_600);
const UNKNOWN: &str = "pst_01K9ZP2D7V3T8Q6M5N4C1B0A9Z.01K9ZNXE5R2W8J6H4G3F1D0C7B";

async fn read(reader: &Client, post: &str) {
    reader.get(&format!("/posts/{post}")).await.expect(200);
}

async fn analytics(author: &Client, post: &str) -> Value {
    author.get(&format!("/posts/{post}/analytics")).await.expect(200).json()
}

/// Views and viewers, once all is counted.
async fn counts(app: &TestApp, author: &Client, post: &str) -> (u64, u64) {
    app.settle().await;
    let analytics = analytics(author, post).await;
    let shown = author.get(&format!("/posts/{post}")).await.expect(200).json()["views_count"].clone();
    assert_eq!(shown, analytics["views"]);
    let by_day = analytics["days"].as_array().unwrap().iter().map(|day| day["views"].as_u64().unwrap());
    assert_eq!(analytics["views"], by_day.sum::<u64>());
    (analytics["views"].as_u64().unwrap(), analytics["unique_viewers"].as_u64().unwrap())
}

/// Signed in anew, for the clock was set forward.
async fn again(app: &TestApp, user: &User) -> User {
    app.sign_in(&user.username, PASSWORD).await
}

/// Sets the clock to a minute after the next hour's beginning, so that a test stays in one hour.
fn to_next_hour(app: &TestApp, ahead: Duration) -> Duration {
    let now = Clock::default().now() + ahead;
    let next = (now.millis() / 3_600_000 + 1) * 3_600_000 + 60_000;
    let by = Duration::from_millis(next - now.millis());
    app.advance(by);
    ahead + by
}

#[tokio::test]
async fn a_view_is_counted_once_per_viewer_and_hour() {
    let app = TestApp::start().await;
    let ahead = to_next_hour(&app, Duration::ZERO);
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let post = ann.post_text("Low tide.").await;
    app.settle().await;
    assert_eq!(counts(&app, &ann, &post).await, (0, 0));
    let tag = ann.get(&format!("/posts/{post}")).await.header("etag").to_owned();
    for reader in [&bob, &bob, &cid, &ann, &bob] {
        read(reader, &post).await;
    }
    let seen = bob.get(&format!("/posts/{post}")).await.header("etag").to_owned();
    bob.get(&format!("/posts/{post}")).header("if-none-match", &seen).await.expect(304);
    assert_eq!(counts(&app, &ann, &post).await, (2, 2), "the author's own views are none");
    read(&bob, &post).await;
    assert_eq!(counts(&app, &ann, &post).await, (2, 2), "in another batch of the same hour");

    to_next_hour(&app, ahead);
    let [ann, bob, cid] = [again(&app, &ann).await, again(&app, &bob).await, again(&app, &cid).await];
    read(&bob, &post).await;
    assert_eq!(counts(&app, &ann, &post).await, (3, 2));
    cid.head(&format!("/posts/{post}")).await.expect(200);
    cid.call(Method::GET, "/posts").await.expect(200);
    assert_eq!(counts(&app, &ann, &post).await, (3, 2), "neither a HEAD nor a list is a view");
    read(&cid, &post).await;
    assert_eq!(counts(&app, &ann, &post).await, (4, 2));
    assert_eq!(bob.get("/users/ann/posts").await.expect(200).items()[0]["views_count"], 4, "in lists, too");

    // What others do is no conflict.
    let edit = ann.patch(&format!("/posts/{post}"), json!({"content": "High tide."})).header("if-match", &tag);
    assert_eq!(edit.await.expect(200).json()["views_count"], 4);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn analytics_are_the_authors_alone() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = ann.post_text("Low tide.").await;
    let comment = bob.comment(&post, "At last.").await;
    for (who, of, status, slug) in [
        (&bob, &post, 403, "forbidden"),
        (&ann, &comment, 403, "forbidden"),
        (&ann, &UNKNOWN.to_owned(), 404, "not-found"),
    ] {
        who.get(&format!("/posts/{of}/analytics")).await.expect(status).problem(slug);
    }
    app.anon().get(&format!("/posts/{post}/analytics")).await.expect(401).problem("unauthorized");
    read(&ann, &comment).await;
    read(&bob, &comment).await;
    ann.post(&format!("/posts/{comment}/like"), None).await.expect(200);
    assert_eq!(counts(&app, &bob, &comment).await, (1, 1), "a comment's author is another one");
    let of_post = analytics(&ann, &post).await;
    let today = &of_post["days"][89];
    assert_eq!((&of_post["comments"], &today["comments"]), (&json!(1), &json!(1)));
    assert_eq!(analytics(&bob, &comment).await["days"][89]["likes"], 1);
    assert_eq!(of_post["days"].as_array().unwrap().len(), 90);
    assert!(today["date"].as_str().unwrap() >= "2026", "{today}");

    ann.delete(&format!("/posts/{post}")).await.expect(204);
    for (who, of) in [(&ann, &post), (&bob, &post), (&bob, &comment)] {
        who.get(&format!("/posts/{of}/analytics")).await.expect(404).problem("not-found");
        who.get(&format!("/posts/{of}")).await.expect(404);
    }
    app.settle().await;
    let left: Vec<_> = app.table().await.into_keys().filter(|(pk, _)| pk.starts_with("V#")).collect();
    assert_eq!(left, []);
    app.audit().await;
}

#[tokio::test]
async fn likes_and_comments_count_on_the_day_on_which_they_were_made() {
    let app = TestApp::start().await;
    let users = people(&app, "user", 60).await;
    let author = &users[0];
    let post = author.post_text("Low tide.").await;
    let path = format!("/posts/{post}/like");
    join_all(users.iter().map(|user| async { user.post(&path, None).await.expect(200) })).await;
    let comments = join_all(users[..30].iter().map(|user| user.comment(&post, "At last."))).await;
    app.settle().await;
    let of_days = async |author: &Client| {
        let analytics = analytics(author, &post).await;
        let days = analytics["days"].as_array().unwrap().clone();
        let sum = |what: &str| days.iter().map(|day| day[what].as_u64().unwrap()).sum::<u64>();
        assert_eq!(
            (analytics["likes"].as_u64(), analytics["comments"].as_u64()),
            (Some(sum("likes")), Some(sum("comments")))
        );
        let shown = days.iter().filter(|day| day["likes"] != 0 || day["comments"] != 0);
        shown
            .map(|day| {
                (
                    day["date"].as_str().unwrap().to_owned(),
                    day["likes"].as_u64().unwrap(),
                    day["comments"].as_u64().unwrap(),
                )
            })
            .collect::<Vec<_>>()
    };
    let first = Day::of(Clock::default().now()).date();
    assert_eq!(of_days(author).await, [(first.clone(), 60, 30)]);

    // Forty days later, in another row, some are taken back.
    app.advance(40 * DAY);
    let keys = app_with_keys(&app, "users").await;
    let later = Clock::default().now() + 40 * DAY;
    let sign_in = |user: &crate::support::bulk::Person| {
        let (id, anon, keys) = (user.id, app.anon(), keys.clone());
        async move {
            let session = session(id, later);
            let op = Op::put(key::session(id, session.id), &session).unwrap();
            keys.table().write(op).await.unwrap();
            anon.with_token(&token(&keys, &session, later))
        }
    };
    let users: Vec<Client> = join_all(users.iter().map(sign_in)).await;
    join_all(users[..20].iter().map(|user| async { user.delete(&path).await.expect(200) })).await;
    join_all(
        comments[..10]
            .iter()
            .zip(&users)
            .map(|(comment, user)| async move { user.delete(&format!("/posts/{comment}")).await.expect(204) }),
    )
    .await;
    app.settle().await;
    join_all(users[..5].iter().map(|user| async { user.post(&path, None).await.expect(200) })).await;
    users[0].comment(&post, "And again.").await;
    app.settle().await;
    let today = Day::of(later).date();
    assert_eq!(of_days(&users[0]).await, [(first, 40, 20), (today, 5, 1)]);
    app.audit().await;

    // All that comes again changes nothing.
    app.pause_workers().await;
    let before = app.table().await;
    let records = app.stream().await;
    for batch in [1, 100] {
        app.dispatch(&shuffled(&records, batch as u64), batch).await;
    }
    assert_eq!(app.table().await, before);
}

#[tokio::test]
async fn a_queue_that_is_gone_or_hangs_costs_the_view_and_not_the_read() {
    let gone = TestApp::with(|options| {
        let nowhere = "http://127.0.0.1:1/000000000000/Nowhere";
        options.environment.insert("VIEWS_QUEUE_URL".into(), nowhere.into());
    })
    .await;
    let (ann, bob) = (gone.user("ann").await, gone.user("bob").await);
    let post = ann.post_text("Low tide.").await;
    gone.settle().await;
    for n in 1..=3 {
        read(&bob, &post).await;
        assert_eq!(gone.dropped_views(), n);
    }
    read(&ann, &post).await;
    assert_eq!(gone.dropped_views(), 3);
    gone.audit().await;

    // It takes connections and never answers. Nothing else here needs a queue.
    let deaf = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", deaf.local_addr().unwrap());
    let hung = TestApp::with(|options| {
        options.environment.insert("AWS_ENDPOINT_URL_SQS".into(), address);
        options.workers = false;
    })
    .await;
    let (ann, bob) = (hung.user("ann").await, hung.user("bob").await);
    let post = ann.post_text("Low tide.").await;
    let started = Instant::now();
    read(&bob, &post).await;
    let took = started.elapsed();
    println!("with a queue that hangs a read takes {took:?}");
    assert!(took >= VIEW_TIMEOUT, "{took:?}");
    assert_eq!(hung.dropped_views(), 1);
}

/// An event of the queue, as Lambda sends it.
fn event(bodies: &[String]) -> Value {
    let record =
        |(n, body): (usize, &String)| json!({"messageId": n.to_string(), "body": body, "eventSource": "aws:sqs"});
    json!({"Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>()})
}

fn view(post: &str, viewer: u64, at: Timestamp) -> String {
    json!({"job": "viewed", "post": post, "viewer": viewer, "at": at}).to_string()
}

async fn fold(app: &TestApp, bodies: &[String]) {
    let answer = app.invoke("views", &event(bodies)).await.unwrap();
    assert_eq!(answer["batchItemFailures"], json!([]));
}

#[tokio::test]
async fn a_batch_that_comes_again_or_twice_at_once_adds_nothing() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let posts = [ann.post_text("Low tide.").await, ann.post_text("High tide.").await];
    app.settle().await;
    let now = Clock::default().now();
    let hour = |back: u64| Timestamp::from_millis((now.millis() / 3_600_000 - back) * 3_600_000);
    // Two posts, two hours, 400 viewers, and each view twice.
    let views: Vec<_> = (0..1_600).map(|n| view(&posts[n % 2], n as u64 % 400, hour(n as u64 / 400 % 2))).collect();
    let batches: Vec<_> = shuffled(&[views.clone(), views].concat(), 3).chunks(500).map(<[_]>::to_vec).collect();
    join_all(batches.iter().map(|batch| fold(&app, batch))).await;
    let expected = counts(&app, &ann, &posts[0]).await;
    assert_eq!((expected, counts(&app, &ann, &posts[1]).await), ((400, 200), (400, 200)));
    let before = app.table().await;
    join_all(batches.iter().rev().map(|batch| fold(&app, batch))).await;
    assert_eq!(app.table().await, before, "nothing is written");
    app.audit().await;

    // Of a post that is gone, of an hour that nobody remembers, and no view at all.
    let late = view(&posts[0], 7_000, Timestamp::from_millis(now.millis() - 6 * 24 * 3_600_000));
    fold(&app, &[view(UNKNOWN, 1, now), late]).await;
    assert_eq!(app.table().await, before);
    app.send_messages("VIEWS_QUEUE_URL", &["no job".to_owned(), view(&posts[0], 7_000, now)]).await;
    assert_eq!(counts(&app, &ann, &posts[0]).await, (401, 201));
    let letters = app.dead_letters("ViewsDlq").await.unwrap();
    assert_eq!((letters.len(), letters[0].body.as_str()), (1, "no job"));
}

#[tokio::test]
async fn a_worker_may_die_at_each_of_its_calls() {
    let app = TestApp::with(|options| options.faults = Some(Faults::new(Profile::Stale))).await;
    let ann = app.user("ann").await;
    let post = ann.post_text("Low tide.").await;
    app.settle().await;
    let mut viewers = 0;
    for done in [false, true] {
        for after_calls in 0..6 {
            let now = Clock::default().now();
            let batch: Vec<_> = (viewers..viewers + 10).map(|viewer| view(&post, viewer, now)).collect();
            viewers += 10;
            // The post; the hour, the audience: read and written; the post's number.
            let death = app.invoke_killed("views", &event(&batch), Death { after_calls, done }).await;
            assert!(matches!(death, Err(InvokeError::Killed)), "{after_calls} {done}: {death:?}");
            join_all([fold(&app, &batch), fold(&app, &batch)]).await;
            assert_eq!(counts(&app, &ann, &post).await, (viewers, viewers), "{after_calls} {done}");
            app.audit().await;
        }
    }
}

#[tokio::test]
async fn a_view_of_a_post_that_is_deleted_meanwhile_leaves_nothing() {
    let app = TestApp::with(|options| options.faults = Some(Faults::new(Profile::Stale))).await;
    let ann = app.user("ann").await;
    let now = Clock::default().now();
    // Dead once the post is read; once the hour is there; and once the audience is.
    for after_calls in [1, 3, 5] {
        let post = ann.post_text("Low tide.").await;
        let comment = ann.comment(&post, "At last.").await;
        app.settle().await;
        let batch = [view(&post, 1, now), view(&comment, 1, now)];
        for body in &batch {
            let event = event(std::slice::from_ref(body));
            let death = app.invoke_killed("views", &event, Death { after_calls, done: false }).await;
            assert!(matches!(death, Err(InvokeError::Killed)), "{after_calls}: {death:?}");
        }
        ann.delete(&format!("/posts/{post}")).await.expect(204);
        // At once, while stale reads find the post, and when all has settled.
        fold(&app, &batch).await;
        app.settle().await;
        fold(&app, &batch).await;
        let left: Vec<_> = app.table().await.into_keys().filter(|(pk, _)| pk.starts_with("V#")).collect();
        assert_eq!(left, [], "{after_calls}");
    }
    app.audit().await;
}

#[tokio::test]
async fn who_is_not_signed_in_counts_by_the_address() {
    let app = TestApp::with(|options| set(options, "PublicReading", "on")).await;
    let ann = app.user("ann").await;
    let post = ann.post_text("Low tide.").await;
    for address in ["127.0.0.2", "127.0.0.3", "127.0.0.2"] {
        read(&app.anon_at(address), &post).await;
    }
    let views = counts(&app, &ann, &post).await;
    assert_eq!(views.1, 2, "{views:?}");
}

const VIEWERS: usize = 10_000;

/// A session that lasts as long as the test.
fn session(user: UserId, now: Timestamp) -> Session {
    let id = SessionId::from_ulid(new_ulid(now));
    let ttl = (now + 30 * DAY).seconds();
    Session { user, id, hash: String::new(), generation: 0, rotated: now, agent: String::new(), ttl }
}

fn token(app: &shared::App, session: &Session, now: Timestamp) -> String {
    app.keys()
        .unwrap()
        .access_token(&app.config().issuer, (session.user, session.id), now, now + ACCESS_TOKEN_LIFETIME)
        .unwrap()
}

/// Has all of them read the post, each as often as `times` says, in an order of chance; how many reads that was. What a
/// busy machine dropped is read again, as people do.
async fn crowd(app: &TestApp, clients: &[Client], post: &str, times: impl Fn(usize) -> usize) -> usize {
    let readings: Vec<usize> = (0..clients.len()).flat_map(|n| std::iter::repeat_n(n, times(n))).collect();
    let mut count = 0;
    for some in shuffled(&readings, 5).chunks(250) {
        let mut dropped = None;
        while dropped != Some(app.dropped_views()) {
            dropped = Some(app.dropped_views());
            let reads = some.iter().map(|n| read(&clients[*n], post));
            count += futures::stream::iter(reads).buffer_unordered(8).count().await;
        }
    }
    count
}

/// Write units of the calls that count views, and how many calls these are.
fn written(calls: &[Call]) -> (f64, usize) {
    let writes = || calls.iter().filter(|call| call.write_units > 0.0);
    (writes().map(|call| call.write_units).sum(), writes().count())
}

/// Ten thousand read one post through the whole service, some of them up to four times, and a part of them again in the
/// next hour.
#[ignore = "campaign: 10,000 viewers"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_viewers_are_counted_for_a_tenth_of_a_write_unit_each() {
    let _alone = alone().await;
    let app = TestApp::with(|options| options.record_wire = true).await;
    let ann = people(&app, "ann", 1).await.remove(0);
    let post = ann.post_text("Low tide.").await;
    app.settle().await;
    // Viewers are their sessions, for nothing else of theirs is read.
    let users = (0..VIEWERS).map(|_| UserId::new(Clock::default().now()));
    let sessions: Vec<_> = users.chain([ann.id]).map(|user| session(user, Clock::default().now())).collect();
    let keys = app_with_keys(&app, "users").await;
    let ops = sessions.iter().map(|session| Op::put(key::session(session.user, session.id), session).unwrap());
    keys.table().batch_write(ops.collect()).await.unwrap();
    let mut ahead = Duration::ZERO;
    let (mut exact, mut cost) = (0, 0.0);
    for (hour, readers) in [VIEWERS, VIEWERS / 10].into_iter().enumerate() {
        // Long enough for a slow machine to stay in the hour.
        ahead = to_next_hour(&app, ahead);
        let now = Clock::default().now() + ahead;
        let client = |session| app.anon().with_token(&token(&keys, session, now));
        let clients: Vec<Client> = sessions.iter().map(client).collect();
        let (clients, ann) = clients.split_at(VIEWERS);
        let wire = app.wire().expect("the wire is recorded");
        wire.take();
        let started = Instant::now();
        let reads = crowd(&app, &clients[..readers], &post, |n| if n % 10 == 0 { 4 } else { 1 }).await;
        let took = started.elapsed();
        exact += readers as u64;
        let (views, unique) = counts(&app, &ann[0], &post).await;
        let (units, writes) = written(&wire.take());
        println!(
            "hour {hour}: {reads} reads by {readers} viewers in {took:?}; {exact} views to count, {views} counted; \
             {unique} viewers; {units} write units in {writes} writes, {:.4} per view; {} dropped",
            units / readers as f64,
            app.dropped_views()
        );
        assert!(views.abs_diff(exact) * 50 <= exact && unique.abs_diff(VIEWERS as u64) * 50 <= VIEWERS as u64);
        cost += units;
    }
    assert!(cost / exact as f64 <= 0.1, "{cost} write units");
    // Nobody's sessions are nothing that the audit likes.
    let sessions = sessions[..VIEWERS].iter().map(|session| Op::delete(key::session(session.user, session.id)));
    keys.table().batch_write(sessions.collect()).await.unwrap();
    app.audit().await;
}

/// The batches that Lambda would gather of 200 views a second, as the workers get them: what each costs once the sketches
/// are as large as they get.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_views_a_second_cost_far_less_than_a_tenth_of_a_unit_each() {
    let _alone = alone().await;
    let app = TestApp::with(|options| options.record_wire = true).await;
    let ann = people(&app, "ann", 1).await.remove(0);
    let post: PostId = ann.post_text("Low tide.").await.parse().unwrap();
    app.settle().await;
    let wire = app.wire().expect("the wire is recorded");
    let now = Clock::default().now();
    let mut viewer = fastrand::Rng::with_seed(9);
    for (what, batch) in [("20 s, two workers", 2_000), ("20 s, five", 800), ("5 s, two", 500), ("to fill", 20_000)] {
        for part in ["first", "next"] {
            let views: Vec<_> = (0..batch).map(|_| view(&post.to_string(), viewer.u64(..), now)).collect();
            wire.take();
            fold(&app, &views).await;
            let (units, writes) = written(&wire.take());
            let each = units / f64::from(batch);
            println!("{what}, the {part} batch of {batch}: {units} write units, {writes} writes, {each:.4} per view");
            assert!(each <= 0.1, "{what}: {each}");
        }
    }
    // As large as it gets.
    for batch in [2_000, 800, 500] {
        let views: Vec<_> = (0..batch).map(|_| view(&post.to_string(), viewer.u64(..), now)).collect();
        wire.take();
        fold(&app, &views).await;
        let (units, _) = written(&wire.take());
        println!("with 46,600 viewers, a batch of {batch}: {units} units, {:.4} per view", units / f64::from(batch));
        assert!(units <= 28.0 && units / f64::from(batch) <= 0.1, "{units}");
    }
    let (views, _) = counts(&app, &ann, &post.to_string()).await;
    let expected = 2 * (2_000 + 800 + 500 + 20_000) + 3_300;
    assert!(views.abs_diff(expected) * 50 <= expected, "{views} of {expected}");
    app.audit().await;
}
