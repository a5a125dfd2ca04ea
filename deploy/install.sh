#!/bin/sh
# Put Peaje and Caddy on a new Debian or Ubuntu server, as root; cloud-init.yaml calls it. Doing it again changes no setting.
#
#   deploy/install.sh FILE      the lines of FILE; where DOMAIN= is empty the server is named after its address
set -eu
lines=$(realpath "$1")
cd "$(dirname "$0")/.."

# A line's value, as people type it on a phone: with blanks around it, in quotes, with a carriage return.
value() {
	sed -n "s/^[[:blank:]]*$1[[:blank:]]*=//p" "$lines" | tail -n 1 | tr -d '\r' |
		sed "s/^[[:blank:]]*//; s/[[:blank:]]*\$//; s/^\"\(.*\)\"\$/\1/; s/^'\(.*\)'\$/\1/; s/^[[:blank:]]*//; s/[[:blank:]]*\$//"
}

# The settings among the lines, for .env: in quotes, within which compose leaves every other character as it is. A backslash at the
# end would hide the closing one.
settings() {
	sed -n 's/^[[:blank:]]*\([A-Z][A-Z0-9_]*\)[[:blank:]]*=.*/\1/p' "$lines" | while read -r name; do
		case $name:$(value "$name") in
		REPOSITORY:* | SETUP_CODE:* | DOMAIN:* | *:) ;;
		*\'* | *\\) echo "$name is not set: it must not hold the character ', nor end in a backslash" >&2 ;;
		*) printf "%s='%s'\n" "$name" "$(value "$name")" ;;
		esac
	done
}

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
	name=$(value DOMAIN | sed 's|^[Hh][Tt][Tt][Pp][Ss]*://||; s|/.*||')
	code=$(value SETUP_CODE | tr -c 'A-Za-z0-9_\n-' -)
	if [ ${#code} -lt 20 ]; then
		echo "SETUP_CODE has less than 20 characters: 'docker compose logs peaje' shows the address of the set-up instead" >&2
		code=
	fi
	if [ -z "$name" ]; then
		own=$(address)
		name=$(echo "$own" | tr . -).sslip.io
	fi
	# It is there whole or not at all: it is written once.
	(umask 077 && { printf 'BACKEND_URL=https://%s\nSETUP_CODE=%s\n' "$name" "$code" && settings; } > .env.new)
	mv .env.new .env
fi
if ! command -v docker > /dev/null; then
	curl --fail --silent --show-error --location --retry 5 https://get.docker.com | sh
fi
deploy/update.sh

# A new version is there within the hour after your fork has it.
systemctl link "$PWD/deploy/peaje-update.service"
systemctl enable --now "$PWD/deploy/peaje-update.timer"
