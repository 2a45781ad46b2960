"""What each function's role allows, held against what the journeys were seen to ask for, both ways."""

import json
import re
from collections import defaultdict
from pathlib import Path

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

from deploy_check.accepted import ACCEPTED
from deploy_check.intrinsics import ACCOUNT, REGION, Resolver

# What the journeys asked for when they last ran, by function: action and resource.
RECORDED = Path(__file__).with_name("asked.json")
# What Lambda itself asks for in the function's name, as its developer guide lists it.
READS_QUEUE = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
READS_STREAM = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"]
WRITES_LOGS = ["logs:CreateLogStream", "logs:PutLogEvents"]
TRACES = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
# MiniStack's own name for the batch form of SendMessage.
ALIASES = {"sqs:SendMessageBatch": "sqs:SendMessage", "sqs:DeleteMessageBatch": "sqs:DeleteMessage"}


class Roles:
    def __init__(self, template):
        self.template, self.resolver = template, Resolver(template)
        self.resources = template["Resources"]
        self.functions = {name for name, one in self.resources.items() if one["Type"] == "AWS::Lambda::Function"}
        self.documents = {name: self.documents_of(name) for name in self.functions}
        self.statements = {
            name: [parse_policy_document(document) for document in documents]
            for name, documents in self.documents.items()
        }

    def documents_of(self, function):
        role = self.resources[function]["Properties"]["Role"]["Fn::GetAtt"][0]
        properties = self.resources[role]["Properties"]
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        for managed in properties.get("ManagedPolicyArns", []):
            if isinstance(managed, dict) and "Ref" in managed:
                documents.append(self.resources[managed["Ref"]]["Properties"]["PolicyDocument"])
        for one in self.resources.values():
            if one["Type"].startswith("AWS::IAM::") and {"Ref": role} in one["Properties"].get("Roles", []):
                documents.append(one["Properties"]["PolicyDocument"])
        return [self.resolver.resolve(document) for document in documents]

    def allows(self, function, action, resource):
        asked = EvalContext(
            principal_arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/{function}/{function}",
            principal_type="AssumedRole",
            principal_account=ACCOUNT,
            action=action,
            resource_arn=resource,
            region=REGION,
            service_context={"ses:fromaddress": self.resolver.parameters["MailFrom"]},
            principal_keys={},
        )
        return evaluate(asked, self.statements[function]).decision == "Allow"

    def by_lambda(self, function):
        """What Lambda asks for: to read sources, to tell of failures."""
        asked = []
        for one in self.resources.values():
            properties = one.get("Properties", {})
            if properties.get("FunctionName") != {"Ref": function}:
                continue
            if one["Type"] == "AWS::Lambda::EventSourceMapping":
                source = properties["EventSourceArn"]["Fn::GetAtt"]
                if source[1] == "StreamArn":
                    stream = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{source[0]}/stream/*"
                    asked += [(action, stream) for action in READS_STREAM]
                else:
                    asked += [(action, self.resolver.arn(source[0])) for action in READS_QUEUE]
            if one["Type"] in ("AWS::Lambda::EventSourceMapping", "AWS::Lambda::EventInvokeConfig"):
                failure = properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
                if failure:
                    asked.append(("sqs:SendMessage", self.resolver.resolve(failure)))
        return asked


def recorded():
    return json.loads(RECORDED.read_text())


def record(asked):
    lines = [
        f"{json.dumps(function)}: [\n  " + ",\n  ".join(json.dumps(one) for one in sorted(all)) + "\n]"
        for function, all in sorted(asked.items())
    ]
    RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    return json.loads(RECORDED.read_text())


def normalized(decisions, made):
    """Decisions by logical ids: {function: {action: {resource: …}}}; those refused as well."""
    names = {}
    for stack in made:
        names |= stack["names"]
    asked, refused = defaultdict(set), defaultdict(set)
    for decision in decisions:
        if ":assumed-role/" not in decision["principal"]:
            continue
        function = names.get(decision["principal"].rsplit("/", 1)[1])
        action = ALIASES.get(decision["action"], decision["action"])
        # A secret's ARN ends with six characters of Secrets Manager's.
        named = re.sub(r"(:secret:.+)-\w{6}$", r"\1", decision["resource"])
        parts = re.split(r"([:/])", named)
        resource = shortened("".join(names.get(part, part) for part in parts))
        if action == "ses:SendEmail":
            # MiniStack asks for mail on anything; AWS for the sender's identity and, in the sandbox, the recipient's.
            resource = f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/anybody@example.com"
        (asked if decision["allowed"] else refused)[function].add((action, resource))
    return asked, refused


def shortened(resource):
    """Objects by their folder, sockets by their API, streams by their table."""
    resource = re.sub(r"^(arn:aws:s3:::\w+/\w+/).+$", r"\1*", resource)
    return re.sub(r"(/@connections/).+$", r"\1*", resource)


def problems(template, asked):
    """What is asked for and not allowed, and what is allowed and nobody asks for."""
    roles, found = Roles(template), []
    for function in sorted(roles.functions):
        entries = [tuple(entry) for entry in asked.get(function, [])] + roles.by_lambda(function)
        if function not in asked:
            found.append(f"{function}: no journey had it ask for anything")
        if "ses:SendEmail" in [action for action, _ in entries]:
            # AWS asks for the set that the mail is sent with, too.
            sets = [name for name, one in roles.resources.items() if one["Type"] == "AWS::SES::ConfigurationSet"]
            place = f"arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set"
            entries += [("ses:SendEmail", f"{place}/{name}") for name in sets]
        for action, resource in entries:
            if not roles.allows(function, action, resource):
                found.append(f"{function} may not {action} on {resource}")
        found += unused(roles, function, entries)
    return found


def unused(roles, function, entries):
    used = entries + [(action, "*") for action in WRITES_LOGS + TRACES]
    for document in roles.documents[function]:
        for statement in listed(document["Statement"]):
            for action in listed(statement["Action"]):
                for resource in listed(statement["Resource"]):
                    if any(matches(action, asked, resource, on) for asked, on in used):
                        continue
                    if not any(is_accepted(one, roles, function, action, resource) for one in ACCEPTED["permissions"]):
                        yield f"{function} may {action} on {resource}, and no journey needs it"


def is_accepted(one, roles, function, action, resource):
    if action not in one["actions"] or not {function, "*"} & set(one["functions"]):
        return False
    variables = roles.resources[function]["Properties"]["Environment"]["Variables"]
    own = {"{own queue}": "OWN_QUEUE_URL", "{own dead letters}": "OWN_DLQ_URL"}
    end = one["resource"]
    for place, variable in own.items():
        end = end.replace(place, variables.get(variable, {}).get("Ref", "none"))
    return resource.endswith(end)


def matches(action, asked, resource, on):
    def like(pattern):
        return re.compile(".*".join(map(re.escape, pattern.split("*"))) + "$", re.IGNORECASE)

    return like(action).match(asked) and (on == "*" or like(resource).match(on))


def listed(value):
    return value if isinstance(value, list) else [value]
