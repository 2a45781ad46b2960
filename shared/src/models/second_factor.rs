//! The second factor of an account: an authenticator app, and recovery codes for when it is lost.

use crate::clock::Timestamp;
use crate::error::Result;
use crate::ids::UserId;
use crate::models::fields::{FieldValue, Refusal, text};
use crate::secrets::totp::{Secret, base32};
use crate::secrets::{Keys, Purpose, base64url, from_base64url, random_bytes};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Recovery codes that come with a second factor.
pub const RECOVERY_CODES: usize = 10;

/// A second factor that is on, as the credentials hold it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactor {
    /// The app's secret, sealed.
    pub secret: String,
    /// The time step of the code that was taken last.
    pub step: u64,
    /// MACs of the recovery codes that are left.
    pub recovery: Vec<String>,
}

impl SecondFactor {
    /// One that a first code has confirmed, and its recovery codes, which are shown once.
    ///
    /// # Errors
    /// 500 when the secret can't be sealed.
    pub fn new(keys: &Keys, user: UserId, secret: &Secret, step: u64) -> Result<(Self, Vec<String>)> {
        let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code()).collect();
        let recovery = codes.iter().map(|code| secret.mac(&plain(code))).collect();
        Ok((Self { secret: seal(keys, user, secret)?, step, recovery }, codes))
    }

    /// What is left of it once this code is used. Sealed anew, so that a signing key that is replaced can be dropped some
    /// day. None for a code that is not good.
    ///
    /// # Errors
    /// 500 when the secret can't be sealed.
    pub fn after(&self, keys: &Keys, user: UserId, code: &OneTimeCode, now: Timestamp) -> Result<Option<Self>> {
        let Some(secret) = unseal(keys, user, &self.secret) else {
            tracing::error!(%user, "a second factor is sealed with a key that is none of these");
            return Ok(None);
        };
        let (mut step, mut recovery) = (self.step, self.recovery.clone());
        match code {
            OneTimeCode::App(code) => match secret.step_of(code, now, self.step) {
                Some(taken) => step = taken,
                None => return Ok(None),
            },
            // Of 120 random bits nothing can be learnt by the time that it takes to compare MACs of them.
            OneTimeCode::Recovery(code) => {
                let mac = secret.mac(code);
                recovery.retain(|left| *left != mac);
                if recovery.len() == self.recovery.len() {
                    return Ok(None);
                }
            }
        }
        Ok(Some(Self { secret: seal(keys, user, &secret)?, step, recovery }))
    }
}

/// The secret as the table keeps it: for this account alone.
///
/// # Errors
/// 500 when it can't be sealed.
pub fn seal(keys: &Keys, user: UserId, secret: &Secret) -> Result<String> {
    Ok(base64url(&keys.seal(Purpose::SecondFactor, &user.to_string(), &secret.text())?))
}

/// The secret that one of the keys has sealed.
pub fn unseal(keys: &Keys, user: UserId, sealed: &str) -> Option<Secret> {
    let text = keys.unseal(Purpose::SecondFactor, &user.to_string(), &from_base64url(sealed)?)?;
    Secret::read(&text)
}

/// 120 random bits in four groups, of letters and digits that are not taken for one another.
fn recovery_code() -> String {
    let text = base32(&random_bytes::<15>()).to_ascii_lowercase();
    let groups: Vec<&str> = (0..4).filter_map(|n| text.get(n * 6..n * 6 + 6)).collect();
    groups.join("-")
}

/// A code as it is compared, however it was typed.
fn plain(typed: &str) -> String {
    typed.chars().filter(|c| !c.is_whitespace() && *c != '-').flat_map(char::to_uppercase).collect()
}

/// A code as somebody typed it: any text may be one, most are wrong.
#[derive(Clone, PartialEq, Eq)]
pub enum OneTimeCode {
    App(String),
    Recovery(String),
}

impl std::fmt::Debug for OneTimeCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OneTimeCode(…)")
    }
}

impl OneTimeCode {
    /// Characters, with all that separates them.
    pub const MAX: usize = 100;
}

impl FieldValue for OneTimeCode {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        let typed = text(value)?;
        if typed.chars().count() > Self::MAX {
            return Err(("too_long", "A code has six digits, a recovery code 24 letters and digits.".into()));
        }
        let code = plain(&typed);
        let is_of_app = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
        Ok(if is_of_app { Self::App(code) } else { Self::Recovery(code) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::test_keys;
    use serde_json::json;

    #[test]
    fn a_recovery_code_is_good_once_however_it_is_typed() {
        let (keys, now) = (test_keys(), Timestamp::from_millis(1_700_000_000_000));
        let user = UserId::new(now);
        let (factor, codes) = SecondFactor::new(&keys, user, &Secret::random(), 1).unwrap();
        assert_eq!(codes.len(), RECOVERY_CODES);
        assert!(codes.iter().all(|code| code.len() == 27 && !json!(factor).to_string().contains(code.as_str())));
        let typed = |text: &str| OneTimeCode::parse(&json!(text)).unwrap();
        let shouted = typed(&format!(" {} ", codes[3].replace('-', " ").to_uppercase()));
        let after = factor.after(&keys, user, &shouted, now).unwrap().unwrap();
        assert_eq!((after.recovery.len(), after.step), (9, 1));
        assert!(after.after(&keys, user, &typed(&codes[3]), now).unwrap().is_none());
        assert!(after.after(&keys, user, &typed(&codes[4]), now).unwrap().is_some());
        assert!(factor.after(&keys, UserId::new(now), &typed(&codes[4]), now).unwrap().is_none(), "another's");
        assert!(factor.after(&keys, user, &typed(""), now).unwrap().is_none());
    }

    #[test]
    fn a_factor_is_sealed_anew_at_each_use() {
        let (old, now) = (test_keys(), Timestamp::from_millis(1_700_000_000_000));
        let new = r#""current":"fedcba9876543210fedcba9876543210""#;
        let both = Keys::parse(&format!(r#"{{{new},"previous":"0123456789abcdef0123456789abcdef"}}"#)).unwrap();
        let new = Keys::parse(&format!("{{{new}}}")).unwrap();
        let user = UserId::new(now);
        let (factor, codes) = SecondFactor::new(&old, user, &Secret::random(), 1).unwrap();
        let code = |n: usize| OneTimeCode::parse(&json!(codes[n])).unwrap();
        assert!(factor.after(&new, user, &code(0), now).unwrap().is_none(), "the key is gone");
        let after = factor.after(&both, user, &code(0), now).unwrap().unwrap();
        assert!(after.after(&new, user, &code(1), now).unwrap().is_some());
    }
}
