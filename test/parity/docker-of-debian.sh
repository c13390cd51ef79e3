#!/bin/sh
# Runs a command against Docker from Debian (trixie), which needs not be installed: a tree made by debootstrap, kept
# for the next time, and its dockerd in namespaces of their own, so that the host's links, mounts and rules stay as they are.
#   sh test/parity/docker-of-debian.sh COMMAND…      as root; COMMAND finds the engine by $DOCKER_HOST
set -eu
tree=${PARITY_TREE:-/var/tmp/berth-peer-trixie}
shared=/var/tmp/berth-parity # bind mounts of the script lie here: the engine sees them at the same path

engine() { # FOLDER [FLAG…]: in a mount namespace of its own
  work=$1
  shift
  mount --bind "$tree" "$tree"
  mount -t tmpfs run "$tree/run"
  for path in /dev /sys /proc; do mount --rbind $path "$tree$path"; done
  for path in "$shared" "$work"; do mkdir -p "$path" "$tree$path" && mount --bind "$path" "$tree$path"; done
  cd "$tree"
  pivot_root . mnt
  umount -l /mnt
  exec dockerd --data-root "$work/data" --exec-root /run/docker --pidfile "$work/pid" -H "unix://$work/d.sock" --cgroup-parent /berth-peer \
    --storage-driver overlay2 --log-level warn "$@"
}

inside() {
  ip link set lo up
  work=$(mktemp -d /var/tmp/berth-peer-XXXXXX)
  mkdir -p "$work/data" "$shared"
  unshare -m sh "$0" --engine "$work" >"$work/log" 2>&1 </dev/null &
  daemon=$!
  export DOCKER_HOST="unix://$work/d.sock"
  tries=0
  until docker version >/dev/null 2>&1; do
    tries=$((tries + 1))
    { kill -0 $daemon 2>/dev/null && [ $tries -lt 200 ]; } || { cat "$work/log" >&2; exit 1; }
    sleep 0.1
  done
  status=0
  "$@" || status=$?
  docker ps -aq | xargs -r docker rm -fv >/dev/null 2>&1 || true
  kill $daemon && wait $daemon || true
  find /sys/fs/cgroup -depth -type d \( -path '*/berth-peer/*' -o -name berth-peer \) -exec rmdir {} + 2>/dev/null || true
  rm -rf "$work" "$tree/var/tmp"/berth-peer-*
  exit $status
}

case ${1:-} in
--engine) shift; engine "$@" ;;
--inside) shift; inside "$@" ;;
esac
[ -e "$tree/usr/sbin/dockerd" ] ||
  debootstrap --variant=minbase --include=docker.io,iptables,procps trixie "$tree" http://deb.debian.org/debian >&2
exec unshare -n -m -p --fork --kill-child --mount-proc sh "$0" --inside "$@"
