//! A large following: all have a post, and one more than `FanoutLimit` merge it.

use crate::support::bulk::{Person, app_of, people};
use crate::support::lists::page_ids;
use crate::support::{TestApp, alone, set};
use serde_json::json;
use shared::ids::{PostId, UserId};
use shared::models::fields::FieldValue;
use shared::models::following::{Delivery, Followers};
use shared::models::post::TimelineRow;
use shared::models::user::{Account, Email};
use shared::models::viewer::Relationship;
use shared::store::delivery;
use shared::store::edges::Edge;
use shared::table::design::key;
use shared::table::{Op, Read};
use shared::{App, store};
use std::time::Instant;

/// Followers who look at their feeds.
const READERS: usize = 10;

/// Followers of long ago, settled, as far as posts reach them: account, edge, both ledgers and counters.
async fn following(app: &App, author: UserId, count: usize) -> Vec<UserId> {
    let long_ago = |n: usize| ulid::Ulid::from_parts(1, u128::try_from(n).expect("a number"));
    let fans: Vec<UserId> = (0..count).map(|n| UserId::from_ulid(long_ago(n))).collect();
    let email = Email::parse(&json!("fan@example.com")).expect("an address");
    let mut ops = Vec::with_capacity(4 * count);
    for (n, fan) in fans.iter().enumerate() {
        let account = Account { following: 1, ..Account::new(*fan, email.clone(), true) };
        let edge = Edge { created_at: long_ago(n), counted: true, deleted: false };
        ops.push(Op::put(key::account(*fan), &account));
        ops.push(Op::put(key::follow(*fan, author), &edge));
        ops.push(Op::put(key::follower_row(author, edge.created_at, *fan), &json!({})));
        ops.push(Op::put(key::following_row(*fan, edge.created_at, author), &json!({})));
    }
    let n = u64::try_from(count).expect("a number");
    ops.push(Op::put(key::followers(author), &Followers { n, ..Followers::new(author) }));
    app.table().batch_write(ops.into_iter().collect::<Result<_, _>>().expect("items")).await.expect("followers");
    fans
}

async fn post(author: &Person) -> PostId {
    author.post_text("to all").await.parse().expect("an id")
}

/// How many of these have the post in their timelines.
async fn pushed(app: &App, post: PostId, owners: &[UserId]) -> usize {
    let keys: Vec<_> = owners.iter().map(|owner| key::timeline_row(*owner, post)).collect();
    let rows = app.table().batch_get::<TimelineRow>(&keys, Read::Strong).await.expect("rows");
    rows.iter().flatten().count()
}

/// How many of these merge the author with no end, and with one.
async fn merging(app: &App, author: UserId, followers: &[UserId]) -> (usize, usize) {
    let keys: Vec<_> = followers.iter().map(|follower| key::merged_author(*follower, author)).collect();
    let rows = app.table().batch_get::<serde_json::Value>(&keys, Read::Strong).await.expect("rows");
    let (ending, lasting): (Vec<_>, Vec<_>) = rows.iter().flatten().partition(|row| row.get("ttl").is_some());
    (lasting.len(), ending.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_have_a_post_and_one_more_merge_it() {
    all_have_a_post_and_one_more_merge_it(500).await;
}

#[ignore = "campaign: 10,000 followers"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_have_a_post_and_one_more_merge_it() {
    all_have_a_post_and_one_more_merge_it(10_000).await;
}

/// With as many followers as `FanoutLimit` says.
async fn all_have_a_post_and_one_more_merge_it(count: usize) {
    let _alone = alone().await;
    let app = TestApp::with(|options| set(options, "FanoutLimit", &count.to_string())).await;
    let fanout = app_of(&app, "fanout");
    let (author, readers) = (&people(&app, "star", 1).await[0], people(&app, "reader", READERS + 1).await);
    let mut owners = following(&fanout, author.id, count - READERS).await;
    for reader in &readers[..READERS] {
        reader.follow(author).await;
        owners.push(reader.id);
    }
    app.settle().await;
    let posted = Instant::now();
    let first = post(author).await;
    app.settle().await;
    println!("{count} timelines have the post after {:?}", posted.elapsed());
    assert_eq!(pushed(&fanout, first, &owners).await, count);

    let crossed = Instant::now();
    readers[READERS].follow(author).await;
    owners.push(readers[READERS].id);
    app.settle().await;
    println!("all merge {:?} after the follow that is one too many", crossed.elapsed());
    let state = delivery::of(&fanout, author.id).await.expect("an answer");
    assert_eq!((state.mode, state.n, state.epoch), (Delivery::Pull, owners.len() as u64, 1));
    let second = post(author).await;
    let posted = Instant::now();
    for reader in &readers {
        let feed = page_ids(reader, "/feed").await;
        assert_eq!(feed, [second.to_string(), first.to_string()], "at once, {}", reader.name);
    }
    println!("{} feeds read within {:?} of the next post", readers.len(), posted.elapsed());
    app.settle().await;
    assert_eq!(pushed(&fanout, second, &owners).await, 0);
}

#[ignore = "campaign: 1,200 followers"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn walks_of_more_than_one_message_reach_everybody_both_ways() {
    let _alone = alone().await;
    let app = TestApp::with(|options| set(options, "FanoutLimit", "1200")).await;
    let fanout = app_of(&app, "fanout");
    let (author, reader) = (&people(&app, "star", 1).await[0], &people(&app, "reader", 1).await[0]);
    let fans = following(&fanout, author.id, 1_200).await;
    let started = Instant::now();
    reader.follow(author).await;
    app.settle().await;
    println!("1,201 merge after {:?}", started.elapsed());
    assert_eq!(delivery::of(&fanout, author.id).await.expect("an answer").mode, Delivery::Pull);
    assert_eq!(merging(&fanout, author.id, &fans).await, (1_200, 0));

    // Down to nine tenths.
    let (leaving, staying) = fans.split_at(121);
    let leaves = leaving.iter().map(|fan| store::follows::unfollow(&fanout, *fan, author.id, Relationship::default()));
    futures::future::try_join_all(leaves).await.expect("they leave");
    let started = Instant::now();
    app.settle().await;
    println!("1,080 stay, and merge to an end after {:?}", started.elapsed());
    let state = delivery::of(&fanout, author.id).await.expect("an answer");
    assert_eq!((state.mode, state.n, state.epoch, state.walk_due), (Delivery::Push, 1_080, 2, false));
    assert_eq!(merging(&fanout, author.id, &fans).await, (0, 1_079));
    let id = post(author).await;
    app.settle().await;
    assert_eq!(pushed(&fanout, id, &fans).await, staying.len());
    assert_eq!(page_ids(reader, "/feed").await, [id.to_string()]);
}
