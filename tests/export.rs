//! Archives of all that is somebody's: made by a job, loaded by a mail's link.

use crate::deletion::{self, EMAIL, NAME};
use crate::support::archive::{self, Archive};
use crate::support::bulk::{app_of, app_with_keys, people};
use crate::support::lists::walk;
use crate::support::{Client, PASSWORD, TestApp, User, altered, files, set, token_in, until};
use emulators::faults::{Death, Faults, Profile};
use emulators::lambda::InvokeError;
use serde_json::{Value, json};
use shared::secrets::{Purpose, base64url};
use std::collections::BTreeSet;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Somebody whose address is verified.
async fn verified(app: &TestApp, name: &str) -> User {
    let user = app.user(name).await;
    archive::verify(app, &user.email).await;
    user
}

/// Asks for an archive, and loads it.
async fn exported(app: &TestApp, user: &User, email: &str) -> Archive {
    let before = archives_mailed(app, email).await;
    user.post("/users/export", None).await.expect(202);
    until(|| async { (archives_mailed(app, email).await > before).then_some(()) }).await;
    archive::mailed(app, email).await
}

async fn archives_mailed(app: &TestApp, email: &str) -> usize {
    app.mails_to(email).await.iter().filter(|mail| mail.subject.contains("archive")).count()
}

/// What the API shows, with the addresses that an archive has in place of those that soon end.
fn archived(app: &TestApp, owner: &str, mut shown: Value) -> Value {
    match &mut shown {
        Value::Array(items) => items.iter_mut().for_each(|item| *item = archived(app, owner, item.take())),
        Value::Object(fields) => {
            let id = fields.get("id").and_then(Value::as_str).filter(|id| id.starts_with("med_")).map(str::to_owned);
            if let Some(id) = id {
                let is_own = id.ends_with(owner.trim_start_matches("usr_"));
                let ending = if fields["content_type"] == "image/png" { "png" } else { "jpg" };
                let in_it = if is_own {
                    format!("media/{id}.{ending}")
                } else {
                    format!("{}/media/{id}", app.environment("export")["PUBLIC_URL"])
                };
                fields["url"] = json!(in_it);
                fields["variants"] = json!([]);
            }
            for (name, field) in fields {
                *field = if name == "avatar_url" { Value::Null } else { archived(app, owner, field.take()) };
            }
        }
        _ => {}
    }
    shown
}

/// A list of the API, as an archive has it.
async fn listed(app: &TestApp, user: &User, path: &str) -> Vec<Value> {
    let items = walk(user, path).await;
    items.into_iter().map(|item| archived(app, &user.id, item)).collect()
}

fn ids(items: &[Value]) -> BTreeSet<String> {
    items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_has_all_that_its_owner_sees() {
    let app = TestApp::with(deletion::options).await;
    let flock = people(&app, "flock", 21).await;
    let world = deletion::world(&app, &flock).await;
    let me = &world.me;
    me.post(&format!("/users/{}/mute", world.cat.id), None).await.expect(200);
    let photo = files::upload(&world.bob, "image/jpeg", files::photo()).await;
    let seen = world.bob.post("/posts", json!({"content": "Seen.", "media_ids": [photo]})).await.expect(201).json();
    me.post(&format!("/posts/{}/like", seen["id"].as_str().expect("an id")), None).await.expect(200);
    app.resume_workers().await;
    app.settle().await;

    let archive = exported(&app, me, EMAIL).await;
    let mut profile = me.get("/users").await.json();
    let avatar = archive.json("profile.json")["avatar_url"].take();
    profile["avatar_url"] = avatar.clone();
    assert_eq!(archive.json("profile.json"), profile);
    assert!(archive.0.contains_key(avatar.as_str().expect("a picture")), "{avatar}");
    assert_eq!(archive.json("settings.json"), me.get("/users/settings").await.json());
    let mut sessions = me.get("/users/sessions").await.json()["items"].take();
    sessions.as_array_mut().expect("sessions").iter_mut().for_each(|session| session["current"] = json!(false));
    assert_eq!(archive.json("sessions.json"), sessions);
    for (file, path) in [
        ("following.json", "/users/me/following"),
        ("followers.json", "/users/me/followers"),
        ("blocked.json", "/users/blocked"),
        ("groups.json", "/groups"),
        ("posts.json", "/tweets"),
        ("likes.json", "/posts/liked"),
        ("scheduled.json", "/posts/scheduled"),
        ("notifications.json", "/notifications"),
    ] {
        let shown = listed(&app, me, path).await;
        assert!(!shown.is_empty(), "{path}");
        assert_eq!(archive.list(file), shown, "{file}");
    }
    assert_eq!(archive.list("muted.json").len(), 1);
    assert_eq!(archive.list("muted.json")[0]["id"], world.cat.id.as_str());
    let asked = archive.list("group_requests.json");
    assert_eq!((asked.len(), &asked[0]["status"]), (1, &json!("requested")));

    // What I did, but for the row of this very request, which may have come after it was read.
    let acts: Vec<Value> = walk(me, "/activity-log").await;
    let known = ids(&archive.list("activity.json"));
    let left: Vec<&Value> = acts.iter().filter(|act| !known.contains(act["id"].as_str().expect("an id"))).collect();
    assert!(left.iter().all(|act| act["type"] == "request_export") && left.len() <= 1, "{left:?}");
    assert!(known.is_subset(&ids(&acts)) && known.len() > 20);

    // What lies elsewhere, each as it is shown by itself.
    for (file, count) in [("comments.json", 2), ("group_posts.json", 2)] {
        let found = archive.list(file);
        assert_eq!(found.len(), count, "{file}");
        for post in found {
            let path = format!("/posts/{}", post["id"].as_str().expect("an id"));
            assert_eq!(post, archived(&app, &me.id, me.get(&path).await.expect(200).json()), "{file}");
            assert_eq!(post["author"]["id"], me.id.as_str());
        }
    }
    let reports = archive.list("reports.json");
    assert_eq!((reports.len(), &reports[0]["reason"]), (1, &json!("spam")));

    // Pictures, to the byte.
    let media = archive.list("media.json");
    assert_eq!(media.len(), 3);
    for one in &media {
        let shown = me.get(&format!("/media/{}", one["id"].as_str().expect("an id"))).await.expect(200).json();
        let bytes = files::read(&app, shown["url"].as_str().expect("an address")).await.body;
        assert_eq!(archive.0[one["url"].as_str().expect("a file")], bytes);
        assert_eq!(*one, archived(&app, &me.id, shown));
    }
    let liked = archive.list("likes.json");
    let picture = liked.iter().find(|post| post["id"] == seen["id"]).expect("a post");
    assert_eq!(picture["media"][0]["url"], format!("{}/media/{photo}", app.environment("export")["PUBLIC_URL"]));

    // It says what is in it.
    let readme = archive.text("README.txt");
    assert!(readme.contains(&format!("@{NAME}")) && readme.contains(&me.id), "{readme}");
    for name in archive.0.keys().filter(|name| name.ends_with(".json")) {
        let items = archive.json(name).as_array().map_or(1, Vec::len);
        let told = readme.lines().find(|line| line.starts_with(name.as_str())).expect("a line");
        assert_eq!(told.split_whitespace().nth(1), Some(items.to_string().as_str()), "{told}");
    }
    app.audit().await;
}

/// What no archive may have: secrets of the account, as the table and its owner's clients have them.
async fn secrets(app: &TestApp, user: &User) -> Vec<String> {
    let ulid = user.id.trim_start_matches("usr_");
    let mut secrets = vec![user.refresh_token.clone(), user.token().to_owned(), PASSWORD.to_owned()];
    for ((pk, sk), item) in app.table().await {
        if pk == format!("U#{ulid}") && (sk == "G#K" || sk.starts_with("H#0#")) {
            secrets.push(item["hash"]["S"].as_str().expect("a hash").to_owned());
        }
        if pk.starts_with("X#") {
            secrets.push(pk.trim_start_matches("X#").to_owned());
        }
    }
    secrets
}

#[tokio::test]
async fn nothing_secret_or_hidden_is_in_an_archive() {
    let app = TestApp::start().await;
    let ann = verified(&app, "ann").await;
    let (dan, eve) = (app.user("danquerel").await, app.user("everine").await);
    for (a, b) in [(&ann, &dan), (&dan, &ann), (&ann, &eve), (&eve, &ann)] {
        a.follow(b).await;
    }
    let mine = ann.post_text("Mine, for @danquerel.").await;
    let theirs = dan.post_text("Something of his.").await;
    ann.post(&format!("/posts/{theirs}/like"), None).await.expect(200);
    ann.comment(&theirs, "Below him.").await;
    let his = dan.comment(&mine, "And below her.").await;
    ann.comment(&his, "Below her comment's.").await;
    let group = eve.post("/groups", json!({"name": "Quiet ones", "visibility": "private"})).await.expect(201).json();
    let group = group["id"].as_str().expect("an id").to_owned();
    ann.post(&format!("/groups/{group}/join"), None).await.expect(202);
    eve.post(&format!("/groups/{group}/requests/{}/approve", ann.id), None).await.expect(200);
    let hers =
        eve.post(&format!("/groups/{group}/posts"), json!({"content": "For us alone."})).await.expect(201).json();
    ann.post(&format!("/posts/{}/like", hers["id"].as_str().expect("an id")), None).await.expect(200);
    ann.post(&format!("/groups/{group}/posts"), json!({"content": "Likewise alone."})).await.expect(201);
    app.settle().await;

    // All of it, while it is shown: or its absence later would say nothing.
    let hidden = ["danquerel\"", "Something of his", "For us alone", "Quiet ones"];
    let mine = ["Below him", "Below her comment's", "Likewise alone"];
    let before = exported(&app, &ann, &ann.email).await;
    for text in hidden.into_iter().chain(mine) {
        assert!(!before.naming(text).is_empty(), "{text}");
    }
    dan.post(&format!("/users/{}/block", ann.id), None).await.expect(200);
    ann.post(&format!("/groups/{group}/leave"), None).await.expect(200);
    app.settle().await;
    let after = exported(&app, &ann, &ann.email).await;
    for text in hidden {
        assert_eq!(after.naming(text), Vec::<&str>::new(), "{text}");
    }
    for text in mine {
        assert!(!after.naming(text).is_empty(), "{text} is her own");
    }
    let secrets = secrets(&app, &ann).await;
    assert!(secrets.len() > 6, "{secrets:?}");
    for text in secrets.iter().map(String::as_str).chain([dan.email.as_str(), eve.email.as_str()]) {
        assert_eq!(after.naming(text), Vec::<&str>::new(), "{text}");
    }
    assert!(!after.naming(&ann.email).is_empty() && !after.naming("everine").is_empty());
}

#[tokio::test]
async fn only_a_verified_address_gets_archives_and_two_a_day() {
    let app = TestApp::with(|options| set(options, "RateLimits", "on")).await;
    app.begin_hour();
    let ann = app.user("ann").await;
    app.anon().post("/users/export", None).await.expect(401);
    for _ in 0..3 {
        ann.post("/users/export", None).await.expect(403).problem("email-not-verified");
    }
    archive::verify(&app, &ann.email).await;
    for remaining in [1, 0] {
        let asked = ann.post("/users/export", None).await.expect(202);
        assert!(asked.header("ratelimit").starts_with(&format!("\"export\";r={remaining};")), "{:?}", asked.headers);
        app.settle().await;
    }
    ann.post("/users/export", None).await.expect(429).problem("rate-limited");
    assert_eq!(archives_mailed(&app, &ann.email).await, 2);
}

#[tokio::test]
async fn a_link_works_again_for_a_week_and_no_other_does() {
    let app = TestApp::start().await;
    let (ann, bob) = (verified(&app, "ann").await, verified(&app, "bob").await);
    let verify = token_in(&app.mail_to(&ann.email, "verify").await);
    for user in [&ann, &bob] {
        exported(&app, user, &user.email).await;
    }
    let token = token_in(&app.mail_to(&ann.email, "archive").await);
    let refused = async |token: &str| {
        let answer = app.anon().get(&format!("/users/export?token={token}")).await.expect(400);
        answer.problem("invalid-token");
        assert_eq!(answer.header("location"), "");
    };
    for wrong in ["", "x", &verify, &altered(&token), &ann.refresh_token, ann.token()] {
        refused(wrong).await;
    }
    // Its token verifies nothing, and sets no password.
    app.anon().post("/users/verify", json!({ "token": token })).await.expect(400);
    let reset = json!({"token": token, "password": "auk under the cliff"});
    app.anon().post("/users/password/reset", reset).await.expect(400);
    // A key nobody knows made it, not the id alone.
    let id = ulid::Ulid::from_bytes([7; 16]).to_bytes();
    let mac = app_with_keys(&app, "users").await.keys().expect("keys").mac(Purpose::MailToken, &[&id]);
    refused(&base64url(&[&id[..], &mac[..]].concat())).await;

    app.advance(6 * DAY);
    assert_eq!(archive::load(&app, &token).await.json("profile.json")["username"], "ann");
    archive::load(&app, &token).await;
    app.advance(DAY);
    refused(&token).await;
}

#[tokio::test]
async fn a_link_ends_with_the_account_and_with_its_address() {
    let app = TestApp::start().await;
    let [ann, bob, cat] = [verified(&app, "ann").await, verified(&app, "bob").await, verified(&app, "cat").await];
    let mut tokens = Vec::new();
    for user in [&ann, &bob, &cat] {
        exported(&app, user, &user.email).await;
        tokens.push(token_in(&app.mail_to(&user.email, "archive").await));
    }
    ann.patch("/users", json!({"email": "other@example.com", "current_password": PASSWORD})).await.expect(200);
    archive::verify(&app, "other@example.com").await;
    bob.post("/users/delete", json!({ "password": PASSWORD })).await.expect(204);
    let (post, warden) = (cat.post_text("Buy now.").await, app.user("warden").await);
    let id = warden.id.parse().expect("an id");
    shared::store::moderators::appoint(&app_of(&app, "users"), id, true).await.expect("a moderator");
    ann.post(&format!("/posts/{post}/report"), json!({"reason": "spam"})).await.expect(202);
    let report = warden.get("/reports").await.expect(200).items()[0]["id"].as_str().expect("an id").to_owned();
    let decision = json!({"status": "resolved", "action": "suspend_author"});
    warden.patch(&format!("/reports/{report}"), decision).await.expect(200);
    for token in &tokens {
        app.anon().get(&format!("/users/export?token={token}")).await.expect(400).problem("invalid-token");
    }
    // Of bob's nothing is left.
    app.settle().await;
    let ulid = bob.id.trim_start_matches("usr_").to_owned();
    assert!(app.bucket().await.keys().all(|key| !key.contains(&ulid)));
    assert_eq!(app.bucket().await.keys().filter(|key| key.starts_with("exports/")).count(), 2);
}

/// The message that asks for the newest archive, taken from its queue, with the workers standing still.
async fn asked_for(app: &TestApp, user: &Client) -> String {
    app.settle().await;
    app.pause_workers().await;
    let known = app.stream().await.len();
    user.post("/users/export", None).await.expect(202);
    let records = until(|| async { Some(app.stream().await).filter(|records| records.len() > known) }).await;
    app.dispatch(&records[known..], 100).await;
    // Faults may have it come late, or twice.
    let jobs =
        until(|| async { Some(app.take_messages("EXPORT_QUEUE_URL").await).filter(|jobs| !jobs.is_empty()) }).await;
    assert!(jobs.iter().all(|job| *job == jobs[0]), "{jobs:?}");
    jobs[0].clone()
}

#[tokio::test]
async fn a_job_that_comes_again_or_twice_at_once_sends_one_mail() {
    let app = TestApp::start().await;
    let ann = verified(&app, "ann").await;
    let job = asked_for(&app, &ann).await;
    app.work("export", &[job.clone(), job.clone()]).await;
    app.work("export", std::slice::from_ref(&job)).await;
    app.resume_workers().await;
    app.settle().await;
    app.send_messages("EXPORT_QUEUE_URL", &[job.clone(), job]).await;
    app.settle().await;
    assert_eq!(archives_mailed(&app, &ann.email).await, 1);
    assert_eq!(app.bucket().await.keys().filter(|key| key.starts_with("exports/")).count(), 1);
    archive::mailed(&app, &ann.email).await;
}

#[tokio::test]
async fn a_record_that_was_set_aside_has_its_archive_made() {
    let app = TestApp::start().await;
    let ann = verified(&app, "ann").await;
    let ulid = asked_for(&app, &ann).await;
    let ulid = serde_json::from_str::<Value>(&ulid).expect("JSON")["id"].as_str().expect("an id").to_owned();
    // No more of it than its keys.
    let keys = json!({"PK": {"S": format!("X#{ulid}")}, "SK": {"S": "X"}});
    let body = json!({"eventName": "INSERT", "dynamodb": {"Keys": keys}}).to_string();
    app.work("dispatch", &[body]).await;
    app.resume_workers().await;
    app.settle().await;
    assert_eq!(archives_mailed(&app, &ann.email).await, 1);
    archive::mailed(&app, &ann.email).await;
}

#[tokio::test]
async fn a_worker_that_dies_anywhere_leaves_an_archive_to_the_next_one() {
    // Not with other deaths: one between the mail and the note of it sends a second mail.
    let app = TestApp::with(|options| options.faults = Some(Faults::new(Profile::Stale))).await;
    let ann = verified(&app, "ann").await;
    for n in 0..3 {
        files::upload(&ann, "image/png", files::png()).await;
        ann.post_text(&format!("Post {n}.")).await;
    }
    let job = asked_for(&app, &ann).await;
    let event = json!({"Records": [{"messageId": "0", "body": job, "eventSource": "aws:sqs"}]});
    let mut deaths = 0;
    for after_calls in 0.. {
        let death = Death { after_calls, done: after_calls % 2 == 0 };
        match app.invoke_killed("export", &event, death).await {
            Err(InvokeError::Killed) => deaths += 1,
            done => {
                done.expect("it is killed or done");
                break;
            }
        }
        let archives = app.bucket().await.into_keys().filter(|key| key.starts_with("exports/")).count();
        assert!(archives <= 1, "{archives}");
    }
    assert!(deaths > 20, "{deaths}");
    app.work("export", std::slice::from_ref(&job)).await;
    app.resume_workers().await;
    app.settle().await;
    assert_eq!(archives_mailed(&app, &ann.email).await, 1);
    let archive = archive::mailed(&app, &ann.email).await;
    assert_eq!((archive.list("posts.json").len(), archive.list("media.json").len()), (3, 3));
    assert_eq!(archive.0.keys().filter(|name| name.starts_with("media/")).count(), 3);
}

#[tokio::test]
async fn an_account_that_goes_meanwhile_leaves_no_archive() {
    let app = TestApp::with(|options| options.record_wire = true).await;
    let (ann, bob) = (verified(&app, "ann").await, verified(&app, "bob").await);
    // One is gone before the job comes.
    let late = asked_for(&app, &bob).await;
    bob.post("/users/delete", json!({ "password": PASSWORD })).await.expect(204);
    app.work("export", &[late]).await;
    app.resume_workers().await;

    // The other while its archive is written, by calls that take their time.
    let job = asked_for(&app, &ann).await;
    let wire = app.wire().expect("the wire is recorded");
    wire.set_delay(Duration::from_millis(100));
    let asked = |method: &str| {
        app.bucket_requests().iter().any(|one| one.path.contains("/exports/") && one.method.as_str() == method)
    };
    let event = json!({"Records": [{"messageId": "0", "body": job, "eventSource": "aws:sqs"}]});
    let deleted = async {
        until(|| async { asked("POST").then_some(()) }).await;
        assert!(!asked("DELETE"));
        ann.post("/users/delete", json!({ "password": PASSWORD })).await.expect(204);
        assert!(!asked("PUT"), "the archive was written before");
    };
    let (answer, ()) = futures::future::join(app.invoke("export", &event), deleted).await;
    assert_eq!(answer.expect("an answer")["batchItemFailures"], json!([]));
    wire.set_delay(Duration::ZERO);
    assert!(asked("DELETE"), "its parts are left");
    app.resume_workers().await;
    app.settle().await;
    assert!(app.bucket().await.keys().all(|key| !key.starts_with("exports/")));
    for user in [&ann, &bob] {
        assert_eq!(archives_mailed(&app, &user.email).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_of_many_pages_and_parts_is_whole() {
    let app = TestApp::with(|options| options.record_wire = true).await;
    let ann = verified(&app, "ann").await;
    let flock = people(&app, "flock", 105).await;
    let pictures: Vec<Vec<u8>> = (0..3).map(|n| files::noise(1_000 + n, 1_100)).collect();
    for picture in &pictures {
        files::upload(&ann, "image/png", picture.clone()).await;
    }
    let mut posts = BTreeSet::new();
    for (n, one) in flock.iter().enumerate() {
        let theirs = one.post_text(&format!("Number {n}.")).await;
        posts.insert(ann.post_text(&format!("My number {n}.")).await);
        ann.post(&format!("/posts/{theirs}/like"), None).await.expect(200);
        ann.comment(&theirs, &format!("Comment {n}.")).await;
        ann.post(&format!("/posts/{theirs}/report"), json!({"reason": "other"})).await.expect(202);
        ann.follow(one).await;
        one.follow(&ann).await;
        ann.post(&format!("/users/{}/mute", one.id), None).await.expect(200);
    }
    app.settle().await;
    let archive = exported(&app, &ann, &ann.email).await;
    for file in ["following", "followers", "muted", "posts", "likes", "comments", "reports"] {
        let items = archive.list(&format!("{file}.json"));
        let different: BTreeSet<String> = items.iter().map(Value::to_string).collect();
        assert_eq!((items.len(), different.len()), (flock.len(), flock.len()), "{file}");
    }
    assert_eq!(ids(&archive.list("posts.json")), posts);
    assert_eq!(ids(&archive.list("activity.json")).len(), archive.list("activity.json").len());
    assert!(archive.list("activity.json").len() > 600);
    let kept: BTreeSet<&[u8]> =
        archive.0.iter().filter(|(name, _)| name.starts_with("media/")).map(|(_, bytes)| &**bytes).collect();
    assert_eq!(kept.len(), pictures.len());
    // More than a part, and none of it larger than a part has to be: what is in memory at once.
    let size: usize = kept.iter().map(|bytes| bytes.len()).sum();
    let parts = app.bucket_requests().into_iter().filter(|one| one.path.contains("/exports/") && one.method == "PUT");
    assert_eq!(parts.count(), size / shared::limits::ARCHIVE_PART + 1, "{size}");
}
