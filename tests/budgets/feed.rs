//! Budgets of the feed.

use super::{cost, long_text, measured, ulid};
use crate::support::bulk::{Person, app_of, people};
use crate::support::past::{Past, days_ago};
use crate::support::{TestApp, alone};
use emulators::data::Data;
use local::Options;
use serde_json::json;
use shared::ids::{PostId, UserId};
use shared::table::Op;
use shared::table::design::key;

/// A viewer who follows 20 authors, three of them merged, with a page of 20 distinct ones on top of the feed.
struct Feed {
    app: TestApp,
    /// The data, for a service that starts again knows no cards.
    _folder: tempfile::TempDir,
    me: Person,
    authors: Vec<Person>,
}

impl Feed {
    async fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let there = |options: &mut Options| {
            measured(options);
            options.data = Data::Dir(folder.path().to_owned());
        };
        let app = TestApp::with(there).await;
        let mut people = people(&app, "bird", 22).await;
        let (me, other) = (people.remove(0), people.remove(0));
        for author in &people {
            me.follow(author).await;
        }
        // A second follower is one too many to push to.
        for author in &people[..3] {
            other.follow(author).await;
        }
        app.settle().await;
        for round in 0..2 {
            for author in &people[if round == 0 { 3 } else { 0 }..] {
                author.post_text(&format!("{round} {text}")).await;
            }
        }
        app.settle().await;
        app.stop().await;
        let app = TestApp::with(there).await;
        let me = Person { client: app.anon().with_token(me.client.token()), ..me };
        Self { app, _folder: folder, me, authors: people }
    }

    async fn cost(&self) -> String {
        cost(&self.app, self.me.get("/feed")).await
    }

    /// With the authors' cards read just before.
    async fn warm_cost(&self) -> String {
        self.me.get("/feed").await.expect(200);
        self.cost().await
    }

    async fn check(&self) {
        let page = self.me.get("/feed").await.expect(200).json();
        let mut names: Vec<_> =
            page["items"].as_array().expect("items").iter().map(|post| &post["author"]["id"]).collect();
        names.sort_by_key(|name| name.to_string());
        names.dedup();
        assert_eq!(names.len(), self.authors.len(), "twenty distinct authors");
    }
}

const HYDRATE: &str = "BatchGetItem A/T x20";
const MERGED: &str = "Query A/T, Query A/T, Query A/T";
const REST: &str = "Query TL, Query U/H!, Query U/L!";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page() {
    let _alone = alone().await;
    let feed = Feed::new("hello").await;
    let cold = format!("2 rounds, 24 read, 0 written: {HYDRATE}, BatchGetItem U/P x20, {MERGED}, {REST}");
    assert_eq!(feed.cost().await, cold, "cards cold");
    assert_eq!(
        feed.warm_cost().await,
        format!("2 rounds, 14 read, 0 written: {HYDRATE}, {MERGED}, {REST}"),
        "cards warm"
    );
    feed.check().await;
    let own = cost(&feed.app, feed.me.get("/feed?include_own=true")).await;
    assert_eq!(own, format!("2 rounds, 14.5 read, 0 written: {HYDRATE}, {MERGED}, Query TL!, Query U/H!, Query U/L!"));

    // Following 2,000 costs the same.
    let app = app_of(&feed.app, "posts");
    let edge = |n: u128| {
        let other = UserId::from_ulid(ulid(n));
        Op::put(key::follow(feed.me.id, other), &json!({"at": ulid(n).to_string(), "counted": true})).expect("an item")
    };
    app.table().batch_write((0..1_980).map(edge).collect()).await.expect("follows");
    feed.app.settle().await;
    assert_eq!(
        feed.warm_cost().await,
        format!("2 rounds, 14 read, 0 written: {HYDRATE}, {MERGED}, {REST}"),
        "following 2,000"
    );

    // A heavy liker: one bounded query, and the rest of the page by key.
    let like = |n: u128| {
        let post = PostId::of(ulid(n), feed.me.id);
        Op::put(key::like(feed.me.id, post), &json!({"at": ulid(n).to_string(), "counted": true})).expect("an item")
    };
    app.table().batch_write((0..10_000).map(like).collect()).await.expect("likes");
    feed.app.settle().await;
    let by_key = "BatchGetItem U/L x23!";
    let liker = format!("3 rounds, 40 read, 0 written: {HYDRATE}, {by_key}, {MERGED}, {REST}");
    assert_eq!(feed.warm_cost().await, liker, "10,000 likes");

    // Two hundred tombstones: the viewer's prefix overflows, and the page's authors are asked for by key.
    let relationship = |n: u128| {
        let op = Op::update(key::relationship(feed.me.id, UserId::from_ulid(ulid(n)))).set("unf_until", u64::MAX / 2);
        async { app.table().write(op).await.expect("a tombstone") }
    };
    futures::future::join_all((0..200).map(relationship)).await;
    let all = format!("BatchGetItem U/H x20!, {by_key}");
    let hidden = format!("4 rounds, 63 read, 0 written: {HYDRATE}, {all}, {MERGED}, {REST}");
    assert_eq!(feed.warm_cost().await, hidden, "and 200 unfollowed lately");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_long_posts() {
    let _alone = alone().await;
    let feed = Feed::new(&long_text()).await;
    assert_eq!(
        feed.warm_cost().await,
        format!("2 rounds, 25.5 read, 0 written: {HYDRATE}, {MERGED}, {REST}"),
        "6 KB each"
    );
    feed.check().await;
}

/// What a page costs below the timeline, for somebody who follows 30 authors of long ago.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deep_page() {
    let _alone = alone().await;
    let app = TestApp::with(measured).await;
    let me = people(&app, "bird", 1).await.remove(0);
    let past = Past::of(&app).await;
    let authors = past.authors(&app, "author", 30, days_ago(300)).await;
    past.follow(me.id, &authors).await;
    for author in &authors {
        past.posts(*author, &[days_ago(100), days_ago(200)], me.id).await;
    }
    let ends = cost(&app, me.get("/feed")).await;
    assert_eq!(
        ends, "3 rounds, 3.5 read, 0 written: Query TL, Query U/F!, Query U/H!, Query U/L!",
        "the timeline ends"
    );
    let next = me.get("/feed").await.expect(200).next().expect("more");
    let lists = ["Query A/T"; 30].join(", ");
    me.get(&next).await.expect(200);
    let deep = cost(&app, me.get(&next)).await;
    // How many of thirty calls fall into one round depends on the machine.
    let deep = deep.split_once(" rounds, ").expect("rounds").1;
    assert_eq!(deep, format!("18 read, 0 written: {lists}, Query U/F!, Query U/H!, Query U/L!"), "below it");
    // The cursor carries what the sweep found besides.
    let carried = me.get(&next).await.expect(200).next().expect("more");
    me.get(&carried).await.expect(200);
    let carried = cost(&app, me.get(&carried)).await;
    assert_eq!(
        carried, "2 rounds, 12 read, 0 written: BatchGetItem A/T x20, Query U/H!, Query U/L!",
        "what it carries"
    );
}
