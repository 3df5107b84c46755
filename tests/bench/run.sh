#!/bin/bash
# run.sh: `make bench` (10 minutes) and `make bench QUICK=1` (2 minutes): waybill beside its peers, as
# a Markdown table on stdout, progress on stderr. Installs what is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/install.sh build nginx-light php8.2-fpm php8.2-sqlite3 python3 >&2
build=${BUILD:-build}
make --no-print-directory BUILD="$build" "$build/waybill" >&2
mkdir -p "$build/bench"
for program in load floor; do
	${CC:-gcc} -std=gnu17 -O2 -Wall -Wextra -Wshadow -D_GNU_SOURCE -o "$build/bench/$program" \
		"tests/bench/$program.c" -lnettle
done
BUILD=$(realpath "$build") exec setpriv --pdeathsig TERM /usr/bin/python3 tests/bench/bench.py "$@"
