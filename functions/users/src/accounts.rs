//! Signing up and verifying the address.

use crate::{emails, pages};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::future::{try_join, try_join3};
use http::StatusCode;
use shared::error::{Error, FieldError, Kind, Result};
use shared::http::extract::{Json, Query};
use shared::http::idempotency::{Created, Idempotent};
use shared::http::rate_limits::Action;
use shared::http::{Address, Bearer, View};
use shared::ids::UserId;
use shared::models::fields::{Fields, FromFields};
use shared::models::session::{MailAction, MailToken, PendingAccount};
use shared::models::user::{Email, FullName, Password, PasswordOwner, Username};
use shared::secrets::password;
use shared::store::users::{CreateAccountError, NewAccount};
use shared::table::Read;
use shared::views::media::Links;
use shared::views::user::Me;
use shared::{App, store};

/// A sign-up.
#[derive(utoipa::ToSchema)]
pub(crate) struct SignUp {
    #[schema(value_type = String, example = "gull@example.com")]
    email: Email,
    /// 8 to 128 characters, any; not among the 100,000 commonest, and holding neither username nor e-mail address, nor what
    /// stands before its `@`, nor the full name.
    #[schema(value_type = String, example = "tern on the rock", min_length = 8, max_length = 128)]
    password: Password,
    /// 3 to 20 of `A-Z a-z 0-9 _`, unique whatever its case. Without one, one is made from the address.
    #[schema(value_type = Option<String>, example = "gull", pattern = "^[A-Za-z0-9_]{3,20}$")]
    username: Option<Username>,
    #[schema(value_type = Option<String>, example = "Lara Gull")]
    full_name: Option<FullName>,
}

impl FromFields for SignUp {
    const SECRETS: &'static [&'static str] = &["password"];

    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (email, password) = (fields.required("email"), fields.required::<Password>("password"));
        let (username, full_name) = (fields.optional("username"), fields.optional::<FullName>("full_name"));
        let owner = PasswordOwner {
            username: username.as_ref().and_then(Option::as_ref),
            email: email.as_ref(),
            full_name: full_name.as_ref().and_then(Option::as_ref).map(FullName::as_str),
        };
        if let Some((code, detail)) = password.as_ref().and_then(|password| password.weakness(owner)) {
            fields.refuse("password", code, &detail);
        }
        Some(Self { email: email?, password: password?, username: username?, full_name: full_name? })
    }
}

/// Sign up
///
/// A verification mail is sent. Where `HideRegisteredEmails` is on, the answer is 202 for any address, and account and
/// profile exist only once verified.
#[utoipa::path(
    post, path = "/users", tag = "accounts", request_body = SignUp, extensions(("x-limit" = json!(["sign-up", "mail-to-address"]))),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body create once")),
    responses(
        (status = 201, description = "The new user", body = Me, headers(("Location" = String)), example = json!(pages::example_me())),
        (status = 202, description = "A mail is on its way (`HideRegisteredEmails`)", body = MailSent, example = json!({"detail": "If this address can be used, a mail is on its way."})),
        (status = 409, description = "Username or email is taken", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn register_user(
    State(app): State<App>,
    address: Address,
    request: Idempotent<SignUp>,
) -> Result<Response> {
    let email = &request.body.email;
    let (limit, mails) = (address.check(&app, Action::SignUp), address.check_mail_to(&app, email));
    let ((), (), replayed) = try_join3(limit, mails, request.replay(&app, None)).await?;
    if let Some(answer) = replayed {
        Action::take_back_mail_to(&app, email).await?;
        return Ok(answer);
    }
    // Not before: a refused request must not cost a hash.
    let hash = password::hash(request.body.password.as_str()).await?;
    let done = match app.config().hide_registered_emails {
        true => sign_up_quietly(&app, &request.body, hash).await,
        false => sign_up(&app, &address, &request, hash).await,
    };
    if done.is_err() {
        Action::take_back_mail_to(&app, email).await?;
    }
    done
}

async fn sign_up(app: &App, address: &Address, request: &Idempotent<SignUp>, hash: String) -> Result<Response> {
    let SignUp { email, username, full_name, .. } = &request.body;
    for attempt in 0.. {
        let id = UserId::new(app.now());
        let (link, mail) = store::mail_tokens::issue(app, id, email, MailAction::VerifyEmail, None)?;
        let new = NewAccount {
            id,
            email: email.clone(),
            verified: false,
            verify_link: Some(link),
            username: username.clone().unwrap_or_else(|| Username::suggested(email, attempt)),
            full_name: full_name.clone().map(String::from),
            password_hash: hash.clone(),
            known_network: Some(address.names(app)?.current().to_owned()),
        };
        let created =
            Created::new(format!("/users/{}", new.id), &Me::new(store::users::preview(&new), &Links::new(app)?))?;
        // Whose answer it is, the key does not say.
        let idempotency_op = request.store(app, None, &created)?.map(|op| op.owned_by(new.id));
        match store::users::create(app, &new, idempotency_op, vec![mail]).await {
            Ok(_) => {
                address.acts_for(new.id);
                return Ok(created.into_response());
            }
            Err(CreateAccountError::IdempotencyKeyUsed) => return request.replay_winner(app, None).await,
            Err(CreateAccountError::UsernameTaken) if username.is_none() && attempt < 5 => {}
            // A name that nobody asked for is nothing to be told of.
            Err(CreateAccountError::Both) if username.is_none() => return Err(CreateAccountError::EmailTaken.into()),
            Err(why) => return Err(why.into()),
        }
    }
    Err(Error::taken("username"))
}

/// Says nothing of who is registered: the same write, mail and answer for any address.
async fn sign_up_quietly(app: &App, body: &SignUp, hash: String) -> Result<Response> {
    let holder = async {
        match &body.username {
            Some(name) => {
                let (holder, held) =
                    try_join(store::users::by_name(app, name, Read::Strong), store::users::is_held(app, name)).await?;
                Ok(held || holder.is_some())
            }
            None => Ok(false),
        }
    };
    let (registered, name_taken) = try_join(store::users::by_email(app, &body.email), holder).await?;
    if name_taken {
        return Err(Error::taken("username"));
    }
    let pending =
        PendingAccount { username: body.username.clone(), full_name: body.full_name.clone().map(String::from), hash };
    let (action, pending) = match registered {
        Some(_) => (MailAction::AlreadyRegistered, None),
        None => (MailAction::VerifyEmail, Some(pending)),
    };
    let user = registered.unwrap_or_else(|| UserId::new(app.now()));
    store::mail_tokens::send(app, user, &body.email, action, pending).await?;
    Ok(mail_sent())
}

/// What is said when a mail was asked for.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(crate) struct MailSent {
    #[schema(example = "If this address can be used, a mail is on its way.")]
    detail: &'static str,
}

pub(crate) fn mail_sent() -> Response {
    let body = View(MailSent { detail: "If this address can be used, a mail is on its way." });
    (StatusCode::ACCEPTED, body).into_response()
}

/// A token out of a mail.
#[derive(utoipa::ToSchema)]
pub(crate) struct TokenBody {
    #[schema(example = "AZqZp2D7V3T8Q6M5N4C1B0A9ZAZqZp2D7V3T8Q6M5N4C1B0A9ZAZqZp2D7V3T8Q6M")]
    pub(crate) token: String,
}

impl FromFields for TokenBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { token: fields.required("token")? })
    }
}

/// A token in a link.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TokenQuery {
    /// The token from the mail.
    #[serde(default)]
    #[param(example = "AZqZp2D7V3T8Q6M5N4C1B0A9Z", max_length = 500)]
    pub(crate) token: String,
}

/// The address is verified.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(crate) struct Verified {
    #[schema(example = true)]
    email_verified: bool,
}

/// Verify an e-mail address
///
/// The token works once, for 24 hours, and until a newer one is sent. An address that waited as `pending_email` takes the
/// other's place.
#[utoipa::path(
    post, path = "/users/verify", tag = "accounts", request_body = TokenBody,
    extensions(("x-limit" = json!("mail-token")), ("x-problems" = json!("invalid-token"))),
    responses((status = 200, description = "Verified", body = Verified, example = json!({"email_verified": true})))
)]
pub(crate) async fn verify_email(
    State(app): State<App>,
    address: Address,
    Json(body): Json<TokenBody>,
) -> Result<View<Verified>> {
    address.check(&app, Action::UseMailToken).await?;
    let token = store::mail_tokens::presented(&app, &body.token, MailAction::VerifyEmail).await?;
    let done = match &token.pending {
        Some(pending) => open_pending(&app, &token, pending).await?,
        None => store::addresses::verify(&app, &token).await?,
    };
    if !done {
        return Err(Error::new(Kind::InvalidToken).detail("Ask for a new mail."));
    }
    address.acts_for(token.user);
    Ok(View(Verified { email_verified: true }))
}

/// Creates the account that waited for its address.
async fn open_pending(app: &App, token: &MailToken, pending: &PendingAccount) -> Result<bool> {
    for attempt in 0..6 {
        // The name asked for, unless somebody took it meanwhile.
        let asked = pending.username.clone().filter(|_| attempt == 0);
        let new = NewAccount {
            id: token.user,
            email: token.email.clone(),
            verified: true,
            username: asked.unwrap_or_else(|| Username::suggested(&token.email, attempt)),
            full_name: pending.full_name.clone(),
            verify_link: None,
            password_hash: pending.hash.clone(),
            known_network: None,
        };
        match store::users::create(app, &new, Some(store::mail_tokens::redeem(token)), Vec::new()).await {
            Ok(_) => return Ok(true),
            Err(CreateAccountError::UsernameTaken) => {}
            Err(CreateAccountError::IdempotencyKeyUsed | CreateAccountError::EmailTaken | CreateAccountError::Both) => {
                return Ok(false);
            }
            Err(CreateAccountError::Other(error)) => return Err(error),
        }
    }
    Ok(false)
}

/// E-mail verification page
///
/// Mail scanners follow links; they press no buttons.
#[utoipa::path(
    get, path = "/users/verify", tag = "accounts", params(TokenQuery),
    responses((status = 200, description = "The page", body = String, content_type = "text/html", example = json!("<!doctype html>…")))
)]
pub(crate) async fn show_verify_page(Query(query): Query<TokenQuery>) -> Response {
    pages::verify(&query.token)
}

/// Resend the verification e-mail
///
/// To the address that is to be, where one waits. The link in the newest mail is the one that counts.
#[utoipa::path(
    post, path = "/users/verify/resend", tag = "accounts", security(("bearer" = [])), extensions(("x-limit" = json!(["resend-verification", "mail-to-address"]))),
    responses((status = 202, description = "A mail is on its way", body = MailSent, example = json!({"detail": "If this address can be used, a mail is on its way."})))
)]
pub(crate) async fn resend_verification(State(app): State<App>, bearer: Bearer) -> Result<Response> {
    let viewer = bearer.acting(&app, Action::ResendVerification).await?;
    let account = store::users::account(&app, viewer.id).await?.ok_or_else(Error::not_found)?;
    let awaited = account.awaited(app.now()).map(|pending| pending.email.clone());
    if account.verified && awaited.is_none() {
        let error = FieldError::new("email", "already_verified", "This address is verified.");
        return Err(Error::invalid(vec![error]));
    }
    let is_taken = match &awaited {
        Some(email) => emails::may_mail(&app, &bearer, &account, email).await?,
        None => Action::check_mail_to(&app, bearer.notes(), &account.email).await.map(|()| false)?,
    };
    store::addresses::resend(&app, &account, is_taken).await?;
    Ok(mail_sent())
}
