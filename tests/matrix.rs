//! Every operation of `openapi.json`, and every way in which it says it may refuse: each is provoked, each answers as
//! documented, and none leaves a trace in the table.

use crate::support::archive::verify;
use crate::support::bulk::app_with_keys;
use crate::support::files::{photo, upload};
use crate::support::services::Items;
use crate::support::{Response, TestApp, User, set, set_moderator};
use http::Method;
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::http::rate_limits::{self, Action, Quota};
use shared::models::session::NetworkNames;
use shared::table::Op;
use shared::table::design::key;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

/// The refusals that can be provoked knowing the document alone; the others have tests of their own.
const REFUSALS: [u16; 8] = [400, 401, 404, 405, 413, 415, 422, 429];

#[tokio::test]
async fn every_operation_refuses_as_documented_and_changes_nothing() {
    let world = World::new().await;
    let before = world.table().await;
    for operation in &world.operations {
        world.wrong_method(operation).await;
        world.no_token(operation).await;
        world.unknown_resource(operation).await;
        world.wrong_body(operation).await;
        world.wrong_file(operation).await;
        world.wrong_parameters(operation).await;
    }
    world.exhaust_limits().await;
    for operation in &world.operations {
        world.too_often(operation).await;
    }
    assert!(before == world.table().await, "a refusal changed the table");
    let called = world.called.lock().unwrap();
    let cells = world.operations.iter().flat_map(Operation::cells);
    let missing: Vec<_> = cells.filter(|cell| !called.contains(cell)).collect();
    assert!(missing.is_empty(), "documented, but never provoked: {missing:?}");
}

/// One operation of the document.
struct Operation {
    method: Method,
    path: String,
    is: Value,
    /// All methods of its path.
    methods: BTreeSet<String>,
}

impl Operation {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn may_answer(&self, status: u16) -> bool {
        self.is["responses"].get(status.to_string()).is_some()
    }

    fn cells(&self) -> impl Iterator<Item = (String, u16)> {
        REFUSALS
            .into_iter()
            .filter(|status| *status == 405 || self.may_answer(*status))
            .map(|status| (self.name(), status))
    }

    fn parameters(&self, place: &str) -> impl Iterator<Item = &Value> {
        self.is["parameters"].as_array().into_iter().flatten().filter(move |parameter| parameter["in"] == place)
    }

    fn body(&self) -> Option<&Value> {
        self.is.pointer("/requestBody/content/application~1json")
    }

    fn takes_token(&self) -> bool {
        self.is["security"].as_array().is_some_and(|ways| ways.iter().any(|way| way.get("bearer").is_some()))
    }
}

struct World {
    app: TestApp,
    ann: User,
    /// By Ann.
    post: String,
    /// On it, by Ann.
    comment: String,
    /// By Ann.
    scheduled: String,
    /// By Ann, and of no post.
    media: String,
    /// By Ann, and not sent.
    pending: String,
    /// By Ann, who is a moderator, of a post by Bob.
    report: String,
    /// Ann's, with Bob in it.
    group: String,
    document: Value,
    operations: Vec<Operation>,
    called: Mutex<BTreeSet<(String, u16)>>,
}

impl World {
    async fn new() -> Self {
        let app = TestApp::with(|options| {
            set(options, "RateLimits", "on");
            set_moderator(options, "ann");
            // Little enough for each read to be counted.
            set(options, "ReadLimit", "999");
        })
        .await;
        let (ann, bob) = (app.user("ann").await, app.user("bob").await);
        // Or an archive would be refused for that.
        verify(&app, &ann.email).await;
        let post = ann.post_text("hello").await;
        let comment = ann.post(&format!("/posts/{post}/comments"), json!({"content": "hello"})).await.expect(201);
        let comment = comment.json()["id"].as_str().unwrap().to_owned();
        let waiting = json!({"content": "hello", "publish_at": (Clock::default().now() + HOUR).rfc3339()});
        let scheduled = ann.post("/posts", waiting).await.expect(201).json()["id"].as_str().unwrap().to_owned();
        let media = upload(&ann, "image/jpeg", photo()).await;
        let declared = json!({"content_type": "video/mp4", "size": 1_000});
        let pending = ann.post("/media/uploads", declared).await.expect(201).json();
        let pending = pending["id"].as_str().unwrap().to_owned();
        let reported = bob.post_text("hello").await;
        ann.post(&format!("/posts/{reported}/report"), json!({"reason": "spam"})).await.expect(202);
        let report = ann.get("/reports").await.expect(200).json()["items"][0]["id"].as_str().unwrap().to_owned();
        let group = ann.post("/groups", json!({"name": "Waders", "visibility": "public"})).await.expect(201).json();
        let group = group["id"].as_str().unwrap().to_owned();
        bob.post(&format!("/groups/{group}/join"), None).await.expect(200);
        app.settle().await;
        let document: Value = serde_json::from_str(include_str!("../openapi.json")).unwrap();
        let items = document["paths"].as_object().unwrap().values();
        let described = items.flat_map(|item| item.as_object().unwrap().values()).map(|is| is["description"].as_str());
        let quoted = described.flatten().flat_map(|text| text.split('`'));
        let also: Vec<_> = quoted.filter_map(|form| form.split_once(' ')).collect();
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            let mut methods: BTreeSet<_> =
                item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
            // `/tweets` is also another form of a path, as that one's description tells.
            methods.extend(also.iter().filter(|(_, form)| form == path).map(|(method, _)| (*method).to_owned()));
            for (method, is) in item.as_object().unwrap() {
                let method = method.to_uppercase().parse().unwrap();
                operations.push(Operation { method, path: path.clone(), is: is.clone(), methods: methods.clone() });
            }
        }
        let called = Mutex::default();
        Self { app, ann, post, comment, scheduled, media, pending, report, group, document, operations, called }
    }

    /// Every item but the counters of limits and of failed sign-ins, which refusals may raise.
    async fn table(&self) -> Items {
        let mut items = self.app.table().await;
        items.retain(|(pk, sk), _| !pk.starts_with("RL#") && sk != "G#F");
        items
    }

    /// The path with somebody, or a post, that exists.
    fn path(&self, operation: &Operation) -> String {
        let path = operation.path.replace("{user}", "bob");
        let path = path.replace("{comment_id}", &self.comment);
        let path = path.replace("sessions/{id}", "sessions/ses_01K9ZP2D7V3T8Q6M5N4C1B0A9Z");
        let path = path.replace("scheduled/{id}", &format!("scheduled/{}", self.scheduled));
        let path = path.replace("media/{id}/complete", &format!("media/{}/complete", self.pending));
        let path = path.replace("media/{id}", &format!("media/{}", self.media));
        let path = path.replace("reports/{id}", &format!("reports/{}", self.report));
        let path = path.replace("groups/{id}", &format!("groups/{}", self.group));
        if path.starts_with("/posts/") { path.replace("{id}", &self.post) } else { path }
    }

    /// One refusal, by Ann.
    async fn refused(
        &self,
        operation: &Operation,
        path: &str,
        body: Option<(&str, String)>,
        status: u16,
        slug: &str,
    ) -> Response {
        let mut call = self.ann.call(operation.method.clone(), path);
        if let Some((content_type, body)) = body {
            call = call.body(content_type, body);
        }
        self.judge(operation, call.await, status, slug)
    }

    fn judge(&self, operation: &Operation, answer: Response, status: u16, slug: &str) -> Response {
        let answer = answer.expect(status);
        answer.problem(slug);
        self.called.lock().unwrap().insert((operation.name(), status));
        answer
    }

    /// What the document shows as a body.
    fn example(operation: &Operation) -> Option<(&'static str, String)> {
        let file = || operation.is.get("requestBody").map(|_| ("image/png", "GIF89a".to_owned()));
        operation.body().map(|body| ("application/json", body["example"].to_string())).or_else(file)
    }

    async fn wrong_method(&self, operation: &Operation) {
        let mut allowed = operation.methods.clone();
        if allowed.contains("GET") {
            allowed.insert("HEAD".to_owned());
        }
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().filter(|method| !allowed.contains(*method))
        {
            let answer = self.ann.call(method.parse().unwrap(), &self.path(operation)).await;
            let answer = self.judge(operation, answer, 405, "method-not-allowed");
            let told = answer.header("allow").split(',').map(|method| method.trim().to_owned()).collect();
            assert_eq!(allowed, told, "Allow of {}", operation.path);
        }
    }

    async fn no_token(&self, operation: &Operation) {
        if !operation.may_answer(401) {
            return;
        }
        let call = |token: Option<&str>| {
            let anon = self.app.anon();
            let client = token.map_or(anon.clone(), |token| anon.with_token(token));
            let call = client.call(operation.method.clone(), &self.path(operation));
            match Self::example(operation) {
                Some((content_type, body)) => call.body(content_type, body),
                None => call,
            }
        };
        if !operation.takes_token() {
            // What the example's token or password is for, nobody has.
            let slug = if operation.path.ends_with("/login") { "invalid-credentials" } else { "unauthorized" };
            self.judge(operation, call(None).await, 401, slug);
            return;
        }
        for token in [None, Some("nonsense"), Some(&self.ann.token()[1..])] {
            let answer = self.judge(operation, call(token).await, 401, "unauthorized");
            assert!(answer.header("www-authenticate").starts_with("Bearer "), "{}", operation.name());
        }
    }

    /// An id that names nothing and one that nothing could have are told alike.
    async fn unknown_resource(&self, operation: &Operation) {
        if matches!(operation.name().as_str(), "POST /posts" | "POST /tweets") {
            let body = json!({"content": "hello", "group_id": "grp_01K9ZQ7A4M2T8Q6M5N4C1B0A9Y"});
            self.refused(operation, "/posts", Some(("application/json", body.to_string())), 404, "not-found").await;
        }
        let Some(parameter) = operation.parameters("path").next() else { return };
        let place = format!("{{{}}}", parameter["name"].as_str().unwrap());
        let mut told = Vec::new();
        for id in [parameter["example"].as_str().unwrap(), "no-such-thing", "%00", "%20"] {
            let path = operation.path.replace(&place, id);
            let answer = self.refused(operation, &path, Self::example(operation), 404, "not-found").await;
            let mut problem = answer.json();
            problem["request_id"] = Value::Null;
            told.push(problem);
        }
        assert!(told.iter().all(|problem| *problem == told[0]), "{}: {told:?}", operation.name());
    }

    async fn wrong_body(&self, operation: &Operation) {
        let Some(body) = operation.body() else { return };
        let path = self.path(operation);
        let json = |text: &str| Some(("application/json", text.to_owned()));
        for text in ["{", "[]", "null", "\u{1}"] {
            self.refused(operation, &path, json(text), 400, "malformed-request").await;
        }
        let huge = json!({"x": "x".repeat(shared::http::body::MAX_BODY)}).to_string();
        self.refused(operation, &path, json(&huge), 413, "too-large").await;
        let (_, example) = Self::example(operation).unwrap();
        for content_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
            let body = Some((content_type, example.clone()));
            self.refused(operation, &path, body, 415, "unsupported-media-type").await;
        }
        let mut fields = BTreeSet::new();
        let wrong = self.wrong(&body["schema"], "", &mut fields);
        let answer = self.refused(operation, &path, json(&wrong.to_string()), 422, "invalid").await;
        let told: BTreeSet<_> = answer.fields().into_iter().map(|(field, _)| field).collect();
        assert_eq!(told, fields, "{}", operation.name());
    }

    /// An object with every field of the schema, each with a value that no field takes.
    fn wrong(&self, schema: &Value, path: &str, fields: &mut BTreeSet<String>) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.wrong(self.document.pointer(&reference[1..]).unwrap(), path, fields);
        }
        if let Some(choice) =
            schema["oneOf"].as_array().and_then(|choices| choices.iter().find(|one| one["type"] != "null"))
        {
            return self.wrong(choice, path, fields);
        }
        let Some(properties) = schema["properties"].as_object() else {
            fields.insert(path.to_owned());
            return json!({});
        };
        let mut inner = |name: &String, schema| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.wrong(schema, &path, fields)
        };
        properties.iter().map(|(name, schema)| (name.clone(), inner(name, schema))).collect()
    }

    /// A body that may be a file, or a form with one.
    async fn wrong_file(&self, operation: &Operation) {
        let content = operation.is["requestBody"]["content"].as_object();
        let takes = |kind: &str| content.is_some_and(|content| content.contains_key(kind));
        let path = self.path(operation);
        let (form, png) = ("multipart/form-data", "image/png");
        if takes(form) {
            for kind in [form, "multipart/form-data; boundary=x"] {
                let broken = Some((kind, "no form".to_owned()));
                self.refused(operation, &path, broken, 400, "malformed-request").await;
            }
            let huge = "x".repeat(shared::http::body::MAX_FORM + 1);
            let body = Some(("multipart/form-data; boundary=x", huge));
            self.refused(operation, &path, body, 413, "too-large").await;
            let body = Some(("image/svg+xml", "<svg/>".to_owned()));
            self.refused(operation, &path, body, 415, "unsupported-media-type").await;
        }
        if takes(png) {
            self.refused(operation, &path, Some((png, "GIF89a".to_owned())), 422, "invalid").await;
        }
    }

    async fn wrong_parameters(&self, operation: &Operation) {
        let path = self.path(operation);
        // A search must be for something.
        let wanted = match path.as_str() {
            "/posts/search" => "hashtag=hello&",
            "/users/search" => "query=hello&",
            _ => "",
        };
        let path = format!("{path}?{wanted}");
        for parameter in operation.parameters("query") {
            let name = parameter["name"].as_str().unwrap();
            let (status, slug, values): (_, _, &[&str]) = match (name, parameter["schema"]["type"].as_str()) {
                ("limit", _) => (422, "invalid", &["0", "101", "-1", "abc", "1.5", ""]),
                ("cursor", _) => (400, "invalid-cursor", &["forged", "AAAA", "%00"]),
                (_, Some("boolean")) => (422, "invalid", &["maybe"]),
                ("token", _) => (422, "invalid", &["twice&token=twice"]),
                // Any text can be looked for, but one without a word; a tag is any text.
                ("q" | "query", _) => (422, "invalid", &["%20!%20"]),
                ("author", _) => (422, "invalid", &["a"]),
                ("hashtag", _) => continue,
                (_, _) => (422, "invalid", &["nonsense"]),
            };
            for value in values {
                let path = format!("{path}{name}={value}");
                let answer = self.refused(operation, &path, None, status, slug).await;
                let named = |field: &str| field == name || (name == "token" && field == "query");
                let told = || answer.fields().iter().any(|(field, _)| named(field));
                assert!(status == 400 || told(), "{path}: {}", answer.text());
            }
            if name == "author" && operation.may_answer(404) {
                self.refused(operation, &format!("{path}author=nobody"), None, 404, "not-found").await;
            }
            if name == "token" && operation.may_answer(400) {
                self.refused(operation, &format!("{path}token=forged"), None, 400, "invalid-token").await;
            }
        }
        let unknown = self.refused(operation, &format!("{path}unheard_of=x"), None, 422, "invalid").await;
        assert_eq!(unknown.fields()[0].1, "unknown_field", "{path}");
        let has_query = operation.parameters("query").next().is_some();
        let says_why = operation.is["responses"]["422"].get("$ref").is_none();
        if says_why && operation.is.get("requestBody").is_none() && !has_query {
            // What concerns two people, for one.
            let path = self.path(operation).replace("bob", "me");
            let code = if path.ends_with("/complete") { "not_uploaded" } else { "oneself" };
            assert_eq!(self.refused(operation, &path, None, 422, "invalid").await.fields()[0].1, code);
        }
    }

    /// As if Ann, and everybody at this address, had done everything far too often.
    async fn exhaust_limits(&self) {
        let app = app_with_keys(&self.app, "users").await;
        let here = NetworkNames::new(&app.keys().unwrap(), "127.0.0.1").current().to_owned();
        let ann: shared::ids::UserId = self.ann.id.parse().unwrap();
        let reads = Quota { name: rate_limits::READ, limit: 999, window: 300 };
        for quota in Action::ALL.map(Action::quota).into_iter().chain([reads]) {
            let window = app.now().seconds() / quota.window;
            for subject in [ann.ulid().to_string(), here.clone()] {
                let row = json!({"n": 1_000_000, "ttl": (window + 2) * quota.window});
                // This window and the next, should it begin meanwhile.
                for window in [window, window + 1] {
                    let key = key::rate_limit(&format!("{}#{subject}", quota.name), window);
                    app.table().write(Op::put(key, &row).unwrap()).await.unwrap();
                }
            }
        }
    }

    async fn too_often(&self, operation: &Operation) {
        if !operation.may_answer(429) {
            return;
        }
        let path = self.path(operation);
        // Whose session it is, its token says.
        let body = match operation.path.as_str() {
            "/users/refresh" => {
                Some(("application/json", json!({"refresh_token": self.ann.refresh_token}).to_string()))
            }
            _ => Self::example(operation),
        };
        let answer = self.refused(operation, &path, body, 429, "rate-limited").await;
        assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|wait| wait > 0), "{}", operation.name());
        assert!(answer.header("ratelimit").contains(";r=0;"), "{}: {}", operation.name(), answer.header("ratelimit"));
        assert!(!answer.header("ratelimit-policy").is_empty(), "{}", operation.name());
    }
}
