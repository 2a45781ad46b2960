//! Where items come from: DynamoDB by the SDK, embedded or on AWS.

use super::AuditError;
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::{AttributeValue, ConsumedCapacity, KeysAndAttributes, ReturnConsumedCapacity};
use aws_smithy_http_client::{Builder, tls};
use emulators::REGION;
use futures::{StreamExt, TryStreamExt};
use shared::table::design::{Key, PARTITION_KEY, SORT_KEY};
use std::collections::HashMap;

/// An item as the SDK gives it.
pub(crate) type Row = HashMap<String, AttributeValue>;

/// Items read at once. The embedded DynamoDB puts all that is left of a table before it cuts a page that has no limit.
const PAGE: i32 = 2_000;
/// Items that a batch may read (DynamoDB developer guide, "Service quotas").
const BATCH: usize = 100;
/// Batches on their way at once.
const BATCHES_AT_ONCE: usize = 8;
/// Throttling and what is lost on the way is tried again so often, the SDK waiting longer each time: about a minute.
const ATTEMPTS: u32 = 8;

/// A table.
pub struct Source {
    client: Client,
    table: String,
}

/// Some items of a scan.
pub(crate) struct Page {
    pub(crate) rows: Vec<Row>,
    /// Where the next one starts; None at the end.
    pub(crate) next: Option<Row>,
    pub(super) units: f64,
}

impl Source {
    /// A table of the embedded DynamoDB.
    pub fn embedded(endpoint: &str, table: &str) -> Self {
        Self { client: embedded(endpoint), table: table.to_owned() }
    }

    /// The one table that the embedded DynamoDB holds.
    pub(crate) async fn only_table(endpoint: &str) -> Result<Option<Self>, AuditError> {
        let client = embedded(endpoint);
        let tables = client.list_tables().send().await.map_err(unreadable)?.table_names.unwrap_or_default();
        Ok(tables.into_iter().next().map(|table| Self { client, table }))
    }

    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    /// A table elsewhere, by the variables that every AWS tool reads.
    pub(crate) fn outside(table: &str, endpoint: Option<&str>) -> Result<Self, AuditError> {
        let [region, default_region, id, secret, token] =
            ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
                .map(variable);
        let (Some(region), Some(id), Some(secret)) = (region.clone().or(default_region), id.clone(), secret.clone())
        else {
            let needed = [("AWS_REGION", region), ("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)];
            let missing = needed.into_iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name);
            return Err(AuditError::Environment(missing.collect()));
        };
        let credentials = Credentials::new(id, secret, token, None, "environment");
        Ok(Self { client: client(&region, credentials, endpoint), table: table.to_owned() })
    }

    /// Items in the order of the table, those of a partition together and sorted.
    pub(crate) async fn page(&self, after: Option<Row>) -> Result<Page, AuditError> {
        let scan = self.client.scan().table_name(&self.table).consistent_read(true).limit(PAGE);
        let scan = scan.set_exclusive_start_key(after).return_consumed_capacity(ReturnConsumedCapacity::Total);
        let page = Box::pin(scan.send()).await.map_err(unreadable)?;
        let units = units(page.consumed_capacity.as_ref());
        Ok(Page { rows: page.items.unwrap_or_default(), next: page.last_evaluated_key, units })
    }

    /// Those of these items that are there, and what reading them took.
    pub(super) async fn get(&self, keys: &[Key]) -> Result<(Vec<Row>, f64), AuditError> {
        let batches = keys.chunks(BATCH).map(|keys| self.batch(keys));
        let found: Vec<_> = futures::stream::iter(batches).buffer_unordered(BATCHES_AT_ONCE).try_collect().await?;
        let (rows, units): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        Ok((rows.into_iter().flatten().collect(), units.into_iter().sum()))
    }

    async fn batch(&self, keys: &[Key]) -> Result<(Vec<Row>, f64), AuditError> {
        let mut left = Some(keys.iter().map(attributes).collect());
        let (mut found, mut took) = (Vec::new(), 0.0);
        while let Some(keys) = left.take().filter(|keys: &Vec<Row>| !keys.is_empty()) {
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            let get = self.client.batch_get_item().request_items(&self.table, wanted.map_err(unreadable)?);
            let get = get.return_consumed_capacity(ReturnConsumedCapacity::Total);
            let answer = Box::pin(get.send()).await.map_err(unreadable)?;
            took += answer.consumed_capacity().iter().map(|capacity| units(Some(capacity))).sum::<f64>();
            found.extend(answer.responses.unwrap_or_default().into_values().flatten());
            left = answer.unprocessed_keys.unwrap_or_default().remove(&self.table).map(|rest| rest.keys);
        }
        Ok((found, took))
    }
}

#[expect(clippy::disallowed_methods, reason = "an operator's credentials, which are no function's environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn embedded(endpoint: &str) -> Client {
    client(REGION, Credentials::new("local", "local", None, None, "local"), Some(endpoint))
}

fn client(region: &str, credentials: Credentials, endpoint: Option<&str>) -> Client {
    let ring = || tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    let http = match endpoint.is_some_and(|url| url.starts_with("http://")) {
        true => Builder::new().build_http(),
        false => Builder::new().tls_provider(ring()).build_https(),
    };
    let mut config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(credentials)
        .http_client(http)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
    config.set_endpoint_url(endpoint.map(str::to_owned));
    Client::from_conf(config.build())
}

fn attributes(key: &Key) -> Row {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    HashMap::from([(PARTITION_KEY.to_owned(), text(key.pk())), (SORT_KEY.to_owned(), text(key.sk()))])
}

/// The text of an attribute; empty where it has none.
pub(crate) fn text<'a>(row: &'a Row, attribute: &str) -> &'a str {
    row.get(attribute).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

fn units(capacity: Option<&ConsumedCapacity>) -> f64 {
    capacity.and_then(ConsumedCapacity::capacity_units).unwrap_or(0.0)
}

fn unreadable(error: impl std::error::Error) -> AuditError {
    AuditError::Read(DisplayErrorContext(error).to_string())
}
