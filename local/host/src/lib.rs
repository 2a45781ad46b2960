//! `template.yaml` run in one process: every function, its routes and triggers, on embedded services.
//!
//! The functions run as they do on AWS: each has the environment that the template gives it, gets its events as JSON
//! in AWS's own forms, and talks to the services with the SDK.

/// Demo data.
pub mod demo;
/// The functions' doors.
mod functions;
/// API Gateway.
mod gateway;
/// From options to a running host.
mod start;
/// What invokes the workers.
mod triggers;

pub use functions::openapi_parts;
pub use triggers::{Pattern, Unsettled};

use emulators::connections::Connections;
use emulators::data::{Data, DataError, Folder};
use emulators::dynamodb::DynamoDb;
use emulators::faults::replica::Replica;
use emulators::faults::{Death, FaultLayer, Faults};
use emulators::lambda::{Function, InvokeError};
use emulators::s3::{BucketRequest, S3};
use emulators::secrets::Secrets;
use emulators::ses::{Mail, Ses};
use emulators::sqs::{Counts, Message, Sqs};
use emulators::wire::Wire;
use emulators::{Durability, Endpoints};
use gateway::Server;
use serde_json::Value;
use shared::App;
use shared::clock::{Clock, Timestamp};
use shared::models::socket::{SOCKET_IDLE, SOCKET_LIFETIME};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use template::{Model, TemplateError};
use tools::audit::{self, AuditError, Report, Source};
use triggers::Triggers;

/// Of whatever runs a host, the tests too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long [`Local::settle`] waits.
const SETTLE_LIMIT: Duration = Duration::from_secs(300);
/// What requests, and then workers, have to end by themselves in [`Local::stop`].
const DRAIN: Duration = Duration::from_millis(800);
/// What the database has to close its file.
const CLOSE: Duration = Duration::from_millis(300);

/// How to run the template.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address to listen on.
    pub host: IpAddr,
    /// The API's port; the services take the six after it. 0 takes any that are free.
    pub port: u16,
    /// Where data lies.
    pub data: Data,
    /// What a commit waits for. Without it the disk, unless the data goes with the host.
    pub durability: Option<Durability>,
    /// The template; without it `template.yaml` in the current folder, or else the one built in.
    pub template: Option<PathBuf>,
    /// Values for the template's parameters.
    pub parameters: BTreeMap<String, String>,
    /// Variables that every function gets in place of the template's.
    pub environment: BTreeMap<String, String>,
    /// Whether triggers run from the start; else they wait for [`Local::resume_workers`].
    pub workers: bool,
    /// Whether the functions' calls of DynamoDB go through [`Wire`], and requests for objects are kept.
    pub record_wire: bool,
    /// What is to go wrong, if anything.
    pub faults: Option<Faults>,
    /// How far the functions' clock is ahead of the system's.
    pub clock_offset: Duration,
    /// In place of every queue's own, which are minutes.
    pub visibility_timeout: Option<Duration>,
    /// How long sockets stay open.
    pub socket_times: SocketTimes,
}

/// How long a socket stays open.
#[derive(Clone, Copy, Debug)]
pub struct SocketTimes {
    /// In all.
    pub life: Duration,
    /// While nothing is said on it, either way.
    pub idle: Duration,
}

impl Default for SocketTimes {
    /// API Gateway's own.
    fn default() -> Self {
        Self { life: SOCKET_LIFETIME, idle: SOCKET_IDLE }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            data: Data::Ephemeral,
            durability: None,
            template: None,
            parameters: BTreeMap::new(),
            environment: BTreeMap::new(),
            workers: true,
            record_wire: false,
            faults: None,
            clock_offset: Duration::ZERO,
            visibility_timeout: None,
            socket_times: SocketTimes::default(),
        }
    }
}

/// Why a host can't start, in one line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder can't be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The port can't be used.
    #[error("port {port}, for {service}, can't be used: {source}; --port N takes N and the six after it")]
    Port {
        /// The port.
        port: u16,
        /// What would answer there.
        service: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// The template can't be read or says what makes no sense here.
    #[error("the template {}: {source}", path.display())]
    Template {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TemplateError,
    },
    /// A function can't be made from the environment that the template gives it.
    #[error("the function {0}: {1}")]
    Function(String, String),
    /// An embedded service does not start.
    #[error("the embedded services: {0}")]
    Services(#[from] std::io::Error),
}

/// A message of a dead-letter queue.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The job, as it was sent.
    pub body: String,
    /// What the worker that gave it up says of it, by name.
    pub attributes: BTreeMap<String, String>,
}

/// The embedded services of one host.
struct Services {
    dynamodb: Arc<DynamoDb>,
    sqs: Sqs,
    ses: Arc<Ses>,
    connections: Connections,
    s3: S3,
    secrets: Secrets,
    wire: Option<Wire>,
    faults: Option<FaultLayer>,
    replica: Option<Arc<Replica>>,
}

/// A running host. Dropping it ends it at once; [`Self::stop`] lets what runs come to its end.
pub struct Local {
    url: String,
    model: Model,
    environments: BTreeMap<String, BTreeMap<String, String>>,
    endpoints: Endpoints,
    apps: BTreeMap<String, App>,
    functions: BTreeMap<String, Arc<Function>>,
    clock: Clock,
    server: Server,
    triggers: Triggers,
    services: Services,
    /// The last to go, for it holds the lock.
    _folder: Folder,
}

impl Local {
    /// The API's address, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The mails that were sent, newest first.
    pub async fn mails(&self) -> Vec<Mail> {
        self.services.ses.mails().await
    }

    /// Everything a function's process would find in its environment; empty if there is no such function.
    pub fn environment(&self, function: &str) -> BTreeMap<String, String> {
        self.environments.get(function).cloned().unwrap_or_default()
    }

    /// Audits the table as settled, by the functions' clock.
    ///
    /// # Errors
    /// The table can't be read.
    pub async fn audit(&self) -> Result<Report, AuditError> {
        let source = Source::embedded(self.services.dynamodb.endpoint(), self.table_name());
        audit::run(&source, self.clock.now(), true).await
    }

    /// Where the services are.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The table's name.
    pub fn table_name(&self) -> &str {
        &self.model.table.name
    }

    /// The recorder, if [`Options::record_wire`] asked for it.
    pub fn wire(&self) -> Option<&Wire> {
        self.services.wire.as_ref()
    }

    /// All requests for the buckets' objects, a browser's included, if [`Options::record_wire`] asked for that.
    pub fn bucket_requests(&self) -> Vec<BucketRequest> {
        self.services.s3.requests()
    }

    /// The faults, if [`Options::faults`] asked for them.
    pub fn faults(&self) -> Option<&FaultLayer> {
        self.services.faults.as_ref()
    }

    /// How many views the functions have dropped.
    pub fn dropped_views(&self) -> u64 {
        self.apps.values().map(|app| app.jobs().dropped_views()).sum()
    }

    /// What the template says.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What the functions' clock shows.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sets the functions' clock forward; the services keep the system's.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Hands a function one event, and gives its answer.
    ///
    /// # Errors
    /// There is no such function, it panicked or took too long, or it could not read the event.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, InvokeError> {
        let failed = |what: String| InvokeError::Failed(what);
        let found = self.functions.get(function);
        let found = found.ok_or_else(|| failed(format!("there is no function {function}")))?;
        let answer = found.invoke(event.to_string().into_bytes()).await?;
        serde_json::from_slice(&answer).map_err(|error| failed(error.to_string()))
    }

    /// Hands a function one event, and kills it at one of its calls of DynamoDB.
    ///
    /// # Errors
    /// [`InvokeError::Killed`] when it did. There is no such function, no fault layer, or it failed before.
    pub async fn invoke_killed(&self, function: &str, event: &Value, death: Death) -> Result<(), InvokeError> {
        let failed = |what: String| InvokeError::Failed(what);
        let found = self.functions.get(function);
        let found = found.ok_or_else(|| failed(format!("there is no function {function}")))?;
        let layer = self.faults().ok_or_else(|| failed("there are no faults".to_owned()))?;
        let arm = |task| Some(layer.arm(function, task, death));
        found.invoke_armed(event.to_string().into_bytes(), arm).await.map(|_| ())
    }

    /// Holds stream, queues and schedules; returns when the invocations that run have ended.
    pub async fn pause_workers(&self) {
        self.triggers.pause().await;
    }

    /// Lets them go on.
    pub async fn resume_workers(&self) {
        self.triggers.resume().await;
    }

    /// Returns when every change has been handled and every queue is empty, dead-letter queues aside.
    ///
    /// # Errors
    /// What is left after five minutes.
    pub async fn settle(&self) -> Result<(), Unsettled> {
        self.triggers.settle(SETTLE_LIMIT).await
    }

    /// How many messages a queue holds, such as a dead-letter queue.
    ///
    /// # Errors
    /// There is no such queue, or it can't be read.
    pub async fn queue(&self, name: &str) -> std::io::Result<Counts> {
        self.services.sqs.counts(name).await
    }

    /// Up to ten messages of a dead-letter queue; they stay where they are.
    ///
    /// # Errors
    /// There is no such queue, or it can't be read.
    pub async fn dead_letters(&self, queue: &str) -> std::io::Result<Vec<DeadLetter>> {
        let letter = |message: Message| DeadLetter {
            attributes: message.message_attributes.into_iter().map(|(name, one)| (name, one.string_value)).collect(),
            body: message.body,
        };
        Ok(self.services.sqs.receive_for(queue, 10, Duration::ZERO).await?.into_iter().map(letter).collect())
    }

    /// Ends requests, workers and services in turn, in less than two seconds.
    pub async fn stop(self) {
        let Self { mut server, mut triggers, services, .. } = self;
        services.connections.close_all();
        server.stop(DRAIN).await;
        triggers.stop(DRAIN).await;
        drop(triggers);
        if let Some(replica) = services.replica.and_then(Arc::into_inner) {
            replica.stop().await;
        }
        if let Some(dynamodb) = Arc::into_inner(services.dynamodb) {
            let _ = tokio::time::timeout(CLOSE, dynamodb.stop()).await;
        }
    }
}

#[cfg(test)]
mod tests;
