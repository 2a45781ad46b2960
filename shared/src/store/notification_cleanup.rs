//! Removes a deleted account's acts and posts from other users' notifications.
//!
//! A notification is held to the number of its events, and so is the telling that joins it: of the two at once, one reads
//! again. What is told of a post is told only while the post is there, so nothing comes after it was taken out.

use super::notifications::{read_mark, unchanged};
use crate::App;
use crate::error::{Error, Result};
use crate::ids::{NotificationId, PostId, UserId};
use crate::limits::MARK_REFUSALS;
use crate::models::notification::{NAMED_ACTORS, Notification, NotificationEvent, NotificationKind, Topic};
use crate::table::client::back_off;
use crate::table::design::key;
use crate::table::writes::TRANSACTION_OPS;
use crate::table::{Condition, Op, Order, Read};
use std::collections::HashSet;

/// Events taken out of a notification at once; with the rest these fit a transaction.
const TOGETHER: usize = TRANSACTION_OPS - 10;
/// Rows read at once.
const PAGE: usize = 500;

/// Removes an act of a deleted account from the notification of it.
pub async fn purge_event(app: &App, owner: UserId, id: NotificationId) -> Result<()> {
    for attempt in 0..MARK_REFUSALS {
        let row = key::notification_event(owner, id);
        let Some(event) = app.table().get::<NotificationEvent>(&row, Read::Strong).await? else { return Ok(()) };
        let actor = event.actor;
        let (mark, group) = futures::future::try_join(read_mark(app, owner), async {
            Ok(app.table().get::<Notification>(&key::notification(owner, event.group), Read::Strong).await?)
        })
        .await?;
        let mut ops = vec![Op::delete(row)];
        if let Some(old) = group {
            // Another comment of theirs may be in it, and what it says of its last one follows from those that stay.
            let events =
                if old.kind == NotificationKind::Comment { events(app, owner, &old).await? } else { Vec::new() };
            let mut room = TOGETHER;
            let (theirs, left): (Vec<_>, Vec<_>) = events.into_iter().partition(|one| {
                room = room.saturating_sub(usize::from(one.actor == actor));
                one.id == id || one.actor == actor && room > 0
            });
            let taken = theirs.len().max(1) as u64;
            ops.extend(
                theirs.iter().filter(|one| one.id != id).map(|one| Op::delete(key::notification_event(owner, one.id))),
            );
            let at = key::notification(owner, old.id);
            let as_read = Condition::All(vec![Condition::equal("n", old.n), Condition::equal("last", old.last)]);
            let same_state = if old.read { Condition::equal("read", true) } else { Condition::Without("read") };
            if old.n <= taken {
                ops.push(Op::delete(at).when(as_read).when(same_state));
                let topic = Topic { kind: old.kind, owner, post: old.post, group: old.group };
                ops.push(pointer(&topic));
                if !old.is_read(&mark) {
                    let unread = Op::update(key::read_mark(owner)).add("unread", -1);
                    ops.push(unread.when(unchanged("upto", mark.upto)));
                }
            } else {
                let mut op = Op::update(at).set("n", old.n - taken);
                let mut actors: Vec<UserId> = old.actors.iter().copied().filter(|other| *other != actor).collect();
                if let Some(last) = left.last() {
                    let people: HashSet<UserId> = left.iter().map(|one| one.actor).collect();
                    actors = newest(&left);
                    op = op.set("again", left.len().saturating_sub(people.len()));
                    op = match last.comment {
                        Some(comment) => op.set("comment", comment),
                        None => op.remove("comment"),
                    };
                }
                ops.push(op.set("actors", actors).when(as_read));
            }
        }
        match app.table().transact(ops).await {
            Ok(()) => return Ok(()),
            Err(error) => error.refused()?,
        };
        back_off(attempt).await;
    }
    Err(Error::unavailable("a notification changes faster than something is taken out of it"))
}

/// The pointer to the group that alike events join; the next event begins another one.
fn pointer(topic: &Topic) -> Op {
    Op::delete(key::notification_group(topic.owner, topic.kind, topic))
}

/// The actors of the latest events, each once.
fn newest(events: &[NotificationEvent]) -> Vec<UserId> {
    let mut actors: Vec<UserId> = Vec::new();
    for event in events.iter().rev() {
        if !actors.contains(&event.actor) {
            actors.push(event.actor);
        }
    }
    actors.truncate(NAMED_ACTORS);
    actors
}

/// The events of a notification, oldest first.
async fn events(app: &App, owner: UserId, group: &Notification) -> Result<Vec<NotificationEvent>> {
    let range = key::notification_events(owner)
        .from(key::notification_event(owner, group.id).sk())
        .to(key::notification_event(owner, group.last).sk());
    let (mut found, mut after) = (Vec::new(), None::<String>);
    loop {
        let rows = app.table().query(&range, Order::OldestFirst, Read::Strong, PAGE, after.as_deref()).await?;
        for item in &rows.items {
            let event: NotificationEvent = item.read()?;
            if event.group == group.id {
                found.push(event);
            }
        }
        match rows.next {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}

/// Takes out of its author's list, and out of those of whom it mentions, what is told of a post that went with somebody's
/// account.
pub async fn purge_post(app: &App, post: PostId, mentioned: &[UserId]) -> Result<()> {
    purge_post_for(app, post.author, post, &[NotificationKind::Like, NotificationKind::Comment]).await?;
    for owner in mentioned {
        purge_post_for(app, *owner, post, &[NotificationKind::Mention]).await?;
    }
    let Some(on) = post.parent() else { return Ok(()) };
    // That it was told of as a comment is noted under its own id.
    let done = key::notification_done(on.author, NotificationKind::Comment, Some(post), post.author);
    app.table().batch_write(vec![Op::delete(done)]).await.map_err(Error::from)
}

async fn purge_post_for(app: &App, owner: UserId, post: PostId, kinds: &[NotificationKind]) -> Result<()> {
    for kind in kinds {
        let range = key::notifications_done(owner, *kind, post);
        let mut after = None;
        loop {
            after = super::deletions::wipe(app, &range, after.as_deref()).await?;
            if after.is_none() {
                break;
            }
        }
        app.table().batch_write(vec![pointer(&Topic { kind: *kind, owner, post: Some(post), group: None })]).await?;
    }
    let mut after = None;
    loop {
        let page = super::notifications::page(app, owner, PAGE, after.as_deref()).await?;
        for told in page.0.iter().filter(|told| told.post == Some(post) && kinds.contains(&told.kind)) {
            purge_notification(app, owner, told.id).await?;
        }
        match page.1 {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Removes a notification, first its events: after a crash the next run finds it, and by it the rest.
async fn purge_notification(app: &App, owner: UserId, id: NotificationId) -> Result<()> {
    for attempt in 0..MARK_REFUSALS {
        let (mark, found) = futures::future::try_join(read_mark(app, owner), async {
            Ok(app.table().get::<Notification>(&key::notification(owner, id), Read::Strong).await?)
        })
        .await?;
        let Some(old) = found else { return Ok(()) };
        let events = events(app, owner, &old).await?;
        app.table()
            .batch_write(events.iter().map(|one| Op::delete(key::notification_event(owner, one.id))).collect())
            .await?;
        let same_state = if old.read { Condition::equal("read", true) } else { Condition::Without("read") };
        let mut ops =
            vec![Op::delete(key::notification(owner, id)).when(Condition::equal("n", old.n)).when(same_state)];
        if !old.is_read(&mark) {
            ops.push(Op::update(key::read_mark(owner)).add("unread", -1).when(unchanged("upto", mark.upto)));
        }
        match app.table().transact(ops).await {
            Ok(()) => return Ok(()),
            Err(error) => error.refused()?,
        };
        back_off(attempt).await;
    }
    Err(Error::unavailable("a notification changes faster than it is removed"))
}
