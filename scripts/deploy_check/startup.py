"""How long a function takes from its start to its first poll, and its memory after the first call."""

import json
import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median

RUNS = 5


class Runtime:
    """Lambda's Runtime API for one process: one event, and then nothing more."""

    def __init__(self, event):
        self.event, self.polled, self.answered = event, threading.Event(), threading.Event()
        handler = type("Api", (Api,), {"runtime": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        # The process is ended while it polls.
        self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Api(BaseHTTPRequestHandler):
    runtime = None

    def do_GET(self):
        if self.runtime.polled.is_set():
            # Until the process is ended.
            time.sleep(60)
            return
        self.runtime.polled.set()
        self.reply(
            200,
            json.dumps(self.runtime.event).encode(),
            {
                "Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
                "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 30_000),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:000000000000:function:measured",
                "content-type": "application/json",
            },
        )

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.runtime.answered.set()
        self.reply(202, b"{}", {})

    def reply(self, status, body, headers):
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def measure(path, environment, event):
    """Milliseconds to the first poll, and megabytes after the first call."""
    runtime = Runtime(event)
    variables = {
        "PATH": os.environ["PATH"],
        **environment,
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime.server.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": "measured",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_LOG_STREAM_NAME": "measured",
        "AWS_LAMBDA_LOG_GROUP_NAME": "measured",
    }
    started = time.perf_counter()
    process = subprocess.Popen([path], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        while not runtime.polled.wait(0.0005):
            if process.poll() is not None:
                raise SystemExit(f"{path} ends at its start: {process.stderr.read()[-500:]}")
        polled = (time.perf_counter() - started) * 1000
        runtime.answered.wait(20)
        return polled, memory(process.pid)
    finally:
        process.kill()
        process.wait()
        runtime.server.shutdown()
        runtime.server.server_close()


def memory(process):
    with open(f"/proc/{process}/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    return int(lines["VmHWM"].split()[0]) / 1024


def samples(root):
    """An event for each function: the first that events/README.md lists."""
    events = {}
    for line in (root / "events/README.md").read_text().splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if len(cells) > 2 and cells[0].endswith(".json"):
            events.setdefault(cells[1], json.loads((root / "events" / cells[0]).read_text()))
    return events


def table(root, paths, environments):
    """Prints each binary's size, memory and start, in a stack of its own."""
    events = samples(root)
    print(f"   {'function':15} {'MiB':>6} {'zip MiB':>8} {'first poll, ms':>15} {'MiB after a call':>17}")
    for binary, (path, zipped) in sorted(paths.items()):
        runs = [measure(path, environments[binary], events.get(binary, {})) for _ in range(RUNS)]
        size, packed = (file.stat().st_size / 2**20 for file in (path, zipped))
        start, high = median(run[0] for run in runs), max(run[1] for run in runs)
        print(f"   {binary:15} {size:6.1f} {packed:8.1f} {start:15.0f} {high:17.1f}")
