//! What an operator does to single accounts.

use crate::audit::Target;
use crate::table::{TableError, on_table};
use shared::ids::UserId;
use shared::models::user::Username;
use shared::table::Read;
use shared::{App, store};

/// Why nothing was done to an account, in one line.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
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
pub async fn appoint(target: &Target, name: &str, is_moderator: bool) -> Result<bool, AccountError> {
    on_holder(target, name, async |app, id| store::moderators::appoint(app, id, is_moderator).await).await
}

/// Turns the second factor of the holder of a name off, who has lost it. False when it was off.
///
/// # Errors
/// There is no such table, or nobody has this name.
pub async fn turn_off_second_factor(target: &Target, name: &str) -> Result<bool, AccountError> {
    let work = async |app: &App, id| match store::users::account(app, id).await? {
        Some(account) => store::second_factor::turn_off(app, &account).await,
        None => Ok(false),
    };
    on_holder(target, name, work).await
}

async fn on_holder<T>(
    target: &Target,
    name: &str,
    work: impl AsyncFnOnce(&App, UserId) -> shared::error::Result<T>,
) -> Result<T, AccountError> {
    let nobody = || AccountError::Nobody(name.to_owned());
    let username = Username::from_path(name).ok_or_else(nobody)?;
    let done = on_table(target, async |app, _| {
        let Some(id) = store::users::by_name(app, &username, Read::Strong).await? else { return Ok(None) };
        Ok(Some(work(app, id).await?))
    });
    done.await?.ok_or_else(nobody)
}
