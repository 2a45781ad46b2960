//! Groups, who is in them, and who asks to be.
//!
//! A membership is two items that change in one transaction: the member's row with the group, and a row in the member's
//! own prefix, which each request of theirs reads strongly. So a user who has left, or was removed, sees nothing more from
//! the very next request on. The row with the group is an edge, too (see `edges`): the stream's consumer counts it.
//! No request that only joins or leaves names the group's own item; who moderates a group stands there, so those acts do.

use super::creation::{CreateError, creation};
use super::{edges, users};
use crate::App;
use crate::error::{Error, Kind, Result};
use crate::ids::{GroupId, UserId, new_ulid};
use crate::limits::STAFF_REFUSALS;
use crate::models::group::{
    Description, Group, GroupName, JoinRequest, MAX_GROUPS, MAX_STAFF, Member, Membership, Role,
};
use crate::models::notification::Act;
use crate::models::viewer::Viewer;
use crate::table::client::back_off;
use crate::table::design::{CREATED_AT, DELETED, INDEXES, key, owner};
use crate::table::{Condition, Item, Op, Order, Read, Rows};
use serde_json::json;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A group that is there. Access pattern 47.
pub async fn get(app: &App, id: GroupId, read: Read) -> Result<Option<Group>> {
    let group: Option<Group> = app.table().get(&key::group(id), read).await?;
    Ok(group.filter(|group| !group.deleted))
}

/// A group that is there, with somebody's own row and whether they ask to join, read strongly. All in one call, for a
/// membership is counted and marked as counted at one moment: of what is read before and after it the sum would be
/// wrong. Access patterns 47, 52 and 54.
pub async fn with_own(app: &App, id: GroupId, user: UserId) -> Result<(Option<Group>, Option<Member>, bool)> {
    let keys = [key::group(id), key::member(id, user), key::join_request(id, user)];
    let mut found = app.table().batch_items(&keys, Read::Strong).await?.into_iter();
    let mut next = || found.next().flatten();
    let group = next().map(|item| item.read::<Group>()).transpose()?.filter(|group| !group.deleted);
    let member = next().map(|item| item.read()).transpose()?;
    Ok((group, member, next().is_some()))
}

/// Those of some groups that are there, in their order; half a unit each. Access pattern 48.
pub async fn load(app: &App, ids: &[GroupId], read: Read) -> Result<Vec<Group>> {
    let keys: Vec<_> = ids.iter().map(|id| key::group(*id)).collect();
    let found = app.table().batch_get_readable::<Group>(&keys, read).await?;
    Ok(found.into_iter().flatten().filter(|group| !group.deleted).collect())
}

/// The groups that somebody is a member of, newest first. Access pattern 49, where the viewer's prefix overflowed.
pub async fn mine(app: &App, viewer: &Viewer) -> Result<Vec<(GroupId, Role)>> {
    let mut groups: Vec<_> = match viewer.overflow {
        false => viewer.groups.iter().map(|(group, role)| (*group, *role)).collect(),
        true => memberships(app, viewer.id).await?,
    };
    groups.sort_unstable_by_key(|(group, _)| std::cmp::Reverse(*group));
    Ok(groups)
}

/// The groups that somebody is a member of, read strongly. Access pattern 49.
pub async fn memberships(app: &App, user: UserId) -> Result<Vec<(GroupId, Role)>> {
    let entry = |item: &Item| Some((key::member_of(item.sk())?, item.readable::<Membership>()?.role));
    let (range, mut found, mut after) = (key::memberships(user), Vec::new(), None);
    // Of joins at the same moment more may come through than there is room for.
    loop {
        let limit = 2 * MAX_GROUPS;
        let rows = app.table().query(&range, Order::NewestFirst, Read::Strong, limit, after.as_deref()).await?;
        found.extend(rows.items.iter().filter_map(entry));
        after = rows.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// What role somebody has in each of some groups, read strongly: a unit each. Access pattern 50.
pub async fn roles(
    app: &App,
    user: UserId,
    groups: impl IntoIterator<Item = GroupId>,
) -> Result<HashMap<GroupId, Role>> {
    let groups: Vec<GroupId> = groups.into_iter().collect();
    if groups.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<_> = groups.iter().map(|group| key::membership(user, *group)).collect();
    let found = app.table().batch_get::<Membership>(&keys, Read::Strong).await?;
    Ok(groups.into_iter().zip(found).filter_map(|(group, found)| Some((group, found?.role))).collect())
}

/// Public groups, newest first, and where the next page starts. Access pattern 51.
pub async fn discover(app: &App, limit: usize, after: Option<&str>) -> Result<(Vec<GroupId>, Option<String>)> {
    let range = key::discoverables();
    let rows = app.table().query(&range, Order::NewestFirst, Read::Eventual, limit, after).await?;
    let id = |item: &Item| format!("{}{}", GroupId::PREFIX, item.sk()).parse().ok();
    Ok((rows.items.iter().filter_map(id).collect(), rows.next))
}

/// A member's row, of one who has left too, read strongly. Access pattern 52.
pub async fn member(app: &App, group: GroupId, user: UserId) -> Result<Option<Member>> {
    Ok(app.table().get(&key::member(group, user), Read::Strong).await?)
}

/// Members, in the order of their accounts' age, and where the next page starts. Access pattern 53.
pub async fn members(
    app: &App,
    group: GroupId,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<(UserId, Member)>, Option<String>)> {
    let range = key::members(group);
    let rows = app.table().query(&range, Order::OldestFirst, Read::Strong, limit, after).await?;
    let entry = |item: &Item| Some((key::ending(item.sk(), key::MEMBER)?, item.readable::<Member>()?));
    let members = rows.items.iter().filter_map(entry).filter(|(_, member)| !member.deleted).collect();
    Ok((members, rows.next))
}

/// When somebody asked to join, if that is not answered yet. Access pattern 54.
pub async fn request_of(app: &App, group: GroupId, user: UserId) -> Result<Option<JoinRequest>> {
    Ok(app.table().get(&key::join_request(group, user), Read::Strong).await?)
}

/// Somebody's own rows with some groups, read strongly. Access pattern 52.
pub async fn rows_of(app: &App, user: UserId, groups: &[GroupId]) -> Result<HashMap<GroupId, Member>> {
    let keys: Vec<_> = groups.iter().map(|group| key::member(*group, user)).collect();
    let found = app.table().batch_get_readable::<Member>(&keys, Read::Strong).await?;
    Ok(groups.iter().copied().zip(found).filter_map(|(group, row)| Some((group, row?))).collect())
}

/// Which of some groups somebody asks to join. Access pattern 54.
pub async fn requests_of(app: &App, user: UserId, groups: &[GroupId]) -> Result<HashSet<GroupId>> {
    let keys: Vec<_> = groups.iter().map(|group| key::join_request(*group, user)).collect();
    let found = app.table().batch_get_readable::<JoinRequest>(&keys, Read::Strong).await?;
    Ok(groups.iter().copied().zip(found).filter_map(|(group, request)| request.map(|_| group)).collect())
}

/// Join requests, and where the next page starts. Access pattern 55.
pub async fn requests(
    app: &App,
    group: GroupId,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<(UserId, JoinRequest)>, Option<String>)> {
    let range = key::join_requests(group);
    let Rows { items, next } = app.table().query(&range, Order::OldestFirst, Read::Strong, limit, after).await?;
    let entry = |item: &Item| Some((key::ending(item.sk(), key::JOIN_REQUEST)?, item.readable()?));
    Ok((items.iter().filter_map(entry).collect(), next))
}

/// The group's item and its maker's membership, in one transaction with, first, the idempotency operation.
///
/// # Errors
/// [`CreateError::IdempotencyKeyUsed`] when the idempotency key is used already.
pub async fn create(app: &App, group: &Group, maker: UserId, idempotency_op: Option<Op>) -> Result<(), CreateError> {
    let mut transaction = creation(idempotency_op).op(Op::create(key::group(group.id), group)?);
    for op in joined(app, group.id, maker, Role::Owner, None)? {
        transaction = transaction.op(op);
    }
    if !group.id.is_private() {
        transaction = transaction.op(Op::put(key::discoverable(group.id), &json!({}))?);
    }
    transaction.commit(app.table()).await
}

/// The writes by which somebody comes to be a member, who is none.
fn joined(app: &App, group: GroupId, user: UserId, role: Role, by: Option<UserId>) -> Result<[Op; 2]> {
    let now = app.now();
    let row = edges::create_op(key::member(group, user), now).set("role", role).set("joined", now);
    let row = match by {
        Some(by) => row.set("by", by),
        None => row.remove("by"),
    };
    let row = row.set(INDEXES[0].partition_key, owner(user)).when(is_none());
    Ok([row, Op::put(key::membership(user, group), &Membership { role })?])
}

/// Of a member's row: they are none, or have left.
fn is_none() -> Condition {
    Condition::Any(vec![Condition::Missing, Condition::equal(DELETED, true)])
}

/// Of a member's row: they are one, in this role.
fn is(op: Op, role: Role) -> Op {
    op.when(Condition::equal("role", role)).when(Condition::Without(DELETED))
}

/// Holds a transaction to the role that somebody acts in; none where it names that item anyway.
fn acting(group: GroupId, (by, role): (UserId, Role), on: UserId) -> Option<Op> {
    (by != on).then(|| Op::check(key::membership(by, group), Condition::equal("role", role)))
}

fn changed_each_time() -> Error {
    Error::unavailable("who is in the group was changed at each attempt")
}

/// 409: somebody is in as many groups as one may be.
fn too_many_groups() -> Error {
    Error::new(Kind::LimitReached).detail(format!("Somebody may be in at most {MAX_GROUPS} groups."))
}

/// Whether there is room for one group more. Of two joins at the same moment both may find it.
///
/// # Errors
/// 409.
pub async fn has_room(app: &App, viewer: &Viewer) -> Result<()> {
    if mine(app, viewer).await?.len() < MAX_GROUPS { Ok(()) } else { Err(too_many_groups()) }
}

/// Joins. Idempotent. Answers the role.
pub async fn join(app: &App, group: GroupId, user: UserId) -> Result<Role> {
    for attempt in 0..STAFF_REFUSALS {
        let mut ops: Vec<Op> = joined(app, group, user, Role::Member, None)?.into();
        ops.push(Op::delete(key::join_request(group, user)));
        match app.table().transact(ops).await {
            Ok(()) => return Ok(Role::Member),
            Err(error) => error.refused()?,
        };
        if let Some(member) = member(app, group, user).await?.filter(|member| !member.deleted) {
            return Ok(member.role);
        }
        back_off(attempt).await;
    }
    Err(changed_each_time())
}

/// Asks to join. Idempotent. Answers the role of somebody who is a member by now.
pub async fn ask(app: &App, group: GroupId, user: UserId) -> Result<Option<Role>> {
    let request = JoinRequest { created_at: new_ulid(app.now()) };
    let ops = vec![
        Op::create(key::join_request(group, user), &request)?.owned_by(user),
        Op::check(key::member(group, user), is_none()),
    ];
    match app.table().transact(ops).await {
        Ok(()) => return Ok(None),
        Err(error) => error.refused()?,
    };
    Ok(member(app, group, user).await?.filter(|member| !member.deleted).map(|member| member.role))
}

/// Withdraws the join request, where there is one.
pub async fn withdraw(app: &App, group: GroupId, user: UserId) -> Result<()> {
    app.table().write(Op::delete(key::join_request(group, user))).await.map(|_| ()).map_err(Error::from)
}

/// Approves a join request. Idempotent. Answers the role.
///
/// # Errors
/// 404 when they don't ask, 409 when they are in as many groups as one may be, 403 when the acting user may no longer.
pub async fn approve(app: &App, group: GroupId, user: UserId, by: (UserId, Role)) -> Result<Role> {
    let groups = memberships(app, user).await?;
    if groups.len() >= MAX_GROUPS && groups.iter().all(|(id, _)| *id != group) {
        return Err(too_many_groups());
    }
    for attempt in 0..STAFF_REFUSALS {
        let mut ops = vec![Op::delete(key::join_request(group, user)).when(Condition::Exists)];
        ops.extend(joined(app, group, user, Role::Member, Some(by.0))?);
        ops.extend(acting(group, by, user));
        let refused = match app.table().transact(ops).await {
            Ok(()) => return Ok(Role::Member),
            Err(error) => error.refused()?,
        };
        if refused.has(3) {
            return Err(no_longer());
        }
        if let Some(member) = member(app, group, user).await?.filter(|member| !member.deleted) {
            withdraw(app, group, user).await?;
            return Ok(member.role);
        }
        if refused.has(0) {
            return Err(Error::not_found());
        }
        back_off(attempt).await;
    }
    Err(changed_each_time())
}

fn no_longer() -> Error {
    Error::forbidden("Your role in the group was changed at the same moment.")
}

/// Takes out of a member's row who let them in, once that is told: nobody asks any more, and the one who let them in may go,
/// whom nothing would find there.
pub async fn clear_approval(app: &App, group: GroupId, user: UserId, told: Act) -> Result<()> {
    let op = Op::update(key::member(group, user)).remove("by").without_write_token();
    // They may have been let in anew since.
    let op = op.when(Condition::equal(CREATED_AT, told.event)).when(Condition::equal("by", told.actor));
    match app.table().write(op).await {
        Ok(_) => Ok(()),
        Err(error) => error.refused().map(|_| ()),
    }
}

/// Refuses somebody who asks to join.
///
/// # Errors
/// 404 when they don't ask, 403 when the acting user may no longer.
pub async fn deny(app: &App, group: GroupId, user: UserId, by: (UserId, Role)) -> Result<()> {
    let mut ops = vec![Op::delete(key::join_request(group, user)).when(Condition::Exists)];
    ops.extend(acting(group, by, user));
    let Err(error) = app.table().transact(ops).await else { return Ok(()) };
    Err(if error.refused()?.has(0) { Error::not_found() } else { no_longer() })
}

/// Leaves, or is removed by somebody in a role. Idempotent: false where they were no member.
///
/// # Errors
/// 403 when the acting user may not remove somebody in this role; 409 for the last owner.
pub async fn leave(app: &App, group: GroupId, user: UserId, by: Option<(UserId, Role)>) -> Result<bool> {
    for attempt in 0..STAFF_REFUSALS {
        let Some(member) = member(app, group, user).await?.filter(|member| !member.deleted) else { return Ok(false) };
        if by.is_some_and(|(by, role)| by != user && !role.removes(member.role)) {
            return Err(Error::forbidden("Only an owner may remove an owner or a moderator."));
        }
        let mut ops = vec![
            is(Op::update(key::member(group, user)).set(DELETED, true), member.role),
            Op::delete(key::membership(user, group)),
        ];
        if member.role.moderates() {
            ops.extend(staff(app, group, user, None).await?);
        }
        ops.extend(by.and_then(|by| acting(group, by, user)));
        let last = ops.len() - 1;
        match app.table().transact(ops).await {
            Ok(()) => return Ok(true),
            Err(error) => {
                let refused = error.refused()?;
                if by.is_some_and(|(by, _)| by != user) && refused.has(last) {
                    return Err(no_longer());
                }
            }
        }
        back_off(attempt).await;
    }
    Err(changed_each_time())
}

/// The write that says who moderates the group once somebody has this role, or has left: held to what was read of it.
/// None for a group that is gone, where it does not matter.
async fn staff(app: &App, group: GroupId, user: UserId, role: Option<Role>) -> Result<Option<Op>> {
    let Some(found) = get(app, group, Read::Strong).await? else { return Ok(None) };
    let staff: BTreeMap<_, _> = found
        .staff_with(user, role)
        .ok_or_else(|| Error::new(Kind::LastOwner).detail("Make somebody else an owner first, or delete the group."))?;
    if staff.len() > MAX_STAFF {
        let detail = format!("A group has at most {MAX_STAFF} owners and moderators.");
        return Err(Error::new(Kind::LimitReached).detail(detail));
    }
    let op = Op::update(key::group(group)).set("staff", staff).add("sver", 1);
    Ok(Some(op.when(Condition::equal("sver", found.sver)).when(Condition::Without(DELETED))))
}

/// Gives a member another role. Idempotent.
///
/// # Errors
/// 404 for somebody who is no member; 403 when the acting user is no owner any more; 409 for the last owner, and where too
/// many would moderate the group.
pub async fn set_role(app: &App, group: GroupId, user: UserId, role: Role, by: UserId) -> Result<Member> {
    for attempt in 0..STAFF_REFUSALS {
        let found = member(app, group, user).await?.filter(|member| !member.deleted);
        let member = found.ok_or_else(Error::not_found)?;
        if member.role == role {
            return Ok(member);
        }
        let mut ops = vec![
            is(Op::update(key::member(group, user)).set("role", role), member.role),
            Op::put(key::membership(user, group), &Membership { role })?,
            staff(app, group, user, Some(role)).await?.ok_or_else(Error::not_found)?,
        ];
        ops.extend(acting(group, (by, Role::Owner), user));
        let Err(error) = app.table().transact(ops).await else { return Ok(Member { role, ..member }) };
        if error.refused()?.has(3) {
            return Err(no_longer());
        }
        back_off(attempt).await;
    }
    Err(changed_each_time())
}

/// What an owner or moderator changes of a group.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    pub name: Option<GroupName>,
    /// The outer None leaves it as it is.
    pub description: Option<Option<Description>>,
}

/// Changes the group as it was read. None when it was changed meanwhile, or is gone.
pub async fn edit(app: &App, old: &Group, edit: Edit) -> Result<Option<Group>> {
    let is_same_name = edit.name.as_ref().is_none_or(|name| *name == old.name);
    if is_same_name && edit.description.as_ref().is_none_or(|text| *text == old.description) {
        return Ok(Some(old.clone()));
    }
    let mut op = Op::update(key::group(old.id)).add("ver", 1);
    if let Some(name) = edit.name {
        op = op.set("name", name);
    }
    op = match edit.description {
        Some(Some(description)) => op.set("description", description),
        Some(None) => op.remove("description"),
        None => op,
    };
    match app.table().write(op.when(Condition::equal("ver", old.ver)).when(Condition::Without(DELETED))).await {
        Ok(item) => Ok(item.map(|item| item.read()).transpose()?),
        Err(error) => error.refused().map(|_| None),
    }
}

/// Deletes the group as it was read: for everybody it is gone, and the stream has what lies with it removed (see
/// `group_removal`). False when it was changed meanwhile, is gone, or the acting user is no owner any more.
pub async fn delete(app: &App, old: &Group, by: UserId) -> Result<bool> {
    let gone = Op::update(key::group(old.id)).set(DELETED, true).when(Condition::equal("ver", old.ver));
    let ops = vec![
        gone.when(Condition::Without(DELETED)),
        Op::delete(key::discoverable(old.id)),
        Op::check(key::membership(by, old.id), Condition::equal("role", Role::Owner)),
    ];
    match app.table().transact(ops).await {
        Ok(()) => Ok(true),
        Err(error) => error.refused().map(|_| false),
    }
}

/// Takes somebody out of a group for good, whose account is gone. The last owner leaves it to another (see `heir`); with
/// the last member it goes.
pub async fn end(app: &App, group: GroupId, user: UserId) -> Result<()> {
    match leave(app, group, user, None).await {
        Err(error) if error.kind() == Kind::LastOwner => {}
        left => return left.map(|_| ()),
    }
    let Some(found) = get(app, group, Read::Strong).await? else { return Ok(()) };
    let done = match heir(app, &found, user).await? {
        Some(heir) => set_role(app, group, heir, Role::Owner, user).await.map(|_| ()),
        None => delete(app, &found, user).await.map(|_| ()),
    };
    match done {
        // The one who was to have it has left meanwhile.
        Err(error) if !error.is_passing() => Err(Error::unavailable(error)),
        Err(error) => Err(error),
        Ok(()) => leave(app, group, user, None).await.map(|_| ()),
    }
}

/// Who owns a group after this one: a moderator, or else a member, who is there and not suspended, for nobody else can
/// act; where there is none such, any of them.
async fn heir(app: &App, group: &Group, user: UserId) -> Result<Option<UserId>> {
    let mut others: Vec<UserId> = group.staff.keys().copied().filter(|other| *other != user).collect();
    let (mut any, mut next) = (None, Some(None::<String>));
    loop {
        if let Some(heir) = users::active_among(app, &others).await?.first() {
            return Ok(Some(*heir));
        }
        any = any.or_else(|| others.first().copied());
        let Some(after) = next else { return Ok(any) };
        let (members, more) = members(app, group.id, HEIRS, after.as_deref()).await?;
        others = members.into_iter().map(|(other, _)| other).filter(|other| *other != user).collect();
        next = more.map(Some);
    }
}

/// Rows read at once in search of one.
const HEIRS: usize = 20;
