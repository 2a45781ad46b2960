//! The environment, read once. Nothing else reads it, and all that is missing is said at once.

use crate::models::fields::FieldValue;
use crate::models::user::{Email, Username};
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

/// What a function knows of where it runs. `template.yaml` sets every variable; a test compares the two.
#[derive(Clone, Debug)]
pub struct Config {
    pub region: String,
    pub credentials: Credentials,
    pub endpoints: Endpoints,
    pub table: String,
    pub export_queue: String,
    pub fanout_queue: String,
    pub files_queue: String,
    pub index_queue: String,
    pub notify_queue: String,
    pub reap_queue: String,
    pub views_queue: String,
    /// None in functions that read no queue.
    pub own_queue: Option<OwnQueue>,
    /// The function's own name, for what it says of its work.
    pub function: String,
    pub media_bucket: String,
    /// What links to pictures and videos start with, without a slash at the end: a CDN in front of the API, or else
    /// the API itself.
    pub media_url: Option<String>,
    /// Bytes of pictures and videos that an account may keep.
    pub media_quota: u64,
    /// The API's own address, without a slash at the end; links start with it. Empty where a function behind the API
    /// is not told: its links are relative then, which HTTP allows.
    pub public_url: String,
    /// The app's address, without a slash at the end; its pages replace the built-in ones in mails.
    pub app_url: Option<String>,
    /// Where clients open sockets, without a slash at the end: the channels' names follow.
    pub sockets_url: String,
    /// Where API Gateway takes messages to sockets.
    pub connections_url: String,
    /// Origins whose pages may open sockets, or `*`.
    pub allow_origins: Vec<String>,
    pub mail_from: String,
    /// SES's configuration set: it counts what becomes of mails, and keeps those from addresses that bounced.
    pub mail_configuration_set: String,
    /// `iss` of access tokens.
    pub issuer: String,
    pub public_reading: bool,
    pub require_verified_email: bool,
    pub hide_registered_emails: bool,
    /// Whether search by address finds accounts that have not chosen.
    pub findable_by_email: bool,
    pub rate_limits: bool,
    /// Reads of one user in five minutes, and five times as many of one address; 0 is no limit.
    pub read_limit: u64,
    /// How long a session lives from its sign-in on, however often it is used.
    pub session_life: Duration,
    /// How long a row of the activity log is kept.
    pub activity_kept: Duration,
    /// Followers above which an author's posts are merged at read.
    pub fanout_limit: u64,
    /// Where CloudWatch keeps the metrics of [`crate::metrics`].
    pub metrics_namespace: String,
    /// The first moderator: who has this name, and has verified this address. A name alone anybody may take.
    pub moderator: Option<(Username, Email)>,
    /// The secret that has the signing keys; None in functions that neither check a token nor make one.
    pub signing_keys: Option<String>,
}

/// The queue that a worker reads.
#[derive(Clone, Debug)]
pub struct OwnQueue {
    pub url: String,
    /// Where the worker dead-letters what can't be done.
    pub dead_letters: String,
}

/// What signs requests to AWS. Lambda gives each environment its role's credentials for its lifetime.
#[derive(Clone)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// Other addresses for the services, by the SDKs' standard variables; none on AWS.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    pub dynamodb: Option<String>,
    pub sqs: Option<String>,
    pub s3: Option<String>,
    pub ses: Option<String>,
    pub connections: Option<String>,
    pub secrets: Option<String>,
}

/// Every variable that is missing or can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the environment is not complete: {}", .0.join("; "))]
pub struct ConfigError(Vec<String>);

/// The variables that `template.yaml` gives to every function.
pub const GIVEN_TO_ALL: [&str; 32] = [
    "TABLE_NAME",
    "EXPORT_QUEUE_URL",
    "FANOUT_QUEUE_URL",
    "FILES_QUEUE_URL",
    "INDEX_QUEUE_URL",
    "NOTIFY_QUEUE_URL",
    "REAP_QUEUE_URL",
    "VIEWS_QUEUE_URL",
    "MEDIA_BUCKET",
    "MEDIA_URL",
    "MEDIA_QUOTA_MB",
    "PUBLIC_URL",
    "APP_URL",
    "SOCKETS_URL",
    "CONNECTIONS_URL",
    "ALLOW_ORIGINS",
    "MAIL_FROM",
    "MAIL_CONFIGURATION_SET",
    "TOKEN_ISSUER",
    "PUBLIC_READING",
    "REQUIRE_VERIFIED_EMAIL",
    "HIDE_REGISTERED_EMAILS",
    "FINDABLE_BY_EMAIL",
    "RATE_LIMITS",
    "READ_LIMIT",
    "FANOUT_LIMIT",
    "SESSION_DAYS",
    "ACTIVITY_DAYS",
    "MODERATOR",
    "MODERATOR_EMAIL",
    "METRICS_NAMESPACE",
    "RUST_LOG",
];

/// The variables that `template.yaml` declares empty, for `sam local` passes on declared ones alone. `AWS_ENDPOINT_URL`
/// stands for each that is empty.
pub const ENDPOINTS: [&str; 6] = [
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_SESV2",
    "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
];

/// The variables that `template.yaml` gives to functions that read a queue.
pub const OWN_QUEUE: [&str; 2] = ["OWN_QUEUE_URL", "OWN_DLQ_URL"];

impl Config {
    /// Reads the process's environment.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads the variables that `lookup` knows.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut vars = Vars { lookup, problems: Vec::new(), unresolved: Vec::new() };
        let [dynamodb, sqs, s3, ses, connections, secrets] = ENDPOINTS.map(|name| vars.endpoint(name));
        let hide_registered_emails = vars.switch("HIDE_REGISTERED_EMAILS");
        let config = Self {
            region: vars.text("AWS_REGION"),
            credentials: Credentials {
                access_key_id: vars.text("AWS_ACCESS_KEY_ID"),
                secret_access_key: vars.text("AWS_SECRET_ACCESS_KEY"),
                session_token: vars.optional("AWS_SESSION_TOKEN"),
            },
            endpoints: Endpoints { dynamodb, sqs, s3, ses, connections, secrets },
            table: vars.text("TABLE_NAME"),
            export_queue: vars.resource("EXPORT_QUEUE_URL"),
            fanout_queue: vars.resource("FANOUT_QUEUE_URL"),
            files_queue: vars.resource("FILES_QUEUE_URL"),
            index_queue: vars.resource("INDEX_QUEUE_URL"),
            notify_queue: vars.resource("NOTIFY_QUEUE_URL"),
            reap_queue: vars.resource("REAP_QUEUE_URL"),
            views_queue: vars.resource("VIEWS_QUEUE_URL"),
            own_queue: vars.own_queue(),
            function: vars.optional("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(),
            media_bucket: vars.resource("MEDIA_BUCKET"),
            media_url: vars.optional("MEDIA_URL").map(|url| url.trim_end_matches('/').to_owned()),
            media_quota: vars.parsed::<u64>("MEDIA_QUOTA_MB", 1).saturating_mul(1024 * 1024),
            public_url: vars.optional("PUBLIC_URL").unwrap_or_default().trim_end_matches('/').to_owned(),
            app_url: vars.optional("APP_URL").map(|url| url.trim_end_matches('/').to_owned()),
            sockets_url: vars.text("SOCKETS_URL").trim_end_matches('/').to_owned(),
            connections_url: vars.text("CONNECTIONS_URL").trim_end_matches('/').to_owned(),
            allow_origins: vars.list("ALLOW_ORIGINS"),
            mail_from: vars.text("MAIL_FROM"),
            mail_configuration_set: vars.text("MAIL_CONFIGURATION_SET"),
            issuer: vars.text("TOKEN_ISSUER"),
            public_reading: vars.switch("PUBLIC_READING"),
            require_verified_email: vars.switch("REQUIRE_VERIFIED_EMAIL"),
            hide_registered_emails,
            // Where it is hidden who is registered, a search by address must not tell it.
            findable_by_email: vars.switch("FINDABLE_BY_EMAIL") && !hide_registered_emails,
            rate_limits: vars.switch("RATE_LIMITS"),
            read_limit: vars.parsed("READ_LIMIT", 0),
            session_life: vars.days("SESSION_DAYS"),
            activity_kept: vars.days("ACTIVITY_DAYS"),
            fanout_limit: vars.parsed("FANOUT_LIMIT", 1),
            moderator: vars.moderator(),
            metrics_namespace: vars.text("METRICS_NAMESPACE"),
            signing_keys: vars.optional("SIGNING_KEYS_ARN"),
        };
        let problems = vars.into_problems();
        if problems.is_empty() { Ok(config) } else { Err(ConfigError(problems)) }
    }
}

struct Vars<L> {
    lookup: L,
    problems: Vec<String>,
    /// What holds a resource's name or a reference in place of a value.
    unresolved: Vec<String>,
}

impl<L: Fn(&str) -> Option<String>> Vars<L> {
    fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    fn into_problems(self) -> Vec<String> {
        let Self { mut problems, unresolved, .. } = self;
        if !unresolved.is_empty() {
            problems.push(format!(
                "{} hold names from the template instead of values, as sam local gives them: print the values with \
                 `cargo run -- env --sam`, and give sam local that file with --env-vars",
                unresolved.join(", ")
            ));
        }
        problems
    }

    fn endpoint(&self, name: &str) -> Option<String> {
        self.optional(name).or_else(|| self.optional("AWS_ENDPOINT_URL"))
    }

    /// What names a resource, such as a queue's URL. A logical id begins with a capital; neither URLs nor buckets do.
    fn resource(&mut self, name: &str) -> String {
        let value = self.text(name);
        if value.starts_with("arn:") || value.starts_with(|c: char| c.is_ascii_uppercase()) {
            self.unresolved.push(name.to_owned());
        }
        value
    }

    fn list(&mut self, name: &str) -> Vec<String> {
        self.text(name).split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()
    }

    fn text(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problems.push(format!("{name} is not set"));
            String::new()
        })
    }

    fn own_queue(&mut self) -> Option<OwnQueue> {
        let [queue, dead_letters] = OWN_QUEUE;
        match (self.optional(queue), self.optional(dead_letters)) {
            (Some(_), Some(_)) => {
                Some(OwnQueue { url: self.resource(queue), dead_letters: self.resource(dead_letters) })
            }
            (None, None) => None,
            _ => {
                self.problems.push(format!("{queue} and {dead_letters} belong together"));
                None
            }
        }
    }

    fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str, fallback: T) -> T {
        let text = self.text(name);
        if text.is_empty() {
            return fallback;
        }
        text.parse().unwrap_or_else(|error| {
            self.problems.push(format!("{name}: {error}"));
            fallback
        })
    }

    fn days(&mut self, name: &str) -> Duration {
        Duration::from_secs(self.parsed::<u64>(name, 1).saturating_mul(24 * 3_600))
    }

    fn switch(&mut self, name: &str) -> bool {
        match self.text(name).as_str() {
            "on" => true,
            "off" | "" => false,
            _ => {
                self.problems.push(format!("{name} must be on or off"));
                false
            }
        }
    }

    fn moderator(&mut self) -> Option<(Username, Email)> {
        let name = self.read_as("MODERATOR", "no username", Username::from_path);
        let email = self.read_as("MODERATOR_EMAIL", "no e-mail address", |text| Email::parse(&text.into()).ok());
        name.zip(email)
    }

    fn read_as<T>(&mut self, name: &str, refusal: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = read(&self.optional(name)?);
        if value.is_none() {
            self.problems.push(format!("{name} is {refusal}"));
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_is_said_at_once() {
        let error = Config::read(|name| (name == "RATE_LIMITS").then(|| "yes".into())).unwrap_err().to_string();
        for name in ["AWS_REGION", "TABLE_NAME", "MAIL_FROM", "RATE_LIMITS must be on or off"] {
            assert!(error.contains(name), "{name} in {error}");
        }
    }

    /// A complete environment, but for these.
    fn read(changed: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(|name| {
            let given = changed.iter().find(|(changed, _)| *changed == name).map(|(_, value)| *value);
            let usual = match name {
                "ACTIVITY_DAYS" | "FANOUT_LIMIT" | "MEDIA_QUOTA_MB" | "READ_LIMIT" | "SESSION_DAYS" => "1",
                name if name.starts_with("AWS_ENDPOINT_URL") => "",
                "SIGNING_KEYS_ARN" | "MODERATOR_EMAIL" => return given.map(str::to_owned),
                _ => "off",
            };
            Some(given.unwrap_or(usual).to_owned())
        })
    }

    #[test]
    fn an_endpoint_is_the_services_own_or_the_one_for_all() {
        let aws = read(&[]).unwrap().endpoints;
        assert_eq!((aws.dynamodb, aws.connections), (None, None));
        let all = read(&[("AWS_ENDPOINT_URL", "http://all"), ("AWS_ENDPOINT_URL_S3", "http://s3")]).unwrap().endpoints;
        assert_eq!((all.sqs.as_deref(), all.s3.as_deref()), (Some("http://all"), Some("http://s3")));
    }

    #[test]
    fn what_sam_local_leaves_unresolved_is_said_in_one_message() {
        let error = read(&[
            ("FANOUT_QUEUE_URL", "FanoutQueue"),
            ("OWN_DLQ_URL", "arn:aws:sqs:us-east-1:123456789012:FanoutDlq"),
            ("MEDIA_BUCKET", "MediaBucket"),
        ]);
        let error = error.unwrap_err().to_string();
        let names = "FANOUT_QUEUE_URL, OWN_DLQ_URL, MEDIA_BUCKET hold names from the template";
        assert!(error.contains(names) && error.contains("cargo run -- env --sam"), "{error}");
        assert_eq!(error.matches(';').count(), 0, "nothing else is wrong: {error}");
    }
}
