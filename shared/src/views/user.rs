//! Accounts as clients see them.

use super::media::Links;
use crate::error::Result;
use crate::ids::UserId;
use crate::models::user::{Email, Profile, Username};
use crate::models::viewer::Viewer;
use crate::store::users::UserPage;
use crate::{App, store, visibility};
use futures::future::try_join;
use serde::Serialize;

/// A user, in lists.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct UserCard {
    pub id: UserId,
    pub username: Username,
    pub full_name: Option<String>,
    pub avatar_url: Option<String>,
}

impl UserCard {
    pub fn new(profile: &Profile, links: &Links) -> Self {
        Self {
            id: profile.id,
            username: profile.username.clone(),
            full_name: profile.full_name.clone(),
            avatar_url: links.avatar(profile.avatar.as_ref()),
        }
    }
}

/// Cards of these people, in their order; who is gone, or whom the viewer can't see, is left out.
pub async fn cards(app: &App, viewer: Option<&Viewer>, people: &[UserId]) -> Result<Vec<UserCard>> {
    linked_cards(app, viewer, people, &Links::new(app)?).await
}

/// User cards of these people, with links made by the caller.
pub async fn linked_cards(
    app: &App,
    viewer: Option<&Viewer>,
    people: &[UserId],
    links: &Links,
) -> Result<Vec<UserCard>> {
    let visibility = visibility::load(app, viewer, people.iter().copied());
    let (known, visibility) = try_join(store::user_cards::load(app, people.iter().copied()), visibility).await?;
    let seen = people.iter().filter(|id| visibility.can_see(**id));
    Ok(seen.filter_map(|id| known.get(id)).map(|profile| UserCard::new(profile, links)).collect())
}

/// My own account.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Me {
    pub id: UserId,
    pub username: Username,
    pub email: Email,
    pub email_verified: bool,
    /// The address that takes the other's place once it is verified.
    pub pending_email: Option<Email>,
    /// Whether signing in asks for a code as well.
    pub otp_enabled: bool,
    /// How many are left; null while the second factor is off.
    pub recovery_codes_left: Option<u64>,
    pub full_name: Option<String>,
    pub bio: Option<String>,
    pub location: Option<String>,
    pub website: Option<String>,
    pub avatar_url: Option<String>,
    pub interests: Vec<String>,
    /// RFC 3339, UTC, with milliseconds.
    #[schema(format = DateTime)]
    pub registered_at: String,
    pub followers_count: u64,
    pub following_count: u64,
    pub posts_count: u64,
}

impl Me {
    pub fn new(UserPage { profile, account, followers }: UserPage, links: &Links) -> Self {
        let Profile { id, username, full_name, bio, location, website, interests, avatar, .. } = profile;
        Self {
            id,
            username,
            email: account.email,
            email_verified: account.verified,
            pending_email: account.pending.map(|pending| pending.email),
            otp_enabled: account.recovery_codes.is_some(),
            recovery_codes_left: account.recovery_codes,
            full_name,
            bio,
            location,
            website,
            avatar_url: links.avatar(avatar.as_ref()),
            interests,
            registered_at: id.created_at().rfc3339(),
            followers_count: followers.n,
            following_count: account.following,
            posts_count: account.posts,
        }
    }
}

/// Somebody's public profile, and how the viewer stands to them.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ProfileView {
    pub id: UserId,
    pub username: Username,
    pub full_name: Option<String>,
    pub bio: Option<String>,
    pub location: Option<String>,
    pub website: Option<String>,
    pub avatar_url: Option<String>,
    pub interests: Vec<String>,
    /// RFC 3339, UTC, with milliseconds.
    #[schema(format = DateTime)]
    pub registered_at: String,
    pub followers_count: u64,
    pub following_count: u64,
    pub posts_count: u64,
    /// Only for a signed-in viewer.
    #[serde(flatten)]
    #[schema(value_type = Relation)]
    pub relation: Option<Relation>,
}

/// How the viewer stands to somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Relation {
    /// I follow them.
    #[schema(required = false)]
    pub following: bool,
    /// They follow me.
    #[schema(required = false)]
    pub followed_by: bool,
    /// Never in a profile that is shown: neither sees the other's.
    #[schema(required = false)]
    pub blocked: bool,
    #[schema(required = false)]
    pub muted: bool,
}

impl ProfileView {
    pub fn new(UserPage { profile, account, followers }: UserPage, relation: Option<Relation>, links: &Links) -> Self {
        let Profile { id, username, full_name, bio, location, website, interests, avatar, .. } = profile;
        Self {
            id,
            username,
            full_name,
            bio,
            location,
            website,
            avatar_url: links.avatar(avatar.as_ref()),
            interests,
            registered_at: id.created_at().rfc3339(),
            followers_count: followers.n,
            following_count: account.following,
            posts_count: account.posts,
            relation,
        }
    }
}
