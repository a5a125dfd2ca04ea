"""Who may set the shop up: the one browser that began, in private, for a day; and what all others are told."""

import re
import socket
from collections.abc import Iterator
from functools import partial

import pytest
import requests

from tests.first_start import COOKIE, NOBODY, Founder, Installation, installation, secrets_in
from tests.operator_browser import said
from tests.paypal_shop import until


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An empty volume, on which set-up runs."""
    with installation(NOBODY, tmp_path_factory.mktemp("empty"), alone=False, BEHIND_PROXY="yes") as built:
        built.start().until("setup")
        yield built


@pytest.fixture
def address(empty: Installation) -> str:
    """A new address."""
    return re.findall(r"(/setup/[\w-]{20,})", empty.command("setup"))[0]


@pytest.fixture
def founder(empty: Installation, address: str) -> Founder:
    """The owner of set-up, who has yet to say what is there."""
    began = Founder(empty.url)
    began.begin(address)
    began.get("/setup/")
    began.post("/setup/", {"what": ""})
    return began


def choose_language(founder: Founder, language: str) -> str:
    """Begin a new shop in this language; the page that follows."""
    founder.press(founder.page("/setup/"), "what")
    return founder.fill(founder.page("/setup/step/language"), language=language)


def heading(answer: requests.Response) -> str:
    return re.findall(r"<h1>(.*?)</h1>", answer.text)[0]


def test_the_console_shows_an_address_and_no_log_does(empty: Installation) -> None:
    secret = empty.address().rpartition("/")[2]

    assert requests.get(empty.url + empty.address(), timeout=10).status_code in (200, 409, 410)
    assert len(secret) >= 22
    logs = [empty.volume / "logs"]
    until(lambda: secrets_in(logs, ["request.served"]), "the request in the log")
    assert not secrets_in(logs, [secret])
    assert secret.encode() not in (empty.volume / "peaje.db").read_bytes()


def test_looking_changes_nothing(empty: Installation, address: str) -> None:
    for method in ("GET", "HEAD", "GET"):
        answer = requests.request(method, empty.url + address, timeout=10)
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers


def test_the_first_who_begins_owns_it_and_a_second_is_told(empty: Installation, address: str) -> None:
    first, second = Founder(empty.url), Founder(empty.url)

    page = first.begin(address)
    refused = [
        second.get(address),
        second.post(address),
        second.get("/setup/"),
        second.post("/setup/", {"what": "new"}),
    ]

    assert "What is there already?" in page
    assert [answer.status_code for answer in refused] == [409, 409, 403, 403]
    assert not second.cookies
    assert "What is there already?" in first.page("/setup/")
    assert COOKIE in first.cookies and address not in page


def test_who_has_begun_is_led_on_at_the_same_address(empty: Installation, address: str) -> None:
    owner = Founder(empty.url)
    owner.begin(address)

    answers = [owner.get(address), owner.post(address)]

    assert [(each.status_code, each.headers["Location"]) for each in answers] == [(303, "/setup/")] * 2


def test_who_has_begun_is_led_on_at_an_address_of_before(empty: Installation, address: str, founder: Founder) -> None:
    empty.command("setup")  # as a start of the container does

    answers = [founder.get(address), founder.post(address)]

    assert [(each.status_code, each.headers.get("Location")) for each in answers] == [(303, "/setup/")] * 2
    assert requests.get(empty.url + address, timeout=10).status_code == 410, "to everybody else it is nothing"


def test_a_new_address_ends_the_old_one_and_takes_over(empty: Installation, address: str, founder: Founder) -> None:
    later = re.findall(r"(/setup/[\w-]{20,})", empty.command("setup"))[0]
    still = founder.get("/setup/").status_code
    other = Founder(empty.url)

    other.begin(later)

    assert requests.get(empty.url + address, timeout=10).status_code == 410
    assert [still, founder.get("/setup/").status_code] == [200, 403]
    assert other.get("/setup/").status_code == 200


@pytest.mark.parametrize(
    "secret", ["x" * 22, "language-of-the-house-1", "a" * 500, "%00" * 8, "..%2f..%2fetc%2fpasswd"]
)
def test_no_other_address_opens(empty: Installation, secret: str) -> None:
    visitor = Founder(empty.url)

    for answer in (visitor.get(f"/setup/{secret}"), visitor.post(f"/setup/{secret}")):
        assert answer.status_code in (404, 405, 410)
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [{"X_Forwarded_For": "203.0.113.7"}, {"X_Real_IP": "203.0.113.7"}, {"Host": "shop.example"}],
    ids=["forwarded", "real", "host"],
)
def test_over_plain_http_nothing_is_taken(founder: Founder, address: str, headers: dict[str, str]) -> None:
    founder.get("/setup/")
    answers = [
        founder.get("/setup/", **headers),
        founder.post("/setup/", {"what": "new"}, **headers),
        founder.post("/setup/step/bot", {"bot_token": "123456789:" + "A" * 35}, **headers),
        founder.post(address, **headers),
    ]

    assert {(answer.status_code, heading(answer)) for answer in answers} == {(403, "This needs https://")}
    assert "What is there already?" in founder.page("/setup/")


@pytest.mark.parametrize("wrong", ["token", "origin", "site"])
def test_a_form_of_another_page_is_not_taken(founder: Founder, wrong: str) -> None:
    founder.get("/setup/")
    headers = {"origin": {"Origin": "https://evil.example"}, "site": {"Sec_Fetch_Site": "cross-site"}}.get(wrong, {})
    fields = {"what": "new"} | ({"token": "0" * 64} if wrong == "token" else {})

    answer = founder.post("/setup/", fields, **headers)

    assert answer.status_code == 403
    assert "What is there already?" in founder.page("/setup/")


@pytest.mark.parametrize("path", ["/setup/step/bot", "/setup/step/admin", "/setup/step/prices", "/setup/last"])
def test_no_step_is_left_out(founder: Founder, path: str) -> None:
    founder.press(founder.page("/setup/"), "what")

    page = founder.follow(founder.get(path)).text

    assert re.search("(Step|Paso) [12] (of|de)", page)
    assert re.search("(Step|Paso) [12] (of|de)", founder.follow(founder.post("/setup/last")).text)


def test_other_paths_say_that_it_is_not_open_yet(empty: Installation) -> None:
    answers = {path: requests.get(empty.url + path, timeout=10) for path in ("/", "/console/", "/pay/x", "/metrics")}

    assert [answer.status_code for answer in answers.values()] == [503, 404, 404, 404]
    assert heading(answers["/"]) == "Not open yet"


def test_health_lets_a_platform_bring_it_up(empty: Installation) -> None:
    assert empty.until("setup")["version"]
    assert requests.get(f"{empty.url}/health/live", timeout=10).status_code == 200


def test_what_is_typed_is_refused_at_once_and_never_shown_again(founder: Founder) -> None:
    page = choose_language(founder, "en")
    ids = ("", "0", "-5", "12a", "9" * 30, "١٢٣٤")
    hashes = ("", "f" * 31, "g" * 32, "f" * 33, "f" * 32 + "\n'")
    for api_id, api_hash in (*((each, "0" * 32) for each in ids), *(("1234567", each) for each in hashes)):
        page = founder.fill(page, 422, api_id=api_id, api_hash=api_hash)
        assert said(page, "fault")
        assert api_hash not in page or not api_hash
    assert "1234567" in page, "what is no secret stands there again"


def test_a_kill_of_each_program_loses_nothing(empty: Installation, founder: Founder) -> None:
    choose_language(founder, "es")

    for module in ("web.setup", "daemon.setup", "daemon.supervision.watchdog"):
        before = set(empty.pids(module))
        empty.kill(module)
        until(partial(_is_another, empty, module, before), f"another {module}", 20, 0.1)
        until(partial(_answers, empty.port), "the web program", 20)
        assert 'id="f-api_id"' in founder.page("/setup/step/application")


def _is_another(empty: Installation, module: str, before: set[int]) -> bool:
    now = set(empty.pids(module))
    return bool(now) and not now & before


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
