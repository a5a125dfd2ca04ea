"""What stands before the shop in the demo: the address that the world knows, and the browser inside a telephone.

Every page comes from the web program, unchanged but for this: the demo's page may show it in a frame, as Telegram's
own client may show the Mini App; ``t.me`` leads back into the chat, as a telephone opens Telegram; and the Mini App
finds the object that Telegram's applications put into it (https://core.telegram.org/api/web-events).
"""

import re
from collections.abc import Iterator

import requests
from werkzeug.wrappers import Request, Response

PUBLIC = "https://peaje.example"
"""The shop's address as its settings have it."""
BACK = "/back-to-the-chat"
DROPPED = {"connection", "keep-alive", "transfer-encoding", "content-encoding", "content-length", "x-frame-options"}
INJECTED = b"""window.TelegramWebviewProxy = {
  postEvent: function (name) { window.parent.postMessage({ telegram: name }, "%s"); }
};
"""
RETURN = """<!doctype html><html lang="en"><title>Telegram</title><h1>Back to the chat</h1>
<script>window.parent.postMessage({ telegram: "web_app_close" }, "%s");</script>"""


class Front:
    """Passes requests on to *upstream*, and lets *page*, an origin, show what comes back."""

    def __init__(self, page: str) -> None:
        self.page = page
        self.upstream = ""

    def respond(self, request: Request) -> Response:
        """The web program's answer to *request*; 502 where it gives none."""
        if request.path == BACK:
            return Response(RETURN % self.page, content_type="text/html")
        try:
            answer = self._asked(request)
        except requests.RequestException:
            return Response("<h1>The shop's web program is away</h1>", 502, content_type="text/html")
        body = self._body(request, answer)
        response = Response(body, answer.status_code)
        response.headers.clear()
        for name, value in self._headers(answer):
            response.headers.add(name, value)
        if isinstance(body, bytes):
            response.headers["Content-Length"] = str(len(body))
        return response

    def _asked(self, request: Request) -> requests.Response:
        headers = {name: value for name, value in request.headers if name.lower() not in DROPPED}
        return requests.request(
            request.method,
            self.upstream + request.full_path.rstrip("?"),
            headers=headers | {"Accept-Encoding": "identity"},
            data=request.get_data(),
            allow_redirects=False,
            stream=True,
            timeout=60,
        )

    def _body(self, request: Request, answer: requests.Response) -> bytes | Iterator[bytes]:
        if "html" in answer.headers.get("Content-Type", ""):
            return re.sub(rb'href="(?:https://t\.me|tg:)[^"]*"', b'href="%s"' % BACK.encode(), answer.content)
        if request.path.endswith("/miniapp.js"):
            return INJECTED % self.page.encode() + answer.content
        return answer.iter_content(1 << 16)

    def _headers(self, answer: requests.Response) -> Iterator[tuple[str, str]]:
        for name, value in answer.raw.headers.items():
            if name.lower() == "content-security-policy":
                yield name, re.sub("frame-ancestors [^;]*", f"frame-ancestors {self.page}", value)
            elif name.lower() == "location":
                yield name, value.removeprefix(PUBLIC)
            elif name.lower() not in DROPPED:
                yield name, value
