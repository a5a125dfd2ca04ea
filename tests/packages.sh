#!/bin/sh
# Install Debian packages where this user may; elsewhere name the command, and fail.
set -eu
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq < /dev/null
	apt-get install -y -qq --no-install-recommends "$@" < /dev/null > /dev/null
else
	echo "missing here: apt-get install $*" >&2
	exit 1
fi
