//! One-time codes of an authenticator app: TOTP (RFC 6238) in the form that every app takes, which is SHA-1, six digits
//! and 30 seconds.

use super::{base64url, from_base64url, hmac_sha256, random_bytes};
use crate::clock::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

const STEP_SECONDS: u64 = 30;
/// RFC 4648, 6.
const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// What an account and an authenticator app share.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; Self::BYTES]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// RFC 4226, 4 (R6): 160 bits.
    const BYTES: usize = 20;

    pub fn random() -> Self {
        Self(random_bytes())
    }

    /// For sealing.
    pub fn text(&self) -> String {
        base64url(&self.0)
    }

    /// Reads what [`Self::text`] wrote.
    pub fn read(text: &str) -> Option<Self> {
        from_base64url(text)?.try_into().ok().map(Self)
    }

    /// As people type it into an app.
    pub fn base32(&self) -> String {
        base32(&self.0)
    }

    /// Reads what [`Self::base32`] wrote, as an app does.
    pub fn from_base32(text: &str) -> Option<Self> {
        let digit = |c: u8| DIGITS.iter().position(|digit| *digit == c).map(|n| n as u64);
        let chunk = |chunk: &[u8]| {
            let bits = chunk.iter().try_fold(0_u64, |bits, c| Some((bits << 5) | digit(*c)?))?;
            Some(bits.to_be_bytes()[3..].to_vec())
        };
        let bytes: Option<Vec<Vec<u8>>> = text.as_bytes().chunks(8).map(chunk).collect();
        bytes?.concat().try_into().ok().map(Self)
    }

    /// What the QR code says that an app reads ("Key Uri Format" of Google Authenticator).
    pub fn uri(&self, issuer: &str, account: &str) -> String {
        let secret = self.base32();
        format!(
            "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period={STEP_SECONDS}"
        )
    }

    /// The time step whose code this is: the present one or one beside it, for clocks differ (RFC 6238, 5.2), if it is
    /// later than the one taken last.
    pub fn step_of(&self, code: &str, now: Timestamp, taken_last: u64) -> Option<u64> {
        let present = now.seconds() / STEP_SECONDS;
        let is_it = |step: &u64| bool::from(self.code(*step).as_bytes().ct_eq(code.as_bytes()));
        (present.saturating_sub(1)..=present + 1).filter(|step| *step > taken_last).find(is_it)
    }

    /// The code of a moment, as an app shows it.
    pub fn code_at(&self, now: Timestamp) -> String {
        self.code(now.seconds() / STEP_SECONDS)
    }

    /// RFC 4226, 5.3.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn code(&self, step: u64) -> String {
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(&step.to_be_bytes());
        let hash = mac.finalize().into_bytes();
        let offset = usize::from(hash[19] & 15);
        let number = hash[offset..offset + 4].iter().fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
        format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
    }

    /// What is kept of a text that stands in for a code. Under the secret, which is kept sealed: a holder of the signing
    /// keys can't read it either.
    pub fn mac(&self, text: &str) -> String {
        base64url(&hmac_sha256(&self.0, format!("perch/recovery/{text}").as_bytes()))
    }
}

/// RFC 4648, 6, without padding.
pub fn base32(bytes: &[u8]) -> String {
    let quintet = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte)) << (8 * (5 - chunk.len()));
        (0..(chunk.len() * 8).div_ceil(5)).map(move |n| char::from(DIGITS[(bits >> (35 - 5 * n)) as usize & 31]))
    };
    bytes.chunks(5).flat_map(|chunk| quintet(chunk).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    /// RFC 6238, appendix B, whose codes have eight digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = Secret(*b"12345678901234567890");
        for (time, code) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            assert_eq!(secret.code(time / STEP_SECONDS), code[2..], "{time}");
            assert_eq!(secret.step_of(&code[2..], at(time), 0), Some(time / STEP_SECONDS));
        }
    }

    #[test]
    fn a_code_is_good_one_step_early_and_late_and_never_again() {
        let secret = Secret(*b"12345678901234567890");
        let (code, step) = ("081804", 1_111_111_109 / STEP_SECONDS);
        for (steps, expected) in [(-2_i64, None), (-1, Some(step)), (0, Some(step)), (1, Some(step)), (2, None)] {
            let now = at((step * STEP_SECONDS).saturating_add_signed(steps * 30) + 7);
            assert_eq!(secret.step_of(code, now, 0), expected, "{steps}");
            assert_eq!(secret.step_of(code, now, step), None, "it was taken");
        }
        assert_eq!(secret.step_of("81804", at(1_111_111_109), 0), None);
    }

    /// RFC 4648, 10.
    #[test]
    fn texts_are_base32() {
        for (plain, expected) in
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(base32(plain.as_bytes()), expected);
        }
        let secret = Secret(*b"12345678901234567890");
        assert_eq!(
            secret.uri("Perch", "gull"),
            "otpauth://totp/Perch:gull?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Perch&algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(Secret::read(&secret.text()), Some(secret.clone()));
        assert_eq!(Secret::from_base32(&secret.base32()), Some(secret.clone()));
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}
