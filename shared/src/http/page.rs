//! Lists: `limit`, `cursor`, and the page that answers.

use crate::App;
use crate::error::{Error, FieldError, Kind, Result};
use crate::models::fields::composed;
use crate::secrets::{Keys, Purpose, base64url, from_base64url};
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::LINK;
use http::request::Parts;
use serde::Serialize;
use std::collections::HashMap;

pub const DEFAULT_LIMIT: usize = 20;
pub const MAX_LIMIT: usize = 100;

/// Where a page starts and how long it is.
#[derive(Clone, Debug)]
pub struct PageQuery {
    pub limit: usize,
    cursor: Option<String>,
    /// Path and query of this request without its cursor, for the link to the next page.
    link: String,
    params: HashMap<String, String>,
}

/// `?limit=` and `?cursor=`, for the documentation.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documentation")]
pub struct PageParams {
    /// How many items: 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20, example = 20)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[param(max_length = 4000)]
    cursor: Option<String>,
}

impl PageQuery {
    /// A first page of the usual length, of a list that is part of another answer.
    pub fn first() -> Self {
        Self { limit: DEFAULT_LIMIT, cursor: None, link: String::new(), params: HashMap::new() }
    }

    /// The sort key that the page starts after. `list` names the list and whose it is: a cursor is good for its own
    /// alone.
    ///
    /// # Errors
    /// 400 for a cursor that is forged, cut or another list's.
    pub fn after(&self, app: &App, list: &str) -> Result<Option<String>> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let position = read(&app.keys()?, list, cursor);
        position.map(Some).ok_or_else(|| Error::new(Kind::InvalidCursor).detail("Start again without a cursor."))
    }

    /// Another parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }

    /// A parameter that is `true` or `false`; absent is false.
    ///
    /// # Errors
    /// 422.
    pub fn flag(&self, name: &str) -> Result<bool> {
        match self.param(name) {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1" | "") => Ok(true),
            Some(_) => Err(Error::invalid(vec![FieldError::new(name, "invalid", "This must be true or false.")])),
        }
    }

    /// The page, with a cursor for what comes after the sort key `next`.
    ///
    /// # Errors
    /// 500 without signing keys.
    pub fn page<T>(&self, app: &App, list: &str, items: Vec<T>, next: Option<&str>) -> Result<Page<T>> {
        let keys = app.keys()?;
        let next_cursor = next.map(|position| write(&keys, list, position)).transpose()?;
        let link = next_cursor.as_ref().map(|cursor| {
            let separator = if self.link.contains('?') { '&' } else { '?' };
            format!("<{}{}{separator}cursor={cursor}>; rel=\"next\"", app.config().public_url, self.link)
        });
        Ok(Page { items, next_cursor, link })
    }
}

impl<S: Sync> FromRequestParts<S> for PageQuery {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let mut params: HashMap<String, String> =
            pairs.map(|(name, value)| (name.into_owned(), composed(&value).into_owned())).collect();
        let cursor = params.remove("cursor").filter(|cursor| !cursor.is_empty());
        let limit = match params.get("limit") {
            None => DEFAULT_LIMIT,
            Some(text) => text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(|| {
                Error::invalid(vec![FieldError::new("limit", "out_of_range", "A whole number from 1 to 100.")])
            })?,
        };
        let mut query = form_urlencoded::Serializer::new(String::new());
        let mut kept: Vec<_> = params.iter().collect();
        kept.sort();
        query.extend_pairs(kept);
        let query = query.finish();
        let path = parts.uri.path();
        let link = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        Ok(Self { limit, cursor, link, params })
    }
}

/// A cursor: the position, sealed, for it may name somebody whom the page does not show.
fn write(keys: &Keys, list: &str, position: &str) -> Result<String> {
    Ok(base64url(&keys.seal(Purpose::Cursor, list, position)?))
}

fn read(keys: &Keys, list: &str, cursor: &str) -> Option<String> {
    keys.unseal(Purpose::Cursor, list, &from_base64url(cursor)?)
}

/// One page of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// For the next page; null at the end.
    #[schema(required = true, nullable = true)]
    pub next_cursor: Option<String>,
    #[serde(skip)]
    link: Option<String>,
}

impl<T> Page<T> {
    /// Maps the items, one for one.
    pub fn map<U>(self, to: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(to).collect(), next_cursor: self.next_cursor, link: self.link }
    }
}

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        let link = self.link.as_deref().and_then(|link| HeaderValue::from_str(link).ok());
        let mut response = super::json(&self);
        if let Some(link) = link {
            response.headers_mut().insert(LINK, link);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::test_keys;

    #[test]
    fn a_cursor_is_good_for_its_list_alone() {
        let keys = test_keys();
        let cursor = write(&keys, "posts of a", "01ABC").unwrap();
        assert_eq!(read(&keys, "posts of a", &cursor).as_deref(), Some("01ABC"));
        assert_eq!(read(&keys, "posts of b", &cursor), None);
        for bad in ["", "AAAA", &cursor[1..], &format!("{cursor}AA"), "no base64!"] {
            assert_eq!(read(&keys, "posts of a", bad), None, "{bad}");
        }
    }
}
