//! The command itself, started in folders that are no checkout.

use crate::samples::read;
use crate::support::binaries::binaries;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

/// Starts the service in a folder; its address, or what it says on its way out.
async fn serve(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(binaries().await.join("perch"));
    command.args(["--port", "0", "--ephemeral", "--quiet"]).args(arguments).current_dir(folder);
    let start = move || {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let first_line = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok).next();
        child.kill().unwrap();
        let mut refusal = String::new();
        child.stderr.take().unwrap().read_to_string(&mut refusal).unwrap();
        child.wait().unwrap();
        first_line.ok_or(refusal)
    };
    tokio::task::spawn_blocking(start).await.unwrap()
}

#[tokio::test]
async fn version_names_the_build() {
    let output = Command::new(binaries().await.join("perch")).arg("--version").output().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let commit = option_env!("PERCH_COMMIT").unwrap_or("development build");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("perch {version} ({commit})\n"));
}

#[tokio::test]
async fn empty_folder_is_served_by_the_template_built_in() {
    let folder = tempfile::tempdir().unwrap();
    let url = serve(folder.path(), &[]).await.unwrap();
    assert!(url.starts_with("Perch runs at  http://127.0.0.1:"), "{url}");
    let refused = serve(folder.path(), &["--set", "NoSuchParameter=1"]).await.unwrap_err();
    assert!(refused.starts_with("perch: the template built into perch: "), "{refused}");
}

#[tokio::test]
async fn template_in_the_folder_wins_and_the_flag_wins_over_both() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("template.yaml"), "Resources: {}").unwrap();
    let refused = serve(folder.path(), &[]).await.unwrap_err();
    assert!(refused.starts_with("perch: the template template.yaml: "), "{refused}");
    std::fs::write(folder.path().join("other.yaml"), read("template.yaml")).unwrap();
    serve(folder.path(), &["--template", "other.yaml"]).await.unwrap();
    let refused = serve(folder.path(), &["--template", "none.yaml"]).await.unwrap_err();
    assert!(refused.starts_with("perch: the template none.yaml: the file: "), "{refused}");
}
