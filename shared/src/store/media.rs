//! Pictures and videos. One that is attached to nothing lies in its hour's list too, in the same transactions, so that
//! the clean-up finds what is left there without a scan.

use super::creation::{CreateError, creation};
use crate::App;
use crate::error::{self, Error, FieldError, Result};
use crate::ids::{MediaId, PostId, UserId};
use crate::models::media::{Attached, FailureReason, MAX_PER_POST, Media, Shape, Status, Use};
use crate::table::design::{DELETED, EntityKey, Key, key};
use crate::table::{Condition, Op, Order, Read};
use formats::{FileType, Kind};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::HashMap;

/// One that is there. Access pattern 26.
pub async fn get(app: &App, id: MediaId) -> Result<Option<Media>> {
    Ok(get_any_state(app, id).await?.filter(|media| !media.deleted))
}

/// One in any state: also one that is soft-deleted and whose files are still to go.
pub async fn get_any_state(app: &App, id: MediaId) -> Result<Option<Media>> {
    Ok(app.table().get(&key::media(id), Read::Strong).await?)
}

/// Those of some that are there, in their order. Access pattern 26.
pub async fn load(app: &App, ids: &[MediaId]) -> Result<Vec<Option<Media>>> {
    let keys: Vec<_> = ids.iter().map(|id| key::media(*id)).collect();
    let found = app.table().batch_get::<Media>(&keys, Read::Strong).await?;
    Ok(found.into_iter().map(|media| media.filter(|media| !media.deleted)).collect())
}

/// Creates one whose bytes are to come, in one transaction with, first, the idempotency operation.
///
/// # Errors
/// [`CreateError::IdempotencyKeyUsed`] when the idempotency key is used already; 422, of this field, beyond the account's quota.
pub async fn create(app: &App, media: &Media, field: &str, idempotency_op: Option<Op>) -> Result<(), CreateError> {
    let quota = app.config().media_quota;
    if media.size > quota {
        return Err(beyond_quota(field, quota).into());
    }
    let room = Condition::Any(vec![
        Condition::Without("stored"),
        Condition::less("stored", quota.saturating_sub(media.size).saturating_add(1)),
    ]);
    let account = Op::update(key::account(media.id.owner)).add("stored", signed(media.size)?);
    creation(idempotency_op)
        .op_or(account.when(super::users::live()).when(room), beyond_quota(field, quota).into())
        .op(Op::create(key::media(media.id), media)?)
        .op(Op::put(key::unattached_media(media.id), &json!({}))?)
        .commit(app.table())
        .await
}

fn beyond_quota(field: &str, quota: u64) -> Error {
    let detail = format!("An account keeps {} MiB at most; delete something first.", quota / (1024 * 1024));
    Error::invalid(vec![FieldError::new(field, "quota_exceeded", detail)])
}

fn signed(size: u64) -> Result<i64> {
    i64::try_from(size).map_err(Error::internal)
}

/// The version that was read, and nothing that is to go.
fn still(old: &Media) -> Condition {
    Condition::All(vec![Condition::equal("ver", old.ver), Condition::Without(DELETED)])
}

/// Marks it ready, as a file of a type, in one transaction with, first, the idempotency operation.
/// [`CreateError::Error`] (412) when it was changed meanwhile.
///
/// # Errors
/// [`CreateError::IdempotencyKeyUsed`] when the idempotency key is used already.
pub async fn ready(
    app: &App,
    old: &Media,
    (content_type, shape): (FileType, Shape),
    idempotency_op: Option<Op>,
) -> Result<Media, CreateError> {
    let shape = Some(shape);
    let new = Media { content_type, status: Status::Ready, shape, todo: false, ver: old.ver + 1, ..old.clone() };
    let op = Op::put(key::media(old.id), &new)?.when(still(old));
    creation(idempotency_op).op_or(op, meanwhile().into()).commit(app.table()).await?;
    Ok(new)
}

fn meanwhile() -> Error {
    Error::new(error::Kind::PreconditionFailed).detail("It was changed at the same moment.")
}

/// Hands it to the worker. None when it was changed meanwhile.
pub async fn hand_over(app: &App, old: &Media) -> Result<Option<Media>> {
    changed(app, Media { status: Status::Processing, todo: true, ver: old.ver + 1, ..old.clone() }, old).await
}

/// It can't be used. None when it was changed meanwhile.
pub async fn fail(app: &App, old: &Media, reason: FailureReason) -> Result<Option<Media>> {
    let new = Media { status: Status::Failed, reason: Some(reason), todo: false, ver: old.ver + 1, ..old.clone() };
    changed(app, new, old).await
}

async fn changed(app: &App, new: Media, old: &Media) -> Result<Option<Media>> {
    match app.table().transact(vec![Op::put(key::media(old.id), &new)?.when(still(old))]).await {
        Ok(()) => Ok(Some(new)),
        Err(error) => error.refused().map(|_| None),
    }
}

/// What an edit attaches, and what it removes.
pub(super) struct Changes {
    pub(super) added: Vec<Attached>,
    pub(super) removed: Vec<MediaId>,
}

pub(super) fn changes(old: &[Attached], new: &[Attached]) -> Changes {
    let lacks = |all: &[Attached], one: &&Attached| !all.iter().any(|other| other.id == one.id);
    Changes {
        added: new.iter().filter(|one| lacks(old, one)).cloned().collect(),
        removed: old.iter().filter(|one| lacks(new, one)).map(|one| one.id).collect(),
    }
}

/// The writes that attach some to what shows them, as they were read: two each.
pub(super) fn attach(media: &[Attached], to: Use) -> Vec<Op> {
    let as_described = |one: &Attached| match &one.alt_text {
        Some(text) => Condition::equal("alt_text", text),
        None => Condition::Without("alt_text"),
    };
    media.iter().flat_map(|one| take(one.id, to, vec![as_described(one)])).collect()
}

/// The writes that make one a profile's picture.
pub(super) fn attach_avatar(id: MediaId) -> [Op; 2] {
    take(id, Use::Avatar, Vec::new())
}

fn take(id: MediaId, to: Use, mut free: Vec<Condition>) -> [Op; 2] {
    free.extend([Condition::equal("status", Status::Ready), Condition::Without("used"), Condition::Without(DELETED)]);
    let used = Op::update(key::media(id)).set("used", to).add("ver", 1).when(Condition::All(free));
    [used, Op::delete(key::unattached_media(id))]
}

/// The error when something attached is not what it was a moment ago.
pub(super) fn not_attachable() -> Error {
    refused("in_use", "One of these belongs to something by now, was changed, or is gone.".into())
}

fn refused(code: &str, detail: String) -> Error {
    Error::invalid(vec![FieldError::new("media_ids", code, detail)])
}

/// What somebody may attach to a post: their own, ready, and part of nothing yet; up to four pictures, or one video.
/// Read strongly.
///
/// # Errors
/// 422, for each that is otherwise.
pub async fn attachable(app: &App, owner: UserId, ids: &[MediaId]) -> Result<Vec<Attached>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let own: Vec<_> = ids.iter().copied().filter(|id| id.owner == owner).collect();
    let mut found: HashMap<_, _> = load(app, &own).await?.into_iter().flatten().map(|one| (one.id, one)).collect();
    let (mut media, mut errors) = (Vec::new(), Vec::new());
    for id in ids {
        let refusal = match found.remove(id) {
            None => ("not_found", format!("{id} is no media of yours.")),
            Some(one) if one.used.is_some() => ("in_use", format!("{id} belongs to something already.")),
            Some(one) => match one.attached() {
                Some(attached) => {
                    media.push(attached);
                    continue;
                }
                None => ("not_ready", format!("{id} is not ready.")),
            },
        };
        errors.push(FieldError::new("media_ids", refusal.0, refusal.1));
    }
    let has_video = media.iter().any(|one| one.content_type.kind() == Kind::Video);
    if !errors.is_empty() {
        return Err(Error::invalid(errors));
    }
    match media.len() {
        n if n > MAX_PER_POST || (has_video && n > 1) => Err(too_many()),
        _ => Ok(media),
    }
}

/// 422: a post has up to four pictures, or one video.
pub fn too_many() -> Error {
    refused("too_many", format!("At most {MAX_PER_POST} pictures, or one video."))
}

/// The write that moves one from what waited to the post that it became.
pub(super) fn moved(id: MediaId, to: PostId) -> Op {
    Op::update(key::media(id)).set("used", Use::Post(to)).add("ver", 1).when(Condition::Exists)
}

/// The write that soft-deletes one; a worker removes its files.
pub(super) fn soft_delete(id: MediaId) -> Op {
    Op::update(key::media(id)).set(DELETED, true).when(Condition::Exists)
}

/// Removes one that belongs to nothing. False when it belongs to something by now, or is gone.
pub async fn remove_unattached(app: &App, id: MediaId) -> Result<bool> {
    let free = Condition::All(vec![Condition::Without("used"), Condition::Without(DELETED)]);
    match app.table().transact(vec![soft_delete(id).when(free), Op::delete(key::unattached_media(id))]).await {
        Ok(()) => Ok(true),
        Err(error) => error.refused().map(|_| false),
    }
}

/// Some of an account's, those whose files are still to go as well. Access pattern 26.
pub async fn all_of(
    app: &App,
    owner: UserId,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<Media>, Option<String>)> {
    let rows = app.table().query(&key::media_of(owner), Order::OldestFirst, Read::Strong, limit, after).await?;
    Ok((rows.items.iter().map(|item| item.read()).collect::<Result<_, _>>()?, rows.next))
}

/// Soft-deletes one whose owner is gone, whatever it is attached to.
pub async fn abandon(app: &App, id: MediaId) -> Result<()> {
    let gone = soft_delete(id).when(Condition::Without(DELETED));
    match app.table().transact(vec![gone, Op::delete(key::unattached_media(id))]).await {
        Ok(()) => Ok(()),
        Err(error) => error.refused().map(|_| ()),
    }
}

/// Removes the item of one whose files are gone; its account has the room again.
pub async fn purge(app: &App, media: &Media) -> Result<()> {
    let gone = || Op::delete(key::media(media.id)).when(Condition::equal(DELETED, true));
    let size = -signed(media.size)?;
    let room = Op::update(key::account(media.id.owner)).add("stored", size).when(Condition::Exists);
    let Err(error) = app.table().transact(vec![gone(), room]).await else { return Ok(()) };
    if error.refused()?.has(0) {
        return Ok(());
    }
    // The account is gone, too.
    match app.table().write(gone()).await {
        Ok(_) => Ok(()),
        Err(error) => error.refused().map(|_| ()),
    }
}

/// Another description, also where it is shown. None when something of it was changed meanwhile.
pub async fn describe(app: &App, old: &Media, alt_text: Option<String>) -> Result<Option<Media>> {
    let new = Media { alt_text, ver: old.ver + 1, ..old.clone() };
    let mut ops = vec![Op::put(key::media(old.id), &new)?.when(still(old))];
    if let (Some(at), Some(shown)) = (place(old), new.attached()) {
        let Some(holder) = app.table().get::<Holder>(&at, Read::Strong).await? else { return Ok(None) };
        let media: Vec<_> =
            holder.media.into_iter().map(|one| if one.id == shown.id { shown.clone() } else { one }).collect();
        let same = Condition::All(vec![Condition::equal("ver", holder.ver), Condition::Without(DELETED)]);
        ops.push(Op::update(at).set("media", media).add("ver", 1).when(same));
    }
    match app.table().transact(ops).await {
        Ok(()) => Ok(Some(new)),
        Err(error) => error.refused().map(|_| None),
    }
}

/// What shows some, whatever it is.
#[derive(Deserialize)]
struct Holder {
    #[serde(default)]
    media: Vec<Attached>,
    ver: u64,
}

/// Where what shows it lies.
fn place(media: &Media) -> Option<Key> {
    match media.used? {
        Use::Post(post) => Some(key::post(post)),
        Use::Scheduled(id) => Some(key::scheduled(media.id.owner, id)),
        Use::Avatar => None,
    }
}

/// Some of what came in an hour and belongs to nothing, and where the next page starts. Access pattern 27.
pub async fn unattached(app: &App, hour: u64, after: Option<&str>) -> Result<(Vec<MediaId>, Option<String>)> {
    let range = key::unattached_media_in(hour);
    let rows = app.table().query(&range, Order::OldestFirst, Read::Strong, PAGE, after).await?;
    let id = |sk: &str| match EntityKey::read(range.pk(), sk) {
        Some(EntityKey::UnattachedMedia(id)) => Some(id),
        _ => None,
    };
    Ok((rows.items.iter().filter_map(|row| id(row.sk())).collect(), rows.next))
}

const PAGE: usize = 100;

/// How far the clean-up of unattached media has come.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct CleanupCursor {
    /// Hours since the epoch: nothing unattached is in those before.
    pub hour: u64,
}

pub async fn cleanup_cursor(app: &App) -> Result<Option<CleanupCursor>> {
    Ok(app.table().get(&key::cleanup_cursor(), Read::Strong).await?)
}

pub async fn set_cleanup_cursor(app: &App, cursor: CleanupCursor) -> Result<()> {
    app.table().write(Op::put(key::cleanup_cursor(), &cursor)?).await.map(|_| ()).map_err(Error::from)
}
