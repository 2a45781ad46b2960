//! Notifications: told by the `notify` worker, read by their owner.
//!
//! Every telling moves the owner's read mark, on condition that the mark is as it was read: so one comes after another,
//! and what was read beside the mark (the open group, how far all is read) still holds when it is written. Reading all
//! moves the mark too. Who was slower reads again.

use crate::App;
use crate::error::{Error, Result};
use crate::ids::{NotificationId, UserId};
use crate::models::notification::{
    Act, GROUP_WINDOW, NOTIFICATION_LIFETIME, Notification, NotificationDone, NotificationEvent, NotificationGroup,
    ReadMark,
};
use crate::table::client::{TRANSACTION_OPS, back_off};
use crate::table::design::{Key, key};
use crate::table::{Condition, Op, Order, Read};
use futures::future::{try_join, try_join3};

/// So often is a mark read again that somebody else has moved: about five seconds, well inside a request's timeout.
const ATTEMPTS: u32 = 20;

fn moved_each_time() -> Error {
    Error::unavailable("the read mark was moved by others at each attempt")
}

/// Tells the owner of an act, once per kind, target and actor: in the list if it is to be `listed`. Answers the note of
/// the telling, which is an earlier act's where that was told already.
///
/// # Errors
/// Unavailable; then telling again is right.
pub async fn tell(app: &App, act: &Act, listed: bool) -> Result<NotificationDone> {
    for attempt in 0..ATTEMPTS {
        let (done, mark, open) =
            try_join3(find_done(app, act), read_mark(app, act.owner), open_group(app, act)).await?;
        if let Some(done) = done {
            return Ok(done);
        }
        let now = app.now();
        let done = NotificationDone { event: act.event, mailed: false, ttl: (now + NOTIFICATION_LIFETIME).seconds() };
        // Expired ones may lie there for days yet.
        let first = Condition::Any(vec![Condition::Missing, Condition::less("ttl", now.seconds())]);
        let mut ops = vec![Op::put(done_key(act), &done)?.when(first)];
        if listed {
            let open = open.filter(|group| !group.is_read(&mark));
            ops.extend(listing(app, act, &mark, open.as_ref())?);
        }
        match app.table().transact(ops).await {
            Ok(()) => return Ok(done),
            Err(error) => error.refused()?,
        };
        back_off(attempt).await;
    }
    Err(moved_each_time())
}

fn done_key(act: &Act) -> Key {
    key::notification_done(act.owner, act.kind, act.post, act.actor)
}

async fn find_done(app: &App, act: &Act) -> Result<Option<NotificationDone>> {
    Ok(app.table().get(&done_key(act), Read::Strong).await?)
}

/// The group that the act would join.
async fn open_group(app: &App, act: &Act) -> Result<Option<Notification>> {
    let pointer = key::notification_group(act.owner, act.kind, act.post);
    match app.table().get::<NotificationGroup>(&pointer, Read::Strong).await? {
        Some(group) => Ok(app.table().get(&key::notification(act.owner, group.id), Read::Strong).await?),
        None => Ok(None),
    }
}

/// The writes that put an act into the list: the event, and the group it opens or joins.
fn listing(app: &App, act: &Act, mark: &ReadMark, open: Option<&Notification>) -> Result<Vec<Op>> {
    let Act { kind, owner, actor, post, event } = *act;
    let now = app.now();
    let (id, ttl) = (mark.next_id(event, now), (now + NOTIFICATION_LIFETIME).seconds());
    let told = NotificationEvent { id, group: open.map_or(id, |group| group.id), kind, post, actor, ttl };
    let moved = Op::update(key::read_mark(owner))
        .set("last", id)
        .when(unchanged("last", mark.last))
        .when(unchanged("upto", mark.upto));
    let mut ops = vec![Op::create(key::notification_event(owner, id), &told)?];
    if let Some(group) = open {
        let joined = Op::update(key::notification(owner, group.id))
            .add("n", 1)
            .set("actors", group.actors_with(actor))
            .set("last", id);
        ops.push(joined.when(Condition::Exists).when(Condition::Without("read")));
        ops.push(moved);
    } else {
        let group = Notification { id, kind, post, actors: vec![actor], n: 1, last: id, read: false, ttl };
        let pointer = NotificationGroup { id, ttl: (now + GROUP_WINDOW).seconds() };
        ops.push(Op::create(key::notification(owner, id), &group)?);
        ops.push(Op::put(key::notification_group(owner, kind, post), &pointer)?);
        ops.push(moved.add("unread", 1));
    }
    Ok(ops)
}

fn unchanged(name: &'static str, value: Option<NotificationId>) -> Condition {
    value.map_or(Condition::Without(name), |value| Condition::equal(name, value))
}

/// Notes that a mail told of the act.
///
/// # Errors
/// Unavailable.
pub async fn mark_mailed(app: &App, act: &Act) -> Result<()> {
    let op = Op::update(done_key(act)).set("mailed", true).when(Condition::Exists);
    match app.table().write(op).await {
        Ok(_) => Ok(()),
        Err(error) => error.refused().map(|_| ()),
    }
}

/// Notifications, newest first, and where the next page starts. Access pattern 16.
///
/// # Errors
/// Unavailable.
pub async fn page(
    app: &App,
    owner: UserId,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<Notification>, Option<String>)> {
    let rows = app.table().query(&key::notifications(owner), Order::NewestFirst, Read::Strong, limit, after).await?;
    Ok((rows.items.iter().map(|item| item.read()).collect::<Result<_, _>>()?, rows.next))
}

/// The sort key of a notification in its owner's list, for a page that starts after it.
pub fn position(owner: UserId, id: NotificationId) -> String {
    key::notification(owner, id).sk().to_owned()
}

/// Events newer than `since`, oldest first, and where the next page starts. Access pattern 17.
///
/// # Errors
/// Unavailable.
pub async fn after(
    app: &App,
    owner: UserId,
    since: NotificationId,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<NotificationEvent>, Option<String>)> {
    let since = key::notification_event(owner, since);
    let after = after.unwrap_or(since.sk());
    let range = key::notification_events(owner);
    let rows = app.table().query(&range, Order::OldestFirst, Read::Eventual, limit, Some(after)).await?;
    Ok((rows.items.iter().map(|item| item.read()).collect::<Result<_, _>>()?, rows.next))
}

/// The notifications of these ids that are there; 1 unit each.
///
/// # Errors
/// Unavailable.
pub async fn load(app: &App, owner: UserId, ids: &[NotificationId]) -> Result<Vec<Notification>> {
    let keys: Vec<_> = ids.iter().map(|id| key::notification(owner, *id)).collect();
    Ok(app.table().batch_get(&keys, Read::Strong).await?.into_iter().flatten().collect())
}

/// How many are unread, and up to where all are read. Access pattern 18.
///
/// # Errors
/// Unavailable.
pub async fn read_mark(app: &App, owner: UserId) -> Result<ReadMark> {
    Ok(app.table().get(&key::read_mark(owner), Read::Strong).await?.unwrap_or_default())
}

/// Marks notifications read, named by their own ids or by those of any of their events. Others' and unknown ids do
/// nothing.
///
/// # Errors
/// Unavailable.
pub async fn mark_read(app: &App, owner: UserId, ids: &[NotificationId]) -> Result<()> {
    // A notification has its first event's id, so the events name every one.
    let keys: Vec<_> = ids.iter().map(|id| key::notification_event(owner, *id)).collect();
    let events = app.table().batch_get::<NotificationEvent>(&keys, Read::Strong).await?;
    let mut groups: Vec<_> = events.into_iter().flatten().map(|event| event.group).collect();
    groups.sort_unstable();
    groups.dedup();
    for chunk in groups.chunks(TRANSACTION_OPS - 1) {
        mark_groups_read(app, owner, chunk).await?;
    }
    Ok(())
}

async fn mark_groups_read(app: &App, owner: UserId, ids: &[NotificationId]) -> Result<()> {
    for attempt in 0..ATTEMPTS {
        let (mark, groups) = try_join(read_mark(app, owner), load(app, owner, ids)).await?;
        let unread = groups.iter().filter(|group| !group.is_read(&mark)).map(|group| group.id);
        let unread = unread.map(|id| Op::update(key::notification(owner, id)).set("read", true));
        let mut ops: Vec<_> =
            unread.map(|op| op.when(Condition::Exists).when(Condition::Without("read"))).collect();
        let Some(n) = i64::try_from(ops.len()).ok().filter(|n| *n > 0) else { return Ok(()) };
        ops.push(Op::update(key::read_mark(owner)).add("unread", -n).when(unchanged("upto", mark.upto)));
        match app.table().transact(ops).await {
            Ok(()) => return Ok(()),
            Err(error) => error.refused()?,
        };
        back_off(attempt).await;
    }
    Err(moved_each_time())
}

/// Marks all read that was told until now.
///
/// # Errors
/// Unavailable.
pub async fn mark_all_read(app: &App, owner: UserId) -> Result<()> {
    for attempt in 0..ATTEMPTS {
        let mark = read_mark(app, owner).await?;
        let Some(last) = mark.last.filter(|last| !mark.covers(*last)) else { return Ok(()) };
        let op = Op::update(key::read_mark(owner)).set("upto", last).set("unread", 0);
        match app.table().write(op.when(Condition::equal("last", last))).await {
            Ok(_) => return Ok(()),
            Err(error) => error.refused()?,
        };
        back_off(attempt).await;
    }
    Err(moved_each_time())
}
