//! Telling somebody what others did.

use crate::mails;
use futures::future::try_join;
use shared::App;
use shared::error::Result;
use shared::ids::UserId;
use shared::models::notification::{Act, NotificationKind};
use shared::models::user::{Account, NotifySettings, Ways};
use shared::store;
use shared::table::Read;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Notification mails an account gets in a day.
const MAILS_A_DAY: u64 = 50;
/// The same while its address is not verified: it may be a stranger's.
const MAILS_A_DAY_UNVERIFIED: u64 = 3;

/// One owner is told of one thing at a time: the messages of an event often concern one post, and all tellings of an
/// owner move one item.
#[derive(Default)]
pub(crate) struct Turns(std::sync::Mutex<HashMap<UserId, Arc<Mutex<()>>>>);

impl Turns {
    fn of(&self, owner: UserId) -> Arc<Mutex<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(owner).or_default().clone()
    }
}

/// Tells the owner of an act that still stands, in the ways they want. A repeated message changes nothing and sends no
/// second mail, but in the moment between the mail and the note of it.
pub(crate) async fn tell(app: &App, turns: &Turns, act: &Act) -> Result<()> {
    if act.owner == act.actor {
        return Ok(());
    }
    let (stands, account) = try_join(still_stands(app, act), store::users::account(app, act.owner)).await?;
    let Some(account) = account.filter(|_| stands) else { return Ok(()) };
    let ways = ways(&account.settings.notify, act.kind);
    let done = {
        let turn = turns.of(act.owner);
        let _turn = turn.lock().await;
        store::notifications::tell(app, act, ways.list).await?
    };
    if ways.mail && done.event == act.event && !done.mailed {
        mail(app, act, &account).await?;
    }
    Ok(())
}

/// Whether it was not undone since.
async fn still_stands(app: &App, act: &Act) -> Result<bool> {
    match (act.kind, act.post) {
        (NotificationKind::Follow, _) => store::follows::follows(app, act.actor, act.owner, Read::Strong).await,
        (NotificationKind::Like, Some(post)) => store::likes::likes(app, act.actor, post, Read::Strong).await,
        (NotificationKind::Like, None) => Ok(false),
    }
}

fn ways(settings: &NotifySettings, kind: NotificationKind) -> Ways {
    match kind {
        NotificationKind::Follow => settings.follow,
        NotificationKind::Like => settings.like,
    }
}

/// Sends the mail that tells of the act, where its kind has one and the day's number is not reached.
async fn mail(app: &App, act: &Act, account: &Account) -> Result<()> {
    if act.kind != NotificationKind::Follow {
        return Ok(());
    }
    let Some(actor) = store::users::profile(app, act.actor).await? else { return Ok(()) };
    let limit = if account.verified { MAILS_A_DAY } else { MAILS_A_DAY_UNVERIFIED };
    let scope = format!("notification-mail#{}", act.owner.ulid());
    if store::limits::count(app, &scope, app.now().seconds() / DAY.as_secs(), DAY).await? > limit {
        tracing::info!(owner = %act.owner, limit, "no mail: enough for today");
        return Ok(());
    }
    app.mailer().send(mails::follow(app.config(), app.keys()?, account, &actor)).await?;
    store::notifications::mark_mailed(app, act).await
}
