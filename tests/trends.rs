//! Trending hashtags.

use crate::support::bulk::{app_of, people};
use crate::support::services::shuffled;
use crate::support::{Client, PASSWORD, TestApp, User, set, until};
use emulators::faults::{Death, Faults, Profile};
use emulators::lambda::InvokeError;
use futures::future::join_all;
use serde_json::{Value, json};
use shared::store::trends;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

/// One run, as EventBridge starts it.
async fn count(app: &TestApp) {
    let event = serde_json::from_str(include_str!("../events/schedule-trends.json")).expect("JSON");
    app.invoke("trends", &event).await.expect("a run");
}

/// Hashtags, authors and scores, as the API tells them after a run.
async fn trending(app: &TestApp, reader: &Client) -> Vec<(String, u64, f64)> {
    app.settle().await;
    count(app).await;
    told(reader).await
}

async fn told(reader: &Client) -> Vec<(String, u64, f64)> {
    let items = reader.get("/hashtags/trending").await.expect(200).items();
    let one = |item: &Value| {
        let (tag, authors) = (item["hashtag"].as_str().expect("a tag"), item["authors_count"].as_u64());
        (tag.to_owned(), authors.expect("a number"), item["score"].as_f64().expect("a number"))
    };
    items.iter().map(one).collect()
}

fn tag(name: &str, authors: u64, score: f64) -> (String, u64, f64) {
    (name.to_owned(), authors, score)
}

/// People who can sign in again.
async fn birds(app: &TestApp, count: usize) -> Vec<User> {
    let mut birds = Vec::new();
    for n in 0..count {
        birds.push(app.user(&format!("bird{n}")).await);
    }
    birds
}

/// People with sessions that begin now: access tokens live for minutes.
async fn again(app: &TestApp, people: &[User]) -> Vec<User> {
    join_all(people.iter().map(|one| app.sign_in(&one.username, PASSWORD))).await
}

/// Goes on to the next hour where too little is left of this one for what a test does within one.
async fn early_in_the_hour(app: &TestApp) {
    let now = shared::clock::Clock::default().now().millis();
    let left = 3_600_000 - now % 3_600_000;
    if left < 120_000 {
        app.advance(Duration::from_millis(left));
    }
}

#[tokio::test]
async fn a_hashtag_of_three_authors_is_told() {
    let app = TestApp::with(|options| set(options, "PublicReading", "on")).await;
    early_in_the_hour(&app).await;
    let authors = people(&app, "bird", 4).await;
    assert_eq!(trending(&app, &authors[0]).await, []);
    for author in &authors {
        author.post_text("#Tide and #größe, #tide").await;
    }
    for author in &authors[..3] {
        author.post_text("#Mudflats").await;
    }
    for author in &authors[..2] {
        author.post_text("#two are too few").await;
    }
    let post = authors[0].post_text("no tag").await;
    for author in &authors {
        author.comment(&post, "#comments don't count").await;
    }
    let expected = [tag("grösse", 4, 4.0), tag("tide", 4, 4.0), tag("mudflats", 3, 3.0)];
    assert_eq!(trending(&app, &authors[0]).await, expected);
    assert_eq!(told(&app.anon()).await, expected);
    let before = app.table().await;
    count(&app).await;
    let mut after = app.table().await;
    let key = ("TOP".to_owned(), "TOP".to_owned());
    let (was, is) = (before[&key]["tags"].clone(), after[&key]["tags"].clone());
    assert_eq!(was, is, "twice is the same as once");
    after.insert(key.clone(), before[&key].clone());
    assert_eq!(after, before);
    app.audit().await;
}

#[tokio::test]
async fn one_author_lifts_nothing() {
    let app = TestApp::start().await;
    early_in_the_hour(&app).await;
    let authors = people(&app, "bird", 4).await;
    for n in 0..100 {
        authors[0].post_text(&format!("#loud {n}")).await;
    }
    for author in &authors[..3] {
        author.post_text("#quiet").await;
    }
    authors[1].post_text("#loud").await;
    assert_eq!(trending(&app, &authors[0]).await, [tag("quiet", 3, 3.0)]);
    authors[2].post_text("#loud").await;
    assert_eq!(trending(&app, &authors[0]).await, [tag("loud", 3, 3.0), tag("quiet", 3, 3.0)]);
    app.audit().await;
}

#[tokio::test]
async fn what_is_taken_back_counts_no_more() {
    let app = TestApp::start().await;
    early_in_the_hour(&app).await;
    let authors = people(&app, "bird", 3).await;
    let mut posts = Vec::new();
    for author in &authors {
        posts.push(author.post_text("#tide #ebb").await);
    }
    let other = authors[0].post_text("#tide again").await;
    let both = [tag("ebb", 3, 3.0), tag("tide", 3, 3.0)];
    assert_eq!(trending(&app, &authors[0]).await, both);
    // The other post still has one of them.
    authors[0].delete(&format!("/posts/{}", posts[0])).await.expect(204);
    assert_eq!(trending(&app, &authors[0]).await, [tag("tide", 3, 3.0)]);
    authors[0].patch(&format!("/posts/{other}"), json!({"content": "#ebb again"})).await.expect(200);
    assert_eq!(trending(&app, &authors[0]).await, [tag("ebb", 3, 3.0)]);
    app.audit().await;
    authors[0].patch(&format!("/posts/{other}"), json!({"content": "#ebb and #tide"})).await.expect(200);
    assert_eq!(trending(&app, &authors[0]).await, both);
    for (author, post) in authors.iter().zip([&other, &posts[1], &posts[2]]) {
        author.delete(&format!("/posts/{post}")).await.expect(204);
    }
    assert_eq!(trending(&app, &authors[0]).await, []);
    let left = app.table().await;
    assert!(left.keys().all(|(pk, _)| !pk.starts_with("TA#") && !pk.starts_with("IX#") && pk != "TOP"));
    let counts: Vec<_> = left.iter().filter(|((pk, _), _)| pk.starts_with("TR#")).collect();
    assert!(!counts.is_empty() && counts.iter().all(|(_, count)| count["n"]["N"] == "0"), "{counts:?}");
    app.audit().await;
}

/// More hashtags come and go in one edit than one transaction holds.
#[tokio::test]
async fn a_post_of_many_hashtags_changes_them_all() {
    let app = TestApp::start().await;
    early_in_the_hour(&app).await;
    let authors = people(&app, "bird", 3).await;
    let tags = |from: usize| (from..from + 30).map(|n| format!("#tag{n:02} ")).collect::<String>();
    let mut posts = Vec::new();
    for author in &authors {
        posts.push(author.post_text(&tags(0)).await);
    }
    let names = |told: &[(String, u64, f64)]| told.iter().map(|(tag, ..)| format!("#{tag} ")).collect::<String>();
    assert_eq!(names(&trending(&app, &authors[0]).await), tags(0));
    for (author, post) in authors.iter().zip(&posts) {
        author.patch(&format!("/posts/{post}"), json!({"content": tags(30)})).await.expect(200);
    }
    assert_eq!(names(&trending(&app, &authors[0]).await), tags(30));
    app.audit().await;
}

#[tokio::test]
async fn uses_fade_by_the_hour_and_end_after_a_day() {
    let app = TestApp::start().await;
    early_in_the_hour(&app).await;
    let authors = birds(&app, 4).await;
    for author in &authors {
        author.post_text("#old").await;
    }
    app.settle().await;
    app.advance(6 * HOUR);
    let clients = again(&app, &authors).await;
    for client in &clients[..3] {
        client.post_text("#new").await;
        // The same use as six hours ago.
        client.post_text("#old again").await;
    }
    assert_eq!(trending(&app, &clients[0]).await, [tag("new", 3, 3.0), tag("old", 4, 2.0)]);
    app.advance(17 * HOUR);
    let clients = again(&app, &authors).await;
    assert_eq!(trending(&app, &clients[0]).await, [tag("new", 3, 0.421), tag("old", 4, 0.281)]);
    app.audit().await;
    app.advance(HOUR);
    let clients = again(&app, &authors).await;
    assert_eq!(trending(&app, &clients[0]).await, [tag("new", 3, 0.375)]);
    // A day later each counts anew, and once.
    for client in &clients {
        client.post_text("#old once more").await;
    }
    assert_eq!(trending(&app, &clients[0]).await, [tag("old", 4, 4.0), tag("new", 3, 0.375)]);
    app.audit().await;
    app.advance(24 * HOUR);
    let clients = again(&app, &authors).await;
    assert_eq!(trending(&app, &clients[0]).await, []);
    app.audit().await;
}

/// A deletion of what counted yesterday takes nothing from today.
#[tokio::test]
async fn what_counted_yesterday_takes_nothing_from_today() {
    let app = TestApp::start().await;
    early_in_the_hour(&app).await;
    let authors = birds(&app, 3).await;
    let mut posts = Vec::new();
    for author in &authors {
        posts.push(author.post_text("#tide").await);
    }
    app.settle().await;
    app.advance(24 * HOUR);
    let clients = again(&app, &authors).await;
    for client in &clients {
        client.post_text("#tide").await;
    }
    app.settle().await;
    for (client, post) in clients.iter().zip(&posts) {
        // An edit of an old post is no new use of what it had.
        client.patch(&format!("/posts/{post}"), json!({"content": "#tide, edited"})).await.expect(200);
        client.delete(&format!("/posts/{post}")).await.expect(204);
    }
    assert_eq!(trending(&app, &clients[0]).await, [tag("tide", 3, 3.0)]);
    app.audit().await;
}

/// Jobs that come again, out of order and at once add nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redelivery_adds_nothing() {
    let app = TestApp::start().await;
    early_in_the_hour(&app).await;
    let authors = people(&app, "bird", 5).await;
    app.settle().await;
    app.pause_workers().await;
    let (mut jobs, mut gone) = (Vec::new(), Vec::new());
    for round in 0..3 {
        for author in &authors {
            let post = author.post_text(&format!("#tide #round{round}")).await;
            jobs.push(json!({"job": "post", "post": post}).to_string());
            if round == 0 {
                gone.push(post);
            }
        }
    }
    let work = async |jobs: &[String]| {
        for seed in 0..4 {
            let halves = [shuffled(jobs, seed), shuffled(jobs, seed + 100)];
            join_all(halves.iter().map(|jobs| app.work("index", jobs))).await;
        }
    };
    work(&jobs).await;
    count(&app).await;
    let all = ["tide", "round0", "round1", "round2"].map(|name| tag(name, 5, 5.0));
    let mut seen = told(&authors[0]).await;
    seen.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(seen, [&all[1], &all[2], &all[3], &all[0]].map(Clone::clone));
    for (author, post) in authors.iter().zip(&gone) {
        author.delete(&format!("/posts/{post}")).await.expect(204);
    }
    work(&jobs).await;
    count(&app).await;
    let mut seen = told(&authors[0]).await;
    seen.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(seen, [&all[2], &all[3], &all[0]].map(Clone::clone));
    app.resume_workers().await;
    app.settle().await;
    app.audit().await;
}

/// A worker that dies at any call leaves what the next one finishes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_counts_nothing_twice() {
    let app = TestApp::with(|options| options.faults = Some(Faults::new(Profile::Redelivery))).await;
    early_in_the_hour(&app).await;
    let authors = people(&app, "bird", 3).await;
    app.settle().await;
    app.pause_workers().await;
    let mut died = 0;
    for (n, author) in authors.iter().enumerate() {
        for after_calls in 0..8 {
            for done in [false, true] {
                let post = author.post_text(&format!("#tide #number{n}_{after_calls}_{done}")).await;
                let body = json!({"job": "post", "post": post}).to_string();
                let event = json!({"Records": [{"messageId": "0", "body": body, "eventSource": "aws:sqs"}]});
                let death = app.invoke_killed("index", &event, Death { after_calls, done }).await;
                assert!(matches!(death, Ok(()) | Err(InvokeError::Killed)), "{death:?}");
                died += usize::from(death.is_err());
                if after_calls % 2 == 0 {
                    author.delete(&format!("/posts/{post}")).await.expect(204);
                    let death = app.invoke_killed("index", &event, Death { after_calls, done }).await;
                    died += usize::from(death.is_err());
                }
            }
        }
    }
    assert!(died > 30, "{died}");
    let death = app.invoke_killed("trends", &json!({}), Death { after_calls: 2, done: true }).await;
    assert!(matches!(death, Err(InvokeError::Killed)), "{death:?}");
    app.resume_workers().await;
    assert_eq!(trending(&app, &authors[0]).await, [tag("tide", 3, 3.0)]);
    app.audit().await;
}

/// A hashtag that everybody uses at once, under all that goes wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viral_hashtag_is_counted_exactly() {
    let app = TestApp::with(|options| options.faults = Some(Faults::new(Profile::Mixed))).await;
    println!("seed {}", app.faults().expect("faults").faults().seed);
    early_in_the_hour(&app).await;
    let authors = people(&app, "bird", 60).await;
    let posted = authors.iter().map(|author| async {
        until(|| async { (author.post("/posts", json!({"content": "#viral"})).await.status == 201).then_some(()) })
            .await;
    });
    join_all(posted).await;
    app.settle().await;
    until(|| async {
        count(&app).await;
        let answer = authors[0].get("/hashtags/trending").await;
        (answer.status == 200 && answer.items().first()?["authors_count"] == 60).then_some(())
    })
    .await;
    app.audit().await;
}

#[tokio::test]
async fn trends_are_read_like_other_public_things() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    assert_eq!(gull.get("/hashtags/trending").await.expect(200).json(), json!({"items": []}));
    app.anon().get("/hashtags/trending").await.expect(401).problem("unauthorized");
    gull.post("/users/logout", None).await.expect(204);
    gull.get("/hashtags/trending").await.expect(401);
    gull.get("/hashtags").await.expect(404);
    assert!(trends::top(&app_of(&app, "posts")).await.expect("an answer").is_empty());
}
