//! Reports of posts, and what moderators make of them.

use super::fields::{FieldValue, Refusal, bounded, text};
use crate::clock::Timestamp;
use crate::ids::{PostId, ReportId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ulid::Ulid;

/// A choice out of a few, by its name in JSON.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$member_doc])* $member,)*
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$member),*];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$member => $text,)*
                }
            }

            /// The one of this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == name)
            }
        }

        impl FieldValue for $name {
            fn parse(value: &Value) -> Result<Self, Refusal> {
                let refused = || ("invalid", format!("One of: {}.", [$($text),*].join(", ")));
                Self::named(&text(value)?).ok_or_else(refused)
            }
        }
    };
}

choice! {
    /// Why a post is reported.
    Reason {
        Spam = "spam",
        Harassment = "harassment",
        Hate = "hate",
        Violence = "violence",
        Nudity = "nudity",
        SelfHarm = "self_harm",
        Misinformation = "misinformation",
        Illegal = "illegal",
        Other = "other",
    }
}

choice! {
    /// How far a report has come.
    ReportStatus {
        /// Nobody has handled it.
        Open = "open",
        /// There was nothing to do.
        Dismissed = "dismissed",
        /// Something was done about it.
        Resolved = "resolved",
    }
}

choice! {
    /// How a report may end.
    Outcome {
        Dismissed = "dismissed",
        Resolved = "resolved",
    }
}

impl From<Outcome> for ReportStatus {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Dismissed => Self::Dismissed,
            Outcome::Resolved => Self::Resolved,
        }
    }
}

choice! {
    /// What is done about a report.
    ReportAction {
        /// The post goes as if its author had deleted it.
        RemovePost = "remove_post",
        /// The author can't sign in and is seen nowhere, with all posts and comments.
        SuspendAuthor = "suspend_author",
        /// Lifts a suspension.
        ReinstateAuthor = "reinstate_author",
    }
}

/// What a reporter adds, in up to 1,000 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Details(String);

impl Details {
    /// Grapheme clusters.
    pub const MAX: usize = 1_000;
    const MAX_BYTES: usize = 4_000;
}

impl FieldValue for Details {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        bounded(value, Self::MAX, Self::MAX_BYTES, true).map(Self)
    }
}

/// A report of a post or comment. It is kept, whatever becomes of the post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub id: ReportId,
    pub post: PostId,
    /// Told to moderators alone, and never to the post's author, who may be one.
    /// None once that account is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reporter: Option<UserId>,
    pub reason: Reason,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
    /// What the post said when it was reported: it may be edited or deleted since.
    pub content: String,
    pub status: ReportStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handled: Option<Handled>,
    /// Raised by each decision; what `If-Match` compares.
    pub ver: u64,
}

/// The last decision on a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handled {
    /// None once that account is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<UserId>,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ReportAction>,
}

impl Report {
    pub fn action(&self) -> Option<ReportAction> {
        self.handled.and_then(|handled| handled.action)
    }

    /// The report with a decision.
    #[must_use]
    pub fn decided(&self, decision: Decision, by: UserId, at: Timestamp) -> Self {
        let handled = Some(Handled { by: Some(by), at, action: decision.action });
        Self { status: decision.status, handled, ver: self.ver + 1, ..self.clone() }
    }
}

/// What a moderator decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub status: ReportStatus,
    pub action: Option<ReportAction>,
}

/// That somebody reported a post, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    pub id: ReportId,
}

/// An act of a moderator; its time is the id's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moderation {
    pub id: Ulid,
    pub act: Act,
    /// None for the operator of the service, and for a moderator whose account is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<UserId>,
    /// Whom it concerns; None once that account is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<PostId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportId>,
}

/// What a moderator did, or what was done to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    Dismiss,
    Resolve,
    RemovePost,
    SuspendAuthor,
    ReinstateAuthor,
    AppointModerator,
    ReleaseModerator,
}

impl From<Decision> for Act {
    fn from(decision: Decision) -> Self {
        match (decision.status, decision.action) {
            (_, Some(ReportAction::RemovePost)) => Self::RemovePost,
            (_, Some(ReportAction::SuspendAuthor)) => Self::SuspendAuthor,
            (_, Some(ReportAction::ReinstateAuthor)) => Self::ReinstateAuthor,
            (ReportStatus::Dismissed, None) => Self::Dismiss,
            (_, None) => Self::Resolve,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_choice_is_read_by_the_name_it_is_written_by() {
        for reason in Reason::ALL {
            assert_eq!(json!(reason), reason.as_str());
            assert_eq!(Reason::parse(&json!(reason)), Ok(*reason));
        }
        let all = ReportStatus::ALL.iter().map(|one| (json!(one), one.as_str()));
        let all = all.chain(ReportAction::ALL.iter().map(|one| (json!(one), one.as_str())));
        all.for_each(|(written, name)| assert_eq!(written, name));
        assert_eq!(Reason::parse(&json!("Spam")).unwrap_err().0, "invalid");
        assert_eq!(Reason::parse(&json!(1)).unwrap_err().0, "wrong_type");
    }
}
