//! Notifications: told by the `notify` worker, read by their owner.
//!
//! Every telling moves the owner's read mark, on condition that the mark is as it was read: so one comes after another,
//! and what was read after the mark (the open group, what was told already) still holds when it is written. Reading all
//! moves the mark too. Who was slower reads again.
//!
//! One telling takes many acts, for the mark can move only some dozen times a second, and a hot post is liked more often.

use super::mails::{self, Claim};
use crate::App;
use crate::backpressure::MARK_REFUSALS;
use crate::error::{Error, Result};
use crate::ids::{NotificationId, UserId};
use crate::models::notification::{
    Act, GROUP_WINDOW, NOTIFICATION_LIFETIME, Notification, NotificationDone, NotificationEvent, NotificationGroup,
    NotificationKind, ReadMark, Topic,
};
use crate::table::client::{TRANSACTION_OPS, back_off};
use crate::table::design::{Key, key};
use crate::table::{Condition, Op, Order, Read};
use futures::future::{try_join, try_join3};
use std::collections::HashMap;
use ulid::Ulid;

fn moved_each_time() -> Error {
    Error::unavailable("the read mark was moved by others at each attempt")
}

/// Acts told at once: each takes two operations of the transaction, or three for a comment; and the post, the
/// group, its pointer and the mark take four.
pub const fn most_acts(kind: NotificationKind) -> usize {
    let operations = if matches!(kind, NotificationKind::Comment) { 3 } else { 2 };
    (TRANSACTION_OPS - 4) / operations
}

/// Tells the topic's owner of acts, at most [`most_acts`]: each once per kind, target and actor (a comment is a target of
/// its own), and in the list if they are to be `listed`. Answers those that a mail may tell of: told now or by an earlier
/// delivery of the same message, and not mailed yet.
///
/// # Errors
/// Unavailable; then telling again is right.
pub async fn tell(app: &App, topic: &Topic, acts: &[Act], listed: bool) -> Result<Vec<Act>> {
    for attempt in 0..MARK_REFUSALS {
        // The mark first: what changes after it is read makes the transaction fail.
        let mark = read_mark(app, topic.owner).await?;
        let (done, open, joined) =
            try_join3(find_done(app, topic, acts), open_group(app, topic), find_joined(app, topic, acts)).await?;
        let to_mail = |(act, done): (&Act, &Option<NotificationDone>)| match done {
            Some(done) => (done.event == act.event && !done.mailed).then_some(*act),
            None => Some(*act),
        };
        let unmailed = acts.iter().zip(&done).filter_map(to_mail).collect();
        let new: Vec<Act> = acts.iter().zip(&done).filter(|(_, done)| done.is_none()).map(|(act, _)| *act).collect();
        if new.is_empty() {
            return Ok(unmailed);
        }
        let mut ops = new.iter().map(|act| note(app, topic, act)).collect::<Result<Vec<_>>>()?;
        let noted = ops.len();
        // What is told of a post goes with it: none may come after.
        ops.extend(topic.post.map(|post| Op::check(key::post(post), Condition::Exists)));
        if listed {
            let open = open.filter(|group| !group.is_read(&mark));
            ops.extend(listing(app, topic, &new, mark, open, joined)?);
        }
        match app.table().transact(ops).await {
            Ok(()) => return Ok(unmailed),
            Err(error) => {
                if error.refused()?.has(noted) && topic.post.is_some() {
                    return Ok(Vec::new());
                }
            }
        }
        back_off(attempt).await;
    }
    Err(moved_each_time())
}

async fn find_done(app: &App, topic: &Topic, acts: &[Act]) -> Result<Vec<Option<NotificationDone>>> {
    let keys: Vec<_> = acts.iter().map(|act| done_key(topic, act)).collect();
    Ok(app.table().batch_get(&keys, Read::Strong).await?)
}

fn done_key(topic: &Topic, act: &Act) -> Key {
    key::notification_done(topic.owner, topic.kind, topic.comment(act).or(topic.post), act.actor)
}

/// Where it is noted whose comment joined which group, for one may comment twice.
fn joined_key(topic: &Topic, actor: UserId) -> Key {
    key::notification_done(topic.owner, topic.kind, topic.post, actor)
}

/// Who joined which group last.
async fn find_joined(app: &App, topic: &Topic, acts: &[Act]) -> Result<HashMap<UserId, Ulid>> {
    if topic.kind != NotificationKind::Comment {
        return Ok(HashMap::new());
    }
    let keys: Vec<_> = acts.iter().map(|act| joined_key(topic, act.actor)).collect();
    let found = app.table().batch_get::<NotificationDone>(&keys, Read::Strong).await?;
    Ok(acts.iter().zip(found).filter_map(|(act, joined)| Some((act.actor, joined?.event))).collect())
}

/// The group that acts would join.
async fn open_group(app: &App, topic: &Topic) -> Result<Option<Notification>> {
    let pointer = key::notification_group(topic.owner, topic.kind, topic.post);
    match app.table().get::<NotificationGroup>(&pointer, Read::Strong).await? {
        Some(group) => Ok(app.table().get(&key::notification(topic.owner, group.id), Read::Strong).await?),
        None => Ok(None),
    }
}

/// The write that notes that an act is told.
fn note(app: &App, topic: &Topic, act: &Act) -> Result<Op> {
    let now = app.now();
    let done = NotificationDone { event: act.event, mailed: false, ttl: (now + NOTIFICATION_LIFETIME).seconds() };
    // Expired ones may lie there for days yet.
    let first = Condition::Any(vec![Condition::Missing, Condition::less("ttl", now.seconds())]);
    Ok(Op::put(done_key(topic, act), &done)?.when(first).owned_by(act.actor))
}

/// The writes that put acts into the list: their events, and the group they open or join.
fn listing(
    app: &App,
    topic: &Topic,
    acts: &[Act],
    mut mark: ReadMark,
    open: Option<Notification>,
    mut joined: HashMap<UserId, Ulid>,
) -> Result<Vec<Op>> {
    let Topic { kind, owner, post } = *topic;
    let now = app.now();
    let ttl = (now + NOTIFICATION_LIFETIME).seconds();
    let as_read = Condition::All(vec![unchanged("last", mark.last), unchanged("upto", mark.upto)]);
    let told: Vec<_> = acts.iter().map(|act| (act, mark.next_id(act.event, now))).collect();
    let Some((_, first)) = told.first().copied() else { return Ok(Vec::new()) };
    let was = open.as_ref().map(|group| group.n);
    let mut group = open.unwrap_or_else(|| Notification::opened(first, topic, ttl));
    let mut ops = Vec::new();
    for (act, id) in told {
        let (actor, comment) = (act.actor, topic.comment(act));
        let event = NotificationEvent { id, group: group.id, kind, post, comment, actor, ttl };
        ops.push(Op::create(key::notification_event(owner, id), &event)?.owned_by(actor));
        let again = joined.insert(actor, group.id.ulid()) == Some(group.id.ulid());
        group.join(&event, again);
        if comment.is_some() && !again {
            let row = NotificationDone { event: group.id.ulid(), mailed: false, ttl };
            ops.push(Op::put(joined_key(topic, actor), &row)?.owned_by(actor));
        }
    }
    if let Some(was) = was {
        ops.push(grown(owner, &group, was));
    } else {
        let pointer = NotificationGroup { id: group.id, ttl: (now + GROUP_WINDOW).seconds() };
        ops.push(Op::create(key::notification(owner, group.id), &group)?);
        ops.push(Op::put(key::notification_group(owner, kind, post), &pointer)?);
    }
    let moved = Op::update(key::read_mark(owner)).set("last", group.last).add("unread", i64::from(was.is_none()));
    ops.push(moved.when(as_read));
    Ok(ops)
}

/// The write of a group that events have joined, which had so many.
fn grown(owner: UserId, group: &Notification, was: u64) -> Op {
    let op = Op::update(key::notification(owner, group.id));
    let op = op.set("n", group.n).set("again", group.again).set("actors", &group.actors);
    let op = op.set("last", group.last);
    let op = match group.comment {
        Some(comment) => op.set("comment", comment),
        None => op,
    };
    // None was taken out of it meanwhile, either.
    op.when(Condition::equal("n", was)).when(Condition::Without("read"))
}

pub(super) fn unchanged(name: &'static str, value: Option<NotificationId>) -> Condition {
    value.map_or(Condition::Without(name), |value| Condition::equal(name, value))
}

/// Takes the mail that tells of the act upon oneself. None when it was sent.
///
/// # Errors
/// Unavailable, also when somebody else is at it.
pub async fn claim_mail(app: &App, topic: &Topic, act: &Act) -> Result<Option<Claim>> {
    mails::claim(app, done_key(topic, act)).await
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
    for attempt in 0..MARK_REFUSALS {
        let (mark, groups) = try_join(read_mark(app, owner), load(app, owner, ids)).await?;
        let unread = groups.iter().filter(|group| !group.is_read(&mark)).map(|group| group.id);
        let unread = unread.map(|id| Op::update(key::notification(owner, id)).set("read", true));
        let mut ops: Vec<_> = unread.map(|op| op.when(Condition::Exists).when(Condition::Without("read"))).collect();
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
    for attempt in 0..MARK_REFUSALS {
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
