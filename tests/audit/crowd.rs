//! A table of any size that fits together, written fast.

use crate::support::import::{Import, Item, put};
use serde_json::{Value, json};
use shared::clock::{Clock, Timestamp};
use shared::ids::{ActivityId, NotificationId, PostId, UserId, new_ulid};
use shared::models::activity::{Activity, ActivityType, Origin};
use shared::models::days::{Counted, Day};
use shared::models::fields::FieldValue;
use shared::models::following::Followers;
use shared::models::names::{NamesIndexed, Rank};
use shared::models::notification::{Notification, NotificationEvent, NotificationKind, ReadMark, Topic};
use shared::models::post::{Content, Draft, Post, TIMELINE_LIFETIME, TimelineRow};
use shared::models::search::Indexed;
use shared::models::user::{Account, Credentials, Email, Guard, Profile, Username};
use shared::store::edges::Edge;
use shared::table::design::key;
use std::path::Path;
use std::time::Duration;

/// Items that each person adds: 6 of the account, 15 of follows, 45 of posts, 20 of likes, 7 of notifications, 5 of
/// the log.
pub(super) const ITEMS_EACH: usize = 99;
/// Whom each follows, and how many posts each has made.
const AROUND: usize = 5;
/// Posts each likes.
const LIKES: usize = 10;
/// People written at once.
const AT_ONCE: usize = 100;

/// Writes `count` people, each of whom follows the next few in a circle, gets their posts, and likes some, straight into
/// the database of a data folder that nobody uses.
pub(super) fn write(folder: &Path, table: &str, name: &str, count: usize) {
    let import = Import::into(folder, table);
    let crowd = Crowd::new(name, count);
    for start in (0..count).step_by(AT_ONCE) {
        let mut items = Vec::new();
        for n in start..count.min(start + AT_ONCE) {
            crowd.account(n, &mut items);
            crowd.follows(n, &mut items);
            crowd.posts(n, &mut items);
            crowd.likes(n, &mut items);
            crowd.notifications(n, &mut items);
            crowd.log(n, &mut items);
        }
        import.write(items);
    }
}

struct Crowd {
    name: String,
    now: Timestamp,
    people: Vec<UserId>,
    posts: Vec<[PostId; AROUND]>,
}

impl Crowd {
    fn new(name: &str, count: usize) -> Self {
        let now = Clock::default().now();
        let people: Vec<_> = (0..count).map(|_| UserId::new(now)).collect();
        let posts = people.iter().map(|author| std::array::from_fn(|_| PostId::new(now, *author))).collect();
        Self { name: name.to_owned(), now, people, posts }
    }

    fn around(&self, n: usize) -> impl Iterator<Item = usize> {
        let count = self.people.len();
        (1..=AROUND).map(move |step| (n + step) % count)
    }

    fn ttl(&self, days: u64) -> u64 {
        (self.now + Duration::from_secs(days * 24 * 3600)).seconds()
    }

    fn account(&self, n: usize, items: &mut Vec<Item>) {
        let id = self.people[n];
        let text = |text: String| Value::from(text);
        let username = Username::parse(&text(format!("{}{n}", self.name))).unwrap();
        let email = Email::parse(&text(format!("{}{n}@example.com", self.name))).unwrap();
        let guard = Guard::new(id);
        put(items, key::name_guard(&username), &guard);
        put(items, key::email_guard(&email), &guard);
        let profile = Profile {
            id,
            username,
            full_name: None,
            bio: None,
            location: None,
            website: None,
            interests: Vec::new(),
            avatar: None,
            ver: 1,
            suspended: None,
            deleted: None,
        };
        put(items, key::profile(id), &profile);
        let found_by = NamesIndexed { done: Some((1, Rank::by(0))), n: 2, ..NamesIndexed::default() };
        put(items, key::names_indexed(id), &found_by);
        let (posts, following) = (AROUND as u64, AROUND as u64);
        let account = Account { posts, following, ..Account::new(id, email, true) };
        put(items, key::account(id), &account);
        put(items, key::followers(id), &Followers { n: following, ..Followers::new(id) });
        let (hash, known) = ("no password".into(), Vec::new());
        put(
            items,
            key::credentials(id),
            &Credentials {
                id,
                hash,
                known,
                starts: 0,
                suspended: false,
                reset_link: None,
                factor: None,
                factor_pending: None,
            },
        );
    }

    fn edge(&self) -> Edge {
        Edge { created_at: new_ulid(self.now), counted: true, deleted: false }
    }

    fn follows(&self, n: usize, items: &mut Vec<Item>) {
        let from = self.people[n];
        for to in self.around(n).map(|other| self.people[other]) {
            let edge = self.edge();
            put(items, key::follow(from, to), &edge);
            put(items, key::follower_row(to, edge.created_at, from), &json!({}));
            put(items, key::following_row(from, edge.created_at, to), &json!({}));
        }
    }

    fn posts(&self, n: usize, items: &mut Vec<Item>) {
        let row = TimelineRow { ttl: (self.now + TIMELINE_LIFETIME).seconds() };
        for id in self.posts[n] {
            let content = Content::parse(&json!("Low tide.")).expect("a text");
            let post = Post { likes: (LIKES / AROUND) as u64, ..Post::new(id, Draft::text(&content, Vec::new())) };
            put(items, key::post(id), &post);
            put(items, key::indexed(id), &Indexed { done: Some(1), n: 2, ..Indexed::default() });
            put(items, key::timeline_row(self.people[n], id), &row);
            let today = Day::of(self.now);
            let (likes, ttl) = (Counted::Likes.attribute(today), today.month().kept_until());
            put(items, key::days(id, today.month()), &json!({ likes: LIKES / AROUND, "ttl": ttl }));
        }
        for post in self.around(n).flat_map(|other| self.posts[other]) {
            put(items, key::timeline_row(self.people[n], post), &row);
        }
    }

    /// All posts of the next two.
    fn likes(&self, n: usize, items: &mut Vec<Item>) {
        let user = self.people[n];
        for post in self.around(n).flat_map(|other| self.posts[other]).take(LIKES) {
            let edge = self.edge();
            put(items, key::like(user, post), &edge);
            put(items, key::like_row(post, edge.created_at, user), &json!({}));
        }
    }

    fn notifications(&self, n: usize, items: &mut Vec<Item>) {
        let (owner, kind, ttl) = (self.people[n], NotificationKind::Follow, self.ttl(90));
        let ids: Vec<_> = (0..AROUND).map(|_| NotificationId::new(self.now)).collect();
        let (group, last) = (ids[0], ids[AROUND - 1]);
        let topic = Topic { kind, owner, post: None, group: None };
        let actors = vec![self.people[0]];
        let told = Notification { actors, n: AROUND as u64, last, ..Notification::opened(group, &topic, ttl) };
        put(items, key::notification(owner, group), &told);
        put(items, key::read_mark(owner), &ReadMark { unread: 1, upto: None, last: Some(last), seq: 1, acts: 0 });
        for id in ids {
            let event = NotificationEvent {
                id,
                group,
                kind,
                post: None,
                comment: None,
                of: None,
                actor: self.people[0],
                seq: Some(1),
                ttl,
            };
            put(items, key::notification_event(owner, id), &event);
        }
    }

    fn log(&self, n: usize, items: &mut Vec<Item>) {
        for _ in 0..AROUND {
            let kept = Duration::from_secs(90 * 24 * 3600);
            let row = Activity::new(ActivityId::new(self.now), ActivityType::Follow, None, Origin::default(), kept);
            put(items, key::activity(self.people[n], row.id), &row);
        }
    }
}
