//! Rate limits of requests. The throttle of sign-ins is in `store::sessions`.

use super::Notes;
use crate::App;
use crate::error::{Error, Kind, Result};
use crate::ids::UserId;
use crate::models::user::Email;
use crate::secrets::random_bytes;
use crate::store;
use futures::future::try_join;
use std::time::Duration;

/// Something that is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    // Per address.
    SignUp,
    SignIn,
    UseMailToken,
    ForgotPassword,
    // Per subject that a request names.
    MailToAddress,
    // Per user.
    EditAccount,
    ChangeEmail,
    Rename,
    Refresh,
    EndSession,
    ResendVerification,
    ChangePassword,
    SecondFactor,
    DeleteAccount,
    Export,
    Follow,
    Post,
    Comment,
    Like,
    MarkRead,
    Upload,
    Report,
    Moderate,
    Connect,
    Group,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// So much per window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub name: &'static str,
    pub limit: u64,
    /// Seconds.
    pub window: u64,
}

const fn quota(name: &'static str, limit: u64, window: u64) -> Quota {
    Quota { name, limit, window }
}

/// By what an address is counted: nobody can tell it from that.
fn recipient(app: &App, email: &Email) -> Result<String> {
    store::sessions::dummy_user(app, &email.folded()).map(|id| id.to_string())
}

/// What an answer tells of the limit, after draft-ietf-httpapi-ratelimit-headers.
#[derive(Clone, Copy, Debug)]
pub struct LimitStatus {
    pub quota: Quota,
    pub remaining: u64,
    /// Seconds until the window ends.
    pub reset: u64,
}

impl Action {
    pub const ALL: [Self; 25] = [
        Self::SignUp,
        Self::SignIn,
        Self::UseMailToken,
        Self::ForgotPassword,
        Self::MailToAddress,
        Self::EditAccount,
        Self::ChangeEmail,
        Self::Rename,
        Self::Refresh,
        Self::EndSession,
        Self::ResendVerification,
        Self::ChangePassword,
        Self::SecondFactor,
        Self::DeleteAccount,
        Self::Export,
        Self::Follow,
        Self::Post,
        Self::Comment,
        Self::Like,
        Self::MarkRead,
        Self::Upload,
        Self::Report,
        Self::Moderate,
        Self::Connect,
        Self::Group,
    ];

    pub const fn quota(self) -> Quota {
        match self {
            Self::SignUp => quota("sign-up", 60, HOUR),
            Self::SignIn => quota("sign-in", 100, 15 * MINUTE),
            Self::UseMailToken => quota("mail-token", 100, HOUR),
            Self::ForgotPassword => quota("forgot-password", 30, HOUR),
            Self::MailToAddress => quota("mail-to-address", 5, HOUR),
            Self::EditAccount => quota("edit-account", 120, HOUR),
            Self::ChangeEmail => quota("change-email", 20, HOUR),
            Self::Rename => quota("rename", 2, DAY),
            Self::Refresh => quota("refresh", 600, HOUR),
            Self::EndSession => quota("end-session", 300, HOUR),
            Self::ResendVerification => quota("resend-verification", 5, HOUR),
            Self::ChangePassword => quota("change-password", 10, HOUR),
            Self::SecondFactor => quota("second-factor", 20, HOUR),
            Self::DeleteAccount => quota("delete-account", 10, HOUR),
            Self::Export => quota("export", 2, DAY),
            Self::Follow => quota("follow", 600, HOUR),
            Self::Post => quota("post", 300, HOUR),
            Self::Comment => quota("comment", 600, HOUR),
            Self::Like => quota("like", 1_200, HOUR),
            Self::MarkRead => quota("mark-read", 1_200, HOUR),
            Self::Upload => quota("upload", 300, HOUR),
            Self::Report => quota("report", 60, HOUR),
            Self::Moderate => quota("moderate", 1_200, HOUR),
            Self::Connect => quota("connect", 300, HOUR),
            Self::Group => quota("group", 300, HOUR),
        }
    }

    /// What an account may do before its address is verified, even where that is asked for: what leads there, or out, and
    /// opening a socket, which only reads.
    pub const fn is_open_to_unverified(self) -> bool {
        matches!(
            self,
            Self::ChangeEmail
                | Self::EndSession
                | Self::ResendVerification
                | Self::ChangePassword
                | Self::DeleteAccount
                | Self::Connect
        )
    }

    /// Counts a mail to an address that was typed in, whether or not an account has it.
    ///
    /// # Errors
    /// 429 with `Retry-After` beyond the limit.
    pub async fn check_mail_to(app: &App, notes: &Notes, email: &Email) -> Result<()> {
        Self::MailToAddress.check(app, notes, &recipient(app, email)?).await
    }

    /// Uncounts one that sent no mail.
    pub async fn take_back_mail_to(app: &App, email: &Email) -> Result<()> {
        Self::MailToAddress.take_back(app, &recipient(app, email)?).await
    }

    /// Uncounts one call of `subject` that did nothing.
    pub async fn take_back(self, app: &App, subject: &str) -> Result<()> {
        if !app.config().rate_limits {
            return Ok(());
        }
        let quota = self.quota();
        store::rate_limits::uncount(app, &format!("{}#{subject}", quota.name), app.now().seconds() / quota.window).await
    }

    /// Counts one call of `subject`, in windows that begin with the clock's.
    ///
    /// # Errors
    /// 429 with `Retry-After` beyond the limit.
    pub async fn check(self, app: &App, notes: &Notes, subject: &str) -> Result<()> {
        match app.config().rate_limits {
            true => check(app, notes, self.quota(), subject, 1).await,
            false => Ok(()),
        }
    }
}

/// Reads of one user; the limit is the parameter `ReadLimit`.
pub const READ: &str = "read";
/// Reads of one address, behind which may be many: five times as many.
pub const READ_BY_ADDRESS: &str = "read-by-address";

/// As how many a read counts; None for one that is not counted. A count costs a write: of many reads each tenth is counted,
/// as ten.
pub fn read_weight(app: &App) -> Option<u64> {
    let limit = app.config().read_limit;
    let weight = (limit / 500).clamp(1, 10);
    (limit > 0 && u64::from(u32::from_be_bytes(random_bytes())).is_multiple_of(weight)).then_some(weight)
}

/// Counts a read towards the limits of its reader, if that is known, and of its address.
///
/// # Errors
/// 429 with `Retry-After` beyond either.
pub async fn check_read(app: &App, notes: &Notes, user: Option<UserId>, address: &str, weight: u64) -> Result<()> {
    let limit = app.config().read_limit;
    let quota = |name, limit| quota(name, limit, 5 * MINUTE);
    let by_user = async {
        match user {
            Some(user) => check(app, notes, quota(READ, limit), &user.ulid().to_string(), weight).await,
            None => Ok(()),
        }
    };
    let by_address = check(app, notes, quota(READ_BY_ADDRESS, limit.saturating_mul(5)), address, weight);
    match try_join(by_user, by_address).await {
        // What can't be counted is read all the same.
        Err(error) if error.is_passing() => Ok(()),
        checked => checked.map(|_| ()),
    }
}

async fn check(app: &App, notes: &Notes, quota: Quota, subject: &str, weight: u64) -> Result<()> {
    let now = app.now().seconds();
    let (window, reset) = (now / quota.window, quota.window - now % quota.window);
    let scope = format!("{}#{subject}", quota.name);
    let n = store::rate_limits::count_by(app, &scope, window, Duration::from_secs(quota.window), weight).await?;
    notes.set_limit(LimitStatus { quota, remaining: quota.limit.saturating_sub(n), reset });
    if n <= quota.limit {
        return Ok(());
    }
    let detail = format!("At most {} of these in {} minutes.", quota.limit, quota.window / MINUTE);
    Err(Error::new(Kind::RateLimited).detail(detail).retry_after(Duration::from_secs(reset)))
}
