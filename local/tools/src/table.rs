//! Work on a table with no host of one's own: in a data folder, also while a host runs on it, or in a table on AWS.

use crate::audit::{AuditError, Source, Target, variable};
use emulators::data::{Data, DataError, Folder};
use emulators::dynamodb::DynamoDb;
use emulators::{Durability, REGION};
use shared::{App, Config};
use std::path::Path;

/// Why the work could not be done, in one line.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The table can't be found or read.
    #[error(transparent)]
    Table(#[from] AuditError),
    /// The environment lacks what a table outside needs.
    #[error(transparent)]
    Environment(#[from] shared::config::ConfigError),
    /// The table does not answer.
    #[error(transparent)]
    Service(#[from] shared::Error),
}

/// Does something to a table, with an app that knows the table and nothing else.
pub(crate) async fn on_table<T>(
    target: &Target,
    work: impl AsyncFnOnce(&App, &Source) -> Result<T, TableError>,
) -> Result<T, TableError> {
    match target {
        Target::Table { name: table, endpoint } => {
            let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
            let app = app(table, |name| match name {
                "AWS_REGION" => region.clone(),
                "AWS_ENDPOINT_URL_DYNAMODB" => endpoint.clone(),
                name => variable(name),
            })?;
            work(&app, &Source::outside(table, endpoint.as_deref())?).await
        }
        Target::Folder(path) => match Folder::open(&Data::Dir(path.clone())) {
            Err(DataError::InUse(_)) => {
                let told = Folder::told(path).map_err(AuditError::Folder)?;
                on_embedded(path, told.dynamodb(), work).await
            }
            folder => {
                let folder = folder.map_err(AuditError::Folder)?;
                if !folder.path().join(DynamoDb::FILE).is_file() {
                    return Err(AuditError::Empty(path.clone()).into());
                }
                let database = DynamoDb::start(folder.path(), Durability::Full).await.map_err(AuditError::Database)?;
                let done = on_embedded(path, database.endpoint(), work).await;
                database.stop().await;
                done
            }
        },
    }
}

/// In the one table of an embedded DynamoDB.
async fn on_embedded<T>(
    path: &Path,
    endpoint: &str,
    work: impl AsyncFnOnce(&App, &Source) -> Result<T, TableError>,
) -> Result<T, TableError> {
    let source = Source::only_table(endpoint).await?.ok_or_else(|| AuditError::Empty(path.to_owned()))?;
    let app = app(source.table(), |name| match name {
        "AWS_REGION" => Some(REGION.to_owned()),
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("local".to_owned()),
        "AWS_ENDPOINT_URL_DYNAMODB" => Some(endpoint.to_owned()),
        _ => None,
    })?;
    work(&app, &source).await
}

/// An app that knows this table and nothing else.
fn app(table: &str, aws: impl Fn(&str) -> Option<String>) -> Result<App, TableError> {
    let config = Config::read(|name| match name {
        name if name.starts_with("AWS_") => aws(name),
        "TABLE_NAME" => Some(table.to_owned()),
        "ACTIVITY_DAYS" | "FANOUT_LIMIT" | "MEDIA_QUOTA_MB" | "READ_LIMIT" | "SESSION_DAYS" => Some("1".to_owned()),
        "SIGNING_KEYS_ARN" | "MODERATOR" | "MODERATOR_EMAIL" | "OWN_QUEUE_URL" | "OWN_DLQ_URL" => None,
        _ => Some("off".to_owned()),
    })?;
    Ok(App::new(config))
}
