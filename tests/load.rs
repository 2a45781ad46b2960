//! Many at once.

use crate::journeys::Change;
use crate::support::bulk::{Person, app_of, people};
use crate::support::shape::Shape;
use crate::support::{TestApp, alone, until};
use futures::StreamExt;
use serde_json::json;
use shared::ids::PostId;
use shared::table::design::key;
use shared::table::{Order, Read};
use std::time::Instant;

async fn rows_of(app: &TestApp, post: PostId) -> usize {
    let table = app_of(app, "posts");
    let (mut count, mut after) = (0, None);
    loop {
        let range = key::like_rows(post);
        let rows = table.table().query(&range, Order::OldestFirst, Read::Strong, 1_000, after.as_deref());
        let rows = rows.await.expect("rows");
        count += rows.items.len();
        after = rows.next;
        if after.is_none() {
            return count;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_like_one_post_at_once_each_twice() {
    let _alone = alone().await;
    likes_at_once(|_| (), 100).await;
}

#[ignore = "campaign: a thousand accounts"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_like_one_post_at_once_each_twice() {
    let _alone = alone().await;
    likes_at_once(|_| (), 1_000).await;
}

pub(crate) async fn likes_at_once(change: Change, count: usize) -> Shape {
    let app = TestApp::with(change).await;
    let fans = people(&app, "fan", count).await;
    let author = people(&app, "author", 1).await.remove(0);
    // What follows from the sign-ups is not what is at stake here.
    app.settle().await;
    let id = author.post_text("like this").await;
    let path = format!("/posts/{id}/like");
    let twice = fans.iter().chain(&fans);
    let mut answers = futures::stream::iter(twice.map(|fan| fan.post(&path, None).into_future())).buffer_unordered(200);
    while let Some(answer) = answers.next().await {
        let state = answer.expect(200).json();
        assert_eq!(state["liked"], true);
        assert!(state["likes_count"].as_u64() >= Some(1), "the own act is in it");
    }
    let answered = Instant::now();
    app.settle().await;
    println!("{count} likes: all counted and told {:?} after the last answer", answered.elapsed());
    let settled = fans[0].get(&format!("/posts/{id}")).await.expect(200).json();
    assert_eq!(settled["likes_count"], count);
    assert_eq!(rows_of(&app, id.parse().expect("an id")).await, count, "the ledger agrees");
    Shape::of(&app.table().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_post_reaches_a_followers_feed() {
    let _alone = alone().await;
    let app = TestApp::start().await;
    let [author, follower]: [Person; 2] = people(&app, "bird", 2).await.try_into().ok().expect("two");
    follower.post(&format!("/users/{}/follow", author.id), None).await.expect(200);
    app.settle().await;
    let mut waits = Vec::new();
    for n in 0..20 {
        let id = author.post_text(&format!("post {n}")).await;
        let posted = Instant::now();
        let (follower, id) = (&follower, &id);
        until(|| async move {
            let page = follower.get("/feed?limit=1").await.expect(200).json();
            (page["items"][0]["id"] == id.as_str()).then_some(())
        })
        .await;
        waits.push(posted.elapsed());
        // Idle again before the next one.
        app.settle().await;
    }
    waits.sort_unstable();
    println!("post to feed: median {:?}, longest {:?}", waits[10], waits[19]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfollow_and_logout_show_in_the_very_next_request_with_all_workers_stopped() {
    let _alone = alone().await;
    unfollow_and_logout(|_| ()).await;
}

pub(crate) async fn unfollow_and_logout(change: Change) {
    let app = TestApp::with(change).await;
    let [author, follower]: [Person; 2] = people(&app, "bird", 2).await.try_into().ok().expect("two");
    follower.follow(&author).await;
    author.post_text("seen").await;
    app.settle().await;
    assert_eq!(follower.get("/feed").await.expect(200).json()["items"][0]["content"], "seen");

    app.pause_workers().await;
    follower.post(&format!("/users/{}/unfollow", author.id), None).await.expect(200);
    assert_eq!(follower.get("/feed").await.expect(200).json()["items"], json!([]));
    assert_eq!(follower.get(&format!("/users/{}", author.id)).await.expect(200).json()["following"], false);
    follower.post("/users/logout", None).await.expect(204);
    follower.get("/feed").await.expect(401);
}
