//! Many sockets at once, and what each is told.

use crate::support::bulk::{Person, people};
use crate::support::live::{Handshake, Socket};
use crate::support::{TestApp, alone};
use futures::future::join_all;
use futures::{FutureExt, StreamExt};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Acts a second.
const RATE: usize = 100;
/// One person has five sockets, and gets a fifth of all.
const STARS_SOCKETS: usize = 5;
/// Sockets that nobody reads, at most five of one person.
const SLOW: usize = 20;

/// When an act was begun, by whose post it is at and who acts.
type Begun = Arc<Mutex<HashMap<(String, String), Instant>>>;

/// Hears everything there is until the numbers up to `expected` are there; answers how long each act took to arrive.
async fn hear(mut socket: Socket, expected: u64, begun: Begun) -> Vec<Duration> {
    let (mut numbers, mut waits) = (BTreeSet::new(), Vec::new());
    while (numbers.len() as u64) < expected {
        let message = socket.next_within(Duration::from_secs(60)).await.expect("all are told").expect("an open socket");
        let arrived = Instant::now();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let act = (text(&message["data"]["post_id"]), text(&message["data"]["actor"]["id"]));
        assert!(numbers.insert(message["seq"].as_u64().expect("a number")), "told twice: {message}");
        waits.push(arrived - begun.lock().unwrap()[&act]);
    }
    assert_eq!(numbers, (1..=expected).collect(), "a number is missing");
    waits
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_sockets_hear_every_act_once() {
    each_act_is_heard_once(50, 2).await;
}

#[ignore = "campaign: 500 sockets, 3,000 acts"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_sockets_hear_every_act_once() {
    each_act_is_heard_once(475, 30).await;
}

/// People with a socket each, and acts for some seconds.
async fn each_act_is_heard_once(count: usize, seconds: usize) {
    let _alone = alone().await;
    let app = TestApp::start().await;
    let listeners = people(&app, "listener", count).await;
    let star = people(&app, "star", 1).await.remove(0);
    app.settle().await;
    let total = RATE * seconds;
    // A fifth at the star's posts, the rest around; nobody acts on one post twice, or on their own.
    let stars_posts = posts_of(&star, total / 5 / count + 1).await;
    let posts = futures::stream::iter(&listeners).map(|one| posts_of(one, 1)).buffered(16);
    let posts: Vec<String> = posts.map(|mut posts| posts.remove(0)).collect().await;
    let acts: Vec<(usize, String, Option<usize>)> = (0..total)
        .map(|n| match n % 5 {
            0 => ((n / 5) % count, stars_posts[n / 5 / count].clone(), None),
            _ => {
                let (k, owner) = (n - n / 5 - 1, (n - n / 5 - 1) % count);
                ((owner + 1 + k / count) % count, posts[owner].clone(), Some(owner))
            }
        })
        .collect();
    app.settle().await;

    let begun = Begun::default();
    let mut hearing = Vec::new();
    for (n, person) in listeners.iter().enumerate() {
        let expected = acts.iter().filter(|(_, _, owner)| *owner == Some(n)).count() as u64;
        hearing.push(tokio::spawn(hear(open(&app, person).await, expected, begun.clone())));
    }
    for _ in 0..STARS_SOCKETS {
        hearing.push(tokio::spawn(hear(open(&app, &star).await, (total / 5) as u64, begun.clone())));
    }
    let mut slow = Vec::new();
    for reader in std::iter::repeat_n(&star, 5).chain(&listeners[5..SLOW]) {
        slow.push(open(&app, reader).await);
    }

    let (started, mut acting) = (Instant::now(), Vec::new());
    for (n, (actor, post, _)) in acts.into_iter().enumerate() {
        tokio::time::sleep_until((started + Duration::from_secs(1) * n as u32 / RATE as u32).into()).await;
        let actor = &listeners[actor];
        begun.lock().unwrap().insert((post.clone(), actor.id.to_string()), Instant::now());
        acting.push(tokio::spawn(actor.post(&format!("/posts/{post}/like"), None).into_future()));
    }
    for answer in join_all(acting).await {
        answer.expect("an answer").expect(200);
    }
    let acted = started.elapsed();
    let mut waits: Vec<Duration> =
        join_all(hearing).await.into_iter().flat_map(|heard| heard.expect("heard")).collect();
    waits.sort_unstable();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
    println!(
        "{} sockets, {SLOW} of them never read, {total} acts in {acted:.1?}, {} messages: p50 {:?}, p99 {:?}, last {:?}",
        count + STARS_SOCKETS + SLOW,
        waits.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    assert_eq!(waits.len(), total - total / 5 + total / 5 * STARS_SOCKETS);
    drop(slow);
}

async fn posts_of(person: &Person, count: usize) -> Vec<String> {
    let posts = (0..count).map(|n| async move { person.post_text(&format!("Wave {n}.")).await }.boxed());
    join_all(posts).await
}

async fn open(app: &TestApp, person: &Person) -> Socket {
    Handshake::to(app, "/notifications").token(person.token()).open().await.expect("an open socket")
}
