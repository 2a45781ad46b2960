use super::Durability;
use rusqlite::Connection;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// One connection to a SQLite file. Calls run on the blocking pool, one at a time.
#[derive(Clone)]
pub(super) struct Sqlite(Arc<Mutex<Connection>>);

impl Sqlite {
    /// Opens or makes the file and runs `schema`, which must do no harm when it is run again.
    pub(super) fn open(file: &Path, durability: Durability, schema: &str) -> io::Result<Self> {
        let open = || {
            let connection = Connection::open(file)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            let synchronous = match durability {
                Durability::Full => "FULL",
                Durability::Fast => "OFF",
            };
            connection.pragma_update(None, "synchronous", synchronous)?;
            connection.execute_batch(schema)?;
            Ok::<_, rusqlite::Error>(connection)
        };
        let connection = open().map_err(|error| io::Error::other(format!("{}: {error}", file.display())))?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    pub(super) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let connection = self.0.clone();
        // A panic in `work` rolled its transaction back: the connection is still good.
        blocking(move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

/// Runs what blocks where it may.
pub(super) async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> io::Result<T>
where
    T: Send + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await?.map_err(io::Error::other)
}
