//! The password asked for again, before what nobody may do who has an access token alone.

use shared::error::{Error, Kind, Result};
use shared::http::Address;
use shared::ids::UserId;
use shared::models::fields::Fields;
use shared::models::user::Password;
use shared::secrets::password;
use shared::store::sessions::SignIn;
use shared::{App, store};

/// A password to compare with the kept one. No hash is made of a text longer than any password.
pub(crate) fn presented(fields: &mut Fields, name: &str) -> Option<Password> {
    let text = fields.required::<String>(name)?;
    if text.len() > Password::MAX * 4 {
        fields.refuse(name, "too_long", "At most 128 characters.");
    }
    Some(Password::presented(text))
}

/// Holds the password to the one whose hash was read, behind the throttle of signing in.
///
/// # Errors
/// 403 for a wrong one, 429 after too many.
pub(crate) async fn prove(app: &App, address: &Address, id: UserId, found: &SignIn, password: &Password) -> Result<()> {
    let attempt = store::sessions::attempt(app, id, found, &address.names(app)?).await?;
    if !password::verify(password.as_str(), found.hash()).await? {
        return Err(wrong());
    }
    attempt.take_back(app).await;
    Ok(())
}

pub(crate) fn wrong() -> Error {
    Error::new(Kind::WrongPassword).detail("This is not your password.")
}
