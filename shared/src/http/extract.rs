//! Extractors whose refusals are problems.

use super::body::Body;
use crate::App;
use crate::error::{Error, FieldError, Result};
use crate::ids::{GroupId, PostId, UserId};
use crate::models::fields::FromFields;
use crate::models::user::Username;
use crate::store;
use crate::table::Read;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use http::request::Parts;
use serde::de::DeserializeOwned;

/// A body, read field by field, with every bad field told at once.
pub struct Json<T>(pub T);

impl<T: FromFields, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let body = Body::receive(&parts.headers, body, T::FORMS).await?;
        body.read().map(Self)
    }
}

impl<T: FromFields, S: Send + Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = Error;

    /// None without a body.
    async fn from_request(request: Request, _: &S) -> Result<Option<Self>> {
        let (parts, body) = request.into_parts();
        let body = Body::receive(&parts.headers, body, T::FORMS).await?;
        if body.is_empty() { Ok(None) } else { body.read().map(|read| Some(Self(read))) }
    }
}

/// Parameters of the query string.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let pairs = serde_urlencoded::Deserializer::new(form_pairs(parts.uri.query().unwrap_or_default()));
        serde_path_to_error::deserialize(pairs).map(Self).map_err(|error| {
            // What concerns no single value, such as one given twice, has no path.
            let field = Some(error.path().to_string()).filter(|path| path != ".");
            let field = field.unwrap_or_else(|| "query".into());
            Error::invalid(vec![FieldError::new(field, "invalid", error.inner().to_string())])
        })
    }
}

fn form_pairs(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

/// Parameters of the path. One that nothing could be named by is answered like one that names nothing: 404.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    #[expect(clippy::disallowed_types, reason = "this is the wrapper")]
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(path)| Self(path)).map_err(|_| Error::not_found())
    }
}

/// `{user}` in a path: an id, a username whatever its case and with or without `@`, or `me`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserRef {
    Me,
    Id(UserId),
    Name(Username),
}

impl<'de> serde::Deserialize<'de> for UserRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "me" {
            return Ok(Self::Me);
        }
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        let name = Username::from_path(&text).ok_or_else(|| serde::de::Error::custom("no user"))?;
        Ok(Self::Name(name))
    }
}

impl UserRef {
    /// The user it names, to be looked up; `me` is the viewer.
    ///
    /// # Errors
    /// 404 for a name that nobody has, 401 for `me` without signing in.
    pub async fn resolve(&self, app: &App, me: Option<UserId>) -> Result<UserId> {
        match self {
            Self::Me => me.ok_or_else(|| Error::unauthorized("Sign in to be `me`.")),
            Self::Id(id) => Ok(*id),
            Self::Name(name) => store::users::by_name(app, name, Read::Confirmed).await?.ok_or_else(Error::not_found),
        }
    }
}

impl std::str::FromStr for UserRef {
    type Err = serde::de::value::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde::Deserialize::deserialize(serde::de::IntoDeserializer::into_deserializer(text))
    }
}

/// `/…/{user}/…`
#[derive(Clone, Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct UserPath {
    /// A user id, a username (whatever its case, with or without `@`), or `me`.
    #[param(value_type = String, pattern = "^(@?[A-Za-z0-9_]{3,20}|me|usr_[0-7][0-9A-HJKMNP-TV-Z]{25})$", example = "gull")]
    pub user: UserRef,
}

/// `/posts/{id}/…`
#[derive(Clone, Copy, Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct PostPath {
    /// A post's id.
    #[param(value_type = PostId, example = "pst_01K9ZP2D7V3T8Q6M5N4C1B0A9Z.01K9ZNXE5R2W8J6H4G3F1D0C7B")]
    pub id: PostId,
}

/// `/groups/{id}/…`
#[derive(Clone, Copy, Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct GroupPath {
    /// A group's id.
    #[param(value_type = GroupId, example = "grp_01K9ZQ7A4M2T8Q6M5N4C1B0A9Z")]
    pub id: GroupId,
}
