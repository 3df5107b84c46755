#!/bin/bash
# run.sh: the page in Debian's Chromium, on the worker behind lighttpd; what only a mock can be made to do, on a mock.
# WAYBILL=path takes another worker than ./waybill, WAYBILL_URL=http://127.0.0.1:8411/ a server that runs already,
# WAYBILL_URL= (empty) the mock for all. Arguments go to playwright. The last line is "N passed, N failed".
set -u
cd "$(dirname "$0")" || exit 1
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1

fail() {
	echo "run.sh: $*" >&2
	echo "0 passed, 1 failed"
	exit 1
}

npm ci --prefer-offline --loglevel=error >&2 || fail "npm ci failed"

if [[ -z ${WAYBILL_URL+set} ]]; then
	home=$(mktemp -d /tmp/waybill-page-XXXXXX)
	mkdir "$home/tmp"
	chmod 755 "$home" # www-data has to reach it
	port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
	SERVER=lighttpd PORT=$port BASE= CONF=/dev/null DATA=$home/data SERVE_PREBUILT=1 WAYBILL=${WAYBILL:-../../waybill} \
		../serve.sh >"$home/log" 2>&1 &
	server=$!
	trap 'kill $server 2>/dev/null; wait $server; rm -rf "$home"' EXIT
	export WAYBILL_URL=http://127.0.0.1:$port/ TMPDIR=$home/tmp
	for ((i = 0; i < 100; i++)); do
		curl -fsS -o "$home/policy" "${WAYBILL_URL}upload" 2>/dev/null && break
		kill -0 $server 2>/dev/null || fail "the server ended: $(tail -3 "$home/log")"
		sleep 0.1
	done
	((i < 100)) || fail "the server does not answer: $(tail -3 "$home/log")"
fi

rm -f out/results.json
npx --no-install playwright test "$@"
status=$?
node -e '
const s = (() => { try { return require("./out/results.json").stats } catch { return { expected: 0, unexpected: 1, flaky: 0, skipped: 0 } } })();
const failed = s.unexpected + s.flaky + s.skipped + (s.expected + s.unexpected ? 0 : 1);
console.log(`${s.expected} passed, ${failed || ('"$status"' ? 1 : 0)} failed`);'
exit $status
