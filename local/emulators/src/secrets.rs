//! Secrets Manager: a file for each secret, `secrets/NAME.json`, read anew at each call.

use super::Listener;
use crate::data::write_private;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;
use template::resolve::secret_arn;
use ulid::Ulid;

/// The embedded Secrets Manager. Clones are the same one.
#[derive(Clone)]
pub struct Secrets {
    folder: PathBuf,
    endpoint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    secret_id: String,
    secret_string: Option<String>,
}

impl Secrets {
    /// Serves the secrets in `folder`.
    pub fn start((listener, endpoint): Listener, folder: PathBuf) -> Self {
        let secrets = Self { folder, endpoint };
        let router = Router::new().route("/", post(answer)).with_state(secrets.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        secrets
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A secret's name from its ARN, or from itself.
    fn file(&self, id: &str) -> Option<(String, PathBuf)> {
        let name = id.rsplit(':').next().filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric()))?;
        let path = self.folder.join(format!("{name}.json"));
        path.is_file().then(|| (name.to_owned(), path))
    }
}

async fn answer(State(secrets): State<Secrets>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let Ok(request) = serde_json::from_slice::<Request>(&body) else {
        return refuse("InvalidRequestException", "There is no SecretId.");
    };
    let Some((name, path)) = secrets.file(&request.secret_id) else {
        return refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
    };
    let mut found = json!({"ARN": secret_arn(&name), "Name": name, "VersionStages": ["AWSCURRENT"]});
    let done = match (target, request.secret_string) {
        ("secretsmanager.GetSecretValue", _) => {
            std::fs::read_to_string(&path).map(|text| found["SecretString"] = text.into())
        }
        ("secretsmanager.PutSecretValue", Some(text)) => {
            found["VersionId"] = Ulid::generate().to_string().into();
            write_private(&path, &text)
        }
        _ => return refuse("InvalidRequestException", "This is not served locally."),
    };
    match done {
        Ok(()) => found.to_string().into_response(),
        Err(error) => refuse("InternalServiceError", &error.to_string()),
    }
}

fn refuse(kind: &str, message: &str) -> Response {
    let status =
        if kind == "InternalServiceError" { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST };
    (status, json!({"__type": kind, "Message": message}).to_string()).into_response()
}
