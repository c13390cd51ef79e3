#!/bin/sh
# Prints the folder of Debian's podman, which needs not be installed: fetched once with what it needs and this machine
# does not have, kept for the next time. It is run with the folder's libraries and programs ahead of the machine's.
set -eu
tree=${PODMAN_TREE:-/var/tmp/berth-podman}
if [ ! -x "$tree/usr/bin/podman" ]; then
  work=$(mktemp -d /var/tmp/berth-podman-XXXXXX)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/archives/partial" "$work/tree"
  apt-cache show podman >/dev/null 2>&1 || apt-get -qq update >&2
  # What is installed is not fetched again, and nothing is installed.
  apt-get -qq install -y --download-only --no-install-recommends -o Dir::Cache::archives="$work/archives" \
    -o Debug::NoLocking=true -o APT::Sandbox::User=root -o Acquire::Retries=0 -o Acquire::http::Timeout=10 podman crun conmon >&2
  for package in "$work"/archives/*.deb; do dpkg -x "$package" "$work/tree"; done
  [ -x "$work/tree/usr/bin/podman" ]
  rm -rf "$tree"
  mv "$work/tree" "$tree"
fi
echo "$tree"
