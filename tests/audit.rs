//! The audit: what it finds, and what it takes.

use crate::support::binaries::binaries;
use crate::support::services::{Items, text};
use crate::support::{TestApp, alone};
use emulators::data::Data;
use local::Local;
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::models::days::Day;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

mod crowd;
mod damages;

/// An audit that takes longer hangs, and is ended.
const LIMIT: Duration = Duration::from_secs(300);

/// A settled table with an item of every kind that the audit holds to another, its workers at rest: gull and tern
/// follow each other, gull has posted and commented on it, tern has read it and likes it, gull has not read of either,
/// and tern has read all. Tern is in gull's group. Another post of gull's waits, and tern has reported the first.
async fn small_world() -> (TestApp, [String; 2], String) {
    let app = TestApp::start().await;
    let (gull, tern) = (app.user("gull").await, app.user("tern").await);
    gull.follow(&tern).await;
    tern.follow(&gull).await;
    app.settle().await;
    let post = gull.post_text("Low tide. #mudflats").await;
    tern.post(&format!("/posts/{post}/like"), None).await.expect(200);
    gull.comment(&post, "At last.").await;
    tern.get(&format!("/posts/{post}")).await.expect(200);
    let tomorrow = (Clock::default().now() + Duration::from_secs(24 * 3600)).rfc3339();
    gull.post("/posts", json!({"content": "High tide.", "publish_at": tomorrow})).await.expect(201);
    let group = gull.post("/groups", json!({"name": "Waders", "visibility": "public"})).await.expect(201).json();
    tern.post(&format!("/groups/{}/join", group["id"].as_str().unwrap()), None).await.expect(200);
    app.settle().await;
    tern.post("/notifications/read", json!({"all": true})).await.expect(200);
    tern.post(&format!("/posts/{post}/report"), json!({"reason": "spam"})).await.expect(202);
    // It stays open.
    std::mem::forget(gull.listen(&app).await);
    app.settle().await;
    app.pause_workers().await;
    (app, [gull.id.clone(), tern.id.clone()], post)
}

async fn findings(app: &TestApp) -> Vec<String> {
    let report = Local::audit(app).await.expect("an audit");
    assert_eq!(report.is_clean(), report.findings.is_empty() && report.more == 0);
    report.findings
}

/// Something done to the table behind the service's back.
enum Damage {
    Put(Value),
    Take(Value),
}
use Damage::{Put, Take};

impl Damage {
    async fn do_it(&self, app: &TestApp) {
        match self {
            Put(item) => app.put_item(item).await,
            Take(item) => app.delete_item(item).await,
        }
    }

    async fn mend(&self, app: &TestApp, items: &Items) {
        let (Put(item) | Take(item)) = self;
        match items.get(&(text(item, "PK"), text(item, "SK"))) {
            Some(before) => app.put_item(before).await,
            None => app.delete_item(item).await,
        }
    }
}

/// A text with the names of those it is about, and `_` for all other ids.
fn plain(text: &str, names: &[(&str, &str)]) -> String {
    let named = names.iter().fold(text.to_owned(), |text, (id, name)| text.replace(id, name));
    let is_word = |c: char| c.is_ascii_alphanumeric();
    let words = named.split_inclusive(|c| !is_word(c)).map(|part| {
        let word = part.trim_end_matches(|c| !is_word(c));
        // An hour is a number that each run has for itself, too.
        let is_hour = word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit());
        if word.len() == 26 || is_hour { part.replacen(word, "_", 1) } else { part.to_owned() }
    });
    words.collect()
}

/// The day of the likes and comments, and the hour of the views.
fn today(items: &Items) -> (String, String) {
    let (_, days) = items.iter().find(|((pk, sk), _)| pk.starts_with("V#") && sk.starts_with("D#")).expect("days");
    let day = days.as_object().unwrap().keys().find_map(|name| Day::parse(name.strip_prefix('l')?)).expect("a like");
    let (_, hour) = items.keys().find(|(pk, sk)| pk.starts_with("V#") && sk.starts_with("H#")).expect("an hour");
    (day.date(), hour[2..].to_owned())
}

#[tokio::test]
async fn each_damage_is_found_and_named() {
    let (app, [gull, tern], post) = small_world().await;
    let items = app.table().await;
    let (g, t) = (gull.trim_start_matches("usr_"), tern.trim_start_matches("usr_"));
    let (today, hour) = today(&items);
    let times = [(today.as_str(), "its day"), (&hour, "0")];
    let [place, another] = damages::places(&items).map(|place| format!("in place {place}"));
    let places = [(place.as_str(), "in its place"), (&another, "in another place")];
    let names = [(post.as_str(), "the post"), (&gull, "gull"), (&tern, "tern"), (g, "gull"), (t, "tern")];
    let names = [&names[..], &times, &places].concat();
    for (damages, expected) in damages::damages(&items, g, t) {
        for damage in &damages {
            damage.do_it(&app).await;
        }
        let mut found: Vec<_> = findings(&app).await.iter().map(|finding| plain(finding, &names)).collect();
        found.sort();
        assert_eq!(found, expected);
        for damage in &damages {
            damage.mend(&app, &items).await;
        }
    }
    app.audit().await;
}

/// How an audit by the binary ended, what it took and the most memory it had.
struct Run {
    code: i32,
    told: String,
    took: Duration,
    /// KiB resident at most; 0 where the system does not tell.
    peak: u64,
}

async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Run {
    let mut command = Command::new(binaries().await.join("perch"));
    let started = Instant::now();
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied());
    // What is freed goes back to the system at once, so that the peak is what an audit holds, not what mimalloc keeps.
    command.envs([("MIMALLOC_PURGE_DELAY", "0"), ("MIMALLOC_ARENA_EAGER_COMMIT", "0")]);
    let mut process =
        command.arg("audit").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (status, mut peak) = (format!("/proc/{}/status", process.id()), 0);
    while process.try_wait().unwrap().is_none() {
        peak = peak.max(peak_memory(&status));
        if started.elapsed() > LIMIT {
            process.kill().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = started.elapsed();
    let Output { status, stdout, stderr } = process.wait_with_output().unwrap();
    let told = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
    Run { code: status.code().unwrap_or(-1), told, took, peak }
}

fn peak_memory(status: &str) -> u64 {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// A service on this folder, its workers at rest.
async fn host(folder: &Path) -> TestApp {
    TestApp::with(|options| {
        options.data = Data::Dir(folder.to_owned());
        options.workers = false;
    })
    .await
}

#[tokio::test]
async fn the_command_says_by_its_code_what_it_found() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let path = folder.to_str().unwrap();
    let none = run(&["--data-dir", path], &[]).await;
    assert_eq!((none.code, folder.exists()), (2, false), "{}", none.told);
    assert!(none.told.contains("is no data folder"), "{}", none.told);

    let app = host(&folder).await;
    let (gull, tern) = (app.user("gull").await, app.user("tern").await);
    gull.follow(&tern).await;
    let used = run(&["--data-dir", path], &[]).await;
    assert_eq!(used.code, 2);
    assert!(used.told.contains("is in use by another run"), "{}", used.told);
    // The same table by its address, as one on AWS would be.
    let table = ["--table", app.table_name(), "--endpoint-url", &app.endpoints().dynamodb];
    let nobody = run(&table, &[]).await;
    assert_eq!(nobody.code, 2);
    assert!(nobody.told.contains("lacks AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"), "{}", nobody.told);
    let keys = [("AWS_DEFAULT_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let elsewhere = run(&table, &keys).await;
    assert!(elsewhere.code == 0 && elsewhere.told.contains("0 expired, 1 not settled"), "{}", elsewhere.told);
    assert_eq!(run(&["--table", "none", "--endpoint-url", &app.endpoints().dynamodb], &keys).await.code, 2);
    app.stop().await;

    // Not counted, for no worker ran: that is a finding where all should be settled.
    let open = run(&["--data-dir", path], &[]).await;
    assert!(open.code == 0 && open.told.contains("0 findings"), "{}", open.told);
    let strict = run(&["--data-dir", path, "--settled"], &[]).await;
    let finding = format!("the follow of {} by {} is not counted yet\n", tern.id, gull.id);
    assert!(strict.code == 1 && strict.told.contains(&finding), "{}", strict.told);
    for one in [&gull, &tern] {
        assert!(strict.told.contains(&format!("{} is not found by any name", one.id)), "{}", strict.told);
    }
    assert!(strict.told.contains("3 findings"), "{}", strict.told);
    for wrong in [&["--data-dir", path, "--table", "Table"] as &[_], &["--endpoint-url", "http://x"], &["--port", "1"]]
    {
        assert_eq!(run(wrong, &[]).await.code, 2, "{wrong:?}");
    }
}

#[ignore = "campaign: 100,000 items"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_items_take_no_more_memory_than_twenty_thousand() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().unwrap();
    let app = host(folder.path()).await;
    let table = app.table_name().to_owned();
    app.stop().await;
    let mut peaks = Vec::new();
    for (name, items) in [("few", 20_000), ("many", 80_000)] {
        let started = Instant::now();
        crowd::write(folder.path(), &table, name, items / crowd::ITEMS_EACH + 1);
        println!("{items} items written in {:?}", started.elapsed());
        let run = run(&["--data-dir", folder.path().to_str().unwrap(), "--settled"], &[]).await;
        assert_eq!(run.code, 0, "{}", run.told);
        println!("{}\n{:?}, at most {} KiB", run.told, run.took, run.peak);
        assert!(run.told.contains("items, 0 expired, 0 not settled"), "{}", run.told);
        peaks.push(run.peak);
    }
    assert!(peaks[1] < peaks[0] + 8 * 1024, "{peaks:?}");
}
