//! Finding people: a row under each beginning of their names.

use crate::App;
use crate::backpressure::EDGE_REFUSALS;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::models::following::Followers;
use crate::models::names::{Named, Names, NamesIndexed, Rank, rows_of};
use crate::models::user::Profile;
use crate::table::design::key;
use crate::table::{Condition, Op, Order, Read, Rows};
use futures::future::try_join3;

/// Rows of several words read at once in search of all of them, and how often for one page.
const SEARCHED: usize = 100;
const SEARCHES: usize = 4;

/// People with these names, and where the next page starts: whole names first, then by how widely they are followed.
/// Half a unit for one word, eight at most for several. Access pattern 37.
///
/// # Errors
/// Unavailable.
pub async fn page(
    app: &App,
    asked: &Names,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<UserId>, Option<String>)> {
    let Some(word) = asked.longest() else { return Ok((Vec::new(), None)) };
    let (range, mut after) = (key::names(word), after.map(str::to_owned));
    let rows_at_once = if asked.is_one() { limit } else { SEARCHED };
    let mut found = Vec::new();
    for _ in 0..SEARCHES {
        let rows =
            app.table().query(&range, Order::OldestFirst, Read::Eventual, rows_at_once, after.as_deref()).await?;
        for row in &rows.items {
            let Some((id, named)) = key::named(row.sk()).zip(row.readable::<Named>()) else { continue };
            if named.names.have(asked) {
                found.push(id);
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
///
/// # Errors
/// Unavailable.
pub async fn under(app: &App, beginning: &str, limit: usize) -> Result<Rows> {
    let range = key::names(beginning);
    app.table().query(&range, Order::OldestFirst, Read::Eventual, limit, None).await.map_err(Error::from)
}

/// Has somebody be found by the names they have now, where they stand now, and by nothing else; whoever is gone or
/// suspended, by nothing.
///
/// # Errors
/// Unavailable: doing it again is right.
pub async fn index(app: &App, id: UserId) -> Result<()> {
    for _ in 0..EDGE_REFUSALS {
        let (profile, followers, known) = (key::profile(id), key::followers(id), key::names_indexed(id));
        let table = app.table();
        let (profile, followers, known) = try_join3(
            table.get::<Profile>(&profile, Read::Strong),
            table.get::<Followers>(&followers, Read::Strong),
            table.get::<NamesIndexed>(&known, Read::Strong),
        )
        .await?;
        let profile = profile.filter(Profile::is_standing);
        let rank = followers.as_ref().map_or(Rank::by(0), Rank::of);
        let done = profile.as_ref().map(|profile| (profile.ver, rank));
        if known.as_ref().and_then(|known| known.done) == done && known.is_some() == profile.is_some() {
            return Ok(());
        }
        let names = profile.as_ref().map(Names::of).unwrap_or_default();
        let wanted = profile.as_ref().map(|profile| rows_of(profile, rank)).unwrap_or_default();
        let known = known.unwrap_or_default();
        // All that may be there from now on, first: whoever comes after a crash knows what to take away.
        let all = NamesIndexed { rows: known.rows.union(&wanted).cloned().collect(), done: None, n: known.n + 1 };
        if !replace(app, id, known.n, Some(&all)).await? {
            continue;
        }
        let named = Named { names };
        let write = |row| match wanted.contains(row) {
            true => Op::put(key::name_row(row, id), &named),
            false => Ok(Op::delete(key::name_row(row, id))),
        };
        app.table().batch_write(all.rows.iter().map(write).collect::<Result<_, _>>()?).await?;
        let done = profile.map(|_| NamesIndexed { rows: wanted, done, n: all.n + 1 });
        // Changed meanwhile, it has another version in the next round.
        replace(app, id, all.n, done.as_ref()).await?;
    }
    Err(Error::unavailable("somebody is changed faster than they are indexed"))
}

/// Writes what somebody is found by, if nobody else did since it was read.
async fn replace(app: &App, id: UserId, n: u64, new: Option<&NamesIndexed>) -> Result<bool> {
    let op = match new {
        Some(new) => Op::put(key::names_indexed(id), new)?,
        None => Op::delete(key::names_indexed(id)),
    };
    let as_read = if n == 0 { Condition::Missing } else { Condition::equal("n", n) };
    match app.table().write(op.when(as_read)).await {
        Ok(_) => Ok(true),
        Err(error) => error.refused().map(|_| false),
    }
}
