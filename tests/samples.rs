//! The sample events, as `events/README.md` lists them.

use crate::support::TestApp;
use serde_json::Value;
use std::path::PathBuf;

/// A file of the project's, by its path from the top. One of the current folder goes before, as it does for the local host:
/// so the tests are held to other templates.
pub(crate) fn read(path: &str) -> String {
    let here = PathBuf::from(path);
    let whole = if here.exists() { here } else { PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path) };
    std::fs::read_to_string(&whole).unwrap_or_else(|error| panic!("{}: {error}", whole.display()))
}

/// The rows of the first table after a line, each with its cells.
pub(crate) fn table(text: &str, after: &str) -> Vec<Vec<String>> {
    let (_, rest) = text.split_once(after).unwrap_or_else(|| panic!("there is no {after:?}"));
    let rows = rest.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// A sample event.
pub(crate) struct Sample {
    pub(crate) file: String,
    /// The function it is for.
    pub(crate) function: String,
    /// The status, if it is a request.
    pub(crate) status: Option<u16>,
    event: Value,
}

impl Sample {
    /// All of them, in the order in which their answers are right.
    pub(crate) fn all() -> Vec<Self> {
        let sample = |row: &Vec<String>| Self {
            file: row[0].clone(),
            function: row[1].clone(),
            status: row[2].parse().ok(),
            event: serde_json::from_str(&read(&format!("events/{}", row[0]))).unwrap(),
        };
        table(&read("events/README.md"), "# Sample events").iter().skip(2).map(sample).collect()
    }

    /// The event, with an access token where the file leaves room for one.
    pub(crate) fn event(&self, token: &str) -> Value {
        let mut event = self.event.clone();
        if let Some(header) = event["headers"].get_mut("authorization") {
            assert_eq!(*header, "Bearer ACCESS_TOKEN", "{}", self.file);
            *header = format!("Bearer {token}").into();
        }
        if let Some(header) = event["headers"].get_mut("Sec-WebSocket-Protocol") {
            assert_eq!(*header, "perch, ACCESS_TOKEN", "{}", self.file);
            *header = format!("perch, {token}").into();
        }
        event
    }

    /// That the answer is the one the list tells.
    #[track_caller]
    pub(crate) fn check(&self, answer: &Value) {
        let Self { file, status, .. } = self;
        match status {
            Some(status) => assert_eq!(answer["statusCode"], *status, "{file}: {answer}"),
            None if answer.is_null() => {}
            None => assert_eq!(answer["batchItemFailures"], Value::Array(Vec::new()), "{file}: {answer}"),
        }
    }
}

/// Hands each sample to its function, in order, and checks the answers. The access token that the sign-in gave.
pub(crate) async fn play(app: &TestApp, samples: &[Sample]) -> String {
    let mut token = String::new();
    for sample in samples {
        let answer = app.invoke(&sample.function, &sample.event(&token)).await.unwrap();
        sample.check(&answer);
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
        if let Some(given) = body["access_token"].as_str() {
            token = given.to_owned();
        }
    }
    token
}
