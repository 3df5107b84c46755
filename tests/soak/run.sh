#!/bin/bash
# run.sh: MINUTES= (30) of everything at once; SEED= for the same chances again. The last line is "N passed,
# N failed". In a mount namespace of its own, so that its small disk is gone with it.
set -u
cd "$(dirname "$0")/../.."
export WAYBILL=${WAYBILL:-$PWD/waybill} PYTHONDONTWRITEBYTECODE=1
alone=(unshare --mount --propagation private)
"${alone[@]}" true 2>/dev/null || alone=(unshare --user --map-root-user --mount --propagation private)
exec "${alone[@]}" /usr/bin/python3 tests/soak/soak.py
