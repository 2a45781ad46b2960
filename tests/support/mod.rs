//! The whole service, started for a test, and people to use it.

mod acts;
pub(crate) mod archive;
pub(crate) mod authenticator;
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
pub(crate) mod past;
pub(crate) mod services;
pub(crate) mod shape;
pub(crate) mod stack;

pub(crate) use client::{Call, Client, Http, Response};

use emulators::Endpoints;
use emulators::lambda::InvokeError;
use emulators::ses::Mail;
use emulators::sqs::Counts;
use local::{DeadLetter, Local, Options};
use serde_json::{Value, json};
use shared::clock::{Clock, Timestamp};
use stack::Stack;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::{Duration, Instant};
use template::Model;

/// How long [`until`] waits; generous, for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running service of the test's own, which starts in 25 ms. Ephemeral, on a free port, without the limits per address
/// and per user. `scripts/deploy-check` has the same tests run each on a deployed stack.
pub(crate) struct TestApp {
    host: Host,
    http: Http,
}

enum Host {
    Local(Box<Local>),
    Stack(Box<Stack>),
}

/// What only the local host has; a test that asks for it ends on a stack.
impl Deref for TestApp {
    type Target = Local;

    #[track_caller]
    fn deref(&self) -> &Local {
        match &self.host {
            Host::Local(local) => local,
            Host::Stack(_) => stack::needs_local_host("what no stack has"),
        }
    }
}

/// What both have.
impl TestApp {
    pub(crate) fn url(&self) -> &str {
        match &self.host {
            Host::Local(local) => local.url(),
            Host::Stack(stack) => &stack.url,
        }
    }

    /// Where a channel's sockets are opened.
    pub(crate) fn socket_url(&self, path: &str) -> String {
        match &self.host {
            Host::Local(local) => format!("{}{path}", local.url().replacen("http", "ws", 1)),
            // On AWS a channel is a stage: neither prefix nor slash at its end.
            Host::Stack(stack) => {
                let channel = path.trim_matches('/').rsplit('/').next().unwrap_or_default();
                format!("{}/{channel}", stack.sockets_url)
            }
        }
    }

    pub(crate) async fn mails(&self) -> Vec<Mail> {
        match &self.host {
            Host::Local(local) => local.mails().await,
            Host::Stack(stack) => stack.mails().await,
        }
    }

    /// Waits until all that follows from what was done is done.
    pub(crate) async fn settle(&self) {
        match &self.host {
            Host::Local(local) => local.settle().await.expect("the work comes to its end"),
            Host::Stack(stack) => stack.settle().await,
        }
    }

    pub(crate) async fn pause_workers(&self) {
        match &self.host {
            Host::Local(local) => local.pause_workers().await,
            Host::Stack(stack) => stack.workers("pause").await,
        }
    }

    pub(crate) async fn resume_workers(&self) {
        match &self.host {
            Host::Local(local) => local.resume_workers().await,
            Host::Stack(stack) => stack.workers("resume").await,
        }
    }

    pub(crate) async fn invoke(&self, function: &str, event: &Value) -> Result<Value, InvokeError> {
        match &self.host {
            Host::Local(local) => local.invoke(function, event).await,
            Host::Stack(stack) => stack.invoke(function, event).await,
        }
    }

    pub(crate) fn environment(&self, function: &str) -> BTreeMap<String, String> {
        match &self.host {
            Host::Local(local) => local.environment(function),
            Host::Stack(stack) => stack.environments.get(function).cloned().unwrap_or_default(),
        }
    }

    pub(crate) fn endpoints(&self) -> &Endpoints {
        match &self.host {
            Host::Local(local) => local.endpoints(),
            Host::Stack(stack) => &stack.endpoints,
        }
    }

    pub(crate) fn table_name(&self) -> &str {
        match &self.host {
            Host::Local(local) => local.table_name(),
            Host::Stack(stack) => &stack.table,
        }
    }

    pub(crate) fn model(&self) -> &Model {
        match &self.host {
            Host::Local(local) => local.model(),
            Host::Stack(stack) => &stack.model,
        }
    }

    pub(crate) async fn queue(&self, name: &str) -> std::io::Result<Counts> {
        match &self.host {
            Host::Local(local) => local.queue(name).await,
            Host::Stack(stack) => Ok(stack.queue(name).await),
        }
    }

    pub(crate) async fn dead_letters(&self, queue: &str) -> std::io::Result<Vec<DeadLetter>> {
        match &self.host {
            Host::Local(local) => local.dead_letters(queue).await,
            Host::Stack(stack) => Ok(stack.dead_letters(queue).await),
        }
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
        // As the local host has it; a stack would count reads.
        set(&mut options, "ReadLimit", "0");
        change(&mut options);
        let http = Http::default().repeating(options.faults.is_some());
        let host = match stack::control() {
            Some(control) => Host::Stack(Box::new(Stack::create(control, options).await)),
            None => Host::Local(Box::new(Box::pin(Local::start(options)).await.expect("the service starts"))),
        };
        Self { host, http }
    }

    /// Begins an hour, and with it the windows of every quota and throttle: those of the clock, so that a test that
    /// counts in one would see two of them when an hour or a quarter of one ends meanwhile.
    pub(crate) fn begin_hour(&self) {
        if let Host::Local(local) = &self.host {
            let rest = 3_600_000 - local.now().millis() % 3_600_000;
            local.advance(Duration::from_millis(rest));
        }
    }

    /// What the service's clock shows.
    pub(crate) fn now(&self) -> Timestamp {
        match &self.host {
            Host::Local(local) => local.now(),
            Host::Stack(_) => Clock::default().now(),
        }
    }

    /// Stops the service, as Ctrl-C would.
    pub(crate) async fn stop(self) {
        if let Host::Local(local) = self.host {
            local.stop().await;
        }
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

    /// Signs up the one whom the options name as the first moderator.
    pub(crate) async fn moderator(&self, name: &str) -> User {
        let user = self.user(name).await;
        self.verify(&user).await;
        user
    }

    /// Opens the link in the mail that somebody got at sign-up.
    pub(crate) async fn verify(&self, user: &User) {
        let token = token_in(&self.mail_to(&user.email, "verify").await);
        self.anon().post("/users/verify", json!({ "token": token })).await.expect(200);
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

/// A token with another first character.
pub(crate) fn altered(token: &str) -> String {
    format!("{}{}", if token.starts_with('A') { 'B' } else { 'A' }, &token[1..])
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

/// Names the first moderator, as [`TestApp::moderator`] signs them up.
pub(crate) fn set_moderator(options: &mut Options, name: &str) {
    set(options, "Moderator", name);
    set(options, "ModeratorEmail", &format!("{name}@example.com"));
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

/// [`until`] with a patience of its own.
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
