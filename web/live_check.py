"""The browser's part of the live check: the health page, our payment page, and where it leads."""

from urllib.parse import urlsplit

import requests

from config.findings import Finding, fail, ok
from config.settings import Settings

TIMEOUT_S = (3.05, 20.0)
SUCCESS, REDIRECTS = 200, (301, 302, 303)


def health(settings: Settings) -> Finding:
    """What ``/health`` says, asked at ``BACKEND_URL``, or on this machine where there is none."""
    url = settings.backend_url or f"http://127.0.0.1:{settings.port}"
    try:
        answer = requests.get(f"{url}/health", timeout=TIMEOUT_S, allow_redirects=False)
        checks = answer.json()["checks"]
    except (requests.RequestException, ValueError, KeyError) as error:
        return fail("health", f"no answer at {url}/health ({type(error).__name__}): are the programs running?")
    failing = [f"{name}: {check['detail']}" for name, check in checks.items() if check["status"] == "failing"]
    return fail("health", "; ".join(failing)) if failing else ok("health", "all is well")


def open_page(address: str) -> tuple[Finding, str | None]:
    """Open the signed payment page and press its button.

    Returns the finding, and PayPal's approval page (None when it was not reached).
    """
    browser = requests.Session()
    part = "PayPal's page"
    try:
        page = browser.get(address, timeout=TIMEOUT_S, allow_redirects=False)
        if page.status_code != SUCCESS:
            return fail(part, f"our page answers {page.status_code}"), None
        pressed = browser.post(address, timeout=TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:
        return fail(part, f"our page cannot be reached ({type(error).__name__})"), None
    if pressed.status_code not in REDIRECTS:
        return fail(part, f"its button answers {pressed.status_code}: see the log of web"), None
    approval = pressed.headers["Location"]
    return ok(part, f"leads to {urlsplit(approval).hostname}"), approval
