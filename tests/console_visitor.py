"""Somebody in front of the console, with a browser that keeps the cookies of a server without TLS too."""

import re
import time
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPConnection, RemoteDisconnected
from urllib.parse import urlencode, urljoin, urlsplit

import requests

from models import console_sessions
from web.console.guard import COOKIES

TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')
WAIT_S = 20


@dataclass
class ConsoleVisitor:
    """A browser. ``address`` is whom the rate limits count."""

    url: str
    address: str = "10.9.0.1"
    cookies: dict[str, str] = field(default_factory=dict)
    form_token: str = ""

    def get(self, path: str, **headers: str) -> requests.Response:
        """Open a page, without following where it leads."""
        return self._keep(requests.get(self.at(path), headers=self._headers(headers), timeout=WAIT_S, **NO_WAY))

    def post(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> requests.Response:
        """Send a form of the last page."""
        data = {"token": self.form_token, **(fields or {})}
        return self._keep(
            requests.post(self.at(path), data=data, headers=self._headers(headers), timeout=WAIT_S, **NO_WAY)
        )

    def send(self, method: str, path: str, fields: dict[str, str]) -> tuple[int, str]:
        """Send anything, as a query where there is no body; the status and the text of the answer.

        The connection is kept: of ten thousand requests, opening one takes a third of the time.
        """
        said, headers = urlencode(fields), self._headers({})
        body = said if method == "POST" else None
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif said:
            path += f"?{said}"
        try:
            return self._ask(method, path, body, headers)
        except (RemoteDisconnected, ConnectionError):  # it was idle for too long
            self._connection.close()
            return self._ask(method, path, body, headers)

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, str]:
        self._connection.request(method, path, body, headers)
        with self._connection.getresponse() as answer:
            return answer.status, answer.read().decode(errors="replace")

    def close(self) -> None:
        """Close the connection of :meth:`send`."""
        self._connection.close()

    @cached_property
    def _connection(self) -> HTTPConnection:
        return HTTPConnection(urlsplit(self.url).netloc, timeout=WAIT_S)

    def follow(self, answer: requests.Response) -> requests.Response:
        """Go where an answer leads, to the end."""
        while answer.status_code in (302, 303):
            answer = self.get(answer.headers["Location"])
        return answer

    def log_in(self, user_id: int) -> requests.Response:
        """Use a new link of this person, and come to the first page."""
        token = console_sessions.make_link(user_id, int(time.time()))
        answer = self.post(f"/console/login/{token}", Origin=self.url)
        assert answer.status_code == 303, answer.text
        return self.follow(answer)

    def at(self, path: str) -> str:
        """The address of a path."""
        return urljoin(self.url, path)

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        held = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        return {"X-Real-IP": self.address, **held, **{name.replace("_", "-"): value for name, value in more.items()}}

    def _keep(self, answer: requests.Response) -> requests.Response:
        for name in COOKIES.values():
            if found := re.search(rf"{name}=([^;]+)", answer.headers.get("Set-Cookie", "")):
                self.cookies[name] = found[1]
        if found := TOKEN.search(answer.text if "html" in answer.headers.get("Content-Type", "") else ""):
            self.form_token = found[1]
        return answer


NO_WAY = {"allow_redirects": False}
