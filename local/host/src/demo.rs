//! A data folder filled with demo data.

use crate::{Local, Options, StartError, Unsettled};
use emulators::Durability;
use emulators::data::Data;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tools::demo::{FillError, Made, Progress, Size, fill};

/// The file that says that a folder is not filled to the end.
const UNFINISHED: &str = "demo.unfinished";

/// Why there is no demo, in one line.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// There is data.
    #[error("the data folder {} is not empty, and a demo fills an empty one alone; name another with --data-dir", .0.display())]
    NotEmpty(PathBuf),
    /// A demo was stopped there.
    #[error("the data folder {} is half filled, for a demo was stopped there; remove it and start again", .0.display())]
    Unfinished(PathBuf),
    /// The folder can't be read or written.
    #[error("the data folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The host does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The service can't be filled.
    #[error(transparent)]
    Fill(#[from] FillError),
    /// What follows from what was done does not come to its end.
    #[error("the work in the background does not end: {0}")]
    Work(#[from] Unsettled),
}

/// A host on an empty folder, to be filled.
pub struct Demo {
    local: Local,
    folder: PathBuf,
}

impl Demo {
    /// Starts a host on the folder, which says that it is unfinished from now on. Links in mails lead to where `cargo
    /// run` serves.
    ///
    /// # Errors
    /// The folder is not empty, or no host can start on it.
    pub async fn start(folder: &Path, public_url: &str) -> Result<Self, DemoError> {
        let failed = |source| DemoError::Folder { path: folder.to_owned(), source };
        if is_unfinished(folder) {
            return Err(DemoError::Unfinished(folder.to_owned()));
        }
        let is_empty = match fs::read_dir(folder) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(failed(error)),
        };
        if !is_empty {
            return Err(DemoError::NotEmpty(folder.to_owned()));
        }
        let parameters = [("RateLimits", "off"), ("PublicUrl", public_url)];
        let options = Options {
            data: Data::Dir(folder.to_owned()),
            // What a power cut takes is made again.
            durability: Some(Durability::Fast),
            parameters: parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            ..Options::default()
        };
        let local = Box::pin(Local::start(options)).await?;
        fs::write(folder.join(UNFINISHED), "A demo was stopped before its end. Remove this folder.\n")
            .map_err(failed)?;
        Ok(Self { local, folder: folder.to_owned() })
    }

    /// Fills the folder, and tells how far it is.
    ///
    /// # Errors
    /// The API refused something, or the work in the background does not end.
    pub async fn fill(&self, size: Size, tell: impl Fn(Progress) + Send + Sync) -> Result<Made, DemoError> {
        let made = fill(self.local.url(), size, tell).await?;
        self.local.settle().await?;
        Ok(made)
    }

    /// Stops the host. Only a folder that was filled to the end says no more that it is unfinished.
    ///
    /// # Errors
    /// The folder can't be written.
    pub async fn stop(self, is_filled: bool) -> Result<(), DemoError> {
        self.local.stop().await;
        if is_filled {
            let path = self.folder.join(UNFINISHED);
            fs::remove_file(path).map_err(|source| DemoError::Folder { path: self.folder, source })?;
        }
        Ok(())
    }
}

/// Whether a demo was stopped in this folder.
pub fn is_unfinished(folder: &Path) -> bool {
    folder.join(UNFINISHED).exists()
}
