//! `template.yaml` as this machine needs it: functions with their events, the table, queues, buckets, secrets, stages.

mod read;
/// Values: functions, references, ARNs.
pub mod resolve;
/// Which route takes a request.
pub mod routes;
#[cfg(test)]
mod tests;

use crate::routes::Routes;
use resolve::{Bindings, Resolver, scalar};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// What the embedded services put into ARNs and events.
pub const REGION: &str = "us-east-1";
/// The account in ARNs and queue URLs.
pub const ACCOUNT: &str = "000000000000";

/// What is wrong with a template, and where.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {what}")]
pub struct TemplateError {
    place: String,
    what: String,
}

impl TemplateError {
    pub fn at(place: impl Into<String>, what: impl ToString) -> Self {
        Self { place: place.into(), what: what.to_string() }
    }
}

/// A template, read and resolved but for the environments, which need the running services.
#[derive(Debug)]
pub struct Model {
    /// The functions in the order of the template.
    pub functions: Vec<Function>,
    /// The one table.
    pub table: Table,
    /// All queues, dead-letter queues included.
    pub queues: Vec<Queue>,
    /// The buckets.
    pub buckets: Vec<Bucket>,
    /// What is generated once and kept.
    pub secrets: Vec<Secret>,
    /// The named stages; `$default` is always there.
    pub stages: Vec<String>,
    /// The HTTP API's `CorsConfiguration`.
    pub cors: Option<Cors>,
    /// The WebSocket API, if there is one.
    pub sockets: Option<SocketApi>,
    /// Every parameter with the value that holds.
    pub parameters: BTreeMap<String, Value>,
    /// The resources as they stand in the template, intrinsic functions in their long form.
    pub resources: Value,
    conditions: Value,
}

/// A Lambda function.
#[derive(Debug)]
pub struct Function {
    /// Its logical id, such as `UsersFunction`.
    pub id: String,
    /// Its binary, such as `users`.
    pub binary: String,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// Memory in MB.
    pub memory: u32,
    /// What invokes it.
    pub events: Vec<Event>,
    environment: Map<String, Value>,
}

/// What invokes a function.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "Type", content = "Properties")]
pub enum Event {
    /// A route of the HTTP API.
    HttpApi(HttpRoute),
    /// Messages of a queue.
    #[serde(rename = "SQS")]
    Queue(QueueTrigger),
    /// The table's stream.
    #[serde(rename = "DynamoDB")]
    Stream(StreamTrigger),
    /// A clock.
    Schedule(ScheduleTrigger),
}

/// A WebSocket API.
#[derive(Clone, Debug)]
pub struct SocketApi {
    /// Its stages' names, each a channel.
    pub stages: Vec<String>,
    /// The logical id of the function that all of its routes lead to.
    pub function: String,
}

/// A method or `ANY`, and a path or `$default`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HttpRoute {
    /// `GET`, or `ANY`.
    pub method: String,
    /// `/users/{proxy+}`, or `$default`.
    pub path: String,
}

/// How a function reads a queue.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct QueueTrigger {
    /// The queue's name.
    #[serde(deserialize_with = "name_of_arn")]
    pub queue: String,
    /// Messages an invocation gets at most.
    #[serde(default = "ten")]
    pub batch_size: usize,
    #[serde(default)]
    maximum_batching_window_in_seconds: u64,
    /// `ReportBatchItemFailures`, if the function names the messages that failed.
    #[serde(default)]
    pub function_response_types: Vec<String>,
    #[serde(default)]
    scaling_config: ScalingConfig,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScalingConfig {
    maximum_concurrency: Option<usize>,
}

impl QueueTrigger {
    /// How long messages are gathered for a batch that is not full.
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.maximum_batching_window_in_seconds)
    }

    /// What Lambda takes ("Creating and configuring an Amazon SQS event source mapping").
    fn check(&self) -> Result<(), &'static str> {
        match (self.batch_size, self.maximum_batching_window_in_seconds) {
            (1..=10, 0..=300) | (11..=10_000, 1..=300) => Ok(()),
            (11..=10_000, 0) => Err("a batch of more than 10 needs a MaximumBatchingWindowInSeconds"),
            (_, 0..=300) => Err("a batch is of 1 to 10000 messages"),
            _ => Err("a batching window is of 300 s at most"),
        }
    }

    /// Invocations that may run at the same time, if that is bounded.
    pub fn maximum_concurrency(&self) -> Option<usize> {
        self.scaling_config.maximum_concurrency
    }
}

/// How a function reads the table's stream.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StreamTrigger {
    /// Records an invocation gets at most.
    #[serde(default = "hundred")]
    pub batch_size: usize,
    /// Whether a batch that fails is halved.
    #[serde(default)]
    pub bisect_batch_on_function_error: bool,
    /// Attempts after the first; without end if absent.
    pub maximum_retry_attempts: Option<u32>,
    /// `ReportBatchItemFailures`, if the function names the first record that failed.
    #[serde(default)]
    pub function_response_types: Vec<String>,
    #[serde(default)]
    destination_config: DestinationConfig,
    #[serde(default)]
    filter_criteria: FilterCriteria,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DestinationConfig {
    on_failure: Option<Destination>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Destination {
    #[serde(deserialize_with = "name_of_arn")]
    destination: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FilterCriteria {
    filters: Vec<Filter>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    #[serde(deserialize_with = "json_text")]
    pattern: Value,
}

impl StreamTrigger {
    /// The queue that is told of records given up.
    pub fn on_failure(&self) -> Option<&str> {
        self.destination_config.on_failure.as_ref().map(|to| to.destination.as_str())
    }

    /// The event patterns, of which one must match; none lets everything through.
    pub fn filters(&self) -> impl Iterator<Item = &Value> {
        self.filter_criteria.filters.iter().map(|filter| &filter.pattern)
    }
}

/// When a function runs by itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ScheduleTrigger {
    /// The time from one run to the next.
    #[serde(rename = "Schedule", deserialize_with = "rate")]
    pub every: Duration,
}

/// The table: its name, and the properties that CreateTable takes, `TableName` included.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its resolved properties.
    pub properties: Value,
}

/// A queue.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Queue {
    /// Its name.
    #[serde(skip)]
    pub name: String,
    #[serde(default)]
    delay_seconds: u64,
    #[serde(default = "thirty")]
    visibility_timeout: u64,
    /// Where messages go that were received too often.
    pub redrive_policy: Option<RedrivePolicy>,
}

impl Queue {
    /// How long a message stays hidden at first.
    pub fn delay(&self) -> Duration {
        Duration::from_secs(self.delay_seconds)
    }

    /// How long a message that was received stays hidden.
    pub fn visibility_timeout(&self) -> Duration {
        Duration::from_secs(self.visibility_timeout)
    }
}

/// Where messages go that were received too often.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RedrivePolicy {
    /// The dead-letter queue's name.
    #[serde(rename = "deadLetterTargetArn", deserialize_with = "name_of_arn")]
    pub dead_letter_queue: String,
    /// Receives before that.
    pub max_receive_count: u32,
}

/// A bucket.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Bucket {
    /// Its name.
    #[serde(skip)]
    pub name: String,
    #[serde(default)]
    cors_configuration: CorsConfiguration,
}

impl Bucket {
    /// What pages of other origins may do with its objects; the first rule that fits holds.
    pub fn cors(&self) -> &[CorsRule] {
        &self.cors_configuration.cors_rules
    }

    /// A bucket with one CORS rule.
    pub fn with(name: &str, rule: CorsRule) -> Self {
        Self { name: name.to_owned(), cors_configuration: CorsConfiguration { cors_rules: vec![rule] } }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CorsConfiguration {
    cors_rules: Vec<CorsRule>,
}

/// A CORS rule of a bucket.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CorsRule {
    /// Origins, each with at most one `*`.
    pub allowed_origins: Vec<String>,
    /// Methods.
    pub allowed_methods: Vec<String>,
    /// Request headers, each with at most one `*`.
    pub allowed_headers: Vec<String>,
    /// Response headers that scripts may read.
    pub exposed_headers: Vec<String>,
    /// Seconds a preflight's answer is kept.
    pub max_age: Option<u64>,
}

/// A secret that is generated once.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Secret {
    /// Its logical id.
    #[serde(skip)]
    pub id: String,
    pub generate_secret_string: GenerateSecretString,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GenerateSecretString {
    #[serde(deserialize_with = "json_text")]
    pub secret_string_template: Map<String, Value>,
    pub generate_string_key: String,
    pub password_length: usize,
}

/// What pages of other origins may do.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Cors {
    /// Origins, or `*`.
    pub allow_origins: Vec<String>,
    /// Methods of a preflight's answer.
    pub allow_methods: Vec<String>,
    /// Request headers of a preflight's answer.
    pub allow_headers: Vec<String>,
    /// Response headers that scripts may read.
    pub expose_headers: Vec<String>,
    /// Seconds a preflight's answer is kept.
    pub max_age: Option<u64>,
    /// Whether cookies are sent along.
    pub allow_credentials: bool,
}

impl Model {
    /// Reads a template, with values for some of its parameters.
    ///
    /// # Errors
    /// What does not parse, is missing, or is not known locally, in one line with its place.
    pub fn parse(yaml: &str, overrides: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        read::model(yaml, overrides)
    }

    /// The HTTP API's routes, each leading to what `target` makes of its function.
    pub fn routes<T>(&self, target: impl Fn(&Function) -> T) -> Routes<T> {
        let mut routes = Routes::new();
        for function in &self.functions {
            for event in &function.events {
                if let Event::HttpApi(route) = event {
                    routes.add(&route.method, &route.path, target(function));
                }
            }
        }
        routes
    }

    /// The environment of one function as the template gives it.
    ///
    /// # Errors
    /// A value that refers to what is not there.
    pub fn environment(
        &self,
        function: &Function,
        bindings: &Bindings,
    ) -> Result<BTreeMap<String, String>, TemplateError> {
        let resolver = Resolver {
            conditions: &self.conditions,
            resources: &self.resources,
            parameters: &self.parameters,
            bindings,
        };
        let mut environment = BTreeMap::new();
        for (name, value) in &function.environment {
            let place = format!("{}.Environment.Variables.{name}", function.id);
            environment.insert(name.clone(), scalar(&resolver.resolve(value, &place)?, &place)?);
        }
        Ok(environment)
    }
}

fn ten() -> usize {
    10
}

fn thirty() -> u64 {
    30
}

fn hundred() -> usize {
    100
}

/// The last part of a queue's ARN.
fn name_of_arn<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let arn = String::deserialize(deserializer)?;
    Ok(arn.rsplit(':').next().unwrap_or_default().to_owned())
}

/// JSON written as a text.
fn json_text<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    serde_json::from_str(&text).map_err(D::Error::custom)
}

/// `rate(5 minutes)`; the cron form is not supported.
fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let inner = text.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(')'));
    let parts = inner.and_then(|inner| inner.split_once(' '));
    let every = parts.and_then(|(count, unit)| {
        let unit = match unit.trim_end_matches('s') {
            "minute" => 60,
            "hour" => 3_600,
            "day" => 86_400,
            _ => return None,
        };
        let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
        count.checked_mul(unit).map(Duration::from_secs)
    });
    every.ok_or_else(|| D::Error::custom(format!("{text:?} is not of the form rate(N minutes)")))
}
