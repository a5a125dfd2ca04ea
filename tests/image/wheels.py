"""``make wheels``: whether a machine without a compiler can install what requirements.txt pins.

Asks the registry for every Python and processor that README promises. Ends with 1 and names what is missing.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.sandbox_process import REPOSITORY

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28")
PURE = {"pyaes"}
"""Published as source only, but without a line of C: pip makes a wheel of it wherever Python runs."""

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==[^\\]+(?:\\\n.*)*", re.MULTILINE)


def compiled(requirements: str) -> list[str]:
    """The pins of *requirements* that need a wheel, each with its marker and its hashes."""
    return [found.group(0) for found in _PIN.finditer(requirements) if found["name"].lower() not in PURE]


def missing(pins: list[str], python: str, platform: str) -> str | None:
    """What the registry lacks for one *python* and *platform*; None where nothing is missing."""
    with tempfile.TemporaryDirectory() as place:
        wanted = Path(place) / "requirements.txt"
        wanted.write_text("\n".join(pins) + "\n")
        asked = subprocess.run(
            [Path(sys.executable).with_name("uv"), "pip", "install", "--dry-run", "--no-deps", "--no-build"]
            + ["--target", place, "--python-version", python, "--python-platform", platform, "--requirement", wanted],
            capture_output=True,
            text=True,
            check=False,
        )
    return None if asked.returncode == 0 else asked.stderr.strip()


def main() -> int:
    """Print one line for each Python and processor."""
    pins = compiled((REPOSITORY / "requirements.txt").read_text())
    faults = 0
    for python in PYTHONS:
        for platform in PLATFORMS:
            lacking = missing(pins, python, platform)
            faults += lacking is not None
            sys.stdout.write(f"Python {python} on {platform}: {lacking or f'{len(pins)} pins, a wheel for each'}\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
