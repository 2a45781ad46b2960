//! Every operation whose answer can hold somebody, or what is theirs, and two people who have done all that it can show.

use crate::groups::{group, share};
use crate::support::document::answering_with;
use crate::support::files::{photo, upload};
use crate::support::{Client, Response, TestApp, User};
use http::Method;
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
    pub(super) reply: String,
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

/// One request, and whether what it asks for is the other's, so that it is not there; or what the reader answers for, so
/// that a block does not hide the other in it.
struct Look {
    method: Method,
    path: String,
    body: Option<Value>,
    theirs: bool,
    answered_for: bool,
}

fn look(path: impl Into<String>) -> Look {
    Look { method: Method::GET, path: path.into(), body: None, theirs: false, answered_for: false }
}

fn act(method: Method, path: impl Into<String>, body: Option<Value>) -> Look {
    Look { method, path: path.into(), body, theirs: false, answered_for: false }
}

impl Look {
    fn of_theirs(mut self) -> Self {
        self.theirs = true;
        self
    }

    fn answered_for(mut self) -> Self {
        self.answered_for = true;
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
            look(format!("/posts/{}/comments", me.post)).answered_for(),
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
        "GET /groups/{id}" => {
            vec![look(format!("/groups/{}", me.group)), look(format!("/groups/{}", me.house)).answered_for()]
        }
        "GET /groups/{id}/members" => vec![
            look(format!("/groups/{}/members", me.group)),
            look(format!("/groups/{}/members", me.house)).answered_for(),
        ],
        "GET /groups/{id}/requests" => vec![look(format!("/groups/{}/requests", me.den)).answered_for()],
        "GET /groups/{id}/posts" => vec![look(format!("/groups/{}/posts", me.group))],
        "POST /groups/{id}/posts" => vec![act(Method::POST, format!("/groups/{}/posts", me.group), naming())],
        "PUT /groups/{id}/members/{user}" => {
            let path = format!("/groups/{}/members/{of}", me.house);
            vec![act(Method::PUT, path, Some(json!({"role": "member"}))).answered_for()]
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
    pub(super) sides: [Side; 2],
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
    pub(super) async fn befriend(&self) {
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
            if look.answered_for {
                assert!(answer.text().contains("\"blocked\":true"), "{what} does not show them: {}", answer.text());
                assert!(answer.text().contains(other.trace()), "{what} does not show them: {}", answer.text());
                continue;
            }
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
