"""The sample events, as events/README.md lists them, and the requests that they stand for."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

EVENTS = Path("events")


@dataclass
class Sample:
    file: str
    function: str
    answer: str
    event: dict

    @property
    def is_http(self):
        return self.file.startswith("http-")

    def with_token(self, token):
        """The event, with an access token where the file leaves room for one."""
        return json.loads(json.dumps(self.event).replace("ACCESS_TOKEN", token))

    def check(self, answer):
        """That a function's answer is the one the list tells."""
        if self.answer == "nothing failed":
            assert answer is None or answer.get("batchItemFailures") == [], answer
        else:
            assert isinstance(answer, dict) and answer.get("statusCode") == int(self.answer), answer


@dataclass
class Request:
    method: str
    path: str
    headers: dict
    body: bytes

    @classmethod
    def of(cls, event):
        query = event.get("rawQueryString")
        body = event.get("body") or ""
        left_out = {"host", "content-length", "accept-encoding"}
        return cls(
            event["requestContext"]["http"]["method"],
            event["rawPath"] + (f"?{query}" if query else ""),
            {name: value for name, value in event["headers"].items() if name not in left_out},
            base64.b64decode(body) if event["isBase64Encoded"] else body.encode(),
        )

    def without_stage(self, event):
        """The same on the default stage."""
        path = self.path.removeprefix("/" + event["requestContext"]["stage"])
        return Request(self.method, path, self.headers, self.body)


def samples():
    rows = [line.strip("| \n").split(" | ") for line in (EVENTS / "README.md").open() if line.startswith("|")]
    return [Sample(*map(str.strip, row), json.loads((EVENTS / row[0]).read_text())) for row in rows[2:]]
