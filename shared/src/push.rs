//! Messages to open sockets, through API Gateway.

use crate::aws::{Aws, sdk_config};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::limits::PUSH_TIMEOUT;
use crate::models::socket::Channel;
use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::error::SdkError;
use aws_sdk_apigatewaymanagement::operation::post_to_connection::PostToConnectionError;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use std::sync::{Arc, OnceLock};

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    Sent,
    /// The socket is closed, or not open yet.
    Gone,
    /// The socket takes no more, or not within [`PUSH_TIMEOUT`]: its reader is slow.
    Stuck,
}

/// Pushes to sockets. Cheap to clone; the clients are made at first use.
#[derive(Clone)]
pub struct Push(Arc<Inner>);

struct Inner {
    aws: Aws,
    /// Where the stages are, without a slash at the end.
    base: String,
    clients: [OnceLock<Client>; Channel::ALL.len()],
}

impl Push {
    pub fn new(aws: Aws, endpoint: Option<String>, config: &Config) -> Self {
        let base = endpoint.unwrap_or_else(|| config.connections_url.clone());
        Self(Arc::new(Inner { aws, base, clients: [const { OnceLock::new() }; Channel::ALL.len()] }))
    }

    fn client(&self, channel: Channel) -> &Client {
        self.0.clients[channel as usize].get_or_init(|| {
            let endpoint = Some(format!("{}/{}", self.0.base, channel.as_str()));
            let config = sdk_config!(aws_sdk_apigatewaymanagement, self.0.aws, endpoint);
            Client::from_conf(config.build())
        })
    }

    /// Sends a message to a socket. It neither waits for a slow reader nor tries twice to no purpose.
    ///
    /// # Errors
    /// API Gateway does not answer, or throttles.
    pub async fn send(&self, channel: Channel, id: &str, text: &str) -> Result<Pushed> {
        let post = self.client(channel).post_to_connection().connection_id(id).data(Blob::new(text)).send();
        match tokio::time::timeout(PUSH_TIMEOUT, post).await {
            Ok(Ok(_)) => Ok(Pushed::Sent),
            Ok(Err(error)) => outcome(error),
            Err(_) => Ok(Pushed::Stuck),
        }
    }

    /// Closes a socket. False where there is none to close: it is closed, or not open yet.
    pub async fn disconnect(&self, channel: Channel, id: &str) -> Result<bool> {
        match self.client(channel).delete_connection().connection_id(id).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_gone_exception()) => Ok(false),
            Err(error) => Err(Error::unavailable(error)),
        }
    }
}

fn outcome(error: SdkError<PostToConnectionError>) -> Result<Pushed> {
    match error.as_service_error() {
        Some(PostToConnectionError::GoneException(_)) => Ok(Pushed::Gone),
        _ => Err(Error::unavailable(error)),
    }
}
