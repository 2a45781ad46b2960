//! Who looks after reports, named by whoever runs the service.

use crate::audit::Target;
use crate::table::{TableError, on_table};
use shared::models::user::Username;
use shared::store;
use shared::table::Read;

/// Why nobody could be named, in one line.
#[derive(Debug, thiserror::Error)]
pub enum AppointError {
    #[error(transparent)]
    Table(#[from] TableError),
    /// Nobody has this name.
    #[error("nobody is called {0}")]
    Nobody(String),
}

/// Makes the holder of a name a moderator, or one no longer. False when that was so already.
///
/// # Errors
/// There is no such table, or nobody has this name.
pub async fn appoint(target: &Target, name: &str, is_moderator: bool) -> Result<bool, AppointError> {
    let nobody = || AppointError::Nobody(name.to_owned());
    let username = Username::from_path(name).ok_or_else(nobody)?;
    let done = on_table(target, async |app, _| {
        let Some(id) = store::users::by_name(app, &username, Read::Strong).await? else { return Ok(None) };
        Ok(Some(store::moderators::appoint(app, id, is_moderator).await?))
    });
    done.await?.ok_or_else(nobody)
}
