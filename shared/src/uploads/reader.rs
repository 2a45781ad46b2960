//! An upload in the bucket, read as a file is.

use crate::App;
use crate::error::Error;
use crate::limits::INSPECTED;
use crate::media::Uploaded;
use bytes::Bytes;
use std::io::{self, Read, Seek, SeekFrom};
use tokio::runtime::Handle;

/// Reads piece by piece: what a container says of itself is a few of them.
pub(super) struct BucketReader {
    app: App,
    pub(super) uploaded: Uploaded,
    runtime: Handle,
    at: u64,
    /// The piece that was read last, and where it begins.
    piece: (u64, Bytes),
    /// Bytes of it that were asked for.
    ahead: u64,
    /// Bytes that may still be fetched.
    budget: u64,
    /// Why the bucket did not answer.
    pub(super) failed: Option<Error>,
}

/// Bytes of a piece: a header or two, where the next is looked up far behind …
const FIRST_PIECE: u64 = 32 * 1024;
/// … four times as much each time that it is read on, up to this: then all of it is wanted.
const LONGEST_PIECE: u64 = 4 * 1024 * 1024;

impl BucketReader {
    pub(super) fn new(app: App, uploaded: Uploaded) -> Self {
        let runtime = Handle::current();
        Self {
            app,
            uploaded,
            runtime,
            at: 0,
            piece: (0, Bytes::new()),
            ahead: FIRST_PIECE,
            budget: INSPECTED,
            failed: None,
        }
    }

    fn fetch(&mut self, wanted: usize) -> io::Result<()> {
        let (start, piece) = &self.piece;
        let reads_on = !piece.is_empty() && self.at == start + piece.len() as u64;
        self.ahead = if reads_on { (self.ahead * 4).min(LONGEST_PIECE) } else { FIRST_PIECE };
        let end = (self.at + self.ahead.max(wanted as u64)).min(self.uploaded.size);
        let length = end - self.at;
        self.budget = self.budget.checked_sub(length).ok_or_else(|| io::Error::other("too much of it was read"))?;
        let read = self.app.media().read(&self.uploaded, Some(self.at..end));
        match self.runtime.block_on(read) {
            Ok(bytes) => {
                self.piece = (self.at, bytes);
                Ok(())
            }
            Err(error) => {
                self.failed = Some(error);
                Err(io::Error::other("the bucket does not answer"))
            }
        }
    }
}

impl Read for BucketReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.uploaded.size || buffer.is_empty() {
            return Ok(0);
        }
        let (start, piece) = &self.piece;
        if self.at < *start || self.at >= start + piece.len() as u64 {
            self.fetch(buffer.len())?;
        }
        let (start, piece) = &self.piece;
        let rest = usize::try_from(self.at - start).ok().and_then(|from| piece.get(from..)).unwrap_or_default();
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for BucketReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.uploaded.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
