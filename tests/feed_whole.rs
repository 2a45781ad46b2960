//! The whole feed: paged to its end it is every post of everybody followed, newest first, once each, however old and
//! whenever followed; each case is held to a brute-force answer.

use crate::support::bulk::people;
use crate::support::lists::{ids, newest_first, page_ids, walk};
use crate::support::past::{DAY, Past, days_ago};
use crate::support::{PASSWORD, TestApp, User, alone, set};
use futures::future::join_all;
use serde_json::json;
use shared::ids::UserId;
use std::collections::BTreeSet;

/// All posts of these, by their own lists.
async fn posts_by(reader: &User, authors: &[&str]) -> Vec<String> {
    let lists =
        authors.iter().map(|name| async move { ids(&walk(reader, &format!("/users/{name}/posts?limit=100")).await) });
    newest_first(join_all(lists).await.concat())
}

async fn post_some(author: &User, count: usize) {
    for number in 0..count {
        author.post_text(&format!("{} {number}", author.username)).await;
    }
}

#[tokio::test]
async fn three_authors_of_a_hundred_posts_each_are_shown_to_the_last() {
    let app = TestApp::start().await;
    let (authors, readers) = (people(&app, "author", 3).await, people(&app, "reader", 1).await);
    let mut posts = Vec::new();
    for number in 0..100 {
        for author in &authors {
            posts.push(author.post_text(&number.to_string()).await);
        }
    }
    let (reader, posts) = (&readers[0], newest_first(posts));
    for author in &authors {
        reader.follow(author).await;
    }
    app.settle().await;
    for limit in [20, 100] {
        assert_eq!(ids(&walk(reader, &format!("/feed?limit={limit}")).await), posts, "{limit} a page");
    }
    reader.unfollow(&authors[0]).await;
    app.settle().await;
    let theirs = |id: &String| id.ends_with(&authors[0].id.ulid().to_string());
    assert_eq!(reader.feed().await, posts.iter().filter(|id| !theirs(id)).cloned().collect::<Vec<_>>());
    reader.follow(&authors[0]).await;
    app.settle().await;
    assert_eq!(reader.feed().await, posts);
    app.audit().await;
}

/// Two authors who post over a year, with a reader who follows them all the while and one who comes at its end.
async fn a_year_of_posts(fanout_limit: &str) {
    let app = TestApp::with(|options| set(options, "FanoutLimit", fanout_limit)).await;
    let names = ["ann", "bob", "cid", "eve"];
    for name in names {
        app.user(name).await;
    }
    let mut first_cursor = String::new();
    for (round, wait) in [100, 150, 65, 50].into_iter().enumerate() {
        let [ann, bob, cid, eve] =
            join_all(names.map(|name| app.sign_in(name, PASSWORD))).await.try_into().ok().unwrap();
        if round == 0 {
            eve.follow(&bob).await;
            eve.follow(&cid).await;
            app.settle().await;
        }
        for _ in 0..4 {
            post_some(&bob, 3).await;
            post_some(&cid, 5).await;
            post_some(&eve, 1).await;
        }
        app.settle().await;
        if round == 0 {
            first_cursor = eve.get("/feed?limit=10").await.next().expect("more");
        }
        drop(ann);
        app.advance(DAY * wait);
    }
    let [ann, bob, cid, eve] = join_all(names.map(|name| app.sign_in(name, PASSWORD))).await.try_into().ok().unwrap();
    ann.follow(&bob).await;
    ann.follow(&cid).await;
    app.settle().await;
    let all = posts_by(&ann, &["bob", "cid"]).await;
    assert_eq!(all.len(), 4 * 4 * 8);
    for limit in [20, 3, 100] {
        for reader in [&ann, &eve] {
            let feed = ids(&walk(reader, &format!("/feed?limit={limit}")).await);
            assert_eq!(feed, all, "{limit} a page, {}", reader.username);
        }
    }
    let with_own = posts_by(&ann, &["bob", "cid", "eve"]).await;
    assert_eq!(ids(&walk(&eve, "/feed?include_own=true").await), with_own);
    for place in [0, 10, 40, 100, all.len() - 1] {
        let newer = ids(&walk(&ann, &format!("/feed?limit=9&after={}", all[place])).await);
        assert_eq!(newer, all[..place], "after {place}");
    }
    // A cursor from when what comes next was still in the timeline.
    let oldest = &all[all.len() - 32..];
    assert_eq!(ids(&walk(&eve, &first_cursor).await), oldest[10..]);

    // What changes between two pages holds from the next one on.
    let page = ann.get("/feed?limit=100").await;
    let (mut seen, next) = (ids(&page.items()), page.next().expect("more"));
    let left = all[seen.len()].clone();
    let author = if left.ends_with(bob.id.trim_start_matches("usr_")) { &bob } else { &cid };
    author.delete(&format!("/posts/{left}")).await.expect(204);
    seen.extend(ids(&walk(&ann, &next).await));
    assert_eq!(seen, all.iter().filter(|id| **id != left).cloned().collect::<Vec<_>>());
    for (hide, show) in [("mute", "mute"), ("block", "block")] {
        let next = ann.get("/feed?limit=100").await.next().expect("more");
        ann.post(&format!("/users/bob/{hide}"), None).await.expect(200);
        let rest = walk(&ann, &next).await;
        assert!(rest.iter().all(|post| post["author"]["username"] == "cid"), "{hide}");
        let theirs = ids(&walk(&ann, "/feed").await);
        assert_eq!(theirs, posts_by(&eve, &["cid"]).await, "{hide}");
        ann.delete(&format!("/users/bob/{show}")).await.expect(200);
    }
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn a_year_of_posts_is_shown_to_who_followed_first_and_last() {
    a_year_of_posts("10000").await;
}

#[tokio::test]
async fn a_year_of_posts_by_widely_followed_authors_is_shown_to_who_followed_first_and_last() {
    a_year_of_posts("1").await;
}

#[tokio::test]
async fn what_was_shared_in_a_group_stays_in_the_feed() {
    let app = TestApp::start().await;
    let names = ["ann", "bob"];
    for name in names {
        app.user(name).await;
    }
    let sign_in =
        async || <[User; 2]>::try_from(join_all(names.map(|name| app.sign_in(name, PASSWORD))).await).ok().unwrap();
    let [ann, bob] = sign_in().await;
    let group = bob.post("/groups", json!({"name": "Waders", "visibility": "public"})).await.expect(201).json();
    let group = group["id"].as_str().unwrap().to_owned();
    let share = async |bob: &User, text: &str| {
        let post = bob.post("/posts", json!({"content": text, "group_id": group})).await.expect(201).json();
        post["id"].as_str().unwrap().to_owned()
    };
    share(&bob, "before both").await;
    ann.post(&format!("/groups/{group}/join"), None).await.expect(200);
    share(&bob, "a member, no follower").await;
    app.settle().await;
    ann.follow(&bob).await;
    app.settle().await;
    let (shared, open) = (share(&bob, "both").await, bob.post_text("to all").await);
    app.settle().await;
    let feed = [open.clone(), shared];
    assert_eq!(ann.feed().await, feed);
    app.advance(DAY * 100);
    let [ann, _] = sign_in().await;
    assert_eq!(ann.feed().await, feed);
    assert_eq!(ids(&walk(&ann, "/feed?limit=1").await), feed);
    ann.post(&format!("/groups/{group}/leave"), None).await.expect(200);
    assert_eq!(ann.feed().await, [open]);
}

/// A page of a hundred out of two groups leaves as many posts to the next one as a cursor carries, with the longest ids.
#[tokio::test]
async fn the_longest_cursor_is_taken() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    ann.follow(&bob).await;
    let mut groups = Vec::new();
    for name in ["Waders", "Gulls"] {
        let group = bob.post("/groups", json!({ "name": name })).await.expect(201).json()["id"].clone();
        ann.post(&format!("/groups/{}/join", group.as_str().unwrap()), None).await.expect(200);
        groups.push(group);
    }
    app.settle().await;
    let mut feed = Vec::new();
    for n in 0..130 {
        let body = json!({"content": format!("Post {n}."), "group_id": groups[n % 2]});
        feed.push(bob.post("/posts", body).await.expect(201).json()["id"].as_str().unwrap().to_owned());
    }
    feed.reverse();
    app.advance(DAY * 100);
    let ann = app.sign_in("ann", PASSWORD).await;
    assert_eq!(ids(&walk(&ann, "/feed?limit=100").await), feed);
}

/// What was read since this was asked last: units and calls.
fn cost(app: &TestApp) -> (f64, usize) {
    let calls = app.wire().expect("the wire is recorded").take();
    (calls.iter().map(|call| call.read_units).sum(), calls.len())
}

/// A reader of `authors` authors, each with posts over two years, some of them in the timeline.
async fn a_large_following(authors: usize, posts: u32, silent: usize) {
    let _alone = alone().await;
    let app = TestApp::with(|options| options.record_wire = true).await;
    let reader = people(&app, "reader", 1).await.remove(0);
    let past = Past::of(&app).await;
    let active = past.authors(&app, "author", authors, days_ago(800)).await;
    let others: Vec<UserId> = past.authors(&app, "silent", silent, days_ago(800)).await;
    past.follow(reader.id, &[active.clone(), others].concat()).await;
    let mut all = Vec::new();
    for (n, author) in active.iter().enumerate() {
        // The tenth part of each one's within the last days, the rest in bursts that differ from one to the next.
        let days = (0..posts).map(|post| match post % 10 {
            0 => post % 50,
            _ => 61 + (post * 23 + u32::try_from(n).unwrap() * 7) % 700,
        });
        let times: Vec<_> = days.map(days_ago).collect();
        all.extend(past.posts(*author, &times, reader.id).await);
    }
    cost(&app);
    let all = newest_first(all);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), authors * posts as usize);
    let mut costs = Vec::new();
    for limit in [100, 20] {
        let (mut seen, mut next) = (Vec::new(), Some(format!("/feed?limit={limit}")));
        costs.clear();
        while let Some(path) = next {
            let page = reader.get(&path).await.expect(200);
            costs.push(cost(&app));
            seen.extend(ids(&page.items()));
            next = page.next();
        }
        println!(
            "{authors} authors × {posts}, {silent} silent: {} posts in {} pages of {limit}",
            seen.len(),
            costs.len()
        );
        assert!(seen == all, "{limit} a page: {} of {}", seen.len(), all.len());
    }
    let (first, sum) = (costs[0], costs.iter().map(|cost| cost.0).sum::<f64>());
    let dearest = costs.iter().copied().fold(first, |most, cost| if cost.0 > most.0 { cost } else { most });
    println!(
        "{authors} authors: the first page {} units in {} calls, the dearest {} in {}, all {sum}",
        first.0, first.1, dearest.0, dearest.1
    );
    assert!(first.0 <= 24.0, "with a card for each of twenty authors, {first:?}");
    assert!(dearest.0 <= 0.5 * (300.0_f64.min((authors + silent) as f64)) + 40.0, "{dearest:?}");
}

#[tokio::test]
async fn forty_authors_of_twelve_posts_are_shown_to_the_last() {
    a_large_following(40, 12, 0).await;
}

#[tokio::test]
async fn a_few_authors_among_many_silent_ones_are_shown_to_the_last() {
    a_large_following(3, 10, 310).await;
}

#[ignore = "campaign: 9,000 posts"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_authors_of_thirty_posts_are_shown_to_the_last() {
    a_large_following(300, 30, 0).await;
}

#[tokio::test]
async fn a_page_that_ends_the_timeline_goes_on_below_it() {
    let app = TestApp::start().await;
    let reader = people(&app, "reader", 1).await.remove(0);
    let past = Past::of(&app).await;
    let authors = past.authors(&app, "author", 25, days_ago(400)).await;
    past.follow(reader.id, &authors[..3]).await;
    let mut all = Vec::new();
    for author in &authors[..3] {
        all.extend(past.posts(*author, &[days_ago(1), days_ago(70), days_ago(300)], reader.id).await);
    }
    let all = newest_first(all);
    let page = reader.get("/feed").await;
    assert_eq!((ids(&page.items()), page.next()), (all.clone(), None), "few lists: in the same page");
    assert_eq!(page_ids(&reader, "/feed?limit=5").await, all[..5]);
    past.follow(reader.id, &authors[3..]).await;
    let page = reader.get("/feed").await;
    assert_eq!(ids(&page.items()), all[..3], "many lists: with the next page");
    assert_eq!(ids(&walk(&reader, &page.next().expect("more")).await), all[3..]);
    // A reader all of whose authors are new has no cursor that leads nowhere.
    let new = people(&app, "new", 2).await;
    new[0].follow(&new[1]).await;
    assert_eq!(new[0].get("/feed").await.next(), None);
}
