//! What apps would otherwise hard-code.

use axum::extract::State;
use formats::{FileType, MAX_PIXELS};
use serde::Serialize;
use shared::http::body::MAX_BODY;
use shared::http::etag::Tagged;
use shared::http::rate_limits::Action;
use shared::http::{DEFAULT_LIMIT, MAX_LIMIT};
use shared::models::group::{Description, GroupName, MAX_GROUPS, MAX_STAFF};
use shared::models::media::{MAX_DIRECT, MAX_IMAGE, MAX_PER_POST, MAX_VIDEO};
use shared::models::post::Content;
use shared::models::scheduled::MAX_WAITING;
use shared::models::session::{MAX_SESSIONS, SESSION_LIFETIME};
use shared::models::socket::{Channel, MAX_SOCKETS, PING_EVERY, SOCKET_IDLE, SOCKET_LIFETIME};
use shared::models::user::{Bio, FullName, Interest, Interests, Location, Password, Username, Website};
use shared::secrets::ACCESS_TOKEN_LIFETIME;
use shared::{App, Config};
use std::collections::BTreeMap;
use std::time::Duration;

/// The rules and limits of this deployment.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ClientConfig {
    features: Features,
    username: UsernameRule,
    password: PasswordRule,
    profile: ProfileSizes,
    post: PostSizes,
    group: GroupSizes,
    media: MediaSizes,
    lists: ListSizes,
    sessions: SessionTimes,
    sockets: Sockets,
    /// The largest JSON body, in bytes.
    max_body_bytes: usize,
    /// By name, as in the `RateLimit` headers; they hold where `features.rate_limits` is on.
    rate_limits: BTreeMap<&'static str, RateLimit>,
}

/// What this deployment has switched on.
#[derive(Clone, Copy, Default, Serialize, utoipa::ToSchema)]
pub(crate) struct Features {
    /// Whether profiles and posts can be read without signing in.
    public_reading: bool,
    /// Whether an account may write only once its address is verified.
    require_verified_email: bool,
    /// Whether sign-up answers 202 for any address.
    hide_registered_emails: bool,
    /// Whether search by address finds accounts that have not chosen.
    findable_by_email: bool,
    rate_limits: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct UsernameRule {
    min_length: usize,
    max_length: usize,
    /// A regular expression. Some names that match are reserved.
    pattern: &'static str,
}

/// Any characters; passwords that are often used are refused.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct PasswordRule {
    min_length: usize,
    max_length: usize,
}

/// The longest texts, in characters; `website` in bytes.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ProfileSizes {
    full_name: usize,
    bio: usize,
    location: usize,
    website: usize,
    /// How many interests.
    interests: usize,
    /// The longest of them.
    interest: usize,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct PostSizes {
    /// As people count: grapheme clusters.
    max_characters: usize,
    max_bytes: usize,
    /// Names and hashtags beyond these stay text.
    max_mentions: usize,
    max_hashtags: usize,
    /// Posts of one account that may wait for their time.
    max_scheduled: u64,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct GroupSizes {
    /// As people count: grapheme clusters.
    name: usize,
    description: usize,
    /// Groups that somebody may be in.
    max_groups: usize,
    /// Owners and moderators of a group.
    max_moderating: usize,
}

/// Bytes, unless it says otherwise.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct MediaSizes {
    content_types: [&'static str; 6],
    /// Pictures of a post; or one video.
    max_per_post: usize,
    /// The largest file that comes through the API; larger ones go straight to storage.
    max_direct: usize,
    max_image: u64,
    max_video: u64,
    /// Of a picture.
    max_megapixels: u64,
    /// What an account may keep in all.
    quota: u64,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ListSizes {
    default_limit: usize,
    max_limit: usize,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct SessionTimes {
    /// How long an access token lives.
    access_token_seconds: u64,
    /// A session that is not used for so long ends.
    idle_seconds: u64,
    /// One that is used ends so long after its sign-in.
    longest_seconds: u64,
    /// Signing in once more ends the oldest.
    max_sessions: usize,
}

/// WebSockets; "Live" in docs/api.md tells how to use them.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Sockets {
    #[schema(example = "wss://sockets.example.com/notifications")]
    notifications_url: String,
    #[schema(example = "wss://sockets.example.com/activity-log")]
    activity_log_url: String,
    /// Open ones of one account; one more closes the oldest.
    max_open: usize,
    /// A socket on which nothing is said for so long closes …
    idle_seconds: u64,
    /// … so a client sends a ping this often.
    ping_seconds: u64,
    /// Every socket closes after so long; a client opens another.
    lifetime_seconds: u64,
}

impl Sockets {
    fn new(base: &str) -> Self {
        let url = |channel: Channel| format!("{base}/{}", channel.as_str());
        Self {
            notifications_url: url(Channel::Notifications),
            activity_log_url: url(Channel::ActivityLog),
            max_open: MAX_SOCKETS,
            idle_seconds: SOCKET_IDLE.as_secs(),
            ping_seconds: PING_EVERY.as_secs(),
            lifetime_seconds: SOCKET_LIFETIME.as_secs(),
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RateLimit {
    limit: u64,
    window_seconds: u64,
}

impl From<&Config> for Features {
    fn from(config: &Config) -> Self {
        Self {
            public_reading: config.public_reading,
            require_verified_email: config.require_verified_email,
            hide_registered_emails: config.hide_registered_emails,
            findable_by_email: config.findable_by_email,
            rate_limits: config.rate_limits,
        }
    }
}

impl ClientConfig {
    fn new(features: Features, quota: u64, sockets: &str, session_life: Duration) -> Self {
        let rate_limits = Action::ALL.into_iter().map(|action| {
            let quota = action.quota();
            (quota.name, RateLimit { limit: quota.limit, window_seconds: quota.window })
        });
        Self {
            features,
            username: UsernameRule { min_length: Username::MIN, max_length: Username::MAX, pattern: Username::PATTERN },
            password: PasswordRule { min_length: Password::MIN, max_length: Password::MAX },
            profile: ProfileSizes {
                full_name: FullName::MAX,
                bio: Bio::MAX,
                location: Location::MAX,
                website: Website::MAX,
                interests: Interests::MAX,
                interest: Interest::MAX,
            },
            post: PostSizes {
                max_characters: Content::MAX,
                max_bytes: Content::MAX_BYTES,
                max_mentions: Content::MAX_MENTIONS,
                max_hashtags: Content::MAX_HASHTAGS,
                max_scheduled: MAX_WAITING,
            },
            group: GroupSizes {
                name: GroupName::MAX,
                description: Description::MAX,
                max_groups: MAX_GROUPS,
                max_moderating: MAX_STAFF,
            },
            media: MediaSizes {
                content_types: FileType::ALL.map(FileType::content_type),
                max_per_post: MAX_PER_POST,
                max_direct: MAX_DIRECT,
                max_image: MAX_IMAGE,
                max_video: MAX_VIDEO,
                max_megapixels: MAX_PIXELS / 1_000_000,
                quota,
            },
            lists: ListSizes { default_limit: DEFAULT_LIMIT, max_limit: MAX_LIMIT },
            sessions: SessionTimes {
                access_token_seconds: ACCESS_TOKEN_LIFETIME.as_secs(),
                idle_seconds: SESSION_LIFETIME.as_secs(),
                longest_seconds: session_life.as_secs(),
                max_sessions: MAX_SESSIONS,
            },
            sockets: Sockets::new(sockets),
            max_body_bytes: MAX_BODY,
            rate_limits: rate_limits.collect(),
        }
    }
}

/// Get the service's configuration
///
/// Limits, sizes and rules that apps would otherwise hard-code.
#[utoipa::path(
    get, path = "/config", tag = "service", extensions(("x-etag" = json!(true))),
    responses((
        status = 200, description = "The rules and limits of this deployment", body = ClientConfig,
        example = json!(ClientConfig::new(Features { findable_by_email: true, rate_limits: true, ..Features::default() }, 2_147_483_648, "wss://sockets.example.com", Duration::from_secs(90 * 24 * 3_600))),
    ))
)]
pub(crate) async fn show_config(State(app): State<App>) -> Tagged<ClientConfig> {
    // Nobody edits it, so there is no version that counts.
    let config = app.config();
    let view = ClientConfig::new(config.into(), config.media_quota, &config.sockets_url, config.session_life);
    Tagged { version: 0, view }
}
