//! Notifications and the mails beside them.

use crate::support::bulk::people;
use crate::support::lists::{ids, page_ids, walk};
use crate::support::{Client, TestApp, User, set, set_moderator, token_in};
use futures::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

async fn list(user: &Client) -> Vec<Value> {
    user.get("/notifications").await.expect(200).items()
}

async fn unread(user: &Client) -> u64 {
    let answer = user.get("/notifications/unread-count").await.expect(200).json();
    answer["unread_count"].as_u64().expect("a count")
}

async fn read(user: &Client, what: Value) -> u64 {
    let answer = user.post("/notifications/read", what).await.expect(200).json();
    answer["unread_count"].as_u64().expect("a count")
}

async fn follow_mails(app: &TestApp, user: &User) -> usize {
    app.mails_to(&user.email).await.iter().filter(|mail| mail.subject.contains("follows you")).count()
}

fn names(notification: &Value) -> Vec<&str> {
    let actors = notification["actors"].as_array().expect("actors");
    actors.iter().map(|actor| actor["username"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn followers_and_likers_are_told_of() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = ann.post_text("Low tide.").await;
    assert_eq!((list(&ann).await, unread(&ann).await), (Vec::new(), 0));
    bob.follow(&ann).await;
    app.settle().await;
    bob.post(&format!("/posts/{post}/like"), None).await.expect(200);
    app.settle().await;
    let found = list(&ann).await;
    let card = json!([{"id": bob.id, "username": "bob", "full_name": null, "avatar_url": null}]);
    for (notification, kind, post) in [(&found[0], "like", json!(post)), (&found[1], "follow", Value::Null)] {
        assert_eq!(notification["kind"], kind);
        assert_eq!((&notification["post_id"], &notification["actors"]), (&post, &card));
        assert_eq!((&notification["actors_count"], &notification["read"]), (&json!(1), &json!(false)));
        assert_eq!(notification["created_at"], notification["updated_at"]);
        assert!(notification["id"].as_str().unwrap().starts_with("ntf_"));
    }
    assert_eq!((found.len(), unread(&ann).await), (2, 2));
    assert_eq!((list(&bob).await, unread(&bob).await), (Vec::new(), 0));
    // Taken back and done again is no news.
    for state in ["unfollow", "follow"] {
        bob.post(&format!("/users/ann/{state}"), None).await.expect(200);
        app.settle().await;
    }
    assert_eq!((list(&ann).await, follow_mails(&app, &ann).await), (found, 1));
}

#[tokio::test]
async fn what_was_undone_before_the_telling_is_not_told() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = ann.post_text("Low tide.").await;
    app.pause_workers().await;
    bob.follow(&ann).await;
    bob.delete("/users/ann/follow").await.expect(200);
    bob.post(&format!("/posts/{post}/like"), None).await.expect(200);
    bob.post(&format!("/posts/{post}/unlike"), None).await.expect(200);
    app.resume_workers().await;
    app.settle().await;
    assert_eq!((list(&ann).await, unread(&ann).await, follow_mails(&app, &ann).await), (Vec::new(), 0, 0));
}

#[tokio::test]
async fn alike_ones_are_grouped_while_unread() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let users = people(&app, "user", 6).await;
    let posts = [ann.post_text("One.").await, ann.post_text("Two.").await];
    for user in &users[..5] {
        user.post(&format!("/posts/{}/like", posts[0]), None).await.expect(200);
        app.settle().await;
    }
    users[0].post(&format!("/posts/{}/like", posts[1]), None).await.expect(200);
    app.settle().await;
    let found = list(&ann).await;
    assert_eq!((found.len(), unread(&ann).await), (2, 2), "one a post");
    assert_eq!((&found[0]["post_id"], &found[1]["post_id"]), (&json!(posts[1]), &json!(posts[0])));
    assert_eq!((names(&found[1]), &found[1]["actors_count"]), (vec!["user4", "user3", "user2"], &json!(5)));
    assert!(found[1]["updated_at"].as_str() > found[1]["created_at"].as_str());
    // Single events, oldest first.
    let events = walk(&ann, &format!("/notifications?after={}&limit=2", found[1]["id"].as_str().unwrap())).await;
    let actors: Vec<_> = events.iter().map(|event| event["actor"]["username"].as_str().unwrap()).collect();
    assert_eq!(actors, ["user1", "user2", "user3", "user4", "user0"]);
    for event in &events[..4] {
        assert_eq!((&event["notification_id"], &event["post_id"]), (&found[1]["id"], &json!(posts[0])));
    }
    let last = events[4]["id"].as_str().unwrap();
    assert_eq!(page_ids(&ann, &format!("/notifications?after={last}")).await, [""; 0]);
    // What is read is not joined, and neither is what is older than a day.
    assert_eq!(read(&ann, json!({"ids": [events[2]["id"]]})).await, 1);
    users[5].post(&format!("/posts/{}/like", posts[0]), None).await.expect(200);
    app.settle().await;
    let found = list(&ann).await;
    assert_eq!((found.len(), names(&found[0])), (3, vec!["user5"]));
    app.advance(Duration::from_secs(25 * 3600));
    let ann = app.sign_in("ann", crate::support::PASSWORD).await;
    let late = app.user("late").await;
    late.post(&format!("/posts/{}/like", posts[0]), None).await.expect(200);
    app.settle().await;
    assert_eq!((list(&ann).await.len(), unread(&ann).await), (4, 3));
}

#[tokio::test]
async fn the_latest_comment_is_named_unless_it_is_of_somebody_muted() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let post = ann.post_text("Low tide.").await;
    let mut comments = Vec::new();
    for user in [&bob, &cid] {
        comments.push(user.comment(&post, "Is it?").await);
        app.settle().await;
    }
    let before = list(&ann).await;
    assert_eq!((before.len(), names(&before[0])), (1, vec!["cid", "bob"]));
    assert_eq!((&before[0]["actors_count"], &before[0]["comment_id"]), (&json!(2), &json!(comments[1])));
    ann.post("/users/cid/mute", None).await.expect(200);
    let muted = list(&ann).await;
    assert_eq!((muted.len(), names(&muted[0])), (1, vec!["bob"]));
    assert_eq!((&muted[0]["actors_count"], &muted[0]["comment_id"]), (&json!(1), &json!(comments[0])));
    ann.delete("/users/cid/mute").await.expect(200);
    assert_eq!(list(&ann).await, before);
}

#[tokio::test]
async fn reading_some_or_all() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    for _ in 0..7 {
        let post = ann.post_text("Low tide.").await;
        bob.post(&format!("/posts/{post}/like"), None).await.expect(200);
        app.settle().await;
    }
    let all = page_ids(&ann, "/notifications").await;
    assert_eq!((all.len(), unread(&ann).await), (7, 7));
    assert_eq!(ids(&walk(&ann, "/notifications?limit=2").await), all);
    for _ in 0..2 {
        assert_eq!(read(&ann, json!({"ids": [all[1], all[4]]})).await, 5, "twice is the same as once");
    }
    let is_read = |found: &[Value]| found.iter().map(|one| one["read"] == true).collect::<Vec<_>>();
    assert_eq!(is_read(&list(&ann).await), [false, true, false, false, true, false, false]);
    let left: Vec<_> = [0, 2, 3, 5, 6].map(|place: usize| all[place].clone()).into();
    assert_eq!(page_ids(&ann, "/notifications?unread=true").await, left);
    assert_eq!(ids(&walk(&ann, "/notifications?unread=true&limit=2").await), left);
    let events = page_ids(&ann, &format!("/notifications?after={}&unread=true", all[4])).await;
    assert_eq!(events, [all[3].clone(), all[2].clone(), all[0].clone()]);
    // Others' ids and unknown ones do nothing.
    assert_eq!(read(&bob, json!({"ids": all})).await, 0);
    assert_eq!(unread(&ann).await, 5);
    assert_eq!(read(&ann, json!({"ids": ["ntf_01K9ZP2D7V3T8Q6M5N4C1B0A9Z"]})).await, 5);
    assert_eq!(read(&ann, json!({"all": true})).await, 0);
    assert_eq!(is_read(&list(&ann).await), [true; 7]);
    assert_eq!(page_ids(&ann, "/notifications?unread=true").await, [""; 0]);
    // And the next one is unread again.
    bob.follow(&ann).await;
    app.settle().await;
    assert_eq!((unread(&ann).await, page_ids(&ann, "/notifications?unread=1").await.len()), (1, 1));
}

#[tokio::test]
async fn what_says_nothing_to_read_is_refused() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let id = "ntf_01K9ZP2D7V3T8Q6M5N4C1B0A9Z";
    for (body, field, code) in [
        (json!({}), "ids", "required"),
        (json!({"all": false}), "ids", "required"),
        (json!({"ids": null}), "ids", "required"),
        (json!({"ids": [id], "all": true}), "all", "conflict"),
        (json!({"ids": ["usr_1"]}), "ids", "invalid_id"),
        (json!({"ids": id}), "ids", "wrong_type"),
        (json!({"ids": vec![id; 101]}), "ids", "too_many"),
        (json!({"all": "yes"}), "all", "wrong_type"),
    ] {
        let refused = ann.post("/notifications/read", body.clone()).await.expect(422);
        assert!(refused.fields().contains(&(field.into(), code.into())), "{body}: {}", refused.text());
    }
    for (query, field) in [("unread=maybe", "unread"), ("after=yesterday", "after"), ("limit=0", "limit")] {
        let refused = ann.get(&format!("/notifications?{query}")).await.expect(422);
        assert_eq!(refused.fields()[0].0, field);
    }
}

#[tokio::test]
async fn a_count_is_right_while_others_like_and_i_read() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let users = people(&app, "user", 8).await;
    let posts = [ann.post_text("One.").await, ann.post_text("Two.").await, ann.post_text("Three.").await];
    let liking =
        join_all((0..24).map(|n| users[n % 8].post(&format!("/posts/{}/like", posts[n / 8]), None).into_future()));
    let reading =
        async {
            for round in 0..12 {
                match round % 3 {
                    0 => read(&ann, json!({"all": true})).await,
                    _ => read(
                        &ann,
                        json!({"ids": page_ids(&ann, "/notifications").await.first().into_iter().collect::<Vec<_>>()}),
                    )
                    .await,
                };
            }
        };
    futures::future::join(liking, reading).await;
    app.settle().await;
    let found = walk(&ann, "/notifications").await;
    let left = found.iter().filter(|one| one["read"] == false).count() as u64;
    assert_eq!(unread(&ann).await, left);
    let told: u64 = found.iter().map(|one| one["actors_count"].as_u64().unwrap()).sum();
    assert_eq!(told, 24, "each like once");
    assert_eq!(walk(&ann, "/notifications?after=ntf_00000000000000000000000000&limit=5").await.len(), 24);
    assert_eq!(read(&ann, json!({"all": true})).await, 0);
}

#[tokio::test]
async fn a_mail_tells_of_a_follower_until_it_is_no_more_wanted() {
    let app = TestApp::with(|options| {
        set(options, "PublicUrl", "https://perch.example/api");
        set(options, "MailFrom", "hello@perch.example");
        set(options, "MailName", "Perch, the network");
    })
    .await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    app.pause_workers().await;
    bob.post("/users/ann/follow", None).header("host", "evil.example").await.expect(200);
    app.resume_workers().await;
    app.settle().await;
    let mail = app.mail_to(&ann.email, "@bob follows you").await;
    let from = r#""Perch, the network" <hello@perch.example>"#;
    assert_eq!((mail.to.as_slice(), mail.from.as_str()), (&[ann.email.clone()][..], from));
    // The set that the template makes: it counts bounces, and keeps mails from addresses that bounced.
    assert_eq!(mail.configuration_set.as_deref(), Some("MailSending"));
    let link = format!("https://perch.example/api/users/unsubscribe?token={}", token_in(&mail));
    assert_eq!(mail.headers.get("List-Unsubscribe"), Some(&format!("<{link}>")), "{:?}", mail.headers);
    assert_eq!(mail.headers.get("List-Unsubscribe-Post").map(String::as_str), Some("List-Unsubscribe=One-Click"));
    assert!(mail.text.contains(&link) && mail.text.contains("https://perch.example/api/users/bob"), "{}", mail.text);
    assert!(!mail.text.contains("evil") && !mail.html.contains("evil"));
    // The page changes nothing by itself, for programs follow links.
    let path = link.trim_start_matches("https://perch.example").to_owned();
    let page = app.anon().get(&path).await.expect(200);
    assert!(page.header("content-type").starts_with("text/html") && page.text().contains("<form"), "{}", page.text());
    assert_eq!(ann.get("/users/settings").await.json()["notify"]["follow"]["mail"], true);
    let one_click = "application/x-www-form-urlencoded";
    for _ in 0..2 {
        app.anon().post(&path, None).body(one_click, "List-Unsubscribe=One-Click").await.expect(200);
    }
    assert_eq!(
        ann.get("/users/settings").await.json()["notify"]["follow"],
        json!({"live": true, "list": true, "mail": false})
    );
    cid.follow(&ann).await;
    app.settle().await;
    assert_eq!((follow_mails(&app, &ann).await, unread(&ann).await), (1, 1));
    assert_eq!(names(&list(&ann).await[0]), ["cid", "bob"], "the list goes on");
    for broken in ["", "x", &path[path.len() - 20..], &format!("{}A", token_in(&mail))] {
        for answer in [
            app.anon().get(&format!("/users/unsubscribe?token={broken}")).await,
            app.anon().post(&format!("/users/unsubscribe?token={broken}"), None).await,
        ] {
            assert!([400, 422].contains(&answer.status), "{broken}: {} {}", answer.status, answer.text());
        }
    }
}

#[tokio::test]
async fn settings_say_what_is_told_and_how() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let change =
        |follow: Value, like: Value| ann.patch("/users/settings", json!({"notify": {"follow": follow, "like": like}}));
    change(json!({"list": false}), json!({"list": false})).await.expect(200);
    let post = ann.post_text("Low tide.").await;
    bob.follow(&ann).await;
    bob.post(&format!("/posts/{post}/like"), None).await.expect(200);
    app.settle().await;
    assert_eq!((list(&ann).await, unread(&ann).await, follow_mails(&app, &ann).await), (Vec::new(), 0, 1));
    change(json!({"list": true, "mail": false}), json!({"list": true})).await.expect(200);
    cid.follow(&ann).await;
    cid.post(&format!("/posts/{post}/like"), None).await.expect(200);
    app.settle().await;
    let found = list(&ann).await;
    assert_eq!((found.len(), follow_mails(&app, &ann).await), (2, 1));
    assert!(found.iter().all(|one| names(one) == ["cid"]), "what was not wanted stays untold: {found:?}");
}

#[tokio::test]
async fn a_message_that_comes_again_tells_and_mails_once() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = ann.post_text("Low tide.").await;
    app.settle().await;
    app.pause_workers().await;
    bob.follow(&ann).await;
    bob.post(&format!("/posts/{post}/like"), None).await.expect(200);
    app.dispatch(&app.stream().await, 100).await;
    let messages = app.take_messages("NOTIFY_QUEUE_URL").await;
    assert!(messages.len() >= 2, "{messages:?}");
    app.resume_workers().await;
    app.settle().await;
    let (told, mails) = (list(&ann).await, app.mails().await.len());
    assert_eq!((told.len(), follow_mails(&app, &ann).await), (2, 1));
    for _ in 0..3 {
        app.send_messages("NOTIFY_QUEUE_URL", &messages).await;
        app.settle().await;
    }
    assert_eq!((list(&ann).await, unread(&ann).await, app.mails().await.len()), (told, 2, mails));
    // In one event too.
    app.pause_workers().await;
    app.work("notify", &[messages.clone(), messages].concat()).await;
    assert_eq!((unread(&ann).await, app.mails().await.len()), (2, mails));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_comes_several_times_at_once_mails_once() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    app.settle().await;
    app.pause_workers().await;
    // A follow's mail, and the one that verifies an address.
    app.user("bob").await.follow(&ann).await;
    app.dispatch(&app.stream().await, 100).await;
    let messages = app.take_messages("NOTIFY_QUEUE_URL").await;
    join_all((0..6).map(|_| app.work("notify", &messages))).await;
    assert_eq!(follow_mails(&app, &ann).await, 1);
    assert_eq!(app.mails_to("bob@example.com").await.len(), 1);
    assert_eq!(unread(&ann).await, 1);
}

#[tokio::test]
async fn a_stranger_gets_few_mails_until_the_address_is_verified() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let users = people(&app, "user", 6).await;
    for user in &users[..5] {
        user.post("/users/ann/follow", None).await.expect(200);
    }
    app.settle().await;
    assert_eq!((follow_mails(&app, &ann).await, list(&ann).await[0]["actors_count"].clone()), (3, json!(5)));
    let token = token_in(&app.mail_to(&ann.email, "verify").await);
    app.anon().post("/users/verify", json!({"token": token})).await;
    users[5].post("/users/ann/follow", None).await.expect(200);
    app.settle().await;
    assert_eq!(follow_mails(&app, &ann).await, 4);
}

#[tokio::test]
async fn no_mail_tells_what_somebody_did_who_is_suspended_since() {
    let app = TestApp::with(|options| set_moderator(options, "warden")).await;
    let (ann, bob, warden) = (app.user("ann").await, app.user("bob").await, app.moderator("warden").await);
    let spam = bob.post_text("Buy my gulls.").await;
    ann.post(&format!("/posts/{spam}/report"), json!({"reason": "spam"})).await.expect(202);
    app.settle().await;
    app.pause_workers().await;
    bob.follow(&ann).await;
    let report = page_ids(&warden, "/reports").await.remove(0);
    let decision = json!({"status": "resolved", "action": "suspend_author"});
    warden.patch(&format!("/reports/{report}"), decision).await.expect(200);
    app.resume_workers().await;
    app.settle().await;
    assert_eq!(follow_mails(&app, &ann).await, 0);
}

#[tokio::test]
async fn comments_are_told_each_and_their_authors_counted_once() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let post = ann.post_text("Low tide.").await;
    let mut comments = Vec::new();
    for (who, text) in [(&bob, "One."), (&bob, "Two, @ann."), (&cid, "Three."), (&ann, "My own, @bob.")] {
        comments.push(who.comment(&post, text).await);
        app.settle().await;
    }
    let found = list(&ann).await;
    assert_eq!((found.len(), unread(&ann).await), (1, 1), "one who is told of a comment is not told that it names her");
    assert_eq!((&found[0]["kind"], names(&found[0])), (&json!("comment"), vec!["cid", "bob"]));
    assert_eq!((&found[0]["post_id"], &found[0]["comment_id"]), (&json!(post), &json!(comments[2])));
    assert_eq!(found[0]["actors_count"], 2, "of three comments");
    let events = walk(&ann, &format!("/notifications?after={}", found[0]["id"].as_str().unwrap())).await;
    let told: Vec<_> = events.iter().map(|event| event["comment_id"].clone()).collect();
    assert_eq!(told, [json!(comments[1]), json!(comments[2])]);
    // Bob is told of Ann's as a mention, and of a reply to his own.
    let reply = cid.comment(&comments[0], "A reply.").await;
    app.settle().await;
    let found = list(&bob).await;
    let told: Vec<_> = found.iter().map(|one| (&one["kind"], &one["post_id"], &one["comment_id"])).collect();
    let (mention, null) = (json!(comments[3]), Value::Null);
    assert_eq!(told, [(&json!("comment"), &json!(comments[0]), &json!(reply)), (&json!("mention"), &mention, &null)]);
    // What was read is read; the next one opens a new notification that counts its author again.
    read(&ann, json!({"all": true})).await;
    bob.comment(&post, "Four.").await;
    app.settle().await;
    assert_eq!((list(&ann).await.len(), &list(&ann).await[0]["actors_count"]), (2, &json!(1)));
    app.audit().await;
}

#[tokio::test]
async fn a_comment_or_mention_that_is_gone_before_the_telling_is_not_told() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = ann.post_text("Low tide.").await;
    app.pause_workers().await;
    let gone = bob.comment(&post, "One.").await;
    bob.delete(&format!("/posts/{gone}")).await.expect(204);
    let named = bob.post_text("High tide, @ann.").await;
    bob.patch(&format!("/posts/{named}"), json!({"content": "High tide."})).await.expect(200);
    let deleted = bob.post_text("Spring tide, @ann.").await;
    bob.delete(&format!("/posts/{deleted}")).await.expect(204);
    app.resume_workers().await;
    app.settle().await;
    assert_eq!((list(&ann).await, unread(&ann).await), (Vec::new(), 0));
    app.audit().await;
}

#[tokio::test]
async fn a_mention_is_told_once_when_the_text_first_names_one() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let post = bob.post_text("Low tide, @ann and @bob.").await;
    app.settle().await;
    for text in ["Low tide, @ann, @cid.", "Low tide, @cid, @ann!"] {
        bob.patch(&format!("/posts/{post}"), json!({ "content": text })).await.expect(200);
        app.settle().await;
    }
    for reader in [&ann, &cid] {
        let found = list(reader).await;
        assert_eq!(found.len(), 1);
        assert_eq!(
            (&found[0]["kind"], &found[0]["post_id"], names(&found[0])),
            (&json!("mention"), &json!(post), vec!["bob"])
        );
    }
    assert_eq!(list(&bob).await, Vec::<Value>::new());
    let off = json!({"notify": {"mention": {"list": false}}});
    ann.patch("/users/settings", off).await.expect(200);
    bob.post_text("Again, @ann.").await;
    app.settle().await;
    assert_eq!(list(&ann).await.len(), 1);
    app.audit().await;
}
