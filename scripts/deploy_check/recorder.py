"""Runs MiniStack, and tells what it keeps to itself.

Each decision of its IAM goes to the file $DECISIONS; on $WORK_PORT it answers what event source mappings have to do.
"""

import json
import os
import threading
from contextvars import ContextVar
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ministack.core import iam_evaluator, responses
from ministack.services import dynamodb, lambda_svc

enforce, evaluate = iam_evaluator.enforce, iam_evaluator.evaluate
decisions = Path(os.environ.pop("DECISIONS")).open("a", buffering=1)
# Who asks for what, as the decision under way sees it.
asking = ContextVar("asking", default=None)


def remembering(context, policies, *limits):
    # The first is the caller's own policies; a resource's follow.
    if asking.get() is None:
        asking.set(context)
    return evaluate(context, policies, *limits)


def recording(*arguments, **named):
    token = asking.set(None)
    refusal = enforce(*arguments, **named)
    if context := asking.get():
        decision = {
            "principal": context.principal_arn,
            "action": context.action,
            "resource": context.resource_arn,
            "allowed": refusal is None,
        }
        decisions.write(json.dumps(decision) + "\n")
    asking.reset(token)
    return refusal


iam_evaluator.evaluate, iam_evaluator.enforce = remembering, recording


class Work(BaseHTTPRequestHandler):
    """`GET /?mapping,mapping`: the records of the stream not read to their end, and the batches that run."""

    def do_GET(self):
        asked = self.path.partition("?")[2].split(",")
        left = {}
        for account, region, mapping in lambda_svc._iter_all_esms():
            id, table = mapping["UUID"], mapping.get("EventSourceArn", "").partition(":table/")[2].partition("/")[0]
            if id not in asked:
                continue
            if running := lambda_svc._esm_inflight.get(id, 0):
                left[f"running {mapping['EventSourceArn']}"] = running
            responses._request_account_id.set(account)
            responses._request_region.set(region)
            if table and (unread := self.unread(id, table)):
                left[f"stream of {table}"] = unread
        body = json.dumps(left).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @staticmethod
    def unread(mapping, table):
        start = dynamodb.stream_start_position(table)
        return dynamodb.stream_end_position(table) - lambda_svc._dynamodb_stream_positions.get(mapping, start)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    from ministack.app import main

    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.pop("WORK_PORT"))), Work)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    main()
