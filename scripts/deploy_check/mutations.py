"""Faults made in the template: what it says is taken out, or changed, one thing at a time."""

import copy
import random
import re
from dataclasses import dataclass

import yaml

# What a mutation leaves alone: it says nothing that anybody relies on.
PROSE = {"Description", "AlarmDescription", "Metadata"}
# A mutation's kinds, and how many of each hundred are of it.
KINDS = [
    "action",
    "resource",
    "route",
    "variable",
    "queue",
    "source",
    "alarm",
    "function",
    "data",
    "stage",
    "parameter",
]


class Loader(yaml.SafeLoader):
    """Short forms (`!Ref X`) in their long form."""


def construct(loader, tag, node):
    name = tag if tag in ("Ref", "Condition") else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if tag == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", construct)
# `on` is a word here, as CloudFormation has it, and so are dates.
Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] in ("int", "float", "null")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


def load(text):
    return yaml.load(text, Loader)


@dataclass
class Mutation:
    kind: str
    path: tuple
    # None takes it out.
    value: object = None

    def __str__(self):
        what = "taken out" if self.value is None else f"is {self.value!r}"
        return f"{self.kind}: {'.'.join(map(str, self.path))} {what}"

    def of(self, template):
        mutated = copy.deepcopy(template)
        *way, last = self.path
        place = mutated
        for step in way:
            place = place[step]
        if self.value is None:
            del place[last]
        else:
            place[last] = self.value
        return mutated


def changed(value):
    """Another value of the same form; None where there is none that is surely wrong."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 7
        case str() if value.startswith("/"):
            return value.replace("/", "/other-", 1)
        case str():
            return f"{value}Other"
        case {"Ref": str(name)} if not name.startswith("AWS::"):
            return {"Ref": "AWS::StackName"}
        case {"Fn::GetAtt": [str(name), "Arn"]} if name.endswith("Dlq"):
            return {"Fn::GetAtt": ["FanoutDlq" if name != "FanoutDlq" else "NotifyDlq", "Arn"]}
        case {"Fn::GetAtt": [str(name), "Arn"]} if name.endswith("Queue"):
            return {"Fn::GetAtt": ["FanoutQueue" if name != "FanoutQueue" else "NotifyQueue", "Arn"]}
    return None


def mutations(template):
    """All of them."""
    found = []
    for name, variables in variables_of(template):
        for variable, value in variables.items():
            found += both("variable", (*name, variable), value)
    for name, resource in template["Resources"].items():
        path, properties = ("Resources", name), resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::Serverless::Function":
                found += function(path, properties)
            case "AWS::IAM::ManagedPolicy" | "AWS::IAM::Policy":
                found += [
                    Mutation("action", (*path, "Properties", "Roles", n))
                    for n in range(len(properties.get("Roles", [])))
                ]
                found += statements((*path, "Properties", "PolicyDocument"), properties["PolicyDocument"])
            case "AWS::IAM::Role":
                managed = range(len(properties.get("ManagedPolicyArns", [])))
                found += [Mutation("action", (*path, "Properties", "ManagedPolicyArns", n)) for n in managed]
                for n, policy in enumerate(properties.get("Policies", [])):
                    found += statements(
                        (*path, "Properties", "Policies", n, "PolicyDocument"), policy["PolicyDocument"]
                    )
            case "AWS::SQS::Queue":
                found += everything("queue", (*path, "Properties"), properties)
            case "AWS::CloudWatch::Alarm":
                found.append(Mutation("alarm", path))
                found += everything("alarm", (*path, "Properties"), properties)
            case "AWS::Lambda::EventSourceMapping" | "AWS::Events::Rule" | "AWS::Lambda::EventInvokeConfig":
                found.append(Mutation("source", path))
                found += everything("source", (*path, "Properties"), properties)
            case "AWS::DynamoDB::Table" | "AWS::S3::Bucket" | "AWS::SecretsManager::Secret":
                found += everything("data", (*path, "Properties"), properties)
            case kind if "Api" in kind or kind == "AWS::Lambda::Permission":
                if "Stage" in kind or "Permission" in kind:
                    found.append(Mutation("stage", path))
                found += everything("stage", (*path, "Properties"), properties)
    for name, parameter in template["Parameters"].items():
        found += both("parameter", ("Parameters", name, "Default"), parameter.get("Default", "none"))
    return found


def variables_of(template):
    place = ("Globals", "Function", "Environment", "Variables")
    yield place, template["Globals"]["Function"]["Environment"]["Variables"]
    for name, resource in template["Resources"].items():
        variables = resource.get("Properties", {}).get("Environment", {}).get("Variables", {})
        yield ("Resources", name, "Properties", "Environment", "Variables"), variables


def function(path, properties):
    place, found = (*path, "Properties"), []
    for n, policy in enumerate(properties.get("Policies", [])):
        if isinstance(policy, dict) and "Statement" in policy:
            found += statements((*place, "Policies", n), policy)
        else:
            found.append(Mutation("action", (*place, "Policies", n)))
    for event, one in properties.get("Events", {}).items():
        kind = "route" if one["Type"] == "HttpApi" else "source"
        found.append(Mutation(kind, (*place, "Events", event)))
        found += everything(kind, (*place, "Events", event, "Properties"), one.get("Properties", {}))
    for name, value in properties.items():
        if name not in {"Policies", "Events", "Environment", *PROSE}:
            found += everything("function", (*place, name), value) or both("function", (*place, name), value)
    return found


def statements(path, document):
    found = []
    for n, statement in enumerate(document["Statement"]):
        for part, kind in [("Action", "action"), ("Resource", "resource"), ("Condition", "action")]:
            value, place = statement.get(part), (*path, "Statement", n, part)
            if isinstance(value, list):
                found += [Mutation(kind, (*place, m)) for m in range(len(value))]
            elif part == "Condition" and value is not None:
                found.append(Mutation(kind, place))
            elif value is not None:
                found.append(Mutation(kind, (*path, "Statement", n)))
            if part == "Resource":
                ones = (
                    [((*place, m), one) for m, one in enumerate(value)] if isinstance(value, list) else [(place, value)]
                )
                found += [Mutation(kind, at, other) for at, one in ones if (other := changed(one))]
    return found


def both(kind, path, value):
    """Taken out; and changed, where that is possible."""
    other = changed(value)
    return [Mutation(kind, path)] + ([Mutation(kind, path, other)] if other is not None else [])


def everything(kind, path, value):
    """Each thing below a place, taken out and changed."""
    found = []
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    for name, below in entries:
        if name in PROSE or name == "DeletionPolicy":
            continue
        inner = not is_function(below) and isinstance(below, dict | list)
        found += (
            [Mutation(kind, (*path, name))] + everything(kind, (*path, name), below)
            if inner
            else both(kind, (*path, name), below)
        )
    return found


def is_function(value):
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def sample(template, count, seed=7):
    """So many, of each kind in turn."""
    by_kind = {kind: [] for kind in KINDS}
    for mutation in mutations(template):
        by_kind[mutation.kind].append(mutation)
    dice, chosen = random.Random(seed), []
    for kind in KINDS:
        dice.shuffle(by_kind[kind])
    while len(chosen) < count and any(by_kind.values()):
        chosen += [by_kind[kind].pop() for kind in KINDS if by_kind[kind]]
    return chosen[:count]
