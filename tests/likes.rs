//! Likes: the liker sees the act at once, everybody the exact count once it is settled.

use crate::support::bulk::people;
use crate::support::lists::{ids, page_ids, walk};
use crate::support::{Client, TestApp};
use futures::future::join_all;
use serde_json::{Value, json};

async fn like(user: &Client, post: &str) -> Value {
    user.post(&format!("/posts/{post}/like"), None).await.expect(200).json()
}

async fn unlike(user: &Client, post: &str) -> Value {
    user.delete(&format!("/posts/{post}/like")).await.expect(200).json()
}

async fn toggle(user: &Client, post: &str) -> Value {
    user.post(&format!("/tweets/like/{post}"), None).await.expect(200).json()
}

/// Whether this one likes it, and how many do.
async fn seen(user: &Client, post: &str) -> Value {
    let post = user.get(&format!("/posts/{post}")).await.expect(200).json();
    json!({"liked": post["liked"], "likes_count": post["likes_count"]})
}

fn state(liked: bool, likes_count: u64) -> Value {
    json!({"liked": liked, "likes_count": likes_count})
}

#[tokio::test]
async fn ones_own_like_shows_from_the_next_request_on() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    bob.follow(&ann).await;
    let post = ann.post_text("Low tide.").await;
    like(&cid, &post).await;
    app.settle().await;
    app.pause_workers().await;
    for _ in 0..2 {
        assert_eq!(like(&bob, &post).await, state(true, 2), "twice is the same as once");
        assert_eq!(seen(&bob, &post).await, state(true, 2));
    }
    for list in ["/feed", "/users/ann/posts", "/posts/liked"] {
        let found = &bob.get(list).await.expect(200).items()[0];
        assert_eq!((&found["liked"], &found["likes_count"]), (&json!(true), &json!(2)), "{list}");
    }
    assert_eq!(seen(&ann, &post).await, state(false, 1), "others' shows once it is counted");
    app.resume_workers().await;
    app.settle().await;
    for (user, expected) in [(&ann, state(false, 2)), (&bob, state(true, 2)), (&cid, state(true, 2))] {
        assert_eq!(seen(user, &post).await, expected);
    }
    app.pause_workers().await;
    for _ in 0..2 {
        assert_eq!(unlike(&bob, &post).await, state(false, 1));
        assert_eq!(seen(&bob, &post).await, state(false, 1));
    }
    assert_eq!(bob.post(&format!("/posts/{post}/unlike"), None).await.expect(200).json(), state(false, 1));
    assert_eq!(page_ids(&bob, "/posts/liked").await, [""; 0]);
    app.resume_workers().await;
    app.settle().await;
    assert_eq!(seen(&ann, &post).await, state(false, 1));
    assert_eq!(unlike(&ann, &post).await, state(false, 1), "what was never liked");
    app.audit().await;
}

#[tokio::test]
async fn a_toggle_flips() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = ann.post_text("Low tide.").await;
    for settled in [true, false] {
        if !settled {
            app.pause_workers().await;
        }
        for liked in [true, false, true, false] {
            assert_eq!(toggle(&bob, &post).await, state(liked, liked.into()), "settled each time: {settled}");
            if settled {
                app.settle().await;
            }
            assert_eq!(seen(&bob, &post).await, state(liked, liked.into()));
        }
    }
    app.resume_workers().await;
    app.settle().await;
    assert_eq!(seen(&ann, &post).await, state(false, 0));
    app.audit().await;
}

#[tokio::test]
async fn what_was_liked_and_unliked_before_it_was_counted_is_counted_right() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let users = people(&app, "user", 16).await;
    let post = ann.post_text("Low tide.").await;
    // Before the consumer runs, and once more when some are counted: every history of up to three acts.
    for round in 0..2 {
        app.pause_workers().await;
        for (number, user) in users.iter().enumerate() {
            for act in 0..number % 4 {
                match (number / 4 + act) % 2 {
                    0 => like(user, &post).await,
                    _ => unlike(user, &post).await,
                };
            }
        }
        let mut expected = 0;
        for user in &users {
            expected += u64::from(seen(user, &post).await["liked"] == true);
        }
        app.resume_workers().await;
        app.settle().await;
        assert_eq!(seen(&ann, &post).await, state(false, expected), "round {round}");
        assert_eq!(walk(&ann, &format!("/posts/{post}/likes?limit=3")).await.len() as u64, expected);
        app.audit().await;
    }
}

#[tokio::test]
async fn likes_at_once_settle_on_one_state() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let users = people(&app, "user", 6).await;
    let (one, two) = (ann.post_text("One.").await, ann.post_text("Two.").await);
    let act = |n: usize| {
        let (user, post) = (&users[n % 6], if n < 24 { &one } else { &two });
        async move {
            match (n / 6 + n) % 3 {
                0 => unlike(user, post).await,
                1 => like(user, post).await,
                _ => toggle(user, post).await,
            }
        }
    };
    join_all((0..90).map(act)).await;
    app.settle().await;
    app.audit().await;
    for post in [&one, &two] {
        let mut likers = Vec::new();
        for user in &users {
            let seen = seen(user, post).await;
            likers.extend((seen["liked"] == true).then(|| user.id.to_string()));
        }
        let mut listed = ids(&walk(&ann, &format!("/posts/{post}/likes")).await);
        listed.sort();
        likers.sort();
        assert_eq!(listed, likers);
        assert_eq!(seen(&ann, post).await["likes_count"], likers.len());
    }
}

#[tokio::test]
async fn who_likes_a_post_newest_first() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let post = ann.post_text("Low tide.").await;
    let users = people(&app, "user", 7).await;
    for user in &users {
        like(user, &post).await;
    }
    app.settle().await;
    let path = format!("/posts/{post}/likes");
    let expected: Vec<_> = users.iter().rev().map(|user| user.id.to_string()).collect();
    assert_eq!(page_ids(&ann, &path).await, expected);
    let first = ann.get(&format!("{path}?limit=3")).await.expect(200);
    assert_eq!(first.items()[0]["username"], users[6].name);
    // The row the cursor stands on goes, and a newer one comes.
    unlike(&users[4], &post).await;
    like(&ann, &post).await;
    app.settle().await;
    let rest = ids(&walk(&ann, &first.next().unwrap()).await);
    assert_eq!(rest, expected[3..]);
    // Liked again is liked anew.
    like(&users[4], &post).await;
    app.settle().await;
    let again = page_ids(&ann, &format!("{path}?limit=2")).await;
    assert_eq!(again, [users[4].id.to_string(), ann.id.clone()]);
}

#[tokio::test]
async fn what_i_like_by_its_own_time_newest_first() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let mut posts = Vec::new();
    for author in [&ann, &bob, &ann, &bob, &ann, &ann, &bob] {
        posts.insert(0, author.post_text("Low tide.").await);
    }
    app.pause_workers().await;
    for place in [3, 0, 6, 1, 5, 2] {
        like(&bob, &posts[place]).await;
    }
    let mut expected = posts.clone();
    expected.remove(4);
    assert_eq!(page_ids(&bob, "/posts/liked").await, expected);
    let first = bob.get("/posts/liked?limit=2").await.expect(200);
    assert_eq!(ids(&first.items()), expected[..2]);
    for gone in [1, 2] {
        unlike(&bob, &expected[gone]).await;
    }
    like(&bob, &posts[4]).await;
    let rest = walk(&bob, &first.next().unwrap()).await;
    assert_eq!(ids(&rest), posts[3..]);
    assert!(rest.iter().all(|post| post["liked"] == true && post["likes_count"] == 1), "{rest:?}");
    assert_eq!(page_ids(&ann, "/tweets/liked").await, [""; 0]);
}

/// Of a heavy liker's likes a page reads the newest hundred between its posts, and asks for the rest by key.
#[tokio::test]
async fn whoever_likes_much_sees_every_like() {
    let app = TestApp::start().await;
    let (ann, bob, eve) = (app.user("ann").await, app.user("bob").await, app.user("eve").await);
    ann.follow(&bob).await;
    app.settle().await;
    let old = [bob.post_text("Liked.").await, bob.post_text("Not liked.").await];
    let between = join_all((0..110).map(|_| eve.post_text("Noise."))).await;
    let new = bob.post_text("New.").await;
    app.settle().await;
    join_all(between.iter().chain([&old[0], &new]).map(|post| like(&ann, post))).await;
    for list in ["/feed", "/users/bob/posts"] {
        let found = ann.get(list).await.expect(200).items();
        let liked: Vec<_> = found.iter().map(|post| post["liked"] == true).collect();
        assert_eq!(liked, [true, false, true], "{list}");
    }
    assert_eq!(walk(&ann, "/posts/liked?limit=50").await.len(), 112);
}

#[tokio::test]
async fn likes_of_a_post_that_is_deleted_meanwhile_leave_nothing() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let users = people(&app, "user", 8).await;
    let posts = [ann.post_text("One.").await, ann.post_text("Two.").await];
    join_all(users[..4].iter().map(|user| like(user, &posts[0]))).await;
    app.settle().await;
    // One is deleted with some counted and some not, the other amid its likes.
    app.pause_workers().await;
    join_all(users[4..].iter().map(|user| like(user, &posts[0]))).await;
    unlike(&users[0], &posts[0]).await;
    ann.delete(&format!("/posts/{}", posts[0])).await.expect(204);
    app.resume_workers().await;
    let likes = join_all(users.iter().map(|user| async {
        let answer = user.post(&format!("/posts/{}/like", posts[1]), None).await;
        assert!([200, 404].contains(&answer.status), "{}", answer.text());
    }));
    let path = format!("/posts/{}", posts[1]);
    let (deleted, _) = futures::future::join(ann.delete(&path).into_future(), likes).await;
    deleted.expect(204);
    app.settle().await;
    let items = app.table().await;
    let left = items.keys().find(|(pk, sk)| pk.starts_with("LK#") || sk.starts_with("L#"));
    assert_eq!(left, None);
    app.audit().await;
}

#[tokio::test]
async fn ones_own_post_is_liked_without_a_notification() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let post = ann.post_text("Low tide.").await;
    assert_eq!(like(&ann, &post).await, state(true, 1));
    app.settle().await;
    assert_eq!(seen(&ann, &post).await, state(true, 1));
    assert_eq!(page_ids(&ann, &format!("/posts/{post}/likes")).await, [ann.id.as_str()]);
    assert_eq!(page_ids(&ann, "/notifications").await, [""; 0]);
    assert_eq!(unlike(&ann, &post).await, state(false, 0));
}
