//! What `docs/operations.md` says of the template is compared with it, and what the template must say for work to be done
//! to its end.

use crate::samples::{read, table};
use local::template::{Event, Model};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn template() -> Model {
    Model::parse(&read("template.yaml"), &BTreeMap::new()).unwrap()
}

/// What stands between backticks in a text, in its order.
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
        let properties = &model.resources[&function.id]["Properties"];
        if properties["RecursiveLoop"] == "Allow" {
            allowed.insert(function.id.as_str());
        }
        let sends: Vec<&Value> =
            statements(properties).filter(|one| names(&one["Action"], &"sqs:SendMessage".into())).collect();
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

/// What a function's own policies say.
fn statements(properties: &Value) -> impl Iterator<Item = &Value> {
    let policies = properties["Policies"].as_array().into_iter().flatten();
    policies.filter_map(|policy| policy["Statement"].as_array()).flatten()
}

/// That a part of a statement, one thing or a list, names this.
fn names(part: &Value, this: &Value) -> bool {
    part == this || part.as_array().is_some_and(|all| all.contains(this))
}
