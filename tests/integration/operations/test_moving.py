"""The commands of ``docs/MOVING.md``, as they stand there, between two directories that stand for two servers."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from config.kept import settings_file
from config.settings import load
from models import database, users
from models.money import orders
from tests import environment
from tests.integration.operations.test_restore import NAMES, ask, manage
from tests.purchases import NOW
from tests.source_text import REPOSITORY

ENGLISH, *OTHERS = sorted((REPOSITORY / "docs").glob("MOVING*.md"), key=lambda paper: len(paper.name))
PLACEHOLDER = re.compile(r"\b[A-Z]{4,}\b")
"""What the reader puts something else in the place of."""
RUN = "docker compose run --rm --no-deps "
PASSPHRASE = "a-passphrase-that-nobody-guesses"
TYPED = ("TELEGRAM_BOT_TOKEN", "TELEGRAM_API_ID", "TELEGRAM_API_HASH")


def blocks(paper: Path = ENGLISH) -> list[list[str]]:
    """The blocks of commands, without what is said beside them."""
    found = re.findall(r"^```\n(.*?)^```", paper.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [[re.sub(r" {2,}#.*", "", line).strip() for line in block.splitlines()] for block in found]


def settings(place: Path, **more: str) -> dict[str, str]:
    place.mkdir(exist_ok=True)
    return environment.minimal(place) | {"PEAJE_RUN": str(place / "run"), **more}


@pytest.fixture
def old(migrated: Path, tmp_path: Path) -> Path:
    """The old server's directory: its database knows Ana; its key and what was typed at set-up are kept beside it."""
    place = tmp_path / "old"
    load(settings(place), dotenv=None)
    typed = {name: environment.minimal(place)[name] for name in TYPED}
    settings_file.change(place, {**typed, "ADMIN_IDS": "77"})
    shutil.copy(migrated, place / "peaje.db")
    database.open_database(place / "peaje.db")
    users.seen(1, "Ana", None, "es", NOW)
    database.close_database()
    return place


@pytest.mark.parametrize("paper", OTHERS, ids=lambda paper: paper.name)
def test_all_languages_name_the_same_commands(paper: Path) -> None:
    assert PLACEHOLDER.sub("…", str(blocks(paper))) == PLACEHOLDER.sub("…", str(blocks()))


def carry_out(line: str, place: Path, beside: Path, environ: dict[str, str]) -> None:
    """One command: what docker would do in the container is done in *place*, everything else beside it.

    Whether docker builds, starts and stops is not this test's.
    """
    if line.startswith(f"{RUN}-T --entrypoint tar peaje "):
        words = line.removeprefix(f"{RUN}-T --entrypoint tar peaje ").replace("/data", shlex.quote(str(place)))
        subprocess.run(["sh", "-c", f"tar {words}"], cwd=beside, check=True)
    elif line.startswith(f"{RUN}--entrypoint python peaje manage.py "):
        words = line.partition("manage.py ")[2].replace("/data", str(place)).split()
        code, said = manage(environ, *words)
        assert code == 0, said
    elif line.startswith("docker compose cp "):
        shutil.copy(beside / line.split()[3], place)
    else:
        assert line.startswith("docker compose "), line
        assert line.split()[2] in ("stop", "build", "up")


def test_the_whole_directory_moves(old: Path, tmp_path: Path) -> None:
    _, packed, unpacked, _ = blocks()
    new = tmp_path / "new"
    new.mkdir()

    for line in packed:
        carry_out(line, old, tmp_path, settings(old))
    for line in unpacked:
        carry_out(line, new, tmp_path, settings(new))

    assert ask(new / "peaje.db", NAMES) == ["Ana"]
    there, here = (load(settings(place), dotenv=None) for place in (old, new))
    link = orders.pay_token(there.secret_key, 1, "premium", NOW)
    assert orders.pay_token(here.secret_key, 1, "premium", NOW) == link, (
        "links that customers have still lead somewhere"
    )


def test_a_backup_is_the_shop_on_a_new_server(old: Path, tmp_path: Path) -> None:
    *_, restored = blocks()
    code, said = manage(settings(old, BACKUP_PASSPHRASE=PASSPHRASE), "backup")
    assert code == 0, said
    backup = Path(said.splitlines()[0])
    shutil.copy(backup, tmp_path)
    new = tmp_path / "new"
    empty = settings(new, BACKUP_PASSPHRASE=PASSPHRASE)
    for name in (*TYPED, "TELEGRAM_SESSION_STRING"):
        del empty[name]

    for line in restored:
        told = PLACEHOLDER.sub(backup.name, line)
        carry_out(told, new, tmp_path, empty)

    assert ask(new / "peaje.db", NAMES) == ["Ana"]
    there, here = (load(environ, dotenv=None) for environ in (settings(old), empty))
    assert here.secret_key == there.secret_key, "what was kept beside the database comes along"
    assert here.admin_ids == there.admin_ids == {77}


def test_the_backup_from_before_comes_back(old: Path, tmp_path: Path) -> None:
    back, *_ = blocks()
    code, said = manage(settings(old), "backup")
    assert code == 0, said
    database.open_database(old / "peaje.db")
    users.seen(2, "Berta", None, "es", NOW)
    database.close_database()

    for line in back:
        told = PLACEHOLDER.sub(Path(said.splitlines()[0]).name, line)
        if " manage.py " in told:
            carry_out(told, old, tmp_path, settings(old))

    assert ask(old / "peaje.db", NAMES) == ["Ana"]
