#!/bin/sh
# The kernel-dependent tests on a stock kernel with cgroup v2, in the virtual machine of $RUN_V2 (a program that is
# called as `run-v2 --timeout SECONDS -- COMMAND`). Skips, saying so, where there is none.
set -eu
cd "$(dirname "$0")/.."
vm=${RUN_V2:-../shared/vm/run-v2}
[ -x "$vm" ] || { echo "test:v2: no virtual machine here: set RUN_V2 to a program that boots one; skipped"; exit 0; }
. tools/env.sh
sh tools/test-packages.sh
[ $# -gt 0 ] || set -- 'src/**/*.root.test.ts' 'test/clients/run.test.ts' 'test/clients/isolation.test.ts' 'test/clients/ports.test.ts' 'test/clients/crash.test.ts'
# The machine has Debian's base only: it runs the host's static docker CLI, and gets what Node and the tests need.
mkdir -p build/v2
cp -u "$(command -v docker)" "$(command -v busybox)" build/v2/
export V2VM_PACKAGES=libatomic1,curl,python3
exec "$vm" --timeout 1700 -- sh tools/inside-v2.sh "$@"
