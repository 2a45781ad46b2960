//! The second factor: how it is set up, confirmed, used and turned off. It lies beside the password's hash.

use super::{mail_tokens, users};
use crate::App;
use crate::error::{Error, Kind, Result};
use crate::limits::EDGE_REFUSALS;
use crate::models::second_factor::{OneTimeCode, RECOVERY_CODES, SecondFactor, seal, unseal};
use crate::models::session::MailAction;
use crate::models::user::{Account, Credentials};
use crate::secrets::totp::Secret;
use crate::table::design::key;
use crate::table::{Condition, Op, Refused};

/// Gives out a secret, which counts for nothing until it is confirmed; an earlier one that was not is forgotten.
///
/// # Errors
/// 409 while a second factor is on, 403 when the password was changed meanwhile.
pub async fn set_up(app: &App, kept: &Credentials) -> Result<Secret> {
    if kept.factor.is_some() {
        return Err(is_on());
    }
    let secret = Secret::random();
    let op = Op::update(key::credentials(kept.id)).set("factor_pending", seal(&app.keys()?, kept.id, &secret)?);
    let op = op.when(Condition::equal("hash", &kept.hash)).when(Condition::Without("factor"));
    match app.table().write(op).await {
        Ok(_) => Ok(secret),
        Err(error) => Err(why_not(&error.refused()?)?),
    }
}

/// Turns the second factor on, by a code of the secret that was given out. Answers the recovery codes; None for a wrong
/// code.
///
/// # Errors
/// 409 while none is set up, or one is on.
pub async fn confirm(
    app: &App,
    kept: &Credentials,
    account: &Account,
    code: &OneTimeCode,
) -> Result<Option<Vec<String>>> {
    if kept.factor.is_some() {
        return Err(is_on());
    }
    let (keys, id) = (app.keys()?, kept.id);
    let pending = kept.factor_pending.as_ref().ok_or_else(is_off)?;
    let secret = unseal(&keys, id, pending).ok_or_else(is_off)?;
    let OneTimeCode::App(code) = code else { return Ok(None) };
    let Some(step) = secret.step_of(code, app.now(), 0) else { return Ok(None) };
    let (factor, codes) = SecondFactor::new(&keys, id, &secret, step)?;
    let credentials = Op::update(key::credentials(id)).set("factor", factor).remove("factor_pending");
    let credentials = credentials.when(Condition::equal("factor_pending", pending)).when(Condition::Without("factor"));
    let left = Op::update(key::account(id)).set("recovery_codes", RECOVERY_CODES).when(users::live());
    let ops = [credentials, left].into_iter().chain(notice(app, account, MailAction::SecondFactorOn)?).collect();
    match app.table().transact(ops).await {
        Ok(()) => Ok(Some(codes)),
        Err(error) => Err(why_not(&error.refused()?)?),
    }
}

/// Uses a code up, where the second factor is on. False for one that is wrong, was used before or is over. Of two uses at
/// once one counts: the write is held to the factor that was read.
pub async fn take(app: &App, kept: &Credentials, account: &Account, code: &OneTimeCode) -> Result<bool> {
    let (keys, id) = (app.keys()?, kept.id);
    let mut read = kept.factor.clone();
    for _ in 0..EDGE_REFUSALS {
        let Some(factor) = &read else { return Ok(false) };
        let Some(after) = factor.after(&keys, id, code, app.now())? else { return Ok(false) };
        let used = Op::update(key::credentials(id)).set("factor", &after).when(Condition::equal("factor", factor));
        let mut ops = vec![used];
        if let OneTimeCode::Recovery(_) = code {
            let left = Op::update(key::account(id)).set("recovery_codes", after.recovery.len());
            ops.push(left.when(users::live()));
            ops.extend(notice(app, account, MailAction::RecoveryCodeUsed)?);
        }
        let Err(error) = app.table().transact(ops).await else { return Ok(true) };
        let refused = error.refused()?;
        let now: Option<Credentials> = refused.item(0).map(|item| item.read()).transpose()?;
        read = now.and_then(|now| now.factor);
    }
    Err(Error::unavailable("codes are used faster than one can be taken"))
}

/// Turns the second factor off. False when it was off.
pub async fn turn_off(app: &App, account: &Account) -> Result<bool> {
    // That the number is there at all.
    let is_on = Condition::greater("recovery_codes", -1);
    let mut ops = vec![
        Op::update(key::credentials(account.id)).remove("factor").remove("factor_pending").when(Condition::Exists),
        Op::update(key::account(account.id)).remove("recovery_codes").when(is_on),
    ];
    ops.extend(notice(app, account, MailAction::SecondFactorOff)?);
    match app.table().transact(ops).await {
        Ok(()) => Ok(true),
        Err(error) => error.refused().map(|_| false),
    }
}

/// Informs the account's address, if it was ever verified: it may be a stranger's else.
fn notice(app: &App, account: &Account, action: MailAction) -> Result<Option<Op>> {
    let mail = account.verified.then(|| mail_tokens::issue(app, account.id, &account.email, action, None));
    Ok(mail.transpose()?.map(|(_, op)| op))
}

/// Why a write was refused whose first item are the credentials.
fn why_not(refused: &Refused) -> Result<Error> {
    let now: Option<Credentials> = refused.item(0).map(|item| item.read()).transpose()?;
    Ok(match now {
        Some(now) if now.factor.is_some() => is_on(),
        _ => Error::new(Kind::WrongPassword).detail("The password, or the secret, was changed at the same moment."),
    })
}

fn is_on() -> Error {
    Error::new(Kind::SecondFactorOn).detail("The second factor is on. DELETE /users/otp turns it off.")
}

/// Nothing is set up.
pub fn is_off() -> Error {
    Error::new(Kind::SecondFactorOff).detail("There is no second factor. POST /users/otp sets one up.")
}
