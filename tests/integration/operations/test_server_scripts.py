"""A server of one's own: what cloud-init runs, with a real repository, and everything that it calls written down."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.source_text import REPOSITORY

CODE = "correct-horse-battery-staple"


@dataclass
class Server:
    """A directory that stands for a new server; `called` is what its commands were called with."""

    place: Path
    public: str = "203.0.113.7"

    def __post_init__(self) -> None:
        commands = self.place / "bin"
        commands.mkdir()
        for name in ("docker", "systemctl"):
            self.write(commands / name, f'echo "{name} $*" >> {self.place}/called; test ! -e {self.place}/{name}-fails')
        self.write(commands / "ip", f'echo "192.0.2.1 via 10.0.0.1 dev eth0 src $(cat {self.place}/own) uid 0"')
        asked = f"test ! -e {self.place}/curl-fails && echo {self.public}"
        self.write(commands / "curl", f'echo "curl $*" >> {self.place}/called; {asked}')
        (self.place / "own").write_text(self.public)
        origin = self.place / "origin"
        shutil.copytree(REPOSITORY / "deploy", origin / "deploy")
        self.git("init", "--quiet", "--initial-branch=main", str(origin), cwd=self.place)
        self.release("1")
        self.git("clone", "--quiet", str(origin), str(self.checkout), cwd=self.place)

    @property
    def checkout(self) -> Path:
        return self.place / "peaje"

    def write(self, path: Path, body: str) -> None:
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def git(self, *words: str, cwd: Path) -> None:
        identity = ("-c", "user.name=Ana", "-c", "user.email=ana@example.com")
        subprocess.run(["git", *identity, *words], cwd=cwd, check=True, capture_output=True)

    def release(self, number: str) -> None:
        """A new version in the repository."""
        origin = self.place / "origin"
        (origin / "VERSION").write_text(number)
        self.git("add", "-A", cwd=origin)
        self.git("commit", "--quiet", "-m", number, cwd=origin)

    def run(self, script: str, *words: str) -> int:
        path = f"{self.place / 'bin'}:{os.environ['PATH']}"
        command = [str(self.checkout / "deploy" / script), *words]
        env = {"PATH": path, "HOME": str(self.place)}
        return subprocess.run(command, env=env, cwd="/", start_new_session=True).returncode

    def install(self, code: str = CODE, domain: str = "", more: str = "") -> int:
        """What cloud-init runs, with these lines."""
        (self.place / "peaje.conf").write_text(f"# lines\nSETUP_CODE={code}\nDOMAIN={domain}\n{more}")
        return self.run("install.sh", str(self.place / "peaje.conf"))

    def called(self) -> list[str]:
        """What was called since the last time that somebody looked."""
        file = self.place / "called"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines

    def env(self) -> str:
        return (self.checkout / ".env").read_text()


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_a_new_server_gets_a_name_of_its_address(server: Server) -> None:
    assert server.install() == 0

    assert server.env() == f"BACKEND_URL=https://203-0-113-7.sslip.io\nSETUP_CODE={CODE}\n"
    assert (server.checkout / ".env").stat().st_mode & 0o777 == 0o600
    called = server.called()
    assert [line.partition(" --")[0] for line in called[:3]] == [
        "docker compose build",
        "docker compose pull",
        "docker compose up",
    ]
    assert f"systemctl enable --now {server.checkout}/deploy/peaje-update.timer" in called


@pytest.mark.parametrize("own", ["10.0.0.4", "172.31.5.6", "192.168.1.2", "100.64.0.9"])
def test_behind_nat_the_world_is_asked_for_the_address(server: Server, own: str) -> None:
    (server.place / "own").write_text(own)

    assert server.install() == 0

    assert "BACKEND_URL=https://203-0-113-7.sslip.io\n" in server.env()


@pytest.mark.parametrize("own", ["172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "11.0.0.1"])
def test_a_public_address_is_taken_as_it_is(server: Server, own: str) -> None:
    (server.place / "own").write_text(own)

    assert server.install() == 0

    assert f"BACKEND_URL=https://{own.replace('.', '-')}.sslip.io\n" in server.env()


def test_without_an_address_nothing_is_set(server: Server) -> None:
    """What is written into .env stays: a name without an address would be kept at the next time."""
    (server.place / "own").write_text("10.0.0.4")
    (server.place / "curl-fails").touch()

    assert server.install() != 0

    assert not list(server.checkout.glob(".env*"))
    (server.place / "curl-fails").unlink()
    assert server.install() == 0
    assert "BACKEND_URL=https://203-0-113-7.sslip.io\n" in server.env()


def test_settings_that_break_off_are_written_anew(server: Server) -> None:
    """Killed while it writes the first setting after the name and the code."""
    dying = server.place / "bin" / "tail"
    server.write(dying, f'test -z "$(ls -A {server.checkout} | grep "^.env")" || kill -9 0; exec /usr/bin/tail "$@"')

    assert server.install(more="LANGUAGE=es\n") == -signal.SIGKILL
    dying.unlink()
    assert server.install(more="LANGUAGE=es\n") == 0

    assert server.env() == f"BACKEND_URL=https://203-0-113-7.sslip.io\nSETUP_CODE={CODE}\nLANGUAGE='es'\n"


def test_a_domain_of_ones_own_is_kept_at_the_next_time(server: Server) -> None:
    assert server.install(domain="shop.example.com") == 0
    assert server.install("another-code-of-twenty-letters") == 0

    assert server.env() == f"BACKEND_URL=https://shop.example.com\nSETUP_CODE={CODE}\n"


@pytest.mark.parametrize(
    ("code", "domain", "name", "kept"),
    [
        (f" {CODE} ", " https://Shop.example.com/ ", "Shop.example.com", CODE),
        (f'"{CODE}"\r', '"shop.example.com"\r', "shop.example.com", CODE),
        ("correct horse battery staple", "http://shop.example.com", "shop.example.com", CODE),
        ("too-short", "", "203-0-113-7.sslip.io", ""),
        ("$(touch ran)-or-twenty-more", "shop.example.com", "shop.example.com", "--touch-ran--or-twenty-more"),
    ],
)
def test_lines_are_read_as_a_phone_types_them(server: Server, code: str, domain: str, name: str, kept: str) -> None:
    assert server.install(code, domain) == 0

    assert server.env() == f"BACKEND_URL=https://{name}\nSETUP_CODE={kept}\n"
    assert not list(server.place.rglob("ran"))


def test_other_settings_among_the_lines_are_kept(server: Server) -> None:
    more = '# Why\nBACKUP_PASSPHRASE= "pa$$ #1 & more" \r\nTIMEZONE=\nLANGUAGE=es\n'
    more += "SUPPORT_CONTACT=it's me\nPING_URL=x\\\n"

    assert server.install(domain="shop.example.com", more=more) == 0

    assert server.env().splitlines()[2:] == ["BACKUP_PASSPHRASE='pa$$ #1 & more'", "LANGUAGE='es'"]
    assert not list(server.place.rglob("more"))


def test_a_new_version_is_built_and_started_once(server: Server) -> None:
    assert server.run("update.sh") == 0
    server.called()
    assert server.run("update.sh") == 0
    assert server.called() == []

    server.release("2")
    assert server.run("update.sh") == 0

    assert (server.checkout / "VERSION").read_text() == "2"
    assert [line.split()[2] for line in server.called() if "compose" in line] == ["build", "pull", "up", "restart"]


def test_a_build_that_fails_is_tried_again(server: Server) -> None:
    assert server.run("update.sh") == 0
    server.release("2")
    server.called()
    (server.place / "docker-fails").touch()

    assert server.run("update.sh") != 0

    assert [line.split()[2] for line in server.called()] == ["build"], "the old version goes on"
    (server.place / "docker-fails").unlink()
    assert server.run("update.sh") == 0
    assert "docker compose up --detach" in server.called()


def test_what_is_pasted_hands_its_lines_over(server: Server, tmp_path: Path) -> None:
    pasted = yaml.safe_load((REPOSITORY / "deploy" / "cloud-init.yaml").read_text())
    lines = pasted["write_files"][0]["content"]
    lines = lines.replace("https://github.com/YOUR-NAME/peaje", str(server.place / "origin"))
    lines = lines.replace("SETUP_CODE=\n", f"SETUP_CODE={CODE}\n").replace("DOMAIN=\n", "DOMAIN=shop.example.com\n")
    (tmp_path / "peaje.conf").write_text(lines)
    command = pasted["runcmd"][0].replace("/root/", f"{tmp_path}/").replace("/opt/peaje", f"{tmp_path}/opt")

    path = f"{server.place / 'bin'}:{os.environ['PATH']}"
    subprocess.run(["sh", "-c", command], env={"PATH": path, "HOME": str(tmp_path)}, check=True)

    assert (tmp_path / "opt" / ".env").read_text() == f"BACKEND_URL=https://shop.example.com\nSETUP_CODE={CODE}\n"
