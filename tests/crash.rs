//! `kill -9` under load, and a restart on the same data.

use crate::support::binaries::binaries;
use crate::support::{Client, alone, anon_at, until};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const WRITERS: usize = 8;
/// Writes acknowledged before the process is killed.
const ACKNOWLEDGED: usize = 200;

/// A host in a process of its own.
struct Host {
    process: Child,
    url: String,
}

impl Host {
    async fn start(data: &Path) -> Self {
        let mut process = Command::new(binaries().await.join("perch"))
            .args(["--port", "0", "--no-rate-limits", "--quiet", "--data-dir"])
            .arg(data)
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

async fn sign_up(anon: &Client, name: &str) -> String {
    let body = json!({"username": name, "email": format!("{name}@example.com"), "password": "rock pools at noon"});
    anon.post("/users", body).await.expect(201);
    let signed_in = anon.post("/login", json!({"username": name, "password": "rock pools at noon"})).await;
    signed_in.expect(200).json()["access_token"].as_str().expect("a token").to_owned()
}

/// Posts until the host is gone; the ids it acknowledged.
async fn write(me: Client, acknowledged: Arc<AtomicUsize>) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let text = json!({"content": format!("post {}", ids.len())});
        let Some(answer) = me.call(Method::POST, "/posts").json(&text).try_send().await else { return ids };
        let id: Value = answer.expect(201).json()["id"].take();
        ids.push(id.as_str().expect("an id").to_owned());
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

/// All ids of a list, page by page.
async fn all(me: &Client, path: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = me.get(&format!("{path}?limit=100&cursor={cursor}")).await.expect(200).json();
        let items = page["items"].as_array().expect("items");
        ids.extend(items.iter().filter_map(|item| item["id"].as_str().map(str::to_owned)));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return ids,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_under_load_loses_nothing_acknowledged_and_what_was_queued_is_done() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().expect("a folder");
    let host = Host::start(folder.path()).await;
    let anon = anon_at(&host.url);
    let reader = sign_up(&anon, "reader").await;
    let mut writers = Vec::new();
    for n in 0..WRITERS {
        let name = format!("writer{n}");
        writers.push(sign_up(&anon, &name).await);
        anon.with_token(&reader).post(&format!("/users/{name}/follow"), None).await.expect(200);
    }
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let writing =
        join_all(writers.iter().map(|token| tokio::spawn(write(anon.with_token(token), acknowledged.clone()))));
    let writing = tokio::spawn(writing);
    until(|| async { (acknowledged.load(Ordering::Relaxed) >= ACKNOWLEDGED).then_some(()) }).await;
    host.kill();
    let written: Vec<Vec<String>> = writing.await.expect("writers").into_iter().map(|ids| ids.expect("ids")).collect();

    let host = Host::start(folder.path()).await;
    let anon = anon_at(&host.url);
    for (token, ids) in writers.iter().zip(&written) {
        let kept: HashSet<String> = all(&anon.with_token(token), "/tweets").await.into_iter().collect();
        let lost: Vec<_> = ids.iter().filter(|id| !kept.contains(*id)).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    }
    let written: HashSet<String> = written.into_iter().flatten().collect();
    let reader = &anon.with_token(&reader);
    let feed = until(|| async {
        let feed = all(reader, "/feed").await;
        (written.iter().filter(|id| feed.contains(id)).count() == written.len()).then_some(feed)
    })
    .await;
    let distinct: HashSet<&String> = feed.iter().collect();
    assert_eq!(distinct.len(), feed.len(), "each post is in the feed once");
    println!("acknowledged before the kill: {}", written.len());
}
