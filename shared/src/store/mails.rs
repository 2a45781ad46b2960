//! Claims of mails. A job may come twice at the same moment; the item that the mail belongs to says who sends it.

use crate::App;
use crate::error::{Error, Result};
use crate::limits::MAIL_LEASE;
use crate::table::design::Key;
use crate::table::{Condition, Op};
use serde::Deserialize;

/// A mail that one has taken upon oneself.
#[derive(Debug)]
pub struct Claim {
    item: Key,
    /// Till when, in seconds since the epoch; a later claim has a later one.
    until: u64,
}

#[derive(Deserialize)]
struct Mailed {
    #[serde(default)]
    mailed: bool,
}

/// Claims a mail. None when it was sent, or nobody waits for it any more.
///
/// # Errors
/// The table does not answer, or another worker is sending it: nothing is left to do only once it was sent.
pub(super) async fn claim(app: &App, item: Key) -> Result<Option<Claim>> {
    let now = app.now();
    let until = (now + MAIL_LEASE).seconds();
    let free = Condition::Any(vec![Condition::Without("sending"), Condition::less("sending", now.seconds())]);
    let op = Op::update(item.clone()).set("sending", until).when(Condition::Exists);
    let Err(error) = app.table().write(op.when(Condition::Without("mailed")).when(free)).await else {
        return Ok(Some(Claim { item, until }));
    };
    let refused = error.refused()?;
    match refused.item(0).map(|item| item.read::<Mailed>()).transpose()? {
        Some(Mailed { mailed: false }) => Err(Error::unavailable("somebody else is sending this mail")),
        Some(_) | None => Ok(None),
    }
}

impl Claim {
    /// Notes that the mail was sent. An item that is gone meanwhile needs no note.
    pub async fn sent(self, app: &App) -> Result<()> {
        end(app, Op::update(self.item).set("mailed", true).remove("sending").when(Condition::Exists)).await
    }

    /// Gives the mail back: it could not be sent, and the next try need not wait for this claim to run out.
    pub async fn release(self, app: &App) -> Result<()> {
        end(app, Op::update(self.item).remove("sending").when(Condition::equal("sending", self.until))).await
    }
}

async fn end(app: &App, op: Op) -> Result<()> {
    match app.table().write(op).await {
        Ok(_) => Ok(()),
        Err(error) => error.refused().map(|_| ()),
    }
}
