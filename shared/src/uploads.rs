//! From bytes to a picture or video that can be shown: checked, cleaned and stored.

mod reader;

use crate::App;
use crate::error::{Error, FieldError, Kind, Result};
use crate::ids::{MediaId, UserId};
use crate::media::Uploaded;
use crate::models::fields::Upload;
use crate::models::media::{MAX_DIRECT, Media, ORIGINAL, Shape};
use crate::store;
use crate::store::creation::CreateError;
use crate::table::Op;
use bytes::Bytes;
use formats::{Failure, FileType, Picture, Redaction, Refusal};
use futures::future::try_join_all;
use reader::BucketReader;
use std::io::{Cursor, Read, Seek};
use tokio::task::spawn_blocking;

/// A file that came with a request, checked, and cleaned where it is a picture.
pub struct Received {
    field: String,
    pub content_type: FileType,
    size: u64,
    made: Made,
}

/// What is kept of a file.
enum Made {
    Picture(Picture),
    Video(Shape, Bytes),
}

impl Made {
    /// A picture's, by its bytes.
    fn content_type(&self) -> Option<FileType> {
        match self {
            Self::Picture(picture) => Some(picture.content_type),
            Self::Video(..) => None,
        }
    }

    fn shape(&self) -> Shape {
        match self {
            Self::Picture(picture) => picture.into(),
            Self::Video(shape, _) => shape.clone(),
        }
    }
}

/// Checks a file that came with a request as `field`. Nothing is written.
///
/// # Errors
/// 413 above 4 MiB, 415 for a type that is not taken, 422 for what is not what it says.
pub async fn receive(field: &str, upload: Upload) -> Result<Received> {
    let Upload { content_type, bytes } = upload;
    if bytes.len() > MAX_DIRECT {
        let detail = format!("At most {MAX_DIRECT} bytes come through the API; use POST /media/uploads.");
        return Err(Error::new(Kind::TooLarge).detail(detail));
    }
    if bytes.is_empty() {
        return Err(Error::invalid(vec![FieldError::new(field, "empty", "The file is empty.")]));
    }
    let declared = match content_type.as_deref() {
        // What tools say that know nothing of the file.
        None | Some("application/octet-stream") => FileType::sniff(&bytes),
        Some(said) => FileType::from_content_type(said),
    };
    let Some(declared) = declared else {
        let known = FileType::ALL.map(FileType::content_type).join(", ");
        return Err(Error::new(Kind::UnsupportedMediaType).detail(format!("Send one of {known}.")));
    };
    let size = bytes.len() as u64;
    let made = blocking(move || made(declared, bytes)).await?;
    let refused = |(code, detail): Refusal| Error::invalid(vec![FieldError::new(field, code, detail)]);
    let made = made.map_err(refused)?;
    let content_type = made.content_type().unwrap_or(declared);
    Ok(Received { field: field.to_owned(), content_type, size, made })
}

fn made(declared: FileType, bytes: Bytes) -> Result<Made, Refusal> {
    match declared.kind() {
        formats::Kind::Image => formats::develop(declared, &bytes).map(Made::Picture),
        formats::Kind::Video => match inspect(declared, Cursor::new(&bytes), bytes.len() as u64) {
            Ok((shape, redaction)) => Ok(Made::Video(shape, redacted(&bytes, &redaction))),
            Err(Failure::Refused(refusal)) => Err(refusal),
            // What is in memory is read to its end.
            Err(Failure::Unread(error)) => Err(("broken", format!("The file is broken: {error}."))),
        },
    }
}

fn inspect(declared: FileType, reader: impl Read + Seek, size: u64) -> Result<(Shape, Redaction), Failure> {
    let (found, redaction) = formats::inspect(declared, reader, size)?;
    let shape = Shape { width: found.width, height: found.height, duration: found.duration_ms, variants: Vec::new() };
    Ok((shape, redaction))
}

/// A video in memory as it is served.
fn redacted(bytes: &[u8], redaction: &Redaction) -> Bytes {
    let length = usize::try_from(redaction.length()).unwrap_or(usize::MAX);
    let mut kept = bytes.get(..length).unwrap_or(bytes).to_vec();
    redaction.apply(0, &mut kept);
    kept.into()
}

impl Received {
    /// What it is to be, for an account.
    pub fn media(&self, app: &App, owner: UserId, alt_text: Option<String>) -> Media {
        let media = Media::new(MediaId::new(app.now(), owner), self.content_type, self.size);
        Media { alt_text, ..media }
    }

    /// Its dimensions and duration, once it is ready.
    pub fn shape(&self) -> Shape {
        self.made.shape()
    }

    /// Stores it and marks it ready, in one transaction with, first, the idempotency operation.
    ///
    /// # Errors
    /// [`CreateError::IdempotencyKeyUsed`] when the idempotency key is used already; 422 beyond the quota.
    pub async fn store(self, app: &App, media: &Media, idempotency_op: Option<Op>) -> Result<Media, CreateError> {
        // Its item stands before its files do, so that the clean-up finds them whatever happens.
        store::media::create(app, media, &self.field, None).await?;
        let shape = self.shape();
        let stored = match self.made {
            Made::Picture(picture) => put_picture(app, media, picture).await,
            Made::Video(_, bytes) => app.media().put(media.id, ORIGINAL, media.content_type, bytes).await,
        };
        stored?;
        store::media::ready(app, media, (media.content_type, shape), idempotency_op).await
    }

    /// Stores it for what is about to need it.
    ///
    /// # Errors
    /// 422 beyond the quota.
    pub async fn keep(self, app: &App, owner: UserId) -> Result<Media> {
        let media = self.media(app, owner, None);
        self.store(app, &media, None).await.map_err(|why| match why {
            CreateError::IdempotencyKeyUsed => Error::internal("nothing was to be kept"),
            CreateError::Error(error) => error,
        })
    }
}

async fn put_picture(app: &App, media: &Media, picture: Picture) -> Result<()> {
    let (id, of) = (media.id, picture.content_type);
    let smaller = picture.renditions.into_iter().map(|one| (one.name, one.bytes));
    let files = smaller.chain([(ORIGINAL, picture.bytes)]);
    try_join_all(files.map(|(name, bytes)| app.media().put(id, name, of, bytes.into()))).await.map(|_| ())
}

/// Checks what was sent straight to the bucket, and keeps it: as the type that its bytes are, for a picture. The inner
/// error is why it can't be used; then nothing was written.
pub async fn prepare(app: &App, media: &Media, uploaded: Uploaded) -> Result<Result<(FileType, Shape), Refusal>> {
    if uploaded.size != media.size {
        let detail = format!("{} bytes came where {} were declared.", uploaded.size, media.size);
        return Ok(Err(("wrong_size", detail)));
    }
    let declared = media.content_type;
    match declared.kind() {
        formats::Kind::Image => {
            let bytes = app.media().read(&uploaded, None).await?;
            let picture = match blocking(move || formats::develop(declared, &bytes)).await? {
                Ok(picture) => picture,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let shape = Shape::from(&picture);
            let content_type = picture.content_type;
            put_picture(app, media, picture).await?;
            Ok(Ok((content_type, shape)))
        }
        formats::Kind::Video => {
            let reader = BucketReader::new(app.clone(), uploaded.clone());
            let checked = blocking(move || {
                let size = reader.uploaded.size;
                let mut reader = reader;
                let found = inspect(declared, &mut reader, size);
                Ok((found, reader))
            });
            let (found, reader) = match checked.await? {
                Ok(checked) => checked,
                Err(refusal) => return Ok(Err(refusal)),
            };
            match (found, reader.failed) {
                (Ok((shape, redaction)), _) => {
                    app.media().keep(&uploaded, declared, &redaction).await?;
                    Ok(Ok((declared, shape)))
                }
                (Err(_), Some(error)) => Err(error),
                (Err(Failure::Refused(refusal)), None) => Ok(Err(refusal)),
                (Err(Failure::Unread(error)), None) => Ok(Err(("broken", format!("The file is broken: {error}.")))),
            }
        }
    }
}

/// Removes the files of one that was removed while they were written.
pub async fn abandon(app: &App, id: MediaId) -> Result<()> {
    match store::media::get(app, id).await? {
        Some(_) => Ok(()),
        None => app.media().remove_all(id).await,
    }
}

/// Runs a check where it holds up nothing. One that panics is the file's fault.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<Result<T, Refusal>> {
    match spawn_blocking(work).await {
        Ok(checked) => Ok(checked),
        Err(error) if error.is_panic() => {
            tracing::error!(%error, "a check panicked");
            Ok(Err(("broken", "The file is broken.".into())))
        }
        Err(error) => Err(Error::internal(error)),
    }
}
