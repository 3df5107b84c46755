#!/bin/bash
# run.sh [pytest arguments]: what breaks, on purpose. The last line is "N passed, N failed".
#
# In a mount namespace of its own, so that the small file systems that the tests mount are gone with
# them, whatever ends them.
set -u
cd "$(dirname "$0")/../.."
export WAYBILL=${WAYBILL:-$PWD/waybill}
report=$(mktemp --suffix=.xml)
trap 'rm -f "$report"' EXIT
export FAULTS_OUTER_NAMESPACE=$(readlink /proc/self/ns/mnt)
alone=()
if unshare --mount true 2>/dev/null; then
	alone=(unshare --mount --propagation private)
elif unshare --user --map-root-user --mount true 2>/dev/null; then
	alone=(unshare --user --map-root-user --mount --propagation private)
fi
"${alone[@]}" /usr/bin/python3 -m pytest -q -p no:cacheprovider --tb=short --durations=8 --junitxml="$report" "${@:-tests/faults}"
status=$?
/usr/bin/python3 - "$report" $status <<'END'
import sys
import xml.etree.ElementTree as xml
try:
    suite = xml.parse(sys.argv[1]).getroot().find("testsuite")
    total, failed = int(suite.get("tests")), sum(int(suite.get(k)) for k in ("errors", "failures", "skipped"))
except (xml.ParseError, OSError):
    total, failed = 0, 0
failed = max(failed, int(sys.argv[2] != "0"))
print(f"{max(total - failed, 0)} passed, {failed} failed")
END
exit $status
