#!/bin/sh
# What the tests need beside Python. Without the right to install it, tests that need it are skipped and say so;
# with CI=true they must not be, and this fails. With the word "image": what the tests of the image need besides.
set -eu
cd "$(dirname "$0")/.."

have() {
	command -v "$1" > /dev/null
}

missing() {
	[ "${CI:-}" != true ]
}

have chromium && have chromedriver || tests/packages.sh chromium chromium-driver || missing
have npm || tests/packages.sh nodejs npm || missing
! have npm || make --no-print-directory node_modules/.installed

if [ "${1:-}" = image ]; then
	have buildah && have mmdebstrap && have podman && have runc ||
		tests/packages.sh buildah mmdebstrap netavark podman runc uidmap || missing
fi
