//! What a fixed story leaves in the table, attribute by attribute. Items written by an earlier release are read by this
//! one, so keys, attribute names, types and values are a contract; `fixtures/stored_items.json` holds it.
//!
//! Ids, times and secrets differ from run to run and are replaced: those of the story by their names, others by what they
//! are. After a change that is meant: `UPDATE_FIXTURES=1 cargo test -p tests stored_items`, and read the difference.

use crate::deletion::{delete, pass};
use crate::groups::{group, share};
use crate::samples::read;
use crate::support::authenticator::enrol;
use crate::support::files::{film, photo, png, send, upload};
use crate::support::{Client, PASSWORD, TestApp, User, set, set_moderator};
use serde_json::{Map, Value, json};
use shared::clock::Timestamp;
use shared::table::design::WRITE_TOKEN;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use ulid::Ulid;

const FIXTURE: &str = "tests/fixtures/stored_items.json";
const MINUTE: Duration = Duration::from_secs(60);

/// Characters of a moment in an answer.
const MOMENT: usize = "2026-11-20T20:30:00.000Z".len();

/// The story's ULIDs, and the hash of the network that all come from, and what they are called here.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    /// Names the ULID that an id begins with.
    fn name(&mut self, id: &str, name: &str) {
        let (_, ulids) = id.split_once('_').expect("a prefix");
        let first = ulids.split('.').next().unwrap_or_default();
        let before = self.0.insert(first.to_owned(), name.to_owned());
        assert_eq!(before, None, "{id} has two names");
    }

    fn text(&self, text: &str) -> String {
        if text.starts_with("$argon2") {
            return "<password hash>".to_owned();
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let mut plain = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let moment = rest.get(..MOMENT).filter(|moment| moment.ends_with('Z'));
            if let Some(after) = moment.and_then(Timestamp::from_rfc3339).and_then(|_| rest.get(MOMENT..)) {
                plain.push_str("<moment>");
                rest = after;
                continue;
            }
            let (word, after) = rest.split_at(rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
            plain.push_str(&self.word(word));
            let (between, after) = after.split_at(after.find(is_word).unwrap_or(after.len()));
            plain.push_str(between);
            rest = after;
        }
        plain
    }

    fn word(&self, word: &str) -> String {
        let (prefix, body) = match word.split_once('_') {
            Some((prefix, body)) if [1, 3].contains(&prefix.len()) && body.len() >= 16 => (format!("{prefix}_"), body),
            _ => (String::new(), word),
        };
        if let Some(name) = self.0.get(body) {
            return format!("{prefix}<{name}>");
        }
        if Ulid::from_string(body).is_ok_and(|ulid| ulid.to_string() == body) {
            return format!("{prefix}<ulid>");
        }
        if let Some(unit) = unit(word) {
            return format!("<{unit}>");
        }
        // A day's likes, comments and views are attributes such as `l20787`.
        match word.split_at_checked(1) {
            Some((kind, day)) if ["c", "l", "v"].contains(&kind) && unit(day) == Some("day") => format!("{kind}<day>"),
            _ if word.len() >= 22 && word.contains(char::is_uppercase) => format!("<secret of {}>", word.len()),
            _ => word.to_owned(),
        }
    }

    /// An attribute's value as DynamoDB writes it, without what is random.
    fn value(&self, value: &Value) -> Value {
        let (kind, value) = value.as_object().and_then(|value| value.iter().next()).expect("a typed value");
        let plain = match (kind.as_str(), value) {
            ("S", Value::String(text)) => json!(self.text(text)),
            ("N", Value::String(number)) => {
                json!(unit(number).map_or_else(|| number.clone(), |unit| format!("<{unit}>")))
            }
            ("B", _) => json!("<bytes>"),
            ("M", Value::Object(map)) => Value::Object(self.attributes(map)),
            ("L", Value::Array(list)) => list.iter().map(|value| self.value(value)).collect(),
            _ => value.clone(),
        };
        json!({ kind: plain })
    }

    fn attributes(&self, item: &Map<String, Value>) -> Map<String, Value> {
        let sorted: BTreeMap<_, _> = item.iter().collect();
        let plain = |name: &str, value| if name == WRITE_TOKEN { json!("<write token>") } else { self.value(value) };
        sorted.into_iter().map(|(name, value)| (self.text(name), plain(name, value))).collect()
    }

    fn item(&self, item: &Value) -> String {
        let mut item = self.attributes(item.as_object().expect("an item"));
        // A hashtag's counts are spread over some items by chance.
        if item["PK"]["S"].as_str().is_some_and(|pk| pk.starts_with("TR#")) {
            item.insert("PK".to_owned(), json!({"S": "TR#<slot>"}));
            item.insert("n".to_owned(), json!({"N": "<count>"}));
        }
        // A posting's words, hashed, the author among them.
        if item["PK"]["S"].as_str().is_some_and(|pk| pk.starts_with("W#")) {
            let length = item["t"]["S"].as_str().map_or(0, str::len);
            item.insert("t".to_owned(), json!({"S": format!("<hashes of {length}>")}));
        }
        json!(item).to_string()
    }
}

/// What a number, or a month, is if it is of the clock.
fn unit(text: &str) -> Option<&'static str> {
    if text.len() == 7 && text.starts_with("20") && text.as_bytes()[4] == b'-' {
        return Some("month");
    }
    Some(match text.parse::<u64>().ok()? {
        1_700_000_000_000..4_000_000_000_000 => "milliseconds",
        1_700_000_000..4_000_000_000 => "seconds",
        // A code of an authenticator app holds for half a minute.
        56_000_000..130_000_000 => "half minute",
        1_890_000..4_400_000 => "quarter of an hour",
        472_000..1_100_000 => "hour",
        19_700..46_000 => "day",
        650..1_500 if text.len() == 5 => "thirty days",
        _ => return None,
    })
}

/// The table, sorted, without what is random.
async fn items(app: &TestApp, names: &Names) -> BTreeSet<String> {
    let mut items: BTreeSet<String> = app.table().await.values().map(|item| names.item(item)).collect();
    for key in ["DUE", "MX"] {
        let key = json!({"TableName": app.table_name(), "Key": {"PK": {"S": key}, "SK": {"S": key}}});
        let found = app.aws(&app.endpoints().dynamodb, "DynamoDB_20120810.GetItem", key).await;
        items.extend(found.get("Item").map(|item| names.item(item)));
    }
    items
}

fn id(body: &Value) -> String {
    body["id"].as_str().expect("an id").to_owned()
}

async fn created(user: &Client, path: &str, body: Value) -> String {
    id(&user.post(path, body).await.expect(201).json())
}

struct Story {
    app: TestApp,
    names: Names,
    moments: Map<String, Value>,
}

impl Story {
    async fn user(&mut self, name: &str) -> User {
        let user = self.app.user(name).await;
        self.app.verify(&user).await;
        self.names.name(&user.id, name);
        self.app.settle().await;
        user
    }

    /// Notes the table as it is now.
    async fn note(&mut self, moment: &str) {
        let items = items(&self.app, &self.names).await;
        let items: Vec<Value> = items.iter().map(|item| serde_json::from_str(item).expect("JSON")).collect();
        self.moments.insert(moment.to_owned(), items.into());
    }
}

async fn story() -> Map<String, Value> {
    let app = TestApp::with(|options| {
        set(options, "RateLimits", "on");
        set(options, "FanoutLimit", "2");
        set_moderator(options, "warden");
    })
    .await;
    app.begin_hour();
    let mut story = Story { app, names: Names::default(), moments: Map::new() };
    let ann = story.user("ann").await;
    let bob = story.user("bob").await;
    let cleo = story.user("cleo").await;
    let dan = story.user("dan").await;
    let warden = story.user("warden").await;
    let (pk, sk) = (format!("U#{}", &ann.id[4..]), "G#K".to_owned());
    let network = story.app.table().await[&(pk, sk)]["known"]["L"][0]["S"].as_str().expect("a network").to_owned();
    story.names.0.insert(network, "network".to_owned());

    // Profiles, settings, files.
    let avatar = upload(&ann, "image/png", png()).await;
    story.names.name(&avatar, "avatar");
    let profile = json!({"full_name": "Ann Auk", "bio": "Wades. #estuary", "avatar_media_id": avatar});
    ann.patch("/users", profile).await.expect(200);
    let picture = upload(&ann, "image/jpeg", photo()).await;
    story.names.name(&picture, "picture");
    ann.patch(&format!("/media/{picture}"), json!({"alt_text": "The sea."})).await.expect(200);
    let unattached = upload(&bob, "image/png", png()).await;
    story.names.name(&unattached, "unattached");
    let waiting = json!({"content_type": "image/png", "size": png().len()});
    let waiting = bob.post("/media/uploads", waiting).await.expect(201).json();
    story.names.name(&id(&waiting), "waiting upload");
    let film = film();
    let begun = json!({"content_type": "video/mp4", "size": film.len()});
    let begun = ann.post("/media/uploads", begun).await.expect(201).json();
    let video = id(&begun);
    story.names.name(&video, "video");
    send(&story.app, &begun["upload"], film).await;
    ann.post(&format!("/media/{video}/complete"), None).await.expect(200);
    story.app.settle().await;

    // Follows: three make ann one whose posts are merged.
    for follower in [&bob, &cleo, &dan] {
        follower.follow(&ann).await;
        story.app.settle().await;
    }
    ann.follow(&bob).await;

    // Posts, comments, likes.
    let post = json!({"content": "High tide, @bob. #mudflats", "media_ids": [picture]});
    let post = created(&ann, "/posts", post).await;
    story.names.name(&post, "post");
    story.app.settle().await;
    let comment = bob.comment(&post, "Low tide, @ann.").await;
    story.names.name(&comment, "comment");
    story.app.settle().await;
    let reply = ann.comment(&comment, "Neap tide.").await;
    story.names.name(&reply, "reply");
    story.app.settle().await;
    for reader in [&bob, &cleo] {
        reader.post(&format!("/posts/{post}/like"), None).await.expect(200);
        reader.get(&format!("/posts/{post}")).await.expect(200);
        story.app.settle().await;
    }
    let plain = created(&bob, "/posts", json!({"content": "Plain.", "media_ids": []})).await;
    story.names.name(&plain, "plain post");
    story.app.settle().await;
    bob.patch(&format!("/posts/{plain}"), json!({"content": "Edited, #mudflats."})).await.expect(200);
    let filmed = created(&ann, "/posts", json!({"content": "A film.", "media_ids": [video]})).await;
    story.names.name(&filmed, "filmed post");
    story.app.settle().await;
    let repeated = || {
        let post = cleo.post("/posts", json!({"content": "Once."}));
        post.header("idempotency-key", "5e7c1b52-0e0a-4a39-a3cf-6f3cf0a4c1c1").into_future()
    };
    let once = id(&repeated().await.expect(201).json());
    assert_eq!(id(&repeated().await.expect(201).json()), once);
    story.names.name(&once, "idempotent post");
    story.app.settle().await;
    let removed = ann.post_text("Removed, #gone.").await;
    story.names.name(&removed, "removed post");
    story.app.settle().await;
    ann.delete(&format!("/posts/{removed}")).await.expect(204);
    let at = story.app.now() + 20 * MINUTE;
    for (name, content) in [("scheduled", "Later, @cleo. #later"), ("published", "Soon.")] {
        let at = if name == "scheduled" { at + 60 * MINUTE } else { at };
        let scheduled = created(&ann, "/posts", json!({"content": content, "publish_at": at.rfc3339()})).await;
        story.names.name(&scheduled, name);
    }
    story.app.settle().await;

    // Groups.
    for visibility in ["public", "private"] {
        let made = group(&ann, visibility).await;
        story.names.name(&made, &format!("{visibility} group"));
        story.app.settle().await;
        if visibility == "private" {
            bob.post(&format!("/groups/{made}/join"), None).await.expect(202);
            story.app.settle().await;
            ann.post(&format!("/groups/{made}/requests/{}/approve", bob.id), None).await.expect(200);
            story.app.settle().await;
            cleo.post(&format!("/groups/{made}/join"), None).await.expect(202);
        } else {
            cleo.post(&format!("/groups/{made}/join"), None).await.expect(200);
        }
        story.app.settle().await;
        let shared = share(&ann, &made, "For the group.").await;
        story.names.name(&shared, &format!("post in the {visibility} group"));
        story.app.settle().await;
    }

    // What users set towards each other, and moderation.
    cleo.post(&format!("/users/{}/block", dan.id), None).await.expect(200);
    cleo.post(&format!("/users/{}/mute", bob.id), None).await.expect(200);
    dan.unfollow(&ann).await;
    bob.post(&format!("/posts/{once}/report"), json!({"reason": "spam", "details": "Twice."})).await.expect(202);
    cleo.post(&format!("/posts/{plain}/report"), json!({"reason": "other"})).await.expect(202);
    story.app.settle().await;
    let reports = warden.get("/reports").await.expect(200).items();
    for (report, name) in reports.iter().zip(["report by cleo", "report by bob"]) {
        story.names.name(&id(report), name);
    }
    let decision = json!({"status": "resolved", "action": "remove_post"});
    warden.patch(&format!("/reports/{}", id(&reports[0])), decision).await.expect(200);
    story.app.settle().await;

    // Sessions and what guards accounts.
    let refresh = json!({"refresh_token": bob.refresh_token});
    story.app.anon().post("/users/refresh", refresh).await.expect(200);
    let wrong = json!({"username": "bob", "password": "wrong password"});
    story.app.anon().post("/login", wrong).await.expect(401);
    enrol(&story.app, &warden).await;
    let set_up = cleo.post("/users/otp", json!({"password": PASSWORD})).await.expect(200);
    assert!(set_up.json()["secret"].is_string());
    story.app.anon().post("/users/password/forgot", json!({"email": dan.email})).await.expect(202);
    bob.post("/users/export", None).await.expect(202);
    story.app.settle().await;
    bob.patch("/users/settings", json!({"notify": {"follow": {"mail": false}}})).await.expect(200);
    bob.post("/notifications/read", json!({"all": true})).await.expect(200);
    ann.get("/users/suggestions").await.expect(200);
    let trends = serde_json::from_str(include_str!("../events/schedule-trends.json")).expect("JSON");
    story.app.invoke("trends", &trends).await.expect("a run");
    let files = serde_json::from_str(include_str!("../events/schedule-files.json")).expect("JSON");
    story.app.invoke("files", &files).await.expect("a run");
    story.app.settle().await;
    story.note("settled").await;

    // What is written before any worker has seen it.
    story.app.pause_workers().await;
    let uncounted = bob.comment(&post, "Not counted yet.").await;
    story.names.name(&uncounted, "uncounted comment");
    let deleted = bob.comment(&post, "Deleted before it counts.").await;
    story.names.name(&deleted, "comment deleted at once");
    bob.delete(&format!("/posts/{post}/comments/{deleted}")).await.expect(204);
    bob.delete(&format!("/posts/{post}/comments/{comment}")).await.expect(204);
    bob.post(&format!("/posts/{once}/like"), None).await.expect(200);
    bob.post(&format!("/posts/{post}/unlike"), None).await.expect(200);
    bob.follow(&cleo).await;
    ann.unfollow(&bob).await;
    story.note("before the workers").await;
    story.app.resume_workers().await;
    story.app.settle().await;

    // Followers come back below the limit; a post comes out.
    cleo.unfollow(&ann).await;
    story.app.settle().await;
    bob.unfollow(&ann).await;
    story.app.settle().await;
    story.app.advance(25 * MINUTE);
    let publish = serde_json::from_str(include_str!("../events/schedule-publish.json")).expect("JSON");
    story.app.invoke("publish", &publish).await.expect("a run");
    story.app.settle().await;
    story.note("published and pushed again").await;

    let ann = story.app.sign_in("ann", PASSWORD).await;
    assert_eq!(delete(&ann, PASSWORD).await, 204);
    story.app.settle().await;
    story.note("deletion begun").await;
    story.app.advance(16 * MINUTE);
    pass(&story.app).await;
    story.note("deletion passed once").await;
    std::mem::take(&mut story.moments)
}

/// One item a line, so that a difference reads well.
fn written(moments: &Map<String, Value>) -> String {
    let moment = |(moment, items): (&String, &Value)| {
        let lines: Vec<String> = items.as_array().expect("items").iter().map(Value::to_string).collect();
        format!("{}: [\n{}\n]", json!(moment), lines.join(",\n"))
    };
    format!("{{\n{}\n}}\n", moments.iter().map(moment).collect::<Vec<_>>().join(",\n"))
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "how the fixture is written anew")]
async fn items_are_stored_as_before() {
    let now = written(&story().await);
    if std::env::var("UPDATE_FIXTURES").is_ok() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/stored_items.json"), &now).unwrap();
    }
    let before = read(FIXTURE);
    for (before, now) in before.lines().zip(now.lines()) {
        assert_eq!(now, before, "an item is stored otherwise");
    }
    assert_eq!(now, before);
}
