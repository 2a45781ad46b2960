//! Archives in the bucket: written in parts, for nobody knows beforehand how long one gets, and read by an address for a
//! few minutes.

use super::{Media, lasting};
use crate::error::{Error, Result};
use crate::ids::UserId;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use std::time::Duration;
use ulid::Ulid;

fn archive_key(owner: UserId, id: Ulid) -> String {
    format!("exports/{}/{id}.zip", owner.ulid())
}

/// An archive that is being written. It is not there before it is completed.
#[derive(Debug)]
pub struct ArchiveUpload {
    key: String,
    upload: String,
    parts: Vec<CompletedPart>,
}

impl Media {
    /// Whether an archive is there.
    pub async fn has_archive(&self, owner: UserId, id: Ulid) -> Result<bool> {
        match self.client().head_object().bucket(&self.0.bucket).key(archive_key(owner, id)).send().await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error)) if error.err().is_not_found() => Ok(false),
            Err(error) => Err(Error::unavailable(error)),
        }
    }

    /// Begins one.
    pub async fn begin_archive(&self, owner: UserId, id: Ulid) -> Result<ArchiveUpload> {
        let key = archive_key(owner, id);
        let begin = self.client().create_multipart_upload().bucket(&self.0.bucket).key(&key);
        let begun = begin.content_type("application/zip").send().await.map_err(Error::unavailable)?;
        let upload = begun.upload_id.ok_or_else(|| Error::unavailable("an upload without an id"))?;
        Ok(ArchiveUpload { key, upload, parts: Vec::new() })
    }

    /// Writes what comes next of it: 5 MiB or more but for the last.
    pub async fn add_to_archive(&self, archive: &mut ArchiveUpload, bytes: Bytes) -> Result<()> {
        let number = i32::try_from(archive.parts.len() + 1).map_err(Error::internal)?;
        let part = self.client().upload_part().bucket(&self.0.bucket).key(&archive.key).upload_id(&archive.upload);
        let sent = part.part_number(number).body(bytes.into()).send().await.map_err(Error::unavailable)?;
        archive.parts.push(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build());
        Ok(())
    }

    /// It is there from now on.
    pub async fn complete_archive(&self, archive: ArchiveUpload) -> Result<()> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(archive.parts)).build();
        let complete = self.client().complete_multipart_upload().bucket(&self.0.bucket).key(archive.key);
        let done = complete.upload_id(archive.upload).multipart_upload(parts).send().await;
        done.map(|_| ()).map_err(Error::unavailable)
    }

    /// It will not be there. What is left of one that nobody ends so, the bucket's lifecycle removes.
    pub async fn abandon_archive(&self, archive: &ArchiveUpload) -> Result<()> {
        let abort = self.client().abort_multipart_upload().bucket(&self.0.bucket).key(&archive.key);
        abort.upload_id(&archive.upload).send().await.map(|_| ()).map_err(Error::unavailable)
    }

    /// Where an archive can be loaded for a while, as a file of this name.
    ///
    /// # Errors
    /// Internal: it can't be signed.
    pub async fn sign_archive(&self, owner: UserId, id: Ulid, name: &str, ends: Duration) -> Result<String> {
        let get = self.client().get_object().bucket(&self.0.bucket).key(archive_key(owner, id));
        let get = get.response_content_disposition(format!("attachment; filename=\"{name}\""));
        let signed = get.presigned(lasting(ends)?).await.map_err(Error::internal)?;
        Ok(signed.uri().to_owned())
    }
}
