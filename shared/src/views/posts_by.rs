//! An author's posts: `GET /users/{user}/posts`, and `GET /tweets` for one's own.

use super::media::Links;
use super::post::{PostView, ids, present};
use crate::App;
use crate::error::{Error, Result};
use crate::http::{Page, PageQuery, Reader};
use crate::ids::UserId;
use crate::store;
use crate::table::Read;
use crate::visibility;
use futures::future::{try_join, try_join3};
use std::collections::HashMap;
use std::sync::Arc;

/// A page of an author's posts, newest first; one's own are read strongly.
///
/// # Errors
/// 404 for an author who is not there; 400 for a cursor of another list.
pub async fn page(app: &App, reader: &Reader, author: UserId, query: &PageQuery) -> Result<Page<PostView>> {
    let list = format!("posts of {author}");
    let after = query.after(app, &list)?;
    let read = if reader.id() == Some(author) { Read::Strong } else { Read::Eventual };
    let posts = store::posts::by_author(app, author, query.limit, after.as_deref(), read);
    let (viewer, (posts, next), profile) =
        try_join3(reader.viewer(app), posts, store::users::active(app, &[author])).await?;
    let profile = profile.and_then(|profiles| profiles.into_iter().next()).ok_or_else(Error::not_found)?;
    let visibility = visibility::ensure_visible(app, viewer.as_ref(), [author]).await?;
    let likes = async {
        match &viewer {
            Some(viewer) => store::likes::among(app, viewer.id, &ids(&posts)).await,
            None => Ok(HashMap::new()),
        }
    };
    let (likes, visibility) = try_join(likes, visibility.and(app, visibility::of_posts(&posts))).await?;
    let authors = HashMap::from([(author, Arc::new(profile))]);
    let items = present(posts, &authors, viewer.as_ref(), &visibility, &likes, &Links::new(app)?);
    query.page(app, &list, items, next.as_deref())
}
