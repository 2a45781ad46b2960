//! Pages in a real browser: headless Chromium, and a server of the test's own, on another port than the API and so of
//! another origin. The page's script does its work and sends back what it found.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// What a page may take; generous, for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Ends its process group when its input ends, which it does with this process, however that ends; or ends with the
/// browser.
const WATCHED: &str = r#"exec 3<&0; (read -r _ <&3; kill -KILL 0) & exec 3<&-; "$@" </dev/null"#;

const FLAGS: [&str; 14] = [
    "--headless=new",
    // Chromium has none for root.
    "--no-sandbox",
    "--disable-gpu",
    // Containers have little of it.
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-extensions",
    "--no-first-run",
    "--no-proxy-server",
    // A page loads nothing from elsewhere.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
    "--enable-logging=stderr",
];

/// Runs the script, and sends what comes of it to [`answer`].
const HARNESS: &str = include_str!("../pages/harness.html");

/// A page to be opened.
pub(crate) struct Page {
    files: BTreeMap<String, (&'static str, Bytes)>,
}

/// What came of a page.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    /// What the script returned.
    #[serde(default)]
    pub(crate) found: Value,
    /// What nobody caught, and what was written to the console as an error.
    pub(crate) errors: Vec<String>,
    /// The page's origin.
    #[serde(skip)]
    pub(crate) origin: String,
    failed: Option<String>,
}

impl Page {
    /// A page that runs a module's default function with `input`.
    pub(crate) fn new(script: &'static str, input: &Value) -> Self {
        let page = Self { files: BTreeMap::new() };
        let page = page.file("/", "text/html; charset=utf-8", HARNESS).file("/script.js", "text/javascript", script);
        page.file("/input.json", "application/json", input.to_string())
    }

    /// With a file that the script may fetch.
    pub(crate) fn file(mut self, path: &str, content_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        self.files.insert(path.to_owned(), (content_type, bytes.into()));
        self
    }

    /// Opens it, and waits until its script is done.
    pub(crate) async fn open(self) -> Report {
        let browser = tokio::task::spawn_blocking(browser).await.expect("a thread");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("its address"));
        let (tell, mut told) = mpsc::unbounded_channel();
        let router = axum::Router::new().fallback(answer).layer(DefaultBodyLimit::disable());
        let server = axum::serve(listener, router.with_state(Arc::new(Server { files: self.files, tell })));
        let server = tokio::spawn(server.into_future());
        let mut running = Running::start(&browser, &origin);
        let (started, mut report) = (Instant::now(), None);
        while report.is_none() {
            assert!(started.elapsed() < PATIENCE, "the page is not done\n{}", running.log());
            assert!(running.process.try_wait().expect("its state").is_none(), "the browser ended\n{}", running.log());
            report = tokio::time::timeout(Duration::from_millis(200), told.recv()).await.ok().flatten();
        }
        server.abort();
        let report: Bytes = report.expect("a report");
        let mut report: Report = serde_json::from_slice(&report).expect("a report as the harness sends it");
        assert!(report.failed.is_none(), "{:?} {:?}\n{}", report.failed, report.errors, running.log());
        report.origin = origin;
        report
    }
}

/// The page's server.
struct Server {
    files: BTreeMap<String, (&'static str, Bytes)>,
    tell: mpsc::UnboundedSender<Bytes>,
}

async fn answer(State(server): State<Arc<Server>>, method: Method, uri: Uri, body: Bytes) -> Response {
    if method == Method::POST {
        let _ = server.tell.send(body);
        return StatusCode::NO_CONTENT.into_response();
    }
    match server.files.get(uri.path()) {
        Some((content_type, bytes)) => ([(header::CONTENT_TYPE, *content_type)], bytes.clone()).into_response(),
        // Such as the icon that every browser asks for.
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// A browser that runs; dropping it ends it with all its processes.
struct Running {
    process: Child,
    folder: TempDir,
}

impl Running {
    fn start(browser: &Path, url: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("perch-browser-").tempdir().expect("a folder");
        let log = File::create(folder.path().join("log")).expect("a log");
        let mut command = Command::new("sh");
        command.args(["-c", WATCHED, "sh"]).arg(browser).args(FLAGS);
        command.arg(format!("--user-data-dir={}", folder.path().join("profile").display())).arg(url);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).process_group(0);
        Self { process: command.spawn().expect("a shell"), folder }
    }

    /// What the browser has written, but for its search for a desktop.
    fn log(&self) -> String {
        let log = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).lines().filter(|line| !line.contains("dbus")).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The browser, installed at first use if there is none.
fn browser() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    let install = || {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/install-chromium");
        let status = Command::new(script).status().expect("bash");
        assert!(status.success(), "scripts/install-chromium says what is missing");
        find().expect("a browser")
    };
    FOUND.get_or_init(|| find().unwrap_or_else(install)).clone()
}

fn find() -> Option<PathBuf> {
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"].map(OsStr::new);
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| path.is_file())
}
