//! Telling somebody what others did.

use crate::mails;
use futures::future::try_join;
use shared::App;
use shared::error::Result;
use shared::ids::UserId;
use shared::models::notification::{Act, NotificationKind, Topic};
use shared::models::settings::{NotifySettings, Ways};
use shared::models::user::Account;
use shared::store;
use shared::table::Read;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Notification mails an account gets in a day.
const MAILS_A_DAY: u64 = 50;
/// The same while its address is not verified: it may be a stranger's.
const MAILS_A_DAY_UNVERIFIED: u64 = 3;

/// One owner is told by one message of an event at a time: all tellings of an owner move one item, and ten at once would
/// mostly refuse each other.
#[derive(Default)]
pub(crate) struct Turns(std::sync::Mutex<HashMap<UserId, Arc<Mutex<()>>>>);

impl Turns {
    fn of(&self, owner: UserId) -> Arc<Mutex<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(owner).or_default().clone()
    }
}

/// Tells the owner of acts that still stand, in the ways they want. A repeated message changes nothing and sends no
/// second mail, unless the process died between the mail and the note of it.
pub(crate) async fn tell(app: &App, turns: &Turns, topic: &Topic, mut acts: Vec<Act>) -> Result<()> {
    let actors: Vec<UserId> = acts.iter().map(|act| act.actor).collect();
    let (standing, account) = try_join(standing(app, topic, &actors), store::users::account(app, topic.owner)).await?;
    let Some(account) = account else { return Ok(()) };
    acts.retain(|act| standing.contains(&act.actor));
    let ways = ways(&account.settings.notify, topic.kind);
    let unmailed = {
        let turn = turns.of(topic.owner);
        let _turn = turn.lock().await;
        store::notifications::tell(app, topic, &acts, ways.list).await?
    };
    if ways.mail && topic.kind == NotificationKind::Follow {
        for act in unmailed {
            mail(app, topic, &act, &account).await?;
        }
    }
    Ok(())
}

/// Whose act was not undone since. A deleted post's likes may lie there for a while yet: the post itself tells.
async fn standing(app: &App, topic: &Topic, actors: &[UserId]) -> Result<HashSet<UserId>> {
    match (topic.kind, topic.post) {
        (NotificationKind::Follow, _) => store::follows::followers_among(app, topic.owner, actors).await,
        (NotificationKind::Like, Some(post)) => {
            let likers = store::likes::likers_among(app, post, actors);
            let (likers, post) = try_join(likers, store::posts::get(app, post, Read::Strong)).await?;
            Ok(post.map(|_| likers).unwrap_or_default())
        }
        (NotificationKind::Like, None) => Ok(HashSet::new()),
    }
}

fn ways(settings: &NotifySettings, kind: NotificationKind) -> Ways {
    match kind {
        NotificationKind::Follow => settings.follow,
        NotificationKind::Like => settings.like,
    }
}

/// Sends the mail that tells of a new follower, where the day's number is not reached.
async fn mail(app: &App, topic: &Topic, act: &Act, account: &Account) -> Result<()> {
    let Some(actor) = store::users::profile(app, act.actor).await? else { return Ok(()) };
    let limit = if account.verified { MAILS_A_DAY } else { MAILS_A_DAY_UNVERIFIED };
    let (scope, day) = (format!("notification-mail#{}", topic.owner.ulid()), app.now().seconds() / DAY.as_secs());
    if store::limits::count(app, &scope, day, DAY).await? > limit {
        tracing::info!(owner = %topic.owner, limit, "no mail: enough for today");
        return Ok(());
    }
    let mail = mails::follow(app.config(), app.keys()?, account, &actor);
    let sent = match store::notifications::claim_mail(app, topic, act).await {
        Ok(Some(claim)) => mails::send(app, claim, mail).await.map(|()| true),
        other => other.map(|_| false),
    };
    if !matches!(sent, Ok(true)) {
        // It may come again, and one mail is not to use up the day's.
        store::limits::uncount(app, &scope, day).await?;
    }
    sent.map(|_| ())
}
