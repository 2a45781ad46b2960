"""Stacks for the tests: each test that asks gets one of its own, and what it may do with it, over HTTP on the loopback.

The tests' side is tests/support/stack.rs.
"""

import itertools
import json
import re
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from deploy_check import emulator
from deploy_check.emulator import REGION, ROOT_KEY
from deploy_check.stack import Stack

# How long work may take to come to its end.
SETTLE_LIMIT = 60
KEYS = Credentials(ROOT_KEY["AWS_ACCESS_KEY_ID"], ROOT_KEY["AWS_SECRET_ACCESS_KEY"])


class TestStack:
    """The stack of one test."""

    def __init__(self, ministack, clients, template, number, test, parameters):
        self.ministack, self.clients, self.test = ministack, clients, test
        self.stack = Stack(ministack.url, f"perch-{number}", clients)
        ids = emulator.api_ids(template, number)
        urls = {api: f"{ministack.url}/_aws/execute-api/{id}" for api, id in ids.items()}
        self.url = next(url for api, url in urls.items() if emulator.is_http(template, api))
        sockets = next(url for api, url in urls.items() if not emulator.is_http(template, api))
        self.sockets_url = sockets.replace("http", "ws", 1)
        parameters = {
            "PublicUrl": self.url.replace("127.0.0.1", "localhost"),
            "SocketsUrl": self.sockets_url,
            # Mails of all stacks lie in one mailbox.
            "MailFrom": f"{self.stack.name}@example.com",
            **parameters,
        }
        self.sender = re.search(r"[^<> ]+@([^<> ]+)", parameters["MailFrom"])
        clients["ses"].verify_domain_identity(Domain=self.sender[1])
        self.template, self.parameters = emulator.adapt(template, ministack.url, ids), parameters
        self.seconds = self.stack.create(self.template, parameters)
        self.resources = self.stack.resources()

    def ids(self, kind):
        return {name: physical for name, (type, physical) in self.resources.items() if type == kind}

    def environments(self):
        """What each function's process finds in its environment, by its binary's name; the keys are the root's."""
        environments = {}
        for name, function in self.ids("AWS::Lambda::Function").items():
            given = self.clients["lambda"].get_function_configuration(FunctionName=function)
            variables = given.get("Environment", {}).get("Variables", {})
            binary = emulator.binary(self.template, name)
            own = {"AWS_REGION": REGION, "AWS_LAMBDA_FUNCTION_NAME": function, **ROOT_KEY}
            environments[binary] = variables | own
        return environments

    def description(self):
        (table,) = self.ids("AWS::DynamoDB::Table").values()
        return {
            "name": self.stack.name,
            "url": self.url,
            "sockets_url": self.sockets_url,
            "endpoint": self.ministack.url,
            "table": table,
            "environments": self.environments(),
            "queues": self.ids("AWS::SQS::Queue"),
        }

    def mails(self):
        """The mails sent, newest first, in the form of the local host's."""
        answer = json.load(urllib.request.urlopen(f"{self.ministack.url}/_ministack/ses/messages"))
        mails = [mail for mails in answer["messages"].values() for mail in mails if self.sender[0] in mail["Source"]]
        return [
            {
                "id": mail["MessageId"],
                "sent_at": str(mail["Timestamp"]),
                "to": [*mail["To"], *mail["CC"], *mail["BCC"]],
                "from": mail["Source"],
                "subject": mail["Subject"],
                "text": mail["BodyText"] or "",
                "html": mail["BodyHtml"] or "",
                "headers": {},
            }
            for mail in reversed(mails)
        ]

    def counts(self, queue):
        names = ["", "NotVisible", "Delayed"]
        attributes = self.clients["sqs"].get_queue_attributes(
            QueueUrl=queue, AttributeNames=[f"ApproximateNumberOfMessages{name}" for name in names]
        )["Attributes"]
        visible, hidden, delayed = (int(attributes[f"ApproximateNumberOfMessages{name}"]) for name in names)
        return {"visible": visible, "in_flight": hidden, "delayed": delayed}

    def queues(self, dead):
        queues = self.ids("AWS::SQS::Queue")
        dead_letters = emulator.dead_letter_queues(self.template)
        return {name: url for name, url in queues.items() if (name in dead_letters) == dead}

    def settle(self):
        """Waits until the stream is read to its end and every queue is empty, dead letters aside; says what is left."""
        mappings = ",".join(self.ids("AWS::Lambda::EventSourceMapping").values())
        deadline, quiet = time.monotonic() + SETTLE_LIMIT, 0
        while time.monotonic() < deadline:
            left = {name: sum(self.counts(url).values()) for name, url in self.queues(dead=False).items()}
            state = json.load(urllib.request.urlopen(f"{self.ministack.work_url}/?{mappings}"))
            left = {name: count for name, count in left.items() if count} | state
            # A record read last may have sent a message to a queue counted first.
            quiet = quiet + 1 if not left else 0
            if quiet == 2:
                return {}
            time.sleep(0.05)
        return left

    def letters(self, queue):
        """Up to ten dead letters, which stay where they are."""
        received = self.clients["sqs"].receive_message(
            QueueUrl=self.resources[queue][1],
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            MessageAttributeNames=["All"],
        )
        return [
            {
                "body": letter["Body"],
                "attributes": {name: one["StringValue"] for name, one in letter.get("MessageAttributes", {}).items()},
            }
            for letter in received.get("Messages", [])
        ]

    def enable(self, enabled):
        """Holds stream, queues and schedules, or lets them go on."""
        for mapping in self.ids("AWS::Lambda::EventSourceMapping").values():
            self.clients["lambda"].update_event_source_mapping(UUID=mapping, Enabled=enabled)
        for rule in self.ids("AWS::Events::Rule").values():
            act = self.clients["events"].enable_rule if enabled else self.clients["events"].disable_rule
            act(Name=rule.split("|")[-1])
        while not enabled and self.running():
            time.sleep(0.02)
        return {}

    def running(self):
        mappings = ",".join(self.ids("AWS::Lambda::EventSourceMapping").values())
        state = json.load(urllib.request.urlopen(f"{self.ministack.work_url}/?{mappings}"))
        return any("running" in what for what in state)

    def invoke(self, binary, event):
        (name,) = [name for name in self.ids("AWS::Lambda::Function") if emulator.binary(self.template, name) == binary]
        answer = self.clients["lambda"].invoke(FunctionName=self.resources[name][1], Payload=json.dumps(event).encode())
        payload = json.load(answer["Payload"])
        return {"failed": payload} if answer.get("FunctionError") else {"answer": payload}

    def dead_letters(self):
        """What was left in dead-letter queues: each queue with the letters' reasons."""
        left = {}
        for name in self.queues(dead=True):
            if letters := self.letters(name):
                left[name] = [letter["attributes"].get("reason", letter["body"][:200]) for letter in letters]
        return left


class Stacks:
    """Makes stacks and gives them to tests; `made` tells of each one that is gone. No two have a number in common, whichever
    MiniStack they are on, for decisions are told apart by it."""

    numbers = itertools.count(1)

    def __init__(self, ministack, template, zips, made):
        self.ministack, self.template = ministack, template
        one = Stack(ministack.url)
        self.clients = {name: one.client(name) for name in ["cloudformation", "s3", "sqs", "lambda", "events", "ses"]}
        Stack(ministack.url, clients=self.clients).put(zips)
        self.open, self.made = {}, made
        self.http = urllib3.PoolManager()

    def __enter__(self):
        handler = type("Handler", (Handler,), {"stacks": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        # A test that fails hangs up.
        self.server.handle_error = lambda *_: None
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        for name in list(self.open):
            self.delete(name)

    def create(self, test, parameters):
        stack = TestStack(self.ministack, self.clients, self.template, next(self.numbers), test, parameters)
        self.open[stack.stack.name] = stack
        return stack

    def delete(self, name):
        stack = self.open.pop(name)
        # What still runs would be refused once its role is gone.
        stack.enable(False)
        left = stack.dead_letters()
        names = logical_names(stack.resources)
        # With the stack alone MiniStack leaves their processes running.
        for function in stack.ids("AWS::Lambda::Function").values():
            self.clients["lambda"].delete_function(FunctionName=function)
        seconds = stack.stack.delete()
        self.made.append(
            {
                "stack": name,
                "test": stack.test,
                "created": stack.seconds,
                "deleted": seconds,
                "dead_letters": left,
                "names": names,
            }
        )

    def aws(self, target, body):
        """One call as the root, which the tests do not sign."""
        if target == "AmazonSQS.StartMessageMoveTask":
            return self.move(json.loads(body))
        service = "sqs" if target.startswith("AmazonSQS") else "dynamodb"
        headers = {"x-amz-target": target, "content-type": "application/x-amz-json-1.0"}
        request = AWSRequest("POST", self.ministack.url + "/", data=body, headers=headers)
        SigV4Auth(KEYS, service, REGION).add_auth(request)
        return self.http.request("POST", request.url, body=body, headers=dict(request.headers)).data

    def move(self, task):
        """MiniStack does not know StartMessageMoveTask: what it does, by hand."""
        sqs = self.clients["sqs"]
        source, to = (
            sqs.get_queue_url(QueueName=task[end].rsplit(":", 1)[1])["QueueUrl"]
            for end in ("SourceArn", "DestinationArn")
        )
        while letters := sqs.receive_message(
            QueueUrl=source, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            for letter in letters:
                sqs.send_message(
                    QueueUrl=to, MessageBody=letter["Body"], MessageAttributes=letter.get("MessageAttributes", {})
                )
                sqs.delete_message(QueueUrl=source, ReceiptHandle=letter["ReceiptHandle"])
        return {"TaskHandle": "done"}


def logical_names(resources):
    """Physical names by logical ids: how recorded decisions are told apart from their stack."""
    named = {name: physical for name, (kind, physical) in resources.items() if not kind.endswith("::Stage")}
    return {re.split(r"[:/|]", physical)[-1]: name for name, physical in named.items()}


class Handler(BaseHTTPRequestHandler):
    stacks = None
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.act()

    def do_GET(self):
        self.act()

    def do_DELETE(self):
        self.act()

    def act(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            answer, status = self.answer([urllib.parse.unquote(one) for one in self.path.split("/")[1:]], body), 200
        except BaseException as error:  # The test is to see it.
            answer, status = json.dumps({"error": f"{type(error).__name__}: {error}"}).encode(), 500
        if not isinstance(answer, bytes):
            answer = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def answer(self, path, body):
        stacks = self.stacks
        match self.command, *path:
            case "POST", "aws":
                return stacks.aws(self.headers["x-amz-target"], body)
            case "POST", "stacks":
                asked = json.loads(body)
                return stacks.create(asked["test"], asked["parameters"]).description()
            case "DELETE", "stacks", name:
                return stacks.delete(name) or {}
            case "GET", "stacks", name, "mails":
                return stacks.open[name].mails()
            case "POST", "stacks", name, "settle":
                return stacks.open[name].settle()
            case "POST", "stacks", name, ("pause" | "resume") as what:
                return stacks.open[name].enable(what == "resume")
            case "POST", "stacks", name, "invoke", function:
                return stacks.open[name].invoke(function, json.loads(body))
            case "GET", "stacks", name, "queues", queue:
                return stacks.open[name].counts(stacks.open[name].resources[queue][1])
            case "GET", "stacks", name, "dead-letters", queue:
                return stacks.open[name].letters(queue)
        raise KeyError(self.path)

    def log_message(self, *_):
        pass
