//! The activity log: all that somebody did, and nothing else.

use crate::support::authenticator::Authenticator;
use crate::support::bulk::app_of;
use crate::support::files::{film, photo, send};
use crate::support::lists::{page_ids, walk};
use crate::support::{Call, Client, Http, PASSWORD, Response, TestApp, User, set, set_moderator, token_in};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use serde_json::{Value, json};
use shared::ids::{ActivityId, UserId};
use shared::models::activity::{Activity, ActivityType, Origin, UNLOGGED};
use shared::store;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Somebody's whole log, newest first.
async fn log(client: &Client) -> Vec<Value> {
    walk(client, "/activity-log?limit=100").await
}

fn types(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["type"].as_str().unwrap()).collect()
}

fn id(answer: &Response) -> String {
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// Every write of the document, done once and looked up.
struct Walk {
    document: Value,
    walked: BTreeSet<String>,
}

impl Walk {
    fn new() -> Self {
        Self { document: serde_json::from_str(include_str!("../openapi.json")).unwrap(), walked: BTreeSet::new() }
    }

    /// The ids of all writes.
    fn writes(&self) -> BTreeSet<String> {
        let paths = self.document["paths"].as_object().unwrap().values();
        let operations = paths.flat_map(|item| item.as_object().unwrap()).filter(|(method, _)| *method != "get");
        operations.map(|(_, is)| is["operationId"].as_str().unwrap().to_owned()).collect()
    }

    /// The write that a call is: of the paths that fit the one with the fewest places for a parameter.
    fn operation(&self, what: &str) -> String {
        let (method, path) = what.split_once(' ').unwrap();
        let path: Vec<_> = path.split('?').next().unwrap().split('/').collect();
        let fits = |form: &&String| {
            let parts: Vec<_> = form.split('/').collect();
            parts.len() == path.len() && parts.iter().zip(&path).all(|(part, is)| part.starts_with('{') || part == is)
        };
        let paths = self.document["paths"].as_object().unwrap();
        let has = |form: &&String| paths[*form].get(method.to_lowercase()).is_some();
        let form = paths.keys().filter(fits).filter(has).min_by_key(|form| form.matches('{').count());
        let form = form.unwrap_or_else(|| panic!("{what} is no operation"));
        paths[form][method.to_lowercase()]["operationId"].as_str().unwrap().to_owned()
    }

    /// A write that succeeds.
    async fn done(&mut self, call: Call) -> Response {
        let answer = call.await;
        assert!(answer.status < 300, "{}: {}", answer.what(), answer.text());
        self.walked.insert(self.operation(answer.what()));
        answer
    }

    /// One of somebody signed in, and the row that it left: the newest.
    async fn logged(&mut self, me: &Client, call: Call, kind: &str, target: Target<'_>) -> Response {
        let answer = self.done(call).await;
        let made = || id(&answer);
        let target = match target {
            Target::None => Value::Null,
            Target::Is(kind, id) => json!({"type": kind, "id": id}),
            Target::Made(kind) => json!({"type": kind, "id": made()}),
        };
        let newest = me.get("/activity-log?limit=1").await.expect(200).items().remove(0);
        let expected = json!({"type": kind, "target": target, "address": null, "user_agent": null});
        let told: Value = ["type", "target", "address", "user_agent"]
            .map(|name| (name.to_owned(), newest[name].clone()))
            .into_iter()
            .collect();
        assert_eq!(told, expected, "{}", answer.what());
        answer
    }
}

enum Target<'a> {
    None,
    Is(&'a str, &'a str),
    Made(&'a str),
}
use Target::{Is, Made};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_is_in_the_log_of_whoever_made_it() {
    let app = TestApp::with(|options| set_moderator(options, "ann")).await;
    let mut walk = Walk::new();
    let anon = app.anon();
    walk.done(anon.post("/users", json!({"username": "ann", "email": "ann@example.com", "password": PASSWORD}))).await;
    walk.done(anon.post("/users/login", json!({"username": "ann", "password": PASSWORD}))).await;
    let (ann, bob) = (app.sign_in("ann", PASSWORD).await, app.user("bob").await);
    let rows = log(&ann).await;
    assert_eq!(types(&rows), ["sign_in", "sign_in", "sign_up"]);
    assert_eq!(rows[2]["target"], json!({"type": "user", "id": ann.id}));
    accounts(&app, &mut walk, &ann).await;
    people(&mut walk, &ann, &bob).await;
    let post = posts(&mut walk, &ann, &bob).await;
    media(&app, &mut walk, &ann).await;
    groups(&mut walk, &ann, &bob).await;
    let before_ann = types(&log(&bob).await).len() - 1;
    let call = ann.post("/notifications/read", json!({"all": true}));
    walk.logged(&ann, call, "mark_notifications_read", Target::None).await;
    assert_eq!(types(&log(&bob).await).len(), before_ann + 1, "nothing of ann's is his");
    bob.get(&format!("/posts/{post}")).await.expect(404);

    let refreshed = walk.done(anon.post("/users/refresh", json!({"refresh_token": ann.refresh_token}))).await;
    let ann = anon.with_token(refreshed.json()["access_token"].as_str().unwrap());
    walk.done(anon.post("/users/password/forgot", json!({"email": "ann@example.com"}))).await;
    assert_eq!(log(&ann).await[0]["type"], "mark_notifications_read", "no row of what is no act");
    leaving(&app, &mut walk).await;
    deletions(&app, &mut walk).await;

    let unlogged = UNLOGGED.map(|(operation, _)| operation.to_owned());
    let missing: Vec<_> = walk.writes().difference(&walk.walked).cloned().collect();
    assert!(missing.is_empty(), "writes that nobody has looked at in the log: {missing:?}");
    for operation in walk.writes().into_iter().filter(|operation| !unlogged.contains(operation)) {
        assert_ne!(ActivityType::of(&operation), ActivityType::Other, "{operation} has no type");
    }
    app.settle().await;
    app.audit().await;
}

async fn accounts(app: &TestApp, walk: &mut Walk, ann: &User) {
    let anon = app.anon();
    walk.logged(ann, ann.post("/users/verify/resend", None), "resend_verification", Target::None).await;
    app.settle().await;
    let token = token_in(&app.mail_to(&ann.email, "verify").await);
    walk.logged(ann, anon.post("/users/verify", json!({"token": token})), "verify_email", Target::None).await;
    walk.logged(ann, ann.post("/users/export", None), "request_export", Target::None).await;
    let passwords = json!({"current_password": PASSWORD, "new_password": "auk under the cliff"});
    walk.logged(ann, ann.put("/users/password", passwords), "change_password", Target::None).await;
    walk.logged(ann, ann.patch("/users", json!({"bio": "Over water."})), "update_profile", Target::None).await;
    let settings = json!({"notify": {"follow": {"mail": true}}});
    walk.logged(ann, ann.patch("/users/settings", settings), "update_settings", Target::None).await;
    let password = "auk under the cliff";
    let set_up = walk
        .logged(ann, ann.post("/users/otp", json!({ "password": password })), "set_up_second_factor", Target::None)
        .await;
    let code = Authenticator::reading(&set_up.json()).code(app);
    let confirm = ann.post("/users/otp/confirm", json!({ "code": code }));
    let on = walk.logged(ann, confirm, "turn_on_second_factor", Target::None).await.json();
    let off = json!({"password": password, "code": on["recovery_codes"][0]});
    let off = ann.delete("/users/otp").json(&off);
    walk.logged(ann, off, "turn_off_second_factor", Target::None).await;
    let other = app.sign_in("ann", password).await;
    let sessions = ann.get("/users/sessions").await.expect(200).items();
    let session = sessions.iter().find(|one| one["current"] == false).unwrap()["id"].as_str().unwrap().to_owned();
    let end = ann.delete(&format!("/users/sessions/{session}")).json(&json!({ "password": password }));
    walk.logged(ann, end, "end_session", Is("session", &session)).await;
    other.get("/users").await.expect(401);
}

async fn people(walk: &mut Walk, ann: &User, bob: &User) {
    let (by_name, by_id) = ("/users/@Bob", format!("/users/{}", bob.id));
    for (call, kind) in [
        (ann.post(&format!("{by_name}/follow"), None), "follow"),
        (ann.post(&format!("{by_id}/follow"), None), "follow"),
        (ann.post(&format!("{by_name}/unfollow"), None), "unfollow"),
        (ann.delete(&format!("{by_name}/follow")), "unfollow"),
        (ann.post(&format!("{by_name}/mute"), None), "mute"),
        (ann.delete(&format!("{by_id}/mute")), "unmute"),
        (ann.post(&format!("{by_name}/block"), None), "block"),
        (ann.post(&format!("{by_name}/unblock"), None), "unblock"),
        (ann.delete(&format!("{by_name}/block")), "unblock"),
    ] {
        walk.logged(ann, call, kind, Is("user", &bob.id)).await;
    }
}

/// Also a moderator's decision; the id of a post that is deleted at the end.
async fn posts(walk: &mut Walk, ann: &User, bob: &User) -> String {
    let text = json!({"content": "Low tide."});
    walk.logged(ann, ann.post("/tweets", text.clone()), "create_post", Made("post")).await;
    let post = id(&walk.logged(ann, ann.post("/posts", text.clone()), "create_post", Made("post")).await);
    let path = format!("/posts/{post}");
    let is_post = || Is("post", &post);
    for (call, kind) in [
        (ann.patch(&path, text.clone()), "update_post"),
        (ann.put(&path, text.clone()), "update_post"),
        (ann.post(&format!("{path}/like"), None), "like_post"),
        (ann.post(&format!("{path}/unlike"), None), "unlike_post"),
        (ann.delete(&format!("{path}/like")), "unlike_post"),
        (ann.post(&format!("/posts/like/{post}"), None), "like_post"),
        (ann.post(&format!("/posts/like/{post}"), None), "unlike_post"),
    ] {
        walk.logged(ann, call, kind, is_post()).await;
    }
    let comments = format!("{path}/comments");
    let made = walk.logged(ann, ann.post(&comments, text.clone()), "create_comment", Made("post")).await;
    let comment = id(&made);
    let one = format!("{comments}/{comment}");
    walk.logged(ann, ann.patch(&one, text.clone()), "update_comment", Is("post", &comment)).await;
    walk.logged(ann, ann.delete(&one), "delete_comment", Is("post", &comment)).await;
    walk.logged(ann, ann.delete(&path), "delete_post", is_post()).await;

    let at = (shared::clock::Clock::default().now() + DAY).rfc3339();
    let waiting = ann.post("/posts", json!({"content": "High tide.", "publish_at": at}));
    let waiting = id(&walk.logged(ann, waiting, "schedule_post", Made("scheduled_post")).await);
    let path = format!("/posts/scheduled/{waiting}");
    let is_waiting = || Is("scheduled_post", &waiting);
    walk.logged(ann, ann.patch(&path, text.clone()), "update_scheduled_post", is_waiting()).await;
    walk.logged(ann, ann.delete(&path), "cancel_scheduled_post", is_waiting()).await;

    let theirs = bob.post_text("Buy my gulls.").await;
    let report = ann.post(&format!("/posts/{theirs}/report"), json!({"reason": "spam"}));
    walk.logged(ann, report, "report_post", Is("post", &theirs)).await;
    let report = page_ids(ann, "/reports").await.remove(0);
    let decide = ann.patch(&format!("/reports/{report}"), json!({"status": "dismissed"}));
    walk.logged(ann, decide, "decide_report", Is("report", &report)).await;
    post
}

async fn media(app: &TestApp, walk: &mut Walk, ann: &User) {
    let picture = ann.post("/media", None).body("image/jpeg", photo());
    let picture = id(&walk.logged(ann, picture, "upload_media", Made("media")).await);
    let path = format!("/media/{picture}");
    let describe = ann.patch(&path, json!({"alt_text": "Curlews."}));
    walk.logged(ann, describe, "describe_media", Is("media", &picture)).await;
    walk.logged(ann, ann.delete(&path), "delete_media", Is("media", &picture)).await;
    let begin = ann.post("/media/uploads", json!({"content_type": "video/mp4", "size": film().len()}));
    let begun = walk.logged(ann, begin, "upload_media", Made("media")).await.json();
    assert_eq!(send(app, &begun["upload"], film()).await, 200);
    let film = begun["id"].as_str().unwrap();
    let complete = ann.post(&format!("/media/{film}/complete"), None);
    walk.logged(ann, complete, "complete_upload", Is("media", film)).await;
}

async fn groups(walk: &mut Walk, ann: &User, bob: &User) {
    let made = json!({"name": "Waders", "visibility": "private"});
    let group = id(&walk.logged(ann, ann.post("/groups", made), "create_group", Made("group")).await);
    let path = format!("/groups/{group}");
    let is_group = || Is("group", &group);
    walk.logged(ann, ann.patch(&path, json!({"name": "Gulls"})), "update_group", is_group()).await;
    let text = json!({"content": "Shared."});
    walk.logged(ann, ann.post(&format!("{path}/posts"), text), "create_post", Made("post")).await;
    for (answer, kind) in [("deny", "deny_request"), ("approve", "approve_request")] {
        walk.logged(bob, bob.post(&format!("{path}/join"), None), "join_group", is_group()).await;
        let answer = ann.post(&format!("{path}/requests/bob/{answer}"), None);
        walk.logged(ann, answer, kind, Is("user", &bob.id)).await;
    }
    let member = format!("{path}/members/bob");
    let role = ann.put(&member, json!({"role": "moderator"}));
    walk.logged(ann, role, "set_role", Is("user", &bob.id)).await;
    walk.logged(bob, bob.post(&format!("{path}/leave"), None), "leave_group", is_group()).await;
    walk.logged(bob, bob.post(&format!("{path}/join"), None), "join_group", is_group()).await;
    walk.done(ann.post(&format!("{path}/requests/bob/approve"), None)).await;
    walk.logged(ann, ann.delete(&member), "remove_member", Is("user", &bob.id)).await;
    walk.logged(ann, ann.delete(&path), "delete_group", is_group()).await;
}

/// Accounts that are deleted leave no row, for nobody could read it.
async fn deletions(app: &TestApp, walk: &mut Walk) {
    let (dan, eve) = (app.user("dan").await, app.user("eve").await);
    let password = json!({"password": PASSWORD});
    walk.done(dan.post("/users/delete", password.clone())).await;
    walk.done(eve.call(http::Method::DELETE, "/users").json(&password)).await;
    app.settle().await;
    let logs: BTreeSet<_> =
        app.table().await.into_keys().filter(|(pk, _)| pk.starts_with("AL#")).map(|key| key.0).collect();
    for gone in [dan, eve] {
        assert!(!logs.contains(&format!("AL#{}", gone.id.trim_start_matches("usr_"))), "{}", gone.username);
    }
}

/// What ends sessions, and what needs none.
async fn leaving(app: &TestApp, walk: &mut Walk) {
    let (anon, password) = (app.anon(), "auk under the cliff");
    let one = app.sign_in("ann", password).await;
    let two = app.sign_in("ann", password).await;
    let three = app.sign_in("ann", password).await;
    let newest =
        |rows: &[Value]| (rows[0]["type"].clone(), rows[0]["target"]["type"].clone(), rows[0]["target"]["id"].clone());
    let (of_two, of_three) = (session(&two).await, session(&three).await);
    walk.done(two.post("/users/logout", None)).await;
    assert_eq!(newest(&log(&one).await), ("sign_out".into(), "session".into(), of_two));
    walk.done(anon.post("/users/logout", json!({"refresh_token": three.refresh_token}))).await;
    assert_eq!(newest(&log(&one).await), ("sign_out".into(), "session".into(), of_three));

    // The mail that tells of a follower has the link.
    let cid = app.user("cid").await;
    cid.follow(&one).await;
    app.settle().await;
    let token = token_in(&app.mail_to("ann@example.com", "@cid follows you").await);
    let ended = anon.post(&format!("/users/unsubscribe?token={token}"), None);
    walk.logged(&one, ended, "unsubscribe", Target::None).await;

    let token = token_in(&app.mail_to("ann@example.com", "password").await);
    walk.done(anon.post("/users/password/reset", json!({"token": token, "password": PASSWORD}))).await;
    let four = app.sign_in("ann", PASSWORD).await;
    assert_eq!(types(&log(&four).await)[..2], ["sign_in", "reset_password"]);
    walk.done(four.delete("/users/sessions").json(&json!({"password": PASSWORD}))).await;
    let five = app.sign_in("ann", PASSWORD).await;
    assert_eq!(types(&log(&five).await)[..2], ["sign_in", "end_all_sessions"]);
    walk.done(five.patch("/users", json!({"email": "new@example.com", "current_password": PASSWORD}))).await;
    let token = token_in(&app.mail_to("ann@example.com", "to be another").await);
    walk.done(anon.post("/users/verify/undo", json!({ "token": token }))).await;
    let six = app.sign_in("ann", PASSWORD).await;
    assert_eq!(types(&log(&six).await)[..2], ["sign_in", "undo_email_change"]);
}

/// The id of the session that somebody came with.
async fn session(user: &User) -> Value {
    let sessions = user.get("/users/sessions").await.expect(200).items();
    sessions.into_iter().find(|one| one["current"] == true).unwrap()["id"].clone()
}

#[tokio::test]
async fn what_is_refused_leaves_no_row_and_a_repeat_none_of_its_own() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = ann.post_text("Low tide.").await;
    let before = (log(&ann).await, log(&bob).await);
    let path = format!("/posts/{post}");
    bob.post("/posts", json!({"content": ""})).await.expect(422);
    bob.patch(&path, json!({"content": "Mine."})).await.expect(403);
    bob.post("/users/nobody/follow", None).await.expect(404);
    bob.post("/users/me/follow", None).await.expect(422);
    bob.patch("/users", json!({"bio": "x"})).header("if-match", "\"other\"").await.expect(412);
    bob.patch("/users", json!({"username": "ann"})).await.expect(409);
    app.anon().with_token("nonsense").post(&format!("{path}/like"), None).await.expect(401);
    app.anon().post("/users/verify", json!({"token": "forged"})).await.expect(400);
    app.anon().post("/users/password/reset", json!({"token": "forged", "password": PASSWORD})).await.expect(400);
    app.anon().post("/users/logout", json!({"refresh_token": "forged"})).await.expect(401);
    assert_eq!((log(&ann).await, log(&bob).await), before);

    let text = json!({"content": "Once."});
    let once = || ann.post("/posts", text.clone()).header("idempotency-key", "k").into_future();
    let first = once().await.expect(201);
    let rows = log(&ann).await;
    assert_eq!((rows.len(), &rows[0]["target"]["id"]), (before.0.len() + 1, &first.json()["id"]));
    let again = once().await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(log(&ann).await, rows);
    // As if the first had died between the post and the row.
    let is_row = |pk: &str, sk: &str| pk.starts_with("AL#") && rows[0]["id"].as_str().unwrap().ends_with(sk);
    let (_, row) = app.table().await.into_iter().find(|((pk, sk), _)| is_row(pk, sk)).unwrap();
    app.delete_item(&row).await;
    assert_eq!(log(&ann).await, rows[1..]);
    once().await.expect(201);
    assert_eq!(log(&ann).await, rows);
}

#[tokio::test]
async fn sign_ins_tell_where_from_and_with_what() {
    let app = TestApp::with(|options| set_moderator(options, "bob")).await;
    let (ann, bob) = (app.user("ann").await, app.moderator("bob").await);
    let login = |name: &str, password: &str, agent: &str| {
        let body = json!({"username": name, "password": password});
        app.anon_at("127.0.7.2").post("/login", body).header("user-agent", agent).into_future()
    };
    login("ann", "not the password", "curl/8").await.expect(401);
    login("ANN", PASSWORD, &format!("gull\tphone {}", "x".repeat(200))).await.expect(200);
    let known: BTreeSet<_> = app.table().await.into_keys().filter(|(pk, _)| pk.starts_with("AL#")).collect();
    for name in ["nobody", "a b", "@"] {
        login(name, PASSWORD, "curl/8").await.expect(401);
    }
    let now: BTreeSet<_> = app.table().await.into_keys().filter(|(pk, _)| pk.starts_with("AL#")).collect();
    assert_eq!(now, known, "names that nobody has leave nothing");
    let rows = log(&ann).await;
    assert_eq!(types(&rows), ["sign_in", "sign_in_failed", "sign_in", "sign_up"]);
    let told = |row: &Value| (row["address"].clone(), row["user_agent"].clone(), row["target"]["type"].clone());
    let agent = format!("gullphone {}", "x".repeat(70));
    assert_eq!(told(&rows[0]), (json!("127.0.7.0/24"), json!(agent), json!("session")));
    assert_eq!(told(&rows[1]), (json!("127.0.7.0/24"), json!("curl/8"), Value::Null));
    assert_eq!(told(&rows[2]), (json!("127.0.0.0/24"), json!("tests"), json!("session")));
    assert_eq!(told(&rows[3]), (Value::Null, Value::Null, json!("user")));
    assert!(
        !rows.iter().any(|row| row.to_string().contains("ann@example.com") || row.to_string().contains("127.0.7.2"))
    );

    // What the throttle holds back is counted by it, and no attempt at the password.
    for _ in 0..12 {
        let status = login("ann", "not the password", "curl/8").await.status;
        assert!(status == 401 || status == 429, "{status}");
    }
    assert_eq!(types(&log(&ann).await).iter().filter(|kind| **kind == "sign_in_failed").count(), 10);

    let post = ann.post_text("Buy my gulls.").await;
    let cid = app.user("cid").await;
    cid.post(&format!("/posts/{post}/report"), json!({"reason": "spam"})).await.expect(202);
    let report = page_ids(&bob, "/reports").await.remove(0);
    let decide = async |action: &str| {
        let body = json!({"status": "resolved", "action": action});
        bob.patch(&format!("/reports/{report}"), body).await.expect(200);
    };
    decide("suspend_author").await;
    app.anon().post("/login", json!({"username": "ann", "password": PASSWORD})).await.expect(403);
    decide("reinstate_author").await;
    let ann = app.sign_in("ann", PASSWORD).await;
    assert_eq!(types(&log(&ann).await)[..3], ["sign_in", "sign_in_failed", "create_post"], "while suspended");
}

#[tokio::test]
async fn rows_are_kept_as_long_as_the_parameter_says() {
    let app = TestApp::with(|options| set(options, "ActivityDays", "3")).await;
    let ann = app.user("ann").await;
    app.advance(2 * DAY);
    let ann = app.sign_in(&ann.username, PASSWORD).await;
    assert_eq!(types(&log(&ann).await), ["sign_in", "sign_in", "sign_up"]);
    app.advance(DAY);
    let ann = app.sign_in(&ann.username, PASSWORD).await;
    assert_eq!(types(&log(&ann).await), ["sign_in", "sign_in"]);

    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    app.advance(90 * DAY - Duration::from_secs(60));
    let ann = app.sign_in(&ann.username, PASSWORD).await;
    assert_eq!(types(&log(&ann).await), ["sign_in", "sign_in", "sign_up"]);
    app.advance(Duration::from_secs(60));
    assert_eq!(types(&log(&ann).await), ["sign_in"], "90 days, unless the parameter says otherwise");
}

/// Rows as acts would leave them, a second apart, newest first.
async fn acted(app: &TestApp, user: &User, kinds: &[ActivityType]) -> Vec<String> {
    let users = app_of(app, "users");
    let (owner, now): (UserId, _) = (user.id.parse().unwrap(), users.now());
    let rows = kinds.iter().enumerate().map(|(n, kind)| {
        let at = shared::clock::Timestamp::from_millis(now.millis() - 1_000 * (n as u64 + 1));
        Activity::new(ActivityId::new(at), *kind, None, Origin::default(), 90 * DAY)
    });
    let rows: Vec<_> = rows.collect();
    futures::future::join_all(rows.iter().map(|row| store::activity::add(&users, owner, row))).await;
    rows.iter().map(|row| row.id.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rare_type_is_found_page_by_page_at_a_bounded_cost() {
    let app = TestApp::with(|options| options.record_wire = true).await;
    let ann = app.user("ann").await;
    let mine = log(&ann).await.len();
    let kind = |n| match n {
        700 | 701 | 899 => ActivityType::ChangePassword,
        n if n % 7 == 0 => ActivityType::Follow,
        _ => ActivityType::LikePost,
    };
    let kinds: Vec<_> = (0..900).map(kind).collect();
    let made = acted(&app, &ann, &kinds).await;
    let of = |wanted: &[ActivityType]| -> Vec<String> {
        made.iter().zip(&kinds).filter(|(_, kind)| wanted.contains(kind)).map(|(id, _)| id.clone()).collect()
    };
    let all: Vec<_> = walk(&ann, "/activity-log?limit=33").await;
    let all: Vec<_> = all[mine..].iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(all, made);
    let wire = app.wire().unwrap();
    for (names, wanted) in [
        ("change_password", &[ActivityType::ChangePassword] as &[_]),
        ("follow", &[ActivityType::Follow]),
        ("change_password,follow", &[ActivityType::ChangePassword, ActivityType::Follow]),
        ("unfollow", &[]),
    ] {
        let (mut found, mut next, mut pages) = (Vec::new(), Some(format!("/activity-log?type={names}&limit=10")), 0);
        while let Some(path) = next {
            wire.take();
            let page = ann.get(&path).await.expect(200);
            let calls = wire.take();
            let units: f64 = calls.iter().map(|call| call.read_units).sum();
            assert!(calls.len() <= 5 && units <= 21.0, "{units} units, {} calls", calls.len());
            let items = page.items();
            assert!(items.len() <= 10);
            found.extend(items.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
            next = page.next();
            pages += 1;
        }
        assert_eq!(found, of(wanted), "{names}");
        assert!(pages <= 900 / 400 + 1 + found.len() / 10 + 1, "{names}: {pages}");
    }
    let first = ann.get("/activity-log?type=change_password").await.expect(200);
    assert_eq!(first.items(), Vec::<Value>::new());
    for wrong in ["sing_in", "follow,x", "follow%20"] {
        let refused = ann.get(&format!("/activity-log?type={wrong}")).await.expect(422);
        assert_eq!(refused.fields(), [("type".into(), "invalid".into())], "{wrong}");
    }
    app.anon().get("/activity-log").await.expect(401);
    // Nobody else's cursor is good for it.
    let bob = app.user("bob").await;
    let cursor = ann.get("/activity-log?limit=1").await.json()["next_cursor"].as_str().unwrap().to_owned();
    bob.get(&format!("/activity-log?cursor={cursor}")).await.expect(400).problem("invalid-cursor");
    assert_eq!(types(&log(&bob).await), ["sign_in", "sign_up"]);
}

/// Stands before DynamoDB and refuses what goes into a log.
#[derive(Default)]
struct Refuser {
    upstream: OnceLock<String>,
    http: Http,
}

impl Refuser {
    async fn forward(State(refuser): State<Arc<Self>>, request: Request) -> axum::response::Response {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let content_type = ("content-type", "application/x-amz-json-1.0");
        let target = parts.headers["x-amz-target"].to_str().unwrap();
        if target.ends_with("PutItem") && String::from_utf8_lossy(&body).contains("\"AL#") {
            let refusal = r#"{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "no"}"#;
            return answer(400, content_type, refusal.into());
        }
        let mut call = http::Request::post(refuser.upstream.get().unwrap());
        for name in ["authorization", "content-type", "x-amz-date", "x-amz-target"] {
            call = call.header(name, &parts.headers[name]);
        }
        let (head, body) = refuser.http.send(call.body(body).unwrap()).await.unwrap().into_parts();
        answer(head.status.as_u16(), content_type, body.into())
    }
}

fn answer(status: u16, (name, value): (&str, &str), body: Body) -> axum::response::Response {
    axum::response::Response::builder().status(status).header(name, value).body(body).unwrap()
}

#[tokio::test]
async fn a_write_is_answered_though_its_row_is_refused() {
    let refuser = Arc::new(Refuser::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(Refuser::forward).with_state(refuser.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let app = TestApp::with(|options| drop(options.environment.insert("AWS_ENDPOINT_URL_DYNAMODB".into(), url))).await;
    refuser.upstream.set(app.endpoints().dynamodb.clone()).unwrap();
    let ann = app.user("ann").await;
    let post = ann.post_text("Low tide.").await;
    ann.post(&format!("/posts/{post}/like"), None).await.expect(200);
    assert_eq!(ann.get(&format!("/posts/{post}")).await.json()["liked"], true);
    assert_eq!(log(&ann).await, Vec::<Value>::new());
}
