//! Many people at once, made by the service's own code without a password hash for each.

use super::{Client, TestApp, User};
use futures::StreamExt;
use serde_json::json;
use shared::clock::Clock;
use shared::ids::UserId;
use shared::models::fields::FieldValue;
use shared::models::session::NetworkNames;
use shared::models::user::{Email, Username};
use shared::secrets::ACCESS_TOKEN_LIFETIME;
use shared::store::users::NewAccount;
use shared::table::Op;
use shared::table::design::key;
use shared::{App, Config, store};
use std::time::Duration;

/// The app of one function, with the environment that the host gives it, but no faults before its table.
pub(crate) fn app_of(app: &TestApp, function: &str) -> App {
    let mut environment = app.environment(function);
    environment.insert("AWS_ENDPOINT_URL_DYNAMODB".into(), app.endpoints().dynamodb.clone());
    App::new(Config::read(|name| environment.get(name).cloned()).expect("a whole environment"))
}

/// A function's app, with the signing keys loaded.
pub(crate) async fn app_with_keys(app: &TestApp, function: &str) -> App {
    let app = app_of(app, function);
    app.key_ring().refresh().await.expect("keys");
    app
}

/// Somebody signed in.
pub(crate) struct Person {
    pub(crate) client: Client,
    pub(crate) id: UserId,
    pub(crate) name: String,
}

impl std::ops::Deref for Person {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// `count` accounts named `prefix0`, `prefix1`, …, each signed in.
pub(crate) async fn people(app: &TestApp, prefix: &str, count: usize) -> Vec<Person> {
    let users = app_with_keys(app, "users").await;
    let one = |n: usize| person(app, users.clone(), format!("{prefix}{n}"));
    futures::stream::iter(0..count).map(one).buffered(16).collect().await
}

async fn person(app: &TestApp, users: App, name: String) -> Person {
    let text = |text: &str| serde_json::Value::from(text);
    let new = NewAccount {
        id: UserId::new(users.now()),
        email: Email::parse(&text(&format!("{name}@example.com"))).expect("an address"),
        verified: true,
        username: Username::parse(&text(&name)).expect("a name"),
        full_name: None,
        password_hash: "no password".into(),
        verify_link: None,
        known_network: None,
    };
    store::users::create(&users, &new, None, Vec::new()).await.expect("an account");
    let token = sign_in(&users, new.id).await;
    Person { client: app.anon().with_token(&token), id: new.id, name }
}

/// Unfollows more people than one read holds, all before anybody who is there.
pub(crate) async fn crowd(app: &TestApp, user: &User) {
    let id: UserId = user.id.parse().expect("an id");
    let until = Clock::default().now() + Duration::from_secs(3_600);
    let row = |n: u128| {
        let value = json!({"unf_until": until, "ttl": until.seconds()});
        Op::put(key::relationship(id, UserId::from_ulid(ulid::Ulid::from_parts(1, n))), &value).expect("a row")
    };
    app_of(app, "users").table().batch_write((0..200).map(row).collect()).await.expect("rows");
}

/// An access token of a new session.
pub(crate) async fn session(app: &TestApp, user: UserId) -> String {
    sign_in(&app_with_keys(app, "users").await, user).await
}

async fn sign_in(users: &App, user: UserId) -> String {
    let found = store::sessions::credentials(users, user).await.expect("an account");
    let here = NetworkNames::new(&users.keys().expect("keys"), "127.0.0.1");
    let started = store::sessions::start(users, &found, "", &here, None).await.expect("an answer");
    let (session, _) = started.expect("a session");
    users
        .keys()
        .expect("keys")
        .access_token(&users.config().issuer, (user, session.id), users.now(), users.now() + ACCESS_TOKEN_LIFETIME)
        .expect("a token")
}
