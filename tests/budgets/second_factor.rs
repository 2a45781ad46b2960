//! What the second factor costs.

use super::{app, cost, cost_of_any};
use crate::support::authenticator::enrol;
use crate::support::{PASSWORD, alone};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_factor() {
    let _alone = alone().await;
    let app = app().await;
    app.begin_hour();
    let gull = app.user("gull").await;
    app.verify(&gull).await;
    let set_up = cost(&app, gull.post("/users/otp", json!({"password": PASSWORD}))).await;
    let phone = enrol(&app, &gull).await;
    let sign_in = |otp: serde_json::Value| {
        app.anon().post("/login", json!({"username": "gull", "password": PASSWORD, "otp": otp})).into_future()
    };
    let missing = cost_of_any(&app, sign_in(json!(null))).await;
    let wrong = cost_of_any(&app, sign_in(json!("no code"))).await;
    let by_code = cost(&app, sign_in(json!(phone.next_code(&app)))).await;
    let by_recovery = cost(&app, sign_in(json!(phone.recovery_codes[0]))).await;
    let off = gull.delete("/users/otp").json(&json!({"password": PASSWORD, "code": phone.recovery_codes[1]}));
    let off = cost(&app, off).await;
    let [set_up_calls, tries] = [
        "GetItem U/P, PutItem AL, Query U/G!, Query U/H!, UpdateItem RL, UpdateItem U/G, UpdateItem U/G, UpdateItem U/G",
        "UpdateItem RL, UpdateItem U/G, UpdateItem U/G, UpdateItem U/G",
    ];
    assert_eq!(set_up, format!("6 rounds, 2.5 read, 5 written: {set_up_calls}"));
    let signing_in = "Query U/G!, Query U/P!";
    // Nothing of it is in a log: each sign-in in two steps begins so.
    let calls = format!("GetItem N/N!, {signing_in}, UpdateItem RL, UpdateItem U/G, UpdateItem U/G");
    assert_eq!(missing, format!("4 rounds, 3 read, 3 written: {calls}"));
    let calls = format!("GetItem N/N!, PutItem AL, {signing_in}, UpdateItem RL, UpdateItem U/G, UpdateItem U/G");
    assert_eq!(wrong, format!("5 rounds, 3 read, 4 written: {calls}"));
    let calls = format!("PutItem AL, {signing_in}, TransactWriteItems x1, TransactWriteItems x2, {tries}");
    assert_eq!(by_code, format!("7 rounds, 3 read, 11 written: GetItem N/N!, {calls}"));
    let calls = format!("{signing_in}, TransactWriteItems x2, TransactWriteItems x3, {tries}");
    assert_eq!(by_recovery, format!("8 rounds, 3 read, 17 written: GetItem N/N!, PutItem AL, PutItem AL, {calls}"));
    let calls = format!("Query U/G!, Query U/H!, TransactWriteItems x3, TransactWriteItems x3, {tries}");
    assert_eq!(off, format!("8 rounds, 3 read, 20 written: GetItem U/P!, PutItem AL, PutItem AL, {calls}"));
}
