"""Whether what is written down about deploying is true: the image's files, Railway's, and the guides' commands."""

from __future__ import annotations

import configparser
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import manage
from web import health

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted((REPOSITORY / "docs").glob("*.md"))
GUIDES = [document for document in DOCUMENTS if document.name.startswith("RAILWAY")]
MIB = 1024 * 1024


def railway_toml() -> dict[str, Any]:
    return tomllib.loads((REPOSITORY / "railway.toml").read_text())


def railway_graph() -> dict[str, Any]:
    """What Railway's command line gets from the file."""
    spec = importlib.util.spec_from_file_location("railway_file", REPOSITORY / ".railway" / "railway.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    graph: dict[str, Any] = module.main({"environment": "production"}).to_graph()
    return graph


def service() -> dict[str, Any]:
    (found,) = (resource for resource in railway_graph()["resources"] if resource["type"] == "service")
    assert isinstance(found, dict)
    return found


def memory_limit() -> int:
    return int(service()["deploy"]["limitOverride"]["containers"]["memoryBytes"])


def step_5(guide: Path) -> str:
    return guide.read_text("utf-8").partition("\n## 5. Railway")[2].partition("\n## 6.")[0]


def dockerfile() -> str:
    return (REPOSITORY / "Dockerfile").read_text()


def test_railway_toml_is_what_railway_reads() -> None:
    schema = json.loads((Path(__file__).with_name("railway.schema.json")).read_text())

    jsonschema.validate(railway_toml(), schema)


def test_both_files_tell_railway_the_same() -> None:
    assert service()["build"] == railway_toml()["build"]
    assert service()["deploy"] == railway_toml()["deploy"]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_the_table_to_set_by_hand_agrees_with_the_files(guide: Path) -> None:
    deploy = service()["deploy"]
    table = step_5(guide).partition("|---|---|---|")[2].partition("\n\n")[0]
    values = [row.split("|")[2].strip() for row in table.strip().splitlines()]

    assert values[0].upper() == service()["build"]["builder"]
    assert values[1] == f"`{deploy['healthcheckPath']}`, {deploy['healthcheckTimeout']} s"
    assert re.fullmatch(rf"on failure, {deploy['restartPolicyMaxRetries']} \w+", values[2])
    assert values[3:5] == [f"{deploy['drainingSeconds']} s", f"{deploy['overlapSeconds']} s"]
    assert values[5:7] == [str(deploy["numReplicas"]), f"{memory_limit() // MIB} MB"]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_a_guide_leads_with_what_works_for_every_service(guide: Path) -> None:
    step = step_5(guide)

    assert step.index("|---|---|---|") < step.index("railway.py") < step.index("railway.toml")


def test_one_service_has_one_volume_for_the_state() -> None:
    graph = railway_graph()
    (mount,) = service()["volumeAttachments"].values()

    assert sorted(resource["type"] for resource in graph["resources"]) == ["service", "volume"]
    assert mount["mountPath"] == service()["deploy"]["requiredMountPath"] == "/data"
    assert service()["variables"]["DB_PATH"]["value"] == "/data"
    assert re.search(r"^\s*DB_PATH=/data\b", dockerfile(), re.MULTILINE)
    assert service()["deploy"]["numReplicas"] == 1
    assert service()["deploy"]["overlapSeconds"] == 0


def test_no_value_of_a_secret_is_in_the_file() -> None:
    literal = {name for name, value in service()["variables"].items() if value["type"] != "preserve"}

    assert literal == {"DB_PATH"}


def test_railway_waits_longer_than_the_programs_need_to_stop() -> None:
    conf = configparser.RawConfigParser()
    conf.read(REPOSITORY / "supervisord.conf")
    waits = [int(conf[section]["stopwaitsecs"]) for section in conf.sections() if "stopwaitsecs" in conf[section]]

    assert service()["deploy"]["drainingSeconds"] > max(waits) + int(conf["eventlistener:watchdog"]["stopwaitsecs"])


def test_the_health_check_asks_what_the_web_program_answers() -> None:
    source = Path(health.__file__).read_text()

    assert f'@blueprint.get("{service()["deploy"]["healthcheckPath"]}")' in source
    assert f"{service()['deploy']['healthcheckPath']}'" in dockerfile()


def test_the_memory_limit_leaves_room() -> None:
    assert memory_limit() >= 512 * MIB


def test_the_dockerfile_is_free_of_known_mistakes() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "--no-color", REPOSITORY / "Dockerfile"], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout


def test_the_image_starts_from_the_release_that_it_was_tried_on() -> None:
    assert set(re.findall(r"^FROM (\S+)", dockerfile(), re.MULTILINE)) == {"${BASE}"}
    (base,) = re.findall(r"^ARG BASE=(\S+)", dockerfile(), re.MULTILINE)
    name, digest = base.split("@")
    assert name == "docker.io/library/python:3.11-slim-bookworm"
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)


def test_the_image_needs_no_compiler() -> None:
    assert not re.search(r"\b(gcc|cc|build-essential|apt-get)\b", dockerfile())


def test_the_launcher_is_process_1_and_hears_the_signal() -> None:
    assert 'ENTRYPOINT ["python", "-m", "daemon.supervision"]' in dockerfile()
    assert "STOPSIGNAL SIGTERM" in dockerfile()
    # Railway refuses this instruction.
    assert not re.search(r"^VOLUME", dockerfile(), re.MULTILINE)


def test_only_what_the_programs_need_goes_into_the_image() -> None:
    rules = (REPOSITORY / ".dockerignore").read_text().splitlines()
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    needed = {"config", "models", "daemon", "web", "manage.py", "plans.toml", "CHANGELOG.md"}
    needed |= {"supervisord.conf", "supervisord-setup.conf", "requirements.txt"}

    assert [rule for rule in rules if rule and not rule.startswith("#")][0] == "*"
    assert let_in == needed
    assert all((REPOSITORY / name).exists() for name in needed)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_command_that_a_guide_names_exists(document: Path) -> None:
    text = document.read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    targets |= set(re.findall(r"^MANAGE := (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)[0].split())

    assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets
    assert set(re.findall(r"manage\.py ([a-z][a-z-]+)", text)) <= manage.cli.commands.keys()
    for path, test in re.findall(r"\b((?:tests|docs|config|daemon|models|web)/[\w/.]+\.\w+)(?:::(\w+))?", text):
        assert (REPOSITORY / path).exists(), path
        assert not test or f"def {test}(" in (REPOSITORY / path).read_text("utf-8"), test


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_variable_that_a_guide_names_exists(document: Path) -> None:
    known = set(re.findall(r"^([A-Z_]+)=", (REPOSITORY / ".env.example").read_text(), re.MULTILINE))
    railways = {"RAILWAY_PUBLIC_DOMAIN", "RAILWAY_RUN_UID"}
    named = re.findall(
        r"`((?:TELEGRAM|PAYPAL|BACKUP|WATCHDOG|TRANSFER|RAILWAY|METRICS)_[A-Z_]+)\b", document.read_text("utf-8")
    )

    assert set(named) <= known | railways


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_between_the_guides_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", document.read_text("utf-8"))

    assert not [link for link in links if not (document.parent / link).exists()]
