//! Random stories by a few dozen people, under faults, held to a plain model of the contract: at once where it says at
//! once, after settling otherwise. A story that fails is shrunk to a short one.
//!
//! `PROPTEST_CASES` sets how many stories the campaign plays; `PERCH_SEED` plays the same ones again.

mod stage;
mod story;
mod world;

use crate::support::{TestApp, alone, set};
use emulators::faults::{Faults, Profile};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use story::story;
use tokio::runtime::Handle;

/// Stories in the everyday tests.
const FEW: u32 = 20;
/// Stories in the campaign, unless `PROPTEST_CASES` is set.
const MANY: u32 = 500;
/// Hosts that play at the same time: a story mostly waits.
const LANES: u32 = 12;
/// Stories played on one host, before it is audited and replaced by a fresh one.
const STORIES_A_HOST: usize = 20;
/// A shorter story that does not fail the first time may fail the next: what happens at once is not the same each time.
const TRIES_WHILE_SHRINKING: usize = 4;

#[expect(clippy::disallowed_methods, reason = "how the test is told how much to do")]
fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// One host after another, and the stories played on them.
struct Lane {
    number: u32,
    seed: u64,
    runtime: Handle,
    host: tokio::sync::Mutex<Option<(TestApp, usize)>>,
    failed: AtomicBool,
    played: Arc<AtomicUsize>,
}

impl Lane {
    async fn start(&self, played: usize) -> TestApp {
        TestApp::with(|options| {
            // Every other host has authors who cross the limit.
            set(options, "FanoutLimit", if self.number.is_multiple_of(2) { "3" } else { "10000" });
            options.faults = Some(Faults { profile: Profile::Mixed, seed: self.seed ^ (played as u64) });
        })
        .await
    }

    /// Plays on the lane's host; on a fresh one after a failure.
    async fn play(&self, story: &[story::Step]) -> Result<(), String> {
        let mut host = self.host.lock().await;
        if host.as_ref().is_some_and(|(_, played)| *played >= STORIES_A_HOST)
            && let Some((app, _)) = host.take()
        {
            app.audit().await;
            app.stop().await;
        }
        let (app, played) = match host.take() {
            Some(host) => host,
            None => (self.start(self.played.load(Ordering::Relaxed)).await, 0),
        };
        let tries = if self.failed.load(Ordering::Relaxed) { TRIES_WHILE_SHRINKING } else { 1 };
        for _ in 0..tries {
            if let Err(why) = stage::play(&app, story).await {
                self.failed.store(true, Ordering::Relaxed);
                return Err(why);
            }
            self.played.fetch_add(1, Ordering::Relaxed);
        }
        *host = Some((app, played + 1));
        Ok(())
    }

    fn run(&self, stories: u32) -> Result<(), String> {
        let config = Config { cases: stories, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
        let run = runner.run(&story(), |story| self.runtime.block_on(self.play(&story)).map_err(TestCaseError::fail));
        if let Some((app, _)) = self.runtime.block_on(self.host.lock()).take() {
            self.runtime.block_on(app.audit());
        }
        match run {
            Ok(()) => Ok(()),
            Err(TestError::Fail(why, story)) => Err(format!("lane {}: {why}\nthe story: {story:#?}", self.number)),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_stories_end_as_the_model_says() {
    play(FEW).await;
}

#[ignore = "campaign: a quarter of an hour"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_stories_end_as_the_model_says() {
    play(variable("PROPTEST_CASES").and_then(|n| u32::try_from(n).ok()).unwrap_or(MANY)).await;
}

async fn play(stories: u32) {
    let _alone = alone().await;
    let seed = variable("PERCH_SEED").unwrap_or_else(|| u64::from_le_bytes(shared::secrets::random_bytes()));
    println!("{stories} stories, PERCH_SEED={seed}");
    let played = Arc::new(AtomicUsize::new(0));
    let lanes = (0..LANES).map(|number| {
        let lane = Lane {
            number,
            seed: seed.wrapping_add(u64::from(number)),
            runtime: Handle::current(),
            host: tokio::sync::Mutex::default(),
            failed: AtomicBool::new(false),
            played: played.clone(),
        };
        let share = stories / LANES + u32::from(number < stories % LANES);
        tokio::task::spawn_blocking(move || lane.run(share))
    });
    let started = std::time::Instant::now();
    let mut failures = Vec::new();
    for lane in futures::future::join_all(lanes).await {
        failures.extend(lane.expect("a lane").err());
    }
    println!("{} stories played in {:?}", played.load(Ordering::Relaxed), started.elapsed());
    assert!(failures.is_empty(), "PERCH_SEED={seed}\n{}", failures.join("\n"));
}
