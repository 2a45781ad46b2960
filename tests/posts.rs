//! Writing, reading, editing and deleting posts; lists of somebody's posts; reading without signing in.

use crate::support::lists::{ids, newest_first, page_ids, walk};
use crate::support::{TestApp, User, set};
use futures::future::join_all;
use serde_json::{Value, json};

const UNKNOWN: &str = "/posts/pst_01K9ZP2D7V3T8Q6M5N4C1B0A9Z.01K9ZNXE5R2W8J6H4G3F1D0C7B";

async fn posts_count(user: &User, of: &str) -> Value {
    user.get(&format!("/users/{of}")).await.expect(200).json()["posts_count"].clone()
}

#[tokio::test]
async fn a_post_shows_as_it_was_written() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let text = "  Low tide.\n#Mudflats with @Bob, @bob, @nobody and bob@example.com #mudflats #größe  ";
    let answer = ann.post("/posts", json!({"content": text})).await.expect(201);
    let post = answer.json();
    let id = post["id"].as_str().unwrap();
    assert!(id.starts_with("pst_"), "{post}");
    assert_eq!(answer.header("location"), format!("/posts/{id}"));
    for (field, expected) in [
        ("content", json!(text.trim())),
        ("hashtags", json!(["mudflats", "grösse"])),
        ("author", json!({"id": ann.id, "username": "ann", "full_name": null, "avatar_url": null})),
        ("media", json!([])),
        ("group_id", Value::Null),
        ("parent_id", Value::Null),
        ("edited_at", Value::Null),
        ("likes_count", json!(0)),
        ("comments_count", json!(0)),
        ("views_count", json!(0)),
        ("liked", json!(false)),
    ] {
        assert_eq!(post[field], expected, "{field}");
    }
    let mentions = post["mentions"].as_array().unwrap();
    assert_eq!(mentions.iter().map(|one| &one["id"]).collect::<Vec<_>>(), [&json!(bob.id)], "who exists, once");
    let created_at = post["created_at"].as_str().unwrap();
    assert!(created_at.len() == 24 && created_at.ends_with('Z'), "{created_at}");
    for reader in [&ann, &bob] {
        assert_eq!(reader.get(&format!("/posts/{id}")).await.expect(200).json(), post);
    }
}

#[tokio::test]
async fn a_text_has_up_to_2000_characters_and_8_kib() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let (family, flag, accented) = ("👨‍👩‍👧‍👦", "🇩🇪", "x\u{301}");
    for (unit, most) in
        [("x", 2_000), (accented, 2_000), ("🐦", 2_000), (flag, 1_024), (family, 8 * 1024 / family.len())]
    {
        let content = unit.repeat(most);
        let id = ann.post_text(&content).await;
        let post = ann.get(&format!("/posts/{id}")).await.expect(200).json();
        assert_eq!(post["content"], content, "{most} of {unit}");
        let longer = json!({"content": unit.repeat(most + 1)});
        for refused in [ann.post("/posts", longer.clone()).await, ann.patch(&format!("/posts/{id}"), longer).await] {
            assert_eq!(refused.expect(422).fields(), [("content".into(), "too_long".into())], "{most} of {unit}");
        }
    }
}

#[tokio::test]
async fn a_text_is_kept_composed() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let id = ann.post_text("Cafe\u{301} #gro\u{308}ße").await;
    let post = ann.get(&format!("/posts/{id}")).await.expect(200).json();
    assert_eq!((&post["content"], &post["hashtags"]), (&json!("Café #größe"), &json!(["grösse"])));
}

#[tokio::test]
async fn what_is_no_text_is_refused_and_leaves_nothing() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let id = ann.post_text("Low tide.").await;
    app.settle().await;
    let before = app.table().await;
    for (content, code) in [
        (json!(""), "required"),
        (json!(" \n\t \u{2003}"), "required"),
        (json!("a\u{0}b"), "invalid_characters"),
        (json!("a\u{7}b"), "invalid_characters"),
        (json!("a\u{9b}b"), "invalid_characters"),
        (json!(7), "wrong_type"),
        (json!(["a"]), "wrong_type"),
        (Value::Null, "required"),
    ] {
        let body = json!({ "content": content });
        for refused in [ann.post("/posts", body.clone()).await, ann.patch(&format!("/posts/{id}"), body.clone()).await]
        {
            let refused = refused.expect(422);
            refused.problem("invalid");
            assert_eq!(refused.fields(), [("content".into(), code.into())], "{body}");
        }
    }
    ann.post("/posts", json!({})).await.expect(422);
    assert_eq!(app.table().await, before);
    assert_eq!(posts_count(&ann, "me").await, 1);
}

#[tokio::test]
async fn an_edit_changes_text_tags_and_mentions_and_says_when() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = format!("/posts/{}", ann.post_text("#Low tide, @ann.").await);
    let first = ann.get(&path).await.expect(200);
    bob.post(&format!("{path}/like"), None).await.expect(200);
    app.settle().await;
    // A like is no edit: the tag that was seen before it still holds.
    let edit = json!({"content": "#High tide, @bob."});
    let edited = ann.patch(&path, edit.clone()).header("if-match", first.header("etag")).await.expect(200);
    let post = edited.json();
    assert_eq!((&post["content"], &post["hashtags"]), (&edit["content"], &json!(["high"])));
    assert_eq!(post["mentions"][0]["id"], bob.id);
    assert_eq!((&post["created_at"], &post["likes_count"]), (&first.json()["created_at"], &json!(1)));
    assert!(post["edited_at"].as_str() >= post["created_at"].as_str(), "{post}");
    assert_ne!(edited.header("etag"), first.header("etag"));
    assert_eq!(ann.get(&path).await.expect(200).json(), post);
    // What was seen before the edit is old now.
    for stale in [
        ann.patch(&path, edit).header("if-match", first.header("etag")).await,
        ann.delete(&path).header("if-match", first.header("etag")).await,
    ] {
        stale.expect(412).problem("precondition-failed");
    }
    assert_eq!(ann.get(&path).await.expect(200).json(), post);
}

#[tokio::test]
async fn only_its_author_may_change_a_post() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = format!("/posts/{}", ann.post_text("Mine.").await);
    let edit = json!({"content": "Yours."});
    app.settle().await;
    let before = app.table().await;
    bob.patch(&path, edit.clone()).await.expect(403).problem("forbidden");
    bob.delete(&path).await.expect(403).problem("forbidden");
    let strange = ["/posts/1", "/posts/pst_", "/posts/pst_01K9ZP2D7V3T8Q6M5N4C1B0A9Z", &path.to_lowercase(), UNKNOWN];
    for nowhere in strange {
        for answer in [
            bob.get(nowhere).await,
            bob.patch(nowhere, edit.clone()).await,
            bob.delete(nowhere).await,
            bob.post(&format!("{nowhere}/like"), None).await,
            bob.get(&format!("{nowhere}/likes")).await,
        ] {
            answer.expect(404).problem("not-found");
        }
    }
    assert_eq!(app.table().await, before);
}

#[tokio::test]
async fn a_deleted_post_is_gone_for_everybody_at_once() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    bob.follow(&ann).await;
    let (kept, gone) = (ann.post_text("StoredResponse.").await, ann.post_text("Gone.").await);
    let path = format!("/posts/{gone}");
    bob.post(&format!("{path}/like"), None).await.expect(200);
    app.settle().await;
    let liked = app.table().await.keys().filter(|(pk, sk)| pk.starts_with("LK#") || sk.starts_with("L#")).count();
    assert_eq!(liked, 2, "the like and its row in the ledger");
    assert_eq!(page_ids(&bob, "/feed").await, [gone.clone(), kept.clone()]);

    app.pause_workers().await;
    ann.delete(&path).await.expect(204);
    for answer in [
        bob.get(&path).await,
        ann.get(&path).await,
        ann.patch(&path, json!({"content": "Back."})).await,
        ann.delete(&path).await,
        bob.post(&format!("{path}/like"), None).await,
        bob.delete(&format!("{path}/like")).await,
        bob.post(&format!("/posts/like/{gone}"), None).await,
        bob.get(&format!("{path}/likes")).await,
    ] {
        answer.expect(404).problem("not-found");
    }
    assert_eq!(posts_count(&ann, "me").await, 1);
    assert_eq!(posts_count(&bob, "ann").await, 1);
    for (reader, list) in
        [(&bob, "/feed"), (&bob, "/users/ann/posts"), (&ann, "/tweets"), (&ann, "/feed?include_own=true")]
    {
        assert_eq!(page_ids(reader, list).await, [kept.as_str()], "{list}");
    }
    assert_eq!(page_ids(&bob, "/posts/liked").await, [""; 0]);

    app.resume_workers().await;
    app.settle().await;
    let items = app.table().await;
    let left = items.keys().find(|(pk, sk)| pk.starts_with("LK#") || sk.starts_with("L#"));
    assert_eq!(left, None, "its likes go with it");
    app.audit().await;
}

#[tokio::test]
async fn of_changes_at_once_each_is_made_or_refused() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let path = format!("/posts/{}", ann.post_text("Low tide.").await);
    let edits = (0..8).map(|n| ann.patch(&path, json!({"content": n.to_string()})).into_future());
    let edits = join_all(edits).await;
    let made: Vec<_> = edits.iter().filter(|answer| answer.status == 200).collect();
    assert!(!made.is_empty() && edits.iter().all(|answer| [200, 412].contains(&answer.status)));
    let left = ann.get(&path).await.expect(200);
    assert!(made.iter().any(|answer| answer.json() == left.json()), "one of them is what is left");
    assert!(left.header("etag").starts_with(&format!("\"{}-", made.len() + 1)), "each raised the version");
    let deletions = join_all((0..8).map(|_| ann.delete(&path).into_future())).await;
    assert_eq!(deletions.iter().filter(|answer| answer.status == 204).count(), 1);
    assert!(deletions.iter().all(|answer| [204, 404, 412].contains(&answer.status)));
    assert_eq!(posts_count(&ann, "me").await, 0);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn ones_own_posts_count_and_show_from_the_next_request_on() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    app.pause_workers().await;
    let mut posts = Vec::new();
    for count in 1..=3 {
        posts.insert(0, ann.post_text("Another.").await);
        assert_eq!((posts_count(&ann, "me").await, posts_count(&bob, "ann").await), (json!(count), json!(count)));
        for list in ["/tweets", "/users/me/posts", "/users/ann/posts", "/feed?include_own=true"] {
            assert_eq!(page_ids(&ann, list).await, posts, "{list}");
        }
    }
    assert_eq!(page_ids(&bob, &format!("/users/{}/posts", ann.id)).await, posts);
    assert_eq!(page_ids(&ann, "/feed").await, [""; 0]);
    bob.get("/users/nobody/posts").await.expect(404);
}

#[tokio::test]
async fn a_list_of_posts_stays_right_while_it_changes() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let mut posts = Vec::new();
    for number in 0..25 {
        posts.push(ann.post_text(&format!("Number {number}.")).await);
    }
    let posts = newest_first(posts);
    let first = bob.get("/users/ann/posts?limit=10").await.expect(200);
    assert_eq!(ids(&first.items()), posts[..10]);
    // The row the cursor stands on, one that is to come, and a newer one.
    for gone in [&posts[9], &posts[12]] {
        ann.delete(&format!("/posts/{gone}")).await.expect(204);
    }
    let newer = ann.post_text("The newest.").await;
    let rest = ids(&walk(&bob, &first.next().unwrap()).await);
    let expected: Vec<_> = posts[10..].iter().filter(|post| **post != posts[12]).cloned().collect();
    assert_eq!(rest, expected);
    let all = walk(&bob, "/users/ann/posts?limit=1").await;
    let mut expected: Vec<_> = posts.iter().filter(|post| ![&posts[9], &posts[12]].contains(post)).cloned().collect();
    expected.insert(0, newer);
    assert_eq!(ids(&all), expected);
    assert_eq!(ids(&walk(&ann, "/tweets?limit=7").await), expected);

    let cursor = first.json()["next_cursor"].as_str().unwrap().to_owned();
    for other in ["/users/bob/posts", "/feed", "/posts/liked", "/users/ann/followers"] {
        bob.get(&format!("{other}?cursor={cursor}")).await.expect(400).problem("invalid-cursor");
    }
    for limit in ["0", "101", "ten", "-1", ""] {
        let refused = bob.get(&format!("/users/ann/posts?limit={limit}")).await.expect(422);
        assert_eq!(refused.fields()[0].0, "limit", "{limit}");
    }
}

/// What can be read without signing in where `PublicReading` is on.
fn public(post: &str) -> [String; 6] {
    [
        format!("/posts/{post}"),
        format!("/posts/{post}/likes"),
        "/users/ann".into(),
        "/users/ann/posts".into(),
        "/users/ann/followers".into(),
        "/users/ann/following".into(),
    ]
}

/// What is somebody's own.
const PRIVATE: [&str; 9] = [
    "/users",
    "/users/me/posts",
    "/users/settings",
    "/feed",
    "/tweets",
    "/posts/liked",
    "/notifications",
    "/notifications/unread-count",
    "/users/me/followers",
];

#[tokio::test]
async fn nothing_is_read_without_signing_in() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let post = ann.post_text("Low tide.").await;
    for path in public(&post).iter().map(String::as_str).chain(PRIVATE) {
        ann.get(path).await.expect(200);
        for stranger in [app.anon(), app.anon().with_token("forged")] {
            let refused = stranger.get(path).await.expect(401);
            refused.problem("unauthorized");
            assert!(refused.header("www-authenticate").starts_with("Bearer"), "{path}");
        }
    }
}

#[tokio::test]
async fn with_public_reading_profiles_and_posts_are_read_by_anybody() {
    let app = TestApp::with(|options| set(options, "PublicReading", "on")).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    bob.follow(&ann).await;
    let post = ann.post_text("Low tide.").await;
    bob.post(&format!("/posts/{post}/like"), None).await.expect(200);
    app.settle().await;
    for path in public(&post) {
        let seen = app.anon().get(&path).await.expect(200);
        assert!(!seen.text().contains("@example.com"), "{path}");
        bob.get(&path).await.expect(200);
        app.anon().with_token("forged").get(&path).await.expect(401);
    }
    let seen = app.anon().get(&format!("/posts/{post}")).await.json();
    assert_eq!((&seen["liked"], &seen["likes_count"]), (&json!(false), &json!(1)));
    assert_eq!(bob.get(&format!("/posts/{post}")).await.json()["liked"], true);
    let profile = app.anon().get("/users/ann").await.json();
    assert_eq!((&profile["followers_count"], profile.get("following")), (&json!(1), None));
    for path in PRIVATE {
        app.anon().get(path).await.expect(401);
    }
    let like = format!("/posts/{post}/like");
    app.anon().post(&like, None).await.expect(401);
    app.anon().post("/posts", json!({"content": "Hello."})).await.expect(401);
    app.anon().post("/users/ann/follow", None).await.expect(401);
    app.anon().get(UNKNOWN).await.expect(404);
}
