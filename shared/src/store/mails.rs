//! Who sends a mail. A job may come twice at the same moment; the item that the mail belongs to says who is at it.

use crate::App;
use crate::error::Result;
use crate::table::design::Key;
use crate::table::{Condition, Op};
use std::time::Duration;

/// Whoever took a mail upon itself and has not sent it by then is taken for dead. Shorter than the queue hides the
/// message of the one that died, so that the mail is sent when it comes again.
const LEASE: Duration = Duration::from_secs(60);

/// Takes a mail upon oneself. False when it was sent, or somebody else is at it.
///
/// # Errors
/// Unavailable.
pub(super) async fn claim(app: &App, item: Key) -> Result<bool> {
    let now = app.now();
    let free = Condition::Any(vec![Condition::Without("sending"), Condition::less("sending", now.seconds())]);
    let op = Op::update(item).set("sending", (now + LEASE).seconds());
    match app.table().write(op.when(Condition::Exists).when(Condition::Without("mailed")).when(free)).await {
        Ok(_) => Ok(true),
        Err(error) => error.refused().map(|_| false),
    }
}

/// Notes that the mail was sent. An item that is gone meanwhile needs no note.
///
/// # Errors
/// Unavailable.
pub(super) async fn sent(app: &App, item: Key) -> Result<()> {
    let op = Op::update(item).set("mailed", true).remove("sending").when(Condition::Exists);
    match app.table().write(op).await {
        Ok(_) => Ok(()),
        Err(error) => error.refused().map(|_| ()),
    }
}
