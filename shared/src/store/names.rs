//! Finding people: a row under each beginning of their names.

use crate::App;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::limits::EDGE_REFUSALS;
use crate::models::following::Followers;
use crate::models::names::{Change, Named, Names, NamesIndexed, Rank};
use crate::models::user::Profile;
use crate::table::client::back_off;
use crate::table::design::key;
use crate::table::writes::TRANSACTION_OPS;
use crate::table::{Condition, Op, Order, Read, Rows};
use futures::future::try_join3;

/// Rows of several words read at once in search of all of them, and how often for one page.
const SEARCHED: usize = 100;
const SEARCHES: usize = 4;

/// People with these names, each with the class of the match (the row's), and where the next page starts: the best class
/// first, in it the most widely followed. Half a unit for one word, eight at most for several. Access pattern 37.
pub async fn page(
    app: &App,
    asked: &Names,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<(char, UserId)>, Option<String>)> {
    let Some(word) = asked.longest() else { return Ok((Vec::new(), None)) };
    let (range, mut after) = (key::names(word), after.map(str::to_owned));
    let rows_at_once = if asked.is_one() { limit } else { SEARCHED };
    let mut found = Vec::new();
    for _ in 0..SEARCHES {
        let rows =
            app.table().query(&range, Order::OldestFirst, Read::Eventual, rows_at_once, after.as_deref()).await?;
        for row in &rows.items {
            let entry = key::name_class(row.sk()).zip(key::named(row.sk()));
            let Some((entry, named)) = entry.zip(row.readable::<Named>()) else { continue };
            if named.names.have(asked) {
                found.push(entry);
                if found.len() == limit {
                    // Where it is the last, the next page is empty.
                    return Ok((found, Some(row.sk().to_owned())));
                }
            }
        }
        after = rows.next;
        if after.is_none() {
            break;
        }
    }
    Ok((found, after))
}

/// Those under a beginning, most widely followed first. Access pattern 37.
pub async fn under(app: &App, beginning: &str, limit: usize) -> Result<Rows> {
    let range = key::names(beginning);
    app.table().query(&range, Order::OldestFirst, Read::Eventual, limit, None).await.map_err(Error::from)
}

/// Has somebody be found by the names they have now, where they stand now, and by nothing else; a user who is gone or
/// suspended, by nothing. Rows change together with the note of them, so under concurrent runs none is left that is not
/// noted.
///
/// # Errors
/// A service does not answer; repeating the call is safe.
pub async fn index(app: &App, id: UserId) -> Result<()> {
    let mut refusals = 0;
    while refusals < EDGE_REFUSALS {
        let (profile, followers, known) = (key::profile(id), key::followers(id), key::names_indexed(id));
        let table = app.table();
        let (profile, followers, known) = try_join3(
            table.get::<Profile>(&profile, Read::Strong),
            table.get::<Followers>(&followers, Read::Strong),
            table.get::<NamesIndexed>(&known, Read::Strong),
        )
        .await?;
        let rank = followers.as_ref().map_or(Rank::by(0), Rank::of);
        let profile = profile.filter(Profile::is_active);
        let wanted = profile.map(|profile| NamesIndexed::wanted(&profile, rank)).unwrap_or_default();
        let Some(ops) = step(id, known, &wanted)? else { return Ok(()) };
        let Err(error) = app.table().transact(ops).await else { continue };
        error.refused()?;
        refusals += 1;
        back_off(refusals).await;
    }
    Err(Error::unavailable("somebody is changed faster than they are indexed"))
}

/// The next transaction towards what is wanted; None when all is as wanted.
fn step(id: UserId, known: Option<NamesIndexed>, wanted: &NamesIndexed) -> Result<Option<Vec<Op>>> {
    let as_read = known.as_ref().map_or(Condition::Missing, |known| Condition::equal("n", known.n));
    let Some(Change { note, puts, deletes }) = known.unwrap_or_default().towards(wanted, TRANSACTION_OPS - 1) else {
        return Ok(None);
    };
    let note = match note {
        Some(note) => Op::put(key::names_indexed(id), &note)?,
        None => Op::delete(key::names_indexed(id)),
    };
    let named = Named { names: wanted.names.clone() };
    let puts = puts.iter().map(|row| Op::put(key::name_row(row, id), &named).map_err(Error::from));
    let deletes = deletes.iter().map(|row| Ok(Op::delete(key::name_row(row, id))));
    std::iter::once(Ok(note.when(as_read))).chain(deletes).chain(puts).collect::<Result<_>>().map(Some)
}
