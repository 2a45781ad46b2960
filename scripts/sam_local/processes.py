"""What runs meanwhile: a host, functions, cargo-lambda. Each is ended with the block that started it."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import requests

PATIENCE = 30
BINARIES = Path(sys.executable).parent


def target_folder():
    metadata = subprocess.check_output(["cargo", "metadata", "--no-deps", "--format-version", "1"])
    return Path(json.loads(metadata)["target_directory"]) / "debug"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, ask):
    """Asks again and again until there is an answer."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.05)
    raise TimeoutError(f"not in {PATIENCE} s: {what}")


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


@contextmanager
def process(name, command, environment, folder):
    """Runs a command in a group of its own; what it says goes into a file, shown when something fails."""
    log = Path(folder) / f"{name}.log"
    with log.open("wb") as out:
        started = subprocess.Popen(
            [str(part) for part in command],
            env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **environment},
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )
    started.log = log
    try:
        yield started
    except BaseException:
        print(f"--- the end of {name}'s log\n{log.read_text(errors='replace')[-600:]}", file=sys.stderr)
        raise
    finally:
        end(started)


def end(started):
    """Asks it to end, and then ends what is left of its group."""
    started.send_signal(signal.SIGINT)
    try:
        started.wait(5)
    except subprocess.TimeoutExpired:
        pass
    try:
        os.killpg(started.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    started.wait()


class Host:
    """A running `perch` on data of its own."""

    def __init__(self, perch, folder, url):
        self.perch, self.folder, self.url = perch, folder, url

    def env(self, *arguments):
        """What `perch env` prints."""
        return subprocess.check_output([self.perch, "env", "--data-dir", self.folder / "data", *arguments], text=True)

    def mail_to(self, address):
        """The newest mail to an address, when it is there."""
        def ask():
            mails = requests.get(f"{self.url}/_local/mail", headers={"accept": "application/json"}, timeout=PATIENCE)
            return next((mail for mail in mails.json() if address in mail["to"]), None)
        return until(f"a mail to {address}", ask)


@contextmanager
def host(target):
    with tempfile.TemporaryDirectory(prefix="perch-sam-local-") as folder:
        folder, perch = Path(folder), target / "perch"
        command = [perch, "--port", "0", "--quiet", "--no-rate-limits", "--data-dir", folder / "data"]
        with process("perch", command, {}, folder) as running:
            def said_url():
                assert running.poll() is None, "perch has ended"
                words = running.log.read_text().split()
                return "Stop" in words and next(word for word in words if word.startswith("http://"))
            yield Host(perch, folder, until("perch's address", said_url))


@contextmanager
def cargo_lambda_watch(folder, *arguments):
    """`cargo lambda watch` on a free port."""
    port = free_port()
    command = [BINARIES / "cargo-lambda", "lambda", "watch", "--ignore-changes", "-A", "127.0.0.1", "-P", port, *arguments]
    # With cargo's own variables.
    with process("cargo-lambda", command, os.environ, folder) as running:
        def is_there():
            assert running.poll() is None, "cargo lambda watch has ended"
            return answers(port)
        until("cargo lambda watch", is_there)
        yield port
