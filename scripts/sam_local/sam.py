"""SAM's own code, without its containers: the environment of a function, the Runtime Interface Emulator, the API."""

import json
import logging
import platform
import threading
from contextlib import contextmanager
from pathlib import Path

import requests
import samcli
from samcli.commands.local.lib.local_lambda import LocalLambdaRunner
from samcli.lib.providers.api_provider import ApiProvider
from samcli.lib.providers.sam_function_provider import SamFunctionProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider
from samcli.local.apigw.local_apigw_service import LocalApigwService
from werkzeug.serving import make_server

from processes import PATIENCE, answers, free_port, process, until

TEMPLATE = "template.yaml"
# The emulator that SAM puts into each container.
MACHINE = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine().lower()]
EMULATOR = Path(samcli.__file__).parent / "local" / "rapid" / f"aws-lambda-rie-{MACHINE}"


class Template:
    def __init__(self):
        self.stacks, _ = SamLocalStackProvider.get_stacks(TEMPLATE)
        self.provider = SamFunctionProvider(self.stacks, use_raw_codeuri=True, ignore_code_extraction_warnings=True)
        self.functions = {one.metadata["BuildProperties"]["Binary"]: one for one in self.provider.get_all()}

    def binary(self, function):
        return self.provider.get(function).metadata["BuildProperties"]["Binary"]

    def environments(self, env_vars):
        """What `sam local` gives each function, with an env-vars file or with none."""
        runner = LocalLambdaRunner(None, self.provider, ".", ".", env_vars_values=env_vars)
        return {binary: runner._make_env_vars(function).resolve() for binary, function in self.functions.items()}

    def check_environments(self, env_vars):
        """That a function gets all the file has for it, and nothing as it stands in the template."""
        found = self.environments(env_vars)
        for binary, function in self.functions.items():
            given = {**env_vars["Parameters"], **env_vars.get(function.name, {})}
            for name in function.environment["Variables"]:
                value = found[binary][name]
                assert value == given.get(name) and "{{resolve:" not in value, f"{binary}: {name}={value}"
                assert value or not name.startswith("AWS_ENDPOINT_URL"), f"{binary}: {name} is empty"
        return found


@contextmanager
def emulated(function, binary, environment, folder):
    """A function under the Runtime Interface Emulator: a call that hands it one event."""
    port = free_port()
    command = [EMULATOR, "--log-level", "error", "--runtime-interface-emulator-address", f"127.0.0.1:{port}",
               "--runtime-api-address", f"127.0.0.1:{free_port()}", binary]
    with process(f"rie-{function}", command, environment, folder):
        until(f"the emulator of {function}", lambda: answers(port))
        yield lambda event: invoke(f"http://127.0.0.1:{port}", "function", event)


def invoke(url, function, event):
    """Invokes a function, as the SDKs do."""
    url = f"{url}/2015-03-31/functions/{function}/invocations"
    answer = requests.post(url, data=json.dumps(event), timeout=PATIENCE)
    return json.loads(answer.text) if answer.text else None


class Runner:
    """In place of containers: functions that wait on a Runtime API."""

    def __init__(self, template, runtime):
        self.template, self.runtime = template, runtime

    def invoke(self, function_identifier, event, stdout=None, **_):
        url = f"{self.runtime}/2015-03-31/functions/{self.template.binary(function_identifier)}/invocations"
        stdout.write_str(requests.post(url, data=event.encode(), timeout=PATIENCE).text)

    def is_debugging(self):
        return False


@contextmanager
def start_api(template, runtime):
    """`sam local start-api`'s server; its address."""
    api = ApiProvider(template.stacks, cwd=".").api
    service = LocalApigwService(api, Runner(template, runtime), port=0, host="127.0.0.1")
    service.create()
    # A line for each request, and one for the body that it does not take.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    logging.getLogger("samcli").setLevel(logging.CRITICAL)
    server = make_server("127.0.0.1", 0, service._app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
