"""The table in tests/README.md leads to tests that exist."""

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
README = (TESTS / "README.md").read_text()
FILES = {
    "free": "integration/paypal/test_free_access.py",
    "lost": "integration/paypal/test_lost_money.py",
    "back": "integration/paypal/test_reversals.py",
    "ops": "integration/paypal/test_operations.py",
    "subs": "integration/paypal/test_paypal_subscriptions.py",
    "keep": "integration/paypal/test_upkeep.py",
    "chat": "integration/paypal/test_chat.py",
    "forged": "integration/paypal/test_forged_input.py",
    "browser": "acceptance/test_checkout.py",
}
ENTRY = re.compile(rf"(?:\b({'|'.join(FILES)}) )?`([^`]+)`")


def references() -> list[tuple[str, str]]:
    """File and shortened name of every test that the table names."""
    found = []
    for line in README.splitlines():
        cells = line.split("|")
        if len(cells) != 4 or "`" not in cells[2]:
            continue
        alias = ""
        for short, name in ENTRY.findall(cells[2]):
            alias = short or alias
            if alias and "/" not in name and not name.startswith("replayed"):
                found.append((FILES[alias], name))
    return found


def test_every_test_that_the_table_names_is_there() -> None:
    named = references()
    defined = {file: re.findall(r"def (test_\w+)", (TESTS / file).read_text()) for file in FILES.values()}

    missing = [
        (file, name)
        for file, name in named
        if not any(re.search(name.replace("…", ".*"), test) for test in defined[file])
    ]
    assert len(named) > 60
    assert missing == []
