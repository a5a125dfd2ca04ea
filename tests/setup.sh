#!/bin/sh
# What the tests need beside Python. Without the right to install it, tests that need it are skipped and say so;
# with CI=true they must not be, and this fails. With the word "acceptance" or "image": what those tests need besides.
set -eu
cd "$(dirname "$0")/.."

have() {
	command -v "$1" > /dev/null
}

missing() {
	[ "${CI:-}" != true ]
}

have npm || tests/packages.sh nodejs npm || missing
! have npm || make --no-print-directory node_modules/.installed

if [ "${1:-}" = acceptance ]; then
	have chromium && have chromedriver || tests/packages.sh chromium chromium-driver || missing
	have caddy && have nginx || tests/packages.sh caddy nginx-light || missing
fi

if [ "${1:-}" = image ]; then
	have buildah && have mmdebstrap && have podman && have runc ||
		tests/packages.sh buildah mmdebstrap netavark podman runc uidmap || missing
fi
