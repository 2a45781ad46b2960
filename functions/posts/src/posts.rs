//! Writing and reading posts.

use crate::analytics::ViewEvent;
use axum::extract::State;
use axum::response::Response;
use futures::future::try_join;
use http::StatusCode;
use serde::Serialize;
use shared::clock::Timestamp;
use shared::error::{Error, Kind, Result};
use shared::http::etag::{IfMatch, Tagged};
use shared::http::extract::{Path, PostPath};
use shared::http::idempotency::{Created, Idempotent};
use shared::http::rate_limits::Action;
use shared::http::{Bearer, Page, PageParams, PageQuery, Reader};
use shared::ids::{GroupId, MediaId, PostId, ScheduledId, UserId, new_ulid};
use shared::models::fields::{Fields, Forms, FromFields, Upload};
use shared::models::media::{Attached, MAX_PER_POST, MediaIds};
use shared::models::post::{Content, Draft, Mention, Post};
use shared::models::scheduled::{PublishAt, Scheduled};
use shared::models::user::Profile;
use shared::models::viewer::Viewer;
use shared::store::creation::CreateError;
use shared::table::Read;
use shared::views::media::Links;
use shared::views::post::{Own, PostView};
use shared::views::scheduled::ScheduledView;
use shared::visibility::Visibility;
use shared::{App, store, uploads, views, visibility};

/// A new post: text, or media, or both.
#[derive(utoipa::ToSchema)]
pub(crate) struct NewPost {
    /// 1 to 2,000 characters (grapheme clusters), at most 8 KiB.
    #[schema(value_type = Option<String>, example = "Low tide. #mudflats", max_length = 2000)]
    content: Option<Content>,
    /// Up to four pictures, or one video: mine, ready, and part of nothing yet.
    #[schema(value_type = Option<std::collections::BTreeSet<MediaId>>, max_items = 4, example = json!(["med_01K9ZP2D7V3T8Q6M5N4C1B0A9Z.01K9ZNXE5R2W8J6H4G3F1D0C7B"]))]
    media_ids: MediaIds,
    /// In a form alone: up to four pictures, or one video, 4 MiB in all; each a part of this name, or `images`.
    #[schema(value_type = Option<Vec<PictureBytes>>, max_items = 4)]
    image: Vec<Upload>,
    /// RFC 3339, up to a year from now: the post waits for it.
    #[schema(value_type = Option<String>, format = DateTime)]
    publish_at: Option<PublishAt>,
    /// A group that I am a member of, to share it there alone. Such a post does not wait for a time.
    #[schema(value_type = Option<GroupId>)]
    pub(crate) group_id: Option<GroupId>,
}

/// The bytes of a file.
#[derive(utoipa::ToSchema)]
#[schema(format = Binary)]
pub(crate) struct PictureBytes(#[expect(dead_code, reason = "documentation alone")] String);

/// What clients call the parts of a form that hold pictures.
pub(crate) const IMAGES: [&str; 4] = ["image", "images", "image[]", "images[]"];

/// The text of a comment.
#[derive(utoipa::ToSchema)]
pub(crate) struct PostText {
    /// 1 to 2,000 characters (grapheme clusters), at most 8 KiB.
    #[schema(value_type = String, example = "Low tide. #mudflats", min_length = 1, max_length = 2000)]
    pub(crate) content: Content,
}

/// A post that is out, or one that waits.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(crate) enum MadePost {
    Post(Box<PostView>),
    Scheduled(Box<ScheduledView>),
}

impl FromFields for NewPost {
    const FORMS: Forms = Forms::JsonOrForm;

    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (content, publish_at) = (fields.optional("content"), fields.optional("publish_at"));
        let (media_ids, image) = (fields.optional::<MediaIds>("media_ids"), fields.files(&IMAGES));
        let group_id = fields.optional("group_id");
        if let (Some(Some(_)), Some(Some(_))) = (&group_id, &publish_at) {
            fields.refuse("publish_at", "not_allowed", "What is shared in a group does not wait for a time.");
        }
        let (content, media_ids) = (content?, media_ids?.unwrap_or_default());
        if content.is_none() && media_ids.0.is_empty() && image.is_empty() {
            fields.refuse("content", "required", "Text, or media, or both.");
        }
        Some(Self { content, media_ids, image, publish_at: publish_at?, group_id: group_id? })
    }
}

impl NewPost {
    /// Whether it is to be published at a time of its own.
    pub(crate) const fn waits(&self) -> bool {
        self.publish_at.is_some()
    }
}

impl FromFields for PostText {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { content: fields.required("content")? })
    }
}

/// The existing users that a text names.
pub(crate) async fn mentions(app: &App, content: Option<&Content>) -> Result<Vec<Mention>> {
    let names = content.map(Content::mentioned).unwrap_or_default();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let ids = store::users::by_names(app, &names).await?;
    Ok(names.into_iter().zip(ids).filter_map(|(username, id)| Some(Mention { id: id?, username })).collect())
}

/// Create or schedule a post
///
/// With a `publish_at` it waits: the answer has an id that starts with `sch_`, and the post appears within 90 s of that
/// time, with an id of its own.
#[utoipa::path(
    post, path = "/posts", tag = "posts", security(("bearer" = [])), request_body(content((NewPost = "application/json"), (NewPost = "multipart/form-data"))), extensions(("x-limit" = json!("post")), ("x-problems" = json!(["forbidden"]))),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body create once")),
    responses(
        (status = 201, description = "The post", body = MadePost, headers(("Location" = String)), example = json!(views::post::example())),
        (status = 403, description = "Not a member of the public group that `group_id` names", body = shared::http::problem::Problem),
        (status = 404, description = "There is no group that `group_id` names, or I may not see it", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn create_post(
    State(app): State<App>,
    bearer: Bearer,
    request: Idempotent<NewPost>,
) -> Result<Response> {
    let group = request.body.group_id;
    create(&app, &bearer, &request, group).await
}

/// Creates or schedules a post, in a group or in none.
pub(crate) async fn create(
    app: &App,
    bearer: &Bearer,
    request: &Idempotent<NewPost>,
    group: Option<GroupId>,
) -> Result<Response> {
    let me = Some(bearer.id());
    let NewPost { content, media_ids, .. } = &request.body;
    let (viewer, kept, mentions, media, author, is_active) = futures::try_join!(
        bearer.acting(app, Action::Post),
        request.replay(app, me),
        mentions(app, content.as_ref()),
        attachable(app, bearer.id(), &media_ids.0),
        store::user_cards::own(app, bearer.id()),
        group_is_active(app, group),
    )?;
    if let Some(answer) = kept {
        return Ok(answer);
    }
    if let Some(group) = group {
        may_share(app, &viewer, group, is_active).await?;
    }
    // Not before: an answer that is kept holds when its time has come, too.
    let publish_at = request.body.publish_at.map(|at| at.checked(app.now())).transpose();
    let publish_at = publish_at.map_err(|error| Error::invalid(vec![error]))?;
    let media = media?;
    let before = media.len();
    let media = with_files(app, bearer.id(), media, &request.body.image).await?;
    let uploaded: Vec<MediaId> = media.iter().skip(before).map(|one| one.id).collect();
    let visibility = visibility::load(app, Some(&viewer), visibility::mentioned(&mentions)).await?;
    let draft = Draft::new(content.as_ref(), visibility.visible_mentions(mentions), media);
    let made = match publish_at {
        Some(at) => schedule(app, request, &viewer, draft, at).await,
        None => publish(app, request, &viewer, group, draft, &author).await,
    };
    if made.is_err() {
        remove_unused(app, &uploaded).await?;
    }
    request.answer(app, bearer.id(), made).await
}

/// Whether the group that a post is to be shared in is there.
async fn group_is_active(app: &App, group: Option<GroupId>) -> Result<bool> {
    match group {
        Some(group) => Ok(store::groups::get(app, group, Read::Strong).await?.is_some()),
        None => Ok(true),
    }
}

/// Members alone share something in a group; of a private one others learn nothing.
async fn may_share(app: &App, viewer: &Viewer, group: GroupId, is_active: bool) -> Result<()> {
    let visibility = visibility::ensure_visible(app, Some(viewer), [group]).await?;
    match visibility.role_in(group) {
        _ if !is_active => Err(Error::not_found()),
        None => Err(Error::forbidden("Join the group first: only its members share something there.")),
        Some(_) => Ok(()),
    }
}

/// What may be attached, or why not: an answer that was kept comes before that.
async fn attachable(app: &App, owner: UserId, ids: &[MediaId]) -> Result<Result<Vec<Attached>>> {
    match store::media::attachable(app, owner, ids).await {
        Err(error) if error.is_passing() => Err(error),
        found => Ok(found),
    }
}

/// The files that came with the post, stored, behind what is attached besides.
pub(crate) async fn with_files(
    app: &App,
    owner: UserId,
    mut media: Vec<Attached>,
    files: &[Upload],
) -> Result<Vec<Attached>> {
    let mut received = Vec::new();
    for file in files {
        received.push(uploads::receive("image", file.clone()).await?);
    }
    let types = media.iter().map(|one| one.content_type).chain(received.iter().map(|file| file.content_type));
    let (count, has_video) = types.fold((0, false), |(n, video), of| (n + 1, video || of.is_video()));
    if count > MAX_PER_POST || (has_video && count > 1) {
        return Err(store::media::too_many());
    }
    let before = media.len();
    for file in received {
        match file.keep(app, owner).await {
            Ok(kept) => media.extend(kept.attached()),
            Err(error) => {
                let uploaded: Vec<MediaId> = media.iter().skip(before).map(|one| one.id).collect();
                remove_unused(app, &uploaded).await?;
                return Err(error);
            }
        }
    }
    Ok(media)
}

/// Removes what came with a request that made nothing of it.
pub(crate) async fn remove_unused(app: &App, uploaded: &[MediaId]) -> Result<()> {
    for id in uploaded {
        store::media::remove_unattached(app, *id).await?;
    }
    Ok(())
}

async fn publish(
    app: &App,
    request: &Idempotent<NewPost>,
    viewer: &Viewer,
    group: Option<GroupId>,
    draft: Draft,
    author: &Profile,
) -> Result<Created, CreateError> {
    let post = Post::new(PostId::shared_in(group, new_ulid(app.now()), viewer.id), draft);
    let view = PostView::new(post.clone(), author, &Visibility::default(), Own::default(), &Links::new(app)?);
    let view = MadePost::Post(Box::new(view));
    let created = Created::new(format!("/posts/{}", post.id), &view)?;
    store::posts::create(app, &post, request.store(app, Some(viewer.id), &created)?).await.map(|()| created)
}

async fn schedule(
    app: &App,
    request: &Idempotent<NewPost>,
    viewer: &Viewer,
    draft: Draft,
    at: Timestamp,
) -> Result<Created, CreateError> {
    let me = viewer.id;
    let waiting = Scheduled::new(ScheduledId::new(app.now()), draft, at);
    let view = MadePost::Scheduled(Box::new(ScheduledView::new(waiting.clone(), &Links::new(app)?)));
    let created = Created::new(format!("/posts/scheduled/{}", waiting.id), &view)?;
    store::scheduled::create(app, me, &waiting, request.store(app, Some(me), &created)?).await.map(|()| created)
}

/// Get a post
///
/// Each viewer counts once an hour; the author does not.
#[utoipa::path(
    get, path = "/posts/{id}", tag = "posts", params(PostPath), security(("bearer" = [])),
    extensions(("x-public-reading" = json!(true)), ("x-etag" = json!(true))),
    responses((status = 200, description = "The post", body = PostView, example = json!(views::post::example())))
)]
pub(crate) async fn get_post(
    State(app): State<App>,
    reader: Reader,
    view: ViewEvent,
    Path(PostPath { id }): Path<PostPath>,
) -> Result<Tagged<PostView>> {
    // Strongly for a viewer who may have liked it: once the like is counted, nothing else puts it into the count.
    let shown = async {
        match reader.id() {
            Some(me) => store::posts::get_visible_to(&app, id, me).await,
            None => Ok((store::posts::get_visible(&app, id, Read::Confirmed).await?, None)),
        }
    };
    // What is shared among members alone is viewed by nobody else, which is known later.
    let viewed = async { if id.is_open() { view.record(&app, id, reader.id()).await } else { Ok(()) } };
    let (viewer, (post, own), ()) = futures::try_join!(reader.viewer(&app), shown, viewed)?;
    let (post, author) = post.ok_or_else(Error::not_found)?;
    let visibility = visibility::ensure_visible_in_place(&app, viewer.as_ref(), id).await?;
    if !id.is_open() {
        view.record(&app, id, reader.id()).await?;
    }
    let visibility = visibility.and(&app, visibility::mentioned(&post.mentions)).await?;
    let own = Own::new(viewer.as_ref(), id, own);
    Ok(Tagged { version: post.ver, view: PostView::new(post, &author, &visibility, own, &Links::new(&app)?) })
}

/// The post, read strongly, to be changed by those of its authors who are `allowed` to, or by a moderator of its group.
pub(crate) async fn target(
    app: &App,
    bearer: &Bearer,
    id: PostId,
    if_match: &IfMatch,
    allowed: &[UserId],
    moderated: bool,
) -> Result<(Viewer, Post)> {
    let post = store::posts::get(app, id, Read::Strong);
    let (viewer, post) = try_join(bearer.acting(app, Action::Post), post).await?;
    let post = post.ok_or_else(Error::not_found)?;
    if !allowed.contains(&bearer.id()) {
        let visibility = visibility::ensure_visible_in_place(app, Some(&viewer), id).await?;
        let role = id.group().and_then(|group| visibility.role_in(group)).filter(|role| role.moderates());
        if !moderated || role.is_none() {
            return Err(Error::forbidden(
                "Only its author may change a post, or delete it, or the author of what it is a comment on; or who moderates its group, delete it.",
            ));
        }
    }
    if_match.check(post.ver)?;
    Ok((viewer, post))
}

pub(crate) fn meanwhile() -> Error {
    Error::new(Kind::PreconditionFailed).detail("It was changed at the same moment.")
}

/// Delete a post
///
/// One of mine, a comment below one, or what is shared in a group that I moderate.
#[utoipa::path(
    delete, path = "/posts/{id}", tag = "posts", params(PostPath, ("If-Match" = Option<String>, Header, description = "The `ETag` last seen")),
    security(("bearer" = [])), extensions(("x-limit" = json!("post")), ("x-problems" = json!("forbidden"))),
    responses(
        (status = 204, description = "Deleted"),
        (status = 403, description = "Somebody else's", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn delete_post(
    State(app): State<App>,
    bearer: Bearer,
    Path(PostPath { id }): Path<PostPath>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    let authors = id.authors();
    let (_, post) = target(&app, &bearer, id, &if_match, &authors, true).await?;
    let deleted = match id.parent() {
        None => store::posts::delete(&app, &post).await?,
        Some(_) if !authors.contains(&bearer.id()) => store::comments::remove_as_moderator(&app, id).await?,
        Some(_) => store::comments::remove(&app, &post, bearer.id()).await?,
    };
    match deleted {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(meanwhile()),
    }
}

/// List my posts
///
/// Newest first.
#[utoipa::path(
    get, path = "/tweets", tag = "posts", params(PageParams), security(("bearer" = [])),
    responses((status = 200, description = "A page", body = Page<PostView>, example = json!({"items": [views::post::example()], "next_cursor": null})))
)]
pub(crate) async fn list_my_posts(State(app): State<App>, bearer: Bearer, query: PageQuery) -> Result<Page<PostView>> {
    let me = bearer.id();
    views::posts_by::page(&app, &Reader::from(bearer), me, &query).await
}
