//! What a function needs that runs outside, on a run's services: under cargo-lambda, SAM or a debugger.

use crate::Endpoints;
use crate::data::{Data, DataError, Folder};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use template::Model;

pub type Environment = BTreeMap<String, String>;

/// The environments of a run's functions. The run keeps them in its data folder, where its user alone may read them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Environments {
    endpoints: Endpoints,
    functions: Vec<Function>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Function {
    /// Its logical id, such as `UsersFunction`.
    id: String,
    /// Its binary, such as `users`.
    binary: String,
    environment: Environment,
}

/// Why there are none, in one line.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// Nothing runs there.
    #[error("no run uses the data folder {}; start one first (cargo run), or name another folder with --data-dir", .0.display())]
    NoRun(PathBuf),
    /// The template has no such function.
    #[error("there is no function {0}; the functions are {1}")]
    NoFunction(String, String),
    /// The folder can't be used.
    #[error(transparent)]
    Folder(#[from] DataError),
}

impl Environments {
    /// Of the functions of a run that is about to begin. Its own may meet faults on the way to DynamoDB; others do not.
    pub fn of(model: &Model, environments: &BTreeMap<String, Environment>, endpoints: &Endpoints) -> Self {
        let function = |function: &template::Function| {
            let mut environment = environments[&function.binary].clone();
            environment.insert("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), endpoints.dynamodb.clone());
            Function { id: function.id.clone(), binary: function.binary.clone(), environment }
        };
        Self { endpoints: endpoints.clone(), functions: model.functions.iter().map(function).collect() }
    }

    /// Of the run that uses a data folder.
    ///
    /// # Errors
    /// There is no run, or the folder can't be read.
    pub fn of_run(folder: &Path) -> Result<Self, EnvironmentError> {
        let nothing_runs = || EnvironmentError::NoRun(folder.to_owned());
        // Opening would make it.
        if !folder.is_dir() {
            return Err(nothing_runs());
        }
        match Folder::open(&Data::Dir(folder.to_owned())) {
            Ok(_) => Err(nothing_runs()),
            Err(DataError::InUse(_)) => Ok(Folder::told(folder)?),
            Err(error) => Err(error.into()),
        }
    }

    /// Where the run's table is.
    pub fn dynamodb(&self) -> &str {
        &self.endpoints.dynamodb
    }

    /// With the services under another name: a container calls this machine `host.docker.internal`.
    #[must_use]
    pub fn with_service_host(mut self, host: &str) -> Self {
        let endpoints = &mut self.endpoints;
        let all = [&mut endpoints.dynamodb, &mut endpoints.sqs, &mut endpoints.s3, &mut endpoints.ses];
        for endpoint in all.into_iter().chain([&mut endpoints.connections, &mut endpoints.secrets]) {
            let port = endpoint.rsplit(':').next().unwrap_or_default();
            let named = format!("http://{host}:{port}");
            for value in self.functions.iter_mut().flat_map(|function| function.environment.values_mut()) {
                // The endpoint itself, or a queue's URL.
                if let Some(path) = value.strip_prefix(endpoint.as_str()).filter(|path| !path.starts_with(digit)) {
                    *value = format!("{named}{path}");
                }
            }
            *endpoint = named;
        }
        self
    }

    /// All that a function's process finds; without a function what is alike in all, and so without the queue of its
    /// own that a worker has.
    ///
    /// # Errors
    /// There is no such function.
    pub fn variables(&self, function: Option<&str>) -> Result<BTreeMap<String, String>, EnvironmentError> {
        let Some(name) = function else { return Ok(self.alike()) };
        let found = self.functions.iter().find(|function| function.binary == name || function.id == name);
        found.map(|function| function.environment.clone()).ok_or_else(|| {
            let all: Vec<_> = self.functions.iter().map(|function| function.binary.as_str()).collect();
            EnvironmentError::NoFunction(name.to_owned(), all.join(", "))
        })
    }

    /// What has one value wherever it is set, without what Lambda says of the function.
    fn alike(&self) -> Environment {
        let mut alike = Environment::new();
        let mut differing = Vec::new();
        for (name, value) in self.functions.iter().flat_map(|function| &function.environment) {
            match alike.insert(name.clone(), value.clone()) {
                Some(other) if other != *value => differing.push(name),
                _ => {}
            }
        }
        alike.retain(|name, _| !name.starts_with("AWS_LAMBDA_") && !differing.contains(&name));
        alike
    }

    /// The file that `sam local` takes with `--env-vars`. SAM takes region and credentials from its own environment.
    pub fn sam(&self) -> Value {
        let alike = self.alike();
        let mut all = Map::from_iter([("Parameters".to_owned(), given(&alike, &Environment::new()))]);
        for function in &self.functions {
            let own = given(&function.environment, &alike);
            if own.as_object().is_some_and(|own| !own.is_empty()) {
                all.insert(function.id.clone(), own);
            }
        }
        Value::Object(all)
    }
}

fn digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// What the template gives, and not with the same value already.
fn given(environment: &Environment, already: &Environment) -> Value {
    let is_given = |name: &str| !name.starts_with("AWS_") || name.starts_with("AWS_ENDPOINT_URL");
    let new = environment.iter().filter(|(name, value)| is_given(name) && already.get(*name) != Some(value));
    new.map(|(name, value)| (name.clone(), json!(value))).collect()
}

/// As a POSIX shell reads it: `eval "$(perch env)"`.
pub fn shell(variables: &BTreeMap<String, String>) -> String {
    lines(variables, "export ", |value| format!("'{}'", value.replace('\'', r"'\''")))
}

/// As cargo-lambda's `--env-file` reads it: between quotes that the value has not.
pub fn env_file(variables: &BTreeMap<String, String>) -> String {
    lines(variables, "", |value| {
        let quote = ['\'', '"', '`'].into_iter().find(|quote| !value.contains(*quote)).unwrap_or('\'');
        format!("{quote}{value}{quote}")
    })
}

fn lines(variables: &BTreeMap<String, String>, start: &str, quoted: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    for (name, value) in variables {
        // Writing to a text does not fail.
        let _ = writeln!(text, "{start}{name}={}", quoted(value));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environments() -> Environments {
        let endpoint = |port: u16| format!("http://127.0.0.1:{port}");
        let environment = |own: &[(&str, &str)]| -> Environment {
            let common = [
                ("AWS_REGION", "us-east-1"),
                ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:30"),
                ("FANOUT_QUEUE_URL", "http://127.0.0.1:3002/000000000000/FanoutQueue"),
                ("MAIL_FROM", "O'Hara <no-reply@example.com>"),
                ("PUBLIC_URL", "http://localhost:3000"),
            ];
            common.iter().chain(own).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let function = |id: &str, binary: &str, own: &[(&str, &str)]| Function {
            id: id.to_owned(),
            binary: binary.to_owned(),
            environment: environment(own),
        };
        Environments {
            endpoints: Endpoints {
                dynamodb: endpoint(3001),
                sqs: endpoint(3002),
                s3: endpoint(30),
                ses: endpoint(3004),
                connections: endpoint(3005),
                secrets: endpoint(3006),
            },
            functions: vec![
                function(
                    "UsersFunction",
                    "users",
                    &[("AWS_LAMBDA_FUNCTION_NAME", "users"), ("SIGNING_KEYS_ARN", "{}")],
                ),
                function("FanoutFunction", "fanout", &[("OWN_QUEUE_URL", "http://127.0.0.1:3002/0/FanoutQueue")]),
                function("FilesFunction", "files", &[("OWN_QUEUE_URL", "http://127.0.0.1:3002/0/FilesQueue")]),
            ],
        }
    }

    #[test]
    fn what_differs_is_each_functions_own() {
        let environments = environments();
        let alike = environments.variables(None).unwrap();
        assert!(alike.contains_key("SIGNING_KEYS_ARN") && alike.contains_key("AWS_REGION"), "{alike:?}");
        assert!(!alike.contains_key("OWN_QUEUE_URL") && !alike.contains_key("AWS_LAMBDA_FUNCTION_NAME"), "{alike:?}");
        assert_eq!(environments.variables(Some("users")).unwrap()["AWS_LAMBDA_FUNCTION_NAME"], "users");
        let own = environments.variables(Some("FilesFunction")).unwrap();
        assert_eq!(own["OWN_QUEUE_URL"], "http://127.0.0.1:3002/0/FilesQueue");
        let error = environments.variables(Some("user")).unwrap_err().to_string();
        assert_eq!(error, "there is no function user; the functions are users, fanout, files");

        let sam = environments.sam();
        assert_eq!(sam["FilesFunction"], json!({"OWN_QUEUE_URL": "http://127.0.0.1:3002/0/FilesQueue"}));
        assert_eq!(sam["Parameters"]["AWS_ENDPOINT_URL_S3"], "http://127.0.0.1:30");
        assert_eq!((sam.get("UsersFunction"), sam["Parameters"].get("AWS_REGION")), (None, None));
    }

    #[test]
    fn the_services_alone_get_another_name() {
        let seen = environments().with_service_host("host.docker.internal").variables(Some("files")).unwrap();
        assert_eq!(seen["OWN_QUEUE_URL"], "http://host.docker.internal:3002/0/FilesQueue");
        assert_eq!(seen["AWS_ENDPOINT_URL_S3"], "http://host.docker.internal:30");
        assert_eq!(seen["PUBLIC_URL"], "http://localhost:3000");
    }

    #[test]
    fn quotes_are_what_each_reader_takes() {
        let variables = Environment::from([("A".into(), "it's $HOME".into()), ("B".into(), r#"{"k": 1}"#.into())]);
        assert_eq!(shell(&variables), "export A='it'\\''s $HOME'\nexport B='{\"k\": 1}'\n");
        assert_eq!(env_file(&variables), "A=\"it's $HOME\"\nB='{\"k\": 1}'\n");
    }
}
