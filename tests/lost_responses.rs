//! Writes that are done and whose answers are lost: what is sent again knows its own.

use crate::support::lists::page_ids;
use crate::support::{Http, PASSWORD, TestApp, token_in, until};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::net::TcpListener;

/// Stands before DynamoDB and loses the answer of each write, batches aside, the first time that it is sent.
#[derive(Default)]
struct Loser {
    upstream: OnceLock<String>,
    http: Http,
    lost: AtomicUsize,
    /// Writes that were done.
    updates: AtomicUsize,
}

impl Loser {
    async fn start() -> (Arc<Self>, String) {
        let loser = Arc::new(Self::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(Self::forward).with_state(loser.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (loser, url)
    }

    async fn forward(State(loser): State<Arc<Self>>, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let header = |name: &str| parts.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let is_mail_token =
            header("x-amz-target").ends_with("PutItem") && String::from_utf8_lossy(&body).contains("\"X#");
        let mut call = http::Request::post(loser.upstream.get().unwrap());
        for name in ["authorization", "content-type", "x-amz-date", "x-amz-target"] {
            call = call.header(name, header(name));
        }
        let answer = loser.http.send(call.body(body).unwrap()).await.unwrap();
        let is_write = ["UpdateItem", "PutItem", "DeleteItem", "TransactWriteItems"]
            .iter()
            .any(|op| header("x-amz-target").ends_with(op));
        let is_first = header("amz-sdk-request").starts_with("attempt=1;");
        let status = if is_write && is_first && answer.status().is_success() {
            loser.lost.fetch_add(1, Ordering::Relaxed);
            let updates = loser.updates.fetch_add(1, Ordering::Relaxed);
            if is_mail_token {
                // Until its mail is claimed and sent: then the item is no more as it was written.
                until(|| async { (loser.updates.load(Ordering::Relaxed) >= updates + 3).then_some(()) }).await;
            }
            503
        } else {
            answer.status().as_u16()
        };
        let content_type = "application/x-amz-json-1.0";
        let body = if status == 503 { Body::empty() } else { Body::from(answer.into_body()) };
        Response::builder().status(status).header("content-type", content_type).body(body).unwrap()
    }
}

async fn app() -> (TestApp, Arc<Loser>) {
    let (loser, url) = Loser::start().await;
    let app = TestApp::with(|options| drop(options.environment.insert("AWS_ENDPOINT_URL_DYNAMODB".into(), url))).await;
    app.begin_hour();
    loser.upstream.set(app.endpoints().dynamodb.clone()).unwrap();
    (app, loser)
}

#[tokio::test]
async fn every_write_whose_answer_is_lost_is_done_once() {
    let (app, loser) = app().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    app.settle().await;
    let mails = app.mails_to(&ann.email).await;
    assert_eq!(mails.len(), 1, "claimed, sent once, and noted");
    ann.post("/users/verify", json!({"token": token_in(&mails[0])})).await.expect(200);
    app.anon().post("/users/password/forgot", json!({"email": ann.email})).await.expect(202);

    let post = ann.post_text("Low tide.").await;
    let path = format!("/posts/{post}");
    for n in 1..=3 {
        let edited = ann.patch(&path, json!({"content": n.to_string()})).await.expect(200).json();
        assert_eq!(edited["content"], n.to_string());
    }
    for bio in ["One.", "Two."] {
        assert_eq!(ann.patch("/users", json!({"bio": bio})).await.expect(200).json()["bio"], bio);
    }
    for wants in [false, true] {
        ann.patch("/users/settings", json!({"notify": {"like": {"list": wants}}})).await.expect(200);
    }
    let mut token = ann.refresh_token.clone();
    for _ in 0..3 {
        let answer = app.anon().post("/users/refresh", json!({"refresh_token": token})).await.expect(200).json();
        token = answer["refresh_token"].as_str().unwrap().to_owned();
    }
    // Its grace is still there: the answer of the last refresh may be lost on the way to the client too.
    let previous = app.anon().post("/users/refresh", json!({"refresh_token": token})).await.expect(200).json();
    let again = app.anon().post("/users/refresh", json!({"refresh_token": token})).await.expect(200).json();
    assert_eq!(previous["refresh_token"], again["refresh_token"]);

    bob.follow(&ann).await;
    bob.post(&format!("{path}/like"), None).await.expect(200);
    app.settle().await;
    assert_eq!(page_ids(&bob, "/feed").await, [post]);
    let follows = app.mails_to(&ann.email).await.into_iter().filter(|mail| mail.subject.contains("follows you"));
    assert_eq!(follows.count(), 1);
    let left = ann.post("/notifications/read", json!({"all": true})).await.expect(200).json();
    assert_eq!(left["unread_count"], 0);
    app.audit().await;
    let lost = loser.lost.load(Ordering::Relaxed);
    println!("{lost} answers lost");
    assert!(lost >= 15, "{lost}");
}

#[tokio::test]
async fn signing_out_answers_the_same_when_its_answer_is_lost() {
    let (app, _) = app().await;
    app.user("gull").await;
    let [bearer, by_token, ended, staying] = [0; 4].map(|_| app.sign_in("gull", PASSWORD));
    let (bearer, by_token, ended, staying) = (bearer.await, by_token.await, ended.await, staying.await);
    bearer.post("/users/logout", None).await.expect(204);
    app.anon().post("/users/logout", json!({"refresh_token": by_token.refresh_token})).await.expect(204);
    let sessions = ended.get("/users/sessions").await.expect(200).items();
    let current = sessions.iter().find(|session| session["current"] == true).expect("this one");
    let end = staying.delete(&format!("/users/sessions/{}", current["id"].as_str().unwrap()));
    end.json(&json!({"password": PASSWORD})).await.expect(204);
    for gone in [bearer, by_token, ended] {
        gone.get("/feed").await.expect(401);
    }
}

#[tokio::test]
async fn what_is_counted_counts_once_when_its_answer_is_lost() {
    let (app, _) = app().await;
    app.user("gull").await;
    let stranger = app.anon_at("127.0.0.2");
    let sign_in =
        async |password: &str| stranger.post("/login", json!({"username": "gull", "password": password})).await.status;
    for _ in 0..10 {
        assert_eq!(sign_in("wrong password").await, 401);
    }
    assert_eq!(sign_in(PASSWORD).await, 429);
}
