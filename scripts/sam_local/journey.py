"""One person's way from sign-up to deletion, against any address of the API, beside a host that does the background's work."""

import base64
import re

import requests

from processes import PATIENCE, until

PASSWORD = "wind over cold water"
# 32 by 32.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAMUlEQVR42mOYc+IZTRHDqAWjFoxaMGrBqAVDwoJDK6poikYtGLVg1IJRC0Yt"
    "GBIWAABEtVx5mSDdRwAAAABJRU5ErkJggg=="
)


class Person:
    def __init__(self, url, name):
        self.url, self.name, self.token = url, name, None

    def call(self, method, path, expected, json=None, url=None, **options):
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= options.pop("headers", {})
        answer = requests.request(
            method, (url or self.url) + path, json=json, headers=headers, timeout=PATIENCE, **options)
        assert answer.status_code == expected, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content and "json" in answer.headers["content-type"] else answer

    def sign_up(self, host):
        address = f"{self.name}@example.com"
        account = {"username": self.name, "email": address, "password": PASSWORD}
        self.call("POST", "/users", 201, account)
        token = re.search(r"verify\?token=([\w-]+)", host.mail_to(address)["text"])[1]
        assert self.call("POST", "/users/verify", 200, {"token": token})["email_verified"]
        self.sign_in()

    def sign_in(self, url=None):
        account = {"username": self.name, "password": PASSWORD}
        self.token = self.call("POST", "/login", 200, account, url=url)["access_token"]


def journey(url, host):
    """Sign-up to deletion at `url`; a token of either side works on the other."""
    heron, plover = Person(url, "heron"), Person(url, "plover")
    heron.sign_up(host)
    plover.sign_up(host)
    assert heron.call("GET", "/users/me", 200, url=host.url)["username"] == "heron"
    heron.sign_in(url=host.url)
    assert heron.call("GET", "/users/me", 200)["email_verified"]

    assert plover.call("POST", "/users/heron/follow", 200)["following"]
    post = heron.call("POST", "/posts", 201, {"content": "Low tide, @plover. #mudflats"})
    until("the post in the feed", lambda: plover.call("GET", "/feed", 200)["items"])
    assert plover.call("POST", f"/posts/{post['id']}/like", 200)["likes_count"] == 1
    until("notifications", lambda: len(heron.call("GET", "/notifications", 200)["items"]) == 2)
    assert heron.call("GET", "/openapi.json", 200, headers={"accept-encoding": "gzip"})["openapi"]

    upload = heron.call("POST", "/media/uploads", 201, {"content_type": "image/png", "size": len(PICTURE)})
    sent = requests.request(**upload["upload"], data=PICTURE, timeout=PATIENCE)
    assert sent.status_code == 200, sent.text
    picture = heron.call("POST", f"/media/{upload['id']}/complete", 200)["url"]
    shown = requests.get(picture.replace(host.url, url), timeout=PATIENCE)
    assert shown.status_code == 200 and shown.headers["content-type"] == "image/png", shown.headers

    heron.call("POST", "/users/delete", 204, {"password": PASSWORD})
    heron.call("GET", "/users/me", 401)
    plover.call("GET", "/users/heron", 404)
    plover.call("POST", "/users/logout", 204)
    plover.call("GET", "/feed", 401)
