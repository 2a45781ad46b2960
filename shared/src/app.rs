//! The one value every handler gets: configuration and clients, each made at first use.

use crate::Config;
use crate::aws::Aws;
use crate::clock::{Clock, Timestamp};
use crate::error::Result;
use crate::jobs::Jobs;
use crate::keyring::KeyRing;
use crate::mail::Mailer;
use crate::media::Media;
use crate::push::Push;
use crate::secrets::Keys;
use crate::store::user_cards::CardCache;
use crate::table::Table;
use std::sync::Arc;

/// Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    config: Config,
    clock: Clock,
    table: Table,
    jobs: Jobs,
    mailer: Mailer,
    media: Media,
    push: Push,
    keys: KeyRing,
    cards: CardCache,
}

impl App {
    pub fn new(config: Config) -> Self {
        Self::with_clock(config, Clock::default())
    }

    pub fn with_clock(config: Config, clock: Clock) -> Self {
        let aws = Aws::new(&config);
        let endpoints = config.endpoints.clone();
        Self(Arc::new(Inner {
            table: Table::new(aws.clone(), endpoints.dynamodb, config.table.clone(), clock.clone()),
            jobs: Jobs::new(aws.clone(), endpoints.sqs, &config),
            mailer: Mailer::new(aws.clone(), endpoints.ses, &config),
            media: Media::new(aws.clone(), endpoints.s3, &config),
            push: Push::new(aws.clone(), endpoints.connections, &config),
            keys: KeyRing::new(aws, endpoints.secrets, config.signing_keys.clone(), clock.clone()),
            cards: CardCache::default(),
            clock,
            config,
        }))
    }

    pub fn config(&self) -> &Config {
        &self.0.config
    }

    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub fn table(&self) -> &Table {
        &self.0.table
    }

    pub fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    pub fn mailer(&self) -> &Mailer {
        &self.0.mailer
    }

    pub fn media(&self) -> &Media {
        &self.0.media
    }

    pub fn push(&self) -> &Push {
        &self.0.push
    }

    pub(crate) fn cards(&self) -> &CardCache {
        &self.0.cards
    }

    /// The signing keys.
    ///
    /// # Errors
    /// 500 in a function that `template.yaml` gives none.
    pub fn keys(&self) -> Result<Keys> {
        self.0.keys.keys()
    }

    pub fn key_ring(&self) -> &KeyRing {
        &self.0.keys
    }
}
