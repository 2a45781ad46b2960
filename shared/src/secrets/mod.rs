//! Secrets: the signing keys and all that is derived from them, and password hashes.

mod jwt;
pub mod password;
pub mod totp;

pub use jwt::{ACCESS_TOKEN_LIFETIME, Claims};

use crate::error::{Error, Result};
use aes_siv::siv::Aes128Siv;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Fresh bytes from the operating system.
///
/// # Panics
/// When the system has no randomness to give; nothing safe could follow.
#[expect(clippy::expect_used, reason = "without randomness there is nothing safe to do")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        // Lengths first, so that no two lists of parts hash alike.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// What a derived value is for; a value made for one purpose is worth nothing for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    AccessToken,
    RefreshToken,
    MailToken,
    Unsubscribe,
    Cursor,
    File,
    Nobody,
    Viewer,
    HeldName,
    Network,
    Idempotency,
    SecondFactor,
}

/// The signing keys: the first signs, all verify, so that a key can be replaced while its tokens live.
#[derive(Clone)]
pub struct Keys(std::sync::Arc<[Key]>);

struct Key {
    /// `kid` of access tokens: the first 8 hex digits of the key's SHA-256.
    id: String,
    secret: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

impl Keys {
    /// Reads `{"current": "…", "previous": "…"}`: the order counts, the names don't.
    pub fn parse(json: &str) -> Option<Self> {
        let keys: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).ok()?;
        let keys: Option<Vec<Key>> = keys.into_iter().map(|(_, secret)| Key::new(secret.as_str()?)).collect();
        keys.filter(|keys| !keys.is_empty()).map(|keys| Self(keys.into()))
    }

    fn current(&self) -> &Key {
        &self.0[0]
    }

    /// HMAC-SHA-256 of the parts under the current key, for one purpose.
    pub fn mac(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; 32] {
        self.current().mac(purpose, parts)
    }

    /// HMAC-SHA-256 of the parts under each of the keys, the current one first: for what is looked up by its MAC.
    pub fn macs(&self, purpose: Purpose, parts: &[&[u8]]) -> Vec<[u8; 32]> {
        self.0.iter().map(|key| key.mac(purpose, parts)).collect()
    }

    /// The text, which nobody else can read or make, for one purpose and `about` alone. The same one each time: AES-SIV
    /// (RFC 5297) needs no nonce. 16 bytes longer.
    ///
    /// # Errors
    /// 500: the text is longer than the cipher takes.
    pub fn seal(&self, purpose: Purpose, about: &str, text: &str) -> Result<Vec<u8>> {
        self.current().cipher(purpose).encrypt([about], text.as_bytes()).map_err(Error::internal)
    }

    /// The text that any of the keys has sealed.
    pub fn unseal(&self, purpose: Purpose, about: &str, sealed: &[u8]) -> Option<String> {
        let text = self.0.iter().find_map(|key| key.cipher(purpose).decrypt([about], sealed).ok())?;
        String::from_utf8(text).ok()
    }

    /// Whether any of the keys made this MAC (or its beginning, of at least 16 bytes); in constant time.
    pub fn verify(&self, purpose: Purpose, parts: &[&[u8]], mac: &[u8]) -> bool {
        (16..=32).contains(&mac.len())
            && self.0.iter().any(|key| bool::from(key.mac(purpose, parts)[..mac.len()].ct_eq(mac)))
    }
}

impl Key {
    fn new(secret: &str) -> Option<Self> {
        // RFC 7518, 3.2: an HS256 key has at least as many bits as the hash.
        let id = sha256(&[secret.as_bytes()])[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        (secret.len() >= 32).then(|| Self { id, secret: secret.to_owned() })
    }

    fn mac(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; 32] {
        hmac_sha256(&self.derived(purpose), &sha256(parts))
    }

    fn cipher(&self, purpose: Purpose) -> Aes128Siv {
        Aes128Siv::new(&self.derived(purpose).into())
    }

    fn derived(&self, purpose: Purpose) -> [u8; 32] {
        hmac_sha256(self.secret.as_bytes(), format!("perch/{purpose:?}").as_bytes())
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
pub(crate) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
pub(crate) fn test_keys() -> Keys {
    Keys::parse(r#"{"current":"0123456789abcdef0123456789abcdef"}"#).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_bound_to_its_purpose_its_parts_and_a_known_key() {
        let old = test_keys();
        let new = Keys::parse(
            r#"{"current":"fedcba9876543210fedcba9876543210","previous":"0123456789abcdef0123456789abcdef"}"#,
        )
        .unwrap();
        let mac = old.mac(Purpose::Cursor, &[b"a", b"b"]);
        assert!(old.verify(Purpose::Cursor, &[b"a", b"b"], &mac));
        assert!(new.verify(Purpose::Cursor, &[b"a", b"b"], &mac[..16]), "the previous key still verifies");
        assert!(!new.verify(Purpose::Cursor, &[b"ab"], &mac));
        assert!(!new.verify(Purpose::MailToken, &[b"a", b"b"], &mac));
        assert!(!old.verify(Purpose::Cursor, &[b"a", b"b"], &mac[..8]), "too short to mean anything");
        assert!(!old.verify(Purpose::Cursor, &[b"a", b"b"], &new.mac(Purpose::Cursor, &[b"a", b"b"])));
    }

    #[test]
    fn what_is_sealed_shows_nothing_and_is_bound_to_its_purpose_and_its_subject() {
        let (old, new) = (
            test_keys(),
            Keys::parse(
                r#"{"current":"fedcba9876543210fedcba9876543210","previous":"0123456789abcdef0123456789abcdef"}"#,
            )
            .unwrap(),
        );
        let sealed = old.seal(Purpose::Cursor, "a list", "m#01ABC").unwrap();
        assert_eq!((sealed.len(), sealed.windows(3).any(|part| part == b"01A")), (16 + 7, false));
        assert_eq!(sealed, old.seal(Purpose::Cursor, "a list", "m#01ABC").unwrap(), "the same each time");
        assert_eq!(old.unseal(Purpose::Cursor, "a list", &sealed).as_deref(), Some("m#01ABC"));
        assert_eq!(new.unseal(Purpose::Cursor, "a list", &sealed).as_deref(), Some("m#01ABC"), "by the previous key");
        assert_eq!(old.unseal(Purpose::Cursor, "another", &sealed), None);
        assert_eq!(old.unseal(Purpose::File, "a list", &sealed), None);
        for n in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[n] ^= 1;
            assert_eq!(old.unseal(Purpose::Cursor, "a list", &forged), None, "byte {n}");
        }
    }

    #[test]
    fn keys_don_t_show_themselves() {
        assert!(!format!("{:?}", test_keys()).contains("0123456789abcdef"));
        assert!(Keys::parse(r#"{"current":"short"}"#).is_none());
        assert!(Keys::parse("{}").is_none());
    }
}
