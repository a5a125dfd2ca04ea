"""``cleanup_repo.sh`` in a repository that is not fit to be published, and in this one, which has to be."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
import string
import subprocess
from pathlib import Path

import pytest

from tests.sandbox_process import REPOSITORY

SCRIPT = REPOSITORY / "cleanup_repo.sh"
LETTERS = random.Random(7)


def made_up(length: int, alphabet: str = string.ascii_letters + string.digits + "-_") -> str:
    """A secret that never was one. Not written down here, where the script would find it."""
    return "".join(LETTERS.choice(alphabet) for _ in range(length))


BOT_TOKEN = f"{made_up(9, '123456789')}:{made_up(35)}"
API_HASH = made_up(32, "0123456789abcdef")
SESSION = made_up(351, string.ascii_letters + string.digits)
PAYPAL_SECRET = f"E{made_up(79)}"
WEBHOOK_TOKEN = f"{made_up(24, string.ascii_letters)}7"
SECRETS = (BOT_TOKEN, API_HASH, SESSION, PAYPAL_SECRET, WEBHOOK_TOKEN)


class Repository:
    """A git repository in a directory of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *words: str) -> str:
        identity = ("-c", "user.name=Ana", "-c", "user.email=ana@example.org")
        return subprocess.run(
            ["git", *identity, *words], cwd=self.home, check=True, capture_output=True, text=True
        ).stdout

    def commit(self, files: dict[str, str] | None = None) -> None:
        for name, text in (files or {}).items():
            (self.home / name).write_text(text)
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--message", "Work")

    def clean(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([SCRIPT, *options], cwd=self.home, capture_output=True, text=True)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def section(told: str, first_words: str) -> str:
    """What it said under one heading."""
    start = told.index(first_words)
    following = [at for heading in ("In the history", "Beside it", "\n\n") if (at := told.find(heading, start + 1)) > 0]
    return told[start : min(following, default=None)]


def spoil(repository: Repository) -> None:
    """What the former bot's repository is like."""
    database = sqlite3.connect(repository.home / "users.db")
    with database:
        database.execute("CREATE TABLE settings (value)")
        database.execute("INSERT INTO settings VALUES (?)", (f"token {BOT_TOKEN}",))
    database.close()
    repository.commit(
        {
            "README.md": f"Set `TELEGRAM_API_HASH={API_HASH}` and\nPAYPAL_CLIENT_SECRET: {PAYPAL_SECRET}\n",
            "bot.log": f"connecting to /bot{BOT_TOKEN}/getMe\n",
        }
    )
    (repository.home / "notes.txt").write_text(f"MY_WEBHOOK_TOKEN={WEBHOOK_TOKEN}\n")


def test_it_finds_what_a_push_would_publish_and_changes_nothing(repository: Repository) -> None:
    spoil(repository)
    before = {path: path.read_bytes() for path in repository.home.iterdir() if path.is_file()}

    done = repository.clean()

    assert done.returncode == 1
    tracked = section(done.stdout, "Tracked by git")
    for finding in ("users.db ", "bot.log:1 ", "README.md:1 ", "README.md:2 ", ".gitignore "):
        assert finding in tracked
    assert "notes.txt:1" in section(done.stdout, "Beside it")
    assert {path: path.read_bytes() for path in repository.home.iterdir() if path.is_file()} == before


def test_names_with_accents_are_found_too(repository: Repository) -> None:
    repository.commit({"sesión.session": "", "main.py": ""})
    assert "sesión.session " in section(repository.clean().stdout, "Tracked by git")
    repository.git("mv", "main.py", "otra sesión.session")
    repository.commit()
    assert "otra sesión.session " in section(repository.clean().stdout, "In the history")


def test_it_shows_no_secret(repository: Repository) -> None:
    spoil(repository)

    for told in (repository.clean().stdout, repository.clean("--apply").stdout, repository.clean().stderr):
        assert not [secret for secret in SECRETS if secret in told or secret[:8] in told]


def test_apply_cleans_the_tree_and_keeps_operators_files(repository: Repository) -> None:
    spoil(repository)

    repository.clean("--apply")
    repository.git("add", ".gitignore", "README.md")
    repository.git("commit", "--quiet", "--message", "Clean up")

    assert repository.git("ls-files").split() == [".gitignore", "README.md"]
    assert not [secret for secret in SECRETS if secret in (repository.home / "README.md").read_text()]
    with contextlib.closing(sqlite3.connect(repository.home / "users.db")) as database:
        assert BOT_TOKEN in database.execute("SELECT value FROM settings").fetchone()[0]
    told = repository.clean().stdout
    assert section(told, "Tracked by git").strip().count("\n") == 0


def test_secrets_over_several_lines_are_found(repository: Repository) -> None:
    dashes = "-" * 5
    key = f"{dashes}BEGIN OPENSSH PRIVATE KEY{dashes}\n{made_up(64)}\n{dashes}END OPENSSH PRIVATE KEY{dashes}\n"
    repository.commit({"notes.md": f"the server's key:\n{key}", "peaje-20260801T000000Z.db.gz": "", "users.db.bak": ""})
    address = f"https://hc-ping.com/{made_up(20)}"
    repository.commit({"ping.txt": f"PING_URL={address}\n"})
    repository.git("commit", "--quiet", "--allow-empty", "--message", f"Log in\n\nwith {BOT_TOKEN}\n")
    repository.git("tag", "--annotate", "v1", "--message", f"with {PAYPAL_SECRET}")

    told = repository.clean("--apply").stdout

    tracked, history = section(told, "Tracked by git"), section(told, "In the history")
    assert "notes.md:2 " in tracked and "private-key" in tracked
    assert key in (repository.home / "notes.md").read_text(), "half a key is still a key"
    assert "REMOVED" in (repository.home / "ping.txt").read_text()
    assert "its message" in history and "bot-token" in history and "paypal-credential" in history
    assert not [name for name in repository.git("ls-files").split() if ".db" in name]


def test_what_was_deleted_long_ago_is_still_in_the_history(repository: Repository) -> None:
    repository.commit({".env": f"TELEGRAM_SESSION_STRING={SESSION}\n"})
    (repository.home / ".env").unlink()
    repository.commit({"main.py": ""})
    repository.clean("--apply")
    repository.commit()

    done = repository.clean()

    assert done.returncode == 1
    history = section(done.stdout, "In the history")
    assert ":.env " in history and "session-string" in history
    assert "private-file" in history
    assert "git filter-repo" in done.stdout

    shutil.rmtree(repository.home / ".git")
    repository.git("init", "--quiet")
    repository.commit()
    assert repository.clean().returncode == 0


def test_placeholders_and_listed_fakes_are_no_secrets(repository: Repository) -> None:
    repository.clean("--apply")
    placeholders = (
        "TELEGRAM_BOT_TOKEN=123456789:AAH…",
        "PAYPAL_CLIENT_SECRET=your-secret-here",
        "API_TOKEN=${{secrets.API_TOKEN_1}}",
        "METRICS_TOKEN=",
    )
    repository.commit(
        {
            "README.md": "\n".join(placeholders),
            ".fake-secrets": f"# made up\n{BOT_TOKEN}\n",
            "test.py": f'TOKEN = "{BOT_TOKEN}"\n',
        }
    )

    done = repository.clean()

    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "Nothing that a push would publish."), done.stdout


def test_it_explains_itself_when_it_does_not_understand(repository: Repository) -> None:
    done = repository.clean("--force")

    assert done.returncode == 2
    assert "--apply" in done.stdout


def test_this_repository_is_fit_to_be_published() -> None:
    done = subprocess.run([SCRIPT], cwd=REPOSITORY, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout
