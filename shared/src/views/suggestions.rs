//! Suggested users: `GET /users/suggestions`, and `GET /posts/suggestions`.

use super::media::Links;
use super::user::UserCard;
use crate::App;
use crate::error::{Error, Result};
use crate::http::{Bearer, Page, PageQuery};
use crate::ids::UserId;
use crate::models::suggestions::{Reason, Suggested};
use crate::store::suggestions::{self, NewestFollows};
use crate::store::user_cards;
use crate::table::Read;
use crate::visibility;
use futures::future::{try_join, try_join3};
use serde::Serialize;

/// Somebody to follow.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct SuggestionView {
    pub user: UserCard,
    pub reason: ReasonView,
}

/// Why.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ReasonView {
    pub kind: ReasonKind,
    /// To be shown as it is.
    #[schema(example = "Followed by 12 people you follow.")]
    pub text: String,
    /// Where the kind is `followed_by`: how many of those I follow do follow them, at least.
    #[schema(required = true)]
    pub count: Option<u64>,
    /// Where the kind is `interests` or `hashtags`: up to three that we share.
    pub shared: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReasonKind {
    FollowedBy,
    Interests,
    Hashtags,
    Popular,
}

impl From<Reason> for ReasonView {
    fn from(reason: Reason) -> Self {
        let of = |kind, text: String, count, shared| Self { kind, text, count, shared };
        match reason {
            Reason::FollowedBy { n: 1 } => {
                of(ReasonKind::FollowedBy, "Followed by somebody you follow.".into(), Some(1), Vec::new())
            }
            Reason::FollowedBy { n } => {
                of(ReasonKind::FollowedBy, format!("Followed by {n} people you follow."), Some(n), Vec::new())
            }
            Reason::Interests { of: shared } => {
                of(ReasonKind::Interests, format!("Interested in {}, as you are.", list(&shared, "")), None, shared)
            }
            Reason::Hashtags { of: shared } => {
                of(ReasonKind::Hashtags, format!("Uses {}, as you do.", list(&shared, "#")), None, shared)
            }
            Reason::Popular => of(ReasonKind::Popular, "Many follow them.".into(), None, Vec::new()),
        }
    }
}

fn list(names: &[String], mark: &str) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{mark}{name}")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// A page of suggestions, best first. Has them computed when they are old; until then, those whom
/// many follow, or none for somebody who follows more than can be looked at in passing.
///
/// # Errors
/// 400 for a cursor of another list, 401.
pub async fn page(app: &App, bearer: &Bearer, query: &PageQuery) -> Result<Page<SuggestionView>> {
    let me = bearer.id();
    let list = format!("suggestions for {me}");
    let after = query.after(app, &list)?;
    let known = suggestions::get(app, me, Read::Eventual);
    let (viewer, known, follows) = try_join3(bearer.viewer(app), known, NewestFollows::read(app, me)).await?;
    let is_old = known.as_ref().is_none_or(|known| known.next <= app.now());
    let asked = async {
        if is_old {
            app.jobs().suggest(me).await;
        }
        Ok(())
    };
    let found = async {
        Ok::<_, Error>(match known {
            Some(known) => (known.people, follows.since(app, me, known.at).await?),
            None if follows.are_all() => (suggestions::popular(app).await?, follows),
            // Whom somebody follows who follows more is not read for the first page that they ask for.
            None => (Vec::new(), follows),
        })
    };
    let ((), (people, follows)) = try_join(asked, found).await?;
    // Where the page before ended is looked for among all: that one may have been followed or blocked since.
    let start = after.map_or(0, |after| start_after(&people, &after));
    let mut people: Vec<(usize, Suggested)> = people.into_iter().enumerate().skip(start).collect();
    let visibility =
        visibility::load(app, Some(&viewer), people.iter().map(|(_, one)| one.id).collect::<Vec<_>>()).await?;
    people.retain(|(_, one)| one.id != me && !follows.ids.contains(&one.id) && visibility.in_feed(one.id, app.now()));
    let more = people.len() > query.limit;
    people.truncate(query.limit);
    let next = people.last().filter(|_| more).map(|(place, last)| format!("{place} {}", last.id));
    let people = people.into_iter().map(|(_, one)| one).collect();
    query.page(app, &list, present(app, people).await?, next.as_deref())
}

/// Where a page starts that comes after somebody; where they are not in the list any more, for it was computed anew, at
/// the place they had.
fn start_after(people: &[Suggested], after: &str) -> usize {
    let (place, id) = after.split_once(' ').unwrap_or_default();
    let at = people.iter().position(|one| one.id.to_string() == id);
    at.map_or_else(|| place.parse().unwrap_or(people.len()), |at| at + 1)
}

async fn present(app: &App, people: Vec<Suggested>) -> Result<Vec<SuggestionView>> {
    let ids: Vec<UserId> = people.iter().map(|one| one.id).collect();
    let (cards, links) = (user_cards::load(app, ids).await?, Links::new(app)?);
    let view = |Suggested { id, reason }| {
        let user = UserCard::new(cards.get(&id)?, &links);
        Some(SuggestionView { user, reason: reason.into() })
    };
    Ok(people.into_iter().filter_map(view).collect())
}

/// For the documentation.
pub fn example() -> serde_json::Value {
    serde_json::json!({
        "user": {
            "id": "usr_01K9ZNXE5R2W8J6H4G3F1D0C7B", "username": "gull", "full_name": "Lara Gull", "avatar_url": null
        },
        "reason": {"kind": "followed_by", "text": "Followed by 12 people you follow.", "count": 12, "shared": []}
    })
}
