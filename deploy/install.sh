#!/bin/sh
# Put Peaje and Caddy on a new Debian or Ubuntu server, as root; cloud-init.yaml calls it. Doing it again changes no setting.
# From the environment: SETUP_CODE; DOMAIN, without which the server gets a name made of its address.
set -eu
cd "$(dirname "$0")/.."

# This machine's own IPv4 address, or the one under which the world sees it.
address() {
	found=$(ip -4 route get 192.0.2.1 | sed -n 's/.* src \([0-9.]*\).*/\1/p')
	case $found in
	'' | 10.* | 192.168.* | 172.1[6-9].* | 172.2[0-9].* | 172.3[01].* | 100.6[4-9].* | 100.[7-9][0-9].* | 100.1[01][0-9].* | 100.12[0-7].*)
		found=$(curl -4 --fail --silent --show-error --retry 5 https://api.ipify.org)
		;;
	esac
	echo "$found"
}

if [ ! -e .env ]; then
	name=${DOMAIN:-$(address | tr . -).sslip.io}
	umask 077
	printf 'BACKEND_URL=https://%s\nSETUP_CODE=%s\n' "$name" "${SETUP_CODE:-}" > .env
fi
if ! command -v docker > /dev/null; then
	curl --fail --silent --show-error --location --retry 5 https://get.docker.com | sh
fi
deploy/update.sh

# A new version is there within the hour after your fork has it.
systemctl link "$PWD/deploy/peaje-update.service"
systemctl enable --now "$PWD/deploy/peaje-update.timer"
