//! Search.

use axum::extract::State;
use futures::future::{OptionFuture, try_join, try_join3};
use shared::error::{Error, FieldError, Result};
use shared::http::extract::UserRef;
use shared::http::{Page, PageParams, PageQuery, Reader};
use shared::ids::{PostId, UserId};
use shared::models::search::{self, Term};
use shared::models::viewer::Viewer;
use shared::views::media::Links;
use shared::views::post::{PostView, present};
use shared::{App, store, views, visibility};
use std::collections::{BTreeSet, HashMap};

/// What to look for, for the documentation; at least one of these.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documentation")]
pub(crate) struct SearchParams {
    /// Words that all occur, whatever their case, accents, strokes and apostrophes: eight at most, with hashtag and author.
    #[param(example = "low tide", max_length = 500)]
    q: Option<String>,
    /// A hashtag, with or without `#`.
    #[param(example = "mudflats", max_length = 200)]
    hashtag: Option<String>,
    /// A user id, a username or `me`.
    #[param(
        example = "gull",
        max_length = 50,
        pattern = "^(@?[A-Za-z0-9_]{3,20}|me|usr_[0-7][0-9A-HJKMNP-TV-Z]{25})$"
    )]
    author: Option<String>,
}

/// Search posts
///
/// Posts with all of these words, this hashtag and this author, newest first.
///
/// Comments are not searched. A page may come out short, even empty, with a cursor: go on with it.
#[utoipa::path(
    get, path = "/posts/search", tag = "posts", params(SearchParams, PageParams), security(("bearer" = [])),
    extensions(("x-public-reading" = json!(true))),
    responses(
        (status = 200, description = "A page", body = Page<PostView>, example = json!({"items": [views::post::example()], "next_cursor": null})),
        (status = 404, description = "Nobody has the author's name, or one of us blocks the other", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn search_posts(State(app): State<App>, reader: Reader, query: PageQuery) -> Result<Page<PostView>> {
    let (mut wanted, author) = asked(&query)?;
    let author = async { OptionFuture::from(author.map(|user| resolve(&app, user, reader.id()))).await.transpose() };
    let (viewer, author) = try_join(reader.viewer(&app), author).await?;
    visibility::ensure_visible(&app, viewer.as_ref(), author).await?;
    wanted.extend(author.map(Term::author));
    let list = format!("search for {wanted:?}");
    let after = query.after(&app, &list)?;
    let (found, next) = store::search::page(&app, &wanted, query.limit, after.as_deref()).await?;
    let items = hydrate(&app, viewer.as_ref(), &found, &wanted).await?;
    query.page(&app, &list, items, next.as_deref())
}

async fn resolve(app: &App, user: UserRef, me: Option<UserId>) -> Result<UserId> {
    user.resolve(app, me).await
}

/// The terms that are asked for, but for the author, who is to be looked for.
fn asked(query: &PageQuery) -> Result<(BTreeSet<Term>, Option<UserRef>)> {
    let given = |name| query.param(name).map(str::trim).filter(|text| !text.is_empty());
    let refused =
        |field: &str, code: &str, detail: &str| Err(Error::invalid(vec![FieldError::new(field, code, detail)]));
    let mut wanted = given("q").map(search::asked).unwrap_or_default();
    if given("q").is_some() && wanted.is_empty() {
        return refused("q", "no_words", "There is no word in this.");
    }
    if let Some(tag) = given("hashtag") {
        let tag = tag.trim_start_matches(['#', '＃']);
        wanted.insert(Term::hashtag(tag));
    }
    let author = match given("author").map(str::parse) {
        Some(Err(_)) => return refused("author", "invalid", "This is no user."),
        Some(Ok(user)) => Some(user),
        None => None,
    };
    if wanted.is_empty() && author.is_none() {
        return refused("q", "required", "Say what to look for: q, hashtag or author.");
    }
    if wanted.len() + usize::from(author.is_some()) > store::search::MAX_TERMS {
        return refused("q", "too_many", "At most eight words, with hashtag and author.");
    }
    Ok((wanted, author))
}

/// The posts that do have all terms, newest first.
async fn hydrate(
    app: &App,
    viewer: Option<&Viewer>,
    found: &[PostId],
    wanted: &BTreeSet<Term>,
) -> Result<Vec<PostView>> {
    let posts = store::posts::load(app, found, viewer.map(|viewer| viewer.id));
    let likes = async {
        match viewer {
            Some(viewer) => store::likes::among(app, viewer.id, found).await,
            None => Ok(HashMap::new()),
        }
    };
    let cards = store::user_cards::load(app, found.iter().map(|post| post.author));
    let (mut posts, likes, cards) = try_join3(posts, likes, cards).await?;
    posts.retain(|post| store::search::has(post, wanted));
    let visibility = visibility::load(app, viewer, visibility::of_posts(&posts)).await?;
    Ok(present(posts, &cards, viewer, &visibility, &likes, &Links::new(app)?))
}
