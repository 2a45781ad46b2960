//! Whom to follow.

use crate::support::bulk::app_of;
use crate::support::lists::walk;
use crate::support::{Client, Response, TestApp, User, alone};
use futures::future::join_all;
use serde_json::{Value, json};
use shared::ids::{UserId, new_ulid};
use shared::models::fields::FieldValue;
use shared::models::user::{Email, Username};
use shared::store::users::{NewAccount, preview};
use shared::table::Op;
use shared::table::design::key;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// Who is suggested, and the texts of the reasons.
async fn suggested(user: &Client) -> Vec<(String, String)> {
    let items = walk(user, "/users/suggestions?limit=2").await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    items.iter().map(|item| (text(&item["user"]["username"]), text(&item["reason"]["text"]))).collect()
}

/// After what was asked for is computed, a day later or more.
async fn anew(app: &TestApp, name: &str) -> (User, Vec<(String, String)>) {
    app.settle().await;
    app.advance(Duration::from_secs(25 * 3_600));
    let user = app.sign_in(name, crate::support::PASSWORD).await;
    user.get("/users/suggestions").await.expect(200);
    app.settle().await;
    let found = suggested(&user).await;
    (user, found)
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[tokio::test]
async fn each_has_a_reason_and_the_closest_come_first() {
    let app = TestApp::start().await;
    let names = ["ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal", "ivo"];
    let mut people = BTreeMap::new();
    for name in names {
        people.insert(name, app.user(name).await);
    }
    let follows = [("ann", "bob"), ("ann", "cid"), ("bob", "dan"), ("cid", "dan"), ("bob", "ann"), ("bob", "cid")];
    for (from, to) in follows.into_iter().chain([("hal", "gus"), ("ivo", "gus"), ("ivo", "hal")]) {
        people[from].follow(&people[to]).await;
    }
    for (name, interests) in [("ann", ["wind", "Herring"]), ("eve", ["herring", "wind"]), ("hal", ["tea", "maps"])] {
        people[name].patch("/users", json!({"interests": interests})).await.expect(200);
    }
    for name in ["ann", "fay", "bob", "fay"] {
        people[name].post_text("Low tide. #mudflats").await;
    }
    app.settle().await;
    // Nothing was computed yet: those whom many follow, but for whom ann does.
    let first = people["ann"].get("/users/suggestions").await.expect(200).items();
    let kinds: Vec<_> = first.iter().map(|item| (&item["user"]["username"], &item["reason"]["kind"])).collect();
    let popular = json!("popular");
    assert_eq!(kinds, [(&json!("dan"), &popular), (&json!("gus"), &popular), (&json!("hal"), &popular)]);
    app.settle().await;
    let expected = [
        ("dan", "Followed by 2 people you follow."),
        ("eve", "Interested in wind and Herring, as you are."),
        ("fay", "Uses #mudflats, as you do."),
        ("gus", "Many follow them."),
        ("hal", "Many follow them."),
    ];
    assert_eq!(suggested(&people["ann"]).await, pairs(&expected));
    let [own, other] = ["/users/suggestions", "/posts/suggestions"].map(|path| people["ann"].get(path));
    assert_eq!(own.await.expect(200).json(), other.await.expect(200).json());
    app.anon().get("/users/suggestions").await.expect(401);
    app.audit().await;

    // Whom one follows leaves within a second; who is blocked either way, or muted, from the next request on.
    people["ann"].follow(&people["dan"]).await;
    app.settle().await;
    app.pause_workers().await;
    people["eve"].post("/users/ann/block", None).await.expect(200);
    people["ann"].post("/users/gus/mute", None).await.expect(200);
    assert_eq!(suggested(&people["ann"]).await, pairs(&[expected[2], expected[4]]));
    people["eve"].delete("/users/ann/block").await.expect(200);
    people["ann"].post("/users/eve/block", None).await.expect(200);
    app.resume_workers().await;
    // Nor are they computed again, nor is one who was unfollowed lately.
    people["ann"].unfollow(&people["cid"]).await;
    let (_, found) = anew(&app, "ann").await;
    assert_eq!(found, pairs(&[expected[2], expected[4]]));
    app.audit().await;
}

#[tokio::test]
async fn they_are_computed_no_more_often_than_a_days_share_allows() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    app.settle().await;
    assert_eq!(suggested(&ann).await, []);
    app.settle().await;
    bob.follow(&ann).await;
    ann.follow(&bob).await;
    let cid = app.user("cid").await;
    bob.follow(&cid).await;
    app.settle().await;
    assert_eq!(suggested(&ann).await, []);
    app.settle().await;
    assert_eq!(suggested(&ann).await, [], "computed a moment ago");
    let (_, found) = anew(&app, "ann").await;
    assert_eq!(found, pairs(&[("cid", "Followed by somebody you follow.")]));
}

#[tokio::test]
async fn whoever_was_unfollowed_long_ago_is_suggested_again() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    bob.follow(&cid).await;
    for other in [&bob, &cid] {
        ann.follow(other).await;
    }
    app.settle().await;
    ann.unfollow(&cid).await;
    let (_, found) = anew(&app, "ann").await;
    assert_eq!(found, []);
    app.advance(Duration::from_secs(60 * 24 * 3_600));
    let (_, found) = anew(&app, "ann").await;
    assert_eq!(found, pairs(&[("cid", "Followed by somebody you follow.")]));
}

#[tokio::test]
async fn whom_one_follows_is_not_suggested_however_many_these_are() {
    let app = TestApp::start().await;
    let people = join_all(["ann", "bob", "cid", "dan"].map(|name| app.user(name))).await;
    let [ann, bob, cid, dan] = &people[..] else { unreachable!() };
    ann.follow(cid).await;
    app.settle().await;
    // More than are looked through, all followed after the first.
    let (table, me) = (app_of(&app, "users"), ann.id.parse().unwrap());
    let row = |n: u128| {
        let other = UserId::from_ulid(ulid::Ulid::from_parts(1, n));
        Op::put(key::following_row(me, new_ulid(table.now()), other), &json!({})).unwrap()
    };
    table.table().batch_write((0..6_000).map(row).collect()).await.unwrap();
    ann.follow(bob).await;
    for other in [cid, dan] {
        bob.follow(other).await;
    }
    let (_, found) = anew(&app, "ann").await;
    assert_eq!(found, pairs(&[("dan", "Followed by somebody you follow.")]));
}

#[tokio::test]
async fn who_follows_or_blocks_the_last_of_a_page_reads_on() {
    let app = TestApp::start().await;
    let (ann, fan) = (app.user("ann").await, app.user("fan").await);
    for name in ["bob", "cid", "dan", "eve", "fay"] {
        fan.follow(&app.user(name).await).await;
    }
    app.settle().await;
    ann.get("/users/suggestions").await.expect(200);
    app.settle().await;
    let names = |page: &Response| -> Vec<String> {
        page.items().iter().map(|item| item["user"]["username"].as_str().unwrap().to_owned()).collect()
    };
    let all = names(&ann.get("/users/suggestions").await.expect(200));
    assert_eq!(all.len(), 5);
    let first = ann.get("/users/suggestions?limit=2").await.expect(200);
    ann.post(&format!("/users/{}/follow", all[1]), None).await.expect(200);
    app.settle().await;
    let second = ann.get(&first.next().expect("more")).await.expect(200);
    assert_eq!(names(&second), all[2..4]);
    ann.post(&format!("/users/{}/block", all[3]), None).await.expect(200);
    let third = ann.get(&second.next().expect("more")).await.expect(200);
    assert_eq!((names(&third), third.next()), (all[4..].to_vec(), None));
    // Computed anew, without whom she follows.
    let (ann, _) = anew(&app, "ann").await;
    let second = ann.get(&first.next().expect("more")).await.expect(200);
    assert_eq!(names(&second), [all[2].as_str(), all[4].as_str()]);
}

/// A made-up network: who follows whom, by place.
struct Network {
    ids: Vec<UserId>,
    follows: HashMap<usize, BTreeSet<usize>>,
}

const PEOPLE: usize = 20_000;
const FOLLOWED: usize = 5_000;
const EACH: usize = 20;

impl Network {
    /// The first follows a quarter of all; each of these follows some, more often those with a small number.
    fn new() -> Self {
        let ids = (0..PEOPLE).map(|n| UserId::from_ulid(ulid::Ulid::from_parts(1_700_000_000_000, n as u128 + 1)));
        let mut follows: HashMap<usize, BTreeSet<usize>> = HashMap::new();
        let mut state = 7_u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let mine: BTreeSet<usize> = (1..PEOPLE).step_by(PEOPLE / FOLLOWED).collect();
        for one in &mine {
            let whom = (0..EACH).map(|_| random(PEOPLE).min(random(PEOPLE))).filter(|whom| whom != one).collect();
            follows.insert(*one, whom);
        }
        follows.insert(0, mine);
        Self { ids: ids.collect(), follows }
    }

    /// How many of those whom the first follows do follow each.
    fn between(&self) -> Vec<u64> {
        let mut between = vec![0; PEOPLE];
        let friends = self.follows[&0].iter().flat_map(|friend| &self.follows[friend]);
        friends.for_each(|other| between[*other] += 1);
        between
    }
}

#[ignore = "campaign: 20,000 people"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn following_five_thousand_of_twenty_thousand_costs_little() {
    let _alone = alone().await;
    let app = TestApp::with(|options| options.record_wire = true).await;
    let ann = app.user("ann").await;
    app.settle().await;
    app.pause_workers().await;
    let mut network = Network::new();
    network.ids[0] = ann.id.parse().unwrap();
    write(&app, &network).await;
    let (all, mine) = (&network.ids, &network.follows[&0]);
    // The one with most in common, whom she would be told of.
    let between = network.between();
    let closest = (1..PEOPLE).filter(|other| !mine.contains(other)).max_by_key(|other| between[*other]).unwrap();
    ann.post(&format!("/users/{}/block", all[closest]), None).await.expect(200);

    let wire = app.wire().unwrap();
    wire.take();
    assert_eq!(ann.get("/users/suggestions").await.expect(200).items(), [""; 0], "not computed yet");
    let first = wire.take().iter().map(|call| call.read_units).sum::<f64>();
    assert!(first <= 12.0, "{first}");
    let job = json!({"job": "suggest", "user": ann.id}).to_string();
    let event = json!({"Records": [{"messageId": "1", "receiptHandle": "1", "body": job, "eventSource": "aws:sqs"}]});
    app.invoke("index", &event).await.expect("an answer");
    let units = |calls: Vec<emulators::wire::Call>| calls.iter().map(|call| call.read_units).sum::<f64>();
    let background = units(wire.take());
    let page = ann.get("/users/suggestions").await.expect(200);
    let request = units(wire.take());
    println!("{background} read units in the background, {request} for a page");
    assert!(background <= 500.0 && request <= 12.0, "{background} and {request}");
    app.invoke("index", &event).await.expect("an answer");
    assert!(units(wire.take()) <= 2.0, "it is not computed twice a day");

    let places: HashMap<String, usize> = all.iter().enumerate().map(|(place, id)| (id.to_string(), place)).collect();
    let items = page.items();
    assert_eq!(items.len(), 20);
    for item in &items {
        let place = places[item["user"]["id"].as_str().unwrap()];
        assert!(place != 0 && place != closest && !mine.contains(&place), "{item}");
        assert_eq!(item["reason"]["kind"], "followed_by");
        let (told, exact) = (item["reason"]["count"].as_u64().unwrap(), between[place]);
        assert!(told > 0 && told <= exact, "{item}: {exact}");
    }
}

/// Profiles, and who follows whom, as far as suggestions are made of it.
async fn write(app: &TestApp, network: &Network) {
    let mut ops = Vec::new();
    for (place, id) in network.ids.iter().enumerate().skip(1) {
        let name = |text: String| serde_json::Value::from(text);
        let new = NewAccount {
            id: *id,
            email: Email::parse(&name(format!("bird{place}@example.com"))).unwrap(),
            verified: true,
            username: Username::parse(&name(format!("bird{place}"))).unwrap(),
            full_name: None,
            password_hash: "no password".into(),
            verify_link: None,
            known_network: None,
        };
        ops.push(Op::put(key::profile(*id), &preview(&new).profile).unwrap());
    }
    for (from, whom) in &network.follows {
        for (n, to) in whom.iter().enumerate() {
            let edge = ulid::Ulid::from_parts(1_700_000_000_000 + n as u64, n as u128);
            ops.push(Op::put(key::following_row(network.ids[*from], edge, network.ids[*to]), &json!({})).unwrap());
        }
    }
    app_of(app, "users").table().batch_write(ops).await.unwrap();
}
