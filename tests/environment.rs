//! What `perch env` prints: functions in processes of their own work on a run's services with it.

use crate::runtime::{Environment, Told};
use crate::samples::Sample;
use crate::support::TestApp;
use crate::support::binaries::binaries;
use emulators::data::Data;
use local::{Local, Options};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Output, Stdio};

async fn perch_env(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(binaries().await.join("perch"));
    command.arg("env").args(arguments).arg("--data-dir").arg(folder).output().unwrap()
}

async fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = perch_env(folder, arguments).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a shell exports that evals this.
fn exported(exports: &str) -> BTreeMap<String, String> {
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().args(["-c", "eval \"$0\"; /usr/bin/env -0", exports]);
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator('\0').filter_map(|line| line.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect()
}

/// A function's process with the environment that is printed for it.
async fn outside(folder: &Path, function: &str) -> Environment {
    let mut environment = Environment::start(function, exported(&printed(folder, &[function]).await)).await;
    assert_eq!(environment.told().await, Told::Ready, "{function}: {}", environment.log());
    environment
}

fn sample(file: &str) -> Sample {
    Sample::all().into_iter().find(|sample| sample.file == file).unwrap()
}

#[tokio::test]
async fn functions_outside_work_on_a_runs_data_and_tokens_are_good_for_both() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::with(|options| {
        options.data = Data::Dir(folder.path().to_owned());
        options.environment.insert("QUOTED".into(), "it's \"quoted\" $HOME `date` \\".into());
    })
    .await;
    let mut users = outside(folder.path(), "users").await;
    let (register, login) = (sample("http-users-register.json"), sample("http-users-login-stage-v1.json"));
    users.expect_answer(&register, register.event("")).await;
    let Told::Answer(answer) = users.invoke(login.event("")).await else { panic!("{}", users.log()) };
    let token = serde_json::from_str::<Value>(answer["body"].as_str().unwrap()).unwrap()["access_token"].clone();
    let me = app.anon().with_token(token.as_str().unwrap()).get("/users").await.expect(200).json();

    let account: Value = serde_json::from_str(login.event("")["body"].as_str().unwrap()).unwrap();
    let signed_in = app.anon().post("/login", account).await.expect(200).json();
    assert_eq!(signed_in["user"]["id"], me["id"]);
    let mut notifications = outside(folder.path(), "notifications").await;
    let list = sample("http-notifications-list.json");
    notifications.expect_answer(&list, list.event(signed_in["access_token"].as_str().unwrap())).await;

    let mut variables = exported(&printed(folder.path(), &["fanout"]).await);
    // The shell's own.
    variables.retain(|name, _| !["PWD", "OLDPWD", "SHLVL", "_"].contains(&name.as_str()));
    assert_eq!(variables, app.environment("fanout"));
    app.stop().await;
}

#[tokio::test]
async fn sam_gets_each_workers_queue_and_a_containers_name_for_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::with(|options| options.data = Data::Dir(folder.path().to_owned())).await;
    let file: Value = serde_json::from_str(&printed(folder.path(), &["--sam", "--docker"]).await).unwrap();
    let sqs = app.endpoints().sqs.replace("127.0.0.1", "host.docker.internal");
    assert_eq!(file["Parameters"]["AWS_ENDPOINT_URL_SQS"], *sqs);
    for function in &app.model().functions {
        let queue = app.environment(&function.binary).remove("OWN_QUEUE_URL");
        let queue = queue.map(|url| url.replace(&app.endpoints().sqs, &sqs));
        assert_eq!(file[&function.id]["OWN_QUEUE_URL"].as_str(), queue.as_deref(), "{}", function.id);
    }
    app.stop().await;
}

#[tokio::test]
async fn without_a_run_there_is_no_environment() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    TestApp::with(|options| options.data = Data::Dir(data.clone())).await.stop().await;
    for folder in [&data, &folder.path().join("nowhere")] {
        let Output { status, stdout, stderr } = perch_env(folder, &[]).await;
        let said = String::from_utf8(stderr).unwrap();
        assert_eq!((status.code(), stdout.len(), said.lines().count()), (Some(1), 0, 1), "{said}");
        assert!(said.starts_with("perch: no run uses the data folder"), "{said}");
    }
    assert!(!folder.path().join("nowhere").exists());
}

/// A port that six free ones follow. Another process may take one before the test does; the range is none that systems
/// hand out by themselves.
fn seven_free_ports() -> u16 {
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let start = 20_000 + u16::try_from(std::process::id() % 1_000).unwrap() * 7;
    (start..30_000).step_by(7).find(|port| (*port..port + 7).all(free)).unwrap()
}

/// What a host says at its start, which it ends with `Stop`. It is killed then.
async fn said(folder: &Path, port: u16) -> String {
    let mut command = Command::new(binaries().await.join("perch"));
    command.args(["--port", &port.to_string(), "--data-dir"]).arg(folder).stdout(Stdio::piped());
    let mut host = command.spawn().unwrap();
    let mut said = String::new();
    for line in BufReader::new(host.stdout.take().unwrap()).lines().map_while(Result::ok) {
        said.push_str(&line);
        said.push('\n');
        if line.starts_with("Stop") {
            break;
        }
    }
    host.kill().unwrap();
    host.wait().unwrap();
    said
}

#[tokio::test]
async fn services_keep_the_ports_after_the_apis() {
    let (folder, port) = (tempfile::tempdir().unwrap(), seven_free_ports());
    let [dynamodb, sqs, s3, ses, sockets, secrets] = [1, 2, 3, 4, 5, 6].map(|n| port + n);
    let services =
        format!("DynamoDB {dynamodb}, SQS {sqs}, S3 {s3}, SES {ses}, sockets {sockets}, Secrets Manager {secrets}\n");
    for _ in 0..2 {
        let said = said(folder.path(), port).await;
        assert!(said.starts_with(&format!("Perch runs at  http://127.0.0.1:{port}\n")), "{said}");
        assert!(said.contains(&format!("\nServices       {services}")), "{said}");
    }
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, s3)).unwrap();
    let options = Options { port, ..Options::default() };
    let error = Box::pin(Local::start(options)).await.err().unwrap().to_string();
    assert!(error.starts_with(&format!("port {s3}, for S3, can't be used: ")) && error.lines().count() == 1, "{error}");
    drop(taken);
}

#[tokio::test]
async fn another_address_is_the_services_too_and_in_links() {
    let app = TestApp::with(|options| options.host = Ipv4Addr::new(127, 0, 0, 2).into()).await;
    assert!(app.url().starts_with("http://127.0.0.2:") && app.endpoints().s3.starts_with("http://127.0.0.2:"));
    assert_eq!(app.environment("users")["PUBLIC_URL"], app.url());
    let ann = app.user("ann").await;
    app.verify(&ann).await;
    app.settle().await;
}
