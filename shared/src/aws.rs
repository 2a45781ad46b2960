//! What all SDK clients share: region, credentials, one HTTP client, timeouts and retries.
//!
//! No `aws-config`: Lambda gives region and credentials in the environment, and the default chain costs 80 ms of a
//! cold start.

pub(crate) mod json;

use crate::config::Config;
use crate::limits::{CALL_TIMEOUT, CONNECT_TIMEOUT, FIRST_TRY_WAIT, TRIES, TRY_TIMEOUT};
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_smithy_http_client::{Builder, tls};
use std::sync::{Arc, OnceLock};

#[derive(Clone)]
pub struct Aws(Arc<Inner>);

struct Inner {
    region: String,
    credentials: Credentials,
    https: OnceLock<SharedHttpClient>,
    http: OnceLock<SharedHttpClient>,
}

impl Aws {
    pub fn new(config: &Config) -> Self {
        let keys = config.credentials.clone();
        let credentials =
            Credentials::new(keys.access_key_id, keys.secret_access_key, keys.session_token, None, "environment");
        Self(Arc::new(Inner {
            region: config.region.clone(),
            credentials,
            https: OnceLock::new(),
            http: OnceLock::new(),
        }))
    }

    pub fn region(&self) -> String {
        self.0.region.clone()
    }

    /// A service's own address (AWS General Reference, "Service endpoints and quotas").
    fn url(&self, service: &str) -> String {
        let region = &self.0.region;
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://{service}.{region}.{suffix}")
    }

    pub fn credentials(&self) -> Credentials {
        self.0.credentials.clone()
    }

    /// One connection pool for all clients. Plain HTTP to a local endpoint spares loading root certificates.
    pub fn http_client(&self, endpoint: Option<&str>) -> SharedHttpClient {
        if endpoint.is_some_and(|url| url.starts_with("http://")) {
            self.0.http.get_or_init(|| Builder::new().build_http()).clone()
        } else {
            let ring = || tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
            self.0.https.get_or_init(|| Builder::new().tls_provider(ring()).build_https()).clone()
        }
    }

    pub fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(TRY_TIMEOUT)
            .operation_timeout(CALL_TIMEOUT)
            .build()
    }

    /// For what is lost on the way; conflicts and throttling of the table are `table::client`'s.
    pub fn retries(&self) -> RetryConfig {
        RetryConfig::standard().with_max_attempts(TRIES).with_initial_backoff(FIRST_TRY_WAIT)
    }
}

/// An SDK's configuration from what all of them share; every SDK has the same builder under a type of its own.
macro_rules! sdk_config {
    ($sdk:ident, $aws:expr, $endpoint:expr) => {{
        let (aws, endpoint): (&crate::aws::Aws, &Option<String>) = (&$aws, &$endpoint);
        let mut config = $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::new(aws.region()))
            .credentials_provider(aws.credentials())
            .http_client(aws.http_client(endpoint.as_deref()))
            .timeout_config(aws.timeouts())
            .retry_config(aws.retries());
        config.set_endpoint_url(endpoint.clone());
        config
    }};
}
pub(crate) use sdk_config;
