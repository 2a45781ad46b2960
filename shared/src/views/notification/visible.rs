//! What of the notifications their owner is shown: without what is no more, and without whom they don't hear of.

use super::{Cards, may_read, subjects};
use crate::App;
use crate::error::Result;
use crate::ids::{PostId, UserId};
use crate::models::notification::{NAMED_ACTORS, Notification, NotificationEvent, NotificationKind};
use crate::models::viewer::Viewer;
use crate::store::acts::{self, NotifiedAct};
use crate::store::{notifications, user_cards};
use crate::visibility::{self, ContentOwner, Visibility};
use futures::future::{try_join_all, try_join3};
use std::collections::HashSet;

/// Events of one notification that are looked at where those whom it names are not enough.
const EVENTS: usize = 100;

/// A notification with those who are shown.
pub(super) struct VisibleNotification {
    pub(super) notification: Notification,
    pub(super) actors: Vec<UserId>,
    pub(super) actors_count: u64,
    pub(super) comment: Option<PostId>,
}

/// What is looked up for some acts: whether they stand, and whether their owner hears of who did them.
struct Known<'a> {
    active: HashSet<NotifiedAct>,
    cards: Cards,
    visibility: Visibility<'a>,
}

impl<'a> Known<'a> {
    async fn of(app: &App, viewer: &'a Viewer, acts: &[NotifiedAct]) -> Result<Self> {
        let people = acts.iter().map(|act| act.actor);
        let about: Vec<ContentOwner> =
            acts.iter().flat_map(|act| subjects(std::slice::from_ref(&act.actor), act.post, act.group)).collect();
        let (active, cards, visibility) = try_join3(
            acts::active(app, viewer.id, acts),
            user_cards::load(app, people),
            visibility::load(app, Some(viewer), about),
        )
        .await?;
        Ok(Self { active, cards, visibility })
    }

    fn shows(&self, act: &NotifiedAct) -> bool {
        self.active.contains(act) && self.cards.contains_key(&act.actor) && self.visibility.not_muted(act.actor)
    }
}

/// The acts of a notification that it names itself.
fn named(one: &Notification) -> impl Iterator<Item = NotifiedAct> {
    let Notification { kind, post, group, comment, .. } = *one;
    one.actors.iter().map(move |actor| {
        // Of comments the latest alone is named.
        let comment = comment.filter(|comment| comment.author == *actor);
        NotifiedAct { kind, actor: *actor, post, group, comment }
    })
}

/// An event as an act.
pub(super) fn act_of(event: &NotificationEvent) -> NotifiedAct {
    let NotificationEvent { kind, actor, post, comment, of, .. } = *event;
    NotifiedAct { kind, actor, post, group: of, comment }
}

/// Which of these events are shown, and the cards of who did them.
pub(super) async fn events(
    app: &App,
    viewer: &Viewer,
    found: &[NotificationEvent],
) -> Result<(HashSet<NotifiedAct>, Cards)> {
    let acts: Vec<NotifiedAct> = found.iter().map(act_of).collect();
    let known = Known::of(app, viewer, &acts).await?;
    let is_shown = |act: &NotifiedAct| known.shows(act) && may_read(&known.visibility, act.kind, act.post, act.group);
    Ok((acts.into_iter().filter(is_shown).collect(), known.cards))
}

/// Those of these notifications that are shown, and the cards of whom they name.
pub(super) async fn visible(
    app: &App,
    viewer: &Viewer,
    found: Vec<Notification>,
) -> Result<(Vec<VisibleNotification>, Cards)> {
    let acts: Vec<NotifiedAct> = found.iter().flat_map(named).collect();
    let known = Known::of(app, viewer, &acts).await?;
    let readable = found.into_iter().filter(|one| may_read(&known.visibility, one.kind, one.post, one.group));
    let (mut visible, mut unclear) = (Vec::new(), Vec::new());
    for (place, one) in readable.enumerate() {
        match by_names(&known, &one) {
            Some((actors, actors_count)) if actors_count > 0 => {
                let comment = one.comment;
                visible.push((place, VisibleNotification { notification: one, actors, actors_count, comment }));
            }
            Some(_) => {}
            None => unclear.push((place, one)),
        }
    }
    let mut cards = known.cards;
    if !unclear.is_empty() {
        let (more, their_cards) = by_events(app, viewer, unclear).await?;
        visible.extend(more);
        cards.extend(their_cards);
        visible.sort_by_key(|(place, _)| *place);
    }
    Ok((visible.into_iter().map(|(_, one)| one).collect(), cards))
}

/// The visible actors and their number, where the notification's own actors suffice; None where its events must be read.
fn by_names(known: &Known<'_>, one: &Notification) -> Option<(Vec<UserId>, u64)> {
    let people = one.n.saturating_sub(one.again);
    let actors: Vec<UserId> = named(one).filter(|act| known.shows(act)).map(|act| act.actor).collect();
    let all_shown = actors.len() == one.actors.len();
    let names_all = people <= one.actors.len() as u64;
    match one.kind {
        // Of the others' comments it does not say which they are.
        NotificationKind::Comment if one.n > 1 => None,
        _ if all_shown => Some((actors, people)),
        _ if names_all => {
            let count = actors.len() as u64;
            Some((actors, count))
        }
        _ => None,
    }
}

/// Those of these notifications that are shown, judged by the latest events of each.
async fn by_events(
    app: &App,
    viewer: &Viewer,
    found: Vec<(usize, Notification)>,
) -> Result<(Vec<(usize, VisibleNotification)>, Cards)> {
    let events = found.iter().map(|(_, one)| notifications::latest_events(app, viewer.id, one, EVENTS));
    let events: Vec<Vec<NotificationEvent>> = try_join_all(events).await?;
    let acts: Vec<NotifiedAct> = events.iter().flatten().map(act_of).collect();
    let known = Known::of(app, viewer, &acts).await?;
    let mut visible = Vec::new();
    for ((place, notification), events) in found.into_iter().zip(events) {
        let looked_at: HashSet<UserId> = events.iter().map(|event| event.actor).collect();
        let (mut actors, mut comment) = (Vec::new(), None);
        for act in events.iter().map(act_of).filter(|act| known.shows(act)) {
            comment = comment.or(act.comment);
            if !actors.contains(&act.actor) {
                actors.push(act.actor);
            }
        }
        if actors.is_empty() {
            continue;
        }
        // Of those that were too many to look at it is taken that they stand.
        let people = notification.n.saturating_sub(notification.again);
        let rest = if events.len() < EVENTS { 0 } else { people.saturating_sub(looked_at.len() as u64) };
        let actors_count = actors.len() as u64 + rest;
        actors.truncate(NAMED_ACTORS);
        visible.push((place, VisibleNotification { notification, actors, actors_count, comment }));
    }
    Ok((visible, known.cards))
}

/// How many of these are shown.
pub(super) async fn count(app: &App, viewer: &Viewer, found: Vec<Notification>) -> Result<u64> {
    Ok(visible(app, viewer, found).await?.0.len() as u64)
}
