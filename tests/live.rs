//! Open sockets: who may open one, what it is told and when it closes.

use crate::groups::group;
use crate::support::browser::Page;
use crate::support::live::{Handshake, Socket};
use crate::support::{Http, PASSWORD, TestApp, User, set, until};
use futures::future::join_all;
use local::SocketTimes;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// What is newer than an event, as a client asks after it was away.
async fn after(user: &User, id: &str) -> Vec<Value> {
    user.get(&format!("/notifications?limit=100&after={id}")).await.expect(200).items()
}

/// Does something, and what the socket says of it.
async fn told(socket: &mut Socket, kind: &str, act: impl Future<Output = ()>) -> Value {
    act.await;
    socket.expect(kind).await
}

async fn do_post(user: &User, path: &str, body: Option<Value>) {
    let answer = user.post(path, body).await;
    assert!(answer.status < 300, "{path}: {}", answer.status);
}

#[tokio::test]
async fn each_kind_is_told_as_the_list_has_it() {
    let _alone = crate::support::alone().await;
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = ann.post_text("Low tide.").await;
    let (anns, bobs) = (group(&ann, "private").await, group(&bob, "private").await);
    ann.post(&format!("/groups/{bobs}/join"), None).await.expect(202);
    app.settle().await;
    // Two clients.
    let (mut phone, mut desk) = (ann.listen(&app).await, ann.listen_to(&app, "/api/notifications/").await);
    assert_eq!(phone.protocol.as_deref(), Some("perch"));
    let mut events = Vec::new();
    for (n, (kind, path, body)) in [
        ("follow", "/users/ann/follow".to_owned(), None),
        ("like", format!("/posts/{post}/like"), None),
        ("comment", format!("/posts/{post}/comments"), Some(json!({"content": "So low."}))),
        ("mention", "/posts".to_owned(), Some(json!({"content": "Ask @ann."}))),
        ("group_request", format!("/groups/{anns}/join"), None),
        ("group_accepted", format!("/groups/{bobs}/requests/ann/approve"), None),
    ]
    .into_iter()
    .enumerate()
    {
        let message = told(&mut phone, kind, do_post(&bob, &path, body)).await;
        assert_eq!(message, desk.expect(kind).await);
        assert_eq!((&message["seq"], &message["data"]["actor"]["username"]), (&json!(n + 1), &json!("bob")));
        assert_eq!((&message["id"], &message["created_at"]), (&message["data"]["id"], &message["data"]["created_at"]));
        events.push(message["data"].clone());
    }
    // What sockets are told is what the list tells.
    assert_eq!(after(&ann, "ntf_00000000000000000000000000").await, events);
    // Nothing of one's own, nothing to others.
    ann.post(&format!("/posts/{post}/like"), None).await.expect(200);
    app.settle().await;
    phone.is_silent().await;
    desk.is_silent().await;
}

#[tokio::test]
async fn ones_own_acts_are_told_as_the_log_has_them() {
    let _alone = crate::support::alone().await;
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let mut socket = ann.listen_to(&app, "/activity-log").await;
    let message = told(&mut socket, "follow", do_post(&ann, "/users/bob/follow", None)).await;
    assert_eq!((&message["seq"], &message["data"]["target"]["id"]), (&json!(1), &json!(bob.id)));
    app.anon().post("/login", json!({"username": "ann", "password": "not this one"})).await.expect(401);
    let failed = socket.expect("sign_in_failed").await;
    assert_eq!((&failed["seq"], &failed["data"]["address"]), (&json!(2), &json!("127.0.0.0/24")));
    let rows = ann.get("/activity-log?limit=2").await.expect(200).items();
    assert_eq!(rows, [failed["data"].clone(), message["data"].clone()]);
    // Others' acts are in their own logs, and a refused one in none.
    bob.follow(&ann).await;
    ann.post("/users/nobody/follow", None).await.expect(404);
    app.settle().await;
    socket.is_silent().await;
}

#[tokio::test]
async fn after_a_dropped_connection_nothing_is_missed_or_doubled() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let mut fans = Vec::new();
    for n in 0..6 {
        fans.push(app.user(&format!("fan{n}")).await);
    }
    let mut client = Following::start(&app, &ann).await;
    bob.follow(&ann).await;
    client.hear(1).await;
    // Gone without a word, while things go on.
    client.drop_connection();
    for fan in &fans[..3] {
        fan.follow(&ann).await;
    }
    client.open(&app).await;
    for fan in &fans[3..] {
        fan.follow(&ann).await;
    }
    client.catch_up().await;
    client.hear(7).await;
    let names: BTreeSet<_> = client.heard.values().map(|one| one["actor"]["username"].clone().to_string()).collect();
    assert_eq!((client.heard.len(), names.len()), (7, 7));
    assert_eq!(client.heard.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
}

/// A client as docs/api.md has it: it knows its last event, asks for what is newer after each opening, and takes each
/// number once.
struct Following<'a> {
    user: &'a User,
    socket: Option<Socket>,
    heard: std::collections::BTreeMap<u64, Value>,
    last: String,
}

impl<'a> Following<'a> {
    async fn start(app: &TestApp, user: &'a User) -> Self {
        let last = "ntf_00000000000000000000000000".to_owned();
        let mut client = Self { user, socket: None, heard: Default::default(), last };
        client.open(app).await;
        client
    }

    async fn open(&mut self, app: &TestApp) {
        self.socket = Some(self.user.listen(app).await);
        self.catch_up().await;
    }

    fn drop_connection(&mut self) {
        self.socket.take().expect("an open socket").drop_connection();
    }

    async fn catch_up(&mut self) {
        for event in after(self.user, &self.last).await {
            self.take(event);
        }
    }

    fn take(&mut self, event: Value) {
        let id = event["id"].as_str().expect("an id").to_owned();
        let seq = event["seq"].as_u64().expect("a number");
        if let Some(known) = self.heard.insert(seq, event.clone()) {
            assert_eq!(known["id"], event["id"], "one number for two events");
        }
        if id > self.last {
            self.last = id;
        }
    }

    /// Listens until this number is reached, and no number before it is missing.
    async fn hear(&mut self, upto: u64) {
        while (1..=upto).any(|seq| !self.heard.contains_key(&seq)) {
            let message = self.socket.as_mut().expect("an open socket").next().await.expect("a message");
            self.take(message["data"].clone());
        }
    }
}

#[tokio::test]
async fn only_whoever_is_signed_in_opens_a_socket() {
    let app = TestApp::with(|options| set(options, "AllowOrigins", "https://app.example.com")).await;
    let ann = app.user("ann").await;
    let to = |path: &str| Handshake::to(&app, path);
    let token = ann.token();
    for path in ["/notifications", "/activity-log", "/api/notifications", "/v1/activity-log/", "/notifications/"] {
        let mut socket = to(path).token(token).open().await.unwrap_or_else(|status| panic!("{path}: {status}"));
        socket.is_silent().await;
        assert_eq!(socket.protocol.as_deref(), Some("perch"));
        let mut socket = to(&format!("{path}?token={token}")).open().await.expect("an open socket");
        socket.is_silent().await;
        assert_eq!(socket.protocol, None);
    }
    let refused = |handshake: Handshake| async { handshake.open().await.err() };
    assert_eq!(refused(to("/notifications")).await, Some(401));
    assert_eq!(refused(to("/notifications?token=nonsense")).await, Some(401));
    assert_eq!(refused(to("/notifications").token("a.b.c")).await, Some(401));
    assert_eq!(refused(to("/notifications").protocols(format!("chat, {token}"))).await, Some(401));
    assert_eq!(refused(to("/users").token(token)).await, Some(401), "no socket there: the path's own answer");
    // Pages of other origins may not, whatever they know.
    assert_eq!(refused(to("/notifications").token(token).origin("https://evil.example")).await, Some(403));
    assert!(to("/notifications").token(token).origin("https://app.example.com").open().await.is_ok());
    ann.post("/users/logout", None).await.expect(204);
    assert_eq!(refused(to("/notifications").token(token)).await, Some(401));
}

#[tokio::test]
async fn a_ping_is_answered_and_nothing_else_understood() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = ann.listen(&app).await;
    socket.say(json!({"type": "ping"})).await;
    assert_eq!(socket.next().await, Some(json!({"type": "pong"})));
    for text in ["{\"type\":\"shout\"}", "nonsense", "[]", ""] {
        socket.say_text(text).await;
        assert!(socket.expect("error").await["detail"].as_str().unwrap().contains("ping"), "{text}");
    }
    socket.is_silent().await;
}

#[tokio::test]
async fn a_session_that_ends_closes_its_sockets() {
    let _alone = crate::support::alone().await;
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let (phone, desk) = (app.sign_in("ann", PASSWORD).await, app.sign_in("ann", PASSWORD).await);
    let mut sockets = [phone.listen(&app).await, phone.listen_to(&app, "/activity-log").await];
    let mut others = [ann.listen(&app).await, desk.listen(&app).await];
    phone.post("/users/logout", None).await.expect(204);
    for socket in &mut sockets {
        assert_eq!(socket.next().await, None);
    }
    for socket in &mut others {
        socket.is_silent().await;
    }
    // A new password ends all other sessions.
    desk.put("/users/password", json!({"current_password": PASSWORD, "new_password": "auk under the cliff"}))
        .await
        .expect(204);
    let [mut left, mut stays] = others;
    assert_eq!(left.next().await, None);
    stays.is_silent().await;
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn a_block_or_a_mute_holds_on_an_open_socket() {
    let app = TestApp::start().await;
    let (ann, bob, eve) = (app.user("ann").await, app.user("bob").await, app.user("eve").await);
    let post = ann.post_text("High tide.").await;
    let mut socket = ann.listen(&app).await;
    bob.post(&format!("/posts/{post}/like"), None).await.expect(200);
    socket.expect("like").await;
    ann.post("/users/bob/mute", None).await.expect(200);
    ann.post("/users/eve/block", None).await.expect(200);
    do_post(&bob, &format!("/posts/{post}/comments"), Some(json!({"content": "Oh."}))).await;
    eve.post(&format!("/posts/{post}/like"), None).await.expect(404);
    eve.post("/posts", json!({"content": "What of @ann?"})).await.expect(201);
    app.settle().await;
    socket.is_silent().await;
}

#[tokio::test]
async fn settings_say_what_sockets_the_list_and_mails_are_told() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = ann.post_text("Slack water.").await;
    let mut socket = ann.listen(&app).await;
    let ways = |live: bool, list: bool, mail: bool| json!({"live": live, "list": list, "mail": mail});
    let notify = json!({
        "follow": ways(false, true, false), "like": ways(true, false, true),
        "comment": ways(false, false, true), "mention": ways(true, true, true),
    });
    ann.patch("/users/settings", json!({"notify": notify})).await.expect(200);
    bob.follow(&ann).await;
    app.settle().await;
    socket.is_silent().await;
    bob.post(&format!("/posts/{post}/like"), None).await.expect(200);
    // What no list keeps has no number, and can't be asked for.
    let like = socket.expect("like").await;
    assert_eq!((&like["seq"], &like["data"]["post_id"]), (&Value::Null, &json!(post)));
    do_post(&bob, &format!("/posts/{post}/comments"), Some(json!({"content": "Quite."}))).await;
    bob.post("/posts", json!({"content": "As @ann says."})).await.expect(201);
    assert_eq!(socket.expect("mention").await["seq"], 1);
    app.settle().await;
    socket.is_silent().await;
    let events = after(&ann, "ntf_00000000000000000000000000").await;
    let told: Vec<_> = events.iter().map(|one| (one["kind"].as_str().unwrap(), one["seq"].as_u64())).collect();
    assert_eq!(told, [("follow", None), ("mention", Some(1))]);
    let mut subjects: Vec<_> = app.mails_to(&ann.email).await.into_iter().map(|mail| mail.subject).collect();
    subjects.retain(|subject| subject.starts_with("@bob"));
    subjects.sort_unstable();
    assert_eq!(subjects, ["@bob commented on your post", "@bob liked your post", "@bob mentioned you"]);
}

#[tokio::test]
async fn ten_sockets_at_most_and_the_oldest_makes_room() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let mut oldest = ann.listen(&app).await;
    let mut open = Vec::new();
    for _ in 0..9 {
        open.push(ann.listen(&app).await);
    }
    oldest.is_silent().await;
    open.push(ann.listen(&app).await);
    assert_eq!(oldest.next().await, None);
    // Twenty at once: each has a place of its own, or closed for another.
    let more = join_all((0..20).map(|_| Handshake::to(&app, "/notifications").token(ann.token()).open())).await;
    open.extend(more.into_iter().filter_map(Result::ok));
    app.settle().await;
    bob.follow(&ann).await;
    app.settle().await;
    let mut heard = 0;
    for mut socket in open {
        heard += usize::from(socket.next().await.is_some_and(|message| message["type"] == "follow"));
    }
    assert_eq!(heard, 10);
    app.audit().await;
}

/// The names that the table has of open sockets.
async fn sockets(app: &TestApp) -> Vec<String> {
    app.table().await.into_keys().map(|(pk, _)| pk).filter(|pk| pk.starts_with("WS#")).collect()
}

/// A socket of which the host keeps no more until it is read: API Gateway cuts such a one off.
#[tokio::test]
async fn a_slow_reader_is_cut_off_and_holds_up_nobody() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let slow = ann.listen(&app).await;
    let known = sockets(&app).await.remove(0);
    let post = format!("{}/notifications/@connections/{}", app.endpoints().connections, &known[3..]);
    let mut desk = ann.listen(&app).await;
    // What lies between is full some time: the host's backlog, and what the system keeps for each side.
    let (client, mut told) = (Http::default(), 0);
    let message = || http::Request::post(&post).body("x".repeat(100_000).into()).expect("a request");
    while client.send(message()).await.expect("an answer").status() == 200 {
        told += 1;
        assert!(told < 1_000, "100 MB are waiting");
    }
    bob.follow(&ann).await;
    desk.expect("follow").await;
    // It is forgotten once API Gateway says that it is closed.
    until(async || (!sockets(&app).await.contains(&known)).then_some(())).await;
    drop(slow);
    app.audit().await;
}

#[tokio::test]
async fn a_socket_without_a_place_closes_when_it_says_something() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut lost = ann.listen(&app).await;
    // As if its session had ended while it opened.
    for ((pk, sk), item) in app.table().await {
        if pk.starts_with("WS#") || sk.starts_with("W#") {
            app.delete_item(&item).await;
        }
    }
    let mut kept = ann.listen(&app).await;
    lost.say(json!({"type": "ping"})).await;
    assert_eq!(lost.next().await, None);
    kept.is_silent().await;
}

#[tokio::test]
async fn sockets_that_open_at_once_have_a_place_each_and_leave_it() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let open = join_all((0..10).map(|_| ann.listen(&app))).await;
    bob.follow(&ann).await;
    for mut socket in open {
        socket.expect("follow").await;
        socket.drop_connection();
    }
    until(|| async { (!app.table().await.keys().any(|(_, sk)| sk.starts_with("W#"))).then_some(()) }).await;
    app.audit().await;
}

#[tokio::test]
async fn sockets_end_when_their_time_is_over_or_nothing_is_said() {
    let (life, idle) = (Duration::from_secs(4), Duration::from_millis(1_500));
    let app = TestApp::with(|options| options.socket_times = SocketTimes { life, idle }).await;
    let ann = app.user("ann").await;
    let opened = Instant::now();
    let (mut quiet, mut chatty) = (ann.listen(&app).await, ann.listen(&app).await);
    let silence = async { assert_eq!(quiet.next().await, None) };
    let chat = async {
        while opened.elapsed() + idle < life {
            assert!(chatty.next_within(idle / 3).await.is_err(), "nothing is said");
            chatty.is_silent().await;
        }
        assert_eq!(chatty.next().await, None);
    };
    let (at_silence, ()) = futures::join!(
        async {
            silence.await;
            opened.elapsed()
        },
        chat
    );
    assert!(at_silence >= idle && at_silence < life, "{at_silence:?}");
    assert!(opened.elapsed() >= life, "{:?}", opened.elapsed());
    // What closed is forgotten.
    app.audit().await;
}

#[tokio::test]
async fn sockets_survive_nothing_but_a_client_opens_another_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = emulators::data::Data::Dir(folder.path().to_owned());
    let app = TestApp::with(|options| options.data = data.clone()).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let mut socket = ann.listen(&app).await;
    let token = ann.token().to_owned();
    app.stop().await;
    assert_eq!(socket.next().await, None);
    let app = TestApp::with(|options| options.data = data).await;
    let mut socket = Handshake::to(&app, "/notifications").token(&token).open().await.expect("an open socket");
    let bob = app.anon().with_token(bob.token());
    bob.post("/users/ann/follow", None).await.expect(200);
    socket.expect("follow").await;
    app.settle().await;
    app.audit().await;
}

/// In a page of another origin, with the browser's own WebSocket.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_hears_each_kind() {
    let _alone = crate::support::alone().await;
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = ann.post_text("Spring tide.").await;
    app.settle().await;
    let (anns, bobs) = (group(&ann, "private").await, group(&bob, "private").await);
    ann.post(&format!("/groups/{bobs}/join"), None).await.expect(202);
    let acts = json!([
        {"path": "/users/ann/follow"},
        {"path": format!("/posts/{post}/like")},
        {"path": format!("/posts/{post}/comments"), "body": {"content": "High."}},
        {"path": "/posts", "body": {"content": "Did you see, @ann?"}},
        {"path": format!("/groups/{anns}/join")},
        {"path": format!("/groups/{bobs}/requests/ann/approve")},
    ]);
    let input = json!({
        "url": format!("{}/notifications", app.url().replacen("http", "ws", 1)), "api": app.url(),
        "token": ann.token(), "actor": bob.token(), "acts": acts,
    });
    let report = Page::new(include_str!("pages/live.js"), &input).open().await;
    let kinds = report.found["messages"].as_array().expect("messages").iter().map(|one| one["type"].as_str().unwrap());
    let mut kinds: Vec<_> = kinds.collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        ["comment", "follow", "group_accepted", "group_request", "like", "mention", "pong"],
        "{report:?}"
    );
    assert_eq!((&report.found["protocol"], &report.found["out"]), (&json!("perch"), &json!(204)), "{report:?}");
    assert_eq!(report.found["refused"], "not opened");
}
