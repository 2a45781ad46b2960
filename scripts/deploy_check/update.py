"""A stack in use takes another template, and leaves nothing when it is deleted."""

import json
import urllib.error
import urllib.request

PERSON = {"username": "gull", "email": "gull@example.com", "password": "wind over cold water"}
LEFT = [
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("dynamodb", "list_tables", "TableNames", None),
    ("sqs", "list_queues", "QueueUrls", None),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("secretsmanager", "list_secrets", "SecretList", "Name"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("events", "list_rules", "Rules", "Name"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("apigatewayv2", "get_apis", "Items", "ApiId"),
]


def check(stacks):
    """Creates, updates and deletes a stack; what went wrong."""
    one = stacks.create("update", {})
    before = functions(one)
    signed_up = post(f"{one.url}/users", PERSON)
    changed = json.loads(json.dumps(one.template))
    for resource in changed["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["MemorySize"] = 1024
    seconds = one.stack.update(changed, one.parameters | {"LogLevel": "debug"})
    after = functions(one)
    problems = []
    if signed_up != 201 or post(f"{one.url}/login", PERSON) != 200:
        problems.append("whoever signed up before an update does not sign in after it")
    if set(before) != set(after) or any(one["MemorySize"] != 1024 for one in after.values()):
        problems.append("an update does not reach every function")
    if any(one["Environment"]["Variables"].get("RUST_LOG") != "debug" for one in after.values()):
        problems.append("an update's parameter does not reach every function")
    clients = {service: one.stack.client(service) for service, *_ in LEFT}
    stacks.delete(one.stack.name)
    problems += [f"the deleted stack leaves {name}" for name in left(clients, f"{one.stack.name}-", one)]
    print(f"   created in {one.seconds:.1f} s, updated in {seconds:.1f} s, deleted")
    return problems


def functions(one):
    client = one.clients["lambda"]
    return {
        name: client.get_function_configuration(FunctionName=name) for name in one.ids("AWS::Lambda::Function").values()
    }


def left(clients, prefix, one):
    own = {physical for _, physical in one.resources.values()}
    for service, act, key, name in LEFT:
        for found in getattr(clients[service], act)().get(key, []):
            found = found if name is None else found[name]
            if prefix in found or found in own:
                yield f"{service} {found}"


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code
