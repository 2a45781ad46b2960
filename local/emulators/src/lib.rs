//! The AWS services that Perch uses, embedded: each speaks its service's wire protocol on a port of its own, so
//! that the SDK clients that are deployed are also the ones that run here. All keep their data in one folder, and
//! what they acknowledged survives `kill -9`. A server ends with the runtime it was started on. Calls fail when a file
//! or a port cannot be used; what else can go wrong is said where it can.

/// Open sockets.
pub mod connections;
/// The data folder.
pub mod data;
/// The table.
pub mod dynamodb;
/// What functions outside need.
pub mod environment;
/// What goes wrong on AWS, injected.
pub mod faults;
/// A function.
pub mod lambda;
/// The media bucket.
pub mod s3;
/// Secrets.
pub mod secrets;
/// Mail.
pub mod ses;
/// The queues.
pub mod sqs;
/// A recording proxy in front of DynamoDB.
pub mod wire;

/// SQLite behind async calls.
mod sqlite;

pub use template::{ACCOUNT, REGION};

use serde::{Deserialize, Serialize};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::{TcpListener, TcpSocket};

/// How much a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Each commit reaches the disk: what was acknowledged survives a power cut.
    Full,
    /// Commits survive `kill -9` but not a power cut: for runs whose data is thrown away.
    Fast,
}

/// The addresses the functions were given for the services.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Endpoints {
    /// DynamoDB, or the recorder in front of it. With faults each function has its own instead; here are none.
    pub dynamodb: String,
    /// SQS.
    pub sqs: String,
    /// S3.
    pub s3: String,
    /// SES v2.
    pub ses: String,
    /// API Gateway's management of sockets.
    pub connections: String,
    /// Secrets Manager.
    pub secrets: String,
}

/// A socket that listens, and its address as a client on this machine writes it: `http://127.0.0.1:PORT`.
pub type Listener = (TcpListener, String);

/// Listens on a free loopback port.
pub fn listen() -> io::Result<Listener> {
    listen_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

/// Listens on an address; port 0 is any that is free. Accepted sockets inherit TCP_NODELAY from the listener; without
/// it an answer longer than a segment waits for the client's delayed acknowledgement.
pub fn listen_at(at: SocketAddr) -> io::Result<Listener> {
    let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_nodelay(true)?;
    // Or a port that was just in use is refused for a minute. Windows would let two processes share it.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    let listener = socket.listen(1024)?;
    let endpoint = format!("http://{}", reachable(listener.local_addr()?));
    Ok((listener, endpoint))
}

/// Where this machine reaches what listens on an address.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    address
}

/// Configuration of an SDK client for tests: `sdk!(aws_sdk_sqs, endpoint)`.
#[cfg(test)]
macro_rules! sdk {
    ($sdk:ident, $endpoint:expr) => {
        $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::new(crate::REGION))
            .credentials_provider(aws_credential_types::Credentials::new("key", "secret", None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url($endpoint)
    };
}
#[cfg(test)]
pub(crate) use sdk;
