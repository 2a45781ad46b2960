//! Uploading: small files through the API, larger ones straight to storage.

use crate::media::{MediaPath, tagged};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use formats::FileType;
use futures::future::{try_join, try_join3};
use http::StatusCode;
use serde::Serialize;
use shared::error::{Error, FieldError, Result};
use shared::http::extract::Path;
use shared::http::idempotency::{Created, Idempotent};
use shared::http::rate_limits::Action;
use shared::http::{Bearer, View};
use shared::ids::MediaId;
use shared::models::fields::{FILE, Fields, Forms, FromFields};
use shared::models::media::{AltText, MAX_DIRECT, Media, Status, UPLOAD_LIFETIME, max_size};
use shared::store::creation::CreateError;
use shared::views::media::{Links, Upload};
use shared::{App, store, uploads, views};
use std::collections::BTreeMap;

/// A file, by itself or in a form.
#[derive(utoipa::ToSchema)]
pub(crate) struct NewMedia {
    /// A picture or video of up to 4 MiB; also as `image` or `video`.
    #[schema(value_type = FileBytes)]
    file: shared::models::fields::Upload,
    /// What it shows, for those who don't see it.
    #[schema(value_type = Option<String>, example = "Curlews on the mudflats.", max_length = 1000)]
    alt_text: Option<AltText>,
}

/// What clients call the part of a form that holds the file.
const NAMES: [&str; 3] = [FILE, "image", "video"];

/// The bytes of a file.
#[derive(utoipa::ToSchema)]
#[schema(format = Binary)]
pub(crate) struct FileBytes(#[expect(dead_code, reason = "documentation alone")] String);

impl FromFields for NewMedia {
    const FORMS: Forms = Forms::File;

    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (file, alt_text) = (fields.required_file(&NAMES), fields.optional("alt_text"));
        Some(Self { file: file?, alt_text: alt_text? })
    }
}

/// What is to be sent to storage.
#[derive(utoipa::ToSchema)]
pub(crate) struct Declared {
    /// One of `image/png`, `image/jpeg`, `image/gif`, `image/webp`, `video/mp4`, `video/webm`.
    #[schema(value_type = String, example = "video/mp4", pattern = "^(image/(png|jpeg|gif|webp)|video/(mp4|webm))$")]
    content_type: FileType,
    /// Bytes: up to 40 MiB of a picture, 500 MiB of a video.
    #[schema(example = 20_971_520, minimum = 1, maximum = 524_288_000)]
    size: u64,
}

/// Either.
pub(crate) enum NewUpload {
    Declared(Declared),
    File(NewMedia),
}

impl FromFields for NewUpload {
    const FORMS: Forms = Forms::JsonOrFile;

    fn from_fields(fields: &mut Fields) -> Option<Self> {
        if fields.has_file() {
            return NewMedia::from_fields(fields).map(Self::File);
        }
        let (content_type, size) = (fields.required::<FileType>("content_type"), fields.required::<u64>("size"));
        let most = content_type.map_or(u64::MAX, |of| max_size(of.kind()));
        match size {
            Some(0) => fields.refuse("size", "empty", "There must be something to send."),
            Some(size) if size > most => fields.refuse("size", "too_large", &format!("At most {most} bytes.")),
            _ => {}
        }
        Some(Self::Declared(Declared { content_type: content_type?, size: size? }))
    }
}

/// Where the bytes are to be sent.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct UploadAddress {
    #[schema(example = "PUT")]
    method: String,
    url: String,
    /// To be sent as they are; a browser adds `Content-Length` by itself.
    headers: BTreeMap<String, String>,
}

/// An upload to be made. A file that came with the request is `ready`, and has neither `upload` nor `expires_at`.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct PendingUpload {
    #[serde(flatten)]
    media: Upload,
    #[schema(required = false)]
    upload: UploadAddress,
    /// RFC 3339, UTC, with milliseconds: the address takes nothing after that.
    #[schema(format = DateTime, required = false)]
    expires_at: String,
}

/// Upload a file
///
/// A picture or video of up to 4 MiB.
///
/// A picture is served upright and without its metadata, and a JPEG or PNG has smaller forms (`variants`); GIF and WebP
/// keep their frames. A video is served without what it tells beside pictures and sound. What never becomes part of a post
/// or profile is removed after a day.
#[utoipa::path(
    post, path = "/media", tag = "media", security(("bearer" = [])), extensions(("x-limit" = json!("upload"))),
    request_body(content(
        (NewMedia = "multipart/form-data"), (FileBytes = "image/png"), (FileBytes = "image/jpeg"), (FileBytes = "image/gif"),
        (FileBytes = "image/webp"), (FileBytes = "video/mp4"), (FileBytes = "video/webm"),
    )),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body create once")),
    responses((status = 201, description = "The picture or video", body = Upload, headers(("Location" = String)), example = json!(views::media::example())))
)]
pub(crate) async fn create_media(
    State(app): State<App>,
    bearer: Bearer,
    request: Idempotent<NewMedia>,
) -> Result<Response> {
    let me = Some(bearer.id());
    let (_, replayed) = try_join(bearer.acting(&app, Action::Upload), request.replay(&app, me)).await?;
    match replayed {
        Some(answer) => Ok(answer),
        None => store_file(&app, &bearer, &request, &request.body).await,
    }
}

async fn store_file<T: FromFields>(
    app: &App,
    bearer: &Bearer,
    request: &Idempotent<T>,
    body: &NewMedia,
) -> Result<Response> {
    let me = Some(bearer.id());
    let received = uploads::receive(FILE, body.file.clone()).await?;
    let media = received.media(app, bearer.id(), body.alt_text.clone().map(String::from));
    let ready = Media { status: Status::Ready, shape: Some(received.shape()), ..media.clone() };
    let created = Created::new(format!("/media/{}", media.id), &Upload::new(ready, &Links::new(app)?))?;
    let idempotency_op = request.store(app, me, &created)?;
    let made = received.store(app, &media, idempotency_op).await;
    if let Err(CreateError::IdempotencyKeyUsed) = made {
        store::media::remove_unattached(app, media.id).await?;
    }
    request.answer(app, bearer.id(), made.map(|_| created)).await
}

/// Create an upload
///
/// For something larger, which goes straight to storage.
///
/// Send the bytes to `upload.url` by `upload.method` with `upload.headers`, all of them and no others than declared;
/// then `POST /media/{id}/complete`. A file of up to 4 MiB may be sent here as well, as to `POST /media`.
#[utoipa::path(
    post, path = "/media/uploads", tag = "media", security(("bearer" = [])), extensions(("x-limit" = json!("upload"))),
    request_body(content(
        (Declared = "application/json"), (NewMedia = "multipart/form-data"), (FileBytes = "video/mp4"), (FileBytes = "video/webm"),
    )),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body create once")),
    responses((status = 201, description = "Where to send it", body = PendingUpload, headers(("Location" = String)), example = json!(example_upload())))
)]
pub(crate) async fn create_upload(
    State(app): State<App>,
    bearer: Bearer,
    request: Idempotent<NewUpload>,
) -> Result<Response> {
    let me = Some(bearer.id());
    let (_, replayed) = try_join(bearer.acting(&app, Action::Upload), request.replay(&app, me)).await?;
    if let Some(answer) = replayed {
        return Ok(answer);
    }
    let declared = match &request.body {
        NewUpload::File(body) => return store_file(&app, &bearer, &request, body).await,
        NewUpload::Declared(declared) => declared,
    };
    let media = Media::new(MediaId::new(app.now(), bearer.id()), declared.content_type, declared.size);
    let address = app.media().sign_upload(media.id, declared.content_type, declared.size, UPLOAD_LIFETIME).await?;
    let view = PendingUpload {
        expires_at: media.upload_ends().rfc3339(),
        media: Upload::new(media.clone(), &Links::new(&app)?),
        upload: UploadAddress { method: address.method, url: address.url, headers: headers(address.headers) },
    };
    let created = Created::new(format!("/media/{}", media.id), &view)?;
    let made = store::media::create(&app, &media, "size", request.store(&app, me, &created)?).await;
    request.answer(&app, bearer.id(), made.map(|()| created)).await
}

/// Those that a client sets: its length it sends by itself.
fn headers(signed: Vec<(String, String)>) -> BTreeMap<String, String> {
    signed.into_iter().filter(|(name, _)| !matches!(name.as_str(), "host" | "content-length")).collect()
}

/// The largest files that are checked while the client waits: decoded in a few seconds, or copied within the bucket.
const AT_ONCE_IMAGE: u64 = MAX_DIRECT as u64;
const AT_ONCE_VIDEO: u64 = 64 * 1024 * 1024;

/// Complete an upload
///
/// Says that all bytes are sent, to have them checked.
///
/// What takes longer is `processing` (202): ask for it again until it is `ready`, or `failed` with a `reason`.
#[utoipa::path(
    post, path = "/media/{id}/complete", tag = "media", params(MediaPath), security(("bearer" = [])),
    extensions(("x-limit" = json!("upload")), ("x-problems" = json!("invalid"))),
    responses(
        (status = 200, description = "It is ready", body = Upload, example = json!(views::media::example())),
        (status = 202, description = "It is being checked", body = Upload, example = json!(example_processing())),
        (status = 422, description = "It can't be used, and why", body = shared::http::problem::Problem),
    )
)]
pub(crate) async fn complete_upload(
    State(app): State<App>,
    bearer: Bearer,
    Path(MediaPath { id }): Path<MediaPath>,
) -> Result<Response> {
    let found = store::media::get(&app, id);
    let (_, media, uploaded) = try_join3(bearer.acting(&app, Action::Upload), found, app.media().uploaded(id)).await?;
    let media = media.filter(|_| id.owner == bearer.id()).ok_or_else(Error::not_found)?;
    if media.status != Status::Pending {
        return respond(&app, media);
    }
    let uploaded =
        uploaded.ok_or_else(|| refused(Some(("not_uploaded".into(), "Its bytes have not come yet.".into()))))?;
    let most = if media.content_type.is_video() { AT_ONCE_VIDEO } else { AT_ONCE_IMAGE };
    if uploaded.size == media.size && media.size > most {
        return match store::media::hand_over(&app, &media).await? {
            Some(handed) => respond(&app, handed),
            None => meanwhile(&app, id).await,
        };
    }
    let checked = uploads::prepare(&app, &media, uploaded).await;
    let shape = match checked {
        Ok(shape) => shape.map_err(|(code, detail)| refused(Some((code.into(), detail))))?,
        // Somebody else may be done with it, who has removed what was sent.
        Err(error) => return meanwhile(&app, id).await.map_err(|_| error),
    };
    match store::media::ready(&app, &media, shape, None).await {
        Ok(ready) => {
            app.media().remove_upload(id).await?;
            Ok(tagged(&app, ready)?.into_response())
        }
        Err(CreateError::Error(error)) if error.is_passing() => Err(error),
        Err(_) => meanwhile(&app, id).await,
    }
}

/// What it is by now, for one that was changed at the same moment.
async fn meanwhile(app: &App, id: MediaId) -> Result<Response> {
    uploads::abandon(app, id).await?;
    let media = store::media::get(app, id).await?.ok_or_else(Error::not_found)?;
    respond(app, media)
}

/// What has become of it.
fn respond(app: &App, media: Media) -> Result<Response> {
    match media.status {
        Status::Ready => Ok(tagged(app, media)?.into_response()),
        Status::Processing => Ok((StatusCode::ACCEPTED, View(Upload::new(media, &Links::new(app)?))).into_response()),
        Status::Failed => Err(refused(media.reason.map(|why| (why.code, why.detail)))),
        Status::Pending => Err(Error::unavailable("it was changed at the same moment")),
    }
}

fn refused(why: Option<(String, String)>) -> Error {
    let (code, detail) = why.unwrap_or_default();
    Error::invalid(vec![FieldError::new(FILE, code, detail)])
}

fn example_processing() -> serde_json::Value {
    let mut example = views::media::example();
    for name in ["url", "width", "height", "alt_text"] {
        example[name] = serde_json::Value::Null;
    }
    (example["kind"], example["content_type"]) = ("video".into(), "video/mp4".into());
    (example["size"], example["status"], example["variants"]) =
        (104_857_600.into(), "processing".into(), serde_json::json!([]));
    example
}

fn example_upload() -> serde_json::Value {
    let mut example = example_processing();
    (example["status"], example["size"]) = ("pending".into(), 20_971_520.into());
    example["upload"] = serde_json::json!({
        "method": "PUT",
        "url": "https://media.s3.eu-central-1.amazonaws.com/uploads/01K9ZNXE5R2W8J6H4G3F1D0C7B/01K9ZP2D7V3T8Q6M5N4C1B0A9Z?X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "headers": {"content-type": "video/mp4"}
    });
    example["expires_at"] = "2026-11-20T21:30:00.000Z".into();
    example
}
