//! What `docs/operations.md` says of the template is compared with it, and what the template must say for work to be done
//! to its end.

use crate::samples::{read, table};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use template::{Event, Function, Model};

fn template() -> Model {
    Model::parse(&read("template.yaml"), &BTreeMap::new()).unwrap()
}

/// The backticked parts of a text, in its order.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_parameter_is_explained() {
    let rows = table(&read("docs/operations.md"), "## Deploy");
    let explained: Vec<_> = rows.iter().skip(2).flat_map(|row| quoted(&row[0])).collect();
    let model = template();
    assert_eq!(
        explained.iter().copied().collect::<BTreeSet<_>>(),
        model.parameters.keys().map(String::as_str).collect()
    );
    assert_eq!(explained.len(), model.parameters.len(), "each once");
}

#[test]
fn every_dead_letter_queue_is_explained_and_replayed() {
    let (model, document) = (template(), read("docs/operations.md"));
    let mut queues = BTreeMap::new();
    for queue in &model.queues {
        if let Some(redrive) = &queue.redrive_policy {
            queues.insert(redrive.dead_letter_queue.as_str(), queue.name.as_str());
        }
    }
    let sources: BTreeSet<_> = queues.values().copied().collect();
    let dead_letters: BTreeSet<_> =
        model.queues.iter().map(|queue| queue.name.as_str()).filter(|name| !sources.contains(name)).collect();
    let rows = table(&document, "## When work fails");
    let explained: BTreeMap<_, _> = rows
        .iter()
        .skip(2)
        .map(|row| (quoted(&row[0]).next().unwrap(), quoted(&row[1]).next().filter(|name| sources.contains(name))))
        .collect();
    // Those of schedules have no queue.
    let expected = dead_letters.iter().map(|name| (*name, queues.get(name).copied())).collect();
    assert_eq!(explained, expected);

    let arn = |line: &str, option: &str| {
        let (_, rest) = line.split_once(&format!("--{option} \"$(arn ")).unwrap();
        rest.split(')').next().unwrap().to_owned()
    };
    let moves = document.lines().filter(|line| line.starts_with("aws sqs start-message-move-task"));
    let moves: Vec<_> = moves.map(|line| (arn(line, "source-arn"), arn(line, "destination-arn"))).collect();
    let moves: Vec<_> = moves.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    assert_eq!(moves.iter().copied().collect::<BTreeMap<_, _>>(), queues);
    assert_eq!(moves.len(), queues.len(), "each once");
}

/// Lambda takes a function that is woken again and again by what it sends for a loop, and stops it, unless it is told that
/// this is meant.
#[test]
fn whoever_may_wake_itself_is_not_stopped_for_it() {
    let model = template();
    let mut waking = BTreeSet::new();
    let mut allowed = BTreeSet::new();
    for function in &model.functions {
        if model.resources[&function.id]["Properties"]["RecursiveLoop"] == "Allow" {
            allowed.insert(function.id.as_str());
        }
        let statements = statements(&model, function);
        let sends: Vec<_> = statements.iter().filter(|one| names(&one["Action"], &"sqs:SendMessage".into())).collect();
        for event in &function.events {
            let Event::Queue(trigger) = event else { continue };
            let arn = json!({"Fn::GetAtt": [trigger.queue, "Arn"]});
            if sends.iter().any(|one| names(&one["Resource"], &arn)) {
                waking.insert(function.id.as_str());
            }
        }
    }
    assert!(waking.contains("FanoutFunction") && waking.contains("ReapFunction"), "{waking:?}");
    assert_eq!(allowed, waking);
}

/// What a function's own policies say, and the managed ones that it shares.
fn statements<'m>(model: &'m Model, function: &Function) -> Vec<&'m Value> {
    let of = |document: &'m Value| document["Statement"].as_array().into_iter().flatten();
    let role = model.resources[&function.id]["Properties"]["Role"]["Fn::GetAtt"][0].as_str().unwrap();
    let role = &model.resources[role]["Properties"];
    let own = role["Policies"].as_array().into_iter().flatten().flat_map(|policy| of(&policy["PolicyDocument"]));
    let shared = role["ManagedPolicyArns"].as_array().into_iter().flatten().flat_map(|policy| {
        let policy = policy["Ref"].as_str().expect("one of the template's own");
        of(&model.resources[policy]["Properties"]["PolicyDocument"])
    });
    own.chain(shared).collect()
}

/// That a part of a statement, one thing or a list, names this.
fn names(part: &Value, this: &Value) -> bool {
    part == this || part.as_array().is_some_and(|all| all.contains(this))
}

/// The functions that may do this, by their binaries.
fn who_may(model: &Model, may: impl Fn(&Value) -> bool) -> BTreeSet<&str> {
    let can = |function: &&Function| statements(model, function).into_iter().any(&may);
    model.functions.iter().filter(can).map(|function| function.binary.as_str()).collect()
}

#[test]
fn a_worker_may_do_all_that_its_source_takes() {
    let model = template();
    for function in &model.functions {
        let statements = statements(&model, function);
        let may = |action: &str, on: Value| {
            let allowed = |one: &&Value| names(&one["Action"], &action.into()) && names(&one["Resource"], &on);
            assert!(statements.iter().any(allowed), "{}: {action} on {on}", function.id);
        };
        for event in &function.events {
            match event {
                Event::Queue(trigger) => {
                    for action in ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility"] {
                        may(&format!("sqs:{action}"), arn(&trigger.queue));
                    }
                    let queue = model.queues.iter().find(|queue| queue.name == trigger.queue).unwrap();
                    let dead_letters = &queue.redrive_policy.as_ref().unwrap().dead_letter_queue;
                    may("sqs:SendMessage", arn(dead_letters));
                }
                Event::Stream(trigger) => {
                    for action in ["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"] {
                        may(&format!("dynamodb:{action}"), json!({"Fn::Sub": "${Table.Arn}/stream/*"}));
                    }
                    may("sqs:SendMessage", arn(trigger.on_failure().unwrap()));
                }
                Event::Schedule(_) => {
                    let config = &model.resources[&function.id]["Properties"]["EventInvokeConfig"];
                    may("sqs:SendMessage", config["DestinationConfig"]["OnFailure"]["Destination"].clone());
                }
                Event::HttpApi(_) => {}
            }
        }
    }
}

fn arn(resource: &str) -> Value {
    json!({"Fn::GetAtt": [resource, "Arn"]})
}

#[test]
fn what_few_functions_need_few_may_do() {
    let model = template();
    let everything = |one: &Value| names(&one["Resource"], &"*".into()) && !one["Action"].to_string().contains("xray:");
    assert_eq!(who_may(&model, everything), BTreeSet::new());
    let index = |one: &Value| one["Resource"].to_string().contains("${Table.Arn}/index/*");
    assert_eq!(who_may(&model, index), BTreeSet::from(["export", "reap"]));
    let batches = |one: &Value| names(&one["Action"], &"dynamodb:BatchWriteItem".into());
    let expected = ["dispatch", "fanout", "index", "reap", "users", "views"];
    assert_eq!(who_may(&model, batches), BTreeSet::from(expected));
    assert_eq!(who_may(&model, |one| one.to_string().contains("dynamodb:Scan")), BTreeSet::new());
    let mails = |one: &Value| {
        let is_bound = one["Condition"] == json!({"StringEquals": {"ses:FromAddress": {"Ref": "MailFrom"}}});
        names(&one["Action"], &"ses:SendEmail".into()) && is_bound
    };
    assert_eq!(who_may(&model, mails), BTreeSet::from(["notify"]));
    assert_eq!(who_may(&model, |one| one.to_string().contains("ses:")), BTreeSet::from(["notify"]));
    let keys = |one: &Value| {
        one["Action"] == "secretsmanager:GetSecretValue" && one["Resource"] == json!({"Ref": "SigningKeys"})
    };
    let told = model.functions.iter().filter(|one| {
        model.resources[&one.id]["Properties"]["Environment"]["Variables"].get("SIGNING_KEYS_ARN").is_some()
    });
    assert_eq!(who_may(&model, keys), told.map(|one| one.binary.as_str()).collect());
}

/// What would be lost with it stays when the stack goes, but not as the rest of a first deployment that failed.
#[test]
fn data_outlives_the_stack() {
    let model = template();
    let kinds = ["AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SecretsManager::Secret"];
    let of_kind = |resource: &&Value| kinds.iter().any(|kind| resource["Type"] == *kind);
    let resources: Vec<_> = model.resources.as_object().unwrap().values().filter(of_kind).collect();
    assert_eq!(resources.len(), 3);
    for resource in resources {
        assert_eq!(
            (&resource["DeletionPolicy"], &resource["UpdateReplacePolicy"]),
            (&json!("RetainExceptOnCreate"), &json!("Retain"))
        );
    }
}

/// Each metric of each thing that an alarm watches, `AWS/Lambda Errors of UsersFunction`, and the alarms' names.
fn watched(model: &Model) -> (BTreeSet<String>, BTreeSet<&str>) {
    let (mut watched, mut alarms) = (BTreeSet::new(), BTreeSet::new());
    let resources = model.resources.as_object().unwrap();
    for (id, alarm) in resources.iter().filter(|(_, one)| one["Type"] == "AWS::CloudWatch::Alarm") {
        let alarm = &alarm["Properties"];
        assert!(alarm["AlarmActions"][0].is_object(), "{id} tells nobody");
        alarms.insert(id.as_str());
        let queries: Vec<&Value> = alarm["Metrics"].as_array().into_iter().flatten().collect();
        assert!(queries.len() <= 11, "{id}: CloudWatch takes ten metrics and what is made of them");
        let expressions: String = queries.iter().filter_map(|one| one["Expression"].as_str()).collect();
        let metrics = queries.iter().filter(|one| one.get("MetricStat").is_some()).map(|one| {
            let name = one["Id"].as_str().unwrap();
            assert!(
                expressions.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name),
                "{id}: {name}"
            );
            &one["MetricStat"]["Metric"]
        });
        for metric in metrics.chain(alarm.get("MetricName").map(|_| alarm)) {
            let (namespace, of) = (metric["Namespace"].as_str(), &metric["Dimensions"][0]["Value"]);
            // Those of the stack's own namespace are of nothing in particular.
            let Some(of) = of["Ref"].as_str().or(of["Fn::GetAtt"][0].as_str()) else { continue };
            watched.insert(format!("{} {} of {of}", namespace.unwrap(), metric["MetricName"].as_str().unwrap()));
        }
    }
    (watched, alarms)
}

#[test]
fn all_that_can_fail_is_watched() {
    let model = template();
    let (watched, _) = watched(&model);
    let mut expected = BTreeSet::new();
    for function in &model.functions {
        for metric in ["Errors", "Throttles", "Duration"] {
            expected.insert(format!("AWS/Lambda {metric} of {}", function.id));
        }
        for event in &function.events {
            match event {
                Event::Queue(trigger) => {
                    expected.insert(format!("AWS/SQS ApproximateAgeOfOldestMessage of {}", trigger.queue));
                }
                Event::Stream(_) => {
                    expected.insert(format!("AWS/Lambda IteratorAge of {}", function.id));
                }
                Event::HttpApi(_) | Event::Schedule(_) => {}
            }
        }
    }
    let more = [
        "AWS/ApiGateway 5xx of HttpApi",
        "AWS/ApiGateway Latency of HttpApi",
        "AWS/DynamoDB ReadThrottleEvents of Table",
        "AWS/DynamoDB WriteThrottleEvents of Table",
        "AWS/SES Bounce of MailSending",
        "AWS/SES Complaint of MailSending",
    ];
    expected.extend(more.map(str::to_owned));
    let missing: Vec<_> = expected.difference(&watched).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_alarm_is_explained() {
    let model = template();
    let (_, alarms) = watched(&model);
    let rows = table(&read("docs/operations.md"), "## Alarms");
    let explained: Vec<_> = rows.iter().skip(2).flat_map(|row| quoted(&row[0])).collect();
    assert_eq!(explained.iter().copied().collect::<BTreeSet<_>>(), alarms);
    assert_eq!(explained.len(), alarms.len(), "each once");
}

/// SAM makes a new version of a function where code or template changed; a parameter's value changes the number that each
/// version's description names.
#[test]
fn a_rollout_takes_every_change_along() {
    let model = template();
    let mut gradual = BTreeSet::new();
    for function in
        model.functions.iter().filter(|one| one.events.iter().any(|event| matches!(event, Event::HttpApi(_))))
    {
        let properties = &model.resources[&function.id]["Properties"];
        assert_eq!(properties["AutoPublishAlias"], "live", "{}", function.id);
        assert_eq!(properties["AutoPublishAliasAllProperties"], true, "{}", function.id);
        assert_eq!(properties["VersionDescription"], json!({"Fn::Sub": "Parameters ${ParametersVersion}"}));
        let preference = &properties["DeploymentPreference"];
        assert_eq!(preference["Alarms"].as_array().map(Vec::len), Some(3), "{}", function.id);
        gradual.insert(format!("${{{}.Arn}}:*", function.id));
    }
    let role = &model.resources["RolloutRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"];
    let may_move =
        role[0]["Resource"].as_array().unwrap().iter().map(|one| one["Fn::Sub"].as_str().unwrap().to_owned());
    assert_eq!(may_move.collect::<BTreeSet<_>>(), gradual);
    let content = &model.resources["ParametersVersion"]["Properties"]["Content"]["Fn::Sub"][0];
    let named = content.as_str().unwrap().lines().map(|line| line.split('=').next().unwrap());
    assert_eq!(named.collect::<BTreeSet<_>>(), model.parameters.keys().map(String::as_str).collect());
}

#[test]
fn the_outputs_name_all_queues() {
    let document = read("template.yaml");
    let (_, outputs) = document.split_once("\nOutputs:\n").unwrap();
    let named: BTreeSet<_> =
        outputs.lines().filter_map(|line| line.trim().split_once("Url: ")).map(|(name, _)| name).collect();
    let missing: Vec<_> = template().queues.into_iter().filter(|queue| !named.contains(queue.name.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// `sam deploy --config-env …` sends these parameters.
#[test]
fn the_environments_name_parameters_of_the_template() {
    let (model, config) = (template(), read("samconfig.toml"));
    let overrides: Vec<_> = config.lines().filter_map(|line| line.strip_prefix("parameter_overrides = ")).collect();
    assert_eq!(overrides.len(), 3, "dev, staging, prod");
    let pairs = overrides.iter().flat_map(|line| line.trim_matches('"').split(' '));
    let given: BTreeSet<_> = pairs.map(|pair| pair.split_once('=').unwrap().0).collect();
    assert!(given.contains("MailFrom") && given.contains("DeletionProtection"), "{given:?}");
    assert!(given.iter().all(|name| model.parameters.contains_key(*name)), "{given:?}");
}
