"""What a test needs of the machine. Without it a test is skipped and names the cure; with CI=true it fails."""

import os
import shutil
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def need_command(*names: str, packages: str) -> None:
    """Need programs that these Debian packages hold."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        _go_without(f"{', '.join(missing)} is missing: apt-get install {packages}")


def need_npm_packages() -> None:
    """Need what package.json names."""
    if not (REPOSITORY / "node_modules" / "@paypal").is_dir():
        _go_without("node_modules is missing: apt-get install nodejs npm, then make node_modules/.installed")


def need_image_builder() -> None:
    """Need what builds and runs images, and the right to."""
    if os.geteuid() != 0:
        _go_without("images are built and run here as root")
    need_command("buildah", "mmdebstrap", "podman", "runc", packages="buildah mmdebstrap netavark podman runc uidmap")


def _go_without(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
