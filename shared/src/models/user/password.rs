//! Passwords, and which of them are too easy to guess.

use super::{Email, Username};
use crate::models::fields::{FieldValue, Refusal, composed, text};
use crate::secrets::sha256;
use serde_json::Value;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// A password as RFC 8265 has it compared (OpaqueString): composed, each kind of space as U+0020, all else as typed. It
/// shows itself nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The 100,000 commonest passwords of eight or more characters, in lower case: of each the beginning of its hash, sorted.
/// `scripts/common-passwords` makes them, and names source and licence. One in eleven million others (2^40 / 100,000) is
/// taken for one of them.
static COMMON: &[u8] = include_bytes!("../common_passwords.bin");
/// Bytes of a hash that are kept.
const PREFIX: usize = 5;

/// Whose password it is to be: it must hold none of these.
#[derive(Clone, Copy, Debug, Default)]
pub struct PasswordOwner<'a> {
    pub username: Option<&'a Username>,
    pub email: Option<&'a Email>,
    pub full_name: Option<&'a str>,
}

impl Password {
    pub const MIN: usize = 8;
    pub const MAX: usize = 128;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A password to compare with a kept one: any text that could be one.
    pub fn presented(text: String) -> Self {
        let is_space = |c: char| c.general_category() == GeneralCategory::SpaceSeparator;
        let spaced: String = text.chars().map(|c| if is_space(c) { ' ' } else { c }).collect();
        Self(composed(&spaced).into_owned())
    }

    /// Why this can't be a new password of this account.
    pub fn weakness(&self, owner: PasswordOwner<'_>) -> Option<Refusal> {
        let password = self.0.to_lowercase();
        let refused = |code, what: &str| Some((code, format!("The password must not contain {what}.")));
        if is_common(&password) {
            return Some(("common_password", "This password is among the first that are guessed.".into()));
        }
        if owner.username.is_some_and(|name| password.contains(&name.folded())) {
            return refused("contains_username", "the username");
        }
        if owner.email.is_some_and(|email| holds_address(&password, &email.folded())) {
            return refused("contains_email", "the e-mail address, or what stands before its @");
        }
        if owner.full_name.is_some_and(|name| holds(&without_spaces(&password), &without_spaces(&name.to_lowercase())))
        {
            return refused("contains_full_name", "the full name");
        }
        None
    }
}

fn is_common(password: &str) -> bool {
    let (prefixes, _) = COMMON.as_chunks::<PREFIX>();
    let hash = sha256(&[password.as_bytes()]);
    prefixes.binary_search_by(|prefix| prefix.as_slice().cmp(&hash[..PREFIX])).is_ok()
}

/// `lara gull` is in `laragull1`, too.
fn without_spaces(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// Whether a password holds this, which is no accident from four characters on.
fn holds(password: &str, part: &str) -> bool {
    part.chars().count() >= 4 && password.contains(part)
}

/// Whether a password holds an address, or what stands before its `@`, with or without a tag (`gull+perch@`).
fn holds_address(password: &str, address: &str) -> bool {
    let local = address.split('@').next().unwrap_or_default();
    let untagged = local.split('+').next().unwrap_or_default();
    [address, local, untagged].iter().any(|part| holds(password, part))
}

impl FieldValue for Password {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        let password = text(value)?;
        // NIST SP 800-63B, 5.1.1.2: any characters, counted as code points, not cut off.
        match password.chars().count() {
            ..Self::MIN => Err(("too_short", "At least 8 characters.".into())),
            Self::MIN..=Self::MAX => Ok(Self::presented(password.into_owned())),
            _ => Err(("too_long", "At most 128 characters.".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(value: &str) -> Option<&'static str> {
        Password::parse(&json!(value)).err().map(|(code, _)| code)
    }

    #[test]
    fn passwords() {
        assert_eq!(refusal("1234567"), Some("too_short"));
        assert_eq!(refusal(&"ä".repeat(128)), None);
        assert_eq!(refusal(&"a".repeat(129)), Some("too_long"));
        let name = Username::from_path("skimmer").unwrap();
        let email = Email::parse(&json!("shore.bird+perch@example.com")).unwrap();
        let weakness = |text: &str| {
            let (email, full_name) = (Some(&email), Some("Lara Gull"));
            let owner = PasswordOwner { username: Some(&name), email, full_name };
            Password(text.into()).weakness(owner).map(|(code, _)| code)
        };
        let presented = |text: &str| Password::presented(text.into());
        assert!(presented("gro\u{308}ße\u{a0}\u{3000}1") == presented("größe  1"));
        assert!(presented("Größe") != presented("größe") && presented("a ") != presented("a"));
        assert_eq!(weakness("Baseball"), Some("common_password"));
        assert_eq!(weakness("my-SKIMMER-flies"), Some("contains_username"));
        assert_eq!(weakness("tern on the rock"), None);
        assert_eq!(format!("{:?}", Password("x".into())), "Password(…)");
    }

    /// The longest list that a guesser tries first; the last of it, too.
    #[test]
    fn common_passwords_are_found_in_any_case_and_others_are_not() {
        let (prefixes, rest) = COMMON.as_chunks::<PREFIX>();
        assert_eq!((prefixes.len(), rest.len(), prefixes.is_sorted()), (100_000, 0, true));
        for common in ["password", "iloveyou", "qwertyuiop", "password1!", "smokie11", "smokey24"] {
            assert!(is_common(common), "{common}");
        }
        let others = (0..200_000).filter(|n| is_common(&format!("{n} waders on the mud"))).count();
        assert_eq!(others, 0);
    }

    #[test]
    fn what_everybody_knows_of_the_account_is_no_password() {
        let email = |text: &str| Email::parse(&json!(text)).unwrap();
        for (password, address, name, expected) in [
            ("shore.bird on mud", "Shore.Bird+x@example.com", "", Some("contains_email")),
            ("shore.bird+x on mud", "shore.bird+x@example.com", "", Some("contains_email")),
            ("mine: Al@Example.com", "al@example.com", "", Some("contains_email")),
            ("al likes the mud", "al@example.com", "", None),
            ("LARA GULL 1987", "x@example.com", "Lara Gull", Some("contains_full_name")),
            ("xlaragullx", "x@example.com", "Lara Gull", Some("contains_full_name")),
            ("a gull and lara", "x@example.com", "Lara Gull", None),
            ("bo and the mud", "x@example.com", "Bo", None),
        ] {
            let email = email(address);
            let owner = PasswordOwner { username: None, email: Some(&email), full_name: Some(name) };
            let found = Password::presented(password.into()).weakness(owner).map(|(code, _)| code);
            assert_eq!(found, expected, "{password} of {address} {name}");
        }
    }
}
