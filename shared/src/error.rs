//! The one error: what the client is told, and beside it what only the log sees.

use serde::Serialize;
use std::time::Duration;

pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong, in the client's terms. Each is one entry of the catalogue in `docs/api.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    MalformedRequest,
    InvalidCursor,
    InvalidToken,
    Unauthorized,
    InvalidCredentials,
    SecondFactorRequired,
    WrongSecondFactor,
    Forbidden,
    WrongPassword,
    CodeRequired,
    WrongCode,
    EmailNotVerified,
    AccountSuspended,
    NotFound,
    MethodNotAllowed,
    Taken,
    SecondFactorOn,
    SecondFactorOff,
    InFlight,
    AlreadyPublished,
    InUse,
    AlreadyHandled,
    LastOwner,
    LimitReached,
    PreconditionFailed,
    TooLarge,
    UnsupportedMediaType,
    Invalid,
    IdempotencyKeyReused,
    RateLimited,
    Internal,
    Unavailable,
}

impl Kind {
    pub const ALL: [Self; 32] = [
        Self::MalformedRequest,
        Self::InvalidCursor,
        Self::InvalidToken,
        Self::Unauthorized,
        Self::InvalidCredentials,
        Self::SecondFactorRequired,
        Self::WrongSecondFactor,
        Self::Forbidden,
        Self::WrongPassword,
        Self::CodeRequired,
        Self::WrongCode,
        Self::EmailNotVerified,
        Self::AccountSuspended,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Taken,
        Self::SecondFactorOn,
        Self::SecondFactorOff,
        Self::InFlight,
        Self::AlreadyPublished,
        Self::InUse,
        Self::AlreadyHandled,
        Self::LastOwner,
        Self::LimitReached,
        Self::PreconditionFailed,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Invalid,
        Self::IdempotencyKeyReused,
        Self::RateLimited,
        Self::Internal,
        Self::Unavailable,
    ];

    /// Status, slug of the `type` URI, title.
    pub const fn parts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::MalformedRequest => (400, "malformed-request", "The request can't be read"),
            Self::InvalidCursor => (400, "invalid-cursor", "This cursor does not belong to this list"),
            Self::InvalidToken => (400, "invalid-token", "The token is wrong, used or expired"),
            Self::Unauthorized => (401, "unauthorized", "Sign in first"),
            Self::InvalidCredentials => (401, "invalid-credentials", "Wrong name or password"),
            Self::SecondFactorRequired => (401, "second-factor-required", "A code is needed to sign in"),
            Self::WrongSecondFactor => (401, "wrong-second-factor", "The code is wrong"),
            Self::Forbidden => (403, "forbidden", "Not yours to do"),
            Self::WrongPassword => (403, "wrong-password", "The current password is wrong"),
            Self::CodeRequired => (403, "code-required", "A code of the second factor is needed"),
            Self::WrongCode => (403, "wrong-code", "The code is wrong"),
            Self::EmailNotVerified => (403, "email-not-verified", "Verify your e-mail address first"),
            Self::AccountSuspended => (403, "account-suspended", "This account is suspended"),
            Self::NotFound => (404, "not-found", "Not found"),
            Self::MethodNotAllowed => (405, "method-not-allowed", "This path has no such method"),
            Self::Taken => (409, "taken", "Already taken"),
            Self::SecondFactorOn => (409, "second-factor-on", "The second factor is on already"),
            Self::SecondFactorOff => (409, "second-factor-off", "There is no second factor"),
            Self::InFlight => (409, "in-flight", "The first request with this key is not done yet"),
            Self::AlreadyPublished => (409, "already-published", "It is published already"),
            Self::InUse => (409, "in-use", "Something needs it"),
            Self::AlreadyHandled => (409, "already-handled", "Somebody has handled it already"),
            Self::LastOwner => (409, "last-owner", "A group needs an owner"),
            Self::LimitReached => (409, "limit-reached", "As many as there may be"),
            Self::PreconditionFailed => (412, "precondition-failed", "It changed meanwhile"),
            Self::TooLarge => (413, "too-large", "The body is too large"),
            Self::UnsupportedMediaType => (415, "unsupported-media-type", "This content type is not taken"),
            Self::Invalid => (422, "invalid", "Some fields are not valid"),
            Self::IdempotencyKeyReused => (422, "idempotency-key-reused", "This key was used with another body"),
            Self::RateLimited => (429, "rate-limited", "Too many requests"),
            Self::Internal => (500, "internal", "Something went wrong on our side"),
            Self::Unavailable => (503, "unavailable", "A part of the service does not answer"),
        }
    }
}

/// One field that is not valid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// The field's name, or its path (`notify.follow.mail`).
    #[schema(example = "email")]
    pub field: String,
    /// A stable code that programs can act on.
    #[schema(example = "invalid_email")]
    pub code: String,
    /// A message for people.
    #[schema(example = "This is not an e-mail address.")]
    pub detail: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), code: code.into(), detail: detail.into() }
    }
}

/// An error with its two halves. `source` never reaches a client.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    detail: Option<String>,
    fields: Vec<FieldError>,
    retry_after: Option<Duration>,
    source: Option<Source>,
}

impl Error {
    pub fn new(kind: Kind) -> Self {
        Self(Box::new(Inner { kind, detail: None, fields: Vec::new(), retry_after: None, source: None }))
    }

    /// What the client reads beside the title.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn field(mut self, error: FieldError) -> Self {
        self.0.fields.push(error);
        self
    }

    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// What the log reads; never shown.
    #[must_use]
    pub fn source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub fn not_found() -> Self {
        Self::new(Kind::NotFound).detail("There is nothing here, or nothing that you may see.")
    }

    pub fn unauthorized(detail: &str) -> Self {
        Self::new(Kind::Unauthorized).detail(detail)
    }

    pub fn forbidden(detail: &str) -> Self {
        Self::new(Kind::Forbidden).detail(detail)
    }

    pub fn email_not_verified() -> Self {
        let detail = "Open the link in the mail we sent you; POST /users/verify/resend sends another.";
        Self::new(Kind::EmailNotVerified).detail(detail)
    }

    /// 409, naming the field.
    pub fn taken(field: &str) -> Self {
        Self::new(Kind::Taken).detail(format!("This {field} is already taken.")).field(FieldError::new(
            field,
            "taken",
            format!("This {field} is already taken."),
        ))
    }

    /// 422 with every bad field.
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let mut error = Self::new(Kind::Invalid).detail("See `errors` for each field.");
        error.0.fields = fields;
        error
    }

    pub fn internal(source: impl Into<Source>) -> Self {
        Self::new(Kind::Internal).source(source)
    }

    /// 503 with `Retry-After`.
    pub fn unavailable(source: impl Into<Source>) -> Self {
        Self::new(Kind::Unavailable).retry_after(Duration::from_secs(2)).source(source)
    }

    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Whether the same may succeed later: a part of the service does not answer. All else stays as it is.
    pub fn is_passing(&self) -> bool {
        self.kind() == Kind::Unavailable
    }

    pub fn status(&self) -> u16 {
        self.0.kind.parts().0
    }

    pub fn shown_detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    pub fn wait(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// For the log: the cause with all that lies below it.
    pub fn cause(&self) -> Option<String> {
        let mut next: Option<&(dyn std::error::Error + 'static)> = self.0.source.as_deref().map(|e| e as _);
        let mut text = String::new();
        while let Some(error) = next {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&error.to_string());
            next = error.source();
        }
        (!text.is_empty()).then_some(text)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (status, slug, _) = self.0.kind.parts();
        write!(f, "{status} {slug}")?;
        if let Some(detail) = self.shown_detail() {
            write!(f, ": {detail}")?;
        }
        if let Some(cause) = self.cause() {
            write!(f, " ({cause})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
