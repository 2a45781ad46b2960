//! Suspended accounts. The profile says so to readers of the account or its posts, the credentials to those who
//! signs in; both change in one transaction, in which all sessions end.
//!
//! A sign-in at the same moment is settled by the credentials: a session starts only where they say nothing of a
//! suspension, and the suspension is made only if none has started since it read the sessions it ends.

use super::sessions;
use crate::App;
use crate::error::Result;
use crate::ids::UserId;
use crate::models::user::Profile;
use crate::table::design::key;
use crate::table::{Condition, Op, Read};
use futures::future::try_join;

async fn profile(app: &App, user: UserId) -> Result<Option<Profile>> {
    Ok(app.table().get(&key::profile(user), Read::Strong).await?)
}

/// The writes that suspend an account; none where it is suspended already, or gone.
pub(super) async fn suspend(app: &App, user: UserId) -> Result<Vec<Op>> {
    let (profile, found) = try_join(profile(app, user), sessions::credentials(app, user)).await?;
    let is_active = profile.is_some_and(|profile| profile.suspended.is_none());
    let Some(kept) = found.credentials.filter(|_| is_active) else { return Ok(Vec::new()) };
    // A new version, so that an edit of the profile that is under way does not write it over.
    let hidden = Op::update(key::profile(user)).set("suspended", app.now()).add("ver", 1);
    let shut = Op::update(key::credentials(user)).set("suspended", true);
    let mut ops = vec![
        hidden.when(Condition::Exists).when(Condition::Without("suspended")),
        shut.when(Condition::Exists).when(sessions::none_started_since(&kept)),
    ];
    ops.extend(found.sessions.iter().map(|session| Op::delete(key::session(user, session.id))));
    Ok(ops)
}

/// The writes that take a suspension back; none where there is none.
pub(super) async fn reinstate(app: &App, user: UserId) -> Result<Vec<Op>> {
    if profile(app, user).await?.is_none_or(|profile| profile.suspended.is_none()) {
        return Ok(Vec::new());
    }
    let seen = Op::update(key::profile(user)).remove("suspended").add("ver", 1);
    let open = Op::update(key::credentials(user)).remove("suspended").when(Condition::Exists);
    Ok(vec![seen.when(Condition::greater("suspended", 0)), open])
}
