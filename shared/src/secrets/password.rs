//! Password hashes: Argon2id at OWASP's parameters.
//!
//! <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>: 19 MiB of memory, two passes,
//! one lane.

use crate::error::{Error, Result};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use unicode_normalization::UnicodeNormalization;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// What an unknown user's password is compared with, so that it takes as long as a known one's: a hash, made with
/// the parameters above, that no password matches.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Two hashes at a time per process: each holds 19 MiB and a core.
static SEATS: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(2);

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The PHC string of a password, with a salt of its own.
pub async fn hash(password: &str) -> Result<String> {
    let password = password.to_owned();
    off_the_executor(move || {
        let hash = argon2()?.hash_password(password.as_bytes());
        hash.map(|hash| hash.to_string()).map_err(|error| Error::internal(error.to_string()))
    })
    .await
}

/// Whether the password is the one hashed; without a hash the same time passes and the answer is no.
pub async fn verify(password: &str, hash: Option<&str>) -> Result<bool> {
    let (password, hash) = (password.to_owned(), hash.unwrap_or(NOBODY).to_owned());
    off_the_executor(move || {
        let parsed = PasswordHash::new(&hash).map_err(|error| Error::internal(error.to_string()))?;
        let argon2 = argon2()?;
        let is_it = |text: &str| argon2.verify_password(text.as_bytes(), &parsed).is_ok();
        // A hash may be older than the rule by which passwords are composed.
        let decomposed: String = password.nfd().collect();
        Ok(is_it(&password) || (decomposed != password && is_it(&decomposed)))
    })
    .await
}

/// Whether the hash was made with other parameters than today's.
pub fn is_outdated(hash: &str) -> bool {
    !hash.starts_with(&format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$"))
}

async fn off_the_executor<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let seat = SEATS.acquire().await.map_err(Error::internal)?;
    // The work holds the seat: it goes on when the request that waits for it is dropped.
    let seated = move || {
        let _seat = seat;
        work()
    };
    tokio::task::spawn_blocking(seated).await.map_err(Error::internal)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_knows_its_password_alone() {
        let hash = hash("correct horse").await.unwrap();
        assert!(verify("correct horse", Some(&hash)).await.unwrap());
        assert!(!verify("correct horsf", Some(&hash)).await.unwrap());
        assert!(!verify("correct horse", None).await.unwrap());
        let decomposed = super::hash("cafe\u{301} au lait").await.unwrap();
        assert!(verify("café au lait", Some(&decomposed)).await.unwrap(), "one of before");
        assert!(!is_outdated(&hash) && !is_outdated(NOBODY));
        assert!(is_outdated("$argon2id$v=19$m=4096,t=3,p=1$x$y"));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn work_whose_request_was_dropped_keeps_its_seat_until_it_is_done() {
        let (finish, waits) = std::sync::mpsc::channel::<()>();
        let (started, has_started) = tokio::sync::oneshot::channel();
        let work = off_the_executor(move || {
            let _ = started.send(());
            waits.recv().map_err(Error::internal)
        });
        let request = tokio::spawn(work);
        has_started.await.unwrap();
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        // Other tests may have a seat too: of both, one is never free while the work runs.
        let both = std::time::Duration::from_millis(100);
        assert!(tokio::time::timeout(both, SEATS.acquire_many(2)).await.is_err(), "its seat is free");
        finish.send(()).unwrap();
        let free = tokio::time::timeout(std::time::Duration::from_secs(30), SEATS.acquire_many(2));
        drop(free.await.unwrap().unwrap());
    }
}
