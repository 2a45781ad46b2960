//! Stacks in place of the local host: with `STACKS_URL` set, each test's service is one of its own, which
//! `scripts/deploy-check` deploys. Tests that look behind the API, or need what only the local host has, end there.

use super::Http;
use crate::samples::read;
use emulators::Endpoints;
use emulators::data::Data;
use emulators::lambda::InvokeError;
use emulators::ses::Mail;
use emulators::sqs::Counts;
use http::{Method, Request, request};
use local::{DeadLetter, Options, SocketTimes};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use template::Model;
use tools::audit;

/// How a test ends that can't be run on a stack; `scripts/deploy_check` takes it for skipped.
const NEEDS_LOCAL_HOST: &str = "needs the local host";

/// A deployed stack, deleted when it is dropped.
pub(crate) struct Stack {
    /// Where stacks are made.
    control: String,
    http: Http,
    name: String,
    pub(super) url: String,
    pub(super) sockets_url: String,
    pub(super) table: String,
    pub(super) endpoints: Endpoints,
    pub(super) environments: BTreeMap<String, BTreeMap<String, String>>,
    /// Addresses of queues by their ids in the template.
    pub(super) queues: BTreeMap<String, String>,
    pub(super) model: Model,
}

#[derive(Deserialize)]
struct Description {
    name: String,
    url: String,
    sockets_url: String,
    endpoint: String,
    table: String,
    environments: BTreeMap<String, BTreeMap<String, String>>,
    queues: BTreeMap<String, String>,
}

/// Where stacks are made, if tests are to run on stacks.
#[expect(clippy::disallowed_methods, reason = "how the tests are told where to run")]
pub(crate) fn control() -> Option<String> {
    std::env::var("STACKS_URL").ok()
}

/// Ends a test on a stack, which has no such thing.
#[track_caller]
pub(crate) fn needs_local_host(what: &str) -> ! {
    panic!("{NEEDS_LOCAL_HOST}: {what}")
}

impl Stack {
    pub(super) async fn create(control: String, options: Options) -> Self {
        if let Some(what) = local_only(&options) {
            needs_local_host(what);
        }
        let model = Model::parse(&read("template.yaml"), &options.parameters).expect("a template");
        let http = Http::default();
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        let asked = json!({"test": test, "parameters": options.parameters});
        let call = Request::post(format!("{control}/stacks"));
        let Description { name, url, sockets_url, endpoint, table, environments, queues } =
            answer(&http, call, asked.to_string()).await;
        let endpoints = Endpoints {
            dynamodb: endpoint.clone(),
            sqs: endpoint.clone(),
            s3: endpoint.clone(),
            ses: endpoint.clone(),
            connections: endpoint.clone(),
            secrets: endpoint,
        };
        Self { control, http, name, url, sockets_url, table, endpoints, environments, queues, model }
    }

    /// The mails that were sent, newest first.
    pub(super) async fn mails(&self) -> Vec<Mail> {
        self.ask(Method::GET, "mails", None).await
    }

    /// Returns when every change has been handled and every queue is empty, dead-letter queues aside.
    pub(super) async fn settle(&self) {
        let left: Value = self.ask(Method::POST, "settle", None).await;
        assert_eq!(left, json!({}), "the work does not come to its end");
    }

    pub(super) async fn queue(&self, name: &str) -> Counts {
        let counts: BTreeMap<String, u64> = self.ask(Method::GET, &format!("queues/{name}"), None).await;
        Counts { visible: counts["visible"], in_flight: counts["in_flight"], delayed: counts["delayed"] }
    }

    pub(super) async fn dead_letters(&self, queue: &str) -> Vec<DeadLetter> {
        #[derive(Deserialize)]
        struct Letter {
            body: String,
            attributes: BTreeMap<String, String>,
        }
        let letters: Vec<Letter> = self.ask(Method::GET, &format!("dead-letters/{queue}"), None).await;
        letters.into_iter().map(|Letter { body, attributes }| DeadLetter { body, attributes }).collect()
    }

    /// `pause` or `resume`: stream, queues and schedules.
    pub(super) async fn workers(&self, act: &str) {
        let _: Value = self.ask(Method::POST, act, None).await;
    }

    pub(super) async fn invoke(&self, function: &str, event: &Value) -> Result<Value, InvokeError> {
        let mut answer: Value = self.ask(Method::POST, &format!("invoke/{function}"), Some(event)).await;
        match answer.get("failed") {
            Some(failed) => Err(InvokeError::Failed(failed.to_string())),
            None => Ok(answer["answer"].take()),
        }
    }

    /// One call of a service: `("DynamoDB_20120810.Scan", …)`.
    pub(super) async fn aws(&self, target: &str, body: Value) -> Value {
        let call = Request::post(format!("{}/aws", self.control)).header("x-amz-target", target);
        answer(&self.http, call, body.to_string()).await
    }

    pub(super) async fn audit(&self) -> audit::Report {
        let (name, endpoint) = (self.table.clone(), Some(self.endpoints.dynamodb.clone()));
        audit::audit(&audit::Target::Table { name, endpoint }, true).await.expect("an audit")
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, what: &str, body: Option<&Value>) -> T {
        let call = Request::builder().method(method).uri(format!("{}/stacks/{}/{what}", self.control, self.name));
        answer(&self.http, call, body.map(Value::to_string).unwrap_or_default()).await
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // No runtime is needed, and none may be there any more.
        let address = self.control.trim_start_matches("http://");
        if let Ok(mut stream) = TcpStream::connect(address) {
            let request =
                format!("DELETE /stacks/{} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n", self.name);
            let _ = stream.write_all(request.as_bytes());
            let _ = std::io::read_to_string(stream);
        }
    }
}

/// The option that a stack can't have.
fn local_only(options: &Options) -> Option<&'static str> {
    let Options { data, durability: _, template, parameters: _, port: _, .. } = options;
    let (usual, times) = (SocketTimes::default(), options.socket_times);
    let asked = [
        ("a data folder", !matches!(data, Data::Ephemeral)),
        ("another template", template.is_some()),
        ("other variables", !options.environment.is_empty()),
        ("workers held from the start", !options.workers),
        ("a recorder", options.record_wire),
        ("faults", options.faults.is_some()),
        ("another clock", !options.clock_offset.is_zero()),
        ("other visibility timeouts", options.visibility_timeout.is_some()),
        ("other times of sockets", (times.life, times.idle) != (usual.life, usual.idle)),
    ];
    asked.into_iter().find(|(_, is_asked)| *is_asked).map(|(what, _)| what)
}

async fn answer<T: DeserializeOwned>(http: &Http, call: request::Builder, body: String) -> T {
    let answer = http.send(call.body(body.into()).expect("a request")).await.expect("an answer");
    let text = String::from_utf8_lossy(answer.body());
    assert!(answer.status().is_success(), "{text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
