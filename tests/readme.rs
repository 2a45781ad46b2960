//! The README's walk, pasted as printed.

use crate::support::TestApp;
use std::process::Command;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_walk_works_as_printed() {
    let app = TestApp::start().await;
    let readme = include_str!("../README.md");
    let (_, walk) = readme.split_once("## A walk in five minutes").expect("the walk");
    let (walk, _) = walk.split_once("\n## ").expect("its end");
    let blocks: Vec<&str> = walk.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 6, "all of its blocks");
    let script = blocks.join("\n").replace("http://localhost:3000", app.url());
    let run = move || Command::new("bash").args(["-euc", &script]).output();
    let output = tokio::task::spawn_blocking(run).await.expect("a thread").expect("bash and curl");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<serde_json::Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let [gull, tern, verified, me, followed, feed, liked, told, shown, file, out, refused] = lines.as_slice() else {
        panic!("twelve answers: {said}")
    };
    assert_eq!((&gull["username"], &tern["username"]), (&"gull".into(), &"tern".into()));
    assert_eq!((&verified["email_verified"], &me["email_verified"]), (&true.into(), &true.into()));
    assert_eq!(followed["following"], true);
    assert_eq!(feed["items"][0]["content"], "Low tide, @tern. #mudflats");
    assert_eq!((&liked["liked"], &liked["likes_count"]), (&true.into(), &1.into()));
    assert_eq!(told["items"].as_array().map(Vec::len), Some(2));
    assert_eq!((&shown["media"][0]["width"], file), (&32.into(), &200.into()));
    assert_eq!((out, &refused["status"]), (&204.into(), &401.into()));
}
