//! Guessing passwords: too many failures, and how long a failure takes.

use crate::support::{Client, PASSWORD, TestApp};
use serde_json::json;
use std::time::{Duration, Instant};

/// The status of one sign-in.
async fn sign_in(from: &Client, name: &str, password: &str) -> u16 {
    let answer = from.post("/login", json!({"username": name, "password": password})).await;
    if answer.status == 429 {
        answer.problem("rate-limited");
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=900).contains(&wait), "{wait}");
    }
    answer.status
}

#[tokio::test]
async fn an_address_that_fails_too_often_waits_and_the_person_elsewhere_does_not() {
    let app = TestApp::start().await;
    app.begin_hour();
    app.user("gull").await;
    let (stranger, gull) = (app.anon_at("127.0.0.2"), app.anon_at("127.0.0.3"));
    for name in ["gull", "nobody"] {
        for _ in 0..10 {
            assert_eq!(sign_in(&stranger, name, "wrong password").await, 401);
        }
        assert_eq!(sign_in(&stranger, name, PASSWORD).await, 429, "{name}");
    }
    // By whatever name the account is called.
    for name in ["GULL", "@gull", "gull@example.com"] {
        assert_eq!(sign_in(&stranger, name, PASSWORD).await, 429, "{name}");
    }
    assert_eq!(sign_in(&gull, "gull", PASSWORD).await, 200);
    app.advance(Duration::from_secs(15 * 60));
    assert_eq!(sign_in(&stranger, "gull", PASSWORD).await, 200);
}

#[tokio::test]
async fn many_strangers_neither_guess_on_nor_lock_the_person_out() {
    let app = TestApp::start().await;
    app.begin_hour();
    app.user("gull").await;
    for address in 10..20 {
        let stranger = app.anon_at(&format!("127.0.0.{address}"));
        for _ in 0..10 {
            assert_eq!(sign_in(&stranger, "gull", "wrong password").await, 401);
        }
    }
    assert_eq!(sign_in(&app.anon_at("127.0.0.20"), "gull", "wrong password").await, 429);
    assert_eq!(sign_in(&app.anon(), "gull", PASSWORD).await, 200, "who signed in from here before is heard");
}

/// How long one refused sign-in takes, in microseconds.
async fn refused_in(app: &TestApp, name: &str) -> u128 {
    let started = Instant::now();
    assert_eq!(sign_in(&app.anon(), name, "wrong password").await, 401);
    started.elapsed().as_micros()
}

/// How often a value of `a` is greater than one of `b` (Mann-Whitney): a half where nobody can tell them apart.
fn greater(a: &[u128], b: &[u128]) -> f64 {
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| a.cmp(b)));
    let sum: i64 = pairs.map(|order| order as i64).sum();
    let of = (a.len() * b.len()) as f64;
    0.5 + sum as f64 / of / 2.0
}

#[tokio::test]
async fn an_unknown_name_takes_as_long_as_a_wrong_password() {
    const TIMES: usize = 200;
    let app = TestApp::start().await;
    app.begin_hour();
    // Ten failures an account are one too few for the throttle.
    for n in 0..TIMES / 10 {
        app.user(&format!("bird{n}")).await;
    }
    let (mut unknown, mut wrong) = (Vec::new(), Vec::new());
    for n in 0..TIMES {
        let (nobody, somebody) = (format!("fish{}", n / 10), format!("bird{}", n / 10));
        // In turns, so that whatever else the machine does bears on both alike.
        if n % 2 == 0 {
            unknown.push(refused_in(&app, &nobody).await);
            wrong.push(refused_in(&app, &somebody).await);
        } else {
            wrong.push(refused_in(&app, &somebody).await);
            unknown.push(refused_in(&app, &nobody).await);
        }
    }
    // The standard error is 0.029: five of them come by chance once in two million runs.
    let told_apart = greater(&unknown, &wrong) - 0.5;
    assert!(told_apart.abs() < 0.15, "unknown names are slower {:.0} % of the time", (0.5 + told_apart) * 100.0);
}
