//! Plays a story against the service, and holds what it says to the world.

use super::story::{PEOPLE, Step};
use super::world::{Deed, World};
use crate::support::bulk::{Person, people, session};
use crate::support::{Call, Client, Response, TestApp};
use futures::future::join_all;
use local::Local;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Told from other stories on the same host.
static STORIES: AtomicUsize = AtomicUsize::new(0);
/// A client's tries when it is told to try again.
const TRIES: usize = 50;

pub(super) type Told<T = ()> = Result<T, String>;

macro_rules! ensure {
    ($holds:expr, $($why:tt)*) => {
        if !$holds {
            return Err(format!($($why)*));
        }
    };
}

struct Stage<'a> {
    app: &'a TestApp,
    people: Vec<Option<Person>>,
    story: usize,
    world: World,
}

/// Plays a story on a running service.
pub(super) async fn play(app: &TestApp, story: &[Step]) -> Told {
    let number = STORIES.fetch_add(1, Ordering::Relaxed);
    let mut stage = Stage { app, people: Vec::new(), story: number, world: World::default() };
    stage.people.resize_with(PEOPLE, || None);
    for step in story {
        match step {
            Step::One(by, act) => stage.at_once(&[(*by, act.clone())]).await?,
            Step::AtOnce(acts) => stage.at_once(acts).await?,
            Step::Settle => stage.settled().await?,
        }
    }
    stage.settled().await
}

/// The answer, asked again while the service says it can't now, and whether it was.
async fn send(call: impl Fn() -> Call) -> (Response, bool) {
    for tries in 0..TRIES {
        let answer = call().await;
        if answer.status != 503 && !(answer.status == 409 && answer.header("retry-after") == "1") {
            return (answer, tries > 0);
        }
    }
    (call().await, true)
}

async fn get(client: &Client, path: &str) -> Told<Value> {
    let (answer, _) = send(|| client.get(path)).await;
    ensure!(answer.status == 200, "GET {path}: {} {}", answer.status, answer.text());
    Ok(answer.json())
}

async fn status(client: &Client, path: &str) -> u16 {
    send(|| client.get(path)).await.0.status
}

/// All items of a list.
async fn list(client: &Client, path: &str) -> Told<Vec<Value>> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let mut page = get(client, &format!("{path}?limit=100{cursor}")).await?;
        items.append(page["items"].as_array_mut().expect("items"));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(items),
        }
    }
}

impl Stage<'_> {
    fn person(&self, number: usize) -> &Person {
        self.people[number].as_ref().expect("somebody of the story")
    }

    fn name(&self, number: usize) -> String {
        format!("s{}p{number}x0", self.story)
    }

    /// What these people do, at the same moment.
    async fn at_once(&mut self, acts: &[(usize, super::story::Act)]) -> Told {
        let deeds: Vec<(usize, Deed)> =
            acts.iter().filter_map(|(by, act)| Some((*by, self.world.resolve(*by, act)?))).collect();
        for number in self.world.touched.clone() {
            if self.people[number].is_none() {
                let mut one = people(self.app, &format!("s{}p{number}x", self.story), 1).await;
                self.people[number] = one.pop();
            }
        }
        let racing: BTreeSet<usize> = deeds.iter().filter_map(|(_, deed)| deleted(deed)).collect();
        let this = &*self;
        let ids = join_all(deeds.iter().map(|(by, deed)| this.perform(*by, deed, &racing))).await;
        // What is deleted at the same moment is gone in the end, whatever was done to it.
        for ((by, deed), id) in deeds.iter().zip(ids) {
            let id = id.map_err(|why| format!("{by} {deed:?}: {why}"))?;
            self.world.done(*by, deed, id);
        }
        let signed_out: Vec<usize> =
            deeds.iter().filter(|(_, deed)| matches!(deed, Deed::SignOut)).map(|(by, _)| *by).collect();
        for by in signed_out {
            let token = session(self.app, self.person(by).id).await;
            let person = self.people[by].as_mut().expect("somebody of the story");
            person.client = person.client.with_token(&token);
        }
        let this = &*self;
        let seen = join_all(deeds.iter().map(|(by, deed)| this.seen_at_once(*by, deed, &racing))).await;
        let mut seen = seen.into_iter().zip(&deeds);
        seen.try_for_each(|(seen, (by, deed))| seen.map_err(|why| format!("{by} {deed:?}, at once: {why}")))
    }

    /// Does it, and answers a new post's id.
    async fn perform(&self, by: usize, deed: &Deed, racing: &BTreeSet<usize>) -> Told<Option<String>> {
        let me = self.person(by);
        match deed {
            Deed::Post { text, twice } => return self.post(me, "/posts", text, *twice, true).await,
            Deed::Comment { on, text, twice } => {
                let (path, standing) = self.target(*on);
                let must = standing && !self.races(*on, racing);
                let made = self.post(me, &format!("{path}/comments"), text, *twice, must).await?;
                ensure!(made.is_none() || standing, "made below what is gone");
                return Ok(made);
            }
            Deed::Edit { post, text } => {
                let (path, standing) = self.target(*post);
                let (answer, again) = send(|| me.patch(&path, json!({ "content": text }))).await;
                let right = if standing { answer.status == 200 } else { answer.status == 404 };
                let raced = self.races(*post, racing) && matches!(answer.status, 404 | 412);
                ensure!(right || raced || (again && answer.status == 412), "{} {}", answer.status, answer.text());
            }
            Deed::Delete { post } => {
                let (path, standing) = self.target(*post);
                let (answer, again) = send(|| me.delete(&path)).await;
                let right = if standing { answer.status == 204 } else { answer.status == 404 };
                let raced = self.races(*post, racing) && matches!(answer.status, 404 | 412);
                ensure!(right || raced || (again && answer.status == 404), "{} {}", answer.status, answer.text());
            }
            Deed::Like { post, liked } => {
                let (path, standing) = self.target(*post);
                let path = format!("{path}/like");
                let (answer, _) = send(|| if *liked { me.post(&path, None) } else { me.delete(&path) }).await;
                // Others' deletions show within a second.
                if answer.status != 404 || (standing && !self.races(*post, racing)) {
                    ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
                    let state = answer.json();
                    ensure!(state["liked"] == *liked, "{state}");
                    ensure!(state["likes_count"].as_u64() >= Some(u64::from(*liked)), "{state}");
                }
            }
            Deed::Follow { whom, follows } => {
                let path = format!("/users/{}/follow", self.person(*whom).id);
                let (answer, _) = send(|| if *follows { me.post(&path, None) } else { me.delete(&path) }).await;
                ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
                ensure!(answer.json()["following"] == *follows, "{}", answer.text());
            }
            Deed::ReadAll => {
                let (answer, _) = send(|| me.post("/notifications/read", json!({"all": true}))).await;
                ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
            }
            Deed::SignOut => {
                let (answer, again) = send(|| me.post("/users/logout", None)).await;
                ensure!(answer.status == 204 || (again && answer.status == 401), "{} {}", answer.status, answer.text());
                ensure!(status(me, "/feed").await == 401, "still signed in");
            }
        }
        Ok(None)
    }

    /// Writes a post or a comment; None where it need not be made and was not.
    async fn post(&self, me: &Person, path: &str, text: &str, twice: bool, must: bool) -> Told<Option<String>> {
        let send = || async {
            let post = || me.post(path, json!({ "content": text })).header("idempotency-key", text);
            let (answer, _) = send(post).await;
            if answer.status == 404 && !must {
                return Ok(None);
            }
            ensure!(answer.status == 201, "{} {}", answer.status, answer.text());
            Ok(Some(answer.json()["id"].as_str().expect("an id").to_owned()))
        };
        if !twice {
            return send().await;
        }
        let (first, second) = futures::future::try_join(send(), send()).await?;
        ensure!(first == second || !must, "one key made {first:?} and {second:?}");
        Ok(first.or(second))
    }

    fn target(&self, post: usize) -> (String, bool) {
        (format!("/posts/{}", self.world.posts[post].id), self.world.stands(post))
    }

    /// Whether it, or what it stands below, is being deleted at this moment.
    fn races(&self, post: usize, racing: &BTreeSet<usize>) -> bool {
        self.world.chain(post).any(|one| racing.contains(&one))
    }

    /// What the one who did it must see in the very next request.
    async fn seen_at_once(&self, by: usize, deed: &Deed, racing: &BTreeSet<usize>) -> Told {
        let me = self.person(by);
        match deed {
            Deed::Post { text, .. } | Deed::Edit { text, .. } => {
                let post = self.world.posts.iter().position(|post| post.text == *text);
                let Some(post) = post.filter(|post| self.world.stands(*post)) else { return Ok(()) };
                let seen = get(me, &self.target(post).0).await?;
                ensure!(seen["content"] == *text, "{seen}");
                let standing = self.world.posts_by(&BTreeSet::from([by])).len();
                let seen = get(me, "/users").await?;
                ensure!(seen["posts_count"] == standing, "{standing} posts: {seen}");
            }
            Deed::Comment { on, text, .. } => {
                let comment = self.world.posts.iter().position(|post| post.text == *text);
                let Some(comment) = comment.filter(|comment| self.world.stands(*comment)) else { return Ok(()) };
                let (path, id) = (self.target(*on).0, &self.world.posts[comment].id);
                let count = async || Ok::<_, String>(get(me, &path).await?["comments_count"].as_u64());
                // One read may lack it: when it is counted between the two that make the count up.
                ensure!(count().await? >= Some(1) || count().await? >= Some(1), "{path} has no comment yet");
                let seen = list(me, &format!("{path}/comments")).await?;
                let own = seen.iter().find(|seen| seen["id"] == id.as_str());
                ensure!(own.is_some_and(|own| own["content"] == *text), "{id} is not in {seen:?}");
            }
            Deed::Delete { post } => {
                let path = self.target(*post).0;
                ensure!(status(me, &path).await == 404, "{path} is there");
            }
            Deed::Like { post, liked } => {
                let (path, standing) = self.target(*post);
                if standing && !self.races(*post, racing) {
                    let seen = get(me, &path).await?;
                    ensure!(seen["liked"] == *liked, "{seen}");
                    ensure!(seen["likes_count"].as_u64() >= Some(u64::from(*liked)), "{seen}");
                }
            }
            Deed::Follow { whom, follows } => {
                let seen = get(me, &format!("/users/{}", self.person(*whom).id)).await?;
                ensure!(seen["following"] == *follows, "{seen}");
                ensure!(seen["followers_count"].as_u64() >= Some(u64::from(*follows)), "{seen}");
                if !follows {
                    let feed = list(me, "/feed").await?;
                    let name = self.name(*whom);
                    let left = feed.iter().find(|post| post["author"]["username"] == name.as_str());
                    ensure!(left.is_none(), "still in the feed: {left:?}");
                }
            }
            Deed::ReadAll | Deed::SignOut => {}
        }
        Ok(())
    }

    /// Everything is as the world says.
    async fn settled(&self) -> Told {
        Local::settle(self.app).await.map_err(|left| left.to_string())?;
        let looks = self.world.touched.iter().map(async |number| {
            let (feed, comments) = (self.feed(*number), self.comments(*number));
            let seen = futures::try_join!(feed, comments, self.graph(*number), self.told(*number));
            seen.map_err(|why| format!("{number}, settled: {why}"))
        });
        join_all(looks).await.into_iter().collect::<Told<Vec<_>>>().map(|_| ())
    }

    /// The feed, and the own posts.
    async fn feed(&self, number: usize) -> Told {
        let me = self.person(number);
        for (path, authors) in [("/feed", self.world.following(number)), ("/tweets", BTreeSet::from([number]))] {
            // Who never wrote has no posts: the count of them, which is looked at too, says enough.
            if path == "/tweets" && !self.world.posts.iter().any(|post| post.author == number) {
                continue;
            }
            let seen = list(me, path).await?;
            let seen: Vec<Value> = seen.iter().map(fields).collect();
            let expected: Vec<Value> =
                self.world.posts_by(&authors).into_iter().map(|post| self.expected(number, post)).collect();
            ensure!(seen == expected, "{path} is {seen:#?}, not {expected:#?}");
        }
        Ok(())
    }

    /// What somebody is to see of a post or comment.
    fn expected(&self, by: usize, number: usize) -> Value {
        let (world, post) = (&self.world, &self.world.posts[number]);
        let (likes, comments) = (world.likes_count(number), world.comments(number).len());
        json!([post.id, post.text, world.likes(by, number), likes, comments])
    }

    /// What stands below one's own posts and comments.
    async fn comments(&self, number: usize) -> Told {
        let me = self.person(number);
        for on in 0..self.world.posts.len() {
            let comments = self.world.comments(on);
            // Where there are none, the count that is looked at says so.
            if self.world.posts[on].author != number || comments.is_empty() {
                continue;
            }
            let path = format!("{}/comments", self.target(on).0);
            let seen = list(me, &path).await?;
            let seen: Vec<Value> = seen.iter().map(fields).collect();
            let expected: Vec<Value> = comments.into_iter().map(|comment| self.expected(number, comment)).collect();
            ensure!(seen == expected, "{path} is {seen:#?}, not {expected:#?}");
        }
        Ok(())
    }

    /// Counts and lists.
    async fn graph(&self, number: usize) -> Told {
        let me = self.person(number);
        let (followers, following) = (self.world.followers(number), self.world.following(number));
        let posts = self.world.posts_by(&BTreeSet::from([number])).len();
        let seen = get(me, "/users").await?;
        let seen = json!([seen["followers_count"], seen["following_count"], seen["posts_count"]]);
        ensure!(seen == json!([followers.len(), following.len(), posts]), "counts {seen}: {followers:?} {following:?}");
        for (path, expected) in [("/users/me/followers", followers), ("/users/me/following", following)] {
            if expected.is_empty() {
                continue;
            }
            let seen = list(me, path).await?;
            let mut seen: Vec<&str> = seen.iter().filter_map(|card| card["username"].as_str()).collect();
            seen.sort_unstable();
            let mut expected: Vec<String> = expected.into_iter().map(|number| self.name(number)).collect();
            expected.sort_unstable();
            ensure!(seen == expected, "{path} is {seen:?}, not {expected:?}");
        }
        Ok(())
    }

    /// Notifications.
    async fn told(&self, number: usize) -> Told {
        let me = self.person(number);
        let mut expected = self.world.told(number);
        let count = get(me, "/notifications/unread-count").await?;
        let seen = if expected.is_empty() { Vec::new() } else { list(me, "/notifications").await? };
        let unread = seen.iter().filter(|one| one["read"] == false).count();
        ensure!(count["unread_count"] == unread, "{unread} are unread, the count says {count}");
        for one in &seen {
            let key =
                expected.keys().find(|(kind, post)| one["kind"] == *kind && one["post_id"] == json!(post)).cloned();
            let Some(key) = key else { return Err(format!("told of what nobody did: {one}")) };
            let told = usize::try_from(one["actors_count"].as_u64().unwrap_or_default()).unwrap_or_default();
            let (least, most) = expected.get_mut(&key).expect("what was found");
            ensure!(told <= *most, "told twice: {one}");
            (*least, *most) = (least.saturating_sub(told), *most - told);
        }
        let missing: Vec<_> = expected.iter().filter(|(_, (least, _))| *least > 0).collect();
        ensure!(missing.is_empty(), "not told of {missing:?}, only of {seen:?}");
        Ok(())
    }
}

/// Of a post or comment, what is compared.
fn fields(post: &Value) -> Value {
    json!([post["id"], post["content"], post["liked"], post["likes_count"], post["comments_count"]])
}

fn deleted(deed: &Deed) -> Option<usize> {
    match deed {
        Deed::Delete { post } => Some(*post),
        _ => None,
    }
}
