//! The values that accounts are made of, each parsed where it comes in.

use crate::ids::UserId;
use crate::models::fields::{FieldValue, Refusal, bounded, text};
use serde::{Deserialize, Serialize};
use serde_json::Value;

macro_rules! text_value {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_value!(
    /// 3 to 20 of `A-Z a-z 0-9 _`, kept as typed, unique whatever its case.
    Username
);
text_value!(
    /// An e-mail address, kept as typed; compared whatever its case.
    Email
);
text_value!(
    /// A full name of 1 to 100 characters.
    FullName
);
text_value!(
    /// A few lines about oneself, up to 500 characters.
    Bio
);
text_value!(
    /// A place, up to 100 characters.
    Location
);
text_value!(
    /// An `http` or `https` address, up to 200 bytes.
    Website
);
text_value!(
    /// Something one likes: 1 to 30 characters.
    Interest
);

impl Username {
    /// That of a deleted account.
    pub(super) const fn none() -> Self {
        Self(String::new())
    }

    pub const MIN: usize = 3;
    pub const MAX: usize = 20;
    /// The rule as clients may check it.
    pub const PATTERN: &str = "^[A-Za-z0-9_]{3,20}$";

    /// The one spelling that uniqueness is judged by.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// A name out of a path: any case, with or without `@`. None when no account can have it.
    pub fn from_path(text: &str) -> Option<Self> {
        let name = text.trim();
        let name = name.strip_prefix('@').unwrap_or(name);
        is_well_formed(name).then(|| Self(name.to_owned()))
    }

    /// A name made from an address, and further tries when it is taken.
    pub fn suggested(email: &Email, attempt: u32) -> Self {
        let local = email.0.split('@').next().unwrap_or_default();
        let mut name: String =
            local.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(Self::MAX).collect();
        if name.len() < Self::MIN || is_reserved(&name) || name.to_ascii_lowercase().starts_with("usr_") {
            name = "user".into();
        }
        if attempt > 0 || name == "user" {
            let tail = u32::from_be_bytes(crate::secrets::random_bytes()) % 1_000_000;
            name.truncate(Self::MAX - 7);
            name = format!("{name}_{tail:06}");
        }
        Self(name)
    }
}

fn is_well_formed(name: &str) -> bool {
    (Username::MIN..=Username::MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.to_ascii_lowercase().starts_with(UserId::PREFIX)
}

/// Names that are path segments (a test derives them from the routers), and some kept for growth.
pub const RESERVED_USERNAMES: [&str; 60] = [
    "about",
    "activity",
    "admin",
    "administrator",
    "analytics",
    "api",
    "block",
    "blocked",
    "comments",
    "config",
    "delete",
    "docs",
    "export",
    "feed",
    "follow",
    "followers",
    "following",
    "forgot",
    "groups",
    "hashtags",
    "health",
    "help",
    "home",
    "like",
    "liked",
    "likes",
    "login",
    "logout",
    "media",
    "moderator",
    "mute",
    "muted",
    "notifications",
    "otp",
    "password",
    "perch",
    "posts",
    "read",
    "refresh",
    "register",
    "reports",
    "resend",
    "reset",
    "root",
    "scheduled",
    "search",
    "sessions",
    "settings",
    "signup",
    "suggestions",
    "support",
    "system",
    "tweets",
    "unblock",
    "unfollow",
    "unlike",
    "unsubscribe",
    "users",
    "verify",
    "videos",
];

fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "me" || RESERVED_USERNAMES.contains(&name.as_str())
}

impl FieldValue for Username {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        let name = text(value)?;
        // A telephone's keyboard adds a space after a word that it completes.
        let name = name.trim();
        if !is_well_formed(name) {
            return Err(("invalid_username", "3 to 20 of A-Z a-z 0-9 _, not starting with usr_.".into()));
        }
        if is_reserved(name) {
            return Err(("reserved_username", "This name is reserved.".into()));
        }
        Ok(Self(name.to_owned()))
    }
}

impl Email {
    /// The one spelling that uniqueness is judged by.
    pub fn folded(&self) -> String {
        self.in_ascii().to_ascii_lowercase()
    }

    /// As mail is sent to it: an international domain in its ASCII form (IDNA).
    pub fn in_ascii(&self) -> String {
        in_ascii(&self.0).unwrap_or_else(|| self.0.clone())
    }
}

/// An address with its domain in ASCII; None where that can't be.
fn in_ascii(address: &str) -> Option<String> {
    if address.is_ascii() {
        return Some(address.to_owned());
    }
    let (local, domain) = address.rsplit_once('@')?;
    Some(format!("{local}@{}", idna::domain_to_ascii(domain).ok()?))
}

impl FieldValue for Email {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        let typed = text(value)?;
        let typed = typed.trim();
        let refused = || ("invalid_email", String::from("This is not an e-mail address."));
        let address = in_ascii(typed).ok_or_else(refused)?;
        let address = address.as_str();
        // RFC 5321, 4.5.3.1: 64 octets before the @, 255 after, 256 in a path with its brackets. SES takes none but ASCII
        // before the @.
        if address.len() > 254 || !address.is_ascii() {
            return Err(refused());
        }
        let options =
            email_address::Options::default().with_required_tld().without_domain_literal().without_display_text();
        email_address::EmailAddress::parse_with_options(address, options).map_err(|_| refused())?;
        // A quoted local part may hold spaces and line breaks; no provider gives out such addresses.
        if address.contains('"') {
            return Err(refused());
        }
        Ok(Self(typed.to_owned()))
    }
}

macro_rules! bounded_text {
    ($name:ident, $max:expr, $max_bytes:expr, $lines:expr) => {
        impl $name {
            /// Characters.
            pub const MAX: usize = $max;
        }

        impl FieldValue for $name {
            fn parse(value: &Value) -> Result<Self, Refusal> {
                bounded(value, Self::MAX, $max_bytes, $lines).map(Self)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}

bounded_text!(FullName, 100, 400, false);
bounded_text!(Bio, 500, 2_000, true);
bounded_text!(Location, 100, 400, false);
bounded_text!(Interest, 30, 120, false);

impl Website {
    /// Bytes.
    pub const MAX: usize = 200;
}

impl FieldValue for Website {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        let address = bounded(value, Self::MAX, Self::MAX, false)?;
        let refused = ("invalid_url", String::from("This must be an http or https address."));
        // International names in any script; nothing that `url` would only read by mending it.
        let url = url::Url::parse(&address).map_err(|_| refused.clone())?;
        let is_web = matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| host.contains('.'));
        let is_whole = address.contains("://") && !address.contains(['<', '>', '"', '\'', '\\', ' ']);
        // A name before the host would be read as the host.
        let is_plain = url.username().is_empty() && url.password().is_none();
        if is_web && is_whole && is_plain { Ok(Self(address)) } else { Err(refused) }
    }
}

impl From<Website> for String {
    fn from(value: Website) -> Self {
        value.0
    }
}

/// Up to 20 interests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interests(pub Vec<String>);

impl Interests {
    pub const MAX: usize = 20;
}

impl FieldValue for Interests {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        let list = Vec::<Interest>::parse(value)?;
        if list.len() > Self::MAX {
            return Err(("too_many", format!("At most {} interests.", Self::MAX)));
        }
        Ok(Self(list.into_iter().map(String::from).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal<T: FieldValue>(value: &str) -> Option<&'static str> {
        T::parse(&json!(value)).err().map(|(code, _)| code)
    }

    #[test]
    fn usernames() {
        for good in ["abc", "A_b9", "x".repeat(20).as_str(), "usr"] {
            assert_eq!(refusal::<Username>(good), None, "{good}");
        }
        for bad in ["ab", "x".repeat(21).as_str(), "a b", "a-b", "ä_b", "usr_abc", "USR_abc", "a#b", "@abc"] {
            assert_eq!(refusal::<Username>(bad), Some("invalid_username"), "{bad}");
        }
        assert_eq!(refusal::<Username>("Settings"), Some("reserved_username"));
        assert_eq!(Username::from_path("@Ann").unwrap().folded(), "ann");
        assert!(Username::from_path("usr_x").is_none());
    }

    #[test]
    fn suggested_names_are_names() {
        for address in ["a@b.co", "settings@b.co", "ann.lee+x@b.co", "usr_x@b.co", &format!("{}@b.co", "y".repeat(60))]
        {
            let email = Email::parse(&json!(address)).unwrap();
            for attempt in 0..3 {
                let name = Username::suggested(&email, attempt);
                assert_eq!(refusal::<Username>(name.as_str()), None, "{address} {attempt}: {name}");
            }
        }
    }

    #[test]
    fn addresses() {
        let same = |a: &str, b: &str| {
            let folded = |text: &str| Email::parse(&json!(text)).unwrap().folded();
            assert_eq!(folded(a), folded(b));
        };
        same("x@m\u{fc}nchen.de", "X@MU\u{308}NCHEN.de ");
        same("x@m\u{fc}nchen.de", "x@xn--mnchen-3ya.de");
        assert_eq!(Email::parse(&json!("x@mu\u{308}nchen.de")).unwrap().as_str(), "x@münchen.de");
        for good in ["ann@example.com", "a.b+c@mail.example.co.uk", "A@EXAMPLE.COM", "x@例え.テスト"] {
            assert_eq!(refusal::<Email>(good), None, "{good}");
        }
        for bad in [
            "",
            "ann",
            "ann@",
            "@b.co",
            "ann@host",
            "a b@c.de",
            "ann@[1.2.3.4]",
            "Ann <a@b.co>",
            "\"a\"@b.co",
            "jörg@b.co",
            "x@b\u{200b}.co\u{202e}",
            "a@b.co\nBcc: x@y.zz",
        ] {
            assert_eq!(refusal::<Email>(bad), Some("invalid_email"), "{bad}");
        }
    }

    #[test]
    fn websites() {
        for good in ["https://example.com/me?x=1", "https://müller.de", "HTTPS://例え.テスト/ä"] {
            assert_eq!(refusal::<Website>(good), None, "{good}");
            assert_eq!(Website::parse(&json!(good)).unwrap().as_str(), good, "shown as typed");
        }
        for bad in [
            "https:example.com",
            "https://perch.example@evil.example",
            "https:\\\\evil.example",
            "javascript:alert(1)",
            "example.com",
            "ftp://example.com",
            "https://exa mple.com",
            "http://",
        ] {
            assert_eq!(refusal::<Website>(bad), Some("invalid_url"), "{bad}");
        }
    }
}
