//! The second factor: a code of an authenticator app, or a recovery code, beside the password.

use crate::support::archive;
use crate::support::authenticator::{Authenticator, enrol};
use crate::support::bulk::app_with_keys;
use crate::support::{PASSWORD, Response, TestApp, User, token_in};
use emulators::data::Data;
use futures::future::join_all;
use serde_json::{Value, json};
use shared::models::session::NetworkNames;
use shared::store;
use std::time::Duration;
use tools::accounts::turn_off_second_factor;
use tools::audit::Target;

const NEW: &str = "auk under the cliff";

/// Signs gull in, with this code.
async fn login(app: &TestApp, code: impl Into<Value>) -> Response {
    app.anon().post("/login", json!({"username": "gull", "password": PASSWORD, "otp": code.into()})).await
}

async fn state(user: &User) -> (Value, Value) {
    let mut me = user.get("/users").await.expect(200).json();
    (me["otp_enabled"].take(), me["recovery_codes_left"].take())
}

fn statuses(answers: &[Response]) -> Vec<u16> {
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses
}

#[tokio::test]
async fn from_enrolment_to_recovery_and_off() {
    let app = TestApp::start().await;
    app.begin_hour();
    let gull = app.user("gull").await;
    app.verify(&gull).await;
    assert_eq!(state(&gull).await, (json!(false), Value::Null));
    gull.post("/users/otp", json!({"password": NEW})).await.expect(403).problem("wrong-password");
    let first = gull.post("/users/otp", json!({"password": PASSWORD})).await.expect(200);
    assert_eq!(first.header("cache-control"), "no-store");
    let first = Authenticator::reading(&first.json());
    // Until it is confirmed nothing asks for it, and asking again gives another.
    login(&app, Value::Null).await.expect(200);
    let phone = enrol(&app, &gull).await;
    assert_eq!(phone.recovery_codes.len(), 10);
    assert_eq!(state(&gull).await, (json!(true), json!(10)));

    let missing = login(&app, Value::Null).await.expect(401);
    missing.problem("second-factor-required");
    assert!(missing.header("www-authenticate").starts_with("Bearer "));
    login(&app, "").await.expect(401).problem("second-factor-required");
    for wrong in [
        first.code_in(&app, 30),
        phone.confirmed_by.clone(),
        phone.code_in(&app, 300),
        "12345".into(),
        "no code".into(),
    ] {
        login(&app, wrong).await.expect(401).problem("wrong-second-factor");
    }
    let code = phone.next_code(&app);
    let me = login(&app, format!(" {} {} ", &code[..3], &code[3..])).await.expect(200).json()["user"].take();
    assert_eq!((&me["otp_enabled"], &me["recovery_codes_left"]), (&json!(true), &json!(10)));
    login(&app, code).await.expect(401).problem("wrong-second-factor");
    // A telephone that is ahead.
    login(&app, phone.code_in(&app, 30)).await.expect(200);

    let recovery = &phone.recovery_codes[4];
    let me = login(&app, recovery.to_uppercase().replace('-', "")).await.expect(200).json()["user"].take();
    assert_eq!(me["recovery_codes_left"], 9);
    assert_eq!(state(&gull).await, (json!(true), json!(9)));
    login(&app, recovery.as_str()).await.expect(401).problem("wrong-second-factor");

    app.advance(Duration::from_secs(15 * 60));
    let gull_again = login(&app, phone.code(&app)).await.expect(200).json();
    let gull = app.anon().with_token(gull_again["access_token"].as_str().unwrap());
    let turn_off =
        |password: &str, code: &str| gull.delete("/users/otp").json(&json!({"password": password, "code": code}));
    turn_off(NEW, &phone.recovery_codes[0]).await.expect(403).problem("wrong-password");
    turn_off(PASSWORD, recovery).await.expect(403).problem("wrong-code");
    turn_off(PASSWORD, &phone.recovery_codes[0]).await.expect(204);
    turn_off(PASSWORD, &phone.recovery_codes[1]).await.expect(409).problem("second-factor-off");
    login(&app, Value::Null).await.expect(200);

    app.settle().await;
    let mut subjects: Vec<_> = app.mails_to("gull@example.com").await.into_iter().map(|mail| mail.subject).collect();
    // What is told at nearly the same moment comes in any order.
    subjects.sort();
    let expected = [
        "A recovery code was used",
        "A recovery code was used",
        "Verify your e-mail address",
        "Your second factor is off",
        "Your second factor is on",
    ];
    assert_eq!(subjects, expected);
    let log = gull.get("/activity-log?limit=100").await.expect(200).json();
    let count = |kind: &str| log["items"].as_array().unwrap().iter().filter(|row| row["type"] == kind).count();
    let kinds = ["set_up_second_factor", "turn_on_second_factor", "use_recovery_code", "turn_off_second_factor"];
    assert_eq!(kinds.map(count), [2, 1, 2, 1], "{log}");
    assert_eq!(count("sign_in_failed"), 7, "{log}");
}

#[tokio::test]
async fn a_factor_is_confirmed_by_its_own_code_and_is_one() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let confirm = |code: &str| gull.post("/users/otp/confirm", json!({ "code": code }));
    let set_up = || gull.post("/users/otp", json!({"password": PASSWORD}));
    confirm("123456").await.expect(409).problem("second-factor-off");
    let off = json!({"password": PASSWORD, "code": "123456"});
    gull.delete("/users/otp").json(&off).await.expect(409).problem("second-factor-off");
    let first = Authenticator::reading(&set_up().await.expect(200).json());
    let second = Authenticator::reading(&set_up().await.expect(200).json());
    confirm(&first.code(&app)).await.expect(403).problem("wrong-code");
    let answers = join_all((0..4).map(|_| confirm(&second.code(&app)).into_future())).await;
    assert_eq!(statuses(&answers), [200, 409, 409, 409]);
    set_up().await.expect(409).problem("second-factor-on");
    confirm(&second.code_in(&app, 30)).await.expect(409).problem("second-factor-on");
    // Its address was never verified, and may be a stranger's.
    app.settle().await;
    assert_eq!(app.mails_to("gull@example.com").await.len(), 1);

    // A new password ends a set-up that waits.
    let tern = app.user("tern").await;
    let waits = tern.post("/users/otp", json!({"password": PASSWORD})).await.expect(200).json();
    let change = json!({"current_password": PASSWORD, "new_password": NEW});
    tern.put("/users/password", change).await.expect(204);
    let code = Authenticator::reading(&waits).code(&app);
    tern.post("/users/otp/confirm", json!({ "code": code })).await.expect(409).problem("second-factor-off");
}

#[tokio::test]
async fn what_a_token_alone_must_not_do_asks_for_a_code() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let phone = enrol(&app, &gull).await;
    let skua = app.user("skua").await;
    let recovery_code = enrol(&app, &skua).await.recovery_codes.remove(9);
    let change = json!({"current_password": PASSWORD, "new_password": NEW});
    let email = json!({"email": "gull2@example.com", "current_password": PASSWORD});
    let back = json!({"current_password": NEW, "new_password": PASSWORD});
    let delete = json!({"password": PASSWORD});
    let mut used = phone.confirmed_by.clone();
    for (method, path, body, status) in [
        ("PATCH", "/users", email, 200),
        ("PUT", "/users/password", change, 204),
        ("PUT", "/users/password", back, 204),
        ("DELETE", "/users", delete.clone(), 204),
    ] {
        let with = |code: Value| {
            let mut body = body.clone();
            body["otp"] = code;
            gull.call(method.parse().unwrap(), path).json(&body)
        };
        with(Value::Null).await.expect(403).problem("code-required");
        with(json!(used)).await.expect(403).problem("wrong-code");
        used = phone.next_code(&app);
        with(json!(used)).await.expect(status);
    }
    gull.get("/users").await.expect(401);
    skua.post("/users/delete", delete).await.expect(403).problem("code-required");
    let with_code = json!({"password": PASSWORD, "otp": recovery_code});
    skua.post("/users/delete", with_code).await.expect(204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_uses_of_a_code_at_once_one_counts() {
    let app = TestApp::start().await;
    app.begin_hour();
    let gull = app.user("gull").await;
    let phone = enrol(&app, &gull).await;
    for code in [phone.next_code(&app), phone.recovery_codes[0].clone()] {
        let answers = join_all((0..4).map(|_| login(&app, code.clone()))).await;
        assert_eq!(statuses(&answers), [200, 401, 401, 401]);
    }
    // Different ones don't stand in each other's way.
    let answers = join_all(phone.recovery_codes[1..4].iter().map(|code| login(&app, code.as_str()))).await;
    assert_eq!(statuses(&answers), [200, 200, 200]);
    assert_eq!(state(&gull).await, (json!(true), json!(6)));
}

/// Its password was checked a moment before.
#[tokio::test]
async fn a_sign_in_without_a_code_starts_no_session_once_the_factor_is_on() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let users = app_with_keys(&app, "users").await;
    let found = store::sessions::credentials(&users, gull.id.parse().unwrap()).await.unwrap();
    let here = NetworkNames::new(&users.keys().unwrap(), "127.0.0.1");
    let start = async || store::sessions::start(&users, &found, "tests", &here, None).await.unwrap();
    assert!(start().await.is_some());
    enrol(&app, &gull).await;
    assert!(start().await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_can_t_be_guessed_and_nobody_without_the_password_locks_out() {
    let app = TestApp::start().await;
    app.begin_hour();
    let gull = app.user("gull").await;
    let phone = enrol(&app, &gull).await;
    let at = |n: usize, password: &str| {
        let body = json!({"username": "gull", "password": password, "otp": format!("{n:06}")});
        app.anon_at(&format!("127.0.0.{}", 10 + n / 5)).post("/login", body)
    };
    // Without the password: nothing is told of the factor, and no code is counted.
    let mut told = Vec::new();
    for (name, otp) in [("gull", Value::Null), ("gull", json!("123456")), ("nobody", json!("123456"))] {
        let answer = app.anon().post("/login", json!({"username": name, "password": NEW, "otp": otp})).await;
        let mut problem = answer.expect(401).problem("invalid-credentials");
        problem["request_id"] = Value::Null;
        told.push(problem);
    }
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    for n in 0..20 {
        at(n, NEW).await.expect(401).problem("invalid-credentials");
    }
    login(&app, phone.next_code(&app)).await.expect(200);
    // With it: ten in a quarter of an hour, from wherever they come.
    app.advance(Duration::from_secs(15 * 60));
    let wrong: Vec<usize> = (0..30).filter(|n| !is_near(&app, &phone, *n)).collect();
    let answers = join_all(wrong.iter().map(|n| at(*n, PASSWORD).into_future())).await;
    let counts = [401, 429].map(|status| answers.iter().filter(|answer| answer.status == status).count());
    assert_eq!(counts, [10, wrong.len() - 10]);
    let refused = login(&app, phone.code(&app)).await.expect(429);
    assert!((1..=900).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    // A sign-in without a code is told so as ever.
    login(&app, Value::Null).await.expect(401).problem("second-factor-required");
    app.advance(Duration::from_secs(15 * 60));
    login(&app, phone.code(&app)).await.expect(200);
}

/// Whether a number happens to be a code of these minutes.
fn is_near(app: &TestApp, phone: &Authenticator, n: usize) -> bool {
    (0..5).any(|step| phone.code_in(app, step * 30) == format!("{n:06}"))
}

#[tokio::test]
async fn a_reset_by_mail_leaves_the_factor_on() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let phone = enrol(&app, &gull).await;
    app.anon().post("/users/password/forgot", json!({"email": gull.email})).await.expect(202);
    let token = token_in(&app.mail_to(&gull.email, "new password").await);
    app.anon().post("/users/password/reset", json!({"token": token, "password": NEW})).await.expect(204);
    let login = |code: Value| app.anon().post("/login", json!({"username": "gull", "password": NEW, "otp": code}));
    login(Value::Null).await.expect(401).problem("second-factor-required");
    login(json!(phone.next_code(&app))).await.expect(200);
}

#[tokio::test]
async fn the_operator_turns_a_lost_factor_off() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::with(|options| options.data = Data::Dir(folder.path().to_owned())).await;
    let target = Target::Folder(folder.path().to_owned());
    let turn_off = async |name: &str| turn_off_second_factor(&target, name).await;
    let gull = app.user("gull").await;
    app.verify(&gull).await;
    let phone = enrol(&app, &gull).await;
    assert_eq!(turn_off("tern").await.unwrap_err().to_string(), "nobody is called tern");
    assert!(turn_off("@Gull").await.unwrap());
    assert!(!turn_off("gull").await.unwrap());
    assert_eq!(state(&gull).await, (json!(false), Value::Null));
    login(&app, Value::Null).await.expect(200);
    app.mail_to(&gull.email, "factor is off").await;
    assert_ne!(enrol(&app, &gull).await.recovery_codes, phone.recovery_codes);
}

#[tokio::test]
async fn neither_secret_nor_codes_are_in_the_table_or_an_archive() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    app.verify(&gull).await;
    let set_up = gull.post("/users/otp", json!({"password": PASSWORD})).await.expect(200).json();
    let secret = set_up["secret"].as_str().unwrap().to_owned();
    let plain = shared::secrets::totp::Secret::from_base32(&secret).unwrap().text();
    let code = Authenticator::reading(&set_up).code(&app);
    let confirmed = gull.post("/users/otp/confirm", json!({ "code": code })).await.expect(200).json();
    let codes = confirmed["recovery_codes"].as_array().unwrap().clone();
    gull.post("/users/export", None).await.expect(202);
    let archive = archive::mailed(&app, &gull.email).await;
    let profile = archive.json("profile.json");
    assert_eq!((&profile["otp_enabled"], &profile["recovery_codes_left"]), (&json!(true), &json!(10)));
    let table = app.table().await;
    let text = json!(table.iter().map(|((pk, sk), item)| json!([pk, sk, item])).collect::<Vec<_>>()).to_string();
    assert!(text.contains("\"factor\""), "the factor is there");
    for secret in [secret, plain].into_iter().chain(codes.iter().map(|code| code.as_str().unwrap().to_owned())) {
        for form in [secret.clone(), secret.to_uppercase().replace('-', "")] {
            assert!(!text.contains(&form), "{form} is in the table");
            assert_eq!(archive.naming(&form), Vec::<&str>::new());
        }
    }
}

/// A key that was replaced can be dropped once everybody has signed in.
#[tokio::test]
async fn a_factor_outlives_the_key_it_was_sealed_with() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let phone = enrol(&app, &gull).await;
    let (old, new) = (app.signing_keys().await["current"].clone(), "b".repeat(64));
    let put = async |keys: Value| {
        app.put_signing_keys(&keys).await;
        app.advance(shared::limits::KEYS_KEPT);
        app.user(&format!("tern_{}", phone.code(&app))).await;
    };
    put(json!({"current": new, "previous": old})).await;
    login(&app, phone.next_code(&app)).await.expect(200);
    put(json!({"current": new})).await;
    login(&app, phone.next_code(&app)).await.expect(200);
    login(&app, phone.recovery_codes[0].as_str()).await.expect(200);
}
