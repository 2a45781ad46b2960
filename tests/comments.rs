//! Comments and replies: posts below another one.

use crate::support::bulk::people;
use crate::support::lists::{ids, page_ids, walk};
use crate::support::{Client, TestApp};
use emulators::faults::{Faults, Profile};
use futures::future::join_all;
use serde_json::{Value, json};

async fn count(user: &Client, post: &str) -> Value {
    user.get(&format!("/posts/{post}")).await.expect(200).json()["comments_count"].clone()
}

#[tokio::test]
async fn a_comment_is_a_post_below_another() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = ann.post_text("Low tide.").await;
    let answer =
        bob.post(&format!("/posts/{post}/comments"), json!({"content": " #Curlews, @ann! "})).await.expect(201);
    let comment = answer.json();
    let id = comment["id"].as_str().unwrap();
    assert!(id.starts_with("pst_"), "{id}");
    assert_eq!(answer.header("location"), format!("/posts/{id}"));
    for (field, expected) in [
        ("content", json!("#Curlews, @ann!")),
        ("hashtags", json!(["curlews"])),
        ("parent_id", json!(post)),
        ("author", json!({"id": bob.id, "username": "bob", "full_name": null, "avatar_url": null})),
        ("comments_count", json!(0)),
        ("likes_count", json!(0)),
    ] {
        assert_eq!(comment[field], expected, "{field}");
    }
    assert_eq!(comment["mentions"][0]["id"], ann.id);
    let reply = ann.comment(id, "They are.").await;
    let list = format!("/posts/{post}/comments");
    let second = bob.comment(&post, "And oystercatchers.").await;
    app.settle().await;
    for reader in [&ann, &bob] {
        let seen = reader.get(&format!("/posts/{id}")).await.expect(200).json();
        assert_eq!((&seen["content"], &seen["comments_count"]), (&comment["content"], &json!(1)));
        assert_eq!(page_ids(reader, &list).await, [id.to_owned(), second.clone()], "oldest first");
        assert_eq!(reader.get(&list).await.expect(200).items()[0], seen);
        let replies = format!("/posts/{id}/comments");
        assert_eq!(page_ids(reader, &replies).await, std::slice::from_ref(&reply));
        assert_eq!((count(reader, &post).await, count(reader, &reply).await), (json!(2), json!(0)));
    }
    // What every post can, a comment can.
    let path = format!("/posts/{id}");
    let liked = ann.post(&format!("{path}/like"), None).await.expect(200).json();
    assert_eq!(liked, json!({"liked": true, "likes_count": 1}));
    app.settle().await;
    assert_eq!(page_ids(&bob, &format!("{path}/likes")).await, std::slice::from_ref(&ann.id));
    assert_eq!(page_ids(&ann, "/posts/liked").await, [id]);
    let edited = bob.patch(&path, json!({"content": "Curlews."})).await.expect(200).json();
    assert_eq!(
        (&edited["content"], &edited["likes_count"], &edited["parent_id"]),
        (&json!("Curlews."), &json!(1), &json!(post))
    );
    let below = format!("{list}/{id}");
    bob.patch(&below, json!({"content": "Curlews!"})).await.expect(200);
    assert_eq!(bob.get(&path).await.expect(200).json()["content"], "Curlews!");
    // It is in nobody's list of posts, and counts as none.
    assert_eq!(page_ids(&bob, "/tweets").await, [""; 0]);
    assert_eq!(bob.get("/users/bob").await.expect(200).json()["posts_count"], 0);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn ones_own_comment_counts_from_the_next_request_on() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    bob.follow(&ann).await;
    let post = ann.post_text("Low tide.").await;
    let old = cid.comment(&post, "First.").await;
    app.settle().await;
    app.pause_workers().await;
    let new = bob.comment(&post, "Second.").await;
    assert_eq!((count(&bob, &post).await, count(&ann, &post).await), (json!(2), json!(1)));
    assert_eq!(page_ids(&bob, &format!("/posts/{post}/comments")).await, [old.clone(), new.clone()]);
    for list in ["/feed", "/users/ann/posts"] {
        assert_eq!(bob.get(list).await.expect(200).items()[0]["comments_count"], 2, "{list}");
    }
    // Taken back before it was counted; and another's, by whose post it is, which was.
    bob.delete(&format!("/posts/{new}")).await.expect(204);
    ann.delete(&format!("/posts/{post}/comments/{old}")).await.expect(204);
    assert_eq!((count(&bob, &post).await, count(&ann, &post).await), (json!(1), json!(0)));
    for reader in [&ann, &bob, &cid] {
        assert_eq!(page_ids(reader, &format!("/posts/{post}/comments")).await, [""; 0]);
        for gone in [&old, &new] {
            reader.get(&format!("/posts/{gone}")).await.expect(404);
            reader.post(&format!("/posts/{gone}/like"), None).await.expect(404);
            reader.post(&format!("/posts/{gone}/comments"), json!({"content": "?"})).await.expect(404);
        }
    }
    app.resume_workers().await;
    app.settle().await;
    for reader in [&ann, &bob, &cid] {
        assert_eq!(count(reader, &post).await, 0);
    }
    app.audit().await;
}

#[tokio::test]
async fn replies_are_one_level_deep() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let post = ann.post_text("Low tide.").await;
    let comment = ann.comment(&post, "A comment.").await;
    let reply = ann.comment(&comment, "A reply.").await;
    app.settle().await;
    let before = app.table().await;
    let refused = ann.post(&format!("/posts/{reply}/comments"), json!({"content": "Too deep."})).await.expect(422);
    assert_eq!(refused.fields(), [("id".into(), "too_deep".into())]);
    assert_eq!(page_ids(&ann, &format!("/posts/{reply}/comments")).await, [""; 0]);
    // The pair must be one.
    for (on, below) in [(&post, &reply), (&comment, &comment), (&reply, &comment)] {
        let path = format!("/posts/{on}/comments/{below}");
        ann.patch(&path, json!({"content": "Other."})).await.expect(404);
        ann.delete(&path).await.expect(404);
    }
    assert_eq!(app.table().await, before);
}

#[tokio::test]
async fn a_comment_is_its_authors_and_may_be_deleted_by_whose_post_it_is_on() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let post = ann.post_text("Low tide.").await;
    let comment = bob.comment(&post, "A comment.").await;
    let reply = cid.comment(&comment, "A reply.").await;
    let path = format!("/posts/{post}/comments/{comment}");
    for other in [&ann, &cid] {
        other.patch(&path, json!({"content": "Mine."})).await.expect(403).problem("forbidden");
    }
    cid.delete(&path).await.expect(403).problem("forbidden");
    let stale = bob.get(&format!("/posts/{comment}")).await.expect(200).header("etag").to_owned();
    bob.patch(&path, json!({"content": "Edited."})).await.expect(200);
    bob.delete(&path).header("if-match", &stale).await.expect(412).problem("precondition-failed");
    // Of a reply: its author, that of the comment, that of the post.
    bob.delete(&format!("/posts/{reply}")).await.expect(204);
    let reply = cid.comment(&comment, "A reply.").await;
    ann.delete(&format!("/posts/{comment}/comments/{reply}")).await.expect(204);
    app.settle().await;
    assert_eq!(count(&ann, &comment).await, 0);
    bob.delete(&path).await.expect(204);
    bob.delete(&path).await.expect(404);
    app.settle().await;
    assert_eq!(count(&ann, &post).await, 0);
    app.audit().await;
}

#[tokio::test]
async fn what_stands_below_goes_with_it() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    app.settle().await;
    let empty = app.table().await;
    for by_comment in [true, false] {
        let post = ann.post_text("Low tide.").await;
        let comment = bob.comment(&post, "A comment.").await;
        let reply = ann.comment(&comment, "A reply.").await;
        for one in [&post, &comment, &reply] {
            bob.post(&format!("/posts/{one}/like"), None).await.expect(200);
        }
        app.settle().await;
        // Others that no counter holds yet.
        app.pause_workers().await;
        let late = bob.comment(&post, "A late comment.").await;
        let late_reply = bob.comment(&comment, "A late reply.").await;
        if by_comment {
            ann.delete(&format!("/posts/{comment}")).await.expect(204);
            assert_eq!(page_ids(&bob, &format!("/posts/{post}/comments")).await, std::slice::from_ref(&late));
        }
        ann.delete(&format!("/posts/{post}")).await.expect(204);
        for gone in [&comment, &reply, &late, &late_reply] {
            ann.get(&format!("/posts/{gone}")).await.expect(404);
            bob.patch(&format!("/posts/{gone}"), json!({"content": "Still here."})).await.expect(404);
        }
        app.resume_workers().await;
        app.settle().await;
        app.audit().await;
    }
    let left = app.table().await;
    let of_posts = |pk: &String, sk: &String| {
        ["A#", "C#", "LK#", "TL#"].iter().any(|kind| pk.starts_with(kind))
            || sk.starts_with("L#")
            || sk.starts_with("H#2")
    };
    let left: Vec<_> =
        left.keys().filter(|(pk, sk)| of_posts(pk, sk) && !empty.contains_key(&(pk.clone(), sk.clone()))).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_list_of_comments_stays_right_while_they_come_and_go() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let post = ann.post_text("Low tide.").await;
    let mut comments = Vec::new();
    for n in 0..7 {
        comments.push(ann.comment(&post, &format!("Number {n}")).await);
    }
    let list = format!("/posts/{post}/comments?limit=3");
    assert_eq!(ids(&walk(&ann, &list).await), comments);
    let first = ann.get(&list).await.expect(200);
    ann.delete(&format!("/posts/{}", comments[2])).await.expect(204);
    ann.delete(&format!("/posts/{}", comments[4])).await.expect(204);
    let late = ann.comment(&post, "Late").await;
    let rest = ids(&walk(&ann, &first.next().expect("more")).await);
    assert_eq!(rest, [&comments[3], &comments[5], &comments[6], &late].map(String::clone));
    let key = |n: u8| {
        ann.post(&format!("/posts/{post}/comments"), json!({"content": "Once"}))
            .header("idempotency-key", &n.to_string())
    };
    let (once, again, other) = (key(1).await.expect(201), key(1).await.expect(201), key(2).await.expect(201));
    assert_eq!((once.json(), again.header("idempotency-replayed")), (again.json(), "true"));
    assert_ne!(once.json()["id"], other.json()["id"]);
}

/// Two hundred at once that come and go, liked and unliked, under everything the fault layer does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_exact_after_two_hundred_came_and_went() {
    let app = TestApp::with(|options| options.faults = Some(Faults::new(Profile::Mixed))).await;
    println!("seed {}", app.faults().expect("faults").faults().seed);
    let ann = app.user("ann").await;
    let users = people(&app, "user", 20).await;
    let post = ann.post_text("Low tide.").await;
    let told = join_all((0..200).map(|n| {
        let (user, post, path) = (&users[n % 20], &post, format!("/posts/{post}/like"));
        async move {
            let mut tries = 0;
            let comment = loop {
                let body = json!({"content": format!("Number {n}")});
                let call =
                    user.post(&format!("/posts/{post}/comments"), body).header("idempotency-key", &n.to_string());
                let answer = call.await;
                if answer.status == 201 {
                    break answer.json()["id"].as_str().expect("an id").to_owned();
                }
                tries += 1;
                assert!(tries < 50 && matches!(answer.status, 503 | 409), "{}", answer.text());
            };
            let gone = n % 2 == 0;
            if gone {
                repeat(|| user.delete(&format!("/posts/{comment}")), &[204, 404, 412]).await;
            }
            match n % 3 {
                0 => repeat(|| user.post(&path, None), &[200]).await,
                _ => repeat(|| user.delete(&path), &[200]).await,
            }
            (!gone).then_some(comment)
        }
    }))
    .await;
    app.settle().await;
    let mut standing: Vec<String> = told.into_iter().flatten().collect();
    standing.sort();
    let mut seen = ids(&walk(&ann, &format!("/posts/{post}/comments?limit=100")).await);
    seen.sort();
    assert_eq!(seen, standing);
    assert_eq!(count(&ann, &post).await, standing.len());
    let liking = walk(&ann, &format!("/posts/{post}/likes?limit=100")).await.len();
    assert_eq!(ann.get(&format!("/posts/{post}")).await.expect(200).json()["likes_count"], liking);
    app.audit().await;
}

/// Until the service does it.
async fn repeat(call: impl Fn() -> crate::support::Call, wanted: &[u16]) {
    for _ in 0..50 {
        let answer = call().await;
        if wanted.contains(&answer.status) && answer.status != 412 {
            return;
        }
        assert!(matches!(answer.status, 503 | 412), "{} {}", answer.status, answer.text());
    }
    panic!("never done");
}
