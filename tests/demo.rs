//! Demo data, by the command that makes it.

use crate::support::binaries::binaries;
use crate::support::lists::walk;
use crate::support::{TestApp, alone};
use emulators::data::Data;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use tools::demo::PASSWORD;

async fn command(folder: &Path, people: u16, posts: u16) -> Child {
    let mut command = Command::new(binaries().await.join("perch"));
    command.args(["demo", "--people", &people.to_string(), "--posts", &posts.to_string(), "--data-dir"]);
    command.arg(folder).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Its code, and all that it told.
async fn run(folder: &Path, people: u16, posts: u16) -> (i32, String) {
    ended(command(folder, people, posts).await).await
}

async fn ended(child: Child) -> (i32, String) {
    let ended = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await;
    let Output { status, stdout, stderr } = ended.unwrap();
    (status.code().unwrap_or(-1), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_folder_is_filled_and_another_is_refused() {
    let _alone = alone().await;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let (code, told) = run(&folder, 8, 24).await;
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("Made           8 people, 24 posts with pictures, "), "{told}");
    let name = told.split("username ").nth(1).unwrap().split(',').next().unwrap().to_owned();
    assert!(told.contains(&format!("password \"{PASSWORD}\"")), "{told}");
    let count = |what: &str| -> usize {
        let words: Vec<_> = told.split(|c: char| c.is_whitespace() || c == ',').collect();
        let at = words.iter().position(|word| word.trim() == what).unwrap_or_else(|| panic!("{what}: {told}"));
        words[at - 1].parse().unwrap()
    };

    let again = run(&folder, 8, 24).await;
    assert_eq!((again.0, again.1.lines().count()), (1, 1), "{}", again.1);
    assert!(again.1.contains("is not empty"), "{}", again.1);

    let app = TestApp::with(|options| options.data = Data::Dir(folder.clone())).await;
    let somebody = app.sign_in(&name, PASSWORD).await;
    let me = somebody.get("/users").await.expect(200).json();
    assert!(me["avatar_url"].is_string() && me["bio"].is_string() && me["full_name"].is_string(), "{me}");
    let items = app.table().await;
    let made =
        |prefix: &str, sk: &str| items.keys().filter(|(pk, key)| pk.starts_with(prefix) && key.starts_with(sk)).count();
    assert_eq!((made("U#", "G#K"), made("A#", "T#"), made("M#", "M#")), (8, 24, 8 + 24));
    assert_eq!(
        (made("FL#", ""), made("LK#", ""), made("C#", "R#")),
        (count("follows"), count("likes"), count("comments"))
    );
    for post in walk(&somebody, &format!("/users/{name}/posts")).await {
        assert_eq!(post["media"].as_array().map(Vec::len), Some(1), "{post}");
    }
    let described = items.values().filter_map(|item| item["alt_text"]["S"].as_str()).filter(|alt| alt.ends_with('.'));
    assert!((1..24).contains(&described.count()), "some pictures are described");
    app.audit().await;
}

/// What Ctrl-C does.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_was_not_filled_to_the_end_says_so() {
    let _alone = alone().await;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let child = command(&folder, 200, 2_000).await;
    let mark = folder.join("demo.unfinished");
    crate::support::until(|| async { mark.exists().then_some(()) }).await;
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let (code, told) = ended(child).await;
    assert!(code == 1 && told.contains("is half filled"), "{told}");
    let again = run(&folder, 8, 24).await;
    assert!(again.0 == 1 && again.1.contains("is half filled") && again.1.lines().count() == 1, "{}", again.1);

    let mut served = Command::new(binaries().await.join("perch"));
    served.args(["--port", "0", "--quiet", "--data-dir"]).arg(&folder).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut served = served.spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(served.stdout.take().unwrap()));
    let told: Vec<_> = lines.map_while(Result::ok).take_while(|line| !line.starts_with("Stop")).collect();
    served.kill().unwrap();
    served.wait().unwrap();
    assert!(told.iter().any(|line| line.contains("half filled")), "{told:?}");
}
