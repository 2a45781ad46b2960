"""What Schemathesis needs to know beyond openapi.json: how to sign in, files that are pictures and videos, and which valid
requests are refused for reasons that no schema can say."""

import os
import subprocess
import unicodedata
import uuid
from pathlib import Path

import requests
import schemathesis
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from schemathesis import AuthContext, Case, CheckContext, HookContext, Response
from urllib3.util import Retry

ROOT = Path(__file__).parents[2]
URL = os.environ["FUZZ_URL"]
DATA = os.environ["FUZZ_DATA"]
MODERATOR = os.environ["FUZZ_ROLE"] == "moderator"
PASSWORD = "a tern over the harbour"
people = iter(range(10**6))

# With faults 503 is an answer like any other.
http = requests.Session()
patiently = Retry(total=20, status_forcelist=[503], allowed_methods=None, backoff_factor=0.1, backoff_max=1)
patiently.respect_retry_after_header = False
http.mount("http://", HTTPAdapter(max_retries=patiently))


def sign_up():
    name = f"fuzzer{next(people)}"
    body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    answer = http.post(f"{URL}/users", json=body, timeout=30)
    # 409 where the answer to an earlier try was lost.
    if answer.status_code != 409:
        answer.raise_for_status()
    if MODERATOR:
        command = [ROOT / "target/debug/perch", "moderator", name, "--data-dir", DATA]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return name


# Often, for among the operations are those that end sessions and accounts.
@schemathesis.auth(refresh_interval=5)
class SignedIn:
    def __init__(self):
        self.name = sign_up()

    def get(self, case: Case, context: AuthContext):
        body = {"username": self.name, "password": PASSWORD}
        answer = http.post(f"{URL}/users/login", json=body, timeout=30)
        if answer.status_code != 200:
            self.name = sign_up()
            return self.get(case, context)
        return answer.json()["access_token"]

    def set(self, case: Case, data: str, context: AuthContext):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


# Bytes at random are no picture, and what is behind their check would never be reached.
FILES = {
    "image/png": ["drawing.png", "grey16.png", "palette.png"],
    "image/jpeg": ["photo.jpg", "progressive.jpg"],
    "image/gif": ["moving.gif"],
    "image/webp": ["still.webp", "moving.webp"],
    "video/mp4": ["tide.mp4", "turned.mp4"],
    "video/webm": ["tide.webm"],
}


def files(names):
    return st.sampled_from([(ROOT / "formats/fixtures" / name).read_bytes() for name in names])


for content_type, names in FILES.items():
    schemathesis.openapi.media_type(content_type, files(names))
# The fuzzer's own among them, or nothing behind it would be reached.
schemathesis.openapi.format("password", st.one_of(st.just(PASSWORD), st.text(min_size=8, max_size=40)))
schemathesis.openapi.format("binary", files(FILES["image/png"] + FILES["image/jpeg"]))


def texts(value):
    match value:
        case str():
            yield value
        case dict():
            for part in value.values():
                yield from texts(part)
        case list():
            for part in value:
                yield from texts(part)


@schemathesis.hook
def filter_body(context: HookContext, body):
    """What counts as one character (a grapheme cluster) is several in JSON Schema, so that a text may be longer than that
    says. Left out, for the difference is meant."""
    return not any("\r\n" in text or any(map(unicodedata.combining, text)) for text in texts(body))


@schemathesis.hook
def filter_case(context: HookContext, case: Case):
    """What was made to be invalid and is valid once it is sent. A form's parts are texts: what was made no text, an object or
    a list of one, is one again. What is blank is as if it was not sent, in JSON, a form
    or a query (docs/api.md)."""
    if not (case.meta and case.meta.generation.mode.is_negative):
        return True
    body = case.body if isinstance(case.body, dict) else {}
    if any(isinstance(part, str) and not part.strip() for part in [*body.values(), *(case.query or {}).values()]):
        return False
    is_text = lambda part: isinstance(part, (str, bytes)) or isinstance(part, list) and len(part) != 1
    return case.media_type != "multipart/form-data" or all(map(is_text, body.values()))


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs):
    """The document's example of a key or a version would be sent again and again, with other bodies and to other things."""
    headers = case.headers or {}
    if "Idempotency-Key" in headers and case.meta and case.meta.generation.mode.is_positive:
        headers["Idempotency-Key"] = str(uuid.uuid4())
    if "If-Match" in headers and case.meta and case.meta.generation.mode.is_positive:
        headers.pop("If-Match")


# Codes of 422, by field, that a request gets which its schema allows: what they judge is the time, what is in the table, or
# several fields together.
ALLOWED = {
    ("publish_at", "in_past"): "the clock",
    ("publish_at", "too_far"): "the clock",
    ("publish_at", "not_allowed"): "what is shared in a group does not wait",
    ("media_ids", "not_found"): "only media of one's own",
    ("media_ids", "in_use"): "only once",
    ("media_ids", "not_ready"): "only once it arrived",
    ("media_ids", "too_many"): "four pictures, or one video",
    ("media_ids", "quota_exceeded"): "what one has stored",
    ("file", "quota_exceeded"): "what one has stored",
    ("size", "quota_exceeded"): "what one has stored",
    ("avatar_media_id", "not_found"): "only a picture of one's own",
    ("avatar_media_id", "in_use"): "only once",
    ("avatar_media_id", "not_ready"): "only once it arrived",
    ("avatar_media_id", "not_a_picture"): "it may be a video",
    ("publish_at", "too_many"): "how many wait",
    ("id", "too_deep"): "a reply has no replies",
    ("file", "not_uploaded"): "nothing was sent to storage",
    ("password", "required"): "for another session than one's own",
    ("website", "invalid_url"): "format says more of an address than its schema checks",
    ("name", "empty"): "it shows nothing",
    ("name", "required"): "it shows nothing",
    ("content", "empty"): "it shows nothing",
    ("interests", "empty"): "it shows nothing",
    ("query", "no_words"): "there is no word in it",
    ("q", "no_words"): "there is no word in it",
    ("media_ids", "not_allowed"): "a comment has none",
    ("image", "not_allowed"): "a comment has none",
    ("q", "too_many"): "eight words and filters",
    ("size", "too_large"): "less for a picture than for a video",
    ("group_id", "another"): "the path names one, too",
    ("avatar", "repeated"): "the picture, or its id",
    ("visibility", "fixed"): "a group keeps the one it was made with",
    ("action", "not_allowed"): "with `resolved` alone",
    ("action", "not_suspended"): "with a suspension alone",
    ("all", "conflict"): "with no ids",
    ("ids", "required"): "ids, or all",
    ("q", "required"): "one of three parameters",
    ("username", "required"): "a username or an address",
    ("content", "required"): "text, or media",
    ("current_password", "required"): "with `email` alone",
    ("id", "oneself"): "whose the post is",
    ("user", "oneself"): "who asks",
    ("email", "already_verified"): "it is",
}
# A new password must be none of 100,000, and hold no name of its owner's.
WEAKNESSES = {"common_password", "contains_username", "contains_email", "contains_full_name"}
# Of 400: the service's own texts, which no schema describes.
ALLOWED_PROBLEMS = {"invalid-cursor", "invalid-token"}


@schemathesis.check
def valid_requests_are_taken(ctx: CheckContext, response: Response, case: Case):
    """Refusals of valid requests, by their reason; the check of Schemathesis's own, positive_data_acceptance, knows statuses
    alone."""
    if response.status_code not in (400, 422) or not (case.meta and case.meta.generation.mode.is_positive):
        return
    problem = response.json()
    if problem["type"].rpartition("#")[2] in ALLOWED_PROBLEMS:
        return
    errors = [(error["field"], error["code"]) for error in problem.get("errors", [])]
    refused = [error for error in errors if error not in ALLOWED and error[1] not in WEAKNESSES]
    if not errors:
        refused = [problem["type"]]
    assert not refused, f"a valid request was refused: {refused}"


@schemathesis.check
def answers_faults_by_503(ctx: CheckContext, response: Response, case: Case):
    """With faults, no other server error comes. Without, not_a_server_error refuses that one, too."""
    assert response.status_code < 500 or response.status_code == 503, f"{response.status_code}"
