//! People and posts of long ago, in the table as they would lie there by now; with the workers at rest.

use super::TestApp;
use super::bulk::{app_of, app_with_keys};
use serde_json::json;
use shared::App;
use shared::clock::{Clock, Timestamp};
use shared::ids::{PostId, UserId};
use shared::models::fields::FieldValue;
use shared::models::post::{Content, Draft, Post, TimelineRow, timeline_horizon};
use shared::models::user::{Email, Username};
use shared::store;
use shared::store::edges::Edge;
use shared::store::users::NewAccount;
use shared::table::Op;
use shared::table::design::key;
use std::time::Duration;

pub(crate) const DAY: Duration = Duration::from_secs(24 * 3_600);

/// This many days ago.
pub(crate) fn days_ago(days: u32) -> Timestamp {
    let ago = u64::try_from((DAY * days).as_millis()).expect("milliseconds");
    Timestamp::from_millis(Clock::default().now().millis() - ago)
}

pub(crate) struct Past {
    app: App,
}

impl Past {
    /// Has the workers rest, who would do all of what is put here once more.
    pub(crate) async fn of(app: &TestApp) -> Self {
        app.settle().await;
        app.pause_workers().await;
        Self { app: app_of(app, "fanout") }
    }

    /// Accounts that signed up then, named `prefix0`, `prefix1`, …
    pub(crate) async fn authors(&self, app: &TestApp, prefix: &str, count: usize, at: Timestamp) -> Vec<UserId> {
        let users = app_with_keys(app, "users").await;
        let mut authors = Vec::new();
        for n in 0..count {
            let (name, id) = (format!("{prefix}{n}"), UserId::new(at));
            let new = NewAccount {
                id,
                email: Email::parse(&json!(format!("{name}@example.com"))).expect("an address"),
                verified: true,
                username: Username::parse(&json!(name)).expect("a name"),
                full_name: None,
                password_hash: "no password".into(),
                known_network: None,
                verify_link: None,
            };
            store::users::create(&users, &new, None, Vec::new()).await.expect("an account");
            authors.push(id);
        }
        authors
    }

    /// Follows them since long ago, as the consumer has counted it.
    pub(crate) async fn follow(&self, reader: UserId, authors: &[UserId]) {
        let edge = Edge { created_at: ulid::Ulid::from_parts(1, 1), counted: true, deleted: false };
        let ops = authors.iter().map(|author| Op::put(key::follow(reader, *author), &edge).expect("an edge"));
        self.app.table().batch_write(ops.collect()).await.expect("follows");
    }

    /// Posts of an author at these times, in the reader's timeline as far back as it reaches.
    pub(crate) async fn posts(&self, author: UserId, times: &[Timestamp], reader: UserId) -> Vec<String> {
        let content = Content::parse(&json!("from then")).expect("a text");
        let posts: Vec<PostId> = times.iter().map(|at| PostId::new(*at, author)).collect();
        let made = posts.iter().map(|id| Op::put(key::post(*id), &Post::new(*id, Draft::text(&content, Vec::new()))));
        let horizon = timeline_horizon(self.app.now());
        let row = |id: &PostId| Op::put(key::timeline_row(reader, *id), &TimelineRow { ttl: u64::MAX / 2 });
        let rows = posts.iter().filter(|id| **id > horizon).map(row);
        let ops: Result<Vec<Op>, _> = made.chain(rows).collect();
        self.app.table().batch_write(ops.expect("items")).await.expect("posts");
        posts.iter().map(PostId::to_string).collect()
    }
}
