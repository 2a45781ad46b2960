//! `Idempotency-Key`: the same key and body give the same answer for 24 hours and create once.
//!
//! The answer is kept by the very transaction that creates, so there is no moment at which one is there without the
//! other. Of two at once, one transaction loses and then answers what the other kept; 409 is left for the case that
//! the winner can't be seen yet. An error is not kept. The key is per user; without one, per key and body.
//!
//! Of key and body the table has HMACs alone, for what a body says may be guessed. After the signing keys were replaced,
//! what the previous one kept is found too.

use super::body::Body;
use crate::App;
use crate::error::{Error, FieldError, Kind, Result};
use crate::ids::UserId;
use crate::models::fields::FromFields;
use crate::secrets::{Keys, Purpose, base64url, sha256};
use crate::store::creation::CreateError;
use crate::store::idempotency::{self, StoredResponse};
use crate::table::{Op, Read};
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use futures::future::try_join_all;
use http::{HeaderName, HeaderValue, StatusCode, header};
use std::time::Duration;

/// A body that may come with a key.
pub struct Idempotent<T> {
    pub body: T,
    /// Empty without a key of the client's; else under each signing key, the current one first.
    keyed: Vec<Keyed>,
}

/// HMACs under one of the signing keys.
struct Keyed {
    /// Of key and route.
    hash: String,
    body: String,
}

impl Keyed {
    /// Under each of the keys, the current one first.
    fn under_each(keys: &Keys, route: &[&[u8]], body: &[u8]) -> Vec<Self> {
        let macs = |parts: &[&[u8]]| keys.macs(Purpose::Idempotency, parts);
        let both = macs(route).into_iter().zip(macs(&[body]));
        both.map(|(hash, body)| Self { hash: base64url(&hash), body: base64url(&body) }).collect()
    }
}

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

impl<T: FromFields> FromRequest<App> for Idempotent<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let received = Body::receive(&parts.headers, body, T::FORMS).await?;
        let sent = parts.headers.get(KEY).map(|key| (key.as_bytes(), received.digest(T::SECRETS)));
        let body = received.read()?;
        let keyed = match sent {
            None => Vec::new(),
            Some((key, digest)) if (1..=255).contains(&key.len()) => {
                let route = [parts.method.as_str().as_bytes(), parts.uri.path().as_bytes(), key];
                Keyed::under_each(&app.keys()?, &route, &digest)
            }
            Some(_) => {
                let error = FieldError::new("Idempotency-Key", "invalid", "1 to 255 characters.");
                return Err(Error::invalid(vec![error]));
            }
        };
        Ok(Self { body, keyed })
    }
}

impl<T> Idempotent<T> {
    /// Replays the response stored for this key, if it was used before.
    ///
    /// # Errors
    /// 422 when it was used with another body.
    pub async fn replay(&self, app: &App, user: Option<UserId>) -> Result<Option<Response>> {
        self.find(app, user, Read::Eventual).await
    }

    async fn find(&self, app: &App, user: Option<UserId>, read: Read) -> Result<Option<Response>> {
        let find = |keyed: &Keyed| {
            let scope = keyed.scope(user);
            async move { idempotency::find(app, user, &scope, read).await }
        };
        let found = try_join_all(self.keyed.iter().map(find)).await?;
        let stored = self.keyed.iter().zip(found).find_map(|(keyed, stored)| Some((keyed, stored?)));
        stored.map(|(keyed, stored)| keyed.answer(stored)).transpose()
    }

    /// The operation that stores the response: the creating transaction's **first** one.
    ///
    /// # Errors
    /// 500 when the answer can't be kept.
    pub fn store(&self, app: &App, user: Option<UserId>, answer: &Created) -> Result<Option<Op>> {
        let Some(keyed) = self.keyed.first() else { return Ok(None) };
        let stored =
            StoredResponse { body: keyed.body.clone(), answer: answer.body.clone(), location: answer.location.clone() };
        idempotency::store(app, user, &keyed.scope(user), stored).map(Some)
    }

    /// Replays the response of the concurrent request that won.
    ///
    /// # Errors
    /// 409 while that can't be seen; 422 when it had another body.
    pub async fn replay_winner(&self, app: &App, user: Option<UserId>) -> Result<Response> {
        self.find(app, user, Read::Strong).await?.ok_or_else(|| {
            Error::new(Kind::InFlight).detail("Ask again in a second.").retry_after(Duration::from_secs(1))
        })
    }

    /// 201, or what the first request with this key was answered.
    ///
    /// # Errors
    /// What kept it from being made; those of [`Self::replay_winner`].
    pub async fn answer(&self, app: &App, user: UserId, made: Result<Created, CreateError>) -> Result<Response> {
        match made {
            Ok(created) => Ok(created.into_response()),
            Err(CreateError::IdempotencyKeyUsed) => self.replay_winner(app, Some(user)).await,
            Err(CreateError::Error(error)) => Err(error),
        }
    }
}

impl Keyed {
    fn scope(&self, user: Option<UserId>) -> String {
        match user {
            Some(_) => self.hash.clone(),
            None => base64url(&sha256(&[self.hash.as_bytes(), self.body.as_bytes()])),
        }
    }

    fn answer(&self, stored: StoredResponse) -> Result<Response> {
        if stored.body != self.body {
            return Err(Error::new(Kind::IdempotencyKeyReused).detail("Use a new key for a new request."));
        }
        let mut response = Created { body: stored.answer, location: stored.location }.into_response();
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        Ok(response)
    }
}

/// 201 with the new resource and where it is.
#[derive(Clone, Debug)]
pub struct Created {
    body: String,
    location: String,
}

impl Created {
    /// # Errors
    /// 500 when the view can't be written.
    pub fn new(location: impl Into<String>, view: &impl serde::Serialize) -> Result<Self> {
        Ok(Self { body: serde_json::to_string(view).map_err(Error::internal)?, location: location.into() })
    }
}

impl IntoResponse for Created {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, self.body).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(location) = HeaderValue::from_str(&self.location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}
