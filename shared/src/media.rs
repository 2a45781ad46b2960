//! The media bucket.
//!
//! `uploads/` holds what clients send straight to the bucket, and its lifecycle removes what stays there; `media/` what
//! was checked; `exports/` archives of all that is somebody's, for a week. Nothing is public: every address is signed.

mod archives;
mod videos;

pub use archives::ArchiveUpload;

use crate::aws::{Aws, sdk_config};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::ids::{MediaId, UserId};
use crate::limits::{CONNECT_TIMEOUT, FILE_TIMEOUT};
use crate::models::media::ORIGINAL;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation, timeout::TimeoutConfig};
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use formats::FileType;
use http::Method;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Cheap to clone; the client is made at first use.
#[derive(Clone)]
pub struct Media(Arc<Inner>);

struct Inner {
    aws: Aws,
    endpoint: Option<String>,
    bucket: String,
    client: OnceLock<Client>,
}

/// What lies where a client was to send it.
#[derive(Clone, Debug)]
pub struct Uploaded {
    pub id: MediaId,
    pub size: u64,
    /// Which bytes these are: none that come later are taken for them.
    tag: String,
}

/// A request that a client makes by itself: method, address, and the headers it must carry.
#[derive(Clone, Debug)]
pub struct Signed {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
}

fn upload_key(id: MediaId) -> String {
    format!("uploads/{}/{}", id.owner.ulid(), id.ulid)
}

fn file_key(id: MediaId, name: &str) -> String {
    format!("media/{}/{}/{name}", id.owner.ulid(), id.ulid)
}

impl Media {
    pub fn new(aws: Aws, endpoint: Option<String>, config: &Config) -> Self {
        Self(Arc::new(Inner { aws, endpoint, bucket: config.media_bucket.clone(), client: OnceLock::new() }))
    }

    fn client(&self) -> &Client {
        self.0.client.get_or_init(|| {
            let config = sdk_config!(aws_sdk_s3, self.0.aws, self.0.endpoint);
            // Megabytes take longer than what other services answer.
            let timeouts = TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(FILE_TIMEOUT)
                .operation_timeout(FILE_TIMEOUT);
            let config = config
                .timeout_config(timeouts.build())
                // A client that sends to a signed address knows no checksum beforehand.
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
                // A local endpoint has no name per bucket.
                .force_path_style(self.0.endpoint.is_some());
            Client::from_conf(config.build())
        })
    }

    /// Where a client is to send the bytes: of this type and length alone, and once.
    ///
    /// # Errors
    /// Internal: it can't be signed.
    pub async fn sign_upload(&self, id: MediaId, of: FileType, size: u64, ends: Duration) -> Result<Signed> {
        let length = i64::try_from(size).map_err(Error::internal)?;
        let put = self.client().put_object().bucket(&self.0.bucket).key(upload_key(id));
        // Once: what was checked is not replaced, and nobody fills the bucket through one address.
        let put = put.content_type(of.content_type()).content_length(length).if_none_match("*");
        put.presigned(lasting(ends)?).await.map(signed).map_err(Error::internal)
    }

    /// Where a file can be read for a while.
    ///
    /// # Errors
    /// Internal: it can't be signed.
    pub async fn sign_file(&self, method: &Method, id: MediaId, name: &str, ends: Duration) -> Result<String> {
        let (client, key, lasting) = (self.client(), file_key(id, name), lasting(ends)?);
        // An address is signed for its method.
        let signed = if method == Method::HEAD {
            client.head_object().bucket(&self.0.bucket).key(key).presigned(lasting).await.map_err(Error::internal)?
        } else {
            client.get_object().bucket(&self.0.bucket).key(key).presigned(lasting).await.map_err(Error::internal)?
        };
        Ok(signed.uri().to_owned())
    }

    /// The bytes of a file, as they come; None for one that is not there.
    pub async fn file(&self, id: MediaId, name: &str) -> Result<Option<ByteStream>> {
        let got = self.client().get_object().bucket(&self.0.bucket).key(file_key(id, name)).send().await;
        match got {
            Ok(got) => Ok(Some(got.body)),
            Err(SdkError::ServiceError(error)) if error.err().is_no_such_key() => Ok(None),
            Err(error) => Err(Error::unavailable(error)),
        }
    }

    /// What was sent to an upload's address; None before it has come.
    pub async fn uploaded(&self, id: MediaId) -> Result<Option<Uploaded>> {
        let head = self.client().head_object().bucket(&self.0.bucket).key(upload_key(id)).send().await;
        let head = match head {
            Ok(head) => head,
            Err(SdkError::ServiceError(error)) if error.err().is_not_found() => return Ok(None),
            Err(error) => return Err(Error::unavailable(error)),
        };
        let size = head.content_length().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
        Ok(Some(Uploaded { id, size, tag: head.e_tag().unwrap_or_default().to_owned() }))
    }

    /// Some bytes of an upload; all of them without a range.
    ///
    /// # Errors
    /// The bucket does not answer, or the file was replaced meanwhile.
    pub async fn read(&self, uploaded: &Uploaded, range: Option<Range<u64>>) -> Result<Bytes> {
        let get = self.client().get_object().bucket(&self.0.bucket).key(upload_key(uploaded.id));
        let range = range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let got = get.set_range(range).if_match(&uploaded.tag).send().await.map_err(Error::unavailable)?;
        Ok(got.body.collect().await.map_err(Error::unavailable)?.into_bytes())
    }

    /// Writes a file.
    pub async fn put(&self, id: MediaId, name: &str, of: FileType, bytes: Bytes) -> Result<()> {
        let put = self.client().put_object().bucket(&self.0.bucket).key(file_key(id, name));
        let put = put.content_type(of.content_type()).cache_control(CACHED).body(bytes.into());
        put.send().await.map(|_| ()).map_err(Error::unavailable)
    }

    /// Removes what was sent; there or not.
    pub async fn remove_upload(&self, id: MediaId) -> Result<()> {
        self.remove([upload_key(id)]).await
    }

    /// Removes the upload and every file there may be, those of a check that did not come to its end, too.
    pub async fn remove_all(&self, id: MediaId) -> Result<()> {
        let names = formats::RENDITIONS.into_iter().chain([ORIGINAL]);
        self.remove(names.map(|name| file_key(id, name)).chain([upload_key(id)])).await
    }

    /// Removes a page of all that lies there of an account's: uploads, files and archives, whatever tells of them. True when
    /// more may.
    pub async fn remove_owned(&self, owner: UserId) -> Result<bool> {
        let mut more = false;
        for folder in ["uploads", "media", "exports"] {
            let prefix = format!("{folder}/{}/", owner.ulid());
            let list = self.client().list_objects_v2().bucket(&self.0.bucket).prefix(prefix);
            let page = list.send().await.map_err(Error::unavailable)?;
            let keys: Vec<String> = page.contents().iter().filter_map(|one| one.key().map(str::to_owned)).collect();
            if !keys.is_empty() {
                self.remove(keys).await?;
            }
            more |= page.is_truncated().unwrap_or(false);
        }
        Ok(more)
    }

    async fn remove(&self, keys: impl IntoIterator<Item = String>) -> Result<()> {
        let objects = keys.into_iter().map(|key| ObjectIdentifier::builder().key(key).build());
        let objects = objects.collect::<Result<Vec<_>, _>>().map_err(Error::internal)?;
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().map_err(Error::internal)?;
        let call = self.client().delete_objects().bucket(&self.0.bucket).delete(delete);
        let done = call.send().await.map_err(Error::unavailable)?;
        match done.errors().first() {
            None => Ok(()),
            Some(error) => Err(Error::unavailable(error.message().unwrap_or("an object could not be deleted"))),
        }
    }

    /// Whether the bucket answers.
    pub async fn ping(&self) -> Result<()> {
        let call = self.client().head_bucket().bucket(&self.0.bucket);
        call.send().await.map(|_| ()).map_err(Error::unavailable)
    }
}

/// A file's bytes never change under its address.
const CACHED: &str = "private, max-age=86400, immutable";

fn lasting(ends: Duration) -> Result<PresigningConfig> {
    PresigningConfig::expires_in(ends).map_err(Error::internal)
}

fn signed(request: PresignedRequest) -> Signed {
    let headers = request.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Signed { method: request.method().to_owned(), headers: headers.collect(), url: request.uri().to_owned() }
}
