#!/bin/sh
# run.sh: the page in Debian's Chromium. With WAYBILL_URL=http://127.0.0.1:8411/ against that server, else against
# the mock. Arguments go to playwright. The last line is "N passed, N failed".
set -u
cd "$(dirname "$0")" || exit 1
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
if ! npm ci --prefer-offline --loglevel=error >&2; then
	echo "0 passed, 1 failed"
	exit 1
fi
rm -f out/results.json
npx --no-install playwright test "$@"
status=$?
node -e '
const s = (() => { try { return require("./out/results.json").stats } catch { return { expected: 0, unexpected: 1, flaky: 0, skipped: 0 } } })();
const failed = s.unexpected + s.flaky + s.skipped + (s.expected + s.unexpected ? 0 : 1);
console.log(`${s.expected} passed, ${failed || ('"$status"' ? 1 : 0)} failed`);'
exit $status
