#!/bin/sh
# Bring this checkout to the newest version of its branch, and run that, if it does not run yet.
set -eu
cd "$(dirname "$0")/.."

git pull --quiet --ff-only
running=$(git rev-parse --git-dir)/running-version
newest=$(git rev-parse HEAD)
if [ "$(cat "$running" 2> /dev/null)" = "$newest" ]; then
	exit
fi
# Built before the old one is stopped. What could not be built is tried again next time, and the old one goes on.
docker compose build --pull peaje
docker compose pull --quiet caddy
docker compose up --detach
# Caddy reads its file when it starts.
docker compose restart caddy
# What earlier versions have left.
docker image prune --force > /dev/null
docker builder prune --force --filter until=240h > /dev/null
echo "$newest" > "$running"
