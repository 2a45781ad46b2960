"""Runs MiniStack, and tells what it keeps to itself.

Each decision of its IAM goes to the file $DECISIONS; on $WORK_PORT it answers what event source mappings have left to do.
"""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ministack.core import iam_evaluator, responses
from ministack.services import dynamodb, lambda_svc

decide = iam_evaluator.evaluate
decisions = Path(os.environ.pop("DECISIONS")).open("a", buffering=1)


def evaluate(context, policies, *limits):
    result = decide(context, policies, *limits)
    decision = {
        "principal": context.principal_arn,
        "action": context.action,
        "resource": context.resource_arn,
        "allowed": result.decision == "Allow",
    }
    decisions.write(json.dumps(decision) + "\n")
    return result


iam_evaluator.evaluate = evaluate


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
