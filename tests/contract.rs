//! What code cannot share is compared: the code with `openapi.json`, `template.yaml`, `events/` and the documents.

use crate::samples::{Sample, play, read, table};
use crate::support::TestApp;
use http::Method;
use local::Pattern;
use serde_json::{Value, json};
use shared::Config;
use shared::config::{ENDPOINTS, GIVEN_TO_ALL, OWN_QUEUE};
use shared::http::openapi;
use shared::http::paths::ALIASES;
use shared::ids::{ActivityId, GroupId, MediaId, NotificationId, PostId, ReportId, ScheduledId, SessionId, UserId};
use shared::limits::QueueConcurrency;
use shared::models::days::Hour;
use shared::models::names::NameRow;
use shared::models::notification::NotificationKind;
use shared::models::report::ReportStatus;
use shared::models::scheduled::DueEntry;
use shared::models::search::Term;
use shared::models::user::{RESERVED_USERNAMES, Username};
use shared::table::design::{EntityKey, INDEXES, Key, PARTITION_KEY, SORT_KEY, TTL, key};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;
use template::{Event, Function, Model, QueueTrigger};
use ulid::Ulid;

fn template() -> Model {
    Model::parse(&read("template.yaml"), &BTreeMap::new()).unwrap()
}

/// The functions behind the API, each with its part of the OpenAPI document.
fn parts() -> BTreeMap<&'static str, Value> {
    let routers = [
        ("users", users::router()),
        ("posts", posts::router()),
        ("media", media::router()),
        ("groups", groups::router()),
        ("notifications", notifications::router()),
        ("docs", docs::router()),
    ];
    routers.map(|(name, router)| (name, json!(router.into_openapi()))).into()
}

/// Path and method of each operation in a document.
fn operations(document: &Value) -> Vec<(&str, Method)> {
    let paths = document["paths"].as_object().unwrap();
    let methods = |item: &Value| item.as_object().unwrap().keys().map(|name| name.to_uppercase()).collect::<Vec<_>>();
    paths
        .iter()
        .flat_map(|(path, item)| methods(item).into_iter().map(|name| (path.as_str(), name.parse().unwrap())))
        .collect()
}

#[test]
fn openapi_json_is_what_the_code_says() {
    let document = openapi::document(local::openapi_parts()).to_pretty_json().unwrap();
    let is_same = read("openapi.json").trim_end() == document;
    assert!(is_same, "openapi.json is old: cargo run -- --print-openapi > openapi.json");
    assert_eq!(openapi::gaps(&local::openapi_parts()), Vec::<String>::new());
}

/// The routes in `Cargo.toml`, read as cargo-lambda does.
fn watched_routes() -> matchit::Router<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let metadata: Value = serde_json::from_slice(&cargo.output().unwrap().stdout).unwrap();
    let mut router = matchit::Router::new();
    for (path, function) in metadata["metadata"]["lambda"]["watch"]["router"].as_object().unwrap() {
        router.insert(path, function.as_str().unwrap().to_owned()).unwrap();
    }
    router
}

#[test]
fn every_form_of_every_operation_leads_to_the_function_that_declares_it() {
    let model = template();
    let routes = model.routes(|function| function.binary.clone());
    let watched = watched_routes();
    let parts = parts();
    let behind_the_api = |function: &&Function| function.events.iter().any(|event| matches!(event, Event::HttpApi(_)));
    let named: BTreeSet<_> = model.functions.iter().filter(behind_the_api).map(|one| one.binary.as_str()).collect();
    assert_eq!(named, parts.keys().copied().collect());
    for (function, part) in &parts {
        for (path, method) in operations(part) {
            let mut forms = vec![path.to_owned()];
            forms.extend(path.strip_prefix("/posts").map(|rest| format!("/tweets{rest}")));
            let aliases = ALIASES.iter().filter(|alias| alias.method == method && alias.path == path);
            forms.extend(aliases.map(|alias| alias.form.to_owned()));
            for form in forms.iter().flat_map(|form| [form.clone(), format!("{}/", form.trim_end_matches('/'))]) {
                let route = routes.find(&method, &form).unwrap();
                assert_eq!(route.target, function, "{method} {form} by {}", route.key);
                assert_eq!(watched.at(&form).unwrap().value, function, "{form} under cargo lambda watch");
            }
        }
    }
}

#[test]
fn every_alias_stands_for_an_operation() {
    let document = json!(openapi::document(local::openapi_parts()));
    let operations = operations(&document);
    for alias in &ALIASES {
        let is_there = operations.contains(&(alias.path, alias.method.clone()));
        assert!(is_there, "{} {} stands for {}", alias.method, alias.form, alias.path);
    }
}

#[test]
fn no_name_of_a_user_is_a_segment_of_a_path() {
    let document = json!(openapi::document(local::openapi_parts()));
    let paths = operations(&document).into_iter().map(|(path, _)| path).chain(ALIASES.iter().map(|alias| alias.form));
    for path in paths {
        let segments: Vec<_> = path.trim_matches('/').split('/').collect();
        // A name stands where `/users/{user}` has it; the first segments may become an app's addresses.
        let taken = segments.first().into_iter().chain(segments.get(1).filter(|_| segments[0] == "users"));
        for segment in taken.filter(|segment| Username::from_path(segment).is_some()) {
            let is_reserved = RESERVED_USERNAMES.contains(segment) || *segment == "me";
            assert!(is_reserved, "{segment} of {path} can be somebody's name");
        }
    }
}

#[test]
fn the_table_is_defined_alike_in_code_and_template() {
    let properties = template().table.properties;
    let schema = |partition: &str, sort: &str| {
        let attribute = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
        json!([attribute(partition, "HASH"), attribute(sort, "RANGE")])
    };
    assert_eq!(properties["KeySchema"], schema(PARTITION_KEY, SORT_KEY));
    let indexes = INDEXES.map(|index| {
        let (schema, projection) = (schema(index.partition_key, index.sort_key), index.projection);
        json!({"IndexName": index.name, "KeySchema": schema, "Projection": {"ProjectionType": projection}})
    });
    assert_eq!(properties["GlobalSecondaryIndexes"], json!(indexes));
    let keys = INDEXES.iter().flat_map(|index| [index.partition_key, index.sort_key]);
    let keys: BTreeSet<_> = keys.chain([PARTITION_KEY, SORT_KEY]).map(|name| (name, "S")).collect();
    let attributes = properties["AttributeDefinitions"].as_array().unwrap().iter();
    let text = |value: &'_ Value| value.as_str().unwrap().to_owned();
    let attributes: Vec<_> = attributes.map(|one| (text(&one["AttributeName"]), text(&one["AttributeType"]))).collect();
    assert_eq!(attributes.iter().map(|(name, kind)| (name.as_str(), kind.as_str())).collect::<BTreeSet<_>>(), keys);
    assert_eq!(properties["TimeToLiveSpecification"], json!({"AttributeName": TTL, "Enabled": true}));
    // Readers of the stream look at both images.
    assert_eq!(properties["StreamSpecification"]["StreamViewType"], "NEW_AND_OLD_IMAGES");
}

/// What AWS asks of queues that Lambda reads ("Creating and configuring an Amazon SQS event source mapping").
#[tokio::test]
async fn nothing_asynchronous_is_lost_silently() {
    let app = TestApp::start().await;
    let model = app.model();
    let partial = ["ReportBatchItemFailures"];
    let mut dead_letters = BTreeSet::new();
    let mut sources = BTreeSet::new();
    for function in &model.functions {
        for event in &function.events {
            match event {
                Event::Queue(trigger) => {
                    assert_eq!(trigger.function_response_types, partial, "{}", function.id);
                    let queue = model.queues.iter().find(|queue| queue.name == trigger.queue).unwrap();
                    assert!(queue.visibility_timeout() >= function.timeout * 6 + trigger.window(), "{}", queue.name);
                    // Where the function believes it is.
                    let names =
                        [queue.name.as_str(), queue.redrive_policy.as_ref().unwrap().dead_letter_queue.as_str()];
                    let urls = OWN_QUEUE.map(|variable| app.environment(&function.binary)[variable].clone());
                    assert_eq!(urls.each_ref().map(|url| url.rsplit('/').next().unwrap()), names, "{}", function.id);
                    let redrive = queue.redrive_policy.as_ref().unwrap();
                    dead_letters.insert(redrive.dead_letter_queue.as_str());
                    sources.insert(queue.name.as_str());
                }
                Event::Stream(trigger) => {
                    assert_eq!(trigger.function_response_types, partial, "{}", function.id);
                    assert!(trigger.bisect_batch_on_function_error && trigger.maximum_retry_attempts.is_some());
                    dead_letters.insert(trigger.on_failure().unwrap());
                }
                Event::Schedule(_) => {
                    let config = &model.resources[&function.id]["Properties"]["EventInvokeConfig"];
                    let destination = &config["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0];
                    dead_letters.insert(destination.as_str().unwrap());
                }
                Event::HttpApi(_) => {}
            }
        }
    }
    let queues: BTreeSet<_> = model.queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(sources.union(&dead_letters).copied().collect::<BTreeSet<_>>(), queues);
    assert_eq!(alarmed(&model.resources), dead_letters.iter().map(|name| (*name).to_owned()).collect());
}

/// The limits that code and template must share; their reasons stand in `limits.rs`.
#[test]
fn the_limits_in_force_are_those_set_on_purpose() {
    use shared::limits;
    let model = template();
    let read = |trigger: &QueueTrigger| QueueConcurrency {
        batch: trigger.batch_size,
        concurrency: trigger.maximum_concurrency().unwrap(),
    };
    let (mut readings, mut windows) = (BTreeMap::new(), BTreeMap::new());
    for function in &model.functions {
        let answers_sockets = model.sockets.as_ref().is_some_and(|api| api.function == function.id);
        let answers = answers_sockets || function.events.iter().any(|event| matches!(event, Event::HttpApi(_)));
        let timeout = match function.binary.as_str() {
            "export" => limits::EXPORT_TIMEOUT,
            _ if answers => limits::API_FUNCTION_TIMEOUT,
            _ => limits::WORKER_TIMEOUT,
        };
        assert_eq!(function.timeout, timeout, "{}", function.id);
        for event in &function.events {
            match event {
                Event::Queue(trigger) => {
                    readings.insert(trigger.queue.as_str(), read(trigger));
                    windows.insert(trigger.queue.as_str(), trigger.window());
                }
                Event::Stream(trigger) => {
                    let source = &model.resources[&function.id]["Properties"]["Events"]["Changes"]["Properties"];
                    assert_eq!(trigger.batch_size, limits::STREAM_BATCH);
                    assert_eq!(trigger.maximum_retry_attempts, Some(limits::STREAM_RETRIES));
                    assert_eq!(source["ParallelizationFactor"], limits::STREAM_BATCHES_PER_SHARD);
                }
                Event::HttpApi(_) | Event::Schedule(_) => {}
            }
        }
    }
    let expected = [
        ("DispatchQueue", limits::SET_ASIDE),
        ("ExportQueue", limits::EXPORT),
        ("FanoutQueue", limits::FANOUT),
        ("FilesQueue", limits::FILES),
        ("IndexQueue", limits::INDEX),
        ("NotifyQueue", limits::NOTIFY),
        ("ReapQueue", limits::REAP),
        ("ViewsQueue", limits::VIEWS),
    ];
    assert_eq!(readings, expected.into());
    for queue in model.queues.iter().filter(|queue| readings.contains_key(queue.name.as_str())) {
        let window = windows[queue.name.as_str()];
        assert_eq!(window, if queue.name == "ViewsQueue" { limits::VIEWS_WINDOW } else { Duration::ZERO });
        let visibility = if queue.name == "ExportQueue" { limits::EXPORT_VISIBILITY } else { limits::VISIBILITY };
        assert_eq!(queue.visibility_timeout(), visibility + window, "{}", queue.name);
        let redrive = queue.redrive_policy.as_ref().unwrap();
        assert_eq!(redrive.max_receive_count, limits::REDRIVE_RECEIVES, "{}", queue.name);
    }
}

/// The queues with an alarm that goes off at the first message.
fn alarmed(resources: &Value) -> BTreeSet<String> {
    let alarms = resources.as_object().unwrap().values().filter(|one| one["Type"] == "AWS::CloudWatch::Alarm");
    let first_message = alarms.map(|alarm| &alarm["Properties"]).filter(|alarm| {
        alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
            && alarm["Threshold"] == 0
            && alarm["ComparisonOperator"] == "GreaterThanThreshold"
            && alarm.get("AlarmActions").is_some()
    });
    let queue = |alarm: &Value| alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0].as_str().map(str::to_owned);
    first_message.filter_map(queue).collect()
}

/// What Lambda itself gives, and what only tests and laptops do.
const NOT_OURS: [&str; 6] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_ENDPOINT_URL",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

#[tokio::test]
async fn the_environment_read_is_the_environment_given() {
    let asked = RefCell::new(BTreeSet::new());
    let _ = Config::read(|name| {
        asked.borrow_mut().insert(name.to_owned());
        None
    });
    let asked = asked.into_inner();
    // `RUST_LOG` is read before there is a configuration.
    let for_all = GIVEN_TO_ALL.into_iter().filter(|name| *name != "RUST_LOG");
    let expected = for_all
        .chain(NOT_OURS)
        .chain(ENDPOINTS)
        .chain(OWN_QUEUE)
        .chain(["SIGNING_KEYS_ARN"])
        .map(str::to_owned)
        .collect();
    assert_eq!(asked, expected);

    let app = TestApp::start().await;
    let parts = parts();
    for function in &app.model().functions {
        let given = app.environment(&function.binary).into_keys().filter(|name| !name.starts_with("AWS_"));
        let mut given: BTreeSet<String> = given.collect();
        let has_keys = given.remove("SIGNING_KEYS_ARN");
        let reads_queue = function.events.iter().any(|event| matches!(event, Event::Queue(_)));
        OWN_QUEUE.iter().for_each(|name| assert_eq!(given.remove(*name), reads_queue, "{} {name}", function.id));
        assert_eq!(given, GIVEN_TO_ALL.map(str::to_owned).into(), "{}", function.id);
        // Who checks tokens needs the keys; who does not is better off without them.
        if let Some(part) = parts.get(function.binary.as_str()) {
            assert_eq!(has_keys, part.to_string().contains("\"bearer\""), "{}", function.id);
        }
    }
}

/// `sam local` gives a function the variables that the template declares, and no others.
#[test]
fn the_template_declares_each_endpoint_without_a_value() {
    let template = read("template.yaml");
    let declared = template.lines().filter_map(|line| line.trim_start().strip_suffix(": \"\""));
    assert_eq!(declared.filter(|name| name.starts_with("AWS_")).collect::<Vec<_>>(), ENDPOINTS);
}

#[tokio::test]
async fn every_sample_event_is_handled_by_its_function() {
    let app = TestApp::start().await;
    let samples = Sample::all();
    let listed: BTreeSet<_> = samples.iter().map(|sample| sample.file.clone()).collect();
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../events")).unwrap();
    let files = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(files.filter(|name| name.ends_with(".json")).collect::<BTreeSet<_>>(), listed);
    let covered: BTreeSet<_> = samples.iter().map(|sample| sample.function.as_str()).collect();
    assert_eq!(app.model().functions.iter().map(|one| one.binary.as_str()).collect::<BTreeSet<_>>(), covered);

    play(&app, &samples).await;
}

/// What can wake a function, as the names of the sample events begin.
#[test]
fn every_trigger_has_a_sample_event() {
    let (model, samples) = (template(), Sample::all());
    let mut triggers = BTreeSet::new();
    for function in &model.functions {
        triggers.extend(function.events.iter().map(|event| match event {
            Event::HttpApi(_) => (function.binary.clone(), "http".to_owned()),
            Event::Queue(trigger) => (function.binary.clone(), format!("sqs {}", trigger.queue)),
            Event::Stream(_) => (function.binary.clone(), "stream".to_owned()),
            Event::Schedule(_) => (function.binary.clone(), "schedule".to_owned()),
        }));
        if model.sockets.as_ref().is_some_and(|api| api.function == function.id) {
            let routes = model.resources["SocketApi"]["Properties"]["Routes"].as_object().unwrap();
            triggers.extend(routes.keys().map(|route| (function.binary.clone(), format!("socket {route}"))));
        }
    }
    let shown = samples.iter().map(|sample| {
        let event = sample.event("");
        let (kind, _) = sample.file.split_once('-').unwrap();
        let what = match kind {
            // The last part of its ARN: `perch-FanoutQueue-1X2Y3Z4A5B6C`.
            "sqs" => event["Records"][0]["eventSourceARN"].as_str().unwrap().split('-').nth_back(1),
            "socket" => event["requestContext"]["routeKey"].as_str(),
            _ => None,
        };
        let name = what.map_or_else(|| kind.to_owned(), |what| format!("{kind} {what}"));
        (sample.function.clone(), name)
    });
    assert_eq!(shown.collect::<BTreeSet<_>>(), triggers);
}

/// The charts of `table/design.rs`, which `docs/table.md` shows too.
fn chart(heading: &str) -> Vec<Vec<String>> {
    let code = read("shared/src/table/design.rs");
    let docs: Vec<_> = code.lines().filter_map(|line| line.strip_prefix("//!")).map(str::trim_start).collect();
    table(&docs.join("\n"), heading)
}

#[test]
fn the_charts_are_the_same_in_code_and_documents() {
    let document = read("docs/table.md");
    for heading in ["## Entities", "## Access patterns"] {
        assert_eq!(table(&document, heading), chart(heading), "{heading}");
    }
}

#[test]
fn every_access_pattern_is_a_function() {
    let rows = chart("## Access patterns");
    for row in rows.iter().skip(2) {
        let path = row.last().unwrap().strip_prefix("store::").unwrap();
        let (module, functions) = path.split_once("::").unwrap();
        let code = read(&format!("shared/src/store/{module}.rs"));
        for function in functions.split(", ") {
            assert!(code.contains(&format!("pub async fn {function}(")), "there is no store::{module}::{function}");
        }
    }
}

#[test]
fn every_key_is_known_for_what_it_is() {
    let ulid = Ulid::from_parts(1_795_206_600_000, 7);
    let (ann, bob) = (UserId::from_ulid(ulid), UserId::from_ulid(Ulid::from_parts(1_795_206_600_000, 8)));
    let post = PostId::of(ulid, bob);
    let mut keys = others(ann, bob, post, ulid);
    keys.extend([
        key::profile(ann),
        key::activity(ann, ActivityId::from_ulid(ulid)),
        key::session(ann, SessionId::from_ulid(ulid)),
        key::media(MediaId { ulid, owner: ann }),
        key::follow(ann, bob),
        key::like(ann, post),
        key::post(post),
        key::mail_token(ulid),
        key::member(GroupId::from_ulid(ulid), ann),
        key::join_request(GroupId::from_ulid(ulid), ann),
        key::post(PostId::shared_in(Some(GroupId::from_ulid(ulid)), ulid, ann)),
    ]);
    keys.push(key::post(post.comment(ulid, ann).unwrap()));
    let known = keys.iter().map(|key| EntityKey::read(key.pk(), key.sk()).unwrap_or_else(|| panic!("{key:?}")));
    let known: BTreeSet<_> = known.map(|entity| (entity.name().to_owned(), entity.expires())).collect();
    let rows = chart("## Entities");
    let charted = rows.iter().skip(2).map(|row| (row[0].clone(), row[3] == "yes"));
    assert_eq!(known, charted.collect());
    assert_eq!(
        EntityKey::read(key::like_row(post, ulid, ann).pk(), key::like_row(post, ulid, ann).sk()),
        Some(EntityKey::LikeRow { post, edge: ulid, user: ann })
    );
}

/// What wakes the stream's consumer: a pattern that lets too little through loses counts, one that lets too much
/// through costs an invocation for each write.
#[test]
fn the_stream_wakes_its_consumer_for_what_it_handles_alone() {
    let model = template();
    let stream = model.functions.iter().flat_map(|function| &function.events).find_map(|event| match event {
        Event::Stream(trigger) => Some(trigger),
        _ => None,
    });
    let patterns: Vec<_> = stream.unwrap().filters().map(|pattern| Pattern::parse(pattern).unwrap()).collect();
    let wakes = |name: &str, key: &Key, image: &Value| {
        let keys = json!({"PK": {"S": key.pk()}, "SK": {"S": key.sk()}});
        let mut record = json!({"eventName": name, "dynamodb": {"Keys": keys}});
        record["dynamodb"][if name == "REMOVE" { "OldImage" } else { "NewImage" }] = image.clone();
        patterns.iter().any(|pattern| pattern.matches(&record))
    };
    let (ulid, yes) = (Ulid::from_parts(1_795_206_600_000, 7), json!({"BOOL": true}));
    let (ann, bob) = (UserId::from_ulid(ulid), UserId::from_ulid(Ulid::from_parts(1_795_206_600_000, 8)));
    let post = PostId::of(ulid, bob);
    let plain = json!({"at": {"S": ulid.to_string()}});

    let comment = key::post(post.comment(ulid, ann).unwrap());
    let group = GroupId::from_ulid(ulid);
    let shared = PostId::shared_in(Some(group), ulid, bob);
    for edge in [key::follow(ann, bob), key::like(ann, post), comment.clone(), key::member(group, ann)] {
        // What goes with a comment goes when it does.
        let removed = edge == comment;
        let image = |marks: &[&str]| {
            let mut image = plain.clone();
            marks.iter().for_each(|mark| image[mark] = yes.clone());
            image
        };
        for (name, marks, expected) in [
            ("INSERT", &[] as &[&str], true),
            // Undone, and made again, before it was counted.
            ("MODIFY", &["un"], true),
            ("MODIFY", &[], true),
            // The consumer's own mark.
            ("MODIFY", &["counted"], false),
            ("MODIFY", &["counted", "un"], true),
            ("REMOVE", &["un"], removed),
            ("REMOVE", &["counted", "un"], removed),
        ] {
            assert_eq!(wakes(name, &edge, &image(marks)), expected, "{name} {} {marks:?}", edge.sk());
        }
    }
    for (key, names) in [
        (key::post(post), &["INSERT", "REMOVE"] as &[_]),
        (key::post(shared), &["INSERT", "REMOVE"]),
        // It is written once.
        (key::join_request(group, ann), &["INSERT", "MODIFY"]),
        (key::mail_token(ulid), &["INSERT"]),
        (key::activity(ann, ActivityId::from_ulid(ulid)), &["INSERT"]),
        // Its end; of its beginning nothing follows.
        (key::session(ann, SessionId::from_ulid(ulid)), &["INSERT", "REMOVE"]),
        (key::profile(ann), &["INSERT", "MODIFY"]),
    ] {
        for name in ["INSERT", "MODIFY", "REMOVE"] {
            assert_eq!(wakes(name, &key, &plain), names.contains(&name), "{name} {}", key.pk());
        }
    }
    for (key, counted) in
        [(key::post(post), plain.clone()), (key::post(shared), plain.clone()), (comment, json!({"counted": yes}))]
    {
        let mut edited = counted.clone();
        edited["todo"] = yes.clone();
        assert!(wakes("MODIFY", &key, &edited) && !wakes("MODIFY", &key, &counted), "an edit of {}", key.pk());
    }
    let deleted = json!({"un": yes});
    assert!(wakes("MODIFY", &key::group(group), &deleted) && !wakes("REMOVE", &key::group(group), &deleted));
    let media = key::media(MediaId { ulid, owner: ann });
    for (name, mark, expected) in [
        ("INSERT", "", false),
        ("MODIFY", "", false),
        ("MODIFY", "todo", true),
        ("MODIFY", "un", true),
        ("REMOVE", "un", false),
    ] {
        let image = if mark.is_empty() { plain.clone() } else { json!({mark: yes}) };
        assert_eq!(wakes(name, &media, &image), expected, "{name} of media {mark}");
    }
    for key in others(ann, bob, post, ulid) {
        for name in ["INSERT", "MODIFY", "REMOVE"] {
            assert!(!wakes(name, &key, &plain), "{name} {} {}", key.pk(), key.sk());
        }
    }
}

/// Keys of what wakes nobody: the rest of the entity chart.
fn others(ann: UserId, bob: UserId, post: PostId, ulid: Ulid) -> Vec<Key> {
    let (like, ntf) = (NotificationKind::Like, NotificationId::from_ulid(ulid));
    vec![
        key::account(ann),
        key::followers(ann),
        key::failures(ann),
        key::credentials(ann),
        key::merged_author(ann, bob),
        key::pending_count(ann, post.comment(ulid, ann).unwrap()),
        key::relationship(ann, bob),
        key::membership(ann, GroupId::from_ulid(ulid)),
        key::group(GroupId::from_ulid(ulid)),
        key::discoverable(GroupId::from_ulid(bob.ulid())),
        key::block(ann, ulid, bob),
        key::follower_row(bob, ulid, ann),
        key::following_row(ann, ulid, bob),
        key::pushed_follower(bob, ann),
        key::like_row(post, ulid, ann),
        key::scheduled(ann, ScheduledId::from_ulid(ulid)),
        key::due(DueEntry { at: post.created_at(), user: ann, id: ScheduledId::from_ulid(ulid) }),
        key::publisher(),
        key::posting(&Term::hashtag("tide"), post),
        key::indexed(post),
        key::name_row(&NameRow { beginning: "an".into(), order: "164".into() }, ann),
        key::names_indexed(ann),
        key::suggestions(ann),
        key::socket(ann, 3),
        key::socket_owner("c"),
        key::unattached_media(MediaId { ulid, owner: ann }),
        key::cleanup_cursor(),
        key::audience(post),
        key::hour_audience(post, Hour::of(post.created_at())),
        key::days(post, Hour::of(post.created_at()).day().month()),
        key::timeline_row(ann, post),
        key::name_guard(&Username::from_path("ann").unwrap()),
        key::email_guard(&serde_json::from_value(json!("ann@example.com")).unwrap()),
        key::idempotency(Some(ann), "hash"),
        key::idempotency(None, "hash"),
        key::rate_limit("login", 7),
        key::read_mark(ann),
        key::notification(ann, ntf),
        key::notification_event(ann, ntf),
        key::notification_done(ann, like, Some(post), bob),
        key::notification_group(ann, like, Some(post)),
        key::reported(post, ann),
        key::report(ReportStatus::Open, ReportId::from_ulid(ulid)),
        key::moderation(ulid),
        key::moderator_named(&Username::from_path("ann").unwrap()),
        key::tag_use("tide", ann),
        key::tag_count(0, 7, "tide"),
        key::top(),
        key::deletion(ann),
    ]
}
