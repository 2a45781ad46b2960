//! Objects as files, by s3s-fs, with what S3 does besides and Perch relies on: a change is whole or not there for those
//! who read, conditions on reads, ranges from the end, and nothing left behind by what is deleted. The operations that
//! Perch calls, and no others; one version of each object.

use crate::Durability;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CopyObjectInput, CopyObjectOutput, CopySource, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, ETag, ETagCondition,
    GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput, Range, StreamingBlob,
    UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, Take};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

/// What S3 says of an object whose type nobody gave.
const UNTYPED: &str = "binary/octet-stream";

/// How much is read at once.
const CHUNK: usize = 128 * 1024;

type Answer<T> = S3Result<S3Response<T>>;

/// The buckets of one folder.
pub(super) struct Store {
    files: FileSystem,
    root: PathBuf,
    durability: Durability,
    /// An object is three files to s3s-fs, its bytes, its headers and its ETag, which change one after the other.
    turn: Arc<RwLock<()>>,
}

impl Store {
    pub(super) fn open(root: PathBuf, durability: Durability) -> io::Result<Self> {
        let files = FileSystem::new(&root).map_err(|error| io::Error::other(format!("{error:?}")))?;
        Ok(Self { files, root, durability, turn: Arc::default() })
    }

    fn object(&self, bucket: &str, key: &str) -> PathBuf {
        self.root.join(bucket).join(key)
    }

    /// The files that s3s-fs (this very version) keeps beside an object.
    fn companions(&self, bucket: &str, key: &str) -> [PathBuf; 2] {
        let [bucket, key] = [bucket, key].map(|name| URL_SAFE_NO_PAD.encode(name));
        ["metadata", "internal"].map(|kind| self.root.join(format!(".bucket-{bucket}.object-{key}.{kind}.json")))
    }

    /// To s3s-fs a key is a path: what is none of an object is nothing.
    async fn exists(&self, bucket: &str, key: &str) -> S3Result<()> {
        match tokio::fs::metadata(self.object(bucket, key)).await {
            Ok(found) if found.is_file() => Ok(()),
            _ => Err(s3_error!(NoSuchKey)),
        }
    }

    /// Brings what was written to the disk, if this run's data is to outlive a power cut.
    async fn keep(&self, bucket: &str, key: &str) -> S3Result<()> {
        if self.durability == Durability::Fast {
            return Ok(());
        }
        let [metadata, internal] = self.companions(bucket, key);
        let mut paths = vec![self.object(bucket, key), metadata, internal, self.root.clone()];
        let folders = Path::new(key).ancestors().skip(1).map(|folder| self.root.join(bucket).join(folder));
        paths.extend(folders);
        let sync = move || paths.iter().try_for_each(|path| std::fs::File::open(path)?.sync_all());
        match tokio::task::spawn_blocking(sync).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(s3_error!(error, InternalError)),
            Err(error) => Err(s3_error!(error, InternalError)),
        }
    }

    async fn forget(&self, bucket: &str, key: &str) {
        for path in self.companions(bucket, key) {
            let _ = tokio::fs::remove_file(path).await;
        }
    }
}

/// A part of a file; s3s-fs itself reads 4 KiB at a time.
fn chunks(part: Take<File>) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(part, |mut part| async {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let length = part.read_buf(&mut chunk).await?;
        Ok((length > 0).then(|| (chunk.freeze(), part)))
    })
}

/// What a read asks of the object's ETag.
fn check(
    found: Option<&ETag>,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    let is = |condition: &ETagCondition| match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => found.is_some_and(|found| found.value() == wanted.value()),
    };
    match (if_match, if_none_match) {
        (Some(wanted), _) if !is(wanted) => Err(s3_error!(PreconditionFailed)),
        (_, Some(known)) if is(known) => Err(s3_error!(NotModified)),
        _ => Ok(()),
    }
}

#[async_trait]
impl S3 for Store {
    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        self.files.head_bucket(request).await
    }

    async fn list_objects_v2(&self, request: S3Request<ListObjectsV2Input>) -> Answer<ListObjectsV2Output> {
        self.files.list_objects_v2(request).await
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        let _turn = self.turn.read().await;
        self.exists(&request.input.bucket, &request.input.key).await?;
        let (if_match, if_none_match) = (request.input.if_match.clone(), request.input.if_none_match.clone());
        let mut answer = self.files.head_object(request).await?;
        check(answer.output.e_tag.as_ref(), if_match.as_ref(), if_none_match.as_ref())?;
        answer.output.accept_ranges = Some("bytes".to_owned());
        answer.output.content_type.get_or_insert_with(|| UNTYPED.to_owned());
        Ok(answer)
    }

    async fn get_object(&self, mut request: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        let _turn = self.turn.read().await;
        let input = &mut request.input;
        let disposition = input.response_content_disposition.clone();
        self.exists(&input.bucket, &input.key).await?;
        // Open, whatever happens to its name from now on.
        let file = File::open(self.object(&input.bucket, &input.key)).await;
        let mut file = file.map_err(|error| s3_error!(error, NoSuchKey))?;
        let size = file.metadata().await.map_err(|error| s3_error!(error, InternalError))?.len();
        let span = match input.range {
            Some(range) => range.check(size)?,
            None => 0..size,
        };
        input.range = input.range.map(|_| Range::Int { first: span.start, last: Some(span.end - 1) });
        file.seek(SeekFrom::Start(span.start)).await.map_err(|error| s3_error!(error, InternalError))?;
        let (if_match, if_none_match) = (input.if_match.clone(), input.if_none_match.clone());
        let mut answer = self.files.get_object(request).await?;
        check(answer.output.e_tag.as_ref(), if_match.as_ref(), if_none_match.as_ref())?;
        answer.output.accept_ranges = Some("bytes".to_owned());
        answer.output.content_type.get_or_insert_with(|| UNTYPED.to_owned());
        answer.output.body = Some(StreamingBlob::wrap(chunks(file.take(span.end - span.start))));
        answer.output.content_disposition = disposition.or(answer.output.content_disposition);
        Ok(answer)
    }

    async fn put_object(&self, mut request: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        // Takes its turn when the body has come to its end, however long that takes.
        let held: Arc<Mutex<Option<OwnedRwLockWriteGuard<()>>>> = Arc::default();
        if let Some(body) = request.input.body.take() {
            let (turn, held) = (self.turn.clone(), held.clone());
            let end = stream::once(async move {
                let guard = turn.write_owned().await;
                *held.lock().unwrap_or_else(PoisonError::into_inner) = Some(guard);
            });
            let end = end.filter_map(|()| std::future::ready(None));
            request.input.body = Some(StreamingBlob::wrap(body.map_err(io::Error::other).chain(end)));
        }
        let answer = self.files.put_object(request).await?;
        self.keep(&bucket, &key).await?;
        drop(held);
        Ok(answer)
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> Answer<CreateMultipartUploadOutput> {
        self.files.create_multipart_upload(request).await
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        self.files.upload_part(request).await
    }

    async fn upload_part_copy(&self, request: S3Request<UploadPartCopyInput>) -> Answer<UploadPartCopyOutput> {
        let _turn = self.turn.read().await;
        if let CopySource::Bucket { bucket, key, .. } = &request.input.copy_source {
            self.exists(bucket, key).await?;
            let mut head = HeadObjectInput::builder();
            head.set_bucket(bucket.to_string());
            head.set_key(key.to_string());
            let head = head.build().map_err(|error| s3_error!(error, InternalError))?;
            let found = self.files.head_object(request.clone().map_input(|_| head)).await?;
            check(found.output.e_tag.as_ref(), request.input.copy_source_if_match.as_ref(), None)?;
        }
        self.files.upload_part_copy(request).await
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> Answer<CompleteMultipartUploadOutput> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        let _turn = self.turn.write().await;
        let answer = self.files.complete_multipart_upload(request).await?;
        self.keep(&bucket, &key).await?;
        Ok(answer)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        self.files.abort_multipart_upload(request).await
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        let _turn = self.turn.write().await;
        let answer = self.files.copy_object(request).await?;
        self.keep(&bucket, &key).await?;
        Ok(answer)
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        let _turn = self.turn.write().await;
        let answer = self.files.delete_object(request).await?;
        self.forget(&bucket, &key).await;
        Ok(answer)
    }

    async fn delete_objects(&self, request: S3Request<DeleteObjectsInput>) -> Answer<DeleteObjectsOutput> {
        let bucket = request.input.bucket.clone();
        let keys: Vec<_> = request.input.delete.objects.iter().map(|object| object.key.clone()).collect();
        let _turn = self.turn.write().await;
        let answer = self.files.delete_objects(request).await?;
        for key in keys {
            self.forget(&bucket, &key).await;
        }
        Ok(answer)
    }
}
