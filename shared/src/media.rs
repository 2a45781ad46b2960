//! The media bucket.

use crate::aws::{Aws, sdk_config};
use crate::config::Config;
use crate::error::{Error, Result};
use aws_sdk_s3::Client;
use std::sync::{Arc, OnceLock};

/// Cheap to clone; the client is made at first use.
#[derive(Clone)]
pub struct Media(Arc<Inner>);

struct Inner {
    aws: Aws,
    endpoint: Option<String>,
    bucket: String,
    client: OnceLock<Client>,
}

impl Media {
    pub fn new(aws: Aws, endpoint: Option<String>, config: &Config) -> Self {
        Self(Arc::new(Inner { aws, endpoint, bucket: config.media_bucket.clone(), client: OnceLock::new() }))
    }

    fn client(&self) -> &Client {
        self.0.client.get_or_init(|| {
            let config = sdk_config!(aws_sdk_s3, self.0.aws, self.0.endpoint);
            // A local endpoint has no name per bucket.
            let config = config.force_path_style(self.0.endpoint.is_some());
            Client::from_conf(config.build())
        })
    }

    /// Whether the bucket answers.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn ping(&self) -> Result<()> {
        let call = self.client().head_bucket().bucket(&self.0.bucket);
        call.send().await.map(|_| ()).map_err(Error::unavailable)
    }
}
