"""Whether the files for a server of one's own are sound, and agree with what the programs expect of it."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.texts import DEFAULT_LANGUAGE, LANGUAGES, translator
from tests.source_text import REPOSITORY
from web.edge import worker
from web.setup import steps
from web.setup.steps import Step

DEPLOY = REPOSITORY / "deploy"
WORKFLOW = REPOSITORY / ".github" / "workflows" / "ci.yaml"
SCRIPTS = (*sorted(DEPLOY.glob("*.sh")), *sorted((REPOSITORY / "tests").glob("*.sh")), REPOSITORY / "cleanup_repo.sh")


def guide_in(language: str) -> Path:
    """The guide in a language, where there is one."""
    return REPOSITORY / "docs" / f"SERVER_GUIDE{'' if language == DEFAULT_LANGUAGE else f'.{language}'}.md"


def read(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return loaded


def services(path: Path = REPOSITORY / "compose.yaml") -> dict[str, Any]:
    found: dict[str, Any] = read(path)["services"]
    return found


def tool(name: str, *words: str | Path) -> str:
    """Run a checker that is installed beside Python; the faults that it found."""
    done = subprocess.run([Path(sys.executable).with_name(name), *words], capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("compose-spec", REPOSITORY / "compose.yaml"),
        ("compose-spec", DEPLOY / "behind-a-proxy.yaml"),
        ("github-workflows", WORKFLOW),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_file_follows_its_schema(schema: str, file: Path) -> None:
    assert tool("check-jsonschema", "--builtin-schema", f"vendor.{schema}", file) == ""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_has_no_known_mistakes(script: Path) -> None:
    assert tool("shellcheck", script) == ""
    assert script.stat().st_mode & 0o111


def test_the_workflow_runs_what_is_run_here() -> None:
    steps = [step.get("run", "") for job in read(WORKFLOW)["jobs"].values() for step in job["steps"]]
    commands = {word for step in steps for word in re.findall(r"(?:^|\s)((?:\.ci|tests)/[\w/]+)", step)}

    assert commands == {".ci/run", "tests/image/build"}
    assert all((REPOSITORY / command).exists() for command in commands)


def test_a_proposal_publishes_nothing() -> None:
    workflow = read(WORKFLOW)
    may_write = [name for name, job in workflow["jobs"].items() if "write" in job.get("permissions", {}).values()]

    assert workflow["permissions"] == {"contents": "read"}
    assert may_write == ["image", "tag"]
    assert "refs/heads/main" in workflow["jobs"]["image"]["if"]
    assert workflow["jobs"]["tag"]["needs"] == "image"
    # What others have written into a name or title is never part of a command.
    assert not [run for run in re.findall(r"run: .*", WORKFLOW.read_text()) if "${{" in run]


def test_two_lines_are_to_be_set() -> None:
    text = (REPOSITORY / "compose.yaml").read_text("utf-8")
    head = text[: text.index("services:")]

    assert re.findall(r"^# +([A-Z_]+)=", head, re.MULTILINE) == ["BACKEND_URL", "SETUP_CODE"]
    assert set(re.findall(r"\$\{([A-Z_]+):\?", text)) == {"BACKEND_URL"}


def test_what_compose_sets_are_settings() -> None:
    known = re.findall(r"^([A-Z_]+)=", (REPOSITORY / ".env.example").read_text("utf-8"), re.MULTILINE)

    assert set(services()["peaje"]["environment"]) <= set(known)
    caddyfile = (DEPLOY / "Caddyfile").read_text("utf-8")
    assert set(services()["caddy"]["environment"]) == set(re.findall(r"^[^#\n]*\{\$([A-Z_]+)", caddyfile, re.MULTILINE))


def test_only_caddy_is_reached_from_outside() -> None:
    peaje, caddy = services()["peaje"], services()["caddy"]

    assert "ports" not in peaje and "network_mode" not in peaje
    assert peaje["environment"]["BEHIND_PROXY"] == "yes"
    assert [port.split(":")[0] for port in caddy["ports"]] == ["80", "443", "443"]
    assert caddy["environment"]["PEAJE_ADDRESS"] == f"peaje:{peaje['environment']['PORT']}"


def test_beside_another_proxy_only_the_machine_reaches_it() -> None:
    changes = services(DEPLOY / "behind-a-proxy.yaml")

    assert [port.rpartition(":")[0] for port in changes["peaje"]["ports"]] == ["127.0.0.1:8000"]
    assert changes["caddy"]["profiles"]


def test_the_state_outlives_the_container() -> None:
    assert services()["peaje"]["environment"]["DB_PATH"] == "/data"
    assert services()["peaje"]["volumes"] == ["peaje-data:/data"]
    assert set(read(REPOSITORY / "compose.yaml")["volumes"]) == {"peaje-data", "caddy-data", "caddy-config"}


def test_a_stop_is_given_the_time_that_it_takes() -> None:
    conf = configparser.RawConfigParser()
    conf.read(REPOSITORY / "supervisord.conf")
    waits = [int(conf[section]["stopwaitsecs"]) for section in conf.sections() if "stopwaitsecs" in conf[section]]

    given = int(services()["peaje"]["stop_grace_period"].removesuffix("s"))
    assert given > max(waits) + int(conf["eventlistener:watchdog"]["stopwaitsecs"])


def test_caddy_waits_for_a_request_as_long_as_we_do() -> None:
    waits = dict(re.findall(r"(read_\w+) (\d+)s", (DEPLOY / "Caddyfile").read_text("utf-8")))

    assert int(waits["read_header"]) <= worker.PATIENCE_S <= int(waits["read_body"]) <= 2 * worker.PATIENCE_S


def test_cloud_init_reads_what_is_pasted() -> None:
    text = (DEPLOY / "cloud-init.yaml").read_text("utf-8")
    config = yaml.safe_load(text)
    (file,) = config["write_files"]

    assert text.startswith("#cloud-config\n")
    assert set(config) == {"package_update", "packages", "write_files", "runcmd"}
    assert file["permissions"] == "0600"
    named = re.findall(r"^([A-Z_]+)=", file["content"], re.MULTILINE)
    assert named == ["REPOSITORY", "SETUP_CODE", "DOMAIN", "BACKUP_PASSPHRASE"]
    assert len(text.encode()) < 16_384, "providers take no more"


def test_the_timer_runs_what_is_installed() -> None:
    (command,) = read(DEPLOY / "cloud-init.yaml")["runcmd"]
    unit = configparser.RawConfigParser()
    unit.read(DEPLOY / "peaje-update.service")

    assert "/opt/peaje/deploy/install.sh" in command
    assert unit["Service"]["ExecStart"] == "/opt/peaje/deploy/update.sh"


@pytest.mark.parametrize("language", [each for each in LANGUAGES if guide_in(each).exists()])
def test_the_guide_names_the_pages_of_the_set_up(language: str) -> None:
    t = translator(language)
    # The address is asked for only where no setting names it; compose.yaml does.
    pages = [said(t) for step, said in steps.TITLES.items() if step is not Step.ADDRESS]
    buttons = ["Begin", "Nothing: a new shop", "I have a backup", "Stars only: skip this", "Open the shop"]
    text = guide_in(language).read_text("utf-8")

    assert re.findall(r"^\| \*([^*|]+)\* \|", text, re.MULTILINE) == [*pages, t.gettext("Everything is there")]
    assert not [button for button in buttons if f"*{t.gettext(button)}*" not in text]
