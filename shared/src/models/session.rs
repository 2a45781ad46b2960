//! Sessions and the tokens that mails carry.

use crate::clock::Timestamp;
use crate::ids::{SessionId, UserId};
use crate::models::user::Email;
use crate::secrets::{Keys, Purpose, base64url, from_base64url, sha256};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use ulid::Ulid;

/// A session that is not used ends after this long.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// For so long a replaced refresh token gives the same successor again, while that one is unused.
pub const REFRESH_GRACE: Duration = Duration::from_secs(30);
/// Sessions an account may have; signing in once more ends the oldest. Keeps the viewer's prefix small.
pub const MAX_SESSIONS: usize = 10;

/// One sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub user: UserId,
    pub id: SessionId,
    /// SHA-256 of the refresh token that is accepted next.
    pub hash: String,
    /// Which refresh token that is.
    #[serde(rename = "gen")]
    pub generation: u32,
    /// When the token before it was replaced.
    pub rotated: Timestamp,
    /// What signed in, as it calls itself; cut to 80 bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub agent: String,
    /// Seconds since the epoch.
    pub ttl: u64,
}

impl Session {
    /// When it ends, unless it is used before. In no case does it live longer than `longest`: the parameter, which may be
    /// another than it was at the sign-in.
    pub fn end(&self, longest: Duration) -> Timestamp {
        Timestamp::from_millis(self.ttl * 1_000).min(self.id.created_at() + longest)
    }
}

/// A refresh token: whose, which session, the how-manieth, and a MAC over these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    pub user: UserId,
    pub session: SessionId,
    pub generation: u32,
}

impl RefreshToken {
    fn body(self) -> [u8; 36] {
        let mut body = [0; 36];
        body[..16].copy_from_slice(&self.user.ulid().to_bytes());
        body[16..32].copy_from_slice(&self.session.ulid().to_bytes());
        body[32..].copy_from_slice(&self.generation.to_be_bytes());
        body
    }

    /// The token as the client holds it.
    pub fn text(self, keys: &Keys) -> String {
        self.with_mac(keys.mac(Purpose::RefreshToken, &[&self.body()]))
    }

    /// The token as each of the keys makes it, the current one first.
    pub fn texts(self, keys: &Keys) -> impl Iterator<Item = String> {
        keys.macs(Purpose::RefreshToken, &[&self.body()]).into_iter().map(move |mac| self.with_mac(mac))
    }

    fn with_mac(self, mac: [u8; 32]) -> String {
        base64url(&[self.body().as_slice(), &mac].concat())
    }

    /// Reads what [`Self::text`] wrote under one of the keys.
    pub fn read(keys: &Keys, text: &str) -> Option<Self> {
        let bytes = from_base64url(text).filter(|bytes| bytes.len() == 68)?;
        let (body, mac) = bytes.split_at(36);
        let ulid = |bytes: &[u8]| bytes.try_into().ok().map(Ulid::from_bytes);
        keys.verify(Purpose::RefreshToken, &[body], mac).then_some(())?;
        Some(Self {
            user: UserId::from_ulid(ulid(&body[..16])?),
            session: SessionId::from_ulid(ulid(&body[16..32])?),
            generation: u32::from_be_bytes(body[32..].try_into().ok()?),
        })
    }

    pub fn successor(self) -> Self {
        Self { generation: self.generation.saturating_add(1), ..self }
    }
}

/// What the table keeps of a secret text.
pub fn hashed(text: &str) -> String {
    base64url(&sha256(&[text.as_bytes()]))
}

/// What a mail's token lets its holder do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailAction {
    VerifyEmail,
    ResetPassword,
    /// Warns the holder of an address that somebody tried to sign up with it.
    AlreadyRegistered,
    /// Informs the old address of a change, which its link undoes.
    EmailChanged,
    /// Informs of a second factor that was enabled.
    SecondFactorOn,
    /// Informs of one that was disabled.
    SecondFactorOff,
    /// Informs of a recovery code that was used.
    RecoveryCodeUsed,
    /// Leads to an archive of all that is the account's; its mail is sent once that is made.
    Export,
    /// Written where no mail is to be sent, so that nobody can tell by the time it took.
    Nothing,
}

impl MailAction {
    /// How long such a token is good.
    pub const fn lifetime(&self) -> Duration {
        match self {
            Self::VerifyEmail
            | Self::AlreadyRegistered
            | Self::SecondFactorOn
            | Self::SecondFactorOff
            | Self::RecoveryCodeUsed
            | Self::Nothing => Duration::from_secs(24 * 3600),
            // An archive's as long as the bucket keeps it.
            Self::EmailChanged | Self::Export => Duration::from_secs(7 * 24 * 3600),
            // OWASP's Forgot Password cheat sheet asks for a short time.
            Self::ResetPassword => Duration::from_secs(3600),
        }
    }
}

/// A token in a mail. The text is derived from the id, for the mailer sees only the table's stream;
/// the item alone is worth nothing without a signing key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailToken {
    pub id: Ulid,
    pub user: UserId,
    pub action: MailAction,
    /// The address it goes to, and that it verifies.
    pub email: Email,
    /// The account to be, where it exists only once verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingAccount>,
    /// Whether its mail was sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mailed: bool,
    /// Seconds since the epoch.
    pub ttl: u64,
}

/// A sign-up that waits for its address to be verified (`HideRegisteredEmails`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingAccount {
    pub username: Option<super::user::Username>,
    pub full_name: Option<String>,
    pub hash: String,
}

impl MailToken {
    /// The token as the mail carries it.
    pub fn text(id: Ulid, keys: &Keys) -> String {
        let mut bytes = id.to_bytes().to_vec();
        bytes.extend_from_slice(&keys.mac(Purpose::MailToken, &[&id.to_bytes()]));
        base64url(&bytes)
    }

    /// The id in a token that one of the keys made.
    pub fn read(keys: &Keys, text: &str) -> Option<Ulid> {
        let bytes = from_base64url(text).filter(|bytes| bytes.len() == 48)?;
        let (id, mac) = bytes.split_at(16);
        keys.verify(Purpose::MailToken, &[id], mac).then_some(())?;
        id.try_into().ok().map(Ulid::from_bytes)
    }
}

/// The token of an unsubscribe link: for ever, for one account and one kind of mail.
pub fn unsubscribe_token(keys: &Keys, user: UserId, kind: &str) -> String {
    let mac = keys.mac(Purpose::Unsubscribe, &[user.to_string().as_bytes(), kind.as_bytes()]);
    format!("{user}.{kind}.{}", base64url(&mac))
}

/// Whose and which mails a token ends.
pub fn read_unsubscribe_token(keys: &Keys, token: &str) -> Option<(UserId, String)> {
    let mut parts = token.splitn(3, '.');
    let (user, kind, mac) = (parts.next()?, parts.next()?, from_base64url(parts.next()?)?);
    keys.verify(Purpose::Unsubscribe, &[user.as_bytes(), kind.as_bytes()], &mac).then_some(())?;
    Some((user.parse().ok()?, kind.to_owned()))
}

/// What the table knows a network by: a name under each signing key, the current one's first. A reader of the table
/// alone can't tell whose it is.
#[derive(Clone, Debug)]
pub struct NetworkNames(Vec<String>);

impl NetworkNames {
    const BYTES: usize = 12;

    pub fn new(keys: &Keys, network: &str) -> Self {
        let macs = keys.macs(Purpose::Network, &[network.as_bytes()]);
        Self(macs.iter().map(|mac| base64url(&mac[..Self::BYTES])).collect())
    }

    /// The name that is written.
    pub fn current(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    pub fn are_among(&self, known: &[String]) -> bool {
        self.0.iter().any(|name| known.contains(name))
    }

    /// Whether this is such a name: those that earlier versions wrote are shorter, and digests without a key.
    pub fn is_name(text: &str) -> bool {
        text.len() == Self::BYTES / 3 * 4
    }
}

/// Passwords tried in vain on an account within one window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Failures {
    /// The window's number.
    pub window: u64,
    /// All in it. Beside it stand how many came from each network, `a_` and its name, and how many had a wrong code.
    pub n: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::test_keys;

    #[test]
    fn tokens_survive_their_text_and_no_change_to_it() {
        let keys = test_keys();
        let now = Timestamp::from_millis(1);
        let token = RefreshToken { user: UserId::new(now), session: SessionId::new(now), generation: 7 };
        let text = token.text(&keys);
        assert_eq!(RefreshToken::read(&keys, &text), Some(token));
        assert_eq!(MailToken::read(&keys, &text), None);
        let flipped = if text.starts_with('A') { text.replacen('A', "B", 1) } else { format!("A{}", &text[1..]) };
        assert_eq!(RefreshToken::read(&keys, &flipped), None);

        let id = crate::ids::new_ulid(now);
        assert_eq!(MailToken::read(&keys, &MailToken::text(id, &keys)), Some(id));

        let link = unsubscribe_token(&keys, token.user, "follow");
        assert_eq!(read_unsubscribe_token(&keys, &link), Some((token.user, "follow".into())));
        assert_eq!(read_unsubscribe_token(&keys, &link.replace("follow", "like")), None);
    }
}
