//! Posts that wait for their time. `POST /posts` with a `publish_at` makes one.

use crate::edits::PostPatch;
use crate::posts::{meanwhile, mentions, remove_unused, with_files};
use axum::extract::State;
use futures::future::try_join;
use http::StatusCode;
use shared::error::{Error, Kind, Result};
use shared::http::etag::{IfMatch, Tagged};
use shared::http::extract::{Json, Path};
use shared::http::rate_limits::Action;
use shared::http::{Bearer, Page, PageParams, PageQuery};
use shared::ids::{MediaId, ScheduledId};
use shared::models::fields::{Fields, Forms, FromFields};
use shared::models::scheduled::{PublishAt, Scheduled};
use shared::models::viewer::Viewer;
use shared::views::media::Links;
use shared::views::scheduled::{ScheduledView, example};
use shared::visibility;
use shared::{App, store};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};

/// Changes to a post that waits: what it says, as those to a post, and when it is due. What is absent stays.
pub(crate) struct ScheduledPatch {
    post: PostPatch,
    publish_at: Option<PublishAt>,
}

impl FromFields for ScheduledPatch {
    const FORMS: Forms = PostPatch::FORMS;

    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (post, publish_at) = (PostPatch::from_fields(fields), fields.change("publish_at"));
        Some(Self { post: post?, publish_at: publish_at? })
    }
}

impl utoipa::PartialSchema for ScheduledPatch {
    fn schema() -> RefOr<Schema> {
        let RefOr::T(Schema::Object(mut patch)) = PostPatch::schema() else { return PostPatch::schema() };
        let at = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
        patch.properties.insert("publish_at".into(), at.description(Some("RFC 3339, up to a year from now.")).into());
        patch.description = Some("Changes to a post that waits; what is absent stays.".into());
        patch.into()
    }
}

impl utoipa::ToSchema for ScheduledPatch {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        PostPatch::schemas(schemas);
    }
}

/// `/posts/scheduled/{id}`
#[derive(Clone, Copy, Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct ScheduledPath {
    /// A scheduled post's id.
    #[param(value_type = ScheduledId, example = "sch_01K9ZP2D7V3T8Q6M5N4C1B0A9Z")]
    id: ScheduledId,
}

/// List my scheduled posts
///
/// Newest first.
#[utoipa::path(
    get, path = "/posts/scheduled", tag = "posts", params(PageParams), security(("bearer" = [])),
    responses((status = 200, description = "A page", body = Page<ScheduledView>, example = json!({"items": [example()], "next_cursor": null})))
)]
pub(crate) async fn list_scheduled(
    State(app): State<App>,
    bearer: Bearer,
    query: PageQuery,
) -> Result<Page<ScheduledView>> {
    let list = format!("scheduled by {}", bearer.id());
    let after = query.after(&app, &list)?;
    let waiting = store::scheduled::page(&app, bearer.id(), query.limit, after.as_deref());
    let (_, (waiting, next)) = try_join(bearer.viewer(&app), waiting).await?;
    let links = Links::new(&app)?;
    let items = waiting.into_iter().map(|one| ScheduledView::new(one, &links)).collect();
    query.page(&app, &list, items, next.as_deref())
}

/// Get a scheduled post
///
/// One of mine that waits for its time, or was published lately.
#[utoipa::path(
    get, path = "/posts/scheduled/{id}", tag = "posts", params(ScheduledPath), security(("bearer" = [])), extensions(("x-etag" = json!(true))),
    responses((status = 200, description = "The scheduled post", body = ScheduledView, example = json!(example())))
)]
pub(crate) async fn get_scheduled(
    State(app): State<App>,
    bearer: Bearer,
    Path(ScheduledPath { id }): Path<ScheduledPath>,
) -> Result<Tagged<ScheduledView>> {
    let (_, found) = try_join(bearer.viewer(&app), store::scheduled::get(&app, bearer.id(), id)).await?;
    tagged(&app, found.ok_or_else(Error::not_found)?)
}

fn tagged(app: &App, scheduled: Scheduled) -> Result<Tagged<ScheduledView>> {
    // Being published is no edit, but what is known of it is old then.
    Ok(Tagged { version: scheduled.ver, view: ScheduledView::new(scheduled, &Links::new(app)?) })
}

/// The post, for its author to change while it waits.
async fn waiting(app: &App, bearer: &Bearer, id: ScheduledId, if_match: &IfMatch) -> Result<(Viewer, Scheduled)> {
    let found = store::scheduled::get(app, bearer.id(), id);
    let (viewer, found) = try_join(bearer.acting(app, Action::Post), found).await?;
    let found = found.ok_or_else(Error::not_found)?;
    if found.post.is_some() {
        return Err(already_published());
    }
    if_match.check(found.ver)?;
    Ok((viewer, found))
}

fn already_published() -> Error {
    Error::new(Kind::AlreadyPublished).detail("Change or delete the post that it became.")
}

/// Why a change was refused at the last moment.
async fn refused(app: &App, bearer: &Bearer, id: ScheduledId) -> Result<Error> {
    Ok(match store::scheduled::get(app, bearer.id(), id).await? {
        None => Error::not_found(),
        Some(found) if found.post.is_some() => already_published(),
        Some(_) => meanwhile(),
    })
}

/// Update a scheduled post
///
/// Its content, or when it is due.
#[utoipa::path(
    patch, path = "/posts/scheduled/{id}", tag = "posts", params(ScheduledPath, ("If-Match" = Option<String>, Header, description = "The `ETag` the edit was made from")),
    security(("bearer" = [])), request_body(content((ScheduledPatch = "application/json", example = json!({"content": "High tide. #mudflats"})), (ScheduledPatch = "multipart/form-data"))),
    extensions(("x-limit" = json!("post")), ("x-problems" = json!("already-published")), ("x-etag" = json!(true))),
    responses(
        (status = 200, description = "The scheduled post as it is now", body = ScheduledView, example = json!(example())),
        (status = 409, description = "It is out", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn update_scheduled(
    State(app): State<App>,
    bearer: Bearer,
    Path(ScheduledPath { id }): Path<ScheduledPath>,
    if_match: IfMatch,
    Json(body): Json<ScheduledPatch>,
) -> Result<Tagged<ScheduledView>> {
    let at = body.publish_at.map(|at| at.checked(app.now())).transpose();
    let at = at.map_err(|error| Error::invalid(vec![error]))?;
    let named = mentions(&app, body.post.content.set());
    let ((viewer, old), mentions) = try_join(waiting(&app, &bearer, id, &if_match), named).await?;
    let visibility = visibility::load(&app, Some(&viewer), visibility::mentioned(&mentions)).await?;
    let media = body.post.media(&app, bearer.id(), &old.draft.content, &old.draft.media).await?;
    let before = media.len();
    let media = with_files(&app, bearer.id(), media, &body.post.image).await?;
    let uploaded: Vec<MediaId> = media.iter().skip(before).map(|one| one.id).collect();
    let draft = body.post.draft(old.draft.clone(), visibility.visible_mentions(mentions), media);
    let new = Scheduled { draft, at: at.unwrap_or(old.at), ver: old.ver + 1, ..old.clone() };
    if (&new.draft, new.at) == (&old.draft, old.at) {
        return tagged(&app, old);
    }
    let edited = store::scheduled::edit(&app, bearer.id(), &old, &new).await;
    if !matches!(edited, Ok(true)) {
        remove_unused(&app, &uploaded).await?;
    }
    match edited? {
        true => tagged(&app, new),
        false => Err(refused(&app, &bearer, id).await?),
    }
}

/// Cancel a scheduled post
#[utoipa::path(
    delete, path = "/posts/scheduled/{id}", tag = "posts", params(ScheduledPath, ("If-Match" = Option<String>, Header, description = "The `ETag` last seen")),
    security(("bearer" = [])), extensions(("x-limit" = json!("post")), ("x-problems" = json!("already-published"))),
    responses(
        (status = 204, description = "It will not be published"),
        (status = 409, description = "It is out", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn cancel_scheduled(
    State(app): State<App>,
    bearer: Bearer,
    Path(ScheduledPath { id }): Path<ScheduledPath>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    let (_, old) = waiting(&app, &bearer, id, &if_match).await?;
    match store::scheduled::cancel(&app, bearer.id(), &old).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(refused(&app, &bearer, id).await?),
    }
}
