//! Accounts and profiles.

use super::addresses;
use crate::App;
use crate::error::{Error, FieldError, Result};
use crate::ids::UserId;
use crate::metrics::Metric;
use crate::models::deletion::HeldName;
use crate::models::fields::Patch;
use crate::models::following::Followers;
use crate::models::settings::Settings;
use crate::models::user::{Account, Avatar, Credentials, Email, FormerName, Guard, Profile, Username};
use crate::secrets::{Purpose, base64url};
use crate::table::design::{Key, key};
use crate::table::{Condition, Op, Order, Read, TableError, Transaction};
use std::time::Duration;
use ulid::Ulid;

/// A name given up by a rename is kept for its old holder this long.
const NAME_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// An account to be.
pub struct NewAccount {
    pub id: UserId,
    pub email: Email,
    pub verified: bool,
    pub username: Username,
    pub full_name: Option<String>,
    pub password_hash: String,
    /// The link that verifies the address; None where it is verified.
    pub verify_link: Option<Ulid>,
    /// The network that signed up, by name; None when it is not known.
    pub known_network: Option<String>,
}

/// Why an account was not created.
#[derive(Debug)]
pub enum CreateAccountError {
    UsernameTaken,
    EmailTaken,
    Both,
    /// Something else.
    Other(Error),
    IdempotencyKeyUsed,
}

impl From<TableError> for CreateAccountError {
    fn from(error: TableError) -> Self {
        Self::Other(error.into())
    }
}

impl From<Error> for CreateAccountError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// What a new account looks like.
pub fn preview(new: &NewAccount) -> UserPage {
    let (profile, account, followers, _) = entities(new);
    UserPage { profile, account, followers }
}

/// The items of a new account.
fn entities(new: &NewAccount) -> (Profile, Account, Followers, Credentials) {
    let id = new.id;
    let profile = Profile {
        id,
        username: new.username.clone(),
        full_name: new.full_name.clone(),
        bio: None,
        location: None,
        website: None,
        interests: Vec::new(),
        avatar: None,
        ver: 1,
        suspended: None,
        deleted: None,
    };
    let account = Account { verify_link: new.verify_link, ..Account::new(id, new.email.clone(), new.verified) };
    let followers = Followers::new(id);
    let known = new.known_network.iter().cloned().collect();
    let hash = new.password_hash.clone();
    let credentials = Credentials {
        id,
        hash,
        known,
        starts: 0,
        suspended: false,
        reset_link: None,
        factor: None,
        factor_pending: None,
    };
    (profile, account, followers, credentials)
}

/// Creates an account, in one transaction with, first, the idempotency operation and, last, the caller's operations.
///
/// # Errors
/// What was taken, or that the idempotency key is used already.
pub async fn create(
    app: &App,
    new: &NewAccount,
    idempotency_op: Option<Op>,
    last: Vec<Op>,
) -> Result<(), CreateAccountError> {
    let (profile, account, followers, credentials) = entities(new);
    let guard = Guard::new(new.id);
    let mut transaction = Transaction::new()
        .ops_or(idempotency_op, || Taken::IdempotencyKey)
        .op_or(take_name(app, &new.username, &guard)?, Taken::Username)
        .op_or(addresses::take(app, &new.email, new.id)?, Taken::Email)
        .op(Op::create(key::profile(new.id), &profile)?)
        .op(Op::create(key::account(new.id), &account)?)
        .op(Op::create(key::followers(new.id), &followers)?)
        .op(Op::create(key::credentials(new.id), &credentials)?);
    for op in last {
        transaction = transaction.op(op);
    }
    let refusals = transaction.ops_or(not_held(app, &new.username)?, || Taken::Username).refusals(app.table()).await?;
    let has = |taken| refusals.contains(&taken);
    match (has(Taken::Username), has(Taken::Email)) {
        _ if has(Taken::IdempotencyKey) => Err(CreateAccountError::IdempotencyKeyUsed),
        (true, true) => Err(CreateAccountError::Both),
        (true, false) => Err(CreateAccountError::UsernameTaken),
        (false, true) => Err(CreateAccountError::EmailTaken),
        (false, false) => {
            Metric::SignUps.record(1);
            Ok(())
        }
    }
}

/// What a new account needs and somebody has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    IdempotencyKey,
    Username,
    Email,
}

impl From<CreateAccountError> for Error {
    fn from(why: CreateAccountError) -> Self {
        match why {
            CreateAccountError::UsernameTaken => Self::taken("username"),
            CreateAccountError::EmailTaken => Self::taken("email"),
            CreateAccountError::Both => {
                let email = Self::taken("email");
                let field = email.fields()[0].clone();
                Self::taken("username").field(field).detail("Username and email are already taken.")
            }
            CreateAccountError::IdempotencyKeyUsed => Self::new(crate::error::Kind::InFlight),
            CreateAccountError::Other(error) => error,
        }
    }
}

/// That no deleted account had the name lately. Availability is decided here, by the transaction, and times are compared:
/// a row whose time is over may lie there for days.
fn not_held(app: &App, name: &Username) -> Result<Vec<Op>> {
    let free = || Condition::Any(vec![Condition::Missing, Condition::less("free_at", app.now())]);
    Ok(held_names(app, name)?.into_iter().map(|key| Op::check(key, free())).collect())
}

/// Where it is kept that a deleted account had the name: under each of the keys, for one may have been replaced.
pub(super) fn held_names(app: &App, name: &Username) -> Result<Vec<Key>> {
    let macs = app.keys()?.macs(Purpose::HeldName, &[name.folded().as_bytes()]);
    Ok(macs.iter().map(|mac| key::held_name(&base64url(mac))).collect())
}

/// Whether a deleted account had the name lately; for an answer that comes before the name is taken.
pub async fn is_held(app: &App, name: &Username) -> Result<bool> {
    let found = app.table().batch_get::<HeldName>(&held_names(app, name)?, Read::Strong).await?;
    Ok(found.into_iter().flatten().any(|held| held.free_at > app.now()))
}

/// Claims a name that is free, the account's own, or given up long enough ago.
fn take_name(app: &App, name: &Username, guard: &Guard) -> Result<Op> {
    Ok(Op::put(key::name_guard(name), guard)?.when(is_free(app, guard.id)))
}

/// The condition that a guarded name or address is free for a user. TTL is no help here: it deletes days late.
pub(super) fn is_free(app: &App, id: UserId) -> Condition {
    Condition::Any(vec![Condition::Missing, Condition::equal("id", id), Condition::less("free_at", app.now())])
}

/// The holder of a name. Access pattern 2.
pub async fn by_name(app: &App, name: &Username, read: Read) -> Result<Option<UserId>> {
    let guard = app.table().get::<Guard>(&key::name_guard(name), read).await?;
    Ok(guard.filter(|guard| guard.free_at.is_none()).map(|guard| guard.id))
}

/// The holders of these names: half a unit each, and a whole one more for a name that nobody has. Access pattern 2.
pub async fn by_names(app: &App, names: &[Username]) -> Result<Vec<Option<UserId>>> {
    let keys: Vec<_> = names.iter().map(key::name_guard).collect();
    let guards = app.table().batch_get::<Guard>(&keys, Read::Confirmed).await?;
    Ok(guards.into_iter().map(|guard| guard.filter(|guard| guard.free_at.is_none()).map(|guard| guard.id)).collect())
}

/// The holder of an address. Read strongly: found or not, it costs and takes the same. Access pattern 2.
pub async fn by_email(app: &App, email: &Email) -> Result<Option<UserId>> {
    let guard = app.table().get::<Guard>(&key::email_guard(email), Read::Strong).await?;
    Ok(guard.filter(|guard| guard.free_at.is_none()).map(|guard| guard.id))
}

/// All that a profile page shows.
#[derive(Clone, Debug)]
pub struct UserPage {
    pub profile: Profile,
    pub account: Account,
    pub followers: Followers,
}

/// A profile with its counts. Access pattern 3.
pub async fn page(app: &App, id: UserId, read: Read) -> Result<Option<UserPage>> {
    let found = page_once(app, id, read).await?;
    match read {
        Read::Confirmed if found.is_none() => page_once(app, id, Read::Strong).await,
        _ => Ok(found),
    }
}

async fn page_once(app: &App, id: UserId, read: Read) -> Result<Option<UserPage>> {
    let rows = app.table().query(&key::profile_page(id), Order::OldestFirst, read, 10, None).await?;
    let find = |key: crate::table::design::Key| rows.items.iter().find(move |item| item.sk() == key.sk());
    let (Some(profile), Some(account), Some(followers)) =
        (find(key::profile(id)), find(key::account(id)), find(key::followers(id)))
    else {
        return Ok(None);
    };
    let mut account: Account = account.read()?;
    // What was not verified in time waits no longer.
    account.pending = account.awaited(app.now()).cloned();
    Ok(Some(UserPage { profile: profile.read()?, account, followers: followers.read()? }))
}

/// The profile alone, of a suspended account too; half a unit.
pub async fn profile(app: &App, id: UserId) -> Result<Option<Profile>> {
    Ok(app.table().get(&key::profile(id), Read::Confirmed).await?)
}

/// The profiles of these, in their order, if all of them are there and none is suspended: a unit each. Whether somebody
/// is to be seen is read strongly, for a suspension holds from the next request on. Access pattern 30.
pub async fn active(app: &App, ids: &[UserId]) -> Result<Option<Vec<Profile>>> {
    Ok(each_active(app, ids).await?.into_iter().collect())
}

/// Those of these who are there, and not suspended, in their order: a unit each. Access pattern 30.
pub async fn active_among(app: &App, ids: &[UserId]) -> Result<Vec<UserId>> {
    Ok(each_active(app, ids).await?.into_iter().flatten().map(|profile| profile.id).collect())
}

async fn each_active(app: &App, ids: &[UserId]) -> Result<Vec<Option<Profile>>> {
    let keys: Vec<_> = ids.iter().map(|id| key::profile(*id)).collect();
    let found = app.table().batch_get_readable::<Profile>(&keys, Read::Strong).await?;
    Ok(found.into_iter().map(|profile| profile.filter(Profile::is_active)).collect())
}

/// The private half of an account.
pub async fn account(app: &App, id: UserId) -> Result<Option<Account>> {
    Ok(app.table().get(&key::account(id), Read::Strong).await?)
}

/// Changes to a profile; what is absent stays.
#[derive(Debug, Default)]
pub struct ProfileChange {
    pub full_name: Patch<String>,
    pub bio: Patch<String>,
    pub location: Patch<String>,
    pub website: Patch<String>,
    pub interests: Patch<Vec<String>>,
    pub avatar: Patch<Avatar>,
    pub username: Option<Username>,
    pub email: Option<NewEmail>,
}

/// An address to be.
#[derive(Debug)]
pub struct NewEmail {
    pub email: Email,
    /// Somebody has it.
    pub is_taken: bool,
}

/// Writes the changes over the page they were made from, if nobody else changed it meanwhile.
///
/// # Errors
/// 409 naming what is taken; [`Changed::Meanwhile`] when the profile is newer.
pub async fn change(app: &App, old: &UserPage, change: ProfileChange) -> Result<UserPage, Changed> {
    let id = old.profile.id;
    let mut new = old.clone();
    let profile = &mut new.profile;
    profile.full_name = change.full_name.or(profile.full_name.take());
    profile.bio = change.bio.or(profile.bio.take());
    profile.location = change.location.or(profile.location.take());
    profile.website = change.website.or(profile.website.take());
    profile.interests = change.interests.or(Some(std::mem::take(&mut profile.interests))).unwrap_or_default();
    profile.avatar = change.avatar.or(profile.avatar.take());
    profile.username = change.username.unwrap_or(profile.username.clone());
    // One's own address ends another that waits.
    let is_kept = |new: &NewEmail| new.email.folded() == old.account.email.folded() && old.account.pending.is_none();
    if new.profile == old.profile && change.email.as_ref().is_none_or(is_kept) {
        return Ok(old.clone());
    }
    new.profile.ver += 1;
    let put = Op::put(key::profile(id), &new.profile).map_err(Error::from)?;
    let mut ops = vec![put.when(Condition::equal("ver", old.profile.ver))];
    let (mut names, mut account) = (Vec::new(), None::<Op>);
    if is_rename(old, &new.profile.username) {
        account = Some(rename(app, old, &new, &mut ops)?);
        names.push(1);
        for op in not_held(app, &new.profile.username)? {
            names.push(ops.len());
            ops.push(op);
        }
    }
    if let Some(NewEmail { email, is_taken }) = change.email {
        let asked = addresses::change(app, &old.account, &email, is_taken)?;
        let op = account.unwrap_or_else(|| Op::update(key::account(id)));
        let op = op.when(Condition::equal("email", &old.account.email)).when(live());
        account = Some(match &asked.pending {
            Some(pending) => op.set("pending", pending),
            None => op.remove("pending"),
        });
        new.account.pending = asked.pending;
        ops.extend(asked.mails);
    }
    ops.extend(account);
    let mut attached = None;
    if new.profile.avatar != old.profile.avatar {
        attached = new.profile.avatar.as_ref().map(|_| ops.len());
        let (on, off) = (&new.profile.avatar, &old.profile.avatar);
        ops.extend(on.iter().flat_map(|avatar| super::media::attach_avatar(avatar.id)));
        ops.extend(off.iter().map(|avatar| super::media::soft_delete(avatar.id)));
    }
    if ops.len() == 1 {
        let Some(op) = ops.pop() else { return Ok(new) };
        return match app.table().write(op).await {
            Ok(_) => Ok(new),
            Err(error) => Err(error.refused().map_or_else(Changed::Error, |_| Changed::Meanwhile)),
        };
    }
    let Err(error) = app.table().transact(ops).await else { return Ok(new) };
    let refused = error.refused()?;
    if attached.is_some_and(|index| refused.has(index)) {
        let detail = "It belongs to something by now, or is gone.";
        let error = FieldError::new("avatar_media_id", "in_use", detail);
        return Err(Changed::Error(Error::invalid(vec![error])));
    }
    let is_taken = names.into_iter().any(|index| refused.has(index));
    Err(if is_taken { Changed::Error(Error::taken("username")) } else { Changed::Meanwhile })
}

/// An account that is there, and not deleted.
pub(super) fn live() -> Condition {
    Condition::All(vec![Condition::Exists, Condition::Without("deleted")])
}

/// Why a change was not made.
#[derive(Debug)]
pub enum Changed {
    /// Somebody was faster: read again.
    Meanwhile,
    Error(Error),
}

impl From<Error> for Changed {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Whether this is another name, and not the same in another case.
pub fn is_rename(old: &UserPage, name: &Username) -> bool {
    name.folded() != old.profile.username.folded()
}

/// The new name is taken, the old one kept for a while so that nobody can pose as its holder, and the one before that is
/// free. Answers what the account's item is to say.
fn rename(app: &App, old: &UserPage, new: &UserPage, ops: &mut Vec<Op>) -> Result<Op> {
    let (id, now) = (old.profile.id, app.now());
    ops.push(take_name(app, &new.profile.username, &Guard::new(id))?);
    let until = now + NAME_KEPT;
    ops.push(Op::put(key::name_guard(&old.profile.username), &Guard::kept(id, until))?.owned_by(id));
    let former = old.account.former_name.as_ref().filter(|former| former.until > now);
    if let Some(former) = former.filter(|former| former.name.folded() != new.profile.username.folded()) {
        let own = Condition::Any(vec![Condition::Missing, Condition::equal("id", id)]);
        ops.push(Op::delete(key::name_guard(&former.name)).when(own));
    }
    let former = FormerName { name: old.profile.username.clone(), until };
    Ok(Op::update(key::account(id)).set("former_name", former).when(live()))
}

/// Writes settings over the ones they were made from.
///
/// # Errors
/// False when they changed meanwhile.
pub async fn change_settings(app: &App, id: UserId, old: &Settings, new: &Settings) -> Result<bool> {
    let same = Condition::Any(vec![Condition::Without("settings"), Condition::equal("settings", old)]);
    let op = Op::update(key::account(id)).set("settings", new).when(live()).when(same);
    match app.table().write(op).await {
        Ok(_) => Ok(true),
        Err(error) => error.refused().map(|_| false),
    }
}
