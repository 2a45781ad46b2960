//! The folder that holds all data of a run, and its lock.

use crate::environment::Environments;
use serde_json::Value;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use template::Secret;

/// Where data lies.
#[derive(Clone, Debug)]
pub enum Data {
    /// In a temporary folder, removed at the end.
    Ephemeral,
    /// In this folder, made if needed.
    Dir(PathBuf),
}

/// The folder, locked for this run until dropped.
pub struct Folder {
    path: PathBuf,
    /// Released by the system when the process ends, however it ends.
    _lock: File,
    _temporary: Option<tempfile::TempDir>,
}

/// Why a folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Another run holds its lock.
    #[error("the data folder {} is in use by another run", .0.display())]
    InUse(PathBuf),
    /// It can't be made, read or written.
    #[error("the data folder {}: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The file in which a run says how to work beside it.
const TOLD: &str = "environments.json";

impl Folder {
    pub fn open(data: &Data) -> Result<Self, DataError> {
        let (path, temporary) = match data {
            Data::Dir(path) => (path.clone(), None),
            Data::Ephemeral => {
                let folder = tempfile::Builder::new().prefix("perch-").tempdir();
                let folder = folder.map_err(|source| DataError::Io { path: std::env::temp_dir(), source })?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        let lock = create(&path)
            .and_then(|()| OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock")));
        let lock = lock.map_err(|source| DataError::Io { path: path.clone(), source })?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock, _temporary: temporary }),
            Err(TryLockError::WouldBlock) => Err(DataError::InUse(path)),
            Err(TryLockError::Error(source)) => Err(DataError::Io { path, source }),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says where this run's services are, for commands and functions beside it.
    pub fn tell(&self, environments: &Environments) -> Result<(), DataError> {
        let told = serde_json::to_string_pretty(environments).map_err(io::Error::from);
        let told = told.and_then(|json| write_private(&self.path.join(TOLD), &json));
        told.map_err(|source| DataError::Io { path: self.path.clone(), source })
    }

    /// What the run says that uses this folder.
    pub fn told(path: &Path) -> Result<Environments, DataError> {
        let told = fs::read(path.join(TOLD)).and_then(|json| Ok(serde_json::from_slice(&json)?));
        told.map_err(|source| DataError::Io { path: path.to_owned(), source })
    }

    /// Where the secrets lie, a file for each.
    pub fn secrets(&self) -> PathBuf {
        self.path.join("secrets")
    }

    /// A secret's content, generated at its first use.
    pub fn secret(&self, secret: &Secret) -> Result<String, DataError> {
        let read_or_make = || {
            let folder = self.secrets();
            create(&folder)?;
            let path = folder.join(format!("{}.json", secret.id));
            match fs::read_to_string(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let content = generate(secret)?;
                    write_private(&path, &content)?;
                    Ok(content)
                }
                result => result,
            }
        };
        read_or_make().map_err(|source| DataError::Io { path: self.path.clone(), source })
    }
}

/// A folder that only its owner may enter.
fn create(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Written aside and renamed, so that a crash leaves all of it or nothing.
pub(crate) fn write_private(path: &Path, content: &str) -> io::Result<()> {
    let aside = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&aside)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    fs::rename(&aside, path)
}

/// The template's JSON with a random text under its key, as Secrets Manager does it.
fn generate(secret: &Secret) -> io::Result<String> {
    let wanted = &secret.generate_secret_string;
    let mut content = wanted.secret_string_template.clone();
    content.insert(wanted.generate_string_key.clone(), Value::String(random_text(wanted.password_length)?));
    Ok(Value::Object(content).to_string())
}

/// Letters and digits, from the system's randomness.
fn random_text(length: usize) -> io::Result<String> {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(length);
    let mut bytes = [0; 64];
    while text.len() < length {
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        // 248 is four times 62: no character is likelier than another.
        let fair = bytes.iter().filter(|byte| **byte < 248).take(length - text.len());
        text.extend(fair.map(|byte| char::from(ALPHABET[usize::from(byte % 62)])));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        let mut secret: Secret = serde_json::from_value(serde_json::json!({
            "GenerateSecretString": { "SecretStringTemplate": "{}", "GenerateStringKey": "current", "PasswordLength": 64 }
        }))
        .unwrap();
        secret.id = "SigningKeys".to_owned();
        secret
    }

    #[test]
    fn a_secret_is_made_once_and_kept_private() {
        let parent = tempfile::tempdir().unwrap();
        let data = Data::Dir(parent.path().join("data"));
        let first = Folder::open(&data).unwrap().secret(&secret()).unwrap();
        let folder = Folder::open(&data).unwrap();
        assert_eq!(folder.secret(&secret()).unwrap(), first);
        let value: Value = serde_json::from_str(&first).unwrap();
        let current = value["current"].as_str().unwrap();
        assert_eq!(current.len(), 64);
        assert!(current.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(folder.path().join("secrets/SigningKeys.json")), 0o600);
            assert_eq!(mode(folder.path().to_owned()), 0o700);
        }
    }

    #[test]
    fn a_folder_serves_one_run_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let data = Data::Dir(parent.path().to_owned());
        let first = Folder::open(&data).unwrap();
        let error = Folder::open(&data).err().unwrap().to_string();
        assert_eq!(error, format!("the data folder {} is in use by another run", parent.path().display()));
        drop(first);
        assert!(Folder::open(&data).is_ok());
    }
}
