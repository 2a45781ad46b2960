//! The whole service, started for a test, and people to use it.

mod acts;
pub(crate) mod archive;
pub(crate) mod binaries;
pub(crate) mod browser;
pub(crate) mod bulk;
mod client;
pub(crate) mod document;
pub(crate) mod files;
pub(crate) mod film;
pub(crate) mod import;
pub(crate) mod lists;
pub(crate) mod live;
pub(crate) mod services;
pub(crate) mod shape;

pub(crate) use client::{Call, Client, Http, Response};

use local::services::ses::Mail;
use local::{Local, Options};
use serde_json::{Value, json};
use std::ops::Deref;
use std::time::{Duration, Instant};

/// How long [`until`] waits; generous, for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running service of the test's own, which starts in 25 ms. Ephemeral, on a free port, without the limits per address
/// and per user.
pub(crate) struct TestApp {
    local: Local,
    http: Http,
}

impl Deref for TestApp {
    type Target = Local;

    fn deref(&self) -> &Local {
        &self.local
    }
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// With options of its own: `TestApp::with(|options| set(options, "PublicReading", "on"))`.
    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::default();
        set(&mut options, "RateLimits", "off");
        change(&mut options);
        let http = Http::default().repeating(options.faults.is_some());
        let local = Box::pin(Local::start(options)).await.expect("the service starts");
        Self { local, http }
    }

    /// Stops the service, as Ctrl-C would.
    pub(crate) async fn stop(self) {
        self.local.stop().await;
    }

    /// Somebody who is not signed in.
    pub(crate) fn anon(&self) -> Client {
        Client::new(self.url(), self.http.clone())
    }

    /// Somebody not signed in at another address of this machine, such as `127.0.0.2`.
    pub(crate) fn anon_at(&self, address: &str) -> Client {
        Client::new(self.url(), Http::at(address.parse().ok()))
    }

    /// Signs somebody up, and in.
    pub(crate) async fn user(&self, name: &str) -> User {
        let email = format!("{name}@example.com");
        let sign_up = json!({"username": name, "email": email, "password": PASSWORD});
        self.anon().post("/users", sign_up).await.expect(201);
        self.sign_in(name, PASSWORD).await
    }

    /// Signs in once more: another session of the same person.
    pub(crate) async fn sign_in(&self, name: &str, password: &str) -> User {
        let call = || self.anon().post("/login", json!({"username": name, "password": password})).into_future();
        let mut answer = call().await;
        // Faults may keep the service from answering; a client asks again then.
        for _ in 0..4 {
            if answer.status == 503 {
                answer = call().await;
            }
        }
        let answer = answer.expect(200).json();
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        User {
            client: self.anon().with_token(&text(&answer["access_token"])),
            id: text(&answer["user"]["id"]),
            username: text(&answer["user"]["username"]),
            email: text(&answer["user"]["email"]),
            refresh_token: text(&answer["refresh_token"]),
        }
    }

    /// Opens the link in the mail that somebody got at sign-up.
    pub(crate) async fn verify(&self, user: &User) {
        let token = token_in(&self.mail_to(&user.email, "verify").await);
        self.anon().post("/users/verify", json!({ "token": token })).await.expect(200);
    }

    /// Waits until all that follows from what was done is done.
    pub(crate) async fn settle(&self) {
        self.local.settle().await.expect("the work comes to its end");
    }

    /// The mails to an address, newest first.
    pub(crate) async fn mails_to(&self, address: &str) -> Vec<Mail> {
        self.mails().await.into_iter().filter(|mail| mail.to.iter().any(|to| to == address)).collect()
    }

    /// The newest mail to an address whose subject has this word, when it is there.
    pub(crate) async fn mail_to(&self, address: &str, subject: &str) -> Mail {
        until(|| async {
            self.mails_to(address).await.into_iter().find(|mail| mail.subject.to_lowercase().contains(subject))
        })
        .await
    }
}

/// Somebody not signed in at a service in another process.
pub(crate) fn anon_at(url: &str) -> Client {
    Client::new(url, Http::default())
}

/// For a test that keeps the machine busy: one at a time, so that the others' patience holds.
pub(crate) async fn alone() -> tokio::sync::MutexGuard<'static, ()> {
    static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    ALONE.lock().await
}

/// The token in a mail's link.
pub(crate) fn token_in(mail: &Mail) -> String {
    let (_, rest) = mail.text.split_once("token=").expect("a link with a token");
    rest.split(|c: char| c.is_whitespace() || c == '&').next().unwrap_or_default().to_owned()
}

/// Sets a parameter of the template.
pub(crate) fn set(options: &mut Options, parameter: &str, value: &str) {
    options.parameters.insert(parameter.to_owned(), value.to_owned());
}

/// Everybody's password at first.
pub(crate) const PASSWORD: &str = "wind over cold water";

/// Somebody signed in, as a client.
pub(crate) struct User {
    client: Client,
    pub(crate) id: String,
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) refresh_token: String,
}

impl Deref for User {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// Asks again and again until there is something, and says what it is.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(ask: impl FnMut() -> F) -> T {
    until_within(PATIENCE, ask).await
}

/// The same with a patience of its own.
pub(crate) async fn until_within<T, F: Future<Output = Option<T>>>(limit: Duration, mut ask: impl FnMut() -> F) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(started.elapsed() < limit, "it did not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
