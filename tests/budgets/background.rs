//! Budgets of sockets, and of what workers do.

use super::{app, cost_of_any, name, ulid};
use crate::support::bulk::{Person, app_of, people};
use crate::support::live::Handshake;
use crate::support::{TestApp, alone};
use emulators::wire::Call;
use serde_json::{Value, json};
use shared::ids::{GroupId, UserId};
use shared::store;
use shared::table::Op;
use shared::table::design::key;

/// Has a worker do one job.
async fn work(app: &TestApp, function: &str, job: Value) {
    let event = json!({"Records": [{"messageId": "0", "body": job.to_string(), "eventSource": "aws:sqs"}]});
    let answer = app.invoke(function, &event).await.expect("an answer");
    assert_eq!(answer["batchItemFailures"], json!([]), "{job}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets() {
    let _alone = alone().await;
    let app = app().await;
    let [me]: [Person; 1] = people(&app, "bird", 1).await.try_into().ok().expect("one");
    me.post_text("something to tell of").await;
    app.settle().await;
    let handshake = Handshake::to(&app, "/activity-log").token(me.token());
    let mut socket = None;
    let opened = cost_of_any(&app, async { socket = handshake.open().await.ok() }).await;
    assert_eq!(opened, "3 rounds, 2 read, 7 written: Query U/H!, Query U/W!, TransactWriteItems x3, UpdateItem RL");
    let socket = socket.expect("an open socket");

    let acts = me.get("/activity-log").await.expect(200).items();
    let did = json!({"job": "did", "by": me.id, "acts": [acts[0]["id"]]});
    let told = cost_of_any(&app, work(&app, "notify", did)).await;
    assert_eq!(told, "3 rounds, 2 read, 1 written: BatchGetItem AL x1!, Query U/W!, UpdateItem U/NM");

    let open = store::sockets::of_user(&app_of(&app, "realtime"), me.id).await.expect("sockets");
    let context = json!({"routeKey": "$disconnect", "connectionId": open[0].id, "stage": "activity-log"});
    let gone = json!({ "requestContext": context });
    let closed = cost_of_any(&app, async { app.invoke("realtime", &gone).await.expect("an answer") }).await;
    assert_eq!(closed, "2 rounds, 1 read, 4 written: GetItem WS/WS!, TransactWriteItems x2");
    socket.drop_connection();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names() {
    let _alone = alone().await;
    let app = app().await;
    let [me]: [Person; 1] = people(&app, "bird", 1).await.try_into().ok().expect("one");
    app.settle().await;
    app.pause_workers().await;
    me.patch("/users", json!({"full_name": "Ann Tern"})).await.expect(200);
    let wire = app.wire().expect("the wire is recorded");
    wire.take();
    work(&app, "index", json!({"job": "person", "user": me.id})).await;
    let calls = wire.take();
    app.resume_workers().await;
    assert_eq!(sum(&calls, |_| true, |call| call.read_units), 6.0);
    let written: Vec<&Call> = calls.iter().filter(|call| call.write_units > 0.0).collect();
    let [transaction] = written.as_slice() else { panic!("one transaction, not {}", written.len()) };
    let items = transaction.request["TransactItems"].as_array().expect("items").len();
    assert!(items > 7, "the note, and each beginning of three names: {items}");
    assert_eq!(transaction.write_units.to_string(), (2 * items).to_string());
}

/// What those of some calls took that are so.
fn sum(calls: &[Call], is: impl Fn(&Call) -> bool, units: fn(&Call) -> f64) -> f64 {
    calls.iter().filter(|call| is(call)).map(units).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fan_out_in_a_group() {
    const MEMBERS: u16 = 100;
    const FOLLOWERS: u16 = 40;
    let _alone = alone().await;
    let app = app().await;
    let author = people(&app, "author", 1).await.remove(0);
    let made = author.post("/groups", json!({"name": "Waders", "visibility": "private"})).await.expect(201).json();
    let group: GroupId = made["id"].as_str().expect("an id").parse().expect("an id");
    // Members who joined long ago, some of whom follow the author.
    let mut ops = Vec::new();
    for n in 0..MEMBERS {
        let (other, edge) = (UserId::from_ulid(ulid(n.into())), ulid::Ulid::from_parts(1, n.into()).to_string());
        let member = json!({"role": "member", "joined": 1, "at": edge, "counted": true});
        ops.push(Op::put(key::member(group, other), &member).expect("an item"));
        if n < FOLLOWERS {
            let follow = json!({"at": edge, "counted": true});
            ops.push(Op::put(key::follow(other, author.id), &follow).expect("an item"));
        }
    }
    app_of(&app, "fanout").table().batch_write(ops).await.expect("members");
    app.settle().await;
    app.pause_workers().await;
    author.post("/posts", json!({"content": "to all", "group_id": made["id"]})).await.expect(201);
    let wire = app.wire().expect("the wire is recorded");
    wire.take();
    app.resume_workers().await;
    app.settle().await;
    let calls = wire.take();
    let read = |what: &str| sum(&calls, |call| name(call).starts_with(what), |call| call.read_units);
    let to_timelines = |call: &Call| call.operation == "BatchWriteItem" && call.request.to_string().contains("\"TL#");
    let written = sum(&calls, to_timelines, |call| call.write_units);
    assert_eq!(written, f64::from(FOLLOWERS), "one unit for each who follows the author");
    assert_eq!(read("GetItem G/M!"), 1.0, "whether the group is there");
    assert_eq!(read("BatchGetItem U/F"), f64::from(MEMBERS), "whether each follows the author");
    let rows = read("Query G/m!");
    assert!(rows > 0.0 && rows / f64::from(MEMBERS) <= 0.05, "{rows} units to read {MEMBERS} members");
}
