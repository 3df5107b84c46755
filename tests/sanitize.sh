#!/bin/bash
# sanitize.sh asan|tsan: the room tests and the http suite's hard cases with a worker built under
# AddressSanitizer and UBSan, or ThreadSanitizer. Any report fails. Last line: "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."
tests/install.sh build test || exit 1
case ${1:-} in
asan) flags="-fsanitize=address,undefined -fno-sanitize-recover=undefined" ;;
tsan) flags="-fsanitize=thread" ;;
*) echo "usage: sanitize.sh asan|tsan" >&2; exit 2 ;;
esac
build=$PWD/build/$1 passed=0 failed=0
count() { # command...
	if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $*"; fi
}
# A sanitizer's own needs (threads, /proc) do not fit the worker's jail; leaks show in the rooms.
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1
# It does not know pthread_mutex_clocklock(): the ledger's lock is left, and for all it knows never taken.
mkdir -p "$build"
echo "mutex:fcgi/store/disk/ledger.c" >"$build/suppressions"
suppressions=suppressions=$build/suppressions:print_suppressions=0
export TSAN_OPTIONS=exitcode=99:halt_on_error=0:$suppressions
make=(make --no-print-directory -j2 "BUILD=$build" HARDEN= "OPT=-O1 -g -fno-omit-frame-pointer"
	"CFLAGS=$flags" "LDFLAGS=$flags")

for source in tests/*/*_test.c; do
	name=${source#tests/} name=${name%.c}
	count "${make[@]}" -s "$build/tests/$name" && [[ -x $build/tests/$name ]] && count "$build/tests/$name" >"$build/tests/$name.log" 2>&1
	grep -aE '^FAILED' "$build/tests/$name.log"
done

count "${make[@]}" -s "$build/waybill"
logs=$(mktemp -d)
chmod 777 "$logs"
export ASAN_OPTIONS=detect_leaks=0:log_path=$logs/report TSAN_OPTIONS=log_path=$logs/report:$suppressions UBSAN_OPTIONS=log_path=$logs/report
export WAYBILL=$build/waybill WAYBILL_TEST_CONFIG="sandbox=off threads=64"
count /usr/bin/python3 -m pytest -q -p no:cacheprovider --tb=short tests/http/test_{fastcgi,forms,length,raw,listing,content}.py \
	-k "not cgi or fastcgi"
reports=("$logs"/report*)
if [[ -e ${reports[0]} ]]; then
	cat "${reports[@]}"
	failed=$((failed + 1))
else
	rm -rf "$logs" && passed=$((passed + 1))
fi
echo "$passed passed, $failed failed"
((failed == 0))
