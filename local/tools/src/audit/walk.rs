//! One walk through the table.

use super::AuditError;
use super::book::{Book, Side};
use super::fact::Fact;
use super::person::Person;
use super::questions::Questions;
use super::report::{self, Findings};
use super::source::{Row, Source, text};
use serde::de::{DeserializeOwned, IgnoredAny};
use shared::clock::Timestamp;
use shared::ids::{MediaId, NotificationId, PostId, ReportId, ScheduledId, UserId};
use shared::models::activity::Activity;
use shared::models::audience::{Audience, HourAudience};
use shared::models::days::{Counted, DailyCounts, Day, Month};
use shared::models::deletion::{Deletion, HeldName};
use shared::models::following::{Delivery, Followers, MergedRow};
use shared::models::group::{JoinRequest, Membership};
use shared::models::media::Media;
use shared::models::names::Named;
use shared::models::notification::{
    NOTIFICATION_LIFETIME, Notification, NotificationDone, NotificationEvent, NotificationGroup,
};
use shared::models::post::{PendingCount, Post, TIMELINE_LIFETIME};
use shared::models::report::{Moderation, Report, ReportStatus, Reported};
use shared::models::scheduled::{DueEntry, Publisher, Scheduled};
use shared::models::search::Posting;
use shared::models::session::{Failures, MailToken, Session};
use shared::models::socket::{Socket, SocketOwner};
use shared::models::suggestions::Suggestions;
use shared::models::trend::{self, TagCount, TrendingSnapshot};
use shared::models::user::{Account, Credentials, Guard, Profile, Username};
use shared::store::edges::Edge;
use shared::store::idempotency::StoredResponse;
use shared::store::media::CleanupCursor;
use shared::store::search::is_found;
use shared::table::design::{EntityKey, PARTITION_KEY, SORT_KEY, TTL, key};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use ulid::Ulid;

/// What ends so soon is not held to what may have ended already: the sides of a fact end within seconds of each other,
/// and ids tell their time by the clocks of several machines.
pub(super) const SOON: Duration = Duration::from_secs(3600);

/// A walk, and what it has come to know.
pub(super) struct Walk<B> {
    pub(super) book: B,
    pub(super) findings: Findings,
    pub(super) units: f64,
    pub(super) now: Timestamp,
    /// Whether nothing may be under way.
    pub(super) settled: bool,
    items: BTreeMap<&'static str, u64>,
    expired: u64,
    unsettled: u64,
    person: Person,
    pub(super) questions: Questions,
}

impl<B: Book> Walk<B> {
    pub(super) fn new(book: B, now: Timestamp, settled: bool) -> Self {
        Self {
            book,
            findings: Findings::default(),
            units: 0.0,
            now,
            settled,
            items: BTreeMap::new(),
            expired: 0,
            unsettled: 0,
            person: Person::default(),
            questions: Questions::default(),
        }
    }

    /// Walks from one end to the other.
    pub(super) async fn run(mut self, source: &Source) -> Result<Self, AuditError> {
        let mut after = None;
        loop {
            let page = source.page(after.take()).await?;
            self.units += page.units;
            page.rows.into_iter().for_each(|row| self.take(row));
            self.answer(source).await?;
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        self.turn_to(None);
        Ok(self)
    }

    pub(super) fn report(self, started: Instant) -> report::Report {
        let (findings, more) = self.findings.into_parts();
        let Self { items, expired, unsettled, units: read_units, .. } = self;
        report::Report { findings, more, items, expired, unsettled, read_units, took: started.elapsed() }
    }

    fn take(&mut self, row: Row) {
        let (pk, sk) = (text(&row, PARTITION_KEY).to_owned(), text(&row, SORT_KEY).to_owned());
        let ttl = ttl(&row);
        if self.is_over(&row) {
            self.expired += 1;
            return;
        }
        let Some(entity) = EntityKey::read(&pk, &sk) else {
            self.findings.push(format!("{pk} {sk} is the key of no entity"));
            return;
        };
        *self.items.entry(entity.name()).or_default() += 1;
        let name = entity.name();
        if entity.expires() && ttl.is_none() {
            self.findings.push(format!("the {name} at {pk} {sk} has no ttl and would stay for ever"));
            return;
        }
        if let Err(what) = self.enter(entity, &pk, row, ttl) {
            self.findings.push(format!("the {name} at {pk} {sk} {what}"));
        }
    }

    /// Enters what the item says.
    fn enter(&mut self, entity: EntityKey, pk: &str, row: Row, ttl: Option<u64>) -> Result<(), String> {
        if let Some(user) = owner(&entity) {
            self.turn_to(Some(user));
            self.person.enter(&entity);
        }
        match entity {
            EntityKey::LikeRow { post, edge, user } => {
                self.found(Fact::Likes(post));
                self.made_on(post, Counted::Likes, edge);
                self.found(Fact::LikeRow { post, edge, user });
            }
            EntityKey::FollowerRow { to, edge, from } => {
                self.questions.follower(to, from);
                self.found(Fact::Followers(to));
                self.found(Fact::FollowerRow { to, edge, from });
            }
            EntityKey::FollowingRow { from, edge, to } => {
                self.found(Fact::Following(from));
                self.found(Fact::FollowingRow { from, edge, to });
            }
            EntityKey::MergedAuthor { user, author } => {
                self.questions.merging(author, user, ttl.is_some());
                readable::<MergedRow>(row)?;
            }
            EntityKey::PushedFollower { author, follower } => {
                self.questions.merging(author, follower, false);
                readable::<MergedRow>(row)?;
            }
            EntityKey::Relationship { user, other } => self.relationship(user, other, ttl.is_some(), &read(row)?)?,
            EntityKey::Block { user, act, other } => self.found(Fact::Block { user, act, other }),
            EntityKey::TimelineRow { owner, post } => self.timeline_row(owner, post, ttl),
            EntityKey::Like { user, post } => {
                let edge = self.edge(read(row)?, || format!("the like of {post} by {user}"));
                if let Some(edge) = edge {
                    self.said(Fact::LikeRow { post, edge: edge.created_at, user }, 1);
                }
            }
            EntityKey::Follow { from, to } => {
                let edge = self.edge(read(row)?, || format!("the follow of {to} by {from}"));
                if let Some(Edge { created_at: edge, .. }) = edge {
                    self.said(Fact::FollowerRow { to, edge, from }, 1);
                    self.said(Fact::FollowingRow { from, edge, to }, 1);
                }
            }
            EntityKey::Post(id) => self.post(id, &read(row)?)?,
            EntityKey::GroupPost(id) => self.group_post(id, &read(row)?)?,
            EntityKey::Group(id) => self.group(id, &read(row)?)?,
            EntityKey::Member { group, user } => self.member(group, user, &read(row)?),
            EntityKey::Membership { user, group } => {
                let role = read::<Membership>(row)?.role;
                self.found(Fact::Member { group, user, role });
            }
            EntityKey::JoinRequest { .. } => readable::<JoinRequest>(row)?,
            EntityKey::Discoverable(id) => self.found(Fact::Discoverable(id)),
            EntityKey::Comment(id) => self.comment(id, read(row.clone())?, &read(row)?)?,
            EntityKey::Posting { .. } => readable::<Posting>(row)?,
            EntityKey::NameRow { user, .. } => {
                self.found(Fact::NameRows(user));
                readable::<Named>(row)?;
            }
            EntityKey::NamesIndexed(id) => self.names(id, &read(row)?),
            EntityKey::Indexed(id) => self.indexed(id, read(row)?),
            EntityKey::TagUse { tag, author } => self.tag_use(tag, author, read(row)?),
            EntityKey::TagCount { hour, tag } => {
                let n = read::<TagCount>(row)?.n;
                if trend::counts(hour, key::hour(self.now)) {
                    self.said(Fact::TagCount { hour, tag }, n);
                }
            }
            EntityKey::Audience(id) => self.audience(id, &read(row)?)?,
            EntityKey::HourAudience { post, hour } => {
                let viewers = read::<HourAudience>(row)?.viewers.count();
                if self.lasts(Timestamp::from_millis(hour.kept_until() * 1_000)) {
                    self.book.enter(Fact::ViewsOf { post, hour }, Side::Found, viewers);
                }
            }
            EntityKey::DailyCounts { post, month } => self.days(post, month, &read(row)?),
            EntityKey::TrendingSnapshot => readable::<TrendingSnapshot>(row)?,
            EntityKey::Scheduled(user, id) => self.scheduled(user, id, &read(row)?, ttl)?,
            EntityKey::DueEntry(due) => self.found(Fact::DueEntry(due)),
            EntityKey::Media(id) => self.media(id, &read(row)?)?,
            EntityKey::UnattachedMedia(id) => self.found(Fact::Held(id)),
            EntityKey::CleanupCursor => readable::<CleanupCursor>(row)?,
            EntityKey::Publisher => readable::<Publisher>(row)?,
            EntityKey::PendingCount { user, comment } => {
                readable::<PendingCount>(row)?;
                self.under_way(|| format!("what {user} did with {comment} is not counted yet"));
            }
            EntityKey::Notification(owner, id) => self.notification(owner, id, &read(row)?)?,
            EntityKey::NotificationEvent(owner, id) => self.event(owner, id, &read(row)?)?,
            EntityKey::Socket(user, slot) => {
                let socket: Socket = read(row)?;
                is_of(user, socket.user)?;
                self.said(Fact::Socket { socket: key::socket_owner(&socket.id).pk().to_owned(), user, slot }, 1);
            }
            EntityKey::SocketOwner => {
                let SocketOwner { user, slot, .. } = read(row)?;
                self.found(Fact::Socket { socket: pk.to_owned(), user, slot });
            }
            EntityKey::Report(status, id) => self.report_of(status, id, &read(row)?)?,
            EntityKey::Reported { post, reporter } => {
                let report = read::<Reported>(row)?.id;
                self.found(Fact::Reported { report, post, reporter });
            }
            EntityKey::ReadMark(_) => self.person.mark(read(row)?),
            EntityKey::Activity(user, id) => {
                self.questions.acting(user);
                is_of(id, read::<Activity>(row)?.id)?;
            }
            // By a hash, which no name is as long as.
            EntityKey::NameGuard if is_held(pk) => readable::<HeldName>(row)?,
            EntityKey::NameGuard | EntityKey::EmailGuard => self.guard(&entity, pk, &read(row)?),
            other => self.account(&other, row)?,
        }
        Ok(())
    }

    /// What an account is made of, and what has no counterpart.
    fn account(&mut self, entity: &EntityKey, row: Row) -> Result<(), String> {
        match *entity {
            EntityKey::Profile(id) => {
                let profile: Profile = read(row)?;
                is_of(id, profile.id)?;
                if profile.deleted.is_some() {
                    // Nothing else is left of it, but for what says so.
                    self.person.deleted();
                    self.said(Fact::Deletion(id), 1);
                    return Ok(());
                }
                profile.avatar.iter().for_each(|avatar| self.found(Fact::Held(avatar.id)));
                let guard = key::name_guard(&profile.username).pk().to_owned();
                self.said(Fact::Name { guard, user: id }, 1);
                self.said(Fact::Suspended(id), u64::from(!profile.is_active()));
                if self.settled {
                    self.said(Fact::Names(id), u64::from(profile.is_active()));
                }
            }
            EntityKey::Account(id) => {
                let account: Account = read(row)?;
                is_of(id, account.id)?;
                if !account.deleted {
                    let guard = key::email_guard(&account.email).pk().to_owned();
                    self.said(Fact::Address { guard, user: id }, 1);
                }
                self.said(Fact::Posts(id), account.posts);
                self.said(Fact::Following(id), account.following);
                self.said(Fact::Waiting(id), account.waiting);
                self.said(Fact::Stored(id), account.stored);
                // One more than there are: none is left of one that is on, too.
                self.said(Fact::SecondFactor(id), account.recovery_codes.map_or(0, |left| left + 1));
            }
            EntityKey::Followers(id) => {
                let followers: Followers = read(row)?;
                is_of(id, followers.id)?;
                self.said(Fact::Followers(id), followers.n);
                if followers.mode == Delivery::Crossing || followers.walk_due {
                    self.under_way(|| format!("{id} is between two ways of delivery"));
                }
            }
            EntityKey::Credentials(id) => {
                let credentials: Credentials = read(row)?;
                is_of(id, credentials.id)?;
                let left = credentials.factor.map_or(0, |factor| factor.recovery.len() as u64 + 1);
                self.book.enter(Fact::SecondFactor(id), Side::Found, left);
                if credentials.suspended {
                    self.found(Fact::Suspended(id));
                    self.person.suspended();
                }
            }
            EntityKey::Session(user, id) => {
                let session: Session = read(row)?;
                is_of(user, session.user)?;
                is_of(id, session.id)?;
            }
            EntityKey::Deletion(id) => {
                readable::<Deletion>(row)?;
                self.found(Fact::Deletion(id));
            }
            EntityKey::MailToken(id) => is_of(id, read::<MailToken>(row)?.id)?,
            EntityKey::Failures(_) => readable::<Failures>(row)?,
            EntityKey::Idempotency(_) => readable::<StoredResponse>(row)?,
            EntityKey::NotificationDone(_) => readable::<NotificationDone>(row)?,
            EntityKey::NotificationGroup(_) => readable::<NotificationGroup>(row)?,
            EntityKey::Moderation(id) => is_of(id, read::<Moderation>(row)?.id)?,
            EntityKey::ModeratorNamed => readable::<IgnoredAny>(row)?,
            EntityKey::Suggestions(_) => readable::<Suggestions>(row)?,
            // Rows whose key says it all, and counts of calls.
            _ => readable::<IgnoredAny>(row)?,
        }
        Ok(())
    }

    pub(super) fn said(&mut self, fact: Fact, n: u64) {
        self.book.enter(fact, Side::Said, n);
    }

    pub(super) fn found(&mut self, fact: Fact) {
        self.book.enter(fact, Side::Found, 1);
    }

    fn media(&mut self, id: MediaId, media: &Media) -> Result<(), String> {
        is_of(id, media.id)?;
        self.book.enter(Fact::Stored(id.owner), Side::Found, media.size);
        if media.deleted {
            self.under_way(|| format!("the files of {id} are not removed yet"));
            return Ok(());
        }
        if media.todo {
            self.under_way(|| format!("{id} is not checked yet"));
        }
        self.said(Fact::Held(id), 1);
        Ok(())
    }

    /// Notes what is not settled, which is a finding where all should be.
    pub(super) fn under_way(&mut self, what: impl FnOnce() -> String) {
        self.unsettled += 1;
        if self.settled {
            self.findings.push(what());
        }
    }

    /// The edge, if counters hold it.
    fn edge(&mut self, edge: Edge, what: impl Fn() -> String) -> Option<Edge> {
        if edge.deleted {
            self.under_way(|| format!("{} was undone, but is not removed yet", what()));
        } else if !edge.counted {
            self.under_way(|| format!("{} is not counted yet", what()));
        }
        edge.counted.then_some(edge)
    }

    fn comment(&mut self, id: PostId, edge: Edge, comment: &Post) -> Result<(), String> {
        self.counters(id, comment)?;
        self.said(Fact::Indexed(id), u64::from(!comment.mentions.is_empty()));
        let counted = self.edge(edge, || format!("{id}"));
        if let (Some(on), Some(edge)) = (id.parent(), counted) {
            self.found(Fact::Comments(on));
            self.made_on(on, Counted::Comments, edge.created_at);
        }
        Ok(())
    }

    fn scheduled(
        &mut self,
        user: UserId,
        id: ScheduledId,
        scheduled: &Scheduled,
        ttl: Option<u64>,
    ) -> Result<(), String> {
        is_of(id, scheduled.id)?;
        match (scheduled.post, ttl) {
            (None, None) => {
                scheduled.draft.media.iter().for_each(|one| self.found(Fact::Held(one.id)));
                self.said(Fact::DueEntry(DueEntry { at: scheduled.at, user, id }), 1);
                self.found(Fact::Waiting(user));
            }
            (Some(_), Some(_)) => {}
            (None, Some(_)) => return Err("ends before it is out".into()),
            (Some(_), None) => return Err("is out, but has no ttl and would stay for ever".into()),
        }
        Ok(())
    }

    fn report_of(&mut self, status: ReportStatus, id: ReportId, report: &Report) -> Result<(), String> {
        is_of(id, report.id)?;
        if report.status != status {
            return Err(format!("says it is {}", report.status.as_str()));
        }
        if let Some(reporter) = report.reporter {
            self.said(Fact::Reported { report: id, post: report.post, reporter }, 1);
        }
        Ok(())
    }

    pub(super) fn counters(&mut self, id: PostId, post: &Post) -> Result<(), String> {
        is_of(id, post.id)?;
        if post.todo {
            self.under_way(|| format!("what follows from the last edit of {id} is not on its way yet"));
        }
        self.said(Fact::Likes(id), post.likes);
        self.said(Fact::Comments(id), post.comments);
        self.said(Fact::Views(id), post.views);
        Ok(())
    }

    /// A like or a comment that is counted, while its day is.
    fn made_on(&mut self, post: PostId, what: Counted, edge: Ulid) {
        let day = Day::of(Timestamp::from_millis(edge.timestamp_ms()));
        if self.lasts(Timestamp::from_millis(day.month().kept_until() * 1_000)) {
            self.found(Fact::ByDay { post, what, day });
        }
    }

    fn days(&mut self, post: PostId, month: Month, days: &DailyCounts) {
        if self.lasts(Timestamp::from_millis(month.kept_until() * 1_000)) {
            for what in [Counted::Likes, Counted::Comments] {
                days.of(what).for_each(|(day, n)| self.said(Fact::ByDay { post, what, day }, n));
            }
        }
    }

    fn audience(&mut self, post: PostId, audience: &Audience) -> Result<(), String> {
        self.book.enter(Fact::Views(post), Side::Found, audience.n);
        for (hour, n) in &audience.hours {
            if self.lasts(Timestamp::from_millis(hour.kept_until() * 1_000)) {
                self.said(Fact::ViewsOf { post, hour: *hour }, *n);
            }
        }
        let by_day: u64 = audience.days.values().sum();
        let is_young = !Day::of(post.created_at()).is_past(self.now);
        match by_day == audience.n || by_day < audience.n && !is_young {
            true => Ok(()),
            false => Err(format!("has {by_day} views by day, but {} in all", audience.n)),
        }
    }

    fn post(&mut self, id: PostId, post: &Post) -> Result<(), String> {
        self.counters(id, post)?;
        self.found(Fact::Posts(id.author));
        post.media.iter().for_each(|one| self.found(Fact::Held(one.id)));
        self.stands_in_lists(post);
        Ok(())
    }

    pub(super) fn stands_in_lists(&mut self, post: &Post) {
        let id = post.id;
        self.said(Fact::Indexed(id), u64::from(is_found(id) || !post.mentions.is_empty()));
        if self.lasts(id.created_at() + TIMELINE_LIFETIME) {
            self.said(Fact::OwnRow(id), 1);
        }
    }

    fn timeline_row(&mut self, owner: UserId, post: PostId, ttl: Option<u64>) {
        if owner != post.author {
            if ttl.is_some_and(|ttl| self.lasts(Timestamp::from_millis(ttl.saturating_mul(1_000)))) {
                self.questions.shown(owner, post.author);
            }
        } else if self.lasts(post.created_at() + TIMELINE_LIFETIME) {
            self.found(Fact::OwnRow(post));
        }
    }

    fn notification(&mut self, owner: UserId, id: NotificationId, notification: &Notification) -> Result<(), String> {
        is_of(id, notification.id)?;
        self.person.notification(notification);
        if self.lasts(id.created_at() + NOTIFICATION_LIFETIME) {
            self.said(Fact::Events { owner, group: id }, notification.n);
        }
        Ok(())
    }

    fn event(&mut self, owner: UserId, id: NotificationId, event: &NotificationEvent) -> Result<(), String> {
        is_of(id, event.id)?;
        if self.lasts(event.group.created_at() + NOTIFICATION_LIFETIME) {
            self.found(Fact::Events { owner, group: event.group });
        }
        Ok(())
    }

    /// A guard that is kept for its old holder alone has no counterpart.
    fn guard(&mut self, entity: &EntityKey, pk: &str, guard: &Guard) {
        let (held, user) = (pk.to_owned(), guard.id);
        match (entity, guard.free_at) {
            (_, Some(_)) => {}
            (EntityKey::NameGuard, None) => self.found(Fact::Name { guard: held, user }),
            _ => self.found(Fact::Address { guard: held, user }),
        }
    }

    fn lasts(&self, until: Timestamp) -> bool {
        until > self.now + SOON
    }

    /// Whether an item's time is over: it may lie there for days yet.
    pub(super) fn is_over(&self, row: &Row) -> bool {
        ttl(row).is_some_and(|ttl| ttl <= self.now.seconds())
    }

    /// From one user's items to the next one's.
    fn turn_to(&mut self, user: Option<UserId>) {
        if !self.person.is(user) {
            let last = std::mem::replace(&mut self.person, Person::new(user));
            last.close(self.now, &mut self.findings);
        }
    }
}

/// Whether a name's guard says nothing but that a deleted account had it.
fn is_held(pk: &str) -> bool {
    pk.len() > "N#".len() + Username::MAX
}

/// Seconds since the epoch.
fn ttl(row: &Row) -> Option<u64> {
    row.get(TTL)?.as_n().ok()?.parse().ok()
}

/// Whose own partition it lies in.
fn owner(entity: &EntityKey) -> Option<UserId> {
    match *entity {
        EntityKey::Profile(id) | EntityKey::Account(id) | EntityKey::Followers(id) => Some(id),
        EntityKey::Failures(id) | EntityKey::Credentials(id) | EntityKey::Session(id, _) => Some(id),
        EntityKey::MergedAuthor { user, .. } | EntityKey::Relationship { user, .. } | EntityKey::Like { user, .. } => {
            Some(user)
        }
        EntityKey::Block { user, .. } | EntityKey::Membership { user, .. } => Some(user),
        EntityKey::PendingCount { user, .. } | EntityKey::Scheduled(user, _) => Some(user),
        EntityKey::Follow { from, .. } => Some(from),
        EntityKey::Idempotency(user) => user,
        EntityKey::ReadMark(id) | EntityKey::Notification(id, _) | EntityKey::NamesIndexed(id) => Some(id),
        EntityKey::Suggestions(id) | EntityKey::Socket(id, _) => Some(id),
        _ => None,
    }
}

pub(super) fn read<T: DeserializeOwned>(row: Row) -> Result<T, String> {
    serde_dynamo::from_item(row).map_err(|error| format!("can't be read: {error}"))
}

fn readable<T: DeserializeOwned>(row: Row) -> Result<(), String> {
    read::<T>(row).map(|_| ())
}

fn is_of<T: PartialEq + std::fmt::Display>(key: T, item: T) -> Result<(), String> {
    if key == item { Ok(()) } else { Err(format!("names another id: {item}")) }
}
