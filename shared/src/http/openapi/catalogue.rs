//! The catalogue of problems: when each comes, and what to do then.

use crate::error::Kind;

/// What the catalogue says of one kind of problem.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub when: &'static str,
    pub remedy: &'static str,
}

const fn entry_of(when: &'static str, remedy: &'static str) -> Entry {
    Entry { when, remedy }
}

/// The catalogue's entry.
pub const fn entry(kind: Kind) -> Entry {
    match kind {
        Kind::MalformedRequest => entry_of(
            "The body is no JSON object, or no form, or it broke off.",
            "Send one JSON object; `detail` says where reading it stopped.",
        ),
        Kind::InvalidCursor => {
            entry_of("The cursor is cut, forged or another list's.", "Read the list from its start, without a cursor.")
        }
        Kind::InvalidToken => entry_of(
            "The token of a mail is wrong, was used before or has expired, or a newer one or a new password came since.",
            "Ask for a new mail.",
        ),
        Kind::Unauthorized => entry_of(
            "The access token is missing, malformed, expired or of a session that has ended.",
            "Refresh the session with `POST /users/refresh`; if that fails too, sign in.",
        ),
        Kind::InvalidCredentials => {
            entry_of("The name or the password is wrong; which of them is not told.", "Ask the person again.")
        }
        Kind::SecondFactorRequired => entry_of(
            "Name and password are right, and the account has a second factor.",
            "Ask for a code of the authenticator app or a recovery code, and send all three again, the code as `otp`.",
        ),
        Kind::WrongSecondFactor => entry_of(
            "Name and password are right; the code is wrong, was used before, or is over.",
            "Ask for the next code. Codes go by the clock: a telephone's may be wrong.",
        ),
        Kind::Forbidden => entry_of(
            "You may see it, but it is not yours to change; or it is for moderators alone.",
            "Don't offer this act for what others own.",
        ),
        Kind::WrongPassword => entry_of("The current password is wrong.", "Ask the person again."),
        Kind::CodeRequired => entry_of(
            "The password is right, and the account has a second factor.",
            "Ask for a code of the authenticator app or a recovery code, and send it as `otp` beside the password.",
        ),
        Kind::WrongCode => {
            entry_of("The code is wrong, was used before, or is over.", "Ask the person for the next code.")
        }
        Kind::EmailNotVerified => entry_of(
            "This asks for a verified address: an archive does, and some deployments have every write do so.",
            "Open the link in the mail; `POST /users/verify/resend` sends another.",
        ),
        Kind::AccountSuspended => entry_of(
            "The password is right, but a moderator has suspended the account.",
            "Tell the person; only a moderator can reinstate the account.",
        ),
        Kind::NotFound => entry_of(
            "There is nothing here, or nothing that you may see: the two are told alike.",
            "Check the id; it may have been deleted, or be hidden from you.",
        ),
        Kind::MethodNotAllowed => {
            entry_of("The path exists, but not with this method.", "Use a method that the `Allow` header names.")
        }
        Kind::Taken => entry_of("Somebody has this username or address; `errors` names the field.", "Choose another."),
        Kind::SecondFactorOn => entry_of(
            "The account has a second factor.",
            "Turn it off with `DELETE /users/otp` first, to set up another.",
        ),
        Kind::SecondFactorOff => entry_of(
            "The account has no second factor, or none that waits to be confirmed.",
            "Set one up: `POST /users/otp`.",
        ),
        Kind::InFlight => entry_of(
            "The first request with this `Idempotency-Key` is not done yet.",
            "Send the same request again after `Retry-After`.",
        ),
        Kind::AlreadyPublished => entry_of(
            "The scheduled post is out; what it became is another resource.",
            "Change or delete the post that `post_id` of the scheduled one names.",
        ),
        Kind::InUse => entry_of(
            "A picture or video belongs to a post or profile, or is being checked.",
            "Delete what it belongs to; what is being checked can be deleted a moment later.",
        ),
        Kind::AlreadyHandled => {
            entry_of("A moderator has handled this report meanwhile.", "Read it again; what was decided stands.")
        }
        Kind::LastOwner => entry_of(
            "The group's last owner would leave, or be in another role.",
            "Make another member an owner first, or delete the group.",
        ),
        Kind::LimitReached => entry_of(
            "Somebody is in as many groups as one may be, a group has as many owners and moderators, or an account has changed its address as often.",
            "Leave a group first, take the role from somebody, or wait a week; `detail` tells the number.",
        ),
        Kind::PreconditionFailed => entry_of(
            "It changed since the `ETag` in `If-Match`.",
            "Read it again, and repeat your change on what it is now.",
        ),
        Kind::TooLarge => entry_of(
            "The body is larger than 64 KiB, or a file than 4 MiB.",
            "Send less; `GET /config` tells the limits.",
        ),
        Kind::UnsupportedMediaType => {
            entry_of("The body is of a `Content-Type` that is not taken here.", "Send one that `detail` names.")
        }
        Kind::Invalid => entry_of(
            "Some fields or parameters are not valid; `errors` has every one of them, each with a code.",
            "Show each `detail` at its field.",
        ),
        Kind::IdempotencyKeyReused => {
            entry_of("This `Idempotency-Key` came before with another body.", "Use a new key for a new request.")
        }
        Kind::RateLimited => entry_of(
            "Too many requests of this kind.",
            "Wait for the seconds in `Retry-After`; the `RateLimit` headers tell what remains.",
        ),
        Kind::Internal => entry_of("We failed.", "Try once more; if it stays, tell us the `request_id`."),
        Kind::Unavailable => entry_of(
            "A part of the service does not answer.",
            "Send the same request again after `Retry-After`, with the same `Idempotency-Key` if it creates.",
        ),
    }
}
