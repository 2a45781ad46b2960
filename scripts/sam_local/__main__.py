"""Every sample event by every way that runs a function on this machine, without Docker."""

import json
import os
import subprocess
import time
from contextlib import ExitStack, contextmanager

import requests

from journey import PICTURE, Person, journey
from processes import BINARIES, PATIENCE, cargo_lambda_watch, host, process, target_folder
from sam import Template, emulated, invoke, start_api
from samples import Request, samples

PASSED = "passed"
# What SAM and cargo-lambda do not do, by what the table says of it.
LIMITS = {
    "HTTP only": "their servers know requests alone; the event itself is handed over by the two ways to invoke",
    "no stages": "their servers have no named stages; the same request passed at the root",
}


class Way:
    """What samples are sent by, in their order: the sign-in among them gives the token for those after it."""

    def __init__(self):
        self.token = ""

    def run(self, all_samples):
        results = {}
        for sample in all_samples:
            try:
                results[sample.file] = self.send(sample)
            except Exception as error:
                raise AssertionError(f"{type(self).__name__}: {sample.file}") from error
        return results

    def keep_token(self, body):
        try:
            self.token = json.loads(body)["access_token"]
        except (KeyError, TypeError, ValueError):
            pass


class Invoked(Way):
    """The event itself is handed to the function."""

    def __init__(self, call):
        super().__init__()
        self.call = call

    def send(self, sample):
        answer = self.call(sample, sample.with_token(self.token))
        sample.check(answer)
        self.keep_token((answer or {}).get("body"))
        return PASSED


class Requested(Way):
    """The request that an event stands for is sent."""

    def __init__(self, url):
        super().__init__()
        self.url = url

    def send(self, sample):
        if not sample.is_http:
            return "HTTP only"
        event = sample.with_token(self.token)
        request = Request.of(event)
        if self.status(request) == int(sample.answer):
            return PASSED
        assert event["requestContext"]["stage"] != "$default", f"another answer than {sample.answer}"
        status = self.status(request.without_stage(event))
        assert status == int(sample.answer), f"{status} at the root"
        return "no stages"

    def status(self, request):
        answer = requests.request(
            request.method, self.url + request.path, headers=request.headers, data=request.body, timeout=PATIENCE)
        self.keep_token(answer.content)
        return answer.status_code


def by_emulator(target, template, all_samples):
    with host(target) as running, ExitStack() as stack:
        environments = template.check_environments(json.loads(running.env("--sam")))
        functions = {}

        def call(sample, event):
            name = sample.function
            if name not in functions:
                one = emulated(name, target / name, environments[name], running.folder)
                functions[name] = stack.enter_context(one)
            return functions[name](event)
        return Invoked(call).run(all_samples)


@contextmanager
def sam_functions(target, template, running):
    """All functions in SAM's environment, waiting on cargo-lambda's Runtime API; its address."""
    environments = template.check_environments(json.loads(running.env("--sam")))
    with cargo_lambda_watch(running.folder, "--only-lambda-apis") as port, ExitStack() as stack:
        for name, environment in environments.items():
            environment = {**environment, "AWS_LAMBDA_RUNTIME_API": f"http://127.0.0.1:{port}/.rt/{name}"}
            stack.enter_context(process(name, [target / name], environment, running.folder))
        yield f"http://127.0.0.1:{port}"


def by_start_api(target, template, all_samples):
    with host(target) as running, sam_functions(target, template, running) as runtime:
        with start_api(template, runtime) as url:
            results = Requested(url).run(all_samples)
            journey(url, running)
            check_text_only(url, running)
            return results


def check_text_only(url, running):
    """That SAM's server takes no body but text, as README says; the API does."""
    wren = Person(url, "wren")
    wren.sign_up(running)
    wren.call("POST", "/media", 502, data=PICTURE, headers={"content-type": "image/png"})
    wren.call("POST", "/media", 201, url=running.url, data=PICTURE, headers={"content-type": "image/png"})


def by_cargo_lambda(target, all_samples):
    """By `cargo lambda invoke`, and then once more by plain paths."""
    results = []
    for way in (cargo_lambda_invoke, lambda port, _: Requested(f"http://127.0.0.1:{port}")):
        with host(target) as running:
            variables = running.folder / "perch.env"
            variables.write_text(running.env("--env-file"))
            with cargo_lambda_watch(running.folder, "--env-file", variables) as port:
                results.append(way(port, running.folder).run(all_samples))
    return results


def cargo_lambda_invoke(port, folder):
    def call(sample, event):
        file = folder / "event.json"
        file.write_text(json.dumps(event))
        command = [BINARIES / "cargo-lambda", "lambda", "invoke", "-A", "127.0.0.1", "-P", str(port), sample.function,
                   "--data-file", file]
        return json.loads(subprocess.check_output(command, timeout=PATIENCE))
    return Invoked(call)


def check_unresolved(target, template):
    """Without an env-vars file a function says what to do."""
    environment = template.environments(None)["fanout"]
    environment["AWS_LAMBDA_RUNTIME_API"] = "127.0.0.1:1"
    ended = subprocess.run([target / "fanout"], env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode != 0 and "cargo run -- env --sam" in ended.stderr, ended.stderr


def show(ways, all_samples):
    columns = ["event", "function", *ways]
    rows = [[one.file, one.function, *(results[one.file] for results in ways.values())] for one in all_samples]
    widths = [max(len(row[column]) for row in [columns, *rows]) for column in range(len(columns))]
    for row in [columns, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    for limit, what in LIMITS.items():
        print(f"{limit}: {what}")
    print("sam local start-api answers 502 to a body that is not text, such as a raw picture")


def main():
    started = time.monotonic()
    # SAM takes credentials and region from here: the ones that `perch env` prints.
    os.environ |= {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local-secret"}
    target, template, all_samples = target_folder(), Template(), samples()
    check_unresolved(target, template)
    emulator = by_emulator(target, template, all_samples)
    api = by_start_api(target, template, all_samples)
    invoked, watched = by_cargo_lambda(target, all_samples)
    ways = {"sam local invoke": emulator, "sam local start-api": api,
            "cargo lambda invoke": invoked, "cargo lambda watch": watched}
    show(ways, all_samples)
    passed = sum(list(results.values()).count(PASSED) for results in ways.values())
    print(f"{passed} passed, 0 failed, {len(ways) * len(all_samples) - passed} not served; "
          f"sign-up to deletion by sam local start-api; {time.monotonic() - started:.0f} s")


main()
