//! Telling somebody what others did.

use crate::{live, mails};
use futures::future::{try_join, try_join_all, try_join3};
use shared::error::Result;
use shared::ids::{GroupId, PostId, UserId};
use shared::models::notification::{Act, NotificationKind, Topic};
use shared::models::settings::{NotifySettings, Ways};
use shared::models::user::{Account, Profile};
use shared::store;
use shared::table::Read;
use shared::visibility::ContentOwner;
use shared::{App, visibility};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;
use ulid::Ulid;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Notification mails an account gets in a day.
const MAILS_A_DAY: u64 = 50;
/// Notification mails in a day while the address is not verified: it may be a stranger's.
const MAILS_A_DAY_UNVERIFIED: u64 = 3;

/// A lock per owner: all notifications of an owner move one item, and ten messages of an event at once would
/// mostly refuse each other.
#[derive(Default)]
pub(crate) struct OwnerLocks(std::sync::Mutex<HashMap<UserId, Arc<Mutex<()>>>>);

impl OwnerLocks {
    fn of(&self, owner: UserId) -> Arc<Mutex<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(owner).or_default().clone()
    }
}

/// Notifies the topic's owner of acts. The approver of a join request is stored only until then.
pub(crate) async fn acts(app: &App, locks: &OwnerLocks, topic: &Topic, acts: Vec<Act>) -> Result<()> {
    notify(app, locks, topic, acts.clone()).await?;
    let Some(group) = topic.group.filter(|_| topic.kind == NotificationKind::GroupAccepted) else { return Ok(()) };
    let notified = acts.into_iter().map(|act| store::groups::clear_approval(app, group, topic.owner, act));
    try_join_all(notified).await.map(|_| ())
}

/// Notifies the owner of acts that are still active, in the ways they want. A repeated message changes nothing and sends no
/// second mail, unless the process died between the mail and the note of it.
async fn notify(app: &App, locks: &OwnerLocks, topic: &Topic, acts: Vec<Act>) -> Result<()> {
    let about = acts
        .iter()
        .map(|act| ContentOwner::from(act.actor))
        .chain(topic.post.into_iter().flat_map(visibility::of_post));
    let visibility = visibility::load_for_user(app, topic.owner, about.collect::<Vec<_>>());
    let account = store::users::account(app, topic.owner);
    let (mut acts, account, visibility) = try_join3(active(app, topic, acts), account, visibility).await?;
    let Some(account) = account else { return Ok(()) };
    acts.retain(|act| visibility.not_muted(act.actor) && topic.post.is_none_or(|post| visibility.can_see_post(post)));
    let ways = ways(&account.settings.notify, topic.kind);
    let notified = {
        let lock = locks.of(topic.owner);
        let _guard = lock.lock().await;
        store::notifications::notify(app, topic, &acts, ways).await?
    };
    let live = if ways.live { live::notifications(app, topic, &notified).await } else { Ok(()) };
    if ways.mail {
        for one in notified.iter().filter(|one| !one.mailed) {
            mail(app, topic, &one.act, &account).await?;
        }
    }
    // What a socket could not be told delays no mail.
    live
}

/// Notifies the users that a post mentions: not its author, nor those who are notified of it as a comment.
pub(crate) async fn mentions(app: &App, locks: &OwnerLocks, id: PostId) -> Result<()> {
    let Some((post, _)) = store::posts::get_visible(app, id, Read::Strong).await? else { return Ok(()) };
    let notified = [Some(id.author), id.parent().map(|on| on.author)];
    let others = post.mentions.iter().map(|mention| mention.id).filter(|other| !notified.contains(&Some(*other)));
    // As old as the text that names them.
    let at = post.edited.unwrap_or_else(|| id.created_at());
    let act = Act { actor: id.author, event: Ulid::from_parts(at.millis(), id.ulid.random()) };
    let topic = |owner| Topic { kind: NotificationKind::Mention, owner, post: Some(id), group: None };
    let notified = others.map(|owner| async move { notify(app, locks, &topic(owner), vec![act]).await });
    try_join_all(notified).await.map(|_| ())
}

/// Notifies a group's moderators of a join request.
pub(crate) async fn join_requested(app: &App, locks: &OwnerLocks, group: GroupId, user: UserId) -> Result<()> {
    let request = store::groups::request_of(app, group, user);
    let (request, found) = try_join(request, store::groups::get(app, group, Read::Strong)).await?;
    let Some(request) = request else { return Ok(()) };
    let Some(found) = found else {
        // It came while the group was removed.
        return store::groups::withdraw(app, group, user).await;
    };
    let act = Act { actor: user, event: request.created_at };
    let topic = |owner| Topic { kind: NotificationKind::GroupRequest, owner, post: None, group: Some(group) };
    let staff: Vec<UserId> = found.staff.into_keys().filter(|owner| *owner != user).collect();
    let notified = staff.into_iter().map(|owner| async move { notify(app, locks, &topic(owner), vec![act]).await });
    try_join_all(notified).await.map(|_| ())
}

/// Those that were not deleted since. A deleted post's likes may lie there for a while yet: the post itself tells.
async fn active(app: &App, topic: &Topic, mut acts: Vec<Act>) -> Result<Vec<Act>> {
    let actors: Vec<UserId> = acts.iter().map(|act| act.actor).collect();
    match (topic.kind, topic.post) {
        (NotificationKind::Follow, _) => {
            let followers = store::follows::followers_among(app, topic.owner, &actors).await?;
            acts.retain(|act| followers.contains(&act.actor));
        }
        (NotificationKind::Like, Some(post)) => {
            let likers = store::likes::likers_among(app, post, &actors);
            let (likers, post) = try_join(likers, store::posts::get(app, post, Read::Strong)).await?;
            acts.retain(|act| post.is_some() && likers.contains(&act.actor));
        }
        (NotificationKind::Comment, Some(post)) => {
            let comments: Vec<PostId> = acts.iter().filter_map(|act| topic.comment(act)).collect();
            let comments = store::comments::active(app, post, &comments).await?;
            acts.retain(|act| topic.comment(act).is_some_and(|comment| comments.contains(&comment)));
        }
        // `mentions` has just read the post that names the owner.
        (NotificationKind::Mention, Some(_)) => {}
        // `join_requested` has just read the request.
        (NotificationKind::GroupRequest, _) => {}
        (NotificationKind::GroupAccepted, _) => {
            let roles = store::groups::roles(app, topic.owner, topic.group).await?;
            acts.retain(|_| !roles.is_empty());
        }
        (_, None) => acts.clear(),
    }
    Ok(acts)
}

const fn ways(settings: &NotifySettings, kind: NotificationKind) -> Ways {
    match kind {
        NotificationKind::Follow => settings.follow,
        NotificationKind::Like => settings.like,
        NotificationKind::Comment => settings.comment,
        NotificationKind::Mention => settings.mention,
        NotificationKind::GroupRequest | NotificationKind::GroupAccepted => settings.group,
    }
}

/// Sends the mail that tells of an act, where the day's number is not reached.
async fn mail(app: &App, topic: &Topic, act: &Act, account: &Account) -> Result<()> {
    let Some(actor) = store::users::profile(app, act.actor).await?.filter(Profile::is_active) else { return Ok(()) };
    let limit = if account.verified { MAILS_A_DAY } else { MAILS_A_DAY_UNVERIFIED };
    let (scope, day) = (format!("notification-mail#{}", topic.owner.ulid()), app.now().seconds() / DAY.as_secs());
    if store::rate_limits::count(app, &scope, day, DAY).await? > limit {
        tracing::info!(owner = %topic.owner, limit, "no mail: enough for today");
        return Ok(());
    }
    let mail = mails::act(app.config(), &app.keys()?, account, &actor, topic, act);
    let sent = match store::notifications::claim_mail(app, topic, act).await {
        Ok(Some(claim)) => mails::send(app, claim, mail).await.map(|()| true),
        other => other.map(|_| false),
    };
    if !matches!(sent, Ok(true)) {
        // It may come again, and one mail is not to use up the day's.
        store::rate_limits::uncount(app, &scope, day).await?;
    }
    sent.map(|_| ())
}
