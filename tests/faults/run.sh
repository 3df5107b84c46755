#!/bin/bash
# run.sh [pytest arguments]: what breaks, on purpose; SEED= for other chances. The last line is "N passed, N failed".
#
# In a mount namespace of its own, so that the small file systems that the tests mount are gone with
# them, whatever ends them; and in memory, where the many syncs cost nothing, if it may.
set -u
cd "$(dirname "$0")/../.."
export WAYBILL=${WAYBILL:-$PWD/waybill} SEED=${SEED:-20261122}
room=$(mktemp -d) report=$(mktemp --suffix=.xml)
trap 'rm -rf "$room" "$report"' EXIT
export TMPDIR=$room
FAULTS_OUTER_NAMESPACE=$(readlink /proc/self/ns/mnt)
export FAULTS_OUTER_NAMESPACE
alone=()
if unshare --mount true 2>/dev/null; then
	alone=(unshare --mount --propagation private)
elif unshare --user --map-root-user --mount true 2>/dev/null; then
	alone=(unshare --user --map-root-user --mount --propagation private)
fi
"${alone[@]}" bash -c '[[ $(readlink /proc/self/ns/mnt) == "$FAULTS_OUTER_NAMESPACE" ]] ||
	mount -t tmpfs -o size=50%,mode=0755 none "$TMPDIR"; exec "$@"' - \
	/usr/bin/python3 -m pytest -q -p no:cacheprovider --tb=short --durations=8 --basetemp="$room/tmp" \
	--junitxml="$report" "${@:-tests/faults}"
/usr/bin/python3 tests/counted.py "$report" $?
