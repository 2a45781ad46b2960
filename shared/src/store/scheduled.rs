//! Posts that wait for their time, and their publishing.
//!
//! Each lies twice: with its author, and in the hour in which it is due, sorted by its time. So what is due is a range,
//! and no scan. One transaction takes it out of there and makes the post, so that it is published once, whatever else is
//! at it. Runs take turns by a lease, for two at once would mix up the order.

use super::creation::{CreateError, creation};
use super::media::{self, Changes};
use super::posts;
use super::users;
use crate::App;
use crate::error::{Error, FieldError, Result};
use crate::ids::{PostId, ScheduledId, UserId, new_ulid};
use crate::limits::{EDGE_REFUSALS, PUBLISH_LEASE};
use crate::models::media::Use;
use crate::models::post::{Mention, Post, mentioned};
use crate::models::scheduled::{DueEntry, KEPT, MAX_WAITING, Publisher, Scheduled};
use crate::table::design::{Key, key};
use crate::table::writes::TRANSACTION_OPS;
use crate::table::{Condition, Item, Op, Order, Read};
use crate::visibility;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use ulid::Ulid;

/// Operations of the transaction that a post takes, beside one for each of its pictures.
const OPS_EACH: usize = 5;
/// Posts published at once; fewer where they have pictures.
pub const BATCH: usize = TRANSACTION_OPS / OPS_EACH;

fn due_key(user: UserId, scheduled: &Scheduled) -> Key {
    key::due(DueEntry { at: scheduled.at, user, id: scheduled.id })
}

/// A post that waits, or lately did. Access pattern 23.
pub async fn get(app: &App, user: UserId, id: ScheduledId) -> Result<Option<Scheduled>> {
    let found: Option<Scheduled> = app.table().get(&key::scheduled(user, id), Read::Strong).await?;
    match found {
        Some(found) => naming(app, user, found).await.map(Some),
        None => Ok(None),
    }
}

/// With those whom it names as it stands, as far as its author sees them: a post that waits does not keep whom, for an
/// account may be deleted till then, or a block made.
async fn naming(app: &App, user: UserId, mut scheduled: Scheduled) -> Result<Scheduled> {
    let names = mentioned(&scheduled.draft.content);
    if names.is_empty() {
        return Ok(scheduled);
    }
    let ids = users::by_names(app, &names).await?;
    let found = names.into_iter().zip(ids).filter_map(|(username, id)| Some(Mention { id: id?, username }));
    let found: Vec<Mention> = found.collect();
    let visibility = visibility::load_for_user(app, user, visibility::mentioned(&found).collect::<Vec<_>>()).await?;
    scheduled.draft.mentions = visibility.visible_mentions(found);
    Ok(scheduled)
}

/// As it is kept.
fn kept(scheduled: &Scheduled) -> Scheduled {
    let mut kept = scheduled.clone();
    kept.draft.mentions.clear();
    kept
}

/// Posts that wait, newest first, and where the next page starts. Access pattern 23.
pub async fn page(
    app: &App,
    user: UserId,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<Scheduled>, Option<String>)> {
    let rows = app.table().query(&key::scheduled_by(user), Order::NewestFirst, Read::Strong, limit, after).await?;
    let waiting = rows.items.iter().filter_map(Item::readable).filter(|one: &Scheduled| one.post.is_none());
    let mut named = Vec::new();
    for one in waiting.collect::<Vec<_>>() {
        named.push(naming(app, user, one).await?);
    }
    Ok((named, rows.next))
}

/// Schedules a post, in one transaction with, first, the idempotency operation.
///
/// # Errors
/// [`CreateError::IdempotencyKeyUsed`] when the idempotency key is used already; 422 when too many wait.
pub async fn create(
    app: &App,
    user: UserId,
    scheduled: &Scheduled,
    idempotency_op: Option<Op>,
) -> Result<(), CreateError> {
    let room = Condition::Any(vec![Condition::Without("waiting"), Condition::less("waiting", MAX_WAITING)]);
    let account = Op::update(key::account(user)).add("waiting", 1).when(super::users::live()).when(room);
    let attached = media::attach(&scheduled.draft.media, Use::Scheduled(scheduled.id));
    let detail = format!("At most {MAX_WAITING} posts may wait.");
    let too_many = Error::invalid(vec![FieldError::new("publish_at", "too_many", detail)]);
    creation(idempotency_op)
        .op(Op::create(key::scheduled(user, scheduled.id), &kept(scheduled))?)
        .op(Op::put(due_key(user, scheduled), &json!({}))?)
        .op_or(account, too_many.into())
        .ops_or(attached, || media::not_attachable().into())
        .commit(app.table())
        .await
}

/// Whether it waits still, in the version that was read.
fn waits(old: &Scheduled) -> Condition {
    Condition::All(vec![Condition::equal("ver", old.ver), Condition::Without("post")])
}

/// Puts `new` in place of the version it was made from, attaches what it has more and detaches what it has no more. False
/// when that is out, gone or changed meanwhile.
///
/// # Errors
/// 422 when something of the media is otherwise by now.
pub async fn edit(app: &App, user: UserId, old: &Scheduled, new: &Scheduled) -> Result<bool> {
    let mut ops = vec![Op::put(key::scheduled(user, new.id), &kept(new))?.when(waits(old))];
    if old.at != new.at {
        ops.push(Op::delete(due_key(user, old)));
        ops.push(Op::put(due_key(user, new), &json!({}))?);
    }
    let Changes { added, removed } = media::changes(&old.draft.media, &new.draft.media);
    ops.extend(media::attach(&added, Use::Scheduled(new.id)));
    ops.extend(removed.into_iter().map(media::soft_delete));
    let Err(error) = app.table().transact(ops).await else { return Ok(true) };
    match error.refused()?.has(0) {
        true => Ok(false),
        false => Err(media::not_attachable()),
    }
}

/// Cancels a scheduled post. False when it is published, gone or changed meanwhile.
pub async fn cancel(app: &App, user: UserId, old: &Scheduled) -> Result<bool> {
    let waiting = Op::delete(key::scheduled(user, old.id)).when(waits(old));
    let counted = Op::update(key::account(user)).add("waiting", -1).when(Condition::Exists);
    let mut ops = vec![waiting, Op::delete(due_key(user, old)), counted];
    ops.extend(old.draft.media.iter().map(|one| media::soft_delete(one.id)));
    done(app, ops).await
}

async fn done(app: &App, ops: Vec<Op>) -> Result<bool> {
    match app.table().transact(ops).await {
        Ok(()) => Ok(true),
        Err(error) => error.refused().map(|_| false),
    }
}

/// What is due in an hour, oldest first, and where the next page starts. Access pattern 24.
pub async fn due(app: &App, hour: u64, after: Option<&str>) -> Result<(Vec<DueEntry>, Option<String>)> {
    let range = key::due_by(hour, app.now());
    let rows = app.table().query(&range, Order::OldestFirst, Read::Strong, BATCH, after).await?;
    Ok((rows.items.iter().filter_map(|row| key::read_due(row.sk())).collect(), rows.next))
}

/// The lease under which one run of the publisher publishes; two at once would mix up the order.
#[derive(Debug)]
pub struct PublisherLease {
    run: Ulid,
    /// The first hour in which something may be due; None where none ran before.
    pub hour: Option<u64>,
    last: Ulid,
}

impl PublisherLease {
    /// Acquires the lease. None while another run holds it.
    pub async fn acquire(app: &App) -> Result<Option<Self>> {
        let (run, now) = (new_ulid(app.now()), app.now());
        let free = Condition::Any(vec![Condition::Missing, Condition::less("until", now)]);
        let op = Op::update(key::publisher()).set("run", run).set("until", now + PUBLISH_LEASE).when(free);
        match app.table().write(op).await {
            Ok(item) => {
                let publisher: Option<Publisher> = item.map(|item| item.read()).transpose()?;
                Ok(Some(Self { run, hour: publisher.and_then(|publisher| publisher.hour), last: run }))
            }
            Err(error) => error.refused().map(|_| None),
        }
    }

    /// Renews the lease. False when it expired and another run acquired it.
    pub async fn renew(&self, app: &App) -> Result<bool> {
        self.write_as_holder(app, Op::update(key::publisher()).set("until", app.now() + PUBLISH_LEASE)).await
    }

    /// Releases the lease and stores the first hour in which something may be due from now on.
    pub async fn finish(self, app: &App, hour: u64) -> Result<()> {
        let op = Op::update(key::publisher()).set("hour", hour).set("until", 0);
        self.write_as_holder(app, op).await.map(|_| ())
    }

    /// Releases the lease, so that the next run need not wait for its end.
    pub async fn release(&self, app: &App) -> Result<()> {
        self.write_as_holder(app, Op::update(key::publisher()).set("until", 0)).await.map(|_| ())
    }

    async fn write_as_holder(&self, app: &App, op: Op) -> Result<bool> {
        match app.table().write(op.when(Condition::equal("run", self.run))).await {
            Ok(_) => Ok(true),
            Err(error) => error.refused().map(|_| false),
        }
    }

    /// Publishes what is due, in its order. What is cancelled or changed meanwhile is left out; what can't ever be
    /// published is due no longer, so that it holds up nothing.
    ///
    /// # Errors
    /// The table does not answer; some posts may be published.
    pub async fn publish(&mut self, app: &App, due: Vec<DueEntry>) -> Result<()> {
        let mut left: BTreeSet<DueEntry> = due.into_iter().collect();
        for _ in 0..EDGE_REFUSALS {
            let keys: Vec<_> = left.iter().map(|due| key::scheduled(due.user, due.id)).collect();
            let found = app.table().batch_get_readable::<Scheduled>(&keys, Read::Strong).await?;
            let (batch, lost): (Vec<_>, Vec<_>) =
                left.iter().copied().zip(found).partition(|(_, found)| found.is_some());
            drop_due(app, lost.iter().map(|(due, _)| *due), "is not there, or can't be read").await?;
            let mut batch: Vec<_> = batch.into_iter().filter_map(|(due, found)| Some((due, found?))).collect();
            let later = batch.split_off(fitting(&batch));
            for (due, found) in &mut batch {
                *found = naming(app, due.user, found.clone()).await?;
            }
            left = later.into_iter().map(|(due, _)| due).collect();
            if batch.is_empty() {
                return Ok(());
            }
            let ids: Vec<PostId> = batch.iter().map(|(due, _)| self.next_id(app, due.user)).collect();
            let (ops, subjects) = publishing(app, &batch, &ids)?;
            let Err(error) = app.table().transact(ops).await else { continue };
            let refused = error.refused()?;
            left.extend(batch.into_iter().map(|(due, _)| due));
            for (_, subject) in subjects.iter().enumerate().filter(|(op, _)| refused.has(*op)) {
                match subject {
                    RefusedOp::Entry(due) => drop(left.remove(due)),
                    // Changed since it was read: it is read again.
                    RefusedOp::Post => {}
                    RefusedOp::Author(author) => {
                        let theirs = left.extract_if(.., |due| due.user == *author);
                        drop_due(app, theirs.collect::<Vec<_>>(), "has no author any more").await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Ids grow with each post, so that lists have the order in which they were due.
    fn next_id(&mut self, app: &App, author: UserId) -> PostId {
        self.last = new_ulid(app.now()).max(Ulid(self.last.0.saturating_add(1)));
        PostId::of(self.last, author)
    }
}

/// How many of these one transaction takes.
fn fitting(batch: &[(DueEntry, Scheduled)]) -> usize {
    let mut ops = 0;
    let fits = batch.iter().take_while(|(_, scheduled)| {
        ops += OPS_EACH + scheduled.draft.media.len();
        ops <= TRANSACTION_OPS
    });
    fits.count()
}

/// What a refused operation says.
enum RefusedOp {
    /// It is not due, or not then, any more.
    Entry(DueEntry),
    Post,
    Author(UserId),
}

/// The transaction that publishes, and what each of its operations is about.
fn publishing(app: &App, batch: &[(DueEntry, Scheduled)], ids: &[PostId]) -> Result<(Vec<Op>, Vec<RefusedOp>)> {
    let (mut ops, mut subjects) = (Vec::new(), Vec::new());
    let mut authors: BTreeMap<UserId, i64> = BTreeMap::new();
    let ttl = (app.now() + KEPT).seconds();
    for ((due, scheduled), id) in batch.iter().zip(ids) {
        let post = Post::new(*id, scheduled.draft.clone());
        let out = Op::update(key::scheduled(due.user, due.id)).set("post", id).set("ttl", ttl);
        ops.extend([Op::delete(key::due(*due)).when(Condition::Exists), out.when(waits(scheduled))]);
        ops.extend(posts::create_ops(&post)?);
        subjects.extend([RefusedOp::Entry(*due), RefusedOp::Post, RefusedOp::Post, RefusedOp::Post]);
        ops.extend(post.media.iter().map(|one| media::moved(one.id, *id)));
        subjects.extend(post.media.iter().map(|_| RefusedOp::Post));
        *authors.entry(due.user).or_default() += 1;
    }
    for (author, n) in authors {
        ops.push(posts::count_op(author, n).add("waiting", -n));
        subjects.push(RefusedOp::Author(author));
    }
    Ok((ops, subjects))
}

/// Removes these from what is due.
async fn drop_due(app: &App, dues: impl IntoIterator<Item = DueEntry>, why: &str) -> Result<()> {
    let dues: Vec<DueEntry> = dues.into_iter().collect();
    for due in &dues {
        tracing::error!(user = %due.user, id = %due.id, "a post that is due {why}");
    }
    app.table().batch_write(dues.into_iter().map(|due| Op::delete(key::due(due))).collect()).await.map_err(Error::from)
}
