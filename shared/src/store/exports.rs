//! Archives of all that is somebody's. A mail's token stands for one: written with the request, it makes the stream have
//! the archive made, and then the mail sent.

use super::{mail_tokens, users};
use crate::App;
use crate::error::{Error, Kind, Result};
use crate::ids::UserId;
use crate::models::session::{MailAction, MailToken};
use crate::store::users::UserPage;
use crate::table::Read;
use crate::table::design::{EntityKey, key, owner};
use ulid::Ulid;

/// An archive that was asked for, and whose it is: None when nobody is to have it any more. Its account must stand, and
/// have the address that it had, for that is where the mail goes; neither another archive nor a new password may have come
/// since.
pub async fn wanted(app: &App, id: Ulid) -> Result<Option<(MailToken, UserPage)>> {
    let Some(token) = mail_tokens::find(app, id).await?.filter(|token| token.action == MailAction::Export) else {
        return Ok(None);
    };
    let page = users::page(app, token.user, Read::Strong).await?;
    let is_theirs = |page: &UserPage| {
        let (profile, account) = (&page.profile, &page.account);
        let is_newest = account.export_link.is_none_or(|newest| newest == id);
        is_newest && profile.is_active() && account.verified && account.email.folded() == token.email.folded()
    };
    Ok(page.filter(is_theirs).map(|page| (token, page)))
}

/// The archive that a link in a mail leads to.
///
/// # Errors
/// 400 for a token that is forged, expired or for something else, or when nobody is to have the archive any more.
pub async fn presented(app: &App, text: &str) -> Result<(MailToken, UserPage)> {
    let refused = || Error::new(Kind::InvalidToken).detail("Ask for a new archive: POST /users/export.");
    let id = MailToken::read(&app.keys()?, text).ok_or_else(refused)?;
    wanted(app, id).await?.ok_or_else(refused)
}

/// What somebody leaves in others' partitions, of one kind.
#[derive(Clone, Copy, Debug)]
pub enum Left {
    Comments,
    GroupPosts,
    JoinRequests,
    Reports,
}

/// Some of it, oldest first where it has a time, and where the next page starts. Access pattern 66.
pub async fn elsewhere(
    app: &App,
    user: UserId,
    what: Left,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<EntityKey>, Option<String>)> {
    let own = user.ulid().to_string();
    let beginning = match what {
        Left::Comments => key::COMMENT,
        Left::GroupPosts => key::POST,
        Left::JoinRequests => key::JOIN_REQUEST,
        // Who has reported a post is the sort key with it.
        Left::Reports => &own,
    };
    let (keys, next) = app.table().listed(&owner(user), Some(beginning), limit, after).await?;
    Ok((keys.iter().filter_map(|key| EntityKey::read(key.pk(), key.sk())).collect(), next))
}
