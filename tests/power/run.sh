#!/bin/bash
# run.sh [pytest arguments]: power cuts of a real block device, CUTS= (3) of each kind; SEED= for others.
# The last line is "N passed, N failed". Mounting takes root: by sudo, where we are not.
set -u
cd "$(dirname "$0")/../.."
root=()
if ((EUID != 0)); then
	if ! sudo -n true 2>/dev/null; then
		echo "tests/power needs root to mount its disks: run it as root, or where 'sudo -n' works."
		echo "0 passed, 1 failed"
		exit 1
	fi
	root=(sudo -n)
fi
exec "${root[@]}" env PYTHONDONTWRITEBYTECODE=1 WAYBILL="${WAYBILL:-$PWD/waybill}" CUTS="${CUTS:-3}" \
	SEED="${SEED:-20261125}" tests/faults/run.sh "${@:-tests/power}"
