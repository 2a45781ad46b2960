//! The service on AWS's own terms: whatever the fault layer does, all that was asked for is done, once.

use crate::support::lists::{ids, newest_first, walk};
use crate::support::{TestApp, User};
use emulators::faults::{Fault, Faults, Profile};
use serde_json::json;

/// People who follow, post, like and change their minds: the end is right, and these faults happened.
async fn life(profile: Profile, kinds: &[Fault]) {
    let app = TestApp::with(|options| options.faults = Some(Faults::new(profile))).await;
    let faults = app.faults().expect("faults").clone();
    println!("{profile}, seed {}", faults.faults().seed);
    let mut people = Vec::new();
    for name in ["gull", "tern", "skua", "knot"] {
        people.push(app.user(name).await);
    }
    let posts = act(&people).await;
    app.settle().await;
    app.audit().await;
    check(&app, &people, &posts).await;
    println!("{:?}", faults.counts());
    for kind in kinds {
        assert!(faults.counts().contains_key(kind), "{kind:?} of {:?}", faults.counts());
    }
    for queue in ["FanoutDlq", "FilesDlq", "IndexDlq", "NotifyDlq", "ReapDlq", "ViewsDlq", "DispatchDlq", "PublishDlq"]
    {
        assert_eq!(app.queue(queue).await.unwrap(), Default::default(), "{queue}");
    }
    app.stop().await;
}

/// Everybody follows everybody else, posts five times, and likes what the others post; the last one unfollows the
/// first, and takes the likes back. Answers each one's posts.
async fn act(people: &[User]) -> Vec<Vec<String>> {
    let mut posts = Vec::new();
    for from in people {
        for to in people.iter().filter(|to| to.id != from.id) {
            from.follow(to).await;
        }
    }
    for author in people {
        let mut own = Vec::new();
        for n in 0..5 {
            own.push(author.post_text(&format!("Number {n}")).await);
        }
        for reader in people.iter().filter(|reader| reader.id != author.id) {
            for post in &own {
                reader.post(&format!("/posts/{post}/like"), None).await.expect(200);
            }
        }
        posts.push(own);
    }
    let (first, last) = (&people[0], &people[people.len() - 1]);
    last.post(&format!("/users/{}/unfollow", first.id), None).await.expect(200);
    for post in &posts[0] {
        last.post(&format!("/posts/{post}/unlike"), None).await.expect(200);
    }
    posts
}

async fn check(app: &TestApp, people: &[User], posts: &[Vec<String>]) {
    let others = people.len() - 1;
    for (n, user) in people.iter().enumerate() {
        let is_first = n == 0;
        let is_last = n == others;
        let profile = user.get(&format!("/users/{}", user.id)).await.expect(200).json();
        assert_eq!(profile["followers_count"], others - usize::from(is_first), "{profile}");
        assert_eq!(profile["following_count"], others - usize::from(is_last), "{profile}");
        let followed = posts.iter().enumerate().filter(|(author, _)| *author != n && !(is_last && *author == 0));
        let expected = newest_first(followed.flat_map(|(_, posts)| posts.clone()));
        assert_eq!(ids(&walk(user, "/feed").await), expected, "{}", user.username);
        for post in &posts[n] {
            let post = user.get(&format!("/posts/{post}")).await.expect(200).json();
            assert_eq!(post["likes_count"], others - usize::from(is_first), "{post}");
        }
        let told = walk(user, "/notifications").await;
        assert!(told.iter().any(|one| one["kind"] == "follow"), "{}: {}", user.username, json!(told));
        assert!(!app.mails_to(&user.email).await.is_empty());
    }
}

#[tokio::test]
async fn stale_reads_leave_all_right() {
    life(Profile::Stale, &[Fault::Stale]).await;
}

#[tokio::test]
async fn conflicts_and_lost_answers_leave_all_right() {
    life(Profile::Conflicts, &[Fault::Conflict, Fault::Lost]).await;
}

#[tokio::test]
async fn throttling_leaves_all_right() {
    life(Profile::Throttle, &[Fault::Throttle, Fault::Partial, Fault::Slow]).await;
}

#[tokio::test]
async fn redelivery_and_killed_workers_leave_all_right() {
    life(Profile::Redelivery, &[Fault::Again, Fault::Copy, Fault::Kill]).await;
}

#[tokio::test]
async fn all_faults_at_once_leave_all_right() {
    life(Profile::Mixed, &[Fault::Stale, Fault::Conflict, Fault::Throttle, Fault::Copy]).await;
}
