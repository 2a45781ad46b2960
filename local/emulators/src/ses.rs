//! SES v2 that delivers nothing: mails are kept in a SQLite file, and told to the log.

use super::sqlite::Sqlite;
use super::{Durability, Listener};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use clock::Clock;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use ulid::Ulid;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS mails (number INTEGER PRIMARY KEY AUTOINCREMENT, mail TEXT NOT NULL)";

/// A mail that was sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mail {
    pub id: String,
    /// RFC 3339 with milliseconds.
    pub sent_at: String,
    /// All recipients, open and hidden.
    pub to: Vec<String>,
    pub from: String,
    #[serde(default)]
    pub configuration_set: Option<String>,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub headers: BTreeMap<String, String>,
}

/// The embedded SES. Clones are the same mailbox.
#[derive(Clone)]
pub struct Ses {
    file: Sqlite,
    endpoint: String,
}

impl Ses {
    /// Opens or makes `mail.sqlite` in `dir` and serves it.
    pub async fn start((listener, endpoint): Listener, dir: &Path, durability: Durability) -> io::Result<Self> {
        let file = Sqlite::open(&dir.join("mail.sqlite"), durability, SCHEMA)?;
        let ses = Self { file, endpoint };
        let router = Router::new().route("/v2/email/outbound-emails", post(send_email)).with_state(ses.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        Ok(ses)
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Every mail kept, newest first. If the file cannot be read the log says so.
    pub async fn mails(&self) -> Vec<Mail> {
        let read = |file: &mut Connection| {
            file.prepare("SELECT mail FROM mails ORDER BY number DESC")?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<Vec<String>>>()
        };
        let mails = self
            .file
            .call(read)
            .await
            .and_then(|mails| mails.iter().map(|mail| Ok(serde_json::from_str(mail)?)).collect());
        mails.unwrap_or_else(|error| {
            tracing::error!(%error, "mail.sqlite cannot be read");
            Vec::new()
        })
    }

    async fn keep(&self, mail: &Mail) -> io::Result<()> {
        let json = serde_json::to_string(mail)?;
        self.file.call(move |file| file.execute("INSERT INTO mails (mail) VALUES (?1)", [json])).await?;
        let (to, subject) = (mail.to.join(", "), &mail.subject);
        match first_link(&mail.text) {
            Some(link) => tracing::info!(target: "mail", "to {to}: {subject}: {link}"),
            None => tracing::info!(target: "mail", "to {to}: {subject}"),
        }
        Ok(())
    }
}

fn first_link(text: &str) -> Option<&str> {
    text.split_whitespace().find(|word| word.starts_with("https://") || word.starts_with("http://"))
}

async fn send_email(State(ses): State<Ses>, body: Bytes) -> Response {
    let request: SendEmail = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => {
            return refuse(StatusCode::BAD_REQUEST, "BadRequestException", &error.to_string());
        }
    };
    let mail = Mail::from(request);
    if mail.to.is_empty() {
        return refuse(StatusCode::BAD_REQUEST, "BadRequestException", "There is no recipient.");
    }
    match ses.keep(&mail).await {
        Ok(()) => json!({ "MessageId": mail.id }).to_string().into_response(),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, "InternalServiceErrorException", &error.to_string()),
    }
}

fn refuse(status: StatusCode, kind: &'static str, message: &str) -> Response {
    (status, [("x-amzn-errortype", kind)], json!({ "message": message }).to_string()).into_response()
}

impl From<SendEmail> for Mail {
    fn from(request: SendEmail) -> Self {
        let Destination { mut to_addresses, cc_addresses, bcc_addresses } = request.destination;
        to_addresses.extend(cc_addresses);
        to_addresses.extend(bcc_addresses);
        let Simple { subject, body, headers } = request.content.simple;
        Self {
            id: Ulid::generate().to_string(),
            sent_at: Clock::default().now().rfc3339(),
            to: to_addresses,
            from: request.from_email_address,
            configuration_set: request.configuration_set_name,
            subject: subject.data,
            text: body.text.data,
            html: body.html.data,
            headers: headers.into_iter().map(|header| (header.name, header.value)).collect(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendEmail {
    from_email_address: String,
    configuration_set_name: Option<String>,
    destination: Destination,
    content: Content,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Destination {
    to_addresses: Vec<String>,
    cc_addresses: Vec<String>,
    bcc_addresses: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    simple: Simple,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Simple {
    subject: Data,
    body: Body,
    #[serde(default)]
    headers: Vec<Header>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    #[serde(default)]
    text: Data,
    #[serde(default)]
    html: Data,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Data {
    data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Header {
    name: String,
    value: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen;

    /// Sends as the API's clients do.
    async fn send(ses: &Ses, subject: &str) {
        let mail = json!({
            "FromEmailAddress": "Perch <no-reply@perch.test>",
            "Destination": {"ToAddresses": ["ann@perch.test"]},
            "Content": {"Simple": {
                "Subject": {"Data": subject},
                "Body": {"Text": {"Data": "Open\nhttps://perch.test/v?t=1 now"}, "Html": {"Data": "<p>Open"}},
                "Headers": [{"Name": "List-Unsubscribe", "Value": "<https://u>"}],
            }},
        });
        let sent = send_email(State(ses.clone()), Bytes::from(mail.to_string())).await;
        assert_eq!(sent.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn mails_survive_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let ses = Ses::start(listen().unwrap(), dir.path(), Durability::Fast).await.unwrap();
        send(&ses, "Hello").await;
        send(&ses, "Again").await;

        let mails = Ses::start(listen().unwrap(), dir.path(), Durability::Fast).await.unwrap().mails().await;
        let subjects: Vec<_> = mails.iter().map(|mail| mail.subject.as_str()).collect();
        assert_eq!(subjects, ["Again", "Hello"]);
        let mail = &mails[1];
        assert_eq!((&*mail.from, &*mail.to), ("Perch <no-reply@perch.test>", &["ann@perch.test".to_owned()][..]));
        assert_eq!(mail.html, "<p>Open");
        assert_eq!(mail.headers["List-Unsubscribe"], "<https://u>");
        assert_eq!(first_link(&mail.text), Some("https://perch.test/v?t=1"));
    }

    #[tokio::test]
    async fn a_mail_to_nobody_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let ses = Ses::start(listen().unwrap(), dir.path(), Durability::Fast).await.unwrap();
        let refused = send_email(State(ses.clone()), Bytes::from("{}")).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        assert_eq!(refused.headers()["x-amzn-errortype"], "BadRequestException");
        assert!(ses.mails().await.is_empty());
    }
}
