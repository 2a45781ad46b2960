//! The workspace's crates and what depends on what, as `docs/architecture.md` draws it.

use crate::samples::read;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

type Edges = BTreeSet<(String, String)>;

/// The dependencies between crates of the workspace, but for those of tests alone; all functions are one.
fn declared() -> Edges {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let name = |package: &Value| {
        let is_function = package["manifest_path"].as_str().is_some_and(|path| path.contains("/functions/"));
        if is_function { "functions" } else { package["name"].as_str().expect("a name") }.to_owned()
    };
    let nodes: BTreeMap<&str, String> =
        packages.iter().map(|package| (package["name"].as_str().expect("a name"), name(package))).collect();
    let mut edges = Edges::new();
    for package in packages {
        let dependencies = package["dependencies"].as_array().expect("dependencies").iter();
        let normal = dependencies.filter(|one| one["kind"].is_null() && one["path"].is_string());
        for node in normal.filter_map(|one| nodes.get(one["name"].as_str()?)) {
            // That no function depends on another, an edge to itself would say.
            edges.insert((name(package), node.clone()));
        }
    }
    edges
}

#[test]
fn the_drawing_has_every_dependency() {
    let architecture = read("docs/architecture.md");
    let drawn: Edges = architecture
        .lines()
        .filter_map(|line| line.trim().split_once(" --> "))
        .filter(|(from, to)| [from, to].iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase())))
        .map(|(from, to)| (from.to_owned(), to.to_owned()))
        .collect();
    // The diagram of the parts has edges of the same form.
    let declared = declared();
    let crates: BTreeSet<&String> = declared.iter().flat_map(|(from, to)| [from, to]).collect();
    let drawn: Edges = drawn.into_iter().filter(|(from, to)| crates.contains(from) && crates.contains(to)).collect();
    assert_eq!(drawn, declared);
}
