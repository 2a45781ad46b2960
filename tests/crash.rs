//! `kill -9` under load, and a restart on the same data each time.

use crate::support::binaries::binaries;
use crate::support::lists::ids;
use crate::support::{Client, PASSWORD, TestApp, alone, anon_at};
use emulators::data::Data;
use futures::future::join_all;
use local::Local;
use serde_json::json;
use std::collections::{BTreeSet, HashSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const WRITERS: usize = 8;
/// They follow every writer.
const READERS: usize = 2;
/// Whom writers follow meanwhile, one after another.
const BIRDS: usize = 60;
/// Jobs queued or being worked on at each kill.
const JOBS: usize = 100;

/// A host in a process of its own.
struct Host {
    process: Child,
    url: String,
}

/// The product's template, its queues so slow that there is always work on them.
fn template(folder: &Path) -> PathBuf {
    let slow = "Type: AWS::SQS::Queue\n    Properties:\n      DelaySeconds: 5\n";
    let template = include_str!("../template.yaml");
    let changed = template.replace("Type: AWS::SQS::Queue\n    Properties:\n", slow);
    assert_ne!(changed, template);
    let path = folder.join("template.yaml");
    std::fs::write(&path, changed).expect("a template");
    path
}

impl Host {
    async fn start(data: &Path) -> Self {
        let mut process = Command::new(binaries().await.join("perch"))
            .args(["--port", "0", "--no-rate-limits", "--quiet", "--data-dir"])
            .arg(data)
            .arg("--template")
            .arg(template(data))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the host starts");
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let url = lines
            .map_while(Result::ok)
            .find_map(|line| line.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_owned));
        Self { process, url: url.expect("it says its address") }
    }

    fn kill(mut self) {
        self.process.kill().expect("SIGKILL");
        self.process.wait().expect("its end");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Messages that are queued or being worked on, read from the queues' file.
fn jobs(queues: &rusqlite::Connection) -> usize {
    let count = queues.query_row("SELECT count(*) FROM messages WHERE queue NOT LIKE '%Dlq%'", [], |row| row.get(0));
    // The host may hold the file for a moment.
    count.unwrap_or_default()
}

async fn sign_up(anon: &Client, name: &str) -> String {
    let body = json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
    anon.post("/users", body).await.expect(201);
    sign_in(anon, name).await
}

/// An access token, for a quarter of an hour: the kills may take longer on a busy machine.
async fn sign_in(anon: &Client, name: &str) -> String {
    let signed_in = anon.post("/login", json!({"username": name, "password": PASSWORD})).await;
    signed_in.expect(200).json()["access_token"].as_str().expect("a token").to_owned()
}

/// What one writer was told is done.
#[derive(Default)]
struct Acknowledged {
    posts: Vec<String>,
    likes: BTreeSet<String>,
    follows: BTreeSet<usize>,
}

impl Acknowledged {
    fn extend(&mut self, more: Self) {
        self.posts.extend(more.posts);
        self.likes.extend(more.likes);
        self.follows.extend(more.follows);
    }
}

/// Posts, likes and follows until the host is gone.
async fn write(me: Client, mut next_bird: usize, acknowledged: Arc<AtomicUsize>) -> Acknowledged {
    let mut done = Acknowledged::default();
    for n in 0.. {
        let liked = done.posts.last().filter(|_| n % 8 == 5).cloned();
        let call = match (n % 8, &liked) {
            (3, _) if next_bird < BIRDS => me.post(&format!("/users/bird{next_bird}/follow"), None),
            (_, Some(post)) => me.post(&format!("/posts/{post}/like"), None),
            _ => me.post("/posts", json!({"content": format!("post {n}")})),
        };
        let Some(answer) = call.try_send().await else { break };
        match (answer.status, liked) {
            (201, _) => done.posts.push(ids(&[answer.json()]).remove(0)),
            (200, Some(post)) => drop(done.likes.insert(post)),
            (200, None) => {
                done.follows.insert(next_bird);
                next_bird += 1;
            }
            _ => panic!("{}", answer.text()),
        }
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    done
}

/// The ids of a list down to this one, or all, page by page.
async fn listed(me: &Client, path: &str, down_to: Option<&str>) -> Vec<String> {
    let (mut listed, mut next) = (Vec::new(), Some(format!("{path}?limit=100")));
    while let Some(path) = next {
        let page = me.get(&path).await.expect(200);
        listed.extend(ids(&page.items()));
        next = page.next().filter(|_| down_to.is_none_or(|last| !listed.iter().any(|id| id == last)));
    }
    listed
}

struct Story {
    dice: fastrand::Rng,
    /// Writes acknowledged before each kill, at least.
    acknowledged_before_kill: usize,
    writers: Vec<String>,
    acknowledged: Vec<Acknowledged>,
}

impl Story {
    /// Everybody writes until the host is killed, at a moment that the dice choose.
    async fn kill_under_load(&mut self, host: Host, queues: &rusqlite::Connection, kill: usize) {
        let anon = anon_at(&host.url);
        let count = Arc::new(AtomicUsize::new(0));
        let started = Instant::now();
        let writing = self.writers.iter().zip(&self.acknowledged).map(|(token, done)| {
            tokio::spawn(write(anon.with_token(token), done.follows.last().map_or(0, |bird| bird + 1), count.clone()))
        });
        let writing: Vec<_> = writing.collect();
        let least = self.acknowledged_before_kill + self.dice.usize(0..400);
        let pause = Duration::from_micros(self.dice.u64(0..30_000));
        let there = || async { (count.load(Ordering::Relaxed) >= least && jobs(queues) >= JOBS).then_some(()) };
        crate::support::until_within(Duration::from_secs(600), there).await;
        // Any moment between two of what the host does, or in the midst of it.
        tokio::time::sleep(pause).await;
        let (acknowledged, waiting) = (count.load(Ordering::Relaxed), jobs(queues));
        host.kill();
        println!(
            "kill {kill}: {acknowledged} writes acknowledged in {:?}, {waiting} jobs in flight",
            started.elapsed()
        );
        for (writer, done) in join_all(writing).await.into_iter().enumerate() {
            self.acknowledged[writer].extend(done.expect("a writer"));
        }
    }

    /// Everybody signs in anew.
    async fn sign_in(&mut self, anon: &Client) {
        for (n, token) in self.writers.iter_mut().enumerate() {
            *token = sign_in(anon, &format!("writer{n}")).await;
        }
    }

    /// Whatever was acknowledged since the last look is there.
    async fn all_there(&self, anon: &Client, since: &mut [usize]) {
        for ((token, done), seen) in self.writers.iter().zip(&self.acknowledged).zip(since) {
            let new = &done.posts[*seen..];
            let there = listed(&anon.with_token(token), "/tweets", new.first().map(String::as_str)).await;
            let there: HashSet<String> = there.into_iter().collect();
            let lost: Vec<_> = new.iter().filter(|id| !there.contains(*id)).collect();
            assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
            *seen = done.posts.len();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_kills_under_load_lose_and_double_nothing() {
    kills_under_load(2, 400).await;
}

#[ignore = "campaign: ten minutes"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_under_load_lose_and_double_nothing() {
    kills_under_load(20, 2_000).await;
}

async fn kills_under_load(kills: usize, acknowledged_before_kill: usize) {
    let _alone = alone().await;
    let seed = fastrand::u64(..);
    println!("kills at moments drawn from seed {seed}");
    let folder = tempfile::tempdir().expect("a folder");
    let mut host = Host::start(folder.path()).await;
    let queues = rusqlite::Connection::open(folder.path().join("queues.sqlite")).expect("the queues");
    let anon = anon_at(&host.url);
    let dice = fastrand::Rng::with_seed(seed);
    let mut story = Story { dice, acknowledged_before_kill, writers: Vec::new(), acknowledged: Vec::new() };
    let mut readers = Vec::new();
    for n in 0..READERS {
        readers.push(sign_up(&anon, &format!("reader{n}")).await);
    }
    for n in 0..WRITERS {
        let name = format!("writer{n}");
        story.writers.push(sign_up(&anon, &name).await);
        story.acknowledged.push(Acknowledged::default());
        for reader in &readers {
            anon.with_token(reader).post(&format!("/users/{name}/follow"), None).await.expect(200);
        }
    }
    for n in 0..BIRDS {
        sign_up(&anon, &format!("bird{n}")).await;
    }
    let mut seen = [0; WRITERS];
    for kill in 1..=kills {
        story.kill_under_load(host, &queues, kill).await;
        host = Host::start(folder.path()).await;
        let anon = anon_at(&host.url);
        story.sign_in(&anon).await;
        story.all_there(&anon, &mut seen).await;
    }
    host.kill();
    drop(queues);
    nothing_lost_or_doubled(&mut story, folder.path()).await;
}

/// The data folder in this process, where settling can be waited for.
async fn nothing_lost_or_doubled(story: &mut Story, folder: &Path) {
    let app = TestApp::with(|options| options.data = Data::Dir(folder.to_owned())).await;
    let started = Instant::now();
    let settled = || async { Local::settle(&app).await.ok() };
    crate::support::until_within(Duration::from_secs(600), settled).await;
    println!("settled {:?} after the last start", started.elapsed());
    let anon = app.anon();
    story.sign_in(&anon).await;
    let mut posts = Vec::new();
    for (token, done) in story.writers.iter().zip(&story.acknowledged) {
        let me = anon.with_token(token);
        let there = listed(&me, "/tweets", None).await;
        let (there_set, liked) = (there.iter().collect::<HashSet<_>>(), listed(&me, "/posts/liked", None).await);
        assert!(done.posts.iter().all(|post| there_set.contains(post)), "a post is lost");
        assert_eq!(there_set.len(), there.len(), "a post is there twice");
        let liked: BTreeSet<String> = liked.into_iter().collect();
        assert!(done.likes.is_subset(&liked), "a like is lost");
        posts.extend(there);
    }
    println!(
        "{} posts acknowledged, {} there",
        story.acknowledged.iter().map(|one| one.posts.len()).sum::<usize>(),
        posts.len()
    );
    posts.sort_unstable_by(|a, b| b.cmp(a));
    for n in 0..READERS {
        let reader = anon.with_token(&sign_in(&anon, &format!("reader{n}")).await);
        let feed = listed(&reader, "/feed", None).await;
        assert!(feed == posts, "a feed of {} has not each of {} posts once", feed.len(), posts.len());
    }
    let mut told = 0;
    for number in 0..BIRDS {
        let bird = anon.with_token(&sign_in(&anon, &format!("bird{number}")).await);
        told += told_of_each_follower_once(&bird, story, number).await;
    }
    println!("{told} follows, each told once");
    app.audit().await;
}

/// How many followers there are; each was told of once.
async fn told_of_each_follower_once(bird: &Client, story: &Story, number: usize) -> usize {
    let followers = bird.get("/users/me/followers?limit=100").await.expect(200).items();
    let names: HashSet<&str> = followers.iter().filter_map(|card| card["username"].as_str()).collect();
    for (writer, done) in story.acknowledged.iter().enumerate() {
        let lost = done.follows.contains(&number) && !names.contains(format!("writer{writer}").as_str());
        assert!(!lost, "a follow is lost: writer{writer} of bird{number}");
    }
    let events = bird.get("/notifications?limit=100&after=ntf_00000000000000000000000000").await.expect(200).items();
    let mut told: Vec<&str> = events.iter().filter_map(|event| event["actor"]["username"].as_str()).collect();
    told.sort_unstable();
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_unstable();
    assert_eq!(told, names, "bird{number}");
    names.len()
}
