//! Who looks after reports, named by whoever runs the service: in a data folder, also while a host runs on it, or in a
//! table on AWS.

use crate::audit::{AuditError, Source, Target, variable};
use crate::data::{Data, DataError, Folder};
use crate::services::dynamodb::DynamoDb;
use crate::services::{Durability, REGION};
use shared::models::user::Username;
use shared::table::Read;
use shared::{App, Config, store};
use std::path::Path;

/// Why nobody could be named, in one line.
#[derive(Debug, thiserror::Error)]
pub enum AppointError {
    /// The table can't be found or read.
    #[error(transparent)]
    Table(#[from] AuditError),
    /// The environment lacks what a table outside needs.
    #[error(transparent)]
    Environment(#[from] shared::config::ConfigError),
    /// The table does not answer.
    #[error(transparent)]
    Service(#[from] shared::Error),
    /// Nobody has this name.
    #[error("nobody is called {0}")]
    Nobody(String),
}

/// Makes the holder of a name a moderator, or one no longer. False when that was so already.
///
/// # Errors
/// There is no such table, or nobody has this name.
pub async fn appoint(target: &Target, name: &str, is_moderator: bool) -> Result<bool, AppointError> {
    on_table(target, async |app, _| appoint_by(app, name, is_moderator).await).await
}

/// Does something to a table, with an app that knows the table and nothing else.
pub(crate) async fn on_table<T>(
    target: &Target,
    work: impl AsyncFnOnce(&App, &Source) -> Result<T, AppointError>,
) -> Result<T, AppointError> {
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
    work: impl AsyncFnOnce(&App, &Source) -> Result<T, AppointError>,
) -> Result<T, AppointError> {
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
fn app(table: &str, aws: impl Fn(&str) -> Option<String>) -> Result<App, AppointError> {
    let config = Config::read(|name| match name {
        name if name.starts_with("AWS_") => aws(name),
        "TABLE_NAME" => Some(table.to_owned()),
        "ACTIVITY_DAYS" | "FANOUT_LIMIT" | "MEDIA_QUOTA_MB" | "READ_LIMIT" => Some("1".to_owned()),
        "SIGNING_KEYS_ARN" | "MODERATOR" | "MODERATOR_EMAIL" | "OWN_QUEUE_URL" | "OWN_DLQ_URL" => None,
        _ => Some("off".to_owned()),
    })?;
    Ok(App::new(config))
}

async fn appoint_by(app: &App, name: &str, is_moderator: bool) -> Result<bool, AppointError> {
    let nobody = || AppointError::Nobody(name.to_owned());
    let username = Username::from_path(name).ok_or_else(nobody)?;
    let id = store::users::by_name(app, &username, Read::Strong).await?.ok_or_else(nobody)?;
    Ok(store::moderators::appoint(app, id, is_moderator).await?)
}
