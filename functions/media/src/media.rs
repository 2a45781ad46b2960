//! Reading, describing and deleting what was uploaded.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use futures::future::try_join;
use http::{HeaderValue, Method, StatusCode, Uri, header};
use serde::Deserialize;
use shared::error::{Error, Kind, Result};
use shared::http::etag::{IfMatch, Tagged};
use shared::http::extract::{Json, Path};
use shared::http::rate_limits::Action;
use shared::http::{Bearer, Reader};
use shared::ids::MediaId;
use shared::models::fields::{Fields, FromFields, Patch};
use shared::models::media::{AltText, Media, Status, Use};
use shared::table::Read;
use shared::views::media::{Links, Upload};
use shared::{App, store, views, visibility};
use std::time::Duration;

/// `/media/{id}/…`
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct MediaPath {
    /// The id of a picture or video.
    #[param(value_type = MediaId, example = "med_01K9ZP2D7V3T8Q6M5N4C1B0A9Z.01K9ZNXE5R2W8J6H4G3F1D0C7B")]
    pub(crate) id: MediaId,
}

pub(crate) fn tagged(app: &App, media: Media) -> Result<Tagged<Upload>> {
    Ok(Tagged { version: media.ver, view: Upload::new(media, &Links::new(app)?) })
}

/// Get a picture or video
///
/// One of mine, or of a post or profile that I may see.
#[utoipa::path(
    get, path = "/media/{id}", tag = "media", params(MediaPath), security(("bearer" = [])),
    extensions(("x-public-reading" = json!(true)), ("x-etag" = json!(true))),
    responses((status = 200, description = "The picture or video", body = Upload, example = json!(views::media::example())))
)]
pub(crate) async fn get_media(
    State(app): State<App>,
    reader: Reader,
    Path(MediaPath { id }): Path<MediaPath>,
) -> Result<Tagged<Upload>> {
    let (viewer, media) = try_join(reader.viewer(&app), store::media::get(&app, id)).await?;
    let media = media.ok_or_else(Error::not_found)?;
    if reader.id() != Some(id.owner) {
        let allowed = async {
            match media.used {
                Some(Use::Post(post)) => visibility::ensure_visible_in_place(&app, viewer.as_ref(), post).await,
                _ => visibility::ensure_visible(&app, viewer.as_ref(), [id.owner]).await,
            }
        };
        let (shown, _) = try_join(is_shown(&app, &media), allowed).await?;
        shown.then_some(()).ok_or_else(Error::not_found)?;
    }
    tagged(&app, media)
}

/// Whether others see what it belongs to.
async fn is_shown(app: &App, media: &Media) -> Result<bool> {
    Ok(match media.used {
        Some(Use::Post(post)) => store::posts::get_visible(app, post, Read::Confirmed).await?.is_some(),
        Some(Use::Avatar) => {
            // Strongly, as a post's author: a suspension holds at once.
            store::users::active(app, &[media.id.owner]).await?.is_some()
        }
        Some(Use::Scheduled(_)) | None => false,
    })
}

/// What a picture shows, for those who don't see it; `null` clears.
#[derive(utoipa::ToSchema)]
pub(crate) struct Description {
    #[schema(value_type = Option<String>, example = "Curlews on the mudflats.", max_length = 1000)]
    alt_text: Patch<AltText>,
}

impl FromFields for Description {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { alt_text: fields.patch("alt_text")? })
    }
}

/// Mine, read strongly, to be changed.
async fn own(app: &App, bearer: &Bearer, id: MediaId) -> Result<Media> {
    let (_, media) = try_join(bearer.acting(app, Action::Upload), store::media::get(app, id)).await?;
    media.filter(|_| id.owner == bearer.id()).ok_or_else(Error::not_found)
}

fn meanwhile() -> Error {
    Error::new(Kind::PreconditionFailed).detail("It was changed at the same moment.")
}

/// Describe a picture or video
///
/// The post that it belongs to shows it from the next request on.
#[utoipa::path(
    patch, path = "/media/{id}", tag = "media", params(MediaPath, ("If-Match" = Option<String>, Header, description = "The `ETag` the change was made from")),
    security(("bearer" = [])), request_body = Description, extensions(("x-limit" = json!("upload")), ("x-etag" = json!(true))),
    responses((status = 200, description = "As it is now", body = Upload, example = json!(views::media::example())))
)]
pub(crate) async fn describe_media(
    State(app): State<App>,
    bearer: Bearer,
    Path(MediaPath { id }): Path<MediaPath>,
    if_match: IfMatch,
    Json(body): Json<Description>,
) -> Result<Tagged<Upload>> {
    let media = own(&app, &bearer, id).await?;
    if_match.check(media.ver)?;
    let text = body.alt_text.map(String::from).or(media.alt_text.clone());
    if text == media.alt_text {
        return tagged(&app, media);
    }
    tagged(&app, store::media::describe(&app, &media, text).await?.ok_or_else(meanwhile)?)
}

/// Delete a picture or video
///
/// One of mine that is attached to nothing.
#[utoipa::path(
    delete, path = "/media/{id}", tag = "media", params(MediaPath), security(("bearer" = [])),
    extensions(("x-limit" = json!("upload")), ("x-problems" = json!("in-use"))),
    responses(
        (status = 204, description = "Deleted"),
        (status = 409, description = "It belongs to something, or is being checked", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn delete_media(
    State(app): State<App>,
    bearer: Bearer,
    Path(MediaPath { id }): Path<MediaPath>,
) -> Result<StatusCode> {
    let media = own(&app, &bearer, id).await?;
    let in_use = |detail: &str| Err(Error::new(Kind::InUse).detail(detail));
    if media.used.is_some() {
        return in_use("Delete what it belongs to; it goes with it.");
    }
    if media.status == Status::Processing {
        return in_use("It is being checked; ask again in a moment.");
    }
    match store::media::remove_unattached(&app, id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => in_use("It became part of something at the same moment."),
    }
}

/// What an address of ours says.
#[derive(Deserialize)]
struct Signed {
    name: String,
    expires: u64,
    signature: String,
}

/// How long the bucket takes the address that ours leads to. A player asks there again for each part of a film.
const FILE_ADDRESS: Duration = Duration::from_secs(3_600);
/// How long a client may go there again without asking here: no longer than half of that, so that it still loads.
const REDIRECT: Duration = Duration::from_secs(1_800);

/// Download a file
///
/// Not to be put together by hand: `url`, `avatar_url` and the like are such addresses. Each leads to one in storage,
/// where `Range` asks for a part. It needs no token and is the same for everybody within the hour, so that it loads in
/// an `<img>` or `<video>`, and is over an hour or two after it was told.
#[utoipa::path(
    get, path = "/media/{id}/file", tag = "media", params(MediaPath),
    responses((status = 307, description = "Where it is", headers(("Location" = String, description = "The file in storage"))))
)]
pub(crate) async fn read_file(
    State(app): State<App>,
    Path(MediaPath { id }): Path<MediaPath>,
    method: Method,
    uri: Uri,
) -> Result<Response> {
    let signed: Signed = serde_urlencoded::from_str(uri.query().unwrap_or_default()).map_err(|_| Error::not_found())?;
    let left = views::media::verify(&app, id, &signed.name, signed.expires, &signed.signature)?;
    let address = app.media().sign_file(&method, id, &signed.name, FILE_ADDRESS).await?;
    let mut response = Redirect::temporary(&address).into_response();
    let kept = format!("public, max-age={}", left.min(REDIRECT).as_secs());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::try_from(kept).map_err(Error::internal)?);
    Ok(response)
}
