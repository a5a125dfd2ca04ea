"""Whom the pages count as one visitor."""

import pytest
from flask import Flask

from web.rate_limits import visitor


@pytest.mark.parametrize(
    ("behind_proxy", "peer", "header", "counted"),
    [
        (True, "10.0.0.1", "203.0.113.7", "203.0.113.7"),
        (True, "127.0.0.1", " 203.0.113.7", "127.0.0.1"),
        (True, "127.0.0.1", "none", "127.0.0.1"),
        (True, "127.0.0.1", None, "127.0.0.1"),
        (True, "8.8.8.8", "203.0.113.7", "8.8.8.8"),
        (False, "127.0.0.1", "203.0.113.7", "127.0.0.1"),
        (True, "fd12::1", "2a00:1450:4003:80e::200e", "2a00:1450:4003:80e::/64"),
        (False, "2a00:1450:4003:80e:1:2:3:4", None, "2a00:1450:4003:80e::/64"),
        (True, "::ffff:100.64.0.3", "::ffff:203.0.113.7", "203.0.113.7"),
        (True, "::ffff:8.8.8.8", "203.0.113.7", "8.8.8.8"),
        (True, "2a00:1450:4003:80e::1", "203.0.113.7", "2a00:1450:4003:80e::/64"),
        (True, "", "203.0.113.7", "unknown"),
    ],
)
def test_who_counts_as_one_visitor(behind_proxy: bool, peer: str, header: str | None, counted: str) -> None:
    app = Flask(__name__)
    app.config["BEHIND_PROXY"] = behind_proxy
    headers = {} if header is None else {"X-Real-IP": header}
    with app.test_request_context(headers=headers, environ_base={"REMOTE_ADDR": peer}):
        assert visitor() == counted
