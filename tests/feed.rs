//! The feed of authors whose posts are pushed: order, pages, following and unfollowing.

use crate::support::bulk::{app_of, people};
use crate::support::lists::{ids, newest_first, page_ids, walk};
use crate::support::{TestApp, User, set};
use futures::future::join_all;
use serde_json::{Value, json};
use shared::clock::{Clock, Timestamp};
use shared::table::Op;
use shared::table::design::key;
use std::collections::BTreeSet;
use std::time::Duration;

/// Posts of an author in a row, newest first.
async fn posts(author: &User, count: usize) -> Vec<String> {
    let mut posts = Vec::new();
    for number in 0..count {
        posts.insert(0, author.post_text(&format!("{} {number}", author.username)).await);
    }
    posts
}

/// Rows in somebody's timeline.
async fn timeline(app: &TestApp, owner: &User) -> usize {
    let partition = format!("TL#{}", owner.id.trim_start_matches("usr_"));
    app.table().await.keys().filter(|(pk, _)| *pk == partition).count()
}

#[tokio::test]
async fn the_feed_holds_the_posts_of_those_i_follow_newest_first() {
    let app = TestApp::start().await;
    let (ann, bob, eve) = (app.user("ann").await, app.user("bob").await, app.user("eve").await);
    assert_eq!(ann.feed().await, [""; 0]);
    ann.follow(&bob).await;
    app.settle().await;
    let first = bob.post_text("First.").await;
    let own = ann.post_text("My own.").await;
    eve.post_text("A stranger's.").await;
    let second = bob.post_text("Second.").await;
    app.settle().await;
    assert_eq!(ann.feed().await, [second.clone(), first.clone()]);
    assert_eq!(page_ids(&ann, "/posts").await, [second.clone(), first.clone()]);
    let with_own = [second.clone(), own, first.clone()];
    assert_eq!(page_ids(&ann, "/feed?include_own=true").await, with_own);
    assert_eq!(ids(&walk(&ann, "/feed?include_own=true&limit=1").await), with_own);
    assert_eq!(page_ids(&ann, "/feed?include_own=false&limit=1").await, [second]);
    assert_eq!(bob.feed().await, [""; 0], "following goes one way");
    let refused = ann.get("/feed?include_own=maybe").await.expect(422);
    assert_eq!(refused.fields()[0].0, "include_own");
    // Each post is as it is by its own address.
    let seen = &ann.get("/feed").await.items()[1];
    assert_eq!(*seen, ann.get(&format!("/posts/{first}")).await.json());
}

#[tokio::test]
async fn pages_show_each_post_once_while_new_ones_arrive() {
    let app = TestApp::start().await;
    let reader = app.user("reader").await;
    let authors = [app.user("ann").await, app.user("bob").await, app.user("cid").await];
    join_all(authors.iter().map(|author| reader.follow(author))).await;
    let mut posts = Vec::new();
    for number in 0..60 {
        posts.push(authors[number * number % 3].post_text(&number.to_string()).await);
    }
    app.settle().await;
    let posts = newest_first(posts);
    for limit in [1, 7, 20, 59, 60, 100] {
        assert_eq!(ids(&walk(&reader, &format!("/feed?limit={limit}")).await), posts, "{limit} a page");
    }
    let (mut seen, mut next) = (Vec::new(), Some("/feed?limit=9".to_owned()));
    while let Some(path) = next {
        let page = reader.get(&path).await.expect(200);
        seen.extend(ids(&page.items()));
        next = page.next();
        authors[seen.len() % 3].post_text("Breaking news.").await;
        app.settle().await;
    }
    assert_eq!(seen, posts);
    assert_eq!(reader.feed().await.len(), 60 + 7);
}

#[tokio::test]
async fn after_a_post_comes_what_is_newer() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    ann.follow(&bob).await;
    app.settle().await;
    let posts = posts(&bob, 12).await;
    app.settle().await;
    for (place, post) in posts.iter().enumerate() {
        assert_eq!(page_ids(&ann, &format!("/feed?after={post}")).await, posts[..place]);
    }
    assert_eq!(ids(&walk(&ann, &format!("/feed?after={}&limit=3", posts[10])).await), posts[..10]);
    // A post that is gone still says from when.
    bob.delete(&format!("/posts/{}", posts[4])).await.expect(204);
    assert_eq!(page_ids(&ann, &format!("/feed?after={}", posts[4])).await, posts[..4]);
    let refused = ann.get("/feed?after=yesterday").await.expect(422);
    assert_eq!(refused.fields()[0].0, "after");
    let cursor = ann.get("/feed?limit=1").await.json()["next_cursor"].as_str().unwrap().to_owned();
    ann.get(&format!("/feed?after={}&cursor={cursor}", posts[9])).await.expect(400).problem("invalid-cursor");
    bob.get(&format!("/feed?cursor={cursor}")).await.expect(400).problem("invalid-cursor");
}

#[tokio::test]
async fn an_unfollow_hides_at_once_and_a_follow_brings_back() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    ann.follow(&bob).await;
    ann.follow(&cid).await;
    app.settle().await;
    let (theirs, others) = (posts(&bob, 5).await, posts(&cid, 2).await);
    app.settle().await;
    let all = newest_first([theirs.clone(), others.clone()].concat());
    assert_eq!(ann.feed().await, all);

    app.pause_workers().await;
    ann.unfollow(&bob).await;
    assert_eq!(ann.feed().await, others, "no worker ran");
    ann.follow(&bob).await;
    assert_eq!(ann.feed().await, all, "nor for the way back");
    ann.unfollow(&bob).await;
    app.resume_workers().await;
    app.settle().await;
    assert_eq!(ann.feed().await, others);
    assert_eq!(timeline(&app, &ann).await, 2, "nothing is left where nothing shows");
    // What is written meanwhile comes with the new follow too.
    let meanwhile = bob.post_text("Missed me?").await;
    app.settle().await;
    assert_eq!(ann.feed().await, others);
    ann.follow(&bob).await;
    app.settle().await;
    assert_eq!(ann.feed().await, newest_first([all, vec![meanwhile]].concat()));
}

#[tokio::test]
async fn a_follow_brings_all_there_is() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let posts = posts(&bob, 25).await;
    ann.follow(&bob).await;
    app.settle().await;
    assert_eq!(ann.feed().await, posts);
    ann.unfollow(&bob).await;
    app.settle().await;
    assert_eq!(ann.feed().await, [""; 0]);
    ann.follow(&bob).await;
    app.settle().await;
    assert_eq!(ann.feed().await, posts);
    app.audit().await;
}

#[tokio::test]
async fn whoever_cannot_decide_ends_where_the_last_word_says() {
    let app = TestApp::start().await;
    let (bob, posts) = {
        let bob = app.user("bob").await;
        let posts = posts(&bob, 4).await;
        (bob, posts)
    };
    // With workers at each step, and with workers only at the end.
    for (name, paused, changes) in [("ann", false, 7), ("cid", true, 7), ("dan", false, 8), ("eve", true, 8)] {
        let user = app.user(name).await;
        if paused {
            app.pause_workers().await;
        }
        for change in 0..changes {
            match change % 2 {
                0 => user.follow(&bob).await,
                _ => user.unfollow(&bob).await,
            }
            let following = user.get("/users/bob").await.json()["following"].clone();
            assert_eq!(following, change % 2 == 0, "{name} {change}");
        }
        app.resume_workers().await;
        app.settle().await;
        let expected = if changes % 2 == 1 { &posts[..] } else { &[] };
        assert_eq!(user.feed().await, expected, "{name}");
        assert_eq!(timeline(&app, &user).await, expected.len(), "{name}");
    }
    assert_eq!(bob.get("/users").await.json()["followers_count"], 2);
    app.audit().await;
}

#[tokio::test]
async fn changes_of_mind_at_once_settle_on_one_state() {
    let app = TestApp::start().await;
    let bob = app.user("bob").await;
    posts(&bob, 2).await;
    let users = join_all(["ann", "cid", "dan", "eve"].map(|name| app.user(name))).await;
    let act = |user: usize, act: usize| {
        let (user, bob) = (&users[user], &bob);
        async move {
            match act % 3 {
                0 => user.unfollow(bob).await,
                1 => user.follow(bob).await,
                _ => drop(bob.post_text("More.").await),
            }
        }
    };
    join_all((0..48).map(|n| act(n % 4, n / 4 + n))).await;
    app.settle().await;
    app.audit().await;
    let all = page_ids(&bob, "/tweets?limit=20").await;
    for user in &users {
        let following = user.get("/users/bob").await.json()["following"] == true;
        assert_eq!(user.feed().await, if following { all.clone() } else { Vec::new() }, "{}", user.username);
    }
}

#[tokio::test]
async fn a_post_deleted_before_it_was_pushed_shows_nowhere() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    ann.follow(&bob).await;
    app.settle().await;
    app.pause_workers().await;
    let (kept, gone) = (bob.post_text("StoredResponse.").await, bob.post_text("Gone.").await);
    bob.delete(&format!("/posts/{gone}")).await.expect(204);
    app.resume_workers().await;
    app.settle().await;
    assert_eq!(ann.feed().await, [kept]);
    ann.get(&format!("/posts/{gone}")).await.expect(404);
    for queue in app.model().queues.iter().filter(|queue| queue.redrive_policy.is_none()) {
        assert_eq!(app.queue(&queue.name).await.unwrap(), Default::default(), "{}", queue.name);
    }
}

#[tokio::test]
async fn pages_that_shrink_are_filled_up() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    ann.follow(&bob).await;
    ann.follow(&cid).await;
    app.settle().await;
    let old = posts(&bob, 3).await;
    for post in posts(&bob, 20).await {
        bob.delete(&format!("/posts/{post}")).await.expect(204);
    }
    posts(&cid, 20).await;
    posts(&ann, 20).await;
    app.settle().await;
    app.pause_workers().await;
    ann.unfollow(&cid).await;
    assert_eq!(page_ids(&ann, "/feed").await, old, "past 60 rows that don't show");
    // That is done a bounded number of times: a shorter page may come out empty, its cursor goes on.
    for limit in [1, 3] {
        assert_eq!(ids(&walk(&ann, &format!("/feed?limit={limit}")).await), old, "{limit} a page");
    }
}

#[tokio::test]
async fn an_edit_and_a_new_name_show_in_feeds() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    ann.follow(&bob).await;
    let post = bob.post_text("Frist.").await;
    app.settle().await;
    bob.patch(&format!("/posts/{post}"), json!({"content": "First."})).await.expect(200);
    let seen = ann.get("/feed").await.items();
    assert_eq!((&seen[0]["content"], &seen[0]["liked"]), (&json!("First."), &json!(false)));
    assert_ne!(seen[0]["edited_at"], Value::Null);
    let names: BTreeSet<_> = seen.iter().map(|post| post["author"]["username"].to_string()).collect();
    assert_eq!(names.len(), 1);
}

/// What an unfollow hides lies with the viewer, who reads no more than the first 150 rows of it at once.
#[tokio::test]
async fn an_unfollow_hides_however_many_were_unfollowed_before() {
    let app = TestApp::with(|options| set(options, "FanoutLimit", "1")).await;
    let ann = app.user("ann").await;
    let others = people(&app, "other", 160).await;
    for state in ["follow", "unfollow"] {
        for some in others.chunks(16) {
            join_all(some.iter().map(|other| ann.post(&format!("/users/{}/{state}", other.id), None).into_future()))
                .await;
        }
    }
    app.settle().await;
    // One who is pushed, and one who is merged, both later than those.
    let (bob, cid) = (app.user("bob").await, app.user("cid").await);
    bob.follow(&cid).await;
    ann.follow(&bob).await;
    ann.follow(&cid).await;
    app.settle().await;
    let (pushed, merged) = (posts(&bob, 2).await, posts(&cid, 2).await);
    app.settle().await;
    assert_eq!(ann.feed().await, [merged.clone(), pushed].concat());
    app.pause_workers().await;
    ann.unfollow(&bob).await;
    assert_eq!(ann.feed().await, merged);
    ann.unfollow(&cid).await;
    assert_eq!(ann.feed().await, [""; 0]);
}

#[tokio::test]
async fn what_a_block_ended_comes_not_back_with_its_end() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    ann.follow(&bob).await;
    let post = bob.post_text("Low tide.").await;
    app.settle().await;
    assert_eq!(ann.feed().await, [post]);
    // Before any worker takes the posts out.
    app.pause_workers().await;
    bob.post("/users/ann/block", None).await.expect(200);
    bob.delete("/users/ann/block").await.expect(200);
    assert_eq!(ann.feed().await, [""; 0]);
    app.resume_workers().await;
    app.settle().await;
    assert_eq!(ann.feed().await, [""; 0]);
    app.audit().await;
}

/// DynamoDB takes up to two days to remove what has expired.
#[tokio::test]
async fn an_unfollow_hides_no_longer_than_it_says() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    ann.follow(&bob).await;
    app.settle().await;
    let post = bob.post_text("Low tide.").await;
    app.settle().await;
    let (now, row) = (Clock::default().now(), key::relationship(ann.id.parse().unwrap(), bob.id.parse().unwrap()));
    let day = Duration::from_secs(24 * 3_600);
    let until = async |until: Timestamp| {
        let value = json!({"unf_until": until, "ttl": (now + day).seconds()});
        app_of(&app, "users").table().write(Op::put(row.clone(), &value).unwrap()).await.unwrap();
    };
    until(now + day).await;
    assert_eq!(ann.feed().await, [""; 0]);
    until(now).await;
    assert_eq!(ann.feed().await, [post.as_str()]);
}
