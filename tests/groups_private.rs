//! What a private group's members share nobody else sees. One test walks every operation whose answer can hold somebody,
//! or a post.

use crate::groups::{group, let_in, share};
use crate::support::document::answering_with;
use crate::support::files::{photo, upload};
use crate::support::lists::walk;
use crate::support::{Client, Response, TestApp, User, set};
use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};

/// Fields that an answer has only if it holds somebody, or a post.
const TELLING: [&str; 4] = ["username", "author_id", "reporter_id", "alt_text"];

/// Operations whose answers can't hold what is shared in a group, nor who is in it, and why.
const OTHERWISE: [(&str, &str); 28] = [
    ("GET /config", "the rule for usernames"),
    ("GET /users", "oneself"),
    ("PATCH /users", "oneself"),
    ("POST /users", "oneself"),
    ("POST /users/login", "oneself"),
    ("GET /users/blocked", "people alone, whatever groups they are in"),
    ("POST /users/{user}/block", "likewise"),
    ("DELETE /users/{user}/block", "likewise"),
    ("POST /users/{user}/unblock", "likewise"),
    ("POST /users/{user}/follow", "likewise"),
    ("DELETE /users/{user}/follow", "likewise"),
    ("POST /users/{user}/unfollow", "likewise"),
    ("POST /users/{user}/mute", "likewise"),
    ("DELETE /users/{user}/mute", "likewise"),
    ("GET /users/{user}/followers", "likewise"),
    ("GET /users/{user}/following", "likewise"),
    ("GET /posts/scheduled", "one's own, and none in a group"),
    ("GET /posts/scheduled/{id}", "likewise"),
    ("PATCH /posts/scheduled/{id}", "likewise"),
    ("POST /media", "one's own"),
    ("POST /media/uploads", "one's own"),
    ("POST /media/{id}/complete", "one's own"),
    ("PATCH /media/{id}", "one's own"),
    ("GET /reports", "moderators of the service see what was reported, wherever it stands"),
    ("GET /reports/{id}", "likewise"),
    ("PATCH /reports/{id}", "likewise"),
    ("GET /users/search", "people alone: looked at all the same"),
    ("PUT /groups/{id}/members/{user}", "an owner's; others get 404: refused_to_others"),
];

/// A word that stands in what is shared, and nowhere else.
const WORD: &str = "sanderling";

/// How an answer differs for a member and for others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// There for a member, 404 for others.
    Theirs,
    /// For a member what is shared is in it, for others it is not.
    Shows,
    /// In no answer, a member's neither: it stands in the group alone.
    Nowhere,
}

struct Look {
    method: Method,
    path: String,
    body: Option<Value>,
    kind: Kind,
}

fn look(path: impl Into<String>, kind: Kind) -> Look {
    Look { method: Method::GET, path: path.into(), body: None, kind }
}

fn act(method: Method, path: impl Into<String>, body: Value) -> Look {
    Look { method, path: path.into(), body: Some(body), kind: Kind::Theirs }
}

impl Look {
    async fn by(&self, client: &Client) -> Response {
        match &self.body {
            Some(body) => client.call(self.method.clone(), &self.path).json(body).await,
            None => client.call(self.method.clone(), &self.path).await,
        }
    }
}

/// A private group, and people who stand to it in all ways.
pub(crate) struct World {
    pub(crate) app: TestApp,
    pub(crate) ann: User,
    /// A moderator, who follows Ann and is named by her.
    pub(crate) bob: User,
    /// Once members, who have done all that members do.
    pub(crate) left: User,
    pub(crate) gone: User,
    /// Who asks to join, and who does not.
    pub(crate) waits: User,
    pub(crate) stranger: User,
    pub(crate) group: String,
    pub(crate) post: String,
    media: String,
    /// Of each who was let in, by name.
    comments: Vec<(String, String)>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let app = TestApp::with(|options| set(options, "PublicReading", "on")).await;
        let names = ["ann", "bob", "left", "gone", "waits", "stranger"];
        let [ann, bob, left, gone, waits, stranger]: [User; 6] =
            join_all(names.map(|name| app.user(name))).await.try_into().ok().unwrap();
        let group = group(&ann, "private").await;
        for user in [&bob, &left, &gone] {
            let_in(&ann, &group, user).await;
        }
        ann.put(&format!("/groups/{group}/members/bob"), json!({"role": "moderator"})).await.expect(200);
        for user in [&bob, &left, &gone, &waits, &stranger] {
            user.follow(&ann).await;
        }
        app.settle().await;
        let media = upload(&ann, "image/jpeg", photo()).await;
        let text = format!("A {WORD}, @bob @left @gone @waits @stranger. #waders");
        let body = json!({"content": text, "media_ids": [media], "group_id": group});
        let post = ann.post("/posts", body).await.expect(201).json()["id"].as_str().unwrap().to_owned();
        let mut comments = Vec::new();
        for user in [&bob, &left, &gone] {
            // Three authors with one hashtag would make it a trend.
            share(user, &group, &format!("One {WORD} more. #waders")).await;
            comments.push((user.username.clone(), user.comment(&post, &format!("What {WORD}? #waders")).await));
            user.post(&format!("/posts/{post}/like"), None).await.expect(200);
        }
        waits.post(&format!("/groups/{group}/join"), None).await.expect(202);
        app.settle().await;
        Self { app, ann, bob, left, gone, waits, stranger, group, post, media, comments }
    }

    /// A comment of somebody's own, or Bob's.
    fn comment_of(&self, name: &str) -> &str {
        let own = self.comments.iter().find(|(author, _)| author == name);
        &own.unwrap_or(&self.comments[0]).1
    }

    /// The requests by which an operation shows what is shared; none for one that the walk does not know.
    fn looks(&self, operation: &str, by: &str) -> Vec<Look> {
        let Self { group, post, media, .. } = self;
        let comment = self.comment_of(by);
        let text = || json!({"content": "Is it?"});
        match operation {
            "GET /users/{user}" => vec![look("/users/ann", Kind::Nowhere)],
            "GET /users/{user}/posts" => vec![look("/users/ann/posts", Kind::Nowhere)],
            "GET /users/suggestions" | "GET /posts/suggestions" => {
                vec![look(operation.trim_start_matches("GET "), Kind::Nowhere)]
            }
            "GET /posts" => vec![look("/posts", Kind::Shows), look("/feed?include_own=true", Kind::Shows)],
            "GET /tweets" => vec![look("/tweets", Kind::Nowhere)],
            "GET /posts/liked" => vec![look("/posts/liked", Kind::Shows)],
            "GET /posts/search" => ["q=sanderling", "hashtag=waders", "author=ann"]
                .map(|query| look(format!("/posts/search?{query}"), Kind::Nowhere))
                .into(),
            "GET /posts/{id}" => [post, comment].map(|id| look(format!("/posts/{id}"), Kind::Theirs)).into(),
            "POST /posts" | "POST /tweets" => {
                vec![act(Method::POST, "/posts", json!({"content": "Is it?", "group_id": group}))]
            }
            "PATCH /posts/{id}" | "PUT /posts/{id}" => vec![act(Method::PATCH, format!("/posts/{comment}"), text())],
            "PATCH /posts/{id}/comments/{comment_id}" => {
                vec![act(Method::PATCH, format!("/posts/{post}/comments/{comment}"), text())]
            }
            "GET /posts/{id}/comments" => vec![look(format!("/posts/{post}/comments"), Kind::Theirs)],
            "POST /posts/{id}/comments" => vec![
                act(Method::POST, format!("/posts/{post}/comments"), text()),
                act(Method::POST, format!("/posts/{}/comments", self.comments[0].1), text()),
            ],
            "GET /posts/{id}/likes" => vec![look(format!("/posts/{post}/likes"), Kind::Theirs)],
            "GET /media/{id}" => vec![look(format!("/media/{media}"), Kind::Theirs)],
            "GET /notifications" => vec![look("/notifications", Kind::Shows), look(SINCE_EVER, Kind::Shows)],
            "GET /groups/{id}" => vec![look(format!("/groups/{group}"), Kind::Nowhere)],
            "GET /groups/{id}/members" | "GET /groups/{id}/posts" | "GET /groups/{id}/requests" => {
                let list = operation.rsplit('/').next().unwrap();
                vec![look(format!("/groups/{group}/{list}"), Kind::Theirs)]
            }
            "POST /groups/{id}/posts" => vec![act(Method::POST, format!("/groups/{group}/posts"), text())],
            _ => Vec::new(),
        }
    }

    fn walk(&self, by: &str) -> Vec<(String, Look)> {
        let mut all = Vec::new();
        for operation in answering_with(&TELLING) {
            if OTHERWISE.iter().any(|(known, _)| *known == operation) {
                continue;
            }
            let looks = self.looks(&operation, by);
            assert!(!looks.is_empty(), "{operation} can show somebody or a post, and the walk does not know it");
            all.extend(looks.into_iter().map(|look| (operation.clone(), look)));
        }
        all
    }

    /// What tells of the post, its picture, or the group's other posts.
    fn traces(&self) -> [String; 4] {
        let ulid = |id: &str| id[4..30].to_owned();
        [ulid(&self.post), ulid(&self.media), WORD.to_owned(), ulid(&self.comments[0].1)]
    }

    fn tells(&self, answer: &Response) -> bool {
        self.traces().iter().any(|trace| answer.text().contains(trace))
    }

    /// A member sees all of it, where it stands.
    pub(crate) async fn shows_all(&self) {
        for (operation, look) in self.walk("bob") {
            let answer = look.by(&self.bob).await;
            let what = format!("{operation} ({}) for a member", look.path);
            assert!((200..300).contains(&answer.status), "{what}: {}", answer.text());
            match look.kind {
                Kind::Theirs => {}
                Kind::Shows => assert!(self.tells(&answer), "{what} does not show it: {}", answer.text()),
                Kind::Nowhere => assert!(!self.tells(&answer), "{what} shows it: {}", answer.text()),
            }
        }
        for path in [format!("/groups/{}", self.group), format!("/groups/{}/members", self.group)] {
            assert!(self.bob.get(&path).await.expect(200).text().contains("\"ann\""), "{path} names members");
        }
    }

    /// None of these sees anything of it.
    pub(crate) async fn shows_nothing(&self, to: &[&User]) {
        for user in to {
            for (operation, look) in self.walk(&user.username) {
                let answer = look.by(user).await;
                self.hides(&format!("{operation} ({}) for {}", look.path, user.username), look.kind, &answer);
            }
            let page = user.get(&format!("/groups/{}", self.group)).await.expect(200);
            let is = page.json();
            assert_eq!((&is["members"], &is["role"], &is["name"]), (&Value::Null, &Value::Null, &json!("Waders")));
            self.refused_to_others(user).await;
        }
        let anon = self.app.anon();
        for path in ["", "/comments", "/likes"] {
            anon.get(&format!("/posts/{}{path}", self.post)).await.expect(404).problem("not-found");
        }
        anon.get(&format!("/media/{}", self.media)).await.expect(404);
        anon.get(&format!("/groups/{}/posts", self.group)).await.expect(401);
        for path in ["/posts/search?q=sanderling", "/users/ann/posts"] {
            self.hides(path, Kind::Nowhere, &anon.get(path).await);
        }
    }

    fn hides(&self, what: &str, kind: Kind, answer: &Response) {
        if kind == Kind::Theirs {
            assert_eq!(answer.status, 404, "{what}: {}", answer.text());
            answer.problem("not-found");
        } else {
            assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        }
        assert!(!self.tells(answer), "{what} shows it: {}", answer.text());
    }

    /// What answers with nothing of it, but does something.
    async fn refused_to_others(&self, user: &User) {
        let (post, group) = (format!("/posts/{}", self.post), format!("/groups/{}", self.group));
        for refused in [
            user.post(&format!("{post}/like"), None).await,
            user.post(&format!("{post}/unlike"), None).await,
            user.delete(&format!("{post}/like")).await,
            user.post(&format!("/posts/like/{}", self.post), None).await,
            user.post(&format!("{post}/report"), json!({"reason": "spam"})).await,
            user.get(&format!("{post}/analytics")).await,
            user.get(&format!("/posts/{}/analytics", self.comment_of(&user.username))).await,
            user.delete(&post).await,
            user.put(&format!("{group}/members/bob"), json!({"role": "member"})).await,
            user.delete(&format!("{group}/members/bob")).await,
            user.post(&format!("{group}/requests/waits/approve"), None).await,
            user.post(&format!("{group}/requests/waits/deny"), None).await,
            user.patch(&group, json!({"name": "Mine"})).await,
            user.delete(&group).await,
        ] {
            refused.expect(404).problem("not-found");
        }
    }
}

const SINCE_EVER: &str = "/notifications?after=ntf_00000000000000000000000000";

#[tokio::test]
async fn what_is_shared_in_a_private_group_no_operation_shows_to_others() {
    let world = World::new().await;
    let World { app, ann, left, gone, waits, stranger, group, .. } = &world;
    world.shows_all().await;
    world.shows_nothing(&[waits, stranger]).await;
    // As members they see it, before they are none.
    for user in [left, gone] {
        user.get(&format!("/posts/{}", world.post)).await.expect(200);
        assert!(world.tells(&user.get("/feed").await.expect(200)));
        assert!(world.tells(&user.get("/posts/liked").await.expect(200)));
        assert!(world.tells(&user.get("/notifications").await.expect(200)));
    }
    app.pause_workers().await;
    left.post(&format!("/groups/{group}/leave"), None).await.expect(200);
    ann.delete(&format!("/groups/{group}/members/gone")).await.expect(204);
    let others = [left, gone, waits, stranger];
    world.shows_nothing(&others).await;
    app.resume_workers().await;
    app.settle().await;
    world.shows_nothing(&others).await;
    world.shows_all().await;
    // What is told from now on reaches them neither.
    ann.post("/posts", json!({"content": format!("@left @stranger {WORD}"), "group_id": group})).await.expect(201);
    ann.comment(world.comment_of("left"), &format!("A {WORD} indeed.")).await;
    app.settle().await;
    world.shows_nothing(&others).await;
    for user in [waits, stranger] {
        let kinds = walk(user, "/notifications").await;
        assert!(kinds.is_empty(), "{kinds:?}");
    }
    let counts = ann.get(&format!("/posts/{}/analytics", world.post)).await.expect(200).json();
    assert_eq!(counts["unique_viewers"], 3, "of all who asked, those who were members when they did");
    // One's own can be taken away all the same.
    left.delete(&format!("/posts/{}", world.comment_of("left"))).await.expect(204);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn nothing_that_finds_posts_knows_of_a_private_groups() {
    let world = World::new().await;
    let event = serde_json::from_str(include_str!("../events/schedule-trends.json")).unwrap();
    world.app.invoke("trends", &event).await.unwrap();
    assert_eq!(world.bob.get("/hashtags/trending").await.expect(200).items(), [] as [Value; 0]);
    for ((pk, sk), item) in world.app.table().await {
        // By whom it mentions nobody can search.
        let terms = item["terms"]["L"].as_array().cloned().unwrap_or_default();
        let is_mention = pk.starts_with("W#~")
            || pk.starts_with("IX#") && terms.iter().all(|term| term["S"].as_str().unwrap().starts_with('~'));
        let finds = !is_mention && ["W#", "IX#", "TA#", "TR#"].iter().any(|prefix| pk.starts_with(prefix));
        assert!(!finds, "{pk} {sk} finds what is shared in a private group");
    }
    // The same in public is found, and a trend.
    let open = group(&world.ann, "public").await;
    for user in [&world.ann, &world.bob, &world.left] {
        user.post(&format!("/groups/{open}/join"), None).await.expect(200);
        share(user, &open, &format!("A {WORD}. #waders")).await;
    }
    world.app.settle().await;
    world.app.invoke("trends", &event).await.unwrap();
    let trending = world.bob.get("/hashtags/trending").await.expect(200).items();
    assert_eq!((trending.len(), &trending[0]["hashtag"]), (1, &json!("waders")));
    assert_eq!(world.stranger.get("/posts/search?q=sanderling").await.expect(200).items().len(), 3);
    world.app.audit().await;
}

/// Everybody who writes at the moment at which they are removed has written before or not at all.
#[tokio::test]
async fn nobody_shares_anything_after_they_were_removed() {
    let world = World::new().await;
    let World { app, ann, gone, group, .. } = &world;
    let shares = async {
        for _ in 0..20 {
            gone.post(&format!("/groups/{group}/posts"), json!({"content": "Late."})).await;
        }
    };
    let removed = async { ann.delete(&format!("/groups/{group}/members/gone")).await.expect(204) };
    futures::future::join(shares, removed).await;
    let before = walk(ann, &format!("/groups/{group}/posts")).await.len();
    gone.post(&format!("/groups/{group}/posts"), json!({"content": "Late."})).await.expect(404);
    assert_eq!(walk(ann, &format!("/groups/{group}/posts")).await.len(), before);
    app.settle().await;
    app.audit().await;
}
