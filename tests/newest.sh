#!/bin/sh
# Run the unit tests on the newest Python that is here, in an environment of its own.
set -eu
cd "$(dirname "$0")/.."

for version in 3.14 3.13 3.12 3.11; do
	# What pyenv has installed counts as here, even where it is not switched to.
	for python in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/"python$version"; do
		if "$python" -c 'import ensurepip' 2> /dev/null; then
			place=build/python$version
			[ -x "$place/bin/pip" ] || "$python" -m venv "$place"
			"$place/bin/python" -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
			exec "$place/bin/python" -m pytest -n 2 tests/unit
		fi
	done
done
echo "no Python with ensurepip is here: apt-get install python3-venv" >&2
exit 1
