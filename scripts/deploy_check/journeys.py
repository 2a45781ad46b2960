"""The project's own tests, each on a stack of its own."""

import json
import os
import re
import subprocess

from deploy_check.accepted import ACCEPTED

NEEDS_LOCAL_HOST = "needs the local host"


def binary(root):
    """Builds the tests and says where they lie."""
    command = ["cargo", "test", "--package", "tests", "--test", "it", "--no-run", "--message-format", "json"]
    output = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = (json.loads(line) for line in output.splitlines() if line.startswith("{"))
    (path,) = [one["executable"] for one in messages if one.get("executable")]
    return path


def names(root, tests, wanted):
    """Which tests run, and how those ended that do not: skipped, with the reason."""
    listed = subprocess.run([tests, "--list", *wanted], capture_output=True, text=True, check=True, cwd=root / "tests")
    names = [line.removesuffix(": test") for line in listed.stdout.splitlines() if line.endswith(": test")]
    ends = {name: ("skipped", reason) for name in names if (reason := skip(name))}
    return [name for name in names if name not in ends], ends


def run(root, tests, stacks, names, threads, log):
    """Runs tests on stacks; how each ended: passed, skipped or failed, with the reason."""
    environment = os.environ | {
        "STACKS_URL": stacks.url,
        "RUST_BACKTRACE": "0",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-central-1",
    }
    command = [tests, "--exact", "--include-ignored", "--test-threads", str(threads), *names]
    output = subprocess.run(command, cwd=root / "tests", env=environment, capture_output=True, text=True)
    log.write(output.stdout + output.stderr)
    log.flush()
    return ended(output.stdout, names)


def skip(name):
    module, _, _ = name.partition("::")
    return ACCEPTED["tests"].get(name) or ACCEPTED["modules"].get(module)


def ended(output, names):
    told = {
        name: how
        for name, how in re.findall(
            r"^test (\S+)(?: - should panic)? \.\.\. (?:.*\n)*?(ok|FAILED|ignored)\b", output, re.MULTILINE
        )
    }
    reasons = dict(
        re.findall(r"^---- (\S+) stdout ----\n(.*?)(?=^---- |^failures:|\Z)", output, re.MULTILINE | re.DOTALL)
    )
    return {name: end(told.get(name), reasons.get(name, "")) for name in names}


def end(told, reason):
    if found := re.search(f"{NEEDS_LOCAL_HOST}: (.+)", reason):
        return "skipped", f"{NEEDS_LOCAL_HOST}: {found[1]}"
    if told == "ok":
        return "passed", ""
    lines = [line for line in reason.splitlines() if line and "RUST_BACKTRACE" not in line]
    return "failed", "\n      ".join(lines[:6])[:800] or "it did not end"
