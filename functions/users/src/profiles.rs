//! Profiles: mine and others'.

use crate::{emails, pages, proof};
use axum::extract::State;
use futures::future::{OptionFuture, try_join, try_join4};
use shared::error::{Error, FieldError, Kind, Result};
use shared::http::etag::{IfMatch, Tagged};
use shared::http::extract::{Json, Path, UserPath};
use shared::http::rate_limits::Action;
use shared::http::{Address, Bearer, Page, PageParams, PageQuery, Reader};
use shared::ids::{MediaId, UserId};
use shared::models::fields::{Fields, Forms, FromFields, Patch, Upload};
use shared::models::second_factor::OneTimeCode;
use shared::models::user::{Avatar, Bio, Email, FullName, Interests, Location, Password, Username, Website};
use shared::store::edges::{Edge, with_own};
use shared::store::users::{Changed, NewEmail, ProfileChange, UserPage};
use shared::table::Read;
use shared::views::media::Links;
use shared::views::post::PostView;
use shared::views::user::{Me, ProfileView, Relation};
use shared::{App, store, uploads, views, visibility};

/// Get my account
#[utoipa::path(
    get, path = "/users", tag = "profiles", security(("bearer" = [])), extensions(("x-etag" = json!(true))),
    responses((status = 200, description = "Me", body = Me, example = json!(pages::example_me())))
)]
pub(crate) async fn get_me(State(app): State<App>, bearer: Bearer) -> Result<Tagged<Me>> {
    let page = store::users::page(&app, bearer.id(), Read::Strong);
    let (_, page) = try_join(bearer.viewer(&app), page).await?;
    let page = page.ok_or_else(Error::not_found)?;
    Ok(Tagged { version: page.profile.ver, view: Me::new(page, &Links::new(&app)?) })
}

/// Changes to my profile. What is absent stays; `null` clears.
#[derive(Clone, Default, PartialEq, utoipa::ToSchema)]
pub(crate) struct UpdateMe {
    #[schema(value_type = Option<String>, example = "Lara Gull", max_length = 100)]
    full_name: Patch<FullName>,
    #[schema(value_type = Option<String>, example = "Mostly over water.", max_length = 500)]
    bio: Patch<Bio>,
    #[schema(value_type = Option<String>, example = "Heligoland", max_length = 100)]
    location: Patch<Location>,
    #[schema(value_type = Option<String>, example = "https://gull.example.com", max_length = 200)]
    website: Patch<Website>,
    #[schema(value_type = Option<Vec<String>>, example = json!(["wind", "herring"]), max_items = 20)]
    interests: Patch<Interests>,
    #[schema(value_type = Option<String>, nullable = false, example = "gull", pattern = "^[A-Za-z0-9_]{3,20}$")]
    username: Option<Username>,
    /// Needs `current_password`, and waits as `pending_email` until it is verified. The address from before gets a mail
    /// whose link undoes it for 7 days. One's own address ends what waits.
    #[schema(value_type = Option<String>, nullable = false, example = "gull@example.com")]
    email: Option<Email>,
    /// With `email`.
    #[schema(value_type = Option<String>, nullable = false, example = "tern on the rock")]
    current_password: Option<Password>,
    /// With `email`, while the second factor is on: a code of the authenticator app, or a recovery code.
    #[schema(value_type = Option<String>, example = "287082", max_length = 100)]
    otp: Option<OneTimeCode>,
    /// A picture of mine that is ready and part of nothing yet.
    #[schema(value_type = Option<MediaId>)]
    avatar_media_id: Patch<MediaId>,
    /// In a form alone: the picture itself, up to 4 MiB.
    #[schema(value_type = Option<String>, format = Binary)]
    avatar: Option<Upload>,
}

impl FromFields for UpdateMe {
    const FORMS: Forms = Forms::JsonOrForm;

    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (full_name, bio, location) = (fields.patch("full_name"), fields.patch("bio"), fields.patch("location"));
        let (website, interests) = (fields.patch("website"), fields.patch("interests"));
        let (username, email) = (fields.change("username"), fields.change("email"));
        let current_password = fields.change::<String>("current_password");
        let current_password = match (&email, current_password) {
            (Some(Some(_)), Some(None)) | (_, Some(Some(_))) => proof::presented(fields, "current_password").map(Some),
            (_, other) => other.map(|_| None),
        };
        let otp = fields.optional("otp");
        let (avatar_media_id, avatar) = (fields.patch("avatar_media_id"), fields.file("avatar"));
        if avatar.is_some() && matches!(avatar_media_id, Some(Patch::Set(_) | Patch::Clear)) {
            fields.refuse("avatar", "repeated", "Either the picture or its id.");
        }
        Some(Self {
            avatar_media_id: avatar_media_id?,
            avatar,
            full_name: full_name?,
            bio: bio?,
            location: location?,
            website: website?,
            interests: interests?,
            username: username?,
            email: email?,
            current_password: current_password?,
            otp: otp?,
        })
    }
}

fn texts<T: Into<String>>(patch: Patch<T>) -> Patch<String> {
    patch.map(Into::into)
}

impl UpdateMe {
    /// Whether it says nothing but another address, which leads to a verified one.
    fn is_email_alone(&self) -> bool {
        let rest = Self { email: None, current_password: None, otp: None, ..self.clone() };
        self.email.is_some() && rest == Self::default()
    }

    fn change(self, avatar: Patch<Avatar>, email: Option<NewEmail>) -> ProfileChange {
        let body = self;
        ProfileChange {
            avatar,
            full_name: texts(body.full_name),
            bio: texts(body.bio),
            location: texts(body.location),
            website: texts(body.website),
            interests: body.interests.map(|interests| interests.0),
            username: body.username,
            email,
        }
    }
}

/// Update my profile
///
/// Two renames a day; the name given up last is kept for its old holder for 30 days.
#[utoipa::path(
    patch, path = "/users", tag = "profiles", security(("bearer" = [])), request_body(content((UpdateMe = "application/json"), (UpdateMe = "multipart/form-data"))),
    extensions(("x-limit" = json!(["edit-account", "change-email", "rename", "mail-to-address"])), ("x-etag" = json!(true)), ("x-problems" = json!(["wrong-password", "code-required", "wrong-code"]))),
    params(("If-Match" = Option<String>, Header, description = "The `ETag` the change was made from")),
    responses(
        (status = 200, description = "The account as it is now", body = Me, example = json!(pages::example_me())),
        (status = 403, description = "`current_password` is wrong, or `otp` is missing or wrong", body = shared::http::problem::Problem),
        (status = 409, description = "The username is taken, or the address changed too often", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn update_me(
    State(app): State<App>,
    bearer: Bearer,
    if_match: IfMatch,
    address: Address,
    Json(mut body): Json<UpdateMe>,
) -> Result<Tagged<Me>> {
    let page = store::users::page(&app, bearer.id(), Read::Strong);
    let action = if body.is_email_alone() { Action::ChangeEmail } else { Action::EditAccount };
    let (_, page) = try_join(bearer.acting(&app, action), page).await?;
    let page = page.ok_or_else(Error::not_found)?;
    if_match.check(page.profile.ver)?;
    let email = match (body.email.take(), &body.current_password) {
        (Some(email), Some(password)) => {
            let proof = (password, body.otp.as_ref());
            Some(emails::wanted(&app, &bearer, &address, &page.account, email, proof).await?)
        }
        _ => None,
    };
    let is_rename = body.username.as_ref().is_some_and(|name| store::users::is_rename(&page, name));
    let subject = bearer.id().ulid().to_string();
    if is_rename {
        Action::Rename.check(&app, bearer.notes(), &subject).await?;
    }
    let changed = changed(&app, bearer.id(), &page, body, email).await;
    if is_rename && changed.is_err() {
        Action::Rename.take_back(&app, &subject).await?;
    }
    let page = changed?;
    Ok(Tagged { version: page.profile.ver, view: Me::new(page, &Links::new(&app)?) })
}

async fn changed(app: &App, me: UserId, page: &UserPage, body: UpdateMe, email: Option<NewEmail>) -> Result<UserPage> {
    let avatar = avatar(app, me, &body).await?;
    let uploaded_image = match &avatar {
        Patch::Set(avatar) if body.avatar.is_some() => Some(avatar.id),
        _ => None,
    };
    let changed = store::users::change(app, page, body.change(avatar, email)).await;
    if let (Err(_), Some(id)) = (&changed, uploaded_image) {
        // What came with a request that changed nothing.
        store::media::remove_unattached(app, id).await?;
    }
    match changed {
        Ok(page) => Ok(page),
        Err(Changed::Meanwhile) => {
            Err(Error::new(Kind::PreconditionFailed).detail("It was changed at the same moment."))
        }
        Err(Changed::Error(error)) => Err(error),
    }
}

/// The picture to be, which may have come with the request.
async fn avatar(app: &App, owner: UserId, body: &UpdateMe) -> Result<Patch<Avatar>> {
    let refused = |code, detail: &str| Error::invalid(vec![FieldError::new("avatar_media_id", code, detail)]);
    let media = match (&body.avatar, &body.avatar_media_id) {
        (Some(upload), _) => {
            let received = uploads::receive("avatar", upload.clone()).await?;
            if received.content_type.is_video() {
                return Err(Error::invalid(vec![FieldError::new("avatar", "not_a_picture", "A picture, no video.")]));
            }
            received.keep(app, owner).await?
        }
        (None, Patch::Set(id)) => {
            let found = store::media::get(app, *id).await?.filter(|media| media.id.owner == owner);
            found.ok_or_else(|| refused("not_found", "This is no media of yours."))?
        }
        (None, Patch::Absent) => return Ok(Patch::Absent),
        (None, Patch::Clear) => return Ok(Patch::Clear),
    };
    if media.used.is_some() {
        return Err(refused("in_use", "It belongs to something already."));
    }
    let shown = media.attached().ok_or_else(|| refused("not_ready", "It is not ready."))?;
    if media.content_type.is_video() {
        return Err(refused("not_a_picture", "A picture, no video."));
    }
    Ok(Patch::Set(Avatar::new(shown)))
}

/// Get a user
#[utoipa::path(
    get, path = "/users/{user}", tag = "profiles", params(UserPath), security(("bearer" = [])),
    extensions(("x-public-reading" = json!(true)), ("x-etag" = json!(true))),
    responses((status = 200, description = "The profile", body = ProfileView, example = json!(pages::example_profile())))
)]
pub(crate) async fn get_user(
    State(app): State<App>,
    reader: Reader,
    Path(path): Path<UserPath>,
) -> Result<Tagged<ProfileView>> {
    // A name costs a round of its own, beside which the session is checked.
    let id = path.user.resolve(&app, reader.id()).await?;
    let me = reader.id().filter(|me| *me != id);
    // Strongly: a suspension hides it at once; and once a follow is counted, nothing else puts it into the count.
    let page = store::users::page(&app, id, Read::Strong);
    let edge = |from: Option<UserId>, to: Option<UserId>, read| {
        let ends = from.zip(to);
        let app = &app;
        async move {
            let edge = OptionFuture::from(ends.map(|(from, to)| store::follows::edge(app, from, to, read)));
            edge.await.transpose().map(Option::flatten)
        }
    };
    let (mine, theirs) = (edge(me, Some(id), Read::Strong), edge(me.map(|_| id), me, Read::Eventual));
    let (viewer, page, mine, theirs) = try_join4(reader.viewer(&app), page, mine, theirs).await?;
    let mut page = page.filter(|page| page.profile.is_active()).ok_or_else(Error::not_found)?;
    let visibility = visibility::ensure_visible(&app, viewer.as_ref(), [id]).await?;
    page.followers.n = with_own(page.followers.n, mine);
    let is_active = |edge: Option<Edge>| edge.is_some_and(Edge::is_active);
    let relation = viewer.as_ref().map(|_| Relation {
        following: is_active(mine),
        followed_by: is_active(theirs),
        blocked: false,
        muted: visibility.towards(id).mute,
    });
    Ok(Tagged { version: page.profile.ver, view: ProfileView::new(page, relation, &Links::new(&app)?) })
}

/// List a user's posts
///
/// Newest first.
#[utoipa::path(
    get, path = "/users/{user}/posts", tag = "profiles", params(UserPath, PageParams), security(("bearer" = [])),
    extensions(("x-public-reading" = json!(true))),
    responses((status = 200, description = "A page", body = Page<PostView>, example = json!({"items": [views::post::example()], "next_cursor": null})))
)]
pub(crate) async fn list_user_posts(
    State(app): State<App>,
    reader: Reader,
    Path(path): Path<UserPath>,
    query: PageQuery,
) -> Result<Page<PostView>> {
    let author = path.user.resolve(&app, reader.id()).await?;
    views::posts_by::page(&app, &reader, author, &query).await
}
