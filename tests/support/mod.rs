//! The whole service, started for a test, and people to use it.

mod client;

pub use client::Client;

use local::services::ses::Mail;
use local::{Local, Options};
use serde_json::{Value, json};
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How long [`until`] waits; generous, for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running service of the test's own. Ephemeral, on a free port, without the limits per address and per user.
pub struct TestApp {
    local: Arc<Local>,
    http: reqwest::Client,
    /// Ends names, so that tests sharing one service don't meet.
    suffix: String,
}

impl Deref for TestApp {
    type Target = Local;

    fn deref(&self) -> &Local {
        &self.local
    }
}

impl TestApp {
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// With options of its own: `TestApp::with(|options| set(options, "PublicReading", "on"))`.
    pub async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::default();
        set(&mut options, "RateLimits", "off");
        change(&mut options);
        Self::of(Arc::new(Box::pin(Local::start(options)).await.expect("the service starts")), String::new())
    }

    /// The service that tests share which need nothing but people of their own. Its clock is nobody's to set, and
    /// [`Local::settle`] would wait for everybody's work.
    pub async fn shared() -> Self {
        /// A test's own runtime ends with it; this one stays.
        static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
        static SHARED: LazyLock<Arc<Local>> = LazyLock::new(|| RUNTIME.block_on(TestApp::start()).local);
        static USERS: AtomicUsize = AtomicUsize::new(0);
        let local = tokio::task::spawn_blocking(|| SHARED.clone()).await.expect("the shared service starts");
        Self::of(local, format!("_{}", USERS.fetch_add(1, Ordering::Relaxed)))
    }

    fn of(local: Arc<Local>, suffix: String) -> Self {
        Self { local, http: client::http(None), suffix }
    }

    /// Somebody who is not signed in.
    pub fn anon(&self) -> Client {
        Client::new(self.url(), self.http.clone())
    }

    /// Somebody not signed in at another address of this machine, such as `127.0.0.2`.
    pub fn anon_at(&self, address: &str) -> Client {
        Client::new(self.url(), client::http(address.parse().ok()))
    }

    /// A name that is free for this test.
    pub fn name(&self, name: &str) -> String {
        format!("{name}{}", self.suffix)
    }

    /// Signs somebody up, and in.
    pub async fn user(&self, name: &str) -> User {
        let name = self.name(name);
        let email = format!("{name}@example.com");
        let sign_up = json!({"username": name, "email": email, "password": PASSWORD});
        self.anon().post("/users", sign_up).await.expect(201);
        self.sign_in(&name, PASSWORD).await
    }

    /// Signs in once more: another session of the same person.
    pub async fn sign_in(&self, name: &str, password: &str) -> User {
        let answer = self.anon().post("/login", json!({"username": name, "password": password})).await;
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

    /// Waits until all that follows from what was done is done.
    pub async fn settle(&self) {
        self.local.settle().await.expect("the work comes to its end");
    }

    /// The mails to an address, newest first.
    pub async fn mails_to(&self, address: &str) -> Vec<Mail> {
        self.mails().await.into_iter().filter(|mail| mail.to.iter().any(|to| to == address)).collect()
    }

    /// The newest mail to an address whose subject has this word, when it is there.
    pub async fn mail_to(&self, address: &str, subject: &str) -> Mail {
        until(|| async {
            self.mails_to(address).await.into_iter().find(|mail| mail.subject.to_lowercase().contains(subject))
        })
        .await
    }
}

/// The token in a mail's link.
pub fn token_in(mail: &Mail) -> String {
    let (_, rest) = mail.text.split_once("token=").expect("a link with a token");
    rest.split(|c: char| c.is_whitespace() || c == '&').next().unwrap_or_default().to_owned()
}

/// Sets a parameter of the template.
pub fn set(options: &mut Options, parameter: &str, value: &str) {
    options.parameters.insert(parameter.to_owned(), value.to_owned());
}

/// Everybody's password at first.
pub const PASSWORD: &str = "tern on the rock";

/// Somebody signed in, as a client.
pub struct User {
    client: Client,
    pub id: String,
    pub username: String,
    pub email: String,
    pub refresh_token: String,
}

impl Deref for User {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl User {
    pub async fn follow(&self, other: &User) {
        self.post(&format!("/users/{}/follow", other.id), None).await.expect(200);
    }

    /// Posts a text; its id.
    pub async fn post_text(&self, content: &str) -> String {
        let post = self.post("/posts", json!({ "content": content })).await.expect(201).json();
        post["id"].as_str().expect("an id").to_owned()
    }
}

/// Asks again and again until there is something, and says what it is.
pub async fn until<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "it did not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
