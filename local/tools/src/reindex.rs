//! Indexes anew what an earlier version has indexed: posts by their words, people by their names. A host may run on the
//! table meanwhile, and the command may be given again: what is indexed as this version does it is passed over.

use crate::audit::Target;
use crate::audit::text;
use crate::table::{TableError, on_table};
use futures::{StreamExt, TryStreamExt};
use shared::store;
use shared::table::design::{EntityKey, PARTITION_KEY, SORT_KEY};

/// Posts and people indexed at once.
const AT_ONCE: usize = 8;

/// How many were looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reindexed {
    pub posts: usize,
    pub people: usize,
}

/// Looks at everything in a table that is found by words or names.
///
/// # Errors
/// There is no such table, or it does not answer.
pub async fn reindex(target: &Target) -> Result<Reindexed, TableError> {
    on_table(target, async |app, source| {
        let (mut done, mut after) = (Reindexed::default(), None);
        loop {
            let page = source.page(after).await?;
            let keys =
                page.rows.iter().filter_map(|row| EntityKey::read(text(row, PARTITION_KEY), text(row, SORT_KEY)));
            let keys: Vec<EntityKey> = keys.collect();
            let jobs = futures::stream::iter(keys).map(|key| async move {
                match key {
                    EntityKey::Post(id) | EntityKey::GroupPost(id) | EntityKey::Comment(id) => {
                        store::search::index(app, id).await.map(|()| (1, 0))
                    }
                    EntityKey::Profile(user) => store::names::index(app, user).await.map(|()| (0, 1)),
                    _ => Ok((0, 0)),
                }
            });
            let counts: Vec<(usize, usize)> = jobs.buffer_unordered(AT_ONCE).try_collect().await?;
            done.posts += counts.iter().map(|(posts, _)| posts).sum::<usize>();
            done.people += counts.iter().map(|(_, people)| people).sum::<usize>();
            after = page.next;
            if after.is_none() {
                return Ok(done);
            }
        }
    })
    .await
}
