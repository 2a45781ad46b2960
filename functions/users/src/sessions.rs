//! Signing in and out.

use crate::pages;
use crate::proof::{self, Code, CurrentPassword};
use axum::extract::State;
use futures::future::{join, try_join};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use shared::error::{Error, FieldError, Kind, Result};
use shared::http::extract::{Json, Path};
use shared::http::rate_limits::Action;
use shared::http::{Address, Bearer, Notes, View};
use shared::ids::{SessionId, UserId};
use shared::models::activity::Activity;
use shared::models::fields::{FieldValue, Fields, FromFields};
use shared::models::second_factor::OneTimeCode;
use shared::models::session::{RefreshToken, Session};
use shared::models::user::{Account, Email, Password, Username};
use shared::secrets::{ACCESS_TOKEN_LIFETIME, password};
use shared::store::sessions::{Attempt, SignIn};
use shared::table::Read;
use shared::views::media::Links;
use shared::views::session::SessionView;
use shared::views::user::Me;
use shared::{App, store};

/// A sign-in: a username or an address, and the password.
#[derive(utoipa::ToSchema)]
pub(crate) struct Login {
    #[schema(value_type = Option<String>, example = "gull")]
    username: Option<String>,
    /// In place of the username.
    #[schema(value_type = Option<String>)]
    email: Option<String>,
    #[schema(value_type = String, example = "tern on the rock")]
    password: Password,
    /// While the account has a second factor: a code of the authenticator app, or a recovery code.
    #[schema(value_type = Option<String>, example = "287082", max_length = 100)]
    otp: Option<OneTimeCode>,
}

impl FromFields for Login {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (username, email) = (fields.optional::<String>("username"), fields.optional::<String>("email"));
        let (password, otp) = (proof::presented(fields, "password"), fields.optional("otp"));
        if username == Some(None) && email == Some(None) {
            fields.refuse("username", "required", "Send a username or an email.");
        }
        Some(Self { username: username?, email: email?, password: password?, otp: otp? })
    }
}

impl Login {
    /// The user that a name belongs to; None for an impossible name.
    async fn holder(&self, app: &App) -> Result<Option<UserId>> {
        let name = self.name();
        let parsed = json!(name);
        match (self.username.is_some() && !name.contains('@')).then(|| Username::from_path(name)) {
            Some(Some(name)) => store::users::by_name(app, &name, Read::Strong).await,
            Some(None) => Ok(None),
            None => match Email::parse(&parsed) {
                Ok(email) => store::users::by_email(app, &email).await,
                Err(_) => Ok(None),
            },
        }
    }

    /// As typed, without the `@` that may stand before a username.
    fn name(&self) -> &str {
        let username = self.username.as_deref().map(|name| name.strip_prefix('@').unwrap_or(name));
        username.or(self.email.as_deref()).unwrap_or_default()
    }
}

/// The tokens of a session.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Tokens {
    /// For `Authorization: Bearer …`.
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds.
    #[schema(example = 900)]
    expires_in: u64,
    /// For `POST /users/refresh`, once.
    refresh_token: String,
}

/// The tokens of a new session, and whose it is.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct SignedIn {
    #[serde(flatten)]
    tokens: Tokens,
    user: Me,
}

fn tokens(app: &App, user: UserId, session: SessionId, refresh_token: String) -> Result<Tokens> {
    let now = app.now();
    let until = (now + ACCESS_TOKEN_LIFETIME).min(session.created_at() + app.config().session_life);
    let access_token = app.keys()?.access_token(&app.config().issuer, (user, session), now, until)?;
    let expires_in = until.seconds().saturating_sub(now.seconds());
    Ok(Tokens { access_token, token_type: "Bearer", expires_in, refresh_token })
}

/// Sign in
///
/// A wrong name and a wrong password get the same answer in the same time. While the account has a second factor, 401
/// `second-factor-required` asks for all again with a code beside it, in `otp`. After too many failures: 429.
#[utoipa::path(
    post, path = "/users/login", tag = "accounts", request_body = Login,
    extensions(("x-limit" = json!("sign-in")), ("x-problems" = json!(["invalid-credentials", "second-factor-required", "wrong-second-factor", "account-suspended"]))),
    responses(
        (status = 200, description = "Signed in", body = SignedIn, example = json!(pages::example_signed_in())),
        (status = 401, description = "Wrong name or password, or a code is missing or wrong", body = shared::http::problem::Problem),
        (status = 403, description = "The password is right, but the account is suspended", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn login(State(app): State<App>, address: Address, Json(body): Json<Login>) -> Result<View<SignedIn>> {
    let ((), holder) = try_join(address.check(&app, Action::SignIn), body.holder(&app)).await?;
    // For a name that nobody has, all that follows happens to nobody, at the same cost.
    let id = match holder {
        Some(id) => id,
        None => store::sessions::dummy_user(&app, &body.name().to_lowercase())?,
    };
    let (found, page) =
        try_join(store::sessions::credentials(&app, id), store::users::page(&app, id, Read::Strong)).await?;
    let attempt = store::sessions::attempt(&app, id, &found, &address.names(&app)?).await?;
    let right = password::verify(body.password.as_str(), found.hash()).await?;
    let is_somebody = page.is_some();
    let Some(mut page) = page.filter(|_| right) else {
        failed(&app, id, is_somebody, &address).await;
        return Err(Error::new(Kind::InvalidCredentials).detail("The name or the password is wrong."));
    };
    let attempt = second_factor(&app, &found, &mut page.account, &address, (attempt, &body.otp)).await?;
    let (started, ()) = join(start_session(&app, &found, &address, &body), attempt.take_back(&app)).await;
    let (session, refresh) = started?;
    address.signed_in(id, session.id);
    let tokens = tokens(&app, id, session.id, refresh)?;
    Ok(View(SignedIn { tokens, user: Me::new(page, &Links::new(&app)?) }))
}

/// Uses a code up, where the account has a second factor.
async fn second_factor(
    app: &App,
    found: &SignIn,
    account: &mut Account,
    address: &Address,
    (attempt, code): (Attempt, &Option<OneTimeCode>),
) -> Result<Attempt> {
    match proof::second_factor(app, address, found, account, (attempt, code.as_ref())).await? {
        Code::Right(attempt) => {
            if let Some(OneTimeCode::Recovery(_)) = code {
                // As it is now that one was used.
                account.recovery_codes = account.recovery_codes.map(|left| left.saturating_sub(1));
            }
            Ok(attempt)
        }
        Code::Missing => Err(Error::new(Kind::SecondFactorRequired).detail("Send a code as well, as `otp`.")),
        Code::Wrong => {
            failed(app, account.id, true, address).await;
            let detail = "This code is wrong, was used before, or is over.";
            Err(Error::new(Kind::WrongSecondFactor).detail(detail))
        }
    }
}

/// Logs a failed sign-in for the account's owner. With a name that nobody has it leaves nothing in a log, at the same cost.
async fn failed(app: &App, id: UserId, is_somebody: bool, address: &Address) {
    let row = Activity::failed_sign_in(app.now(), address.origin(), app.config().activity_kept);
    if is_somebody {
        store::activity::add(app, id, &row).await;
    } else {
        store::activity::add_to_dummy(app, id, &row).await;
    }
}

/// Starts the session, and keeps what is worth knowing next time.
async fn start_session(app: &App, found: &SignIn, address: &Address, body: &Login) -> Result<(Session, String)> {
    let rehashed = match found.hash().is_some_and(password::is_outdated) {
        true => Some(password::hash(body.password.as_str()).await?),
        false => None,
    };
    let started = store::sessions::start(app, found, &address.user_agent, &address.names(app)?, rehashed).await;
    if let (Err(refused), Some(kept)) = (&started, &found.credentials)
        && refused.kind() == Kind::AccountSuspended
    {
        let row = Activity::failed_sign_in(app.now(), address.origin(), app.config().activity_kept);
        store::activity::add(app, kept.id, &row).await;
    }
    started?.ok_or_else(|| Error::unavailable("the password was changed at the same moment"))
}

/// A refresh token.
#[derive(utoipa::ToSchema)]
pub(crate) struct RefreshBody {
    #[schema(example = "AZqZp2D7V3T8Q6M5N4C1B0A9Z…")]
    refresh_token: String,
}

impl FromFields for RefreshBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        // What the common stacks for Django call it.
        fields.also_named("refresh_token", "refresh");
        Some(Self { refresh_token: fields.required("refresh_token")? })
    }
}

impl RefreshBody {
    fn read(&self, app: &App) -> Result<RefreshToken> {
        let token = RefreshToken::read(&app.keys()?, &self.refresh_token);
        token.ok_or_else(|| Error::unauthorized("This is no refresh token of ours. Sign in again."))
    }
}

/// Refresh a session's tokens
///
/// The token just replaced gives the same successor again within 30 seconds, as often as asked, while that one is unused;
/// any other replay ends the whole session. So do 30 days in which nobody refreshes it, and 90 days since its sign-in
/// (`SessionDays`) in any case.
#[utoipa::path(
    post, path = "/users/refresh", tag = "accounts", request_body = RefreshBody,
    extensions(("x-limit" = json!("refresh")), ("x-problems" = json!("unauthorized"))),
    responses(
        (status = 200, description = "A new pair", body = Tokens, example = json!(pages::example_tokens())),
        (status = 401, description = "Used before, forged, or the session has ended", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn refresh_session(
    State(app): State<App>,
    notes: Notes,
    Json(body): Json<RefreshBody>,
) -> Result<View<Tokens>> {
    let presented = body.read(&app)?;
    Action::Refresh.check(&app, &notes, &presented.user.ulid().to_string()).await?;
    let successor = store::sessions::refresh(&app, presented, &body.refresh_token).await?;
    Ok(View(tokens(&app, presented.user, presented.session, successor)?))
}

/// What signs out a client that has no access token any more.
#[derive(utoipa::ToSchema)]
pub(crate) struct LogoutBody {
    #[schema(example = "AZqZp2D7V3T8Q6M5N4C1B0A9Z")]
    refresh_token: Option<String>,
}

impl FromFields for LogoutBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        fields.also_named("refresh_token", "refresh");
        Some(Self { refresh_token: fields.optional("refresh_token")? })
    }
}

/// Sign out
///
/// With the access token, or without one with `{refresh_token}`. This session's tokens are refused from the very next
/// request on.
#[utoipa::path(
    post, path = "/users/logout", tag = "accounts", security(("bearer" = []), ()),
    extensions(("x-limit" = json!("end-session")), ("x-problems" = json!("unauthorized"))),
    request_body(content = Option<LogoutBody>, description = "Only without an access token"),
    responses(
        (status = 204, description = "Signed out"),
        (status = 401, description = "No token, or none of ours", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn logout(
    State(app): State<App>,
    notes: Notes,
    bearer: Option<Bearer>,
    body: Option<Json<LogoutBody>>,
) -> Result<StatusCode> {
    let refresh_token = body.and_then(|Json(body)| body.refresh_token);
    let ended = match (bearer, refresh_token) {
        (Some(bearer), _) => {
            notes.set_target(bearer.session());
            ending(&app, &notes, bearer.id()).await?;
            store::sessions::end(&app, bearer.id(), bearer.session()).await?
        }
        (None, None) => return Err(Error::unauthorized("Send an access token or a refresh token.")),
        (None, Some(refresh_token)) => {
            let body = RefreshBody { refresh_token };
            let token = body.read(&app)?;
            notes.set_user(token.user);
            notes.set_target(token.session);
            ending(&app, &notes, token.user).await?;
            store::sessions::end_by_token(&app, token, &body.refresh_token).await?
        }
    };
    if ended { Ok(StatusCode::NO_CONTENT) } else { Err(Error::unauthorized("This session has ended already.")) }
}

/// Counts the end of a session against the rate limit.
async fn ending(app: &App, notes: &Notes, user: UserId) -> Result<()> {
    Action::EndSession.check(app, notes, &user.ulid().to_string()).await
}

/// All sessions.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Sessions {
    items: Vec<SessionView>,
}

/// List my sessions
///
/// Newest first.
#[utoipa::path(
    get, path = "/users/sessions", tag = "accounts", security(("bearer" = [])),
    responses((status = 200, description = "At most ten", body = Sessions, example = json!({"items": [pages::example_session()]})))
)]
pub(crate) async fn list_sessions(State(app): State<App>, bearer: Bearer) -> Result<View<Sessions>> {
    let (sessions, current) = (bearer.viewer(&app).await?.sessions, Some(bearer.session()));
    let longest = app.config().session_life;
    let items = sessions.into_iter().rev().map(|session| SessionView::new(session, current, longest)).collect();
    Ok(View(Sessions { items }))
}

/// `/users/sessions/{id}`
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct SessionPath {
    /// A session's id.
    #[param(value_type = SessionId, example = "ses_01K9ZP2D7V3T8Q6M5N4C1B0A9Z")]
    id: SessionId,
}

/// Revoke a session
///
/// Another one than this asks for the password.
#[utoipa::path(
    delete, path = "/users/sessions/{id}", tag = "accounts", params(SessionPath), security(("bearer" = [])),
    extensions(("x-limit" = json!("end-session")), ("x-problems" = json!("wrong-password"))),
    request_body(content = Option<CurrentPassword>, description = "For another session than this one"),
    responses(
        (status = 204, description = "Ended"),
        (status = 403, description = "The password is wrong", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn end_session(
    State(app): State<App>,
    bearer: Bearer,
    address: Address,
    Path(path): Path<SessionPath>,
    body: Option<Json<CurrentPassword>>,
) -> Result<StatusCode> {
    let viewer = bearer.acting(&app, Action::EndSession).await?;
    if viewer.sessions.iter().all(|one| one.id != path.id) {
        return Err(Error::not_found());
    }
    if path.id != bearer.session() {
        let missing = || Error::invalid(vec![FieldError::new("password", "required", "This is another session.")]);
        let Json(body) = body.ok_or_else(missing)?;
        let found = store::sessions::credentials(&app, viewer.id).await?;
        proof::prove_password(&app, &address, viewer.id, &found, &body.password).await?;
    }
    match store::sessions::end(&app, viewer.id, path.id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Error::not_found()),
    }
}

/// Revoke all sessions
///
/// This one too.
#[utoipa::path(
    delete, path = "/users/sessions", tag = "accounts", security(("bearer" = [])), request_body = CurrentPassword,
    extensions(("x-limit" = json!("end-session")), ("x-problems" = json!("wrong-password"))),
    responses(
        (status = 204, description = "All ended"),
        (status = 403, description = "The password is wrong", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn end_all_sessions(
    State(app): State<App>,
    bearer: Bearer,
    address: Address,
    Json(body): Json<CurrentPassword>,
) -> Result<StatusCode> {
    let found = store::sessions::credentials(&app, bearer.id());
    let (viewer, found) = try_join(bearer.acting(&app, Action::EndSession), found).await?;
    proof::prove_password(&app, &address, viewer.id, &found, &body.password).await?;
    store::sessions::end_all(&app, &viewer.sessions).await?;
    Ok(StatusCode::NO_CONTENT)
}
