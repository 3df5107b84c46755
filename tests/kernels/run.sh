#!/bin/bash
# run.sh [pytest arguments]: power cuts of a guest with Debian's own kernel (user-mode-linux); CUTS= (2) of each
# kind, SEED=. No root is needed. The last line is "N passed, N failed".
set -u
cd "$(dirname "$0")/../.."
export WAYBILL=${WAYBILL:-$PWD/waybill} SEED=${SEED:-20261126}
report=$(mktemp --suffix=.xml)
trap 'rm -f "$report"' EXIT
/usr/bin/python3 -m pytest -q -p no:cacheprovider --tb=short --durations=8 --junitxml="$report" \
	"${@:-tests/kernels}"
/usr/bin/python3 tests/counted.py "$report" $?
