#!/bin/sh
# The kernel-dependent tests on a stock kernel with cgroup v2, in the virtual machine of $RUN_V2 (a program that is
# called as `run-v2 --timeout SECONDS -- COMMAND`). Skips, saying so, where there is none.
set -eu
cd "$(dirname "$0")/.."
vm=${RUN_V2:-../shared/vm/run-v2}
[ -x "$vm" ] || { echo "test:v2: no virtual machine here: set RUN_V2 to a program that boots one; skipped"; exit 0; }
. tools/env.sh
sh tools/test-packages.sh
# The client tests where the kernel shows most; the others do the same on any.
in_clients=''
for name in run isolation ports crash resources mounts volumes archive commit health dns network-hosts network-kinds network-changes \
	published-ports legacy-links images pull push registry; do in_clients="$in_clients test/clients/$name.test.ts"; done
# shellcheck disable=SC2086 # a list of words
[ $# -gt 0 ] || set -- 'src/**/*.root.test.ts' $in_clients
# The machine has Debian's base only: it runs the host's static docker CLI, and gets what Node and the tests need.
mkdir -p build/v2
cp -u "$(command -v docker)" "$(command -v busybox)" build/v2/
node -e 'import("./test/net-probe.ts").then(({ netProbe }) => netProbe())'
export V2VM_PACKAGES=libatomic1,curl,python3
exec "$vm" --timeout 3400 -- sh tools/inside-v2.sh "$@"
