"""Signs in for Schemathesis."""

import os
import uuid

import requests
import schemathesis

URL = os.environ["FUZZ_URL"]
PASSWORD = "a tern over the harbour"
people = iter(range(10**6))


def sign_up():
    name = f"fuzzer{next(people)}"
    body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    requests.post(f"{URL}/users", json=body, timeout=30).raise_for_status()
    return name


# Often, for among the operations are those that end sessions and accounts.
@schemathesis.auth(refresh_interval=5)
class SignedIn:
    def __init__(self):
        self.name = sign_up()

    def get(self, case, context):
        body = {"username": self.name, "password": PASSWORD}
        answer = requests.post(f"{URL}/users/login", json=body, timeout=30)
        if answer.status_code != 200:
            self.name = sign_up()
            return self.get(case, context)
        return answer.json()["access_token"]

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """The document's example of a key or a version would be sent again and again, with other bodies and to other things."""
    headers = case.headers or {}
    if "Idempotency-Key" in headers and case.meta and case.meta.generation.mode.is_positive:
        headers["Idempotency-Key"] = str(uuid.uuid4())
    if "If-Match" in headers and case.meta and case.meta.generation.mode.is_positive:
        headers.pop("If-Match")
