//! The workspace's binaries, for tests that start them as processes.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Where the binaries lie, built at first use as this test was built: `cargo test` itself builds only those of the
/// package under test.
pub(crate) async fn binaries() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    tokio::task::spawn_blocking(|| BUILT.get_or_init(build).clone()).await.unwrap()
}

fn build() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    // <target>/<profile>/deps/it-…
    let folder = this.ancestors().nth(2).unwrap().to_owned();
    let profile = folder.file_name().unwrap().to_str().unwrap().replace("debug", "dev");
    let mut cargo = Command::new(env!("CARGO"));
    // With this test among the targets the features are the ones it was built with, and little is left to build.
    cargo.args(["build", "--quiet", "--package", "tests", "--test", "it", "--profile", &profile, "--target-dir"]);
    cargo.arg(folder.parent().unwrap());
    for function in FUNCTIONS {
        cargo.args(["--package", function, "--bin", function]);
    }
    cargo.args(["--package", "perch", "--bin", "perch"]);
    // What cargo tells this test about its package would look like a change to build scripts.
    for (name, _) in std::env::vars_os() {
        let of_this_package =
            |name: &str| ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| name.starts_with(start));
        // Nor is what scripts/report-time tells it.
        if name.to_str().is_some_and(|name| of_this_package(name) || name == "RUSTC_BOOTSTRAP") {
            cargo.env_remove(name);
        }
    }
    assert!(cargo.status().unwrap().success(), "{cargo:?}");
    folder
}

pub(crate) const FUNCTIONS: [&str; 17] = [
    "users",
    "posts",
    "media",
    "groups",
    "notifications",
    "realtime",
    "docs",
    "dispatch",
    "fanout",
    "files",
    "index",
    "notify",
    "views",
    "publish",
    "trends",
    "reap",
    "export",
];
