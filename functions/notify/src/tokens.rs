//! Mails that were asked for.

use crate::mails;
use shared::App;
use shared::error::Result;
use shared::models::session::MailToken;
use shared::store::mail_tokens;
use ulid::Ulid;

/// Sends a token's mail, unless the token is used, expired or sent already.
pub(crate) async fn send(app: &App, id: Ulid) -> Result<()> {
    let Some(token) = mail_tokens::find(app, id).await?.filter(|token| !token.mailed) else { return Ok(()) };
    let text = MailToken::text(id, &app.keys()?);
    let Some(mail) = mails::token(app.config(), &token, &text) else { return Ok(()) };
    match mail_tokens::claim_mail(app, id).await? {
        Some(claim) => mails::send(app, claim, mail).await,
        None => Ok(()),
    }
}
