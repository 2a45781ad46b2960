//! The journeys under each fault profile: they end as they do without faults.

use crate::journeys::{self, Change};
use crate::load;
use crate::support::bulk::{Person, people};
use crate::support::shape::Shape;
use crate::support::{TestApp, alone};
use emulators::faults::{Faults, Profile};
use futures::future::{join, join_all};
use local::Options;
use serde_json::json;
use std::cell::Cell;
use std::pin::Pin;

type Journey = fn(Change) -> Pin<Box<dyn Future<Output = Shape>>>;

/// Every journey, by its name; the last takes longest.
const JOURNEYS: [(&str, Journey); 4] = [
    ("the first day", |change| Box::pin(journeys::first_day(change))),
    ("a restart", |change| Box::pin(journeys::restart(change))),
    ("people who change their minds", |change| Box::pin(changing_minds(change))),
    ("a thousand likes", |change| Box::pin(load::likes_at_once(change, 1_000))),
];

/// Everybody follows everybody, posts and likes, takes some of it back, and does a part of that again. What is undone has
/// been told of: whether it would be told of else is a matter of who is first.
async fn changing_minds(change: Change) -> Shape {
    let app = TestApp::with(change).await;
    let people = people(&app, "user", 5).await;
    let call = async |by: &Person, path: String| drop(by.post(&path, None).await.expect(200));
    let mut posts = Vec::new();
    for person in &people {
        for other in people.iter().filter(|other| other.id != person.id) {
            person.follow(other).await;
        }
        posts.extend([person.post_text("First.").await, person.post_text("Second.").await]);
    }
    for post in &posts {
        join_all(people.iter().map(|person| call(person, format!("/posts/{post}/like")))).await;
    }
    let mut comments = Vec::new();
    for (n, post) in posts.iter().enumerate() {
        for place in 1..4 {
            comments.push((place, n, people[(n + place) % 5].comment(post, "A comment.").await));
        }
    }
    app.settle().await;
    for (place, n, comment) in &comments {
        match place {
            1 => people[(n + 1) % 5].delete(&format!("/posts/{comment}")).await.expect(204),
            2 => {
                people[(n + 2) % 5].patch(&format!("/posts/{comment}"), json!({"content": "Edited."})).await.expect(200)
            }
            _ => people[*n % 5]
                .post(&format!("/posts/{comment}/comments"), json!({"content": "A reply."}))
                .await
                .expect(201),
        };
    }
    for (n, person) in people.iter().enumerate() {
        person.unfollow(&people[(n + 2) % 5]).await;
        person.patch(&format!("/posts/{}", posts[2 * n]), json!({"content": "Edited."})).await.expect(200);
    }
    for (n, post) in posts.iter().enumerate() {
        call(&people[4], format!("/posts/{post}/unlike")).await;
        call(&people[n % 4], format!("/posts/like/{post}")).await;
    }
    for n in [3, 4] {
        people[n].delete(&format!("/posts/{}", posts[2 * n])).await.expect(204);
    }
    people[0].follow(&people[2]).await;
    call(&people[4], format!("/posts/{}/like", posts[0])).await;
    app.settle().await;
    Shape::of(&app.table().await)
}

/// Plays journeys with these faults, and without: both ends must be the same.
async fn same_end(journeys: &[(&str, Journey)], faulty: Change) {
    let _alone = alone().await;
    for (name, journey) in journeys {
        let (expected, seen) = (journey(|_| ()).await, journey(faulty).await);
        expected.assert_same(&seen, name);
    }
}

fn under(options: &mut Options, profile: Profile) {
    let faults = Faults::new(profile);
    println!("{profile:?}, seed {}", faults.seed);
    options.faults = Some(faults);
}

#[tokio::test]
async fn unfollow_and_logout_show_in_the_very_next_request_when_reads_are_stale() {
    for _ in 0..5 {
        load::unfollow_and_logout(|options| under(options, Profile::Stale)).await;
    }
}

/// An own act is in the count before the workers count it, and does not drop out when they have and reads are still
/// behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ones_own_acts_stay_in_the_counts_when_reads_are_stale() {
    let app = TestApp::with(|options| under(options, Profile::Stale)).await;
    let [author, fan]: [Person; 2] = people(&app, "bird", 2).await.try_into().ok().expect("two");
    let post = author.post_text("Low tide.").await;
    app.settle().await;
    for n in [1, 0, 1, 0] {
        let path = format!("/posts/{post}/like");
        let answer = if n == 1 { fan.post(&path, None).await } else { fan.delete(&path).await };
        assert_eq!(answer.expect(200).json()["likes_count"], n);
        if n == 1 {
            fan.follow(&author).await
        } else {
            fan.unfollow(&author).await
        };
        let settled = Cell::new(false);
        let settle = async {
            app.settle().await;
            settled.set(true);
        };
        let look = async {
            while !settled.get() {
                let (post, author) = (format!("/posts/{post}"), format!("/users/{}", author.id));
                assert_eq!(fan.get(&post).await.expect(200).json()["likes_count"], n);
                assert_eq!(fan.get(&author).await.expect(200).json()["followers_count"], n);
            }
        };
        join(settle, look).await;
    }
}

#[ignore = "campaign: all journeys"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stale_reads_change_no_end() {
    same_end(&JOURNEYS, |options| under(options, Profile::Stale)).await;
}

#[ignore = "campaign: all journeys"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conflicts_change_no_end() {
    same_end(&JOURNEYS, |options| under(options, Profile::Conflicts)).await;
}

#[ignore = "campaign: all journeys"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttling_changes_no_end() {
    same_end(&JOURNEYS, |options| under(options, Profile::Throttle)).await;
}

#[ignore = "campaign: all journeys"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redelivery_changes_no_end() {
    same_end(&JOURNEYS, |options| under(options, Profile::Redelivery)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mix_of_faults_changes_no_end() {
    same_end(&JOURNEYS[..3], |options| under(options, Profile::Mixed)).await;
}

#[ignore = "campaign: all journeys"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mix_of_faults_changes_no_end_of_a_crowd() {
    same_end(&JOURNEYS, |options| under(options, Profile::Mixed)).await;
}
