//! Authors who cross `FanoutLimit` both ways: whatever comes late, again or out of order, no post is lost or doubled.

use crate::support::bulk::{Person, app_of, people};
use crate::support::lists::newest_first;
use crate::support::services::{Items, shuffled, text};
use crate::support::{TestApp, set};
use local::Local;
use serde_json::{Value, json};
use shared::ids::{PostId, UserId};
use shared::models::post::TIMELINE_LIFETIME;
use shared::store;
use shared::table::design::key;
use shared::table::{Op, Read};

async fn app(fanout_limit: &str) -> TestApp {
    TestApp::with(|options| set(options, "FanoutLimit", fanout_limit)).await
}

/// Twenty other authors to merge, which are enough: an author who crosses now pushes to this follower all the same.
async fn merge_enough(app: &TestApp, user: &Person) {
    let row =
        |n: u16| Op::put(key::merged_author(user.id, UserId::from_ulid(u128::from(n).into())), &json!({"epoch": 1}));
    let rows = (0..20).map(|n| row(n).expect("an item")).collect();
    app_of(app, "fanout").table().batch_write(rows).await.expect("rows");
}

/// Followers with a row of this post in their timeline.
fn pushed(items: &Items, post: &str) -> usize {
    let post: PostId = post.parse().expect("an id");
    let author = format!("TL#{}", post.author.ulid());
    items.keys().filter(|(pk, sk)| pk.starts_with("TL#") && *pk != author && *sk == post.suffix()).count()
}

fn number(item: &Value, name: &str) -> u64 {
    item[name]["N"].as_str().map_or(0, |number| number.parse().expect("a number"))
}

/// Holds a settled author's rows to how the posts are delivered; answers mode and epoch.
async fn delivery(app: &TestApp, author: &Person) -> (String, u64) {
    // What is no delivery is done, where no worker does it.
    app.work("index", &app.take_messages("INDEX_QUEUE_URL").await).await;
    let mut findings = Local::audit(app).await.expect("an audit").findings;
    // Nobody follows those whom `merge_enough` makes up.
    findings.retain(|finding| !finding.contains("merges usr_00000000"));
    assert_eq!(findings, [""; 0]);
    let items = &app.table().await;
    let author = author.id.ulid().to_string();
    let followers = &items[&(format!("U#{author}"), "P#f".to_owned())];
    let (mode, epoch) = (text(followers, "mode"), number(followers, "epoch"));
    assert!(followers.get("walk_due").is_none(), "{followers}");
    let row = |user: &str, pk: String, sk: String| (user.to_owned(), items.get(&(pk, sk)));
    let follows = items.keys().filter(|(pk, sk)| pk.starts_with("U#") && *sk == format!("F#{author}"));
    let users: Vec<String> = follows.map(|(pk, _)| pk[2..].to_owned()).collect();
    for user in &users {
        let (_, merged) = row(user, format!("U#{user}"), format!("H#1#{author}"));
        let (_, overflow) = row(user, format!("FO#{author}"), user.clone());
        match mode.as_str() {
            "pull" => {
                let lasting = merged.is_some_and(|row| row.get("ttl").is_none() && number(row, "epoch") == epoch);
                assert!(lasting || overflow.is_some_and(|row| number(row, "epoch") == epoch), "{user}: {merged:?}");
            }
            "push" => {
                assert!(merged.is_none_or(|row| number(row, "ttl") > 0), "{user}: {merged:?}");
                assert_eq!(overflow, None);
            }
            other => panic!("settled, yet {other}"),
        }
    }
    let is_row = |pk: &str, sk: &str| pk == format!("FO#{author}") || sk == format!("H#1#{author}");
    for (pk, sk) in items.keys().filter(|(pk, sk)| is_row(pk, sk)) {
        let user = if pk.starts_with("FO#") { sk } else { &pk[2..] };
        assert!(users.iter().any(|follower| follower == user), "{pk} {sk} outlived the follow");
    }
    (mode, epoch)
}

#[tokio::test]
async fn an_author_who_falls_below_the_limit_pushes_again() {
    let app = app("4").await;
    let (star, users) = (&people(&app, "star", 1).await[0], people(&app, "user", 6).await);
    merge_enough(&app, &users[0]).await;
    for user in &users {
        user.follow(star).await;
    }
    app.settle().await;
    assert_eq!(delivery(&app, star).await, ("pull".into(), 1));
    let mut posts = vec![star.post_text("A post.").await];
    app.settle().await;
    assert_eq!(pushed(&app.table().await, &posts[0]), 1, "to the one who merges enough others");
    users[5].unfollow(star).await;
    users[4].unfollow(star).await;
    app.settle().await;
    assert_eq!(delivery(&app, star).await, ("pull".into(), 1), "four are between the marks");

    users[3].unfollow(star).await;
    app.settle().await;
    let items = app.table().await;
    assert_eq!(delivery(&app, star).await, ("push".into(), 2));
    let merged = &items[&(format!("U#{}", users[1].id.ulid()), format!("H#1#{}", star.id.ulid()))];
    let ends = number(merged, "ttl").abs_diff((app_of(&app, "fanout").now() + TIMELINE_LIFETIME).seconds());
    assert!(ends < 60, "as long as a post of today shows: {merged}");
    posts.push(star.post_text("A post.").await);
    app.settle().await;
    assert_eq!(pushed(&app.table().await, &posts[1]), 3);
    // A follower who leaves merges nothing any more.
    users[2].unfollow(star).await;
    app.settle().await;
    assert_eq!(delivery(&app, star).await, ("push".into(), 2));
    users[2].follow(star).await;
    // The limit itself is not above it.
    users[3].follow(star).await;
    app.settle().await;
    assert_eq!(delivery(&app, star).await, ("push".into(), 2));
    for user in &users[..4] {
        assert_eq!(user.feed().await, newest_first(posts.clone()), "{}", user.name);
    }

    users[4].follow(star).await;
    app.settle().await;
    assert_eq!(delivery(&app, star).await, ("pull".into(), 3));
    posts.push(star.post_text("A post.").await);
    app.settle().await;
    assert_eq!(pushed(&app.table().await, &posts[2]), 1);
    for user in &users[..5] {
        assert_eq!(user.feed().await, newest_first(posts.clone()), "{}", user.name);
    }
    assert_eq!(users[5].feed().await, [""; 0]);
}

/// The workers, each message when the test wants it.
struct Workers<'a> {
    app: &'a TestApp,
    seen: usize,
    seed: u64,
    /// Messages not worked on yet.
    late: Vec<String>,
    /// Messages worked on already.
    done: Vec<String>,
}

impl<'a> Workers<'a> {
    async fn take_over(app: &'a TestApp, seed: u64) -> Self {
        app.settle().await;
        app.pause_workers().await;
        Self { app, seen: app.stream().await.len(), seed, late: Vec::new(), done: Vec::new() }
    }

    /// Hands over what the stream has that is new, out of order, twice, and takes the messages that come of it.
    async fn dispatch(&mut self) {
        self.seed += 1;
        let records = self.app.stream().await.split_off(self.seen);
        self.seen += records.len();
        self.app.dispatch(&shuffled(&[records.clone(), records].concat(), self.seed), 7).await;
        self.late.extend(self.app.take_messages("FANOUT_QUEUE_URL").await);
    }

    /// Works on one in `part` of what waits, out of order, with some of what was worked on before.
    async fn work(&mut self, part: usize) {
        self.seed += 1;
        let mut waiting = shuffled(&self.late, self.seed);
        let now = waiting.split_off(waiting.len() - waiting.len().div_ceil(part));
        self.late = waiting;
        let again: Vec<String> = shuffled(&self.done, self.seed).into_iter().take(5).collect();
        self.app.work("fanout", &shuffled(&[now.clone(), again].concat(), self.seed)).await;
        self.done.extend(now);
        self.late.extend(self.app.take_messages("FANOUT_QUEUE_URL").await);
    }

    /// Works until nothing is left. The service's own workers stay paused: they would do all again, and make good
    /// what was lost.
    async fn finish(&mut self) {
        self.dispatch().await;
        while !self.late.is_empty() {
            self.work(1).await;
        }
    }
}

#[tokio::test]
async fn transitions_with_late_work_keep_every_post() {
    for seed in [10, 20] {
        let app = app("5").await;
        let (star, users) = (&people(&app, "star", 1).await[0], people(&app, "user", 9).await);
        // Four stay throughout, one of whom merges enough others.
        let (staying, coming) = users.split_at(4);
        merge_enough(&app, &users[0]).await;
        for user in staying {
            user.follow(star).await;
        }
        let mut workers = Workers::take_over(&app, seed).await;
        let mut posts = Vec::new();
        for round in 0..7 {
            posts.push(star.post_text("A post.").await);
            for (n, user) in coming.iter().enumerate() {
                match round % 2 {
                    0 => user.follow(star).await,
                    _ => user.unfollow(star).await,
                }
                if n == round % 5 {
                    posts.push(star.post_text("A post.").await);
                    workers.dispatch().await;
                    workers.work(2).await;
                }
            }
            posts.push(star.post_text("A post.").await);
            workers.dispatch().await;
            workers.work(2).await;
            posts.push(star.post_text("A post.").await);
        }
        // Some change their minds before anybody has looked.
        coming[0].unfollow(star).await;
        coming[1].unfollow(star).await;
        coming[1].follow(star).await;
        workers.finish().await;
        let (mode, epoch) = delivery(&app, star).await;
        assert!(mode == "pull" && epoch >= 5, "{mode} {epoch}");
        let posts = newest_first(posts);
        assert!(posts.len() > 20, "more than a back-fill makes good");
        for user in staying.iter().chain(&coming[1..]) {
            assert_eq!(user.feed().await, posts, "seed {seed}, {}", user.name);
        }
        assert_eq!(coming[0].feed().await, [""; 0]);
        for user in &coming[1..] {
            user.unfollow(star).await;
        }
        workers.finish().await;
        assert_eq!(delivery(&app, star).await, ("push".into(), epoch + 1));
        let posts = newest_first([posts, vec![star.post_text("A post.").await]].concat());
        workers.finish().await;
        assert_eq!(pushed(&app.table().await, &posts[0]), 4);
        for user in staying {
            assert_eq!(user.feed().await, posts, "seed {seed}, {}", user.name);
        }
    }
}

/// What makes the third follower one too many is counted by a worker that dies before it tells of it; then the record
/// comes again, from the stream or from what was set aside.
async fn told_when_the_record_comes_again(set_aside: bool) {
    let app = app("2").await;
    let (star, users) = (&people(&app, "star", 1).await[0], people(&app, "user", 3).await);
    users[0].follow(star).await;
    users[1].follow(star).await;
    let mut workers = Workers::take_over(&app, 1).await;
    users[2].follow(star).await;
    let dispatch = app_of(&app, "dispatch");
    let edge = store::follows::edge(&dispatch, users[2].id, star.id, Read::Strong).await.expect("an answer");
    let edges = vec![(users[2].id, edge.expect("an edge"))];
    let change = store::ledgers::settle_follows(&dispatch, star.id, edges).await.expect("counted").mode_change;
    assert!(change.is_some_and(|change| change.to_merging && change.epoch == 1), "{change:?}");
    if set_aside {
        let records = app.stream().await.split_off(workers.seen);
        workers.seen += records.len();
        app.work("dispatch", &records.iter().map(Value::to_string).collect::<Vec<_>>()).await;
        workers.late.extend(app.take_messages("FANOUT_QUEUE_URL").await);
    }
    workers.finish().await;
    assert_eq!(delivery(&app, star).await, ("pull".into(), 1));
}

#[tokio::test]
async fn unsent_transition_is_sent_on_redelivery() {
    told_when_the_record_comes_again(false).await;
}

#[tokio::test]
async fn unsent_transition_is_sent_on_requeue() {
    told_when_the_record_comes_again(true).await;
}

#[tokio::test]
async fn a_walk_that_comes_again_leaves_a_follower_where_the_first_one_did() {
    let app = app("2").await;
    let (star, users) = (&people(&app, "star", 1).await[0], people(&app, "user", 3).await);
    merge_enough(&app, &users[0]).await;
    for user in &users {
        user.follow(star).await;
    }
    app.settle().await;
    let before = delivery(&app, star).await;
    // Now there would be room among those whom this follower merges.
    let row = key::merged_author(users[0].id, UserId::from_ulid(3_u128.into()));
    app.delete_item(&json!({"PK": {"S": row.pk()}, "SK": {"S": row.sk()}})).await;
    let walk = json!({"job": "crossed", "author": star.id, "epoch": 1, "after": null}).to_string();
    app.work("fanout", &[walk]).await;
    assert_eq!(delivery(&app, star).await, before);
    let post = star.post_text("A post.").await;
    app.settle().await;
    assert_eq!(pushed(&app.table().await, &post), 1);
}

#[tokio::test]
async fn refollow_during_transition_keeps_feed() {
    let app = app("2").await;
    let (star, users) = (&people(&app, "star", 1).await[0], people(&app, "user", 3).await);
    users[0].follow(star).await;
    users[1].follow(star).await;
    let mut workers = Workers::take_over(&app, 1).await;
    users[2].follow(star).await;
    workers.dispatch().await;
    users[0].unfollow(star).await;
    workers.work(1).await;
    users[0].follow(star).await;
    workers.finish().await;
    assert_eq!(delivery(&app, star).await, ("pull".into(), 1));
    let post = star.post_text("A post.").await;
    for user in &users {
        assert_eq!(user.feed().await, std::slice::from_ref(&post), "{}", user.name);
    }
}

#[tokio::test]
async fn a_post_on_its_way_to_an_overflow_that_is_gone_reaches_all() {
    let app = app("2").await;
    let (star, users) = (&people(&app, "star", 1).await[0], people(&app, "user", 3).await);
    for user in &users {
        merge_enough(&app, user).await;
        user.follow(star).await;
    }
    let mut workers = Workers::take_over(&app, 1).await;
    let id = star.post_text("A post.").await;
    users[1].unfollow(star).await;
    users[2].unfollow(star).await;
    workers.dispatch().await;
    workers.late.retain(|message| !message.contains("post_created"));
    while !workers.late.is_empty() {
        workers.work(1).await;
    }
    // Only now, when the author has come back, the post goes on from where a worker stopped.
    let after = json!({"overflow": {"epoch": 1, "after": "0"}});
    workers.late.push(json!({"job": "post_created", "post": id, "after": after}).to_string());
    workers.finish().await;
    assert_eq!(delivery(&app, star).await, ("push".into(), 2));
    assert_eq!(users[0].feed().await, [id]);
}

#[tokio::test]
async fn stale_walks_change_nothing() {
    let app = app("2").await;
    let (star, users) = (&people(&app, "star", 1).await[0], people(&app, "user", 4).await);
    merge_enough(&app, &users[0]).await;
    users[0].follow(star).await;
    users[1].follow(star).await;
    app.settle().await;
    let mut epoch = 0;
    // Walks as they were sent, each with a repeat.
    let mut walks: Vec<String> = Vec::new();
    for (comes, leaves) in [(2, 1), (1, 2), (3, 1), (1, 3)] {
        for (mode, job) in [("pull", "crossed"), ("push", "came_back")] {
            if mode == "push" {
                users[leaves].unfollow(star).await;
                users[comes].unfollow(star).await;
                app.settle().await;
            }
            // The one who makes it too many, or comes when nobody is to merge.
            users[comes].follow(star).await;
            app.settle().await;
            epoch += 1;
            let before = app.table().await;
            assert_eq!(delivery(&app, star).await, (mode.to_owned(), epoch));
            let walk = json!({"job": job, "author": star.id, "epoch": epoch, "after": null}).to_string();
            app.work("fanout", &[walk.clone(), walk.clone()]).await;
            app.work("fanout", &shuffled(&walks, epoch)).await;
            walks.extend([walk.clone(), walk]);
            assert!(app.table().await == before, "{mode} {epoch}");
        }
    }
}
