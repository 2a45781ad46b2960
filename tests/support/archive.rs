//! Archives, opened.

use super::{TestApp, token_in};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Cursor, Read};

/// The files of an archive, by their names.
pub(crate) struct Archive(pub(crate) BTreeMap<String, Vec<u8>>);

impl Archive {
    #[track_caller]
    pub(crate) fn json(&self, name: &str) -> Value {
        let file = self.0.get(name).unwrap_or_else(|| panic!("there is no {name}"));
        serde_json::from_slice(file).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    #[track_caller]
    pub(crate) fn list(&self, name: &str) -> Vec<Value> {
        self.json(name).as_array().expect("a list").clone()
    }

    #[track_caller]
    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.0[name].clone()).expect("UTF-8")
    }

    /// The files that have a text anywhere.
    pub(crate) fn naming(&self, text: &str) -> Vec<&str> {
        let has = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        self.0.iter().filter(|(name, bytes)| name.contains(text) || has(bytes)).map(|(name, _)| name.as_str()).collect()
    }
}

/// Reads a zip to its last byte, checksums included.
pub(crate) fn open(bytes: Vec<u8>) -> Archive {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).expect("a zip");
    let mut files = BTreeMap::new();
    for n in 0..zip.len() {
        let mut file = zip.by_index(n).expect("a file");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("all of it");
        let (name, packed) = (file.name().expect("a name").into_owned(), file.compression());
        let expected =
            if name.starts_with("media/") { zip::CompressionMethod::Stored } else { zip::CompressionMethod::Deflated };
        assert_eq!(packed, expected, "{name}");
        assert!(files.insert(name.clone(), bytes).is_none(), "{name} twice");
    }
    Archive(files)
}

/// The archive that a token leads to.
pub(crate) async fn load(app: &TestApp, token: &str) -> Archive {
    let answer = app.anon().get(&format!("/users/export?token={token}")).await.expect(303);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    let file = app.anon().get(answer.header("location")).await.expect(200);
    assert_eq!(file.header("content-type"), "application/zip");
    let disposition = file.header("content-disposition");
    assert!(
        disposition.starts_with("attachment; filename=\"perch-") && disposition.ends_with(".zip\""),
        "{disposition}"
    );
    open(file.body)
}

/// The archive that the newest mail to an address leads to.
pub(crate) async fn mailed(app: &TestApp, email: &str) -> Archive {
    let mail = app.mail_to(email, "archive").await;
    assert!(mail.text.contains("/users/export?token="), "{}", mail.text);
    load(app, &token_in(&mail)).await
}

/// Shows that somebody has their address.
pub(crate) async fn verify(app: &TestApp, email: &str) {
    let token = token_in(&app.mail_to(email, "verify").await);
    app.anon().post("/users/verify", json!({ "token": token })).await.expect(200);
}
