//! Editing posts.

use crate::posts::{IMAGES, PictureBytes, meanwhile, mentions, remove_unused, target, with_files};
use axum::extract::State;
use futures::future::{try_join, try_join3};
use shared::error::{Error, FieldError, Result};
use shared::http::Bearer;
use shared::http::etag::{IfMatch, Tagged};
use shared::http::extract::{Json, Path, PostPath};
use shared::ids::{MediaId, PostId, UserId};
use shared::models::fields::{Fields, Forms, FromFields, Patch, Upload};
use shared::models::media::{Attached, MediaIds};
use shared::models::post::{Content, Draft, Mention};
use shared::table::Read;
use shared::views::media::Links;
use shared::views::post::{Own, PostView};
use shared::{App, store, views, visibility};

/// Changes to a post; what is absent stays.
#[derive(utoipa::ToSchema)]
pub(crate) struct PostPatch {
    /// 1 to 2,000 characters (grapheme clusters), at most 8 KiB; `null` clears, where there is media.
    #[schema(value_type = Option<String>, example = "Low tide. #mudflats", max_length = 2000)]
    pub(crate) content: Patch<Content>,
    /// All that is to be attached: what is already, and what is mine, ready, and part of nothing yet; `null` clears.
    #[schema(value_type = Option<std::collections::BTreeSet<MediaId>>, max_items = 4, example = json!(["med_01K9ZP2D7V3T8Q6M5N4C1B0A9Z.01K9ZNXE5R2W8J6H4G3F1D0C7B"]))]
    media_ids: Patch<MediaIds>,
    /// In a form alone: pictures to be added, or a video, 4 MiB in all; each a part of this name, or `images`.
    #[schema(value_type = Option<Vec<PictureBytes>>, max_items = 4)]
    pub(crate) image: Vec<Upload>,
}

impl PostPatch {
    pub(crate) const fn text(content: Content) -> Self {
        Self { content: Patch::Set(content), media_ids: Patch::Absent, image: Vec::new() }
    }

    /// Refuses pictures of a comment.
    fn fits(&self, id: PostId) -> Result<()> {
        let has_media = matches!(self.media_ids, Patch::Set(_)) || !self.image.is_empty();
        if id.parent().is_none() || !has_media {
            return Ok(());
        }
        let field = if self.image.is_empty() { "media_ids" } else { "image" };
        Err(Error::invalid(vec![FieldError::new(field, "not_allowed", "A comment has no pictures.")]))
    }

    /// What is to be attached of what is already and of what is named, but for files that came with the request.
    ///
    /// # Errors
    /// 422 where there would be neither text nor media, or what is named can't be attached.
    pub(crate) async fn media(
        &self,
        app: &App,
        author: UserId,
        content: &str,
        old: &[Attached],
    ) -> Result<Vec<Attached>> {
        let media = match &self.media_ids {
            Patch::Absent => old.to_vec(),
            Patch::Clear => Vec::new(),
            Patch::Set(MediaIds(wanted)) => chosen(app, author, wanted, old).await?,
        };
        let says_nothing = match &self.content {
            Patch::Absent => content.is_empty(),
            Patch::Clear => true,
            Patch::Set(_) => false,
        };
        if says_nothing && media.is_empty() && self.image.is_empty() {
            return Err(Error::invalid(vec![FieldError::new("content", "required", "Text, or media, or both.")]));
        }
        Ok(media)
    }

    /// What it says from then on.
    pub(crate) fn draft(&self, old: Draft, mentions: Vec<Mention>, media: Vec<Attached>) -> Draft {
        match &self.content {
            Patch::Set(content) if content.as_str() != old.content => Draft::new(Some(content), mentions, media),
            Patch::Clear => Draft::new(None, Vec::new(), media),
            _ => Draft { media, ..old },
        }
    }
}

/// Media by their ids: what is attached already, or may be.
async fn chosen(app: &App, author: UserId, wanted: &[MediaId], old: &[Attached]) -> Result<Vec<Attached>> {
    let attached = |id: &MediaId| old.iter().find(|one| one.id == *id).cloned();
    let new: Vec<MediaId> = wanted.iter().copied().filter(|id| attached(id).is_none()).collect();
    let mut new = store::media::attachable(app, author, &new).await?.into_iter();
    let media: Vec<Attached> = wanted.iter().filter_map(|id| attached(id).or_else(|| new.next())).collect();
    if media.len() > 1 && media.iter().any(|one| one.content_type.is_video()) {
        return Err(store::media::too_many());
    }
    Ok(media)
}

impl FromFields for PostPatch {
    const FORMS: Forms = Forms::JsonOrForm;

    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (content, media_ids) = (fields.patch("content"), fields.patch("media_ids"));
        let image = fields.files(&IMAGES);
        Some(Self { content: content?, media_ids: media_ids?, image })
    }
}

/// Edit a post
///
/// What it says and what is attached to it; pictures that are left out of `media_ids` are removed. An edit that changes
/// nothing leaves all as it is, `edited_at` included.
#[utoipa::path(
    patch, path = "/posts/{id}", tag = "posts", params(PostPath, ("If-Match" = Option<String>, Header, description = "The `ETag` the edit was made from")),
    security(("bearer" = [])), request_body(content((PostPatch = "application/json", example = json!({"content": "High tide. #mudflats"})), (PostPatch = "multipart/form-data"))),
    extensions(("x-limit" = json!("post")), ("x-problems" = json!("forbidden")), ("x-etag" = json!(true))),
    responses(
        (status = 200, description = "The post as it is now", body = PostView, example = json!(views::post::example())),
        (status = 403, description = "Somebody else's", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn update_post(
    State(app): State<App>,
    bearer: Bearer,
    Path(PostPath { id }): Path<PostPath>,
    if_match: IfMatch,
    Json(body): Json<PostPatch>,
) -> Result<Tagged<PostView>> {
    let own = store::likes::edge(&app, bearer.id(), id, Read::Strong);
    let allowed = [id.author];
    let target = target(&app, &bearer, id, &if_match, &allowed, false);
    let named = mentions(&app, body.content.set());
    let ((viewer, post), mentions, own) = try_join3(target, named, own).await?;
    let visibility = visibility::ensure_visible(&app, Some(&viewer), visibility::of_post(id)).await?;
    body.fits(id)?;
    let media = body.media(&app, id.author, &post.content, &post.media).await?;
    let before = media.len();
    let media = with_files(&app, bearer.id(), media, &body.image).await?;
    let uploaded: Vec<MediaId> = media.iter().skip(before).map(|one| one.id).collect();
    let visibility = visibility.and(&app, visibility::mentioned(&mentions));
    let (author, visibility) = try_join(store::user_cards::own(&app, id.author), visibility).await?;
    let draft = body.draft(Draft::of(&post), visibility.visible_mentions(mentions), media);
    let edited = match draft == Draft::of(&post) {
        true => post,
        false => {
            let edited = store::posts::edit(&app, &post, draft).await;
            if !matches!(edited, Ok(Some(_))) {
                remove_unused(&app, &uploaded).await?;
            }
            edited?.ok_or_else(meanwhile)?
        }
    };
    let own = Own::new(Some(&viewer), id, own);
    Ok(Tagged { version: edited.ver, view: PostView::new(edited, &author, &visibility, own, &Links::new(&app)?) })
}

/// Edit a post (alias)
///
/// Same as `PATCH /posts/{id}`.
#[utoipa::path(
    put, path = "/posts/{id}", tag = "posts", params(PostPath, ("If-Match" = Option<String>, Header, description = "The `ETag` the edit was made from")),
    security(("bearer" = [])), request_body(content((PostPatch = "application/json", example = json!({"content": "High tide. #mudflats"})), (PostPatch = "multipart/form-data"))),
    extensions(("x-limit" = json!("post")), ("x-problems" = json!("forbidden")), ("x-etag" = json!(true))),
    responses(
        (status = 200, description = "The post as it is now", body = PostView, example = json!(views::post::example())),
        (status = 403, description = "Somebody else's", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn update_post_by_put(
    state: State<App>,
    bearer: Bearer,
    path: Path<PostPath>,
    if_match: IfMatch,
    body: Json<PostPatch>,
) -> Result<Tagged<PostView>> {
    update_post(state, bearer, path, if_match, body).await
}
