//! Whatever reaches the workers again, late, out of order or in other batches leaves the table as it was.

use crate::support::bulk::{Person, people};
use crate::support::lists::{ids, walk};
use crate::support::services::{Items, shuffled};
use crate::support::{TestApp, set};
use futures::future::join_all;

async fn call(user: &Person, path: String) {
    user.post(&path, None).await.expect(200);
}

/// People who follow, post, like, change their minds and delete; workers run or not, as the caller has it.
async fn life(app: &TestApp) -> Vec<Person> {
    let people = people(app, "user", 5).await;
    for (n, from) in people.iter().enumerate() {
        for to in people.iter().filter(|to| to.id != from.id) {
            call(from, format!("/users/{}/follow", to.id)).await;
        }
        people[(n + 1) % 5].post_text("A post.").await;
        call(from, format!("/users/{}/unfollow", people[(n + 2) % 5].id)).await;
    }
    let mut posts = Vec::new();
    for author in &people {
        posts.extend([author.post_text("A post.").await, author.post_text("A post.").await]);
    }
    for (n, post) in posts.iter().enumerate() {
        join_all(people[n % 3..].iter().map(|user| call(user, format!("/posts/{post}/like")))).await;
        call(&people[4], format!("/posts/{post}/unlike")).await;
        call(&people[n % 5], format!("/posts/like/{post}")).await;
    }
    call(&people[0], format!("/users/{}/follow", people[2].id)).await;
    for (n, author) in people.iter().enumerate().skip(3) {
        author.delete(&format!("/posts/{}", posts[2 * n])).await.expect(204);
    }
    people
}

/// The table without timeline rows of posts that are gone: no feed shows them, and their time ends them.
async fn settled_table(app: &TestApp) -> Items {
    let items = app.table().await;
    let stands = |post: &str| {
        let (post, author) = post.split_once('.').expect("a post's id");
        items.contains_key(&(format!("A#{author}"), format!("T#{post}")))
    };
    let kept = items.iter().filter(|((pk, sk), _)| !pk.starts_with("TL#") || stands(sk));
    let kept = kept.map(|(key, item)| {
        let mut item = item.clone();
        if key.0.starts_with("IX#") {
            // How often it was looked at.
            item.as_object_mut().expect("an item").remove("n");
        }
        (key.clone(), item)
    });
    kept.collect()
}

/// Tells the items that differ.
#[track_caller]
fn assert_same(now: &Items, before: &Items, what: &str) {
    let differs = |one: &Items, other: &Items| -> Vec<_> {
        one.iter().filter(|(key, item)| other.get(*key) != Some(*item)).map(|(_, item)| item.to_string()).collect()
    };
    let (now, before) = (differs(now, before), differs(before, now));
    assert!(now.is_empty() && before.is_empty(), "{what}: now {now:#?}, before {before:#?}");
}

/// Takes what is queued and hands each message to its worker twice, out of order, until nothing is queued.
async fn work_twice(app: &TestApp, seed: u64) {
    loop {
        let mut worked = false;
        for function in ["fanout", "files", "index", "notify", "reap", "views"] {
            let variable = &format!("{}_QUEUE_URL", function.to_uppercase());
            let messages = app.take_messages(variable).await;
            worked |= !messages.is_empty();
            app.work(function, &shuffled(&[messages.clone(), messages].concat(), seed)).await;
        }
        if !worked {
            return;
        }
    }
}

async fn feeds(people: &[Person]) -> Vec<Vec<String>> {
    let mut feeds = Vec::new();
    for user in people {
        feeds.push(ids(&walk(user, "/feed").await));
    }
    feeds
}

#[tokio::test]
async fn what_comes_again_changes_nothing() {
    let app = TestApp::start().await;
    let people = life(&app).await;
    app.settle().await;
    let (before, feeds_before, mails) = (settled_table(&app).await, feeds(&people).await, app.mails().await.len());
    app.audit().await;
    app.pause_workers().await;
    let records = app.stream().await;
    assert!(records.len() > 100, "{} records", records.len());
    for (seed, batch) in [(1, 100), (2, 7)] {
        // First all in order, then in none: more than AWS ever does.
        app.dispatch(&records, batch).await;
        app.dispatch(&shuffled(&records, seed), batch).await;
        work_twice(&app, seed).await;
        assert_same(&settled_table(&app).await, &before, &format!("batches of {batch}"));
        assert_eq!(feeds(&people).await, feeds_before);
    }
    assert_eq!(app.mails().await.len(), mails);
}

#[tokio::test]
async fn what_comes_out_of_order_ends_in_the_same_state() {
    for (seed, batch) in [(1, 100), (2, 5)] {
        let app = TestApp::start().await;
        app.pause_workers().await;
        let people = life(&app).await;
        let records = app.stream().await;
        app.dispatch(&shuffled(&records, seed), batch).await;
        work_twice(&app, seed).await;
        app.audit().await;
        let seen = feeds(&people).await;
        let table = settled_table(&app).await;
        app.resume_workers().await;
        app.settle().await;
        assert_same(&settled_table(&app).await, &table, "the stream itself has nothing to add");
        assert_eq!(feeds(&people).await, seen);
        for (user, feed) in people.iter().zip(seen) {
            let mut expected = Vec::new();
            for author in walk(user, "/users/me/following").await {
                expected
                    .extend(ids(&walk(user, &format!("/users/{}/posts", author["username"].as_str().unwrap())).await));
            }
            expected.sort_by(|a, b| b.cmp(a));
            assert_eq!(feed, expected, "{}", user.name);
        }
    }
}

#[tokio::test]
async fn merged_authors_stay_merged_when_all_comes_again() {
    let app = TestApp::with(|options| set(options, "FanoutLimit", "2")).await;
    let people = life(&app).await;
    app.settle().await;
    let (seen, counts) = (feeds(&people).await, settled_table(&app).await);
    let merged = |items: &Items| items.keys().filter(|(_, sk)| sk.starts_with("H#1#")).cloned().collect::<Vec<_>>();
    assert!(!merged(&counts).is_empty());
    app.pause_workers().await;
    let records = app.stream().await;
    app.dispatch(&shuffled(&records, 4), 9).await;
    work_twice(&app, 4).await;
    let items = app.table().await;
    app.audit().await;
    assert_eq!(merged(&items), merged(&counts));
    assert_eq!(feeds(&people).await, seen);
}
