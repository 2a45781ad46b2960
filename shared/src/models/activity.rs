//! The activity log: what somebody did, and who signed in as them.

use crate::clock::Timestamp;
use crate::ids::{ActivityId, MediaId, PostId, ReportId, ScheduledId, SessionId, UserId, parse_ulid};
use crate::secrets::sha256;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;
use ulid::Ulid;

/// The types, and the operations that are logged as each.
macro_rules! types {
    ($($(#[$doc:meta])* $name:ident = $text:literal of [$($operation:literal),*]),* $(,)?) => {
        /// What was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum ActivityType {
            $($(#[$doc])* $name,)*
        }

        impl ActivityType {
            pub const ALL: &[Self] = &[$(Self::$name),*];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// What a write is logged as, by its operation's id in the OpenAPI document.
            pub fn of(operation: &str) -> Self {
                match operation {
                    $($($operation => Self::$name,)*)*
                    _ => Self::Other,
                }
            }
        }
    };
}

types! {
    SignUp = "sign_up" of ["register_user"],
    SignIn = "sign_in" of ["login"],
    /// With a wrong password, or while the account was suspended.
    SignInFailed = "sign_in_failed" of [],
    SignOut = "sign_out" of ["logout"],
    EndSession = "end_session" of ["end_session"],
    EndAllSessions = "end_all_sessions" of ["end_all_sessions"],
    VerifyEmail = "verify_email" of ["verify_email"],
    UndoEmailChange = "undo_email_change" of ["undo_email_change"],
    ResendVerification = "resend_verification" of ["resend_verification"],
    ResetPassword = "reset_password" of ["reset_password"],
    ChangePassword = "change_password" of ["change_password"],
    /// A secret for an authenticator app was given out.
    SetUpSecondFactor = "set_up_second_factor" of ["set_up_otp"],
    TurnOnSecondFactor = "turn_on_second_factor" of ["confirm_otp"],
    TurnOffSecondFactor = "turn_off_second_factor" of ["turn_off_otp"],
    /// In place of a code.
    UseRecoveryCode = "use_recovery_code" of [],
    UpdateProfile = "update_profile" of ["update_me"],
    UpdateSettings = "update_settings" of ["update_settings"],
    RequestExport = "request_export" of ["request_export"],
    Unsubscribe = "unsubscribe" of ["unsubscribe"],
    Follow = "follow" of ["follow_user"],
    Unfollow = "unfollow" of ["unfollow_user", "unfollow_user_by_post"],
    Block = "block" of ["block_user"],
    Unblock = "unblock" of ["unblock_user", "unblock_user_by_post"],
    Mute = "mute" of ["mute_user"],
    Unmute = "unmute" of ["unmute_user"],
    CreatePost = "create_post" of ["create_post", "create_post_as_tweet", "create_group_post"],
    UpdatePost = "update_post" of ["update_post", "update_post_by_put"],
    DeletePost = "delete_post" of ["delete_post"],
    /// A post was written that waits for its time.
    SchedulePost = "schedule_post" of [],
    UpdateScheduledPost = "update_scheduled_post" of ["update_scheduled"],
    CancelScheduledPost = "cancel_scheduled_post" of ["cancel_scheduled"],
    LikePost = "like_post" of ["like_post", "toggle_like"],
    UnlikePost = "unlike_post" of ["unlike_post", "unlike_post_by_post"],
    CreateComment = "create_comment" of ["create_comment"],
    UpdateComment = "update_comment" of ["update_comment"],
    DeleteComment = "delete_comment" of ["delete_comment"],
    ReportPost = "report_post" of ["report_post"],
    /// As a moderator.
    DecideReport = "decide_report" of ["decide_report"],
    UploadMedia = "upload_media" of ["create_media", "create_upload"],
    CompleteUpload = "complete_upload" of ["complete_upload"],
    DescribeMedia = "describe_media" of ["describe_media"],
    DeleteMedia = "delete_media" of ["delete_media"],
    CreateGroup = "create_group" of ["create_group"],
    UpdateGroup = "update_group" of ["update_group"],
    DeleteGroup = "delete_group" of ["delete_group"],
    /// Or asked to.
    JoinGroup = "join_group" of ["join_group"],
    LeaveGroup = "leave_group" of ["leave_group"],
    SetRole = "set_role" of ["set_role"],
    RemoveMember = "remove_member" of ["remove_member"],
    ApproveRequest = "approve_request" of ["approve_request"],
    DenyRequest = "deny_request" of ["deny_request"],
    MarkNotificationsRead = "mark_notifications_read" of ["mark_read"],
    /// What has no type of its own yet.
    Other = "other" of [],
}

/// Writes that leave no row, by their operation's id, and why.
pub const UNLOGGED: [(&str, &str); 4] = [
    ("delete_me", "there is nobody any more who could read it"),
    ("delete_me_by_post", "likewise"),
    ("refresh_session", "no act: a client does it every quarter of an hour by itself, for a session that is logged"),
    ("forgot_password", "anybody may ask it for any address, and is answered alike whether somebody has it"),
];

impl ActivityType {
    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.as_str() == name)
    }

    /// What an operation is logged as that was done to this. None for one that leaves no row.
    pub fn logged(operation: &str, target: Option<&Target>) -> Option<Self> {
        if UNLOGGED.iter().any(|(unlogged, _)| *unlogged == operation) {
            return None;
        }
        let waits = target.is_some_and(|target| target.kind == TargetType::ScheduledPost);
        match Self::of(operation) {
            Self::CreatePost if waits => Some(Self::SchedulePost),
            other => Some(other),
        }
    }
}

/// What an act can be done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetType {
    User,
    /// A comment is one, too.
    Post,
    ScheduledPost,
    Media,
    Session,
    Report,
    Group,
}

/// What an act was done to: what it made, or else whom or what it named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Target {
    #[serde(rename = "type")]
    pub kind: TargetType,
    #[schema(example = "pst_01K9ZP2D7V3T8Q6M5N4C1B0A9Z.01K9ZNXE5R2W8J6H4G3F1D0C7B")]
    pub id: String,
}

impl Target {
    /// What has this id. None for what is none of ours.
    pub fn of(id: &str) -> Option<Self> {
        let kind = match id.get(..4)? {
            UserId::PREFIX => id.parse::<UserId>().ok().map(|_| TargetType::User),
            "pst_" => id.parse::<PostId>().ok().map(|_| TargetType::Post),
            ScheduledId::PREFIX => id.parse::<ScheduledId>().ok().map(|_| TargetType::ScheduledPost),
            "med_" => id.parse::<MediaId>().ok().map(|_| TargetType::Media),
            SessionId::PREFIX => id.parse::<SessionId>().ok().map(|_| TargetType::Session),
            ReportId::PREFIX => id.parse::<ReportId>().ok().map(|_| TargetType::Report),
            "grp_" => parse_ulid(id.get(4..)?).ok().map(|_| TargetType::Group),
            _ => None,
        };
        kind.map(|kind| Self { kind, id: id.to_owned() })
    }

    /// What the last part of a path names that is an id.
    pub fn in_path(path: &str) -> Option<Self> {
        path.rsplit('/').find_map(Self::of)
    }

    /// The id of the log's row of what made this: the same for a repeat that is answered again, which adds no other.
    pub fn made_by(&self) -> Option<ActivityId> {
        let made = parse_ulid(self.id.get(4..30)?).ok()?;
        let hash = sha256(&[b"activity", self.id.as_bytes()]);
        let random = hash.iter().take(10).fold(0, |number, byte| (number << 8) | u128::from(*byte));
        Some(ActivityId::from_ulid(Ulid::from_parts(made.timestamp_ms(), random)))
    }
}

/// Where a sign-in came from, as far as the log keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub address: Option<String>,
    pub user_agent: Option<String>,
}

/// The network of an address: the first 24 bits of an IPv4 one, the first 48 of an IPv6 one. That tells one's own sign-in
/// from a stranger's, and not which of the devices there it was; it is what Google Analytics kept of addresses ("IP masking"),
/// and what a site gets at least of IPv6 (RFC 6177, 2: /48 or /56).
pub fn network(ip: &str) -> Option<String> {
    match ip.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            Some(format!("{a}.{b}.{c}.0/24"))
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            Some(format!("{}/48", std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)))
        }
    }
}

/// One row of somebody's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    pub id: ActivityId,
    #[serde(rename = "type")]
    pub kind: ActivityType,
    /// The id of what it was done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Of sign-ins: see [`network`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Of sign-ins: what signed in, as it called itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    pub ttl: u64,
}

impl Activity {
    /// A row that is kept for so long from the moment of its id on.
    pub fn new(id: ActivityId, kind: ActivityType, target: Option<Target>, origin: Origin, kept: Duration) -> Self {
        let ttl = (id.created_at() + kept).seconds();
        let Origin { address, user_agent: agent } = origin;
        Self { id, kind, target: target.map(|target| target.id), address, agent, ttl }
    }

    /// A sign-in that failed at this moment.
    pub fn failed_sign_in(at: Timestamp, origin: Origin, kept: Duration) -> Self {
        Self::new(ActivityId::new(at), ActivityType::SignInFailed, None, origin, kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_not_one_host() {
        for (ip, expected) in [
            ("192.0.2.17", Some("192.0.2.0/24")),
            ("::ffff:192.0.2.17", Some("192.0.2.0/24")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1::/48")),
            ("::1", Some("::/48")),
            ("", None),
            ("unknown", None),
        ] {
            assert_eq!(network(ip).as_deref(), expected, "{ip}");
        }
    }

    #[test]
    fn each_type_has_one_name() {
        for kind in ActivityType::ALL {
            assert_eq!(serde_json::to_value(kind).ok(), Some(kind.as_str().into()));
            assert_eq!(ActivityType::named(kind.as_str()), Some(*kind));
        }
        assert_eq!(ActivityType::logged("refresh_session", None), None);
        assert_eq!(ActivityType::logged("an operation of tomorrow", None), Some(ActivityType::Other));
    }

    #[test]
    fn a_target_is_what_its_id_says() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let post = PostId::new(now, UserId::new(now));
        let path = format!("/posts/{post}/comments");
        let target = Target::in_path(&path).unwrap();
        assert_eq!((target.kind, target.id.as_str()), (TargetType::Post, post.to_string().as_str()));
        assert_eq!(target.made_by(), target.made_by());
        assert_eq!(target.made_by().map(ActivityId::created_at), Some(now));
        for path in ["/users", "/users/gull/follow", "/posts/pst_1", "/", "/users/jörg"] {
            assert_eq!(Target::in_path(path), None, "{path}");
        }
        let scheduled = Target::of(&ScheduledId::new(now).to_string()).unwrap();
        assert_eq!(ActivityType::logged("create_post", Some(&scheduled)), Some(ActivityType::SchedulePost));
    }
}
