//! Videos that were sent straight to the bucket, written to where they are served from. S3 changes no object in place: of
//! a large one, the parts that stay as they are are copied within the bucket, and the others are written anew.

use super::{CACHED, Media, Uploaded, file_key, upload_key};
use crate::error::{Error, Result};
use crate::models::media::ORIGINAL;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, MetadataDirective};
use bytes::Bytes;
use formats::{FileType, Redaction};
use futures::{StreamExt, TryStreamExt};
use std::ops::Range;

/// Bytes of a part that is written anew. S3 takes no smaller one than 5 MiB but the last.
const PART: u64 = 8 * 1024 * 1024;

/// Parts on their way at once: each is held in memory.
const PARTS_AT_ONCE: usize = 4;

impl Media {
    /// Keeps the very bytes of an upload that were checked, without what is not to be served. Done twice, it writes the
    /// same again.
    ///
    /// # Errors
    /// The bucket does not answer, or the file was replaced meanwhile.
    pub async fn keep(&self, uploaded: &Uploaded, of: FileType, redaction: &Redaction) -> Result<()> {
        if redaction.is_nothing(uploaded.size) {
            return self.copy(uploaded, of).await;
        }
        if redaction.length() <= PART {
            let bytes = self.redacted(uploaded, redaction, 0..redaction.length()).await?;
            return self.put(uploaded.id, ORIGINAL, of, bytes).await;
        }
        let key = file_key(uploaded.id, ORIGINAL);
        let begin = self.client().create_multipart_upload().bucket(&self.0.bucket).key(&key);
        let begin = begin.content_type(of.content_type()).cache_control(CACHED);
        let begun = begin.send().await.map_err(Error::unavailable)?;
        let upload = begun.upload_id.ok_or_else(|| Error::unavailable("an upload without an id"))?;
        let written = self.write_parts(uploaded, redaction, &key, &upload).await;
        if written.is_err() {
            // What is left when this fails, too, the bucket's lifecycle removes.
            let abort = self.client().abort_multipart_upload().bucket(&self.0.bucket).key(&key).upload_id(&upload);
            let _ = abort.send().await;
        }
        written
    }

    async fn copy(&self, uploaded: &Uploaded, of: FileType) -> Result<()> {
        let copy = self.client().copy_object().bucket(&self.0.bucket).key(file_key(uploaded.id, ORIGINAL));
        let copy = copy.copy_source(self.source(uploaded)).copy_source_if_match(&uploaded.tag);
        let copy = copy.content_type(of.content_type()).metadata_directive(MetadataDirective::Replace);
        copy.cache_control(CACHED).send().await.map(|_| ()).map_err(Error::unavailable)
    }

    fn source(&self, uploaded: &Uploaded) -> String {
        format!("{}/{}", self.0.bucket, upload_key(uploaded.id))
    }

    async fn redacted(&self, uploaded: &Uploaded, redaction: &Redaction, range: Range<u64>) -> Result<Bytes> {
        let start = range.start;
        let mut bytes = Vec::from(self.read(uploaded, Some(range)).await?);
        redaction.apply(start, &mut bytes);
        Ok(bytes.into())
    }

    async fn write_parts(&self, uploaded: &Uploaded, redaction: &Redaction, key: &str, upload: &str) -> Result<()> {
        let parts = (1..).zip(parts(redaction)).map(async |(number, (range, is_new))| -> Result<CompletedPart> {
            let tag = if is_new {
                let bytes = self.redacted(uploaded, redaction, range).await?;
                let part = self.client().upload_part().bucket(&self.0.bucket).key(key).upload_id(upload);
                let sent = part.part_number(number).body(bytes.into()).send().await.map_err(Error::unavailable)?;
                sent.e_tag
            } else {
                let part = self.client().upload_part_copy().bucket(&self.0.bucket).key(key).upload_id(upload);
                let part = part.copy_source(self.source(uploaded)).copy_source_if_match(&uploaded.tag);
                let part = part.copy_source_range(format!("bytes={}-{}", range.start, range.end - 1));
                let copied = part.part_number(number).send().await.map_err(Error::unavailable)?;
                copied.copy_part_result.and_then(|result| result.e_tag)
            };
            Ok(CompletedPart::builder().part_number(number).set_e_tag(tag).build())
        });
        let mut parts: Vec<_> = futures::stream::iter(parts).buffer_unordered(PARTS_AT_ONCE).try_collect().await?;
        parts.sort_by_key(CompletedPart::part_number);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.client().complete_multipart_upload().bucket(&self.0.bucket).key(key);
        let done = complete.upload_id(upload).multipart_upload(parts).send().await;
        done.map(|_| ()).map_err(Error::unavailable)
    }
}

/// A file's parts, and whether each is written anew. Those that stay as they are and follow each other are one.
fn parts(redaction: &Redaction) -> Vec<(Range<u64>, bool)> {
    let mut parts: Vec<(Range<u64>, bool)> = Vec::new();
    let mut start = 0;
    while start < redaction.length() {
        let range = start..(start + PART).min(redaction.length());
        start = range.end;
        let is_new = redaction.touches(&range);
        match parts.last_mut() {
            Some((last, false)) if !is_new => last.end = range.end,
            _ => parts.push((range, is_new)),
        }
    }
    parts
}
