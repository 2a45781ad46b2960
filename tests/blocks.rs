//! Blocks and mutes. One test walks every operation whose answer can hold somebody, or what is theirs.

use crate::groups::{group, share};
use crate::support::bulk::crowd;
use crate::support::document::answering_with;
use crate::support::files::{photo, upload};
use crate::support::lists::{ids, page_ids, walk};
use crate::support::{Client, PASSWORD, Response, TestApp, User};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures::future::join;
use reqwest::Method;
use serde_json::{Value, json};
use shared::clock::Clock;
use std::time::Duration;

/// Fields that an answer has only if it holds somebody, or what is theirs.
const TELLING: [&str; 4] = ["username", "author_id", "reporter_id", "alt_text"];

/// Operations that block nobody out, and why.
const OTHERWISE: [(&str, &str); 19] = [
    ("GET /config", "the rule for usernames"),
    ("GET /users", "oneself"),
    ("PATCH /users", "oneself"),
    ("POST /users", "oneself"),
    ("POST /users/login", "oneself"),
    ("POST /media", "one's own"),
    ("POST /media/uploads", "one's own"),
    ("POST /media/{id}/complete", "one's own"),
    ("PATCH /media/{id}", "one's own"),
    ("GET /activity-log", "ids alone, of what one did oneself"),
    ("GET /users/blocked", "the list of those whom one blocks"),
    ("POST /users/{user}/block", "whoever is blocked may block, too"),
    ("DELETE /users/{user}/block", "whoever blocks may end it"),
    ("POST /users/{user}/unblock", "likewise"),
    ("GET /users/suggestions", "never whom one follows: suggestions::each_has_a_reason_…"),
    ("GET /posts/suggestions", "likewise"),
    ("GET /reports", "moderators see what was reported, whoever blocks them"),
    ("GET /reports/{id}", "likewise"),
    ("PATCH /reports/{id}", "likewise"),
];

/// Somebody in the walk, and what they have done.
pub(crate) struct Side {
    pub(crate) user: User,
    /// With a picture.
    pub(crate) post: String,
    media: String,
    avatar: String,
    /// On the other's post.
    reply: String,
    /// On the third one's post.
    note: String,
    scheduled: String,
    /// The third one's group, where both share something.
    group: String,
    /// Their own group, which the other is in.
    house: String,
    /// Their own private group, which the other asks to join.
    den: String,
}

impl Side {
    async fn new(user: User, other: &str) -> Self {
        let media = upload(&user, "image/jpeg", photo()).await;
        let avatar = upload(&user, "image/jpeg", photo()).await;
        user.patch("/users", json!({"avatar_media_id": avatar})).await.expect(200);
        let text = format!("Low tide, @{other}. #mudflats");
        let post = user.post("/posts", json!({"content": text, "media_ids": [media]})).await.expect(201);
        let post = post.json()["id"].as_str().unwrap().to_owned();
        let later = (Clock::default().now() + Duration::from_secs(3_600)).rfc3339();
        let scheduled = user.post("/posts", json!({"content": text, "publish_at": later})).await.expect(201);
        let scheduled = scheduled.json()["id"].as_str().unwrap().to_owned();
        let (house, den) = (group(&user, "public").await, group(&user, "private").await);
        let (reply, note, group) = (String::new(), String::new(), String::new());
        Self { user, post, media, avatar, reply, note, scheduled, group, house, den }
    }

    /// What the other's ids have in common.
    fn trace(&self) -> &str {
        self.user.id.trim_start_matches("usr_")
    }
}

/// One request, and whether what it asks for is the other's, so that it is not there.
struct Look {
    method: Method,
    path: String,
    body: Option<Value>,
    theirs: bool,
}

fn look(path: impl Into<String>) -> Look {
    Look { method: Method::GET, path: path.into(), body: None, theirs: false }
}

fn act(method: Method, path: impl Into<String>, body: Option<Value>) -> Look {
    Look { method, path: path.into(), body, theirs: false }
}

impl Look {
    fn of_theirs(mut self) -> Self {
        self.theirs = true;
        self
    }

    async fn by(&self, user: &Client) -> Response {
        match &self.body {
            Some(body) => user.call(self.method.clone(), &self.path).json(body).await,
            None => user.call(self.method.clone(), &self.path).await,
        }
    }
}

/// The requests by which an operation shows somebody to somebody: none for one that the walk does not know.
fn looks(operation: &str, me: &Side, other: &Side, common: &str) -> Vec<Look> {
    let (of, name) = (&other.user.id, &other.user.username);
    let naming = || Some(json!({"content": format!("@{name} again. #mudflats")}));
    let post = |id: &str| look(format!("/posts/{id}"));
    match operation {
        "GET /users/{user}" => {
            vec![look(format!("/users/{of}")).of_theirs(), look(format!("/users/{name}")).of_theirs()]
        }
        "GET /users/search" => {
            vec![look(format!("/users/search?query={name}")), look(format!("/users/search?query={}", other.user.email))]
        }
        "GET /users/{user}/posts" => vec![look(format!("/users/{name}/posts")).of_theirs()],
        "GET /users/{user}/followers" => {
            vec![look("/users/cid/followers"), look(format!("/users/{of}/followers")).of_theirs()]
        }
        "GET /users/{user}/following" => {
            vec![look("/users/cid/following"), look(format!("/users/{of}/following")).of_theirs()]
        }
        "POST /users/{user}/follow" | "POST /users/{user}/unfollow" | "POST /users/{user}/mute" => {
            let verb = operation.rsplit('/').next().unwrap();
            vec![act(Method::POST, format!("/users/{of}/{verb}"), None).of_theirs()]
        }
        "DELETE /users/{user}/follow" | "DELETE /users/{user}/mute" => {
            let noun = operation.rsplit('/').next().unwrap();
            vec![act(Method::DELETE, format!("/users/{of}/{noun}"), None).of_theirs()]
        }
        "GET /posts" => vec![look("/posts"), look("/feed"), look("/feed?include_own=true")],
        "GET /tweets" => vec![look("/tweets")],
        "GET /posts/liked" => vec![look("/posts/liked")],
        "GET /posts/search" => vec![
            look("/posts/search?q=tide"),
            look("/posts/search?hashtag=mudflats"),
            look(format!("/posts/search?author={name}")).of_theirs(),
        ],
        "GET /posts/scheduled" => vec![look("/posts/scheduled")],
        "GET /posts/scheduled/{id}" => vec![look(format!("/posts/scheduled/{}", me.scheduled))],
        "PATCH /posts/scheduled/{id}" => {
            vec![act(Method::PATCH, format!("/posts/scheduled/{}", me.scheduled), naming())]
        }
        "GET /posts/{id}" => vec![
            post(common),
            post(&me.post),
            post(&other.post).of_theirs(),
            post(&other.note).of_theirs(),
            post(&me.reply).of_theirs(),
        ],
        "POST /posts" => vec![act(Method::POST, "/posts", naming())],
        "PATCH /posts/{id}" => vec![
            act(Method::PATCH, format!("/posts/{}", me.post), naming()),
            act(Method::PATCH, format!("/posts/{}", me.reply), naming()).of_theirs(),
        ],
        "GET /posts/{id}/comments" => vec![
            look(format!("/posts/{common}/comments")),
            look(format!("/posts/{}/comments", me.post)),
            look(format!("/posts/{}/comments", other.post)).of_theirs(),
        ],
        "POST /posts/{id}/comments" => vec![
            act(Method::POST, format!("/posts/{common}/comments"), naming()),
            act(Method::POST, format!("/posts/{}/comments", other.post), naming()).of_theirs(),
            act(Method::POST, format!("/posts/{}/comments", other.note), naming()).of_theirs(),
        ],
        "PATCH /posts/{id}/comments/{comment_id}" => {
            vec![act(Method::PATCH, format!("/posts/{common}/comments/{}", me.note), naming())]
        }
        "GET /posts/{id}/likes" => {
            vec![look(format!("/posts/{common}/likes")), look(format!("/posts/{}/likes", other.note)).of_theirs()]
        }
        "GET /groups/{id}" => vec![look(format!("/groups/{}", me.group)), look(format!("/groups/{}", me.house))],
        "GET /groups/{id}/members" => vec![look(format!("/groups/{}/members", me.group))],
        "GET /groups/{id}/requests" => vec![look(format!("/groups/{}/requests", me.den))],
        "GET /groups/{id}/posts" => vec![look(format!("/groups/{}/posts", me.group))],
        "POST /groups/{id}/posts" => vec![act(Method::POST, format!("/groups/{}/posts", me.group), naming())],
        "PUT /groups/{id}/members/{user}" => {
            let path = format!("/groups/{}/members/{of}", me.house);
            vec![act(Method::PUT, path, Some(json!({"role": "member"}))).of_theirs()]
        }
        "GET /media/{id}" => [&other.media, &other.avatar].map(|id| look(format!("/media/{id}")).of_theirs()).into(),
        "GET /notifications" => vec![look("/notifications"), look("/notifications?unread=true"), look(SINCE_EVER)],
        _ => Vec::new(),
    }
}

const SINCE_EVER: &str = "/notifications?after=ntf_00000000000000000000000000";

/// Two people who have done all that can be shown of one to the other.
pub(crate) struct World {
    pub(crate) app: TestApp,
    sides: [Side; 2],
    /// By the third one, who names both.
    common: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        let app = TestApp::start().await;
        let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
        for user in [&ann, &bob] {
            app.verify(user).await;
        }
        for (from, to) in [(&ann, &cid), (&bob, &cid), (&cid, &ann), (&cid, &bob)] {
            from.follow(to).await;
        }
        let common = cid.post_text("Low tide, @ann and @bob. #mudflats").await;
        let mut sides = [Side::new(ann, "bob").await, Side::new(bob, "ann").await];
        let posts = sides.each_ref().map(|side| side.post.clone());
        let common_group = group(&cid, "public").await;
        let own = sides.each_ref().map(|side| (side.house.clone(), side.den.clone()));
        for (side, (house, den)) in sides.iter_mut().zip([&own[1], &own[0]]) {
            for public in [&common_group, house] {
                side.user.post(&format!("/groups/{public}/join"), None).await.expect(200);
            }
            side.user.post(&format!("/groups/{den}/join"), None).await.expect(202);
            share(&side.user, &common_group, "Low tide. #mudflats").await;
            side.group.clone_from(&common_group);
        }
        for (side, others) in sides.iter_mut().zip([&posts[1], &posts[0]]) {
            side.reply = side.user.comment(others, "Is it? #mudflats").await;
            side.note = side.user.comment(&common, "It is. #mudflats").await;
            for post in [others, &common] {
                side.user.post(&format!("/posts/{post}/like"), None).await.expect(200);
            }
        }
        let world = Self { app, sides, common };
        world.befriend().await;
        for side in &world.sides {
            for post in [&side.post, &side.note] {
                cid.post(&format!("/posts/{post}/like"), None).await.expect(200);
            }
        }
        world.app.settle().await;
        world
    }

    /// They follow each other, and each likes what the other wrote below the third one's post.
    async fn befriend(&self) {
        for (me, other) in self.both() {
            me.user.follow(&other.user).await;
            me.user.delete(&format!("/users/{}/mute", other.user.id)).await.expect(200);
            me.user.post(&format!("/posts/{}/like", other.note), None).await.expect(200);
        }
        self.app.settle().await;
    }

    pub(crate) fn both(&self) -> [(&Side, &Side); 2] {
        let [ann, bob] = &self.sides;
        [(ann, bob), (bob, ann)]
    }

    /// All requests of the walk, from both sides.
    fn looks(&self) -> Vec<(String, &Side, &Side, Look)> {
        let mut all = Vec::new();
        for operation in answering_with(&TELLING) {
            if OTHERWISE.iter().any(|(known, _)| *known == operation) {
                continue;
            }
            for (me, other) in self.both() {
                let looks = looks(&operation, me, other, &self.common);
                assert!(!looks.is_empty(), "{operation} can show somebody, and the walk does not know it");
                all.extend(looks.into_iter().map(|look| (operation.clone(), me, other, look)));
            }
        }
        all
    }

    /// Each shows each to the other.
    pub(crate) async fn shows_all(&self, reads_only: bool) {
        for (operation, me, other, look) in self.looks() {
            if reads_only && look.method != Method::GET {
                continue;
            }
            let answer = look.by(&me.user).await;
            let what = format!("{operation} ({}) for {}", look.path, me.user.username);
            assert!((200..300).contains(&answer.status), "{what}: {}", answer.text());
            // Lists of what is the other's need not name them.
            assert!(
                look.theirs || answer.text().contains(other.trace()),
                "{what} does not show them: {}",
                answer.text()
            );
        }
    }

    /// None shows either to the other.
    pub(crate) async fn shows_nothing(&self) {
        for (operation, me, other, look) in self.looks() {
            let answer = look.by(&me.user).await;
            let what = format!("{operation} ({}) for {}", look.path, me.user.username);
            if look.theirs {
                assert_eq!(answer.status, 404, "{what}: {}", answer.text());
                answer.problem("not-found");
            } else {
                assert!((200..300).contains(&answer.status), "{what}: {}", answer.text());
            }
            let named = format!("\"username\":\"{}\"", other.user.username);
            for trace in [other.trace(), &named] {
                assert!(!answer.text().contains(trace), "{what} shows them: {}", answer.text());
            }
        }
    }
}

#[tokio::test]
async fn a_block_holds_in_every_operation_that_can_show_somebody() {
    let world = World::new().await;
    let [ann, bob] = &world.sides;
    // Writes first, for some of them end what others show.
    world.shows_all(false).await;
    world.befriend().await;
    world.shows_all(true).await;
    world.app.pause_workers().await;
    ann.user.post("/users/bob/block", None).await.expect(200);
    world.shows_nothing().await;
    world.app.resume_workers().await;
    world.app.settle().await;
    world.shows_nothing().await;
    for (me, other) in world.both() {
        let (post, me) = (format!("/posts/{}", other.post), &me.user);
        for refused in [
            me.post(&format!("{post}/like"), None).await,
            me.post(&format!("{post}/unlike"), None).await,
            me.delete(&format!("{post}/like")).await,
            me.post(&format!("/posts/like/{}", other.post), None).await,
            me.post(&format!("{post}/report"), json!({"reason": "spam"})).await,
            me.get(&format!("{post}/analytics")).await,
            me.delete(&post).await,
        ] {
            refused.expect(404).problem("not-found");
        }
    }
    // What is one's own can be taken away all the same, wherever it stands.
    bob.user.delete(&format!("/posts/{}", bob.reply)).await.expect(204);
    ann.user.delete("/users/bob/block").await.expect(200);
    for (me, other) in world.both() {
        me.user.follow(&other.user).await;
    }
    world.app.settle().await;
    ann.user.get(&format!("/users/{}", bob.user.id)).await.expect(200);
    assert!(ann.user.feed().await.contains(&bob.post), "the follow brings the posts back");
    world.app.audit().await;
}

/// Whether somebody sees somebody, both ways.
async fn see_each_other(ann: &User, bob: &User) -> (bool, bool) {
    let sees = async |one: &User, other: &User| one.get(&format!("/users/{}", other.id)).await.status == 200;
    (sees(ann, bob).await, sees(bob, ann).await)
}

#[tokio::test]
async fn a_block_ends_follows_both_ways_and_they_stay_ended() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    ann.follow(&bob).await;
    bob.follow(&ann).await;
    let post = bob.post_text("Low tide.").await;
    app.settle().await;
    assert_eq!(ann.feed().await, [post.as_str()]);
    for _ in 0..2 {
        let answer = ann.post("/users/BOB/block", None).await.expect(200).json();
        assert_eq!((&answer["blocked"], &answer["user"]["id"]), (&json!(true), &json!(bob.id)), "twice is once");
        assert_eq!(see_each_other(&ann, &bob).await, (false, false));
    }
    let counts = async |user: &User| {
        let me = user.get("/users").await.expect(200).json();
        (me["following_count"].clone(), me["followers_count"].clone())
    };
    app.settle().await;
    for user in [&ann, &bob] {
        assert_eq!(counts(user).await, (json!(0), json!(0)));
    }
    ann.post("/users/bob/follow", None).await.expect(404).problem("not-found");
    bob.post("/users/ann/follow", None).await.expect(404).problem("not-found");
    for call in [ann.delete("/users/bob/block").await, ann.post("/users/bob/unblock", None).await] {
        assert_eq!(call.expect(200).json()["blocked"], false, "twice is once");
    }
    assert_eq!(see_each_other(&ann, &bob).await, (true, true));
    app.settle().await;
    assert_eq!(counts(&ann).await, (json!(0), json!(0)));
    assert_eq!(ann.feed().await, [""; 0]);
    ann.follow(&bob).await;
    app.settle().await;
    assert_eq!(ann.feed().await, [post]);
    for path in ["/users/ann/block", "/users/me/unblock", "/users/ann/mute"] {
        assert_eq!(ann.post(path, None).await.expect(422).fields(), [("user".into(), "oneself".into())]);
    }
    app.audit().await;
}

#[tokio::test]
async fn each_ends_their_own_block_alone() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    ann.post("/users/bob/block", None).await.expect(200);
    bob.delete("/users/ann/block").await.expect(404);
    bob.delete("/users/ann/mute").await.expect(404);
    assert_eq!(see_each_other(&ann, &bob).await, (false, false));
    bob.post("/users/ann/block", None).await.expect(200);
    ann.delete("/users/bob/block").await.expect(200);
    assert_eq!(see_each_other(&ann, &bob).await, (false, false), "the other's stands");
    assert_eq!(
        (page_ids(&ann, "/users/blocked").await, page_ids(&bob, "/users/blocked").await),
        (vec![], vec![ann.id.clone()])
    );
    app.audit().await;
    // No block ends by itself, as what hides an unfollowed one does.
    app.advance(Duration::from_secs(100 * 24 * 3_600));
    let (ann, bob) = (app.sign_in("ann", PASSWORD).await, app.sign_in("bob", PASSWORD).await);
    assert_eq!(see_each_other(&ann, &bob).await, (false, false));
    bob.delete("/users/ann/block").await.expect(200);
    assert_eq!(see_each_other(&ann, &bob).await, (true, true));
    app.audit().await;
}

#[tokio::test]
async fn who_is_blocked_is_listed_newest_first() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut blocked = Vec::new();
    for name in ["bob", "cid", "dan", "eve"] {
        let other = app.user(name).await;
        ann.post(&format!("/users/{name}/block"), None).await.expect(200);
        blocked.insert(0, other.id.clone());
    }
    assert_eq!(ids(&walk(&ann, "/users/blocked?limit=2").await), blocked);
    ann.delete("/users/cid/block").await.expect(200);
    blocked.remove(2);
    assert_eq!(page_ids(&ann, "/users/blocked").await, blocked);
    app.anon().get("/users/blocked").await.expect(401);
}

#[tokio::test]
async fn of_a_follow_and_a_block_at_once_the_block_stands() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for turn in 0..12 {
        let bob = app.user(&format!("bob{turn}")).await;
        let follows = async {
            for _ in 0..3 {
                bob.post("/users/ann/follow", None).await;
                bob.delete("/users/ann/follow").await;
                bob.post("/users/ann/follow", None).await;
            }
        };
        let block = async { ann.post(&format!("/users/bob{turn}/block"), None).await.expect(200) };
        join(follows, block).await;
        assert_eq!(see_each_other(&ann, &bob).await, (false, false));
    }
    app.settle().await;
    assert_eq!(ann.get("/users").await.json()["followers_count"], 0);
    app.audit().await;
}

#[tokio::test]
async fn nobody_is_told_of_what_the_blocked_do() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = ann.post_text("Low tide.").await;
    app.pause_workers().await;
    bob.post(&format!("/posts/{post}/like"), None).await.expect(200);
    bob.comment(&post, "Is it?").await;
    bob.post_text("See @ann.").await;
    ann.post("/users/bob/block", None).await.expect(200);
    app.resume_workers().await;
    app.settle().await;
    assert_eq!(ann.get("/notifications/unread-count").await.json()["unread_count"], 0);
    ann.delete("/users/bob/block").await.expect(200);
    assert_eq!(page_ids(&ann, "/notifications").await, [""; 0]);
    app.audit().await;
}

#[tokio::test]
async fn nobody_is_told_of_what_stands_below_a_post_of_the_blocked() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let post = bob.post_text("Low tide.").await;
    let comment = async |user: &User, on: &str, content: &str| -> String {
        let made = user.post(&format!("/posts/{on}/comments"), json!({ "content": content })).await.expect(201);
        made.json()["id"].as_str().expect("an id").to_owned()
    };
    let anns = comment(&ann, &post, "So low.").await;
    comment(&cid, &post, "Ask @ann.").await;
    app.settle().await;
    let before = ann.get("/notifications").await.expect(200).items();
    assert_eq!((before.len(), &before[0]["kind"]), (1, &json!("mention")));
    ann.post("/users/bob/block", None).await.expect(200);
    let mut socket = ann.listen(&app).await;
    comment(&cid, &post, "Ask @ann again.").await;
    comment(&cid, &anns, "Indeed.").await;
    cid.post(&format!("/posts/{anns}/like"), None).await.expect(200);
    app.settle().await;
    socket.is_silent().await;
    for path in ["/notifications", "/notifications?after=ntf_00000000000000000000000000"] {
        assert_eq!(ann.get(path).await.expect(200).items(), Vec::<Value>::new(), "{path}");
    }
    app.audit().await;
}

#[tokio::test]
async fn no_cursor_tells_who_is_hidden() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let group = group(&ann, "public").await;
    bob.post(&format!("/groups/{group}/join"), None).await.expect(200);
    bob.post("/users/ann/block", None).await.expect(200);
    app.settle().await;
    let mut path = format!("/groups/{group}/members?limit=1");
    let mut hidden = 0;
    loop {
        let page = ann.get(&path).await.expect(200).json();
        hidden += page["items"].as_array().expect("a list").iter().filter(|member| member["user"].is_null()).count();
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).expect("base64");
        let id = bob.id.trim_start_matches("usr_").as_bytes();
        assert!(!bytes.windows(id.len()).any(|part| part == id), "{cursor}");
        path = format!("/groups/{group}/members?limit=1&cursor={cursor}");
    }
    assert_eq!(hidden, 1);
}

#[tokio::test]
async fn a_block_holds_for_somebody_who_stands_apart_from_many() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = bob.post_text("Low tide.").await;
    ann.post("/users/bob/block", None).await.expect(200);
    crowd(&app, &ann).await;
    assert_eq!(see_each_other(&ann, &bob).await, (false, false));
    ann.get(&format!("/posts/{post}")).await.expect(404);
    ann.post("/users/bob/follow", None).await.expect(404);
    assert_eq!(page_ids(&ann, "/posts/search?q=tide").await, [""; 0]);
    ann.delete("/users/bob/block").await.expect(200);
    assert_eq!(see_each_other(&ann, &bob).await, (true, true));
    assert_eq!(page_ids(&ann, "/posts/search?q=tide").await, [post]);
}

#[tokio::test]
async fn the_muted_leave_feed_and_notifications_and_do_not_learn_of_it() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    ann.follow(&bob).await;
    let own = ann.post_text("Low tide.").await;
    let post = bob.post_text("High tide.").await;
    for user in [&bob, &cid] {
        user.post(&format!("/posts/{own}/like"), None).await.expect(200);
    }
    app.settle().await;
    let before = bob.get("/users/ann").await.expect(200).json();
    assert_eq!(ann.feed().await, [post.as_str()]);
    app.pause_workers().await;
    bob.comment(&own, "Is it?").await;
    for _ in 0..2 {
        let answer = ann.post("/users/bob/mute", None).await.expect(200).json();
        assert_eq!((&answer["muted"], &answer["user"]["username"]), (&json!(true), &json!("bob")));
    }
    assert_eq!(ann.feed().await, [""; 0]);
    let told = ann.get("/notifications").await.expect(200).items();
    assert_eq!(
        (told.len(), &told[0]["actors_count"], &told[0]["actors"][0]["username"]),
        (1, &json!(1), &json!("cid"))
    );
    let events = ann.get(SINCE_EVER).await.expect(200).items();
    assert_eq!(events.iter().map(|event| &event["actor"]["username"]).collect::<Vec<_>>(), ["cid"]);
    app.resume_workers().await;
    app.settle().await;
    assert_eq!(page_ids(&ann, "/notifications").await.len(), 1, "the comment is not told");
    // All else is as before, for both.
    let profile = ann.get("/users/bob").await.expect(200).json();
    assert_eq!([&profile["muted"], &profile["following"]], [true, true]);
    assert_eq!(page_ids(&ann, "/users/bob/posts").await, [post.as_str()]);
    ann.get(&format!("/posts/{post}")).await.expect(200);
    assert_eq!(page_ids(&ann, &format!("/posts/{own}/comments")).await.len(), 1);
    assert_eq!(bob.get("/users/ann").await.expect(200).json(), before);
    // Nor does it end with the follow.
    ann.unfollow(&bob).await;
    ann.follow(&bob).await;
    app.settle().await;
    assert_eq!(ann.feed().await, [""; 0]);
    for _ in 0..2 {
        assert_eq!(ann.delete("/users/bob/mute").await.expect(200).json()["muted"], false);
    }
    assert_eq!(ann.feed().await, [post]);
    assert_eq!(ann.get("/users/bob").await.json()["muted"], false);
    app.audit().await;
}

#[tokio::test]
async fn a_mute_survives_a_block_and_an_unfollow() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let muted = async || ann.get("/users/bob").await.expect(200).json()["muted"].clone();
    ann.follow(&bob).await;
    ann.post("/users/bob/mute", None).await.expect(200);
    ann.post("/users/bob/block", None).await.expect(200);
    ann.delete("/users/bob/block").await.expect(200);
    assert_eq!(muted().await, true);
    ann.follow(&bob).await;
    ann.unfollow(&bob).await;
    assert_eq!(muted().await, true);
    app.settle().await;
    app.audit().await;
    ann.delete("/users/bob/mute").await.expect(200);
    assert_eq!(muted().await, false);
    app.audit().await;
    app.advance(Duration::from_secs(100 * 24 * 3_600));
    app.audit().await;
}
