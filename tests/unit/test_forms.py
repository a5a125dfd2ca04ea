"""Whether a page of ours sent a form, by what its browser says."""

from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from config.settings import load
from tests import environment
from web.edge import forms

SHOP = "https://shop.example"


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({}, True),
        ({"Origin": SHOP}, True),
        ({"Origin": "https://SHOP.example"}, True),
        ({"Origin": "http://10.0.0.7:8000"}, True),
        ({"Origin": SHOP, "Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Origin": SHOP, "Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": ""}, False),
        ({"Origin": "https://shop.example:444"}, False),
        ({"Origin": "https://other.shop.example"}, False),
        ({"Origin": "ftp://shop.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": ""}, False),
        ({"Origin": "https://["}, False),
    ],
)
def test_a_form_comes_from_a_page_under_our_names(tmp_path: Path, headers: dict[str, str], *, is_ours: bool) -> None:
    app = Flask(__name__)
    app.extensions["settings"] = replace(load(environment.minimal(tmp_path), None), backend_url=SHOP)

    with app.test_request_context(method="POST", base_url="http://10.0.0.7:8000", headers=headers):
        assert forms.is_origin_ours() is is_ours
        assert forms.is_ours("é", "é") is is_ours
        assert not forms.is_ours("", "é")


def test_each_kind_of_session_has_tokens_of_its_own(tmp_path: Path) -> None:
    app = Flask(__name__)
    app.extensions["settings"] = load(environment.minimal(tmp_path), None)

    with app.test_request_context():
        made = {forms.token(purpose, session) for purpose in (b"set-up", b"console") for session in ("a", "b")}
        assert len(made) == 4 and forms.token(b"console", "a") in made
