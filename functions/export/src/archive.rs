//! A zip, written into the bucket while it is made: no more of it than a part is ever in memory, and a part is sent as soon
//! as it is full.

use shared::App;
use shared::clock::Timestamp;
use shared::error::{Error, Result};
use shared::ids::UserId;
use shared::limits::ARCHIVE_PART;
use shared::media::ArchiveUpload;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use ulid::Ulid;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

/// An archive that is being written.
pub(crate) struct Archive<'a> {
    app: &'a App,
    upload: ArchiveUpload,
    /// Until it is finished.
    zip: Option<Box<ZipWriter<StreamWriter<Unsent>>>>,
    unsent: Unsent,
    options: SimpleFileOptions,
}

/// What the zip has written and the bucket does not have yet.
#[derive(Clone, Default)]
struct Unsent(Arc<Mutex<Vec<u8>>>);

impl Unsent {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Unsent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> Archive<'a> {
    /// Begins one.
    pub(crate) async fn begin(app: &'a App, owner: UserId, id: Ulid) -> Result<Self> {
        let (upload, unsent) = (app.media().begin_archive(owner, id).await?, Unsent::default());
        let zip = Some(Box::new(ZipWriter::new_stream(unsent.clone())));
        let options = SimpleFileOptions::default().last_modified_time(date(app.now())).large_file(true);
        Ok(Self { app, upload, zip, unsent, options })
    }

    fn zip(&mut self) -> Result<&mut ZipWriter<StreamWriter<Unsent>>> {
        self.zip.as_deref_mut().ok_or_else(|| Error::internal("the archive is finished"))
    }

    /// Begins a file of text.
    ///
    /// # Errors
    /// Internal: there is one of this name.
    pub(crate) fn begin_text(&mut self, name: &str) -> Result<()> {
        let options = self.options.compression_method(CompressionMethod::Deflated);
        self.zip()?.start_file(name, options).map_err(Error::internal)
    }

    /// Begins a picture or video, which can't be made smaller.
    ///
    /// # Errors
    /// Internal: there is one of this name.
    pub(crate) fn begin_media(&mut self, name: &str) -> Result<()> {
        let options = self.options.compression_method(CompressionMethod::Stored);
        self.zip()?.start_file(name, options).map_err(Error::internal)
    }

    /// Writes what comes next in the file that was begun last.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.zip()?.write_all(bytes).map_err(Error::internal)?;
        if self.unsent.bytes().len() < ARCHIVE_PART {
            return Ok(());
        }
        self.send().await
    }

    async fn send(&mut self) -> Result<()> {
        let part = std::mem::take(&mut *self.unsent.bytes());
        self.app.media().add_to_archive(&mut self.upload, part.into()).await
    }

    /// Writes the end, the list of all files.
    pub(crate) async fn finish(&mut self) -> Result<()> {
        if let Some(zip) = self.zip.take() {
            zip.finish().map_err(Error::internal)?;
        }
        self.send().await
    }

    /// Holders of the link can load it from now on.
    pub(crate) async fn complete(self) -> Result<()> {
        self.app.media().complete_archive(self.upload).await
    }

    /// Nobody can.
    pub(crate) async fn abandon(self) -> Result<()> {
        self.app.media().abandon_archive(&self.upload).await
    }
}

/// What the zip says of when its files were made: its own form of a time, in steps of two seconds.
fn date(at: Timestamp) -> DateTime {
    let text = at.rfc3339();
    let mut parts = text.split(['-', 'T', ':', '.']).filter_map(|part| part.parse::<u16>().ok());
    let year = parts.next().unwrap_or_default();
    let mut small = || parts.next().and_then(|part| u8::try_from(part).ok()).unwrap_or_default();
    DateTime::from_date_and_time(year, small(), small(), small(), small(), small()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_as_old_as_the_archive() {
        let made = date(Timestamp::from_millis(1_795_206_605_123)).to_string();
        assert_eq!(made, "2026-11-20 20:30:04");
    }
}
