"""MiniStack: its process, and what it reads otherwise than AWS.

AWS gets the translation as it is. Each change here names the gap that it closes.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

REGION = "eu-central-1"
ROOT_KEY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
# Where the SDKs take another address from; the functions ask for these.
ENDPOINTS = ["", "_DYNAMODB", "_S3", "_SESV2", "_SQS", "_SECRETSMANAGER"]


class MiniStack:
    """MiniStack on a free port of the loopback, with IAM enforced. Its decisions are added to a file, a line of JSON each:
    principal, action, resource, allowed, and what conditions may ask for."""

    def __init__(self, folder, decisions):
        self.folder, self.decisions = Path(folder), decisions
        self.log = self.folder / "ministack.log"
        self.url = f"http://127.0.0.1:{free_port()}"
        self.work_url = f"http://127.0.0.1:{free_port()}"
        self.process = None

    def __enter__(self):
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **ROOT_KEY,
            "AUTH": "true",
            "AWS_ENDPOINT_URL": self.url,
            "BIND_HOST": "127.0.0.1",
            "DECISIONS": str(self.decisions),
            "GATEWAY_PORT": self.url.rsplit(":", 1)[1],
            "IOT_MTLS_ENABLED": "false",
            "MINISTACK_REGION": REGION,
            # Its worker processes' folders.
            "TMPDIR": str(self.folder),
            "WORK_PORT": self.work_url.rsplit(":", 1)[1],
        }
        command = [sys.executable, "-m", "deploy_check.recorder"]
        self.process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment | {"PYTHONPATH": str(Path(__file__).parents[1])},
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
        )
        self.wait()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def wait(self):
        for _ in range(300):
            if self.process.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"{self.url}/_ministack/ready", timeout=2).read()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"MiniStack does not start:\n{self.log.read_text()[-2000:]}")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def binary(template, function):
    return template["Resources"][function]["Metadata"]["BuildProperties"]["Binary"]


def is_http(template, api):
    return template["Resources"][api]["Properties"].get("ProtocolType", "HTTP") == "HTTP"


def dead_letter_queues(template):
    """Queues that nothing reads."""
    mappings = [one for one in template["Resources"].values() if one["Type"] == "AWS::Lambda::EventSourceMapping"]
    read = {source["Fn::GetAtt"][0] for one in mappings if (source := one["Properties"].get("EventSourceArn"))}
    queues = {name for name, one in template["Resources"].items() if one["Type"] == "AWS::SQS::Queue"}
    return queues - read


def api_ids(template, number):
    """Ids of the stack's APIs, so that their addresses are known before they are there."""
    apis = sorted(name for name, one in template["Resources"].items() if one["Type"] == "AWS::ApiGatewayV2::Api")
    return {api: f"p{number:05}{place}" for place, api in enumerate(apis)}


def adapt(template, url, ids):
    """The translation as MiniStack takes it."""
    secrets = {name for name, one in template["Resources"].items() if one["Type"] == "AWS::SecretsManager::Secret"}
    adapted = name_secrets_by_arn(template, secrets)
    resources = adapted["Resources"]
    for api, id in ids.items():
        resources[api]["Properties"].setdefault("Tags", {})["ms-custom-id"] = id
    for name, resource in list(resources.items()):
        # Stacks come and go: nothing is kept.
        resource.pop("DeletionPolicy", None)
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::ApiGatewayV2::Api" if "Body" in properties:
                resources |= routes(name, properties)
            case "AWS::Lambda::Function":
                point(properties, url)
            case "AWS::Lambda::EventSourceMapping":
                simplify_filters(properties)
            case "AWS::CloudWatch::Alarm" if "Metrics" in properties:
                use_one_metric(properties)
            case "AWS::S3::BucketPolicy":
                # There is no TLS, without which the bucket refuses everybody.
                del resources[name]
            case "AWS::IAM::Role":
                for policy in properties.get("Policies", []):
                    widen(policy["PolicyDocument"])
            case "AWS::IAM::ManagedPolicy" | "AWS::IAM::Policy":
                widen(properties["PolicyDocument"])
    return adapted


def name_secrets_by_arn(value, secrets):
    """A copy in which no secret is referred to: MiniStack takes that for its name, CloudFormation for its ARN."""
    match value:
        case {"Ref": str(name)} if name in secrets:
            return {"Fn::GetAtt": [name, "Id"]}
        case dict():
            return {name: name_secrets_by_arn(one, secrets) for name, one in value.items()}
        case list():
            return [name_secrets_by_arn(one, secrets) for one in value]
    return value


def routes(api, properties):
    """MiniStack ignores an HTTP API's OpenAPI body: its routes and integrations as resources, CORS as a property."""
    body = properties.pop("Body")
    properties.pop("FailOnWarnings", None)
    properties |= {"Name": body["info"]["title"], "ProtocolType": "HTTP"}
    if cors := body.get("x-amazon-apigateway-cors"):
        # It looks for the names of the API's calls there, not CloudFormation's. SAM puts lists in their places when it
        # translates; a stack of a test may have others.
        properties["CorsConfiguration"] = cors | {"allowOrigins": {"Ref": "AllowOrigins"}}
    made = {}
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            number = len(made) // 2
            integration = operation["x-amazon-apigateway-integration"]
            key = f"{'ANY' if 'any' in method else method.upper()} {path}"
            made[f"{api}Integration{number}"] = {
                "Type": "AWS::ApiGatewayV2::Integration",
                "Properties": {
                    "ApiId": {"Ref": api},
                    "IntegrationType": "AWS_PROXY",
                    "IntegrationUri": integration["uri"],
                    "IntegrationMethod": "POST",
                    "PayloadFormatVersion": integration["payloadFormatVersion"],
                },
            }
            made[f"{api}Route{number}"] = {
                "Type": "AWS::ApiGatewayV2::Route",
                "Properties": {
                    "ApiId": {"Ref": api},
                    "RouteKey": "$default" if "$default" in path else key,
                    "Target": {"Fn::Join": ["/", ["integrations", {"Ref": f"{api}Integration{number}"}]]},
                },
            }
    return made


def point(function, url):
    """There is no TLS and no name server: every service is at MiniStack's one address."""
    variables = function["Environment"]["Variables"]
    for service in ENDPOINTS:
        variables[f"AWS_ENDPOINT_URL{service}"] = url
    for name, value in variables.items():
        # The WebSocket API's own address, wherever it stands.
        if "CONNECTIONS" in name and "execute-api" in json.dumps(value):
            api = re.search(r"\$\{(\w*Socket\w*)\}", json.dumps(value)).group(1)
            variables[name] = {"Fn::Sub": f"{url}/_aws/execute-api/${{{api}}}"}
            variables["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"] = variables[name]


def use_one_metric(alarm):
    """MiniStack takes no alarm over an expression: one over its first metric."""
    stat = next(one["MetricStat"] for one in alarm.pop("Metrics") if "MetricStat" in one)
    alarm |= {
        "MetricName": stat["Metric"]["MetricName"],
        "Namespace": stat["Metric"]["Namespace"],
        "Dimensions": stat["Metric"].get("Dimensions", []),
        "Period": stat["Period"],
        "Statistic": "Sum",
    }


def simplify_filters(mapping):
    """MiniStack does not match {"exists": false} where the map around the field is missing as well."""
    for one in mapping.get("FilterCriteria", {}).get("Filters", []):
        one["Pattern"] = re.sub(r'\{"\w+":\[\{"exists":false\}\]\}', '[{"exists":false}]', one["Pattern"])


def widen(document):
    """MiniStack asks for an action that IAM does not know; and for mail on any resource, not saying from whom."""
    statements = document["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        actions = statement.get("Action", [])
        actions = [actions] if isinstance(actions, str) else list(actions)
        if "sqs:SendMessage" in actions:
            actions.append("sqs:SendMessageBatch")
        if "ses:SendEmail" in actions:
            statement["Resource"] = "*"
            statement.pop("Condition", None)
        statement["Action"] = actions
