//! Reports, and what moderators make of them.

use crate::support::bulk::{app_of, people};
use crate::support::lists::{ids, page_ids, walk};
use crate::support::{Client, PASSWORD, Response, TestApp, User, set, set_moderator, token_in};
use emulators::data::Data;
use emulators::faults::{Death, Faults, Profile};
use emulators::lambda::InvokeError;
use futures::future::{join, join_all};
use local::Options;
use serde_json::{Value, json};
use shared::ids::UserId;
use std::time::Duration;
use tools::audit::Target;

/// A service whose first moderator is called warden.
fn moderated(options: &mut Options) {
    set_moderator(options, "warden");
}

async fn world() -> (TestApp, User) {
    let app = TestApp::with(moderated).await;
    let warden = app.moderator("warden").await;
    (app, warden)
}

async fn report(reporter: &Client, post: &str, reason: &str) -> Response {
    reporter.post(&format!("/posts/{post}/report"), json!({ "reason": reason })).await
}

/// The newest open report.
async fn newest(warden: &Client) -> String {
    page_ids(warden, "/reports").await.remove(0)
}

async fn decide(warden: &Client, report: &str, body: Value) -> Response {
    warden.patch(&format!("/reports/{report}"), body).await
}

fn resolved(action: &str) -> Value {
    json!({"status": "resolved", "action": action})
}

/// Has the post reported, and its author suspended; the report.
async fn suspend(warden: &Client, reporter: &Client, post: &str) -> String {
    report(reporter, post, "spam").await.expect(202);
    let report = newest(warden).await;
    decide(warden, &report, resolved("suspend_author")).await.expect(200);
    report
}

#[tokio::test]
async fn a_post_is_reported_once_a_person() {
    let (app, warden) = world().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let post = ann.post_text("Buy my gulls.").await;
    let comment = ann.comment(&post, "Cheap gulls!").await;
    let told =
        bob.post(&format!("/posts/{post}/report"), json!({"reason": "spam", "details": " Gulls\nagain. "})).await;
    let told = told.expect(202).json();
    // But for the log, which tells that it was sent again.
    let but_the_log = async || {
        let mut items = app.table().await;
        items.retain(|(pk, _), _| !pk.starts_with("AL#"));
        items
    };
    let before = but_the_log().await;
    let again = bob.post(&format!("/tweets/{post}/report"), json!({"reason": "hate"})).await.expect(202);
    assert_eq!(again.json(), told);
    assert_eq!(but_the_log().await, before, "a repeat adds nothing");
    report(&cid, &post, "self_harm").await.expect(202);
    report(&bob, &comment, "other").await.expect(202);
    ann.patch(&format!("/posts/{post}"), json!({"content": "Nothing to see."})).await.expect(200);
    let reports = warden.get("/reports").await.expect(200).items();
    let said: Vec<_> = reports.iter().map(|one| [&one["post_id"], &one["reporter_id"], &one["reason"]]).collect();
    assert_eq!(
        json!(said),
        json!([[comment, bob.id, "other"], [post, cid.id, "self_harm"], [post, bob.id, "spam"]]),
        "newest first"
    );
    let first = &reports[2];
    assert!(first["id"].as_str().unwrap().starts_with("rpt_"), "{first}");
    for (field, expected) in [
        ("author_id", json!(ann.id)),
        ("details", json!("Gulls\nagain.")),
        ("content", json!("Buy my gulls.")),
        ("status", json!("open")),
        ("action", Value::Null),
        ("handled_by", Value::Null),
        ("handled_at", Value::Null),
    ] {
        assert_eq!(first[field], expected, "{field}");
    }
    let one = warden.get(&format!("/reports/{}", first["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(&one.json(), first);

    let refused = report(&ann, &post, "spam").await.expect(422);
    assert_eq!(refused.fields(), [("id".into(), "oneself".into())]);
    for (body, field, code) in [
        (json!({"reason": "dull"}), "reason", "invalid"),
        (json!({"reason": "spam", "details": "x".repeat(1_001)}), "details", "too_long"),
    ] {
        let refused = bob.post(&format!("/posts/{post}/report"), body).await.expect(422);
        assert_eq!(refused.fields(), [(field.into(), code.into())]);
    }
    ann.delete(&format!("/posts/{post}")).await.expect(204);
    app.settle().await;
    report(&warden, &post, "spam").await.expect(404);
    assert_eq!(page_ids(&warden, "/reports").await.len(), 3, "reports are kept");
    app.audit().await;
}

#[tokio::test]
async fn reports_are_for_moderators() {
    let (app, warden) = world().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = ann.post_text("Low tide.").await;
    report(&bob, &post, "spam").await.expect(202);
    let id = newest(&warden).await;
    for (reader, status, slug) in [(&*bob, 403, "forbidden"), (&app.anon(), 401, "unauthorized")] {
        reader.get("/reports").await.expect(status).problem(slug);
        reader.get(&format!("/reports/{id}")).await.expect(status).problem(slug);
        decide(reader, &id, json!({"status": "dismissed"})).await.expect(status).problem(slug);
    }
    // The reported user learns nothing of it, a moderator no more than others.
    let own = warden.post_text("I look after you.").await;
    report(&bob, &own, "harassment").await.expect(202);
    assert_eq!(page_ids(&warden, "/reports").await, std::slice::from_ref(&id));
    let other: UserId = ann.id.parse().unwrap();
    assert!(shared::store::moderators::appoint(&app_of(&app, "users"), other, true).await.unwrap());
    let about_warden = newest(&ann).await;
    assert_eq!(page_ids(&ann, "/reports").await.len(), 1, "that of her own post is for the other");
    warden.get(&format!("/reports/{about_warden}")).await.expect(404);
    decide(&warden, &about_warden, json!({"status": "dismissed"})).await.expect(404);
    decide(&ann, &about_warden, json!({"status": "dismissed"})).await.expect(200);
    app.audit().await;
}

#[tokio::test]
async fn a_report_is_decided_once() {
    let (app, warden) = world().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let mut posts = Vec::new();
    for n in 0..5 {
        posts.push(ann.post_text(&format!("Number {n}")).await);
        report(&bob, &posts[n], "spam").await.expect(202);
    }
    let open = ids(&walk(&warden, "/reports?status=open&limit=2").await);
    assert_eq!(open, page_ids(&warden, "/reports").await);
    let first = warden.get(&format!("/reports/{}", open[0])).await.expect(200);
    let dismissed = decide(&warden, &open[0], json!({"status": "dismissed"})).await.expect(200).json();
    assert_eq!((&dismissed["status"], &dismissed["action"]), (&json!("dismissed"), &Value::Null));
    assert_eq!((&dismissed["handled_by"], dismissed["handled_at"].is_string()), (&json!(warden.id), true));
    let done = decide(&warden, &open[1], json!({"status": "resolved"})).await.expect(200).json();
    assert_eq!(page_ids(&warden, "/reports").await, open[2..]);
    assert_eq!(warden.get("/reports?status=dismissed").await.expect(200).items(), std::slice::from_ref(&dismissed));
    assert_eq!(warden.get("/reports?status=resolved").await.expect(200).items(), [done]);
    // The same again is the same as once; another decision comes too late.
    let again = decide(&warden, &open[0], json!({"status": "dismissed"})).await.expect(200).json();
    assert_eq!(again, dismissed);
    for body in [resolved("remove_post"), json!({"status": "resolved"}), resolved("reinstate_author")] {
        decide(&warden, &open[0], body).await.expect(409).problem("already-handled");
    }
    for (body, field, code) in [
        (json!({}), "status", "required"),
        (json!({"status": "open"}), "status", "invalid"),
        (json!({"status": "dismissed", "action": "remove_post"}), "action", "not_allowed"),
        (json!({"status": "resolved", "action": "applaud"}), "action", "invalid"),
        (resolved("reinstate_author"), "action", "not_suspended"),
    ] {
        let refused = decide(&warden, &open[2], body).await.expect(422);
        assert_eq!(refused.fields(), [(field.into(), code.into())]);
    }
    let stale = warden.patch(&format!("/reports/{}", open[2]), json!({"status": "dismissed"}));
    stale.header("if-match", "\"7-x\"").await.expect(412).problem("precondition-failed");
    let fresh = warden.patch(&format!("/reports/{}", open[2]), json!({"status": "dismissed"}));
    fresh.header("if-match", first.header("etag")).await.expect(200);
    warden.get("/reports?status=nonsense").await.expect(422);
    app.audit().await;
}

#[tokio::test]
async fn a_removed_post_goes_as_if_its_author_had_deleted_it() {
    let (app, warden) = world().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    bob.follow(&ann).await;
    let (bad, good) = (ann.post_text("Bad. #gulls").await, ann.post_text("Good. #gulls").await);
    let comment = bob.comment(&good, "A bad comment.").await;
    ann.comment(&comment, "A reply.").await;
    bob.post(&format!("/posts/{bad}/like"), None).await.expect(200);
    bob.comment(&bad, "Indeed.").await;
    app.settle().await;
    for (reporter, post) in [(&bob, &bad), (&ann, &comment)] {
        report(reporter, post, "hate").await.expect(202);
        report(&warden, post, "hate").await.expect(202);
        let reports = page_ids(&warden, "/reports").await;
        decide(&warden, &reports[0], resolved("remove_post")).await.expect(200);
        for reader in [&ann, &bob] {
            reader.get(&format!("/posts/{post}")).await.expect(404);
        }
        // The other report of it: there is nothing left to remove.
        decide(&warden, &reports[1], resolved("remove_post")).await.expect(200);
    }
    app.settle().await;
    assert_eq!(ann.get("/users/ann").await.expect(200).json()["posts_count"], 1);
    assert_eq!(bob.feed().await, std::slice::from_ref(&good));
    assert_eq!(ids(&walk(&bob, "/posts/search?hashtag=gulls").await), std::slice::from_ref(&good));
    let seen = bob.get(&format!("/posts/{good}")).await.expect(200).json();
    assert_eq!(seen["comments_count"], 0);
    let left = app.table().await;
    let left: Vec<_> = left.keys().filter(|(pk, sk)| pk.starts_with("LK#") || sk.starts_with("R#")).collect();
    assert!(left.is_empty(), "{left:?}");
    app.audit().await;
}

/// What nobody may see or do of a suspended account, in the very next request.
async fn is_out(app: &TestApp, gone: &User, reader: &User, post: &str, comment: &str) {
    for path in ["/users", "/feed", "/notifications", "/users/sessions"] {
        gone.get(path).await.expect(401).problem("unauthorized");
    }
    gone.post("/posts", json!({"content": "Still here."})).await.expect(401);
    app.anon().post("/users/refresh", json!({"refresh_token": gone.refresh_token})).await.expect(401);
    for name in [&gone.username, &gone.email] {
        let login = |password: &str| app.anon().post("/login", json!({"email": name, "password": password}));
        if name.contains('@') {
            login(PASSWORD).await.expect(403).problem("account-suspended");
            login("not the password").await.expect(401).problem("invalid-credentials");
        }
    }
    for path in [
        format!("/users/{}", gone.id),
        format!("/users/{}", gone.username),
        format!("/users/{}/posts", gone.id),
        format!("/users/{}/followers", gone.id),
        format!("/posts/{post}"),
        format!("/posts/{post}/comments"),
        format!("/posts/{post}/likes"),
        format!("/posts/{comment}"),
    ] {
        reader.get(&path).await.expect(404).problem("not-found");
        app.anon().get(&path).await.expect(404).problem("not-found");
    }
    reader.post(&format!("/posts/{post}/like"), None).await.expect(404);
    reader.post(&format!("/posts/{post}/comments"), json!({"content": "?"})).await.expect(404);
    report(reader, post, "spam").await.expect(404);
    reader.post(&format!("/users/{}/follow", gone.id), None).await.expect(404);
}

#[tokio::test]
async fn a_suspended_account_is_out_at_once_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let options = |options: &mut Options| {
        moderated(options);
        set(options, "PublicReading", "on");
        options.data = Data::Dir(folder.path().to_owned());
    };
    let app = TestApp::with(options).await;
    let warden = app.moderator("warden").await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let desk = app.sign_in("ann", PASSWORD).await;
    bob.follow(&ann).await;
    app.settle().await;
    let (post, bobs) = (ann.post_text("Bad gulls. #gulls").await, bob.post_text("Good gulls. #gulls").await);
    let comment = ann.comment(&bobs, "Bad comment.").await;
    let below = bob.comment(&post, "Below it.").await;
    for liked in [&post, &bobs] {
        bob.post(&format!("/posts/{liked}/like"), None).await.expect(200);
        ann.post(&format!("/posts/{liked}/like"), None).await.expect(200);
    }
    app.anon().post("/users/password/forgot", json!({"email": ann.email})).await.expect(202);
    let reset = token_in(&app.mail_to(&ann.email, "new password").await);
    app.settle().await;
    report(&bob, &comment, "hate").await.expect(202);
    let other_report = newest(&warden).await;
    let id = suspend(&warden, &bob, &post).await;
    is_out(&app, &ann, &bob, &post, &comment).await;
    desk.get("/users").await.expect(401);
    // What stands below is reached no more either, but stays its author's.
    bob.get(&format!("/posts/{below}")).await.expect(404);
    // Suspended already: this one is resolved all the same.
    decide(&warden, &other_report, resolved("suspend_author")).await.expect(200);
    // A new password is set, and opens nothing.
    let new = "auk under the cliff";
    app.anon().post("/users/password/reset", json!({"token": reset, "password": new})).await.expect(204);
    let login = || app.anon().post("/login", json!({"username": "ann", "password": new}));
    login().await.expect(403).problem("account-suspended");
    app.settle().await;
    app.audit().await;
    app.stop().await;

    // Another start knows no cards.
    let app = TestApp::with(options).await;
    let again = |user: &User| app.anon().with_token(user.token());
    let (bob, warden) = (again(&bob), again(&warden));
    assert_eq!(bob.feed().await, [""; 0]);
    assert_eq!(page_ids(&bob, "/posts/liked").await, std::slice::from_ref(&bobs));
    assert_eq!(page_ids(&bob, &format!("/posts/{bobs}/comments")).await, [""; 0]);
    assert_eq!(walk(&bob, &format!("/posts/{bobs}/likes")).await.len(), 1);
    assert_eq!(ids(&walk(&bob, "/posts/search?hashtag=gulls").await), std::slice::from_ref(&bobs));
    assert_eq!(walk(&bob, "/users/me/following").await.len(), 0);

    let back = decide(&warden, &id, resolved("reinstate_author")).await.expect(200).json();
    assert_eq!((&back["status"], &back["action"]), (&json!("resolved"), &json!("reinstate_author")));
    decide(&warden, &id, resolved("suspend_author")).await.expect(409).problem("already-handled");
    let ann = app.sign_in("ann", new).await;
    // At once, though this environment has kept the card as suspended.
    ann.post_text("Sorry.").await;
    for path in [format!("/posts/{post}"), format!("/posts/{below}"), format!("/users/{}", ann.id)] {
        bob.get(&path).await.expect(200);
        app.anon().get(&path).await.expect(200);
    }
    app.settle().await;
    app.audit().await;
    let entries: Vec<_> = app.table().await.into_iter().filter(|((pk, _), _)| pk.starts_with("ML#")).collect();
    let acts: Vec<_> = entries.iter().map(|(_, entry)| entry["act"]["S"].as_str().unwrap()).collect();
    assert_eq!(acts, ["appoint_moderator", "suspend_author", "suspend_author", "reinstate_author"]);
    let (_, entry) = &entries[1];
    for (field, expected) in [("by", &warden_id(&entries[0].1)), ("user", &ann.id), ("post", &post), ("report", &id)] {
        assert_eq!(entry[field]["S"], **expected, "{field}");
    }
}

fn warden_id(appointed: &Value) -> String {
    appointed["user"]["S"].as_str().unwrap().to_owned()
}

/// A sign-in at the moment of the suspension leaves no session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_outlives_a_suspension() {
    let (app, warden) = world().await;
    let bob = app.user("bob").await;
    for round in 0..6 {
        let name = format!("ann_{round}");
        let post = app.user(&name).await.post_text("Bad.").await;
        report(&bob, &post, "spam").await.expect(202);
        let report = newest(&warden).await;
        let sign_in = || app.anon().post("/login", json!({"username": name, "password": PASSWORD})).into_future();
        let suspended = warden.patch(&format!("/reports/{report}"), resolved("suspend_author"));
        let (suspended, answers) = join(suspended.into_future(), join_all((0..6).map(|_| sign_in()))).await;
        suspended.expect(200);
        for answer in answers {
            match answer.status {
                200 => {
                    let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
                    app.anon().with_token(&token).get("/users").await.expect(401);
                }
                403 => drop(answer.problem("account-suspended")),
                status => panic!("{status}: {}", answer.text()),
            }
        }
    }
    app.settle().await;
    app.audit().await;
}

/// An edit of the profile, a post and a refresh at the moment of the suspension.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_under_way_brings_nothing_back() {
    let (app, warden) = world().await;
    let bob = app.user("bob").await;
    for round in 0..6 {
        let ann = app.user(&format!("ann_{round}")).await;
        let post = ann.post_text("Bad.").await;
        report(&bob, &post, "spam").await.expect(202);
        let report = newest(&warden).await;
        let suspended = warden.patch(&format!("/reports/{report}"), resolved("suspend_author")).into_future();
        let refresh = app.anon().post("/users/refresh", json!({"refresh_token": ann.refresh_token})).into_future();
        let others = [
            ann.patch("/users", json!({"bio": "Still here."})).into_future(),
            ann.post("/posts", json!({"content": "Still here."})).into_future(),
            refresh,
        ];
        let (suspended, answers) = join(suspended, join_all(others)).await;
        suspended.expect(200);
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201 | 401 | 412)));
        if let Some(token) = answers[2].status.eq(&200).then(|| answers[2].json()) {
            app.anon().with_token(token["access_token"].as_str().unwrap()).get("/users").await.expect(401);
            let body = json!({"refresh_token": token["refresh_token"]});
            app.anon().post("/users/refresh", body).await.expect(401);
        }
        bob.get(&format!("/users/{}", ann.id)).await.expect(404);
        if answers[1].status == 201 {
            bob.get(&format!("/posts/{}", answers[1].json()["id"].as_str().unwrap())).await.expect(404);
        }
    }
    app.settle().await;
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_moderators_one_decides() {
    let (app, warden) = world().await;
    let other = people(&app, "other", 1).await.remove(0);
    shared::store::moderators::appoint(&app_of(&app, "users"), other.id, true).await.unwrap();
    let bob = app.user("bob").await;
    warden.get("/reports").await.expect(200);
    for (round, ours) in ["remove_post", "suspend_author", "remove_post", "suspend_author"].iter().enumerate() {
        let ann = app.user(&format!("ann_{round}")).await;
        let post = ann.post_text("Bad.").await;
        report(&bob, &post, "spam").await.expect(202);
        let report = newest(&other).await;
        let path = format!("/reports/{report}");
        let theirs = other.patch(&path, json!({"status": "dismissed"})).into_future();
        let (ours, theirs) = join(warden.patch(&path, resolved(ours)).into_future(), theirs).await;
        let mut statuses = [ours.status, theirs.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
        let loser = if ours.status == 409 { &ours } else { &theirs };
        loser.problem("already-handled");
        let seen = bob.get(&format!("/posts/{post}")).await;
        assert_eq!(seen.status, if ours.status == 200 { 404 } else { 200 });
    }
    // Two reports of one author, resolved at once: both are, and it happens once.
    let ann = app.user("ann_again").await;
    let mut reports = Vec::new();
    for n in 0..2 {
        let post = ann.post_text(&format!("Bad {n}")).await;
        report(&bob, &post, "spam").await.expect(202);
        reports.push(newest(&warden).await);
    }
    let both = [(&*warden, &reports[0]), (&other.client, &reports[1])];
    let both = both.map(|(by, report)| decide(by, report, resolved("suspend_author")));
    join_all(both).await.into_iter().for_each(|answer| drop(answer.expect(200)));
    app.settle().await;
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspension_holds_at_once_when_reads_are_stale() {
    let app = TestApp::with(|options| {
        moderated(options);
        set(options, "PublicReading", "on");
        options.faults = Some(Faults::new(Profile::Stale));
    })
    .await;
    let (warden, ann, bob) = (app.moderator("warden").await, app.user("ann").await, app.user("bob").await);
    let post = ann.post_text("Bad.").await;
    let comment = bob.post_text("Good.").await;
    let comment = ann.comment(&comment, "Bad.").await;
    app.settle().await;
    // All caches know the author.
    for path in [format!("/posts/{post}"), format!("/posts/{comment}"), format!("/users/{}", ann.id)] {
        bob.get(&path).await.expect(200);
        app.anon().get(&path).await.expect(200);
    }
    let id = suspend(&warden, &bob, &post).await;
    assert_eq!(page_ids(&warden, "/reports").await, [""; 0]);
    is_out(&app, &ann, &bob, &post, &comment).await;
    decide(&warden, &id, resolved("reinstate_author")).await.expect(200);
    app.sign_in("ann", PASSWORD).await;
    bob.get(&format!("/posts/{post}")).await.expect(200);
}

/// One transaction: whatever dies at it, all of it is done or nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moderator_s_request_that_dies_leaves_all_or_nothing() {
    let app = TestApp::with(|options| {
        moderated(options);
        options.faults = Some(Faults::new(Profile::Redelivery));
    })
    .await;
    let (warden, bob) = (app.moderator("warden").await, app.user("bob").await);
    let mut done = 0;
    for (round, action) in ["remove_post", "suspend_author", "reinstate_author"].iter().enumerate() {
        for after_calls in 0..8 {
            for after in [false, true] {
                let name = format!("ann_{round}_{after_calls}_{after}");
                let author = people(&app, &name, 1).await.remove(0);
                let post = author.post_text("Bad.").await;
                report(&bob, &post, "spam").await.expect(202);
                let report = newest(&warden).await;
                if *action == "reinstate_author" {
                    decide(&warden, &report, resolved("suspend_author")).await.expect(200);
                }
                let event = event(&warden, &format!("/reports/{report}"), &resolved(action));
                let death = app.invoke_killed("posts", &event, Death { after_calls, done: after }).await;
                assert!(matches!(death, Ok(()) | Err(InvokeError::Killed)), "{death:?}");
                let now = warden.get(&format!("/reports/{report}")).await.expect(200).json();
                let is_done = now["action"] == **action;
                done += usize::from(is_done && death.is_err());
                let seen = bob.get(&format!("/posts/{post}")).await.status;
                let gone = is_done != (*action == "reinstate_author");
                assert_eq!(seen, if gone { 404 } else { 200 }, "{action} {after_calls} {after}");
                // And again it is done, if it was not.
                decide(&warden, &report, resolved(action)).await.expect(200);
            }
        }
    }
    assert!(done > 0, "none died after it was done");
    app.settle().await;
    app.audit().await;
}

/// A request as API Gateway hands it on.
fn event(by: &Client, path: &str, body: &Value) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../events/http-posts-create-stage-api.json")).unwrap();
    event["rawPath"] = path.into();
    event["headers"]["authorization"] = format!("Bearer {}", by.token()).into();
    event["body"] = body.to_string().into();
    event["requestContext"]["stage"] = "$default".into();
    event["requestContext"]["http"]["method"] = "PATCH".into();
    event["requestContext"]["http"]["path"] = path.into();
    event
}

#[tokio::test]
async fn a_name_gives_the_role_once() {
    const MONTH: Duration = Duration::from_secs(31 * 24 * 3600);
    let (app, warden) = world().await;
    let other = app.user("other").await;
    other.get("/reports").await.expect(403);
    warden.get("/reports").await.expect(200);
    warden.patch("/users", json!({"username": "ranger"})).await.expect(200);
    warden.get("/reports").await.expect(200);
    app.advance(MONTH);
    let other = app.sign_in("other", PASSWORD).await;
    other.patch("/users", json!({"username": "warden"})).await.expect(200);
    other.get("/reports").await.expect(403);
    app.sign_in("ranger", PASSWORD).await.get("/reports").await.expect(200);
    app.audit().await;
}

#[tokio::test]
async fn whoever_runs_the_service_names_moderators() {
    let folder = tempfile::tempdir().unwrap();
    let host = || TestApp::with(|options| options.data = Data::Dir(folder.path().to_owned()));
    let target = Target::Folder(folder.path().to_owned());
    let appoint = async |name: &str, is_moderator| tools::accounts::appoint(&target, name, is_moderator).await;
    assert!(appoint("gull", true).await.unwrap_err().to_string().contains("is no data folder"));
    let app = host().await;
    let gull = app.user("gull").await;
    gull.get("/reports").await.expect(403);
    // While the host runs.
    assert!(appoint("@Gull", true).await.unwrap());
    assert!(!appoint("gull", true).await.unwrap());
    gull.get("/reports").await.expect(200);
    assert_eq!(appoint("tern", true).await.unwrap_err().to_string(), "nobody is called tern");
    app.stop().await;
    // And while none does.
    assert!(appoint("gull", false).await.unwrap());
    assert!(!appoint("gull", false).await.unwrap());
    let app = host().await;
    app.anon().with_token(gull.token()).get("/reports").await.expect(403);
    app.audit().await;
}
