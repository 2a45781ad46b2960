//! Tries of a password count before the password is looked at, wherever one is asked for.

use crate::support::bulk::app_with_keys;
use crate::support::{Call, PASSWORD, TestApp, set};
use futures::future::join_all;
use serde_json::json;
use shared::http::rate_limits::Action;
use shared::models::session::NetworkNames;
use shared::secrets::password;
use shared::table::Op;
use shared::table::design::key;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const WRONG: &str = "petrel above the foam";

/// How often each status came.
async fn statuses(calls: impl Iterator<Item = Call>) -> BTreeMap<u16, usize> {
    let answers = join_all(calls.map(Call::into_future)).await;
    answers.iter().fold(BTreeMap::new(), |mut counts, answer| {
        *counts.entry(answer.status).or_default() += 1;
        counts
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixty_wrong_passwords_at_once_ten_are_looked_at() {
    let app = TestApp::start().await;
    app.begin_hour();
    for (name, refused) in [("gull", 401), ("nobody", 401), ("tern", 403), ("skua", 403), ("knot", 403)] {
        let me = if name == "nobody" { None } else { Some(app.user(name).await) };
        let call = || match (name, &me) {
            ("tern", Some(me)) => {
                me.put("/users/password", json!({"current_password": WRONG, "new_password": PASSWORD}))
            }
            ("skua", Some(me)) => me.post("/users/delete", json!({"password": WRONG})),
            ("knot", Some(me)) => me.delete("/users").json(&json!({"password": WRONG})),
            _ => app.anon().post("/login", json!({"username": name, "password": WRONG})),
        };
        assert_eq!(statuses((0..60).map(|_| call())).await, BTreeMap::from([(refused, 10), (429, 50)]), "{name}");
    }
}

#[tokio::test]
async fn all_that_ask_for_the_password_count_together() {
    let app = TestApp::start().await;
    app.begin_hour();
    let gull = app.user("gull").await;
    for n in 0..10 {
        match n % 3 {
            0 => app.anon().post("/login", json!({"username": "gull", "password": WRONG})).await.expect(401),
            1 => gull
                .put("/users/password", json!({"current_password": WRONG, "new_password": "auk under the cliff"}))
                .await
                .expect(403),
            _ => gull.post("/users/delete", json!({"password": WRONG})).await.expect(403),
        };
    }
    app.anon().post("/login", json!({"username": "gull", "password": PASSWORD})).await.expect(429);
    let change = json!({"current_password": PASSWORD, "new_password": "auk under the cliff"});
    let refused = gull.put("/users/password", change.clone()).await.expect(429);
    refused.problem("rate-limited");
    assert!((1..=900).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    gull.post("/users/delete", json!({"password": PASSWORD})).await.expect(429);
    // Elsewhere the person is heard, and here in the next window.
    app.anon_at("127.0.0.3").with_token(gull.token()).put("/users/password", change).await.expect(204);
    app.advance(Duration::from_secs(15 * 60));
    app.sign_in("gull", "auk under the cliff").await;
}

#[tokio::test]
async fn the_right_password_leaves_no_count() {
    let app = TestApp::start().await;
    app.begin_hour();
    let gull = app.user("gull").await;
    for _ in 0..12 {
        app.sign_in("gull", PASSWORD).await;
    }
    let gull_again = app.sign_in("gull", PASSWORD).await;
    for _ in 0..12 {
        let same = json!({"current_password": PASSWORD, "new_password": PASSWORD});
        gull_again.put("/users/password", same).await.expect(204);
    }
    let failures = app.table().await.remove(&(format!("U#{}", &gull.id[4..]), "G#F".to_owned())).expect("a count");
    assert_eq!(failures["n"]["N"], "0", "{failures}");
}

/// The shortest of ten times.
async fn shortest<F: Future>(act: impl Fn() -> F) -> Duration {
    let mut shortest = Duration::MAX;
    for _ in 0..10 {
        let started = Instant::now();
        act().await;
        shortest = shortest.min(started.elapsed());
    }
    shortest
}

#[tokio::test]
async fn a_sign_up_beyond_the_limit_costs_no_hash() {
    let app = TestApp::with(|options| set(options, "RateLimits", "on")).await;
    let users = app_with_keys(&app, "users").await;
    let (quota, network) = (Action::SignUp.quota(), NetworkNames::new(&users.keys().unwrap(), "127.0.0.1"));
    let window = users.now().seconds() / quota.window;
    for window in [window, window + 1] {
        let key = key::rate_limit(&format!("{}#{}", quota.name, network.current()), window);
        let row = json!({"n": quota.limit, "ttl": (window + 2) * quota.window});
        users.table().write(Op::put(key, &row).unwrap()).await.unwrap();
    }
    let sign_up = json!({"username": "gull", "email": "gull@example.com", "password": PASSWORD});
    let refused = shortest(|| async { app.anon().post("/users", sign_up.clone()).await.expect(429) }).await;
    let hash = shortest(|| async { password::hash(PASSWORD).await.unwrap() }).await;
    assert!(refused < hash, "a refusal takes {refused:?}, a hash {hash:?}");
}
