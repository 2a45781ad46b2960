//! What proves again that it is the account's owner, before what nobody may do who has an access token alone: the password
//! and, while the second factor is on, a code.

use shared::error::{Error, Kind, Result};
use shared::http::Address;
use shared::ids::{ActivityId, UserId};
use shared::models::activity::{Activity, ActivityType};
use shared::models::fields::{Fields, FromFields};
use shared::models::second_factor::OneTimeCode;
use shared::models::user::{Account, Password};
use shared::secrets::password;
use shared::store::sessions::{Attempt, SignIn};
use shared::{App, store};

/// A password to compare with the kept one. No hash is made of a text longer than any password.
pub(crate) fn presented(fields: &mut Fields, name: &str) -> Option<Password> {
    let text = fields.required::<String>(name)?;
    if text.len() > Password::MAX * 4 {
        fields.refuse(name, "too_long", "At most 128 characters.");
    }
    Some(Password::presented(text))
}

/// The current password, alone.
#[derive(utoipa::ToSchema)]
pub(crate) struct CurrentPassword {
    #[schema(value_type = String, example = "tern on the rock")]
    pub(crate) password: Password,
}

impl FromFields for CurrentPassword {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { password: presented(fields, "password")? })
    }
}

/// Holds the password to the one whose hash was read, behind the throttle of signing in, and asks for a code while the
/// second factor is on.
///
/// # Errors
/// 403 for what is wrong or missing, 429 after too many.
pub(crate) async fn prove(
    app: &App,
    address: &Address,
    found: &SignIn,
    account: &Account,
    (password, code): (&Password, Option<&OneTimeCode>),
) -> Result<()> {
    let attempt = right_password(app, address, account.id, found, password).await?;
    let attempt = match second_factor(app, address, found, account, (attempt, code)).await? {
        Code::Right(attempt) => attempt,
        Code::Missing => return Err(Error::new(Kind::CodeRequired).detail("Send a code as well, as `otp`.")),
        Code::Wrong => return Err(wrong_code()),
    };
    attempt.take_back(app).await;
    Ok(())
}

/// Proves that the caller is the account's holder, by the password alone.
///
/// # Errors
/// 403 for a wrong one, 429 after too many.
pub(crate) async fn prove_password(
    app: &App,
    address: &Address,
    id: UserId,
    found: &SignIn,
    password: &Password,
) -> Result<()> {
    right_password(app, address, id, found, password).await?.take_back(app).await;
    Ok(())
}

async fn right_password(
    app: &App,
    address: &Address,
    id: UserId,
    found: &SignIn,
    password: &Password,
) -> Result<Attempt> {
    let attempt = store::sessions::attempt(app, id, found, &address.names(app)?).await?;
    match password::verify(password.as_str(), found.hash()).await? {
        true => Ok(attempt),
        false => Err(wrong()),
    }
}

/// What came of the second factor.
pub(crate) enum Code {
    /// Or none is asked for.
    Right(Attempt),
    Missing,
    Wrong,
}

/// Uses a code up while the second factor is on. The try with the right password stays counted where the code is wrong.
///
/// # Errors
/// 429 after too many.
pub(crate) async fn second_factor(
    app: &App,
    address: &Address,
    found: &SignIn,
    account: &Account,
    (attempt, code): (Attempt, Option<&OneTimeCode>),
) -> Result<Code> {
    let Some(kept) = found.credentials.as_ref().filter(|kept| kept.factor.is_some()) else {
        return Ok(Code::Right(attempt));
    };
    let Some(code) = code else {
        attempt.take_back(app).await;
        return Ok(Code::Missing);
    };
    let attempt = attempt.count_code(app).await?;
    if !store::second_factor::take(app, kept, account, code).await? {
        return Ok(Code::Wrong);
    }
    if let OneTimeCode::Recovery(_) = code {
        let (id, kind) = (ActivityId::new(app.now()), ActivityType::UseRecoveryCode);
        let row = Activity::new(id, kind, None, address.origin(), app.config().activity_kept);
        store::activity::add(app, kept.id, &row).await;
    }
    Ok(Code::Right(attempt))
}

pub(crate) fn wrong() -> Error {
    Error::new(Kind::WrongPassword).detail("This is not your password.")
}

pub(crate) fn wrong_code() -> Error {
    Error::new(Kind::WrongCode).detail("This code is wrong, was used before, or is over.")
}
