//! The functions' own binaries, started the way Lambda starts them.
//!
//! Around each stands a Runtime API of the test's (Lambda developer guide, "Using the Lambda runtime API for custom
//! runtimes"); the environment is the template's, the services are a running host's.

use crate::samples::{Sample, play};
use crate::support::TestApp;
use crate::support::binaries::{FUNCTIONS, binaries};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use shared::clock::Clock;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

/// What a loaded machine may take for one step.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a function tells the Runtime API.
#[derive(Debug, PartialEq)]
pub(crate) enum Told {
    /// It asks for the next event.
    Ready,
    Answer(Value),
    Error(Value),
}

/// The Runtime API of one execution environment.
struct RuntimeApi {
    events: Mutex<mpsc::UnboundedReceiver<Value>>,
    told: mpsc::UnboundedSender<Told>,
}

impl RuntimeApi {
    async fn answer(State(api): State<Arc<Self>>, request: Request) -> Response {
        let path = request.uri().path().strip_prefix("/2018-06-01/runtime/").unwrap().to_owned();
        let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
        let body = || serde_json::from_slice(&body).unwrap_or_default();
        let told = match path.rsplit('/').next() {
            Some("next") => return api.next().await,
            Some("response") => Told::Answer(body()),
            Some("error") => Told::Error(body()),
            _ => panic!("there is no {path}"),
        };
        let _ = api.told.send(told);
        Response::builder().status(StatusCode::ACCEPTED).body(Body::from(r#"{"status":"OK"}"#)).unwrap()
    }

    async fn next(&self) -> Response {
        let _ = self.told.send(Told::Ready);
        // Lambda freezes an environment that waits; this one waits until it is ended.
        let Some(event) = self.events.lock().await.recv().await else { return std::future::pending().await };
        let deadline = Clock::default().now() + PATIENCE;
        Response::builder()
            .header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
            .header("lambda-runtime-deadline-ms", deadline.millis())
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:123456789012:function:perch")
            .header("lambda-runtime-trace-id", "Root=1-6bbca5c8-4f1d2e3c5b6a79880716a5b4;Sampled=0")
            .header("content-type", "application/json")
            .body(Body::from(event.to_string()))
            .unwrap()
    }
}

/// A function's process with its Runtime API. Dropping it ends the process.
pub(crate) struct Environment {
    process: Child,
    log: File,
    started: Instant,
    events: mpsc::UnboundedSender<Value>,
    told: mpsc::UnboundedReceiver<Told>,
}

impl Environment {
    pub(crate) async fn start(function: &str, mut variables: BTreeMap<String, String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (events, receiver) = mpsc::unbounded_channel();
        let (sender, told) = mpsc::unbounded_channel();
        let api = Arc::new(RuntimeApi { events: Mutex::new(receiver), told: sender });
        let router = axum::Router::new().fallback(RuntimeApi::answer).with_state(api);
        tokio::spawn(axum::serve(listener, router).into_future());
        for (name, value) in [
            ("AWS_LAMBDA_RUNTIME_API", address.to_string().as_str()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "perch-FunctionLogs"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/20/[$LATEST]4f1d2e3c5b6a79880716a5b4"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
            ("_HANDLER", "bootstrap"),
        ] {
            variables.insert(name.to_owned(), value.to_owned());
        }
        let log = tempfile::tempfile().unwrap();
        let mut command = Command::new(binaries().await.join(function));
        command.env_clear().envs(variables).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log.try_clone().unwrap());
        let started = Instant::now();
        Self { process: command.spawn().unwrap(), log, started, events, told }
    }

    /// What it tells next.
    #[track_caller]
    pub(crate) fn told(&mut self) -> impl Future<Output = Told> {
        let told = tokio::time::timeout(PATIENCE, self.told.recv());
        async { told.await.expect("it tells something in time").expect("the Runtime API runs") }
    }

    /// Hands it an event, waits until it asks for another, and gives what it told in between.
    pub(crate) async fn invoke(&mut self, event: Value) -> Told {
        self.events.send(event).unwrap();
        let told = self.told().await;
        assert_eq!(self.told().await, Told::Ready, "the environment survives");
        told
    }

    pub(crate) async fn expect_answer(&mut self, sample: &Sample, event: Value) {
        match self.invoke(event).await {
            Told::Answer(answer) => sample.check(&answer),
            told => panic!("{}: {told:?}\n{}", sample.file, self.log()),
        }
    }

    async fn expect_error(&mut self, event: Value, message: &str) {
        match self.invoke(event).await {
            Told::Error(error) => assert!(error["errorMessage"].as_str().unwrap().starts_with(message), "{error}"),
            told => panic!("{told:?}\n{}", self.log()),
        }
    }

    /// How it ends by itself.
    async fn end(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(self.started.elapsed() < PATIENCE, "it does not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What it has written.
    pub(crate) fn log(&mut self) -> String {
        let mut text = String::new();
        self.log.rewind().unwrap();
        self.log.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn each_binary_answers_its_sample_event_twice_and_after_an_error() {
    let app = TestApp::start().await;
    let mut samples = Sample::all();
    // Signs up who the samples are about.
    let token = play(&app, &samples).await;
    // What can be asked again and again; an upload is begun anew each time.
    samples.retain(|sample| sample.function == "media" || sample.status.is_none_or(|status| status == 200));
    let binaries: Vec<_> = app.model().functions.iter().map(|function| function.binary.as_str()).collect();
    assert_eq!(binaries, FUNCTIONS);
    for function in FUNCTIONS {
        let sample = samples.iter().find(|sample| sample.function == function).unwrap();
        let event = sample.event(&token);
        let mut environment = Environment::start(function, app.environment(function)).await;
        assert_eq!(environment.told().await, Told::Ready, "{function}: {}", environment.log());
        eprintln!("{function}: {:?} from its start to its first poll", environment.started.elapsed());
        for _ in 0..2 {
            environment.expect_answer(sample, event.clone()).await;
        }
        environment.expect_error(json!("no event"), "failed to deserialize").await;
        if sample.file.starts_with("http-") {
            // A host that makes no URL is a panic in `lambda_http`; API Gateway sends none.
            let mut panics = event.clone();
            panics["headers"]["host"] = json!("no host");
            environment.expect_error(panics, "Lambda panicked").await;
        }
        environment.expect_answer(sample, event).await;
        assert!(environment.process.try_wait().unwrap().is_none(), "{function} runs on");
        let log = environment.log();
        assert!(!log.contains(&token), "{function} logs a token");
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        assert!(lines.any(|line| line["level"] == "ERROR"), "{function} logs JSON: {log}");
    }
}

#[tokio::test]
async fn a_binary_without_its_environment_says_all_that_is_missing() {
    let app = TestApp::start().await;
    let mut variables = app.environment("users");
    variables.remove("TABLE_NAME");
    variables.remove("MAIL_FROM");
    let mut environment = Environment::start("users", variables).await;
    assert!(!environment.end().await.success());
    let log = environment.log();
    assert!(log.contains("TABLE_NAME is not set") && log.contains("MAIL_FROM is not set"), "{log}");
}

/// CloudWatch user guide, "Specification: Embedded metric format".
#[tokio::test]
async fn business_figures_are_lines_of_the_embedded_metric_format() {
    let app = TestApp::start().await;
    for (file, figures) in [
        ("http-users-register.json", &["SignUps"][..]),
        ("stream-dispatch-post.json", &["Posts"]),
        ("sqs-fanout-post-created.json", &["Deliveries", "FeedDelay"]),
    ] {
        let sample = Sample::all().into_iter().find(|sample| sample.file == file).unwrap();
        let mut environment = Environment::start(&sample.function, app.environment(&sample.function)).await;
        assert_eq!(environment.told().await, Told::Ready, "{}", environment.log());
        environment.expect_answer(&sample, sample.event("")).await;
        let log = environment.log();
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let (figured, others): (Vec<_>, Vec<_>) = lines.partition(|line| line.get("_aws").is_some());
        let named: Vec<_> = figured.iter().map(|line| figure(line, &app)).collect();
        assert_eq!(named, figures, "{file}: {log}");
        assert!(others.iter().all(|line| line["target"] != "metrics"), "{file}: {log}");
    }
}

/// The name of the metric that a line is.
fn figure(line: &Value, app: &TestApp) -> String {
    let all = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
    let [metrics] = all.as_slice() else { panic!("{line}") };
    assert_eq!(metrics["Namespace"], app.environment("users")["METRICS_NAMESPACE"]);
    assert_eq!(metrics["Dimensions"], json!([[]]));
    assert!(line["_aws"]["Timestamp"].is_u64());
    let name = metrics["Metrics"][0]["Name"].as_str().unwrap();
    assert!(metrics["Metrics"][0]["Unit"].is_string() && line[name].is_u64(), "{line}");
    name.to_owned()
}
