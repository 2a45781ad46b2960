//! Finding people.

use crate::support::lists::{page_ids, walk};
use crate::support::{Client, PASSWORD, TestApp, User, set, set_moderator, token_in};
use emulators::faults::{Death, Faults, Profile};
use emulators::lambda::InvokeError;
use futures::future::join_all;
use serde_json::{Value, json};

async fn found(client: &Client, query: &str) -> Vec<String> {
    names(&walk(client, &format!("/users/search?limit=3&query={}", query.replace(' ', "%20"))).await)
}

fn names(cards: &[Value]) -> Vec<String> {
    cards.iter().map(|card| card["username"].as_str().unwrap().to_owned()).collect()
}

async fn named(app: &TestApp, username: &str, full_name: &str) -> User {
    let user = app.user(username).await;
    user.patch("/users", json!({"full_name": full_name})).await.expect(200);
    user
}

#[tokio::test]
async fn people_are_found_from_the_first_letter_of_each_name_on() {
    let app = TestApp::start().await;
    let ann = named(&app, "Lara_Gull", "Jörg Müller-Groß").await;
    named(&app, "maria", "Мария Иванова").await;
    app.settle().await;
    for query in ["l", "LARA", "lara_g", "@Lara_Gull", " lara_gull ", "j", "jorg", "Jörg", "mull", "gross", "groß jö"]
    {
        assert_eq!(found(&ann, query).await, ["Lara_Gull"], "{query}");
    }
    for query in ["мар", "ИВАНОВА", "maria"] {
        assert_eq!(found(&ann, query).await, ["maria"], "{query}");
    }
    assert_eq!(found(&ann, "m").await, ["Lara_Gull", "maria"], "of as many followers the oldest first");
    for query in ["gull", "uller", "jorg maria", "lara_gulls", "ivanova"] {
        assert_eq!(found(&ann, query).await, [""; 0], "{query}");
    }
    for (path, code) in
        [("", "required"), ("?query=", "required"), ("?query=%20", "required"), ("?query=…", "no_words")]
    {
        let refused = ann.get(&format!("/users/search{path}")).await.expect(422);
        assert_eq!(refused.fields(), [("query".into(), code.into())]);
    }
    app.anon().get("/users/search?query=lara").await.expect(401);
    app.audit().await;
}

#[tokio::test]
async fn usernames_come_first_then_whole_words_then_the_most_widely_followed() {
    let app = TestApp::start().await;
    let fans = join_all(["ivo", "jan", "kim", "leo", "mia"].map(|name| app.user(name))).await;
    let mut birds = Vec::new();
    for (name, followers) in [("gull", 0), ("gulls", 1), ("gully", 5), ("gulliver", 2), ("tern", 1)] {
        let bird = app.user(name).await;
        for fan in &fans[..followers] {
            fan.follow(&bird).await;
        }
        birds.push(bird);
    }
    birds[4].patch("/users", json!({"full_name": "Tern of Gull"})).await.expect(200);
    app.settle().await;
    assert_eq!(found(&fans[0], "gull").await, ["gull", "tern", "gully", "gulliver", "gulls"]);
    assert_eq!(found(&fans[0], "gul").await[..3], ["gully", "gulliver", "gulls"]);
    app.audit().await;
}

#[tokio::test]
async fn whom_those_i_follow_follow_come_before_the_more_widely_followed() {
    let app = TestApp::start().await;
    let (ann, zoe) = (app.user("ann").await, app.user("zoe").await);
    let fans = join_all(["bob", "cid", "dan"].map(|name| app.user(name))).await;
    for (name, followers) in [("gull", &fans[..0]), ("gulla", &fans[..1]), ("gullb", &fans[..0]), ("gullc", &fans[..])]
    {
        let bird = app.user(name).await;
        for fan in followers {
            fan.follow(&bird).await;
        }
        if name == "gullb" {
            zoe.follow(&bird).await;
        }
    }
    ann.follow(&zoe).await;
    app.settle().await;
    let page = async |user: &User| names(&user.get("/users/search?query=gull").await.expect(200).items());
    let by_followers = ["gull", "gullc", "gulla", "gullb"];
    assert_eq!(page(&ann).await, by_followers, "nothing is known of whom hers follow");
    ann.get("/users/suggestions").await.expect(200);
    app.settle().await;
    assert_eq!(page(&ann).await, ["gull", "gullb", "gullc", "gulla"], "never before an exact username");
    assert_eq!(page(&fans[0]).await, by_followers);
    // Page by page each comes once.
    let pages = names(&walk(&ann, "/users/search?limit=2&query=gull").await);
    assert_eq!(pages, ["gull", "gullc", "gullb", "gulla"]);
    app.audit().await;
}

#[tokio::test]
async fn what_changes_is_found_as_it_is() {
    let app = TestApp::with(|options| set_moderator(options, "warden")).await;
    let (ann, warden) = (named(&app, "ann", "Ann Tern").await, app.moderator("warden").await);
    let found = async |query: &str| page_ids(&warden, &format!("/users/search?query={query}")).await;
    app.settle().await;
    assert_eq!(found("tern").await, [ann.id.as_str()]);
    ann.patch("/users", json!({"username": "gull", "full_name": null})).await.expect(200);
    app.settle().await;
    for query in ["tern", "ann"] {
        assert_eq!(found(query).await, [""; 0], "{query}");
    }
    // Names in lists may be half a minute old.
    assert_eq!(found("gu").await, [ann.id.as_str()]);
    let post = ann.post_text("Buy my gulls.").await;
    warden.post(&format!("/posts/{post}/report"), json!({"reason": "spam"})).await.expect(202);
    let report = page_ids(&warden, "/reports").await.remove(0);
    let decide = async |action: &str| {
        let body = json!({"status": "resolved", "action": action});
        warden.patch(&format!("/reports/{report}"), body).await.expect(200);
        app.settle().await;
    };
    decide("suspend_author").await;
    app.audit().await;
    assert!(!app.table().await.keys().any(|(pk, _)| pk == "US#gull"), "nothing is left to be found");
    decide("reinstate_author").await;
    assert!(app.table().await.keys().any(|(pk, _)| pk == "US#gull"));
    app.audit().await;
}

#[tokio::test]
async fn an_address_finds_those_who_let_it() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    assert_eq!(found(&ann, "bob@example.com").await, [""; 0], "it may be anybody's");
    app.verify(&bob).await;
    for query in ["bob@example.com", "BOB@Example.com "] {
        assert_eq!(found(&ann, query).await, ["bob"], "{query}");
    }
    assert_eq!(found(&ann, "cid@example.com").await, [""; 0]);
    bob.patch("/users/settings", json!({"findable_by_email": false})).await.expect(200);
    assert_eq!(found(&ann, "bob@example.com").await, [""; 0]);
    bob.patch("/users/settings", json!({"findable_by_email": true})).await.expect(200);
    // Not by an address that is not theirs yet, nor by one that is theirs no longer.
    bob.patch("/users", json!({"email": "new@example.com", "current_password": PASSWORD})).await.expect(200);
    assert_eq!(found(&ann, "new@example.com").await, [""; 0]);
    assert_eq!(found(&ann, "bob@example.com").await, ["bob"]);
    let token = token_in(&app.mail_to("new@example.com", "verify").await);
    app.anon().post("/users/verify", json!({ "token": token })).await.expect(200);
    assert_eq!(found(&ann, "new@example.com").await, ["bob"]);
    assert_eq!(found(&ann, "bob@example.com").await, [""; 0]);
    bob.post("/users/ann/block", None).await.expect(200);
    assert_eq!(found(&ann, "new@example.com").await, [""; 0]);
}

#[tokio::test]
async fn whoever_has_not_chosen_follows_the_parameter() {
    let app = TestApp::with(|options| set(options, "FindableByEmail", "off")).await;
    assert_eq!(app.anon().get("/config").await.expect(200).json()["features"]["findable_by_email"], false);
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let setting = async || bob.get("/users/settings").await.expect(200).json()["findable_by_email"].clone();
    app.verify(&bob).await;
    // What else is set chooses nothing.
    bob.patch("/users/settings", json!({"notify": {"like": {"mail": true}}})).await.expect(200);
    assert_eq!((setting().await, found(&ann, "bob@example.com").await), (json!(false), vec![]));
    bob.patch("/users/settings", json!({"findable_by_email": true})).await.expect(200);
    assert_eq!((setting().await, found(&ann, "bob@example.com").await), (json!(true), vec!["bob".to_owned()]));
}

#[tokio::test]
async fn where_addresses_are_hidden_a_search_finds_those_alone_who_chose_it() {
    let app = TestApp::with(|options| set(options, "HideRegisteredEmails", "on")).await;
    assert_eq!(app.anon().get("/config").await.expect(200).json()["features"]["findable_by_email"], false);
    for name in ["ann", "bob"] {
        let email = format!("{name}@example.com");
        let body = json!({"username": name, "email": email, "password": PASSWORD});
        app.anon().post("/users", body).await.expect(202);
        let token = token_in(&app.mail_to(&email, "verify").await);
        app.anon().post("/users/verify", json!({ "token": token })).await.expect(200);
    }
    let (ann, bob) = (app.sign_in("ann", PASSWORD).await, app.sign_in("bob", PASSWORD).await);
    assert_eq!(found(&ann, "bob@example.com").await, [""; 0]);
    bob.patch("/users/settings", json!({"findable_by_email": true})).await.expect(200);
    assert_eq!(found(&ann, "bob@example.com").await, ["bob"]);
}

#[tokio::test]
async fn the_worker_may_die_at_each_of_its_calls() {
    let app = TestApp::with(|options| options.faults = Some(Faults::new(Profile::Redelivery))).await;
    let ann = named(&app, "ann", "Ann Tern").await;
    app.settle().await;
    app.pause_workers().await;
    for done in [true, false] {
        for after_calls in 0.. {
            let full_name = format!("Gull {}{after_calls}", if done { "a" } else { "b" });
            ann.patch("/users", json!({"full_name": full_name})).await.expect(200);
            let job = json!({"job": "person", "user": ann.id}).to_string();
            let event =
                json!({"Records": [{"messageId": "1", "receiptHandle": "1", "body": job, "eventSource": "aws:sqs"}]});
            let died = app.invoke_killed("index", &event, Death { after_calls, done }).await;
            let lived = !matches!(died, Err(InvokeError::Killed));
            if !lived {
                app.invoke("index", &event).await.expect("an answer");
            }
            let rows = app.table().await;
            let of_gull = rows.keys().filter(|(pk, _)| pk.starts_with("US#gu") || pk.starts_with("US#te")).count();
            assert_eq!(of_gull, 3, "gu, gul, gull and nothing of tern");
            if lived {
                println!("{after_calls} calls");
                assert!(after_calls > 3, "it makes calls: {after_calls}");
                break;
            }
        }
    }
    app.resume_workers().await;
    app.settle().await;
    app.audit().await;
}
