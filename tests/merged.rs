//! The feed of authors with more followers than `FanoutLimit`: their posts are merged at read.

use crate::support::bulk::people;
use crate::support::lists::{ids, newest_first, page_ids, walk};
use crate::support::services::Items;
use crate::support::{TestApp, set};
use futures::future::join_all;

async fn app(fanout_limit: &str) -> TestApp {
    TestApp::with(|options| set(options, "FanoutLimit", fanout_limit)).await
}

fn count(items: &Items, pk: &str, sk: &str) -> usize {
    items.keys().filter(|key| key.0.starts_with(pk) && key.1.starts_with(sk)).count()
}

/// Rows of this post in timelines, the author's own aside.
fn pushed(items: &Items, post: &str) -> usize {
    let suffix = post.trim_start_matches("pst_");
    items.keys().filter(|(pk, sk)| pk.starts_with("TL#") && sk == suffix && !suffix.ends_with(&pk[3..])).count()
}

#[tokio::test]
async fn crossing_the_limit_changes_no_feed() {
    let app = app("2").await;
    let (star, users) = (&people(&app, "star", 1).await[0], people(&app, "user", 4).await);
    users[0].follow(star).await;
    users[1].follow(star).await;
    app.settle().await;
    let mut posts = vec![star.post_text("A post.").await, star.post_text("A post.").await];
    app.settle().await;
    assert_eq!(pushed(&app.table().await, &posts[0]), 2);
    // The third one crosses the limit, the fourth finds it crossed.
    for user in &users[2..] {
        user.follow(star).await;
        app.settle().await;
        for user in &users[..2] {
            assert_eq!(user.feed().await, newest_first(posts.clone()));
        }
    }
    let items = app.table().await;
    assert_eq!(count(&items, "U#", "H#1#"), 4, "all four merge");
    app.audit().await;
    posts.push(star.post_text("A post.").await);
    for user in &users {
        assert_eq!(user.feed().await, newest_first(posts.clone()), "merged from the next request on");
    }
    app.settle().await;
    assert_eq!(pushed(&app.table().await, &posts[2]), 0);
    for user in &users {
        assert_eq!(user.feed().await, newest_first(posts.clone()));
        assert_eq!(page_ids(user, &format!("/feed?after={}", posts[1])).await, posts[2..]);
    }
    assert_eq!(page_ids(star, "/feed?include_own=true").await, newest_first(posts.clone()), "one's own");

    app.pause_workers().await;
    users[0].unfollow(star).await;
    assert_eq!(users[0].feed().await, [""; 0], "no worker ran");
    users[0].follow(star).await;
    assert_eq!(users[0].feed().await, newest_first(posts.clone()));
    users[0].unfollow(star).await;
    app.resume_workers().await;
    app.settle().await;
    assert_eq!(users[0].feed().await, [""; 0]);
    let items = app.table().await;
    assert_eq!(count(&items, "U#", "H#1#"), 3);
    app.audit().await;
    star.delete(&format!("/posts/{}", posts[1])).await.expect(204);
    assert_eq!(users[1].feed().await, [posts[2].clone(), posts[0].clone()]);
}

#[tokio::test]
async fn a_crossing_amid_posts_and_follows_loses_and_doubles_nothing() {
    let app = app("3").await;
    let (star, users) = (&people(&app, "star", 1).await[0], people(&app, "user", 10).await);
    let posting = async {
        for _ in 0..16 {
            star.post_text("A post.").await;
        }
    };
    let following = join_all(users.iter().map(|user| user.follow(star)));
    futures::future::join(posting, following).await;
    let leaving = join_all(users[..4].iter().map(|user| user.unfollow(star)));
    futures::future::join(leaving, star.post_text("A post.")).await;
    users[0].follow(star).await;
    app.settle().await;
    app.audit().await;
    let posts = page_ids(star, "/tweets").await;
    assert_eq!(posts.len(), 17);
    for (number, user) in users.iter().enumerate() {
        let expected = if (1..4).contains(&number) { Vec::new() } else { posts.clone() };
        assert_eq!(user.feed().await, expected, "{}", user.name);
    }
}

#[tokio::test]
async fn merged_and_pushed_posts_come_in_one_order_each_once() {
    let app = app("2").await;
    let (authors, fans) = (people(&app, "author", 5).await, people(&app, "fan", 2).await);
    let reader = &people(&app, "reader", 1).await[0];
    join_all(authors.iter().map(|author| reader.follow(author))).await;
    let mut posts = Vec::new();
    // Some of what is merged later was pushed.
    for author in &authors {
        posts.push(author.post_text("A post.").await);
    }
    for author in &authors[..3] {
        join_all(fans.iter().map(|fan| fan.follow(author))).await;
    }
    app.settle().await;
    assert_eq!(count(&app.table().await, &format!("U#{}", reader.id.ulid()), "H#1#"), 3);
    for number in 0..40 {
        posts.push(authors[number * number * number % 5].post_text("A post.").await);
    }
    // A row of the same author's, longer than what is read of each at first, and than a page.
    for _ in 0..30 {
        posts.push(authors[0].post_text("A post.").await);
    }
    posts.push(authors[4].post_text("A post.").await);
    app.settle().await;
    let posts = newest_first(posts);
    for limit in [1, 3, 4, 5, 20, 29, 100] {
        assert_eq!(ids(&walk(reader, &format!("/feed?limit={limit}")).await), posts, "{limit} a page");
    }
    assert_eq!(page_ids(reader, "/feed").await.len(), 20, "a whole page");
    let after = format!("/feed?limit=8&after={}", posts[50]);
    assert_eq!(ids(&walk(reader, &after).await), posts[..50]);

    let (mut seen, mut next) = (Vec::new(), Some("/feed?limit=9".to_owned()));
    while let Some(path) = next {
        let page = reader.get(&path).await.expect(200);
        seen.extend(ids(&page.items()));
        next = page.next();
        authors[seen.len() % 5].post_text("A post.").await;
        app.settle().await;
    }
    assert_eq!(seen, posts);
}

#[tokio::test]
async fn more_merged_authors_than_a_feed_merges_are_pushed_again() {
    let app = app("1").await;
    let stars = people(&app, "star", 23).await;
    let readers = people(&app, "reader", 2).await;
    // The first reader follows before the crossing, the second makes it.
    for reader in &readers {
        for star in &stars {
            reader.follow(star).await;
            app.settle().await;
        }
    }
    let items = app.table().await;
    assert_eq!((count(&items, "U#", "H#1#"), count(&items, "FO#", "")), (40, 6));
    app.audit().await;
    let posts = newest_first(join_all(stars.iter().map(|star| star.post_text("A post."))).await);
    app.settle().await;
    let items = app.table().await;
    assert_eq!(posts.iter().map(|post| pushed(&items, post)).sum::<usize>(), 6, "only to whom it must be");
    for reader in &readers {
        for limit in [5, 20, 100] {
            assert_eq!(ids(&walk(reader, &format!("/feed?limit={limit}")).await), posts, "{limit} a page");
        }
    }
    // Each can be left, merged or pushed.
    app.pause_workers().await;
    for (star, left) in stars.iter().zip((0..23).rev()) {
        readers[0].unfollow(star).await;
        assert_eq!(readers[0].feed().await.len(), left);
    }
    app.resume_workers().await;
    app.settle().await;
    let items = app.table().await;
    assert_eq!((count(&items, "U#", "H#1#"), count(&items, "FO#", "")), (20, 3));
    app.audit().await;
    assert_eq!(readers[1].feed().await, posts);
}
