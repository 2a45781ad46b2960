//! Name cards: who an id is, for lists. Cached in the environment for 30 s, as the contract allows.

use crate::App;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::models::user::Profile;
use crate::table::Read;
use crate::table::design::key;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Names and pictures in lists may be this old.
pub const CARD_LIFETIME: Duration = Duration::from_secs(30);
/// About 10 MB at 500 bytes a card.
const MAX_CARDS: usize = 20_000;

type Known = HashMap<UserId, (Instant, Option<Arc<Profile>>)>;

/// Cards of this environment. Also remembers that somebody is gone.
#[derive(Default)]
pub struct CardCache(Mutex<Known>);

impl CardCache {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Profiles of many, by id; who is gone or suspended is left out. Half a unit for each not cached. Access pattern 4.
pub async fn load(app: &App, ids: impl IntoIterator<Item = UserId>) -> Result<HashMap<UserId, Arc<Profile>>> {
    let mut cards = known(app, ids).await?;
    cards.retain(|_, card| card.is_active());
    Ok(cards)
}

/// One's own card: a session tells that one is not suspended, whatever is cached here. Access pattern 4.
///
/// # Errors
/// 404 for somebody who is gone.
pub async fn own(app: &App, me: UserId) -> Result<Arc<Profile>> {
    known(app, [me]).await?.remove(&me).ok_or_else(Error::not_found)
}

async fn known(app: &App, ids: impl IntoIterator<Item = UserId>) -> Result<HashMap<UserId, Arc<Profile>>> {
    let mut wanted: Vec<UserId> = ids.into_iter().collect();
    wanted.sort_unstable();
    wanted.dedup();
    let (mut cards, mut missing) = (HashMap::new(), Vec::new());
    {
        let known = app.cards().known();
        for id in wanted {
            match known.get(&id) {
                Some((since, card)) if since.elapsed() < CARD_LIFETIME => {
                    cards.extend(card.clone().map(|card| (id, card)));
                }
                _ => missing.push(id),
            }
        }
    }
    if missing.is_empty() {
        return Ok(cards);
    }
    let asked = Instant::now();
    let keys: Vec<_> = missing.iter().map(|id| key::profile(*id)).collect();
    let found = app.table().batch_get_readable::<Profile>(&keys, Read::Confirmed).await?;
    let mut known = app.cards().known();
    if known.len() + missing.len() > MAX_CARDS {
        known.retain(|_, (since, _)| since.elapsed() < CARD_LIFETIME);
        if known.len() + missing.len() > MAX_CARDS {
            known.clear();
        }
    }
    for (id, card) in missing.into_iter().zip(found) {
        let card = card.map(Arc::new);
        known.insert(id, (asked, card.clone()));
        cards.extend(card.map(|card| (id, card)));
    }
    Ok(cards)
}
