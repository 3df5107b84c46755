#!/bin/bash
# all.sh: `make test`. Installs what is missing, builds, runs every suite; last line "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."
tests/install.sh build test
exec /usr/bin/python3 tests/all.py "$@"
