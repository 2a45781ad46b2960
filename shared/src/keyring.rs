//! The signing keys, as Secrets Manager has them: read once, and again every few minutes, so that they can be replaced
//! without a deployment.

use crate::aws::Aws;
use crate::aws::json::JsonService;
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result};
use crate::limits::{KEYS_KEPT, KEYS_RENEWED, KEYS_RETRIED};
use crate::secrets::Keys;
use serde_json::json;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Mutex;

/// Cheap to clone; the service is set up at first use.
#[derive(Clone)]
pub struct KeyRing(Arc<Inner>);

struct Inner {
    aws: Aws,
    endpoint: Option<String>,
    /// None in functions that neither check a token nor make one.
    secret: Option<String>,
    clock: Clock,
    service: OnceLock<JsonService>,
    held: RwLock<Option<Held>>,
    /// One reads at a time.
    reading: Mutex<()>,
}

#[derive(Clone)]
struct Held {
    keys: Keys,
    read_at: Timestamp,
    /// When they are read again at the earliest.
    next: Timestamp,
}

impl KeyRing {
    pub fn new(aws: Aws, endpoint: Option<String>, secret: Option<String>, clock: Clock) -> Self {
        let (service, held, reading) = (OnceLock::new(), RwLock::default(), Mutex::default());
        Self(Arc::new(Inner { aws, endpoint, secret, clock, service, held, reading }))
    }

    /// The keys that were read last.
    ///
    /// # Errors
    /// 500 in a function that `template.yaml` gives none, and before the first [`KeyRing::refresh`].
    pub fn keys(&self) -> Result<Keys> {
        self.held().map(|held| held.keys).ok_or_else(|| Error::internal("this function has no signing keys"))
    }

    /// Reads the keys if there are none yet, or they were read some minutes ago. Each invocation begins with it.
    ///
    /// # Errors
    /// No keys are loaded yet and Secrets Manager does not answer; loaded keys stay in use while new ones can't be read.
    pub async fn refresh(&self) -> Result<()> {
        self.read_unless(|held, now| now < held.next).await
    }

    /// Reads the keys, for a token names one that is not among them; not if that was done a moment ago, for anybody can
    /// make up a name.
    ///
    /// # Errors
    /// As [`KeyRing::refresh`].
    pub async fn renew(&self) -> Result<()> {
        self.read_unless(|held, now| now.since(held.read_at) < KEYS_RENEWED).await
    }

    async fn read_unless(&self, is_fresh: impl Fn(&Held, Timestamp) -> bool) -> Result<()> {
        let Some(secret) = &self.0.secret else { return Ok(()) };
        let is_fresh = || self.held().is_some_and(|held| is_fresh(&held, self.0.clock.now()));
        if is_fresh() {
            return Ok(());
        }
        let _one = self.0.reading.lock().await;
        if is_fresh() {
            return Ok(());
        }
        let (read, now) = (self.read(secret).await, self.0.clock.now());
        match (read, self.held()) {
            (Ok(keys), _) => self.hold(keys, now, KEYS_KEPT),
            (Err(error), Some(held)) => {
                tracing::error!(cause = %error, "the signing keys can't be read; those from before are used");
                self.hold(held.keys, now, KEYS_RETRIED);
            }
            (Err(error), None) => return Err(error),
        }
        Ok(())
    }

    fn held(&self) -> Option<Held> {
        self.0.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hold(&self, keys: Keys, now: Timestamp, kept: Duration) {
        let held = Held { keys, read_at: now, next: now + kept };
        *self.0.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }

    fn service(&self) -> &JsonService {
        let Inner { aws, endpoint, .. } = &*self.0;
        let service = || JsonService::new(aws, "secretsmanager", "secretsmanager", endpoint.as_deref());
        self.0.service.get_or_init(service)
    }

    async fn read(&self, secret: &str) -> Result<Keys> {
        let headers =
            [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "secretsmanager.GetSecretValue")]
                .as_slice();
        let answer =
            self.service().post("/", headers, json!({"SecretId": secret})).await.map_err(Error::unavailable)?;
        let keys = Keys::parse(answer["SecretString"].as_str().unwrap_or_default());
        // Never the value: it is a secret.
        keys.ok_or_else(|| Error::unavailable("the secret is no JSON object of keys of 32 characters or more"))
    }
}
