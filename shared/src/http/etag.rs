//! `ETag`, `If-None-Match` and `If-Match` (RFC 9110, 13).
//!
//! A tag is `"<version>-<hash of the representation>"`: `If-None-Match` compares all of it, so a new like is news;
//! `If-Match` compares the version alone, which the owner's edits raise, so a stranger's like is no conflict.

use crate::error::{Error, Kind, Result};
use crate::secrets::{base64url, sha256};
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, header};
use serde::Serialize;

/// A resource with its version.
pub struct Tagged<T> {
    pub version: u64,
    pub view: T,
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = super::json(&self.view);
        let body = serde_json::to_vec(&self.view).unwrap_or_default();
        let tag = format!("\"{}-{}\"", self.version, base64url(&sha256(&[&body])[..12]));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// What the owner last saw, as `If-Match` tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IfMatch(Option<Vec<String>>);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let values: Vec<_> =
            parts.headers.get_all(header::IF_MATCH).iter().filter_map(|value| value.to_str().ok()).collect();
        if values.is_empty() {
            return Ok(Self(None));
        }
        Ok(Self(Some(values.iter().flat_map(|value| value.split(',')).map(|tag| tag.trim().to_owned()).collect())))
    }
}

impl IfMatch {
    /// Whether the change may go on from this version.
    ///
    /// # Errors
    /// 412.
    pub fn check(&self, version: u64) -> Result<()> {
        let Some(tags) = &self.0 else { return Ok(()) };
        let expected = version.to_string();
        let same = |tag: &String| {
            tag == "*" || tag.strip_prefix('"').and_then(|tag| tag.split_once('-')).is_some_and(|(v, _)| v == expected)
        };
        if tags.iter().any(same) {
            return Ok(());
        }
        Err(Error::new(Kind::PreconditionFailed).detail("Read it again and repeat your change."))
    }
}

/// Whether the client has this representation already.
pub(super) fn matches(if_none_match: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(wanted), Ok(tag)) = (if_none_match.to_str(), tag.to_str()) else { return false };
    wanted.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_compares_versions_alone() {
        let sent = |text: &str| IfMatch(Some(text.split(',').map(|tag| tag.trim().to_owned()).collect()));
        assert!(IfMatch(None).check(3).is_ok());
        assert!(sent("\"3-abc\"").check(3).is_ok() && sent("\"2-x\", \"3-y\"").check(3).is_ok());
        assert!(sent("*").check(3).is_ok());
        for bad in ["\"2-abc\"", "3-abc", "W/\"3-abc\"", "\"33-abc\"", ""] {
            assert!(sent(bad).check(3).is_err(), "{bad}");
        }
    }
}
