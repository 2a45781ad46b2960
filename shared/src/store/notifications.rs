//! Notifications: told by the `notify` worker, read by their owner.
//!
//! Every telling moves the owner's read mark, on condition that the mark is as it was read: so one comes after another,
//! and what was read after the mark (the open group, what was told already) still holds when it is written. Reading all
//! moves the mark too. Who was slower reads again.
//!
//! One telling takes many acts, for the mark can move only some dozen times a second, and a hot post is liked more often.

use super::mails::{self, Claim};
use crate::App;
use crate::error::{Error, Result};
use crate::ids::{NotificationId, UserId};
use crate::limits::MARK_REFUSALS;
use crate::models::notification::{
    Act, GROUP_WINDOW, NOTIFICATION_LIFETIME, Notification, NotificationDone, NotificationEvent, NotificationGroup,
    NotificationKind, Notified, ReadMark, Topic,
};
use crate::models::settings::Ways;
use crate::table::client::back_off;
use crate::table::design::{Key, key};
use crate::table::writes::TRANSACTION_OPS;
use crate::table::{Condition, Op, Order, Read};
use futures::future::{try_join, try_join3};
use std::collections::HashMap;
use ulid::Ulid;

/// Milliseconds after which an act that concerns a group is news again.
const DAY_MS: u64 = 24 * 3_600_000;

fn moved_each_time() -> Error {
    Error::unavailable("the read mark was moved by others at each attempt")
}

/// Acts told at once: each takes two operations of the transaction, or three for a comment; and the post, the
/// group, its pointer and the mark take four.
pub const fn most_acts(kind: NotificationKind) -> usize {
    let operations = if matches!(kind, NotificationKind::Comment) { 3 } else { 2 };
    (TRANSACTION_OPS - 4) / operations
}

/// Notifies the topic's owner of acts, at most [`most_acts`]: each once per kind, target and actor (a comment is a target of
/// its own), and in the list if they want one of such. Answers those told now, and those that an earlier delivery of the
/// same message told: what else tells of them may not have been done yet.
///
/// # Errors
/// The table does not answer; repeating the call is safe.
pub async fn notify(app: &App, topic: &Topic, acts: &[Act], ways: Ways) -> Result<Vec<Notified>> {
    for attempt in 0..MARK_REFUSALS {
        // The mark first: what changes after it is read makes the transaction fail.
        let mark = read_mark(app, topic.owner).await?;
        let (done, open, joined) =
            try_join3(find_done(app, topic, acts), open_group(app, topic), find_joined(app, topic, acts)).await?;
        let mut notified: Vec<Notified> =
            acts.iter().zip(&done).filter_map(|(act, done)| done.as_ref()?.notified(act)).collect();
        let open = open.filter(|group| ways.list && !group.is_read(&mark));
        let (mut moved, now) = (mark, app.now());
        let is_news = |act: &Act, done: &NotificationDone| news_since(topic, act).is_some_and(|day| done.event < day);
        let unknown = acts.iter().zip(&done).filter(|(act, done)| done.is_none_or(|done| is_news(act, &done)));
        let unknown = unknown.map(|(act, _)| act);
        let mut new: Vec<Notified> = unknown.map(|act| moved.notify(act, ways, now)).collect();
        let Some(first) = new.first().map(|one| one.id) else { return Ok(notified) };
        let group = open.as_ref().map_or(first, |group| group.id);
        new.iter_mut().for_each(|one| one.group = ways.list.then_some(group));
        let mut ops = new.iter().map(|one| note(app, topic, one)).collect::<Result<Vec<_>>>()?;
        let noted = ops.len();
        // What is told of a post goes with it: none may come after.
        ops.extend(topic.post.map(|post| Op::check(key::post(post), Condition::Exists)));
        if ways.list {
            ops.extend(listing(app, topic, &new, &mark, &moved, open, joined)?);
        }
        match app.table().transact(ops).await {
            Ok(()) => {
                notified.extend(new);
                return Ok(notified);
            }
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
    match topic.comment(act) {
        Some(comment) => key::notification_done(topic.owner, topic.kind, Some(comment), act.actor),
        None => key::notification_done(topic.owner, topic.kind, topic, act.actor),
    }
}

/// Where it is noted whose comment joined which group, for one may comment twice.
fn joined_key(topic: &Topic, actor: UserId) -> Key {
    key::notification_done(topic.owner, topic.kind, topic, actor)
}

/// The newest join of a notification.
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
    let pointer = key::notification_group(topic.owner, topic.kind, topic);
    match app.table().get::<NotificationGroup>(&pointer, Read::Strong).await? {
        Some(group) => Ok(app.table().get(&key::notification(topic.owner, group.id), Read::Strong).await?),
        None => Ok(None),
    }
}

/// Whether an act may be notified again: a denied user may ask again, and one who left be let in again, a day later
/// than the last that was told of them.
fn news_since(topic: &Topic, act: &Act) -> Option<Ulid> {
    topic.group.map(|_| Ulid::from_parts(act.event.timestamp_ms().saturating_sub(DAY_MS), 0))
}

/// The write that notes that an act is told.
fn note(app: &App, topic: &Topic, notified: &Notified) -> Result<Op> {
    let now = app.now();
    let Notified { act, id, group, seq, mailed } = *notified;
    let ttl = (now + NOTIFICATION_LIFETIME).seconds();
    let done = NotificationDone { event: act.event, id: Some(id), group, seq, mailed, ttl };
    // Expired ones may lie there for days yet.
    let mut first = vec![Condition::Missing, Condition::less("ttl", now.seconds())];
    first.extend(news_since(topic, &act).map(|day| Condition::less("event", day)));
    let first = Condition::Any(first);
    Ok(Op::put(done_key(topic, &act), &done)?.when(first).owned_by(act.actor))
}

/// The writes that put acts into the list: their events, the group they open or join, and the mark, moved from what was
/// `read`.
fn listing(
    app: &App,
    topic: &Topic,
    notified: &[Notified],
    read: &ReadMark,
    moved: &ReadMark,
    open: Option<Notification>,
    mut joined: HashMap<UserId, Ulid>,
) -> Result<Vec<Op>> {
    let Topic { kind, owner, post, group: of } = *topic;
    let now = app.now();
    let ttl = (now + NOTIFICATION_LIFETIME).seconds();
    let as_read = Condition::All(vec![unchanged("last", read.last), unchanged("upto", read.upto)]);
    let Some(first) = notified.first() else { return Ok(Vec::new()) };
    let was = open.as_ref().map(|group| group.n);
    let mut group = open.unwrap_or_else(|| Notification::opened(first.id, topic, ttl));
    let mut ops = Vec::new();
    for Notified { act, id, seq, .. } in notified {
        let (id, seq, actor, comment) = (*id, *seq, act.actor, topic.comment(act));
        let event = NotificationEvent { id, group: group.id, kind, post, comment, of, actor, seq, ttl };
        ops.push(Op::create(key::notification_event(owner, id), &event)?.owned_by(actor));
        let again = joined.insert(actor, group.id.ulid()) == Some(group.id.ulid());
        group.join(&event, again);
        if comment.is_some() && !again {
            let row = NotificationDone { event: group.id.ulid(), id: None, group: None, seq: None, mailed: false, ttl };
            ops.push(Op::put(joined_key(topic, actor), &row)?.owned_by(actor));
        }
    }
    if let Some(was) = was {
        ops.push(grown(owner, &group, was));
    } else {
        let pointer = NotificationGroup { id: group.id, ttl: (now + GROUP_WINDOW).seconds() };
        ops.push(Op::create(key::notification(owner, group.id), &group)?);
        ops.push(Op::put(key::notification_group(owner, kind, topic), &pointer)?);
    }
    let mark = Op::update(key::read_mark(owner)).set("last", group.last).add("unread", i64::from(was.is_none()));
    ops.push(mark.set("seq", moved.seq).when(as_read));
    Ok(ops)
}

/// The write of a notification that events have joined, held to the number it had.
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

/// Claims the mail about an act. None when it was sent.
///
/// # Errors
/// The table does not answer, or another writer changed the item at each attempt.
pub async fn claim_mail(app: &App, topic: &Topic, act: &Act) -> Result<Option<Claim>> {
    mails::claim(app, done_key(topic, act)).await
}

/// Notifications, newest first, and where the next page starts. Access pattern 16.
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
    // A client asks here for what it has missed, and once: what was told a moment ago must be there.
    let rows = app.table().query(&range, Order::OldestFirst, Read::Strong, limit, Some(after)).await?;
    Ok((rows.items.iter().map(|item| item.read()).collect::<Result<_, _>>()?, rows.next))
}

/// The latest events of a notification, latest first, at most `limit`.
pub async fn latest_events(app: &App, owner: UserId, of: &Notification, most: usize) -> Result<Vec<NotificationEvent>> {
    let ends = [of.id, of.last].map(|id| key::notification_event(owner, id));
    let range = key::notification_events(owner).from(ends[0].sk()).to(ends[1].sk());
    let (mut found, mut after) = (Vec::new(), None::<String>);
    // Those of others lie between them.
    for _ in 0..4 {
        let rows = app.table().query(&range, Order::NewestFirst, Read::Strong, most, after.as_deref()).await?;
        let events = rows.items.iter().filter_map(|item| item.readable::<NotificationEvent>());
        found.extend(events.filter(|event| event.group == of.id));
        after = rows.next;
        if after.is_none() || found.len() as u64 >= of.n || found.len() >= most {
            break;
        }
    }
    found.truncate(most);
    Ok(found)
}

/// The notifications of these ids that are there; 1 unit each.
pub async fn load(app: &App, owner: UserId, ids: &[NotificationId]) -> Result<Vec<Notification>> {
    let keys: Vec<_> = ids.iter().map(|id| key::notification(owner, *id)).collect();
    Ok(app.table().batch_get(&keys, Read::Strong).await?.into_iter().flatten().collect())
}

/// How many are unread, and up to where all are read. Access pattern 18.
pub async fn read_mark(app: &App, owner: UserId) -> Result<ReadMark> {
    Ok(app.table().get(&key::read_mark(owner), Read::Strong).await?.unwrap_or_default())
}

/// Marks notifications read, named by their own ids or by those of any of their events. Others' and unknown ids do
/// nothing.
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
