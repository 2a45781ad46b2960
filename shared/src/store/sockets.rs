//! Open sockets. A user has a few places for them, so that conditions hold their number under concurrent opens.

use crate::App;
use crate::error::{Error, Result};
use crate::ids::{SessionId, UserId};
use crate::limits::EDGE_REFUSALS;
use crate::models::socket::{Channel, MAX_SOCKETS, SOCKET_IDLE, SOCKET_LIFETIME, Socket, SocketOwner};
use crate::table::client::back_off;
use crate::table::design::key;
use crate::table::{Condition, Op, Order, Read};

/// Somebody's open sockets, in the order of their places. Access pattern 39.
pub async fn of_user(app: &App, user: UserId) -> Result<Vec<Socket>> {
    let rows = app.table().query(&key::sockets(user), Order::OldestFirst, Read::Strong, MAX_SOCKETS, None).await?;
    Ok(rows.items.iter().map(|item| item.read()).collect::<Result<_, _>>()?)
}

/// Notes an open socket while the session stands. Answers the oldest one, which has to make room where all places are
/// taken. Of two that open at once each gets a place of its own.
///
/// # Errors
/// 401 when the session has ended.
pub async fn open(app: &App, user: UserId, session: SessionId, channel: Channel, id: &str) -> Result<Option<Socket>> {
    // Those that open at once begin to look at different places.
    let first = id.bytes().fold(0, |sum, byte| sum + usize::from(byte));
    for attempt in 0..EDGE_REFUSALS {
        let open = of_user(app, user).await?;
        let mut slots = (0..MAX_SOCKETS).map(|n| (first + n) % MAX_SOCKETS);
        let free = slots.find(|slot| open.iter().all(|one| one.slot != *slot));
        let oldest = match free {
            Some(_) => None,
            None => open.into_iter().min_by_key(|one| one.opened),
        };
        let Some(slot) = free.or(oldest.as_ref().map(|one| one.slot)) else { break };
        let now = app.now();
        let ttl = (now + SOCKET_LIFETIME + SOCKET_IDLE).seconds();
        let socket = Socket { user, slot, id: id.to_owned(), channel, session, opened: now, ttl };
        let as_read = match &oldest {
            Some(oldest) => Condition::equal("id", &oldest.id),
            // Expired ones may lie there for days yet.
            None => Condition::Any(vec![Condition::Missing, Condition::less("ttl", now.seconds() + 1)]),
        };
        let mut ops = vec![
            Op::check(key::session(user, session), Condition::Exists),
            Op::put(key::socket(user, slot), &socket)?.when(as_read),
            Op::put(key::socket_owner(id), &SocketOwner { user, slot, ttl })?,
        ];
        ops.extend(oldest.iter().map(|oldest| Op::delete(key::socket_owner(&oldest.id))));
        match app.table().transact(ops).await {
            Ok(()) => return Ok(oldest),
            Err(error) => {
                if error.refused()?.has(0) {
                    return Err(Error::unauthorized("This session has ended. Sign in again."));
                }
            }
        }
        back_off(attempt).await;
    }
    Err(Error::unavailable("sockets open faster than they get places"))
}

/// Forgets a socket that has closed. Idempotent. Access pattern 40.
pub async fn closed(app: &App, id: &str) -> Result<()> {
    match app.table().get::<SocketOwner>(&key::socket_owner(id), Read::Strong).await? {
        Some(owner) => purge(app, owner.user, owner.slot, id).await,
        None => Ok(()),
    }
}

/// Forgets a socket of which all is known.
pub async fn purge(app: &App, user: UserId, slot: usize, id: &str) -> Result<()> {
    let ops =
        vec![Op::delete(key::socket(user, slot)).when(Condition::equal("id", id)), Op::delete(key::socket_owner(id))];
    match app.table().transact(ops).await {
        Ok(()) => Ok(()),
        // Another one has the place, and with it went this one's name.
        Err(error) => error.refused().map(|_| ()),
    }
}

/// The socket in one of somebody's places.
pub async fn at(app: &App, user: UserId, slot: usize) -> Result<Option<Socket>> {
    Ok(app.table().get(&key::socket(user, slot), Read::Strong).await?)
}

/// Whether a socket has a place. One that opened while its session ended, or while another took its place, has none.
pub async fn is_known(app: &App, id: &str) -> Result<bool> {
    Ok(app.table().get::<SocketOwner>(&key::socket_owner(id), Read::Strong).await?.is_some())
}
