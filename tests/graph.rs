//! Following: the state and one's own act at once, lists and counts once they are settled.

use crate::support::bulk::people;
use crate::support::lists::{ids, page_ids, walk};
use crate::support::{Client, TestApp};
use futures::future::join_all;
use serde_json::{Value, json};

async fn profile(viewer: &Client, of: &str) -> Value {
    viewer.get(&format!("/users/{of}")).await.expect(200).json()
}

/// How the viewer stands to somebody, and the followers they have.
async fn seen(viewer: &Client, of: &str) -> (bool, bool, u64) {
    let profile = profile(viewer, of).await;
    let is = |name: &str| profile[name].as_bool().expect("true or false");
    (is("following"), is("followed_by"), profile["followers_count"].as_u64().expect("a count"))
}

#[tokio::test]
async fn ones_own_follow_shows_from_the_next_request_on() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let card = json!({"id": bob.id, "username": "bob", "full_name": null, "avatar_url": null});
    app.pause_workers().await;
    for _ in 0..2 {
        let answer = ann.post("/users/bob/follow", None).await.expect(200).json();
        assert_eq!(answer, json!({"following": true, "user": card}), "twice is the same as once");
        assert_eq!(seen(&ann, "bob").await, (true, false, 1));
        assert_eq!(seen(&bob, "ann").await, (false, true, 0));
    }
    app.resume_workers().await;
    app.settle().await;
    assert_eq!(seen(&ann, "bob").await, (true, false, 1));
    let me = ann.get("/users").await.json();
    assert_eq!((&me["following_count"], &me["followers_count"]), (&json!(1), &json!(0)));
    assert_eq!(bob.get("/users").await.json()["followers_count"], 1);
    app.pause_workers().await;
    for path in ["/users/bob/follow", "/users/BOB/follow/"] {
        let answer = ann.delete(path).await.expect(200).json();
        assert_eq!(answer, json!({"following": false, "user": card}), "twice is the same as once");
        assert_eq!(seen(&ann, "bob").await, (false, false, 0));
    }
    app.resume_workers().await;
    app.settle().await;
    assert_eq!(bob.get("/users").await.json()["followers_count"], 0);
    assert_eq!(ann.get("/users").await.json()["following_count"], 0);
    app.audit().await;
}

#[tokio::test]
async fn somebody_is_named_by_id_or_name() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("Bob_B").await);
    for name in [bob.id.as_str(), "Bob_B", "bob_b", "@BOB_B", "%40bob_b"] {
        for (follow, unfollow) in [
            (format!("/users/{name}/follow"), format!("/users/{name}/unfollow")),
            (format!("/users/follow/{name}"), format!("/users/unfollow/{name}")),
        ] {
            ann.post(&follow, None).await.expect(200);
            assert!(seen(&ann, "bob_b").await.0, "{follow}");
            ann.post(&unfollow, None).await.expect(200);
            assert!(!seen(&ann, "bob_b").await.0, "{unfollow}");
        }
    }
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn oneself_and_nobody_are_not_to_be_followed() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    app.settle().await;
    let before = app.table().await;
    for oneself in ["me", "ann", "@Ann", &ann.id] {
        for answer in [
            ann.post(&format!("/users/{oneself}/follow"), None).await,
            ann.post(&format!("/users/{oneself}/unfollow"), None).await,
            ann.delete(&format!("/users/{oneself}/follow")).await,
        ] {
            let refused = answer.expect(422);
            refused.problem("invalid");
            assert_eq!(refused.fields(), [("user".into(), "oneself".into())], "{oneself}");
        }
    }
    for nobody in ["nobody", "no", "usr_01K9ZNXE5R2W8J6H4G3F1D0C7B", "usr_1", "a-b", &"x".repeat(300)] {
        for answer in [
            ann.post(&format!("/users/{nobody}/follow"), None).await,
            ann.delete(&format!("/users/{nobody}/follow")).await,
            ann.get(&format!("/users/{nobody}")).await,
            ann.get(&format!("/users/{nobody}/followers")).await,
            ann.get(&format!("/users/{nobody}/following")).await,
        ] {
            answer.expect(404).problem("not-found");
        }
    }
    app.settle().await;
    assert_eq!(app.table().await, before);
}

#[tokio::test]
async fn followers_and_following_are_listed_newest_first() {
    let app = TestApp::start().await;
    let star = app.user("star").await;
    let users = people(&app, "user", 9).await;
    for user in &users {
        user.post("/users/star/follow", None).await.expect(200);
        star.post(&format!("/users/{}/follow", user.id), None).await.expect(200);
    }
    app.settle().await;
    let expected: Vec<_> = users.iter().rev().map(|user| user.id.to_string()).collect();
    for list in ["/users/star/followers", "/users/star/following", "/users/me/followers", "/users/me/following"] {
        assert_eq!(page_ids(&star, list).await, expected, "{list}");
        assert_eq!(ids(&walk(&star, &format!("{list}?limit=4")).await), expected, "{list}");
    }
    assert_eq!(page_ids(&users[0], "/users/user3/followers").await, [star.id.as_str()]);
    let me = star.get("/users").await.json();
    assert_eq!((&me["followers_count"], &me["following_count"]), (&json!(9), &json!(9)));
    assert_eq!(seen(&star, "user3").await, (true, true, 1));
    let first = users[0].get("/users/star/followers?limit=3").await.expect(200);
    assert_eq!(first.items()[0]["username"], "user8");
    // The row the cursor stands on goes, and comes back as a newer one.
    for state in ["unfollow", "follow"] {
        users[6].post(&format!("/users/star/{state}"), None).await.expect(200);
        app.settle().await;
    }
    assert_eq!(ids(&walk(&users[0], &first.next().unwrap()).await), expected[3..]);
    assert_eq!(page_ids(&star, "/users/star/followers?limit=1").await, [users[6].id.to_string()]);
    let cursor = first.json()["next_cursor"].as_str().unwrap().to_owned();
    for other in ["/users/star/following", "/users/user1/followers"] {
        star.get(&format!("{other}?cursor={cursor}")).await.expect(400).problem("invalid-cursor");
    }
}

#[tokio::test]
async fn follows_at_once_settle_on_one_state() {
    let app = TestApp::start().await;
    let users = people(&app, "user", 5).await;
    let act = |n: usize| {
        let (from, to) = (&users[n % 5], &users[(n + 1 + n / 5 % 4) % 5]);
        let act = ["unfollow", "follow", "follow"][(n / 20 + n) % 3];
        async move {
            from.post(&format!("/users/{}/{act}", to.id), None).await.expect(200);
        }
    };
    join_all((0..120).map(act)).await;
    app.settle().await;
    app.audit().await;
    for user in &users {
        let mut following = Vec::new();
        for other in users.iter().filter(|other| other.id != user.id) {
            let (is_following, ..) = seen(user, &other.name).await;
            following.extend(is_following.then(|| other.id.to_string()));
            assert_eq!(seen(other, &user.name).await.1, is_following, "both see the same");
        }
        let mut listed = page_ids(user, "/users/me/following").await;
        listed.sort();
        following.sort();
        assert_eq!(listed, following);
        assert_eq!(profile(user, "me").await["following_count"], following.len());
    }
}
