#!/bin/bash
# run.sh [SECONDS] [TARGET...]: each fuzz target under libFuzzer, ASan and UBSan; what is found goes to
# build/fuzz/found. SEED= for the same chances again. Last line: "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/../.."
tests/install.sh build clang libclang-rt-14-dev || exit 1
seconds=${1:-60}
shift
SEED=${SEED:-$(date +%s)}
echo "SEED=$SEED"
seed=$(cksum <<<"$SEED") seed=$((${seed%% *} | 1)) # 0 would be one of its own choice
build=$PWD/build/fuzz passed=0 failed=0
flags="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined"
targets=("$@")
((${#targets[@]})) || targets=($(cd tests/fuzz && printf '%s\n' ./*_fuzz.c | sed 's|^./||; s|_fuzz.c$||'))
make --no-print-directory -s -j2 CC=clang BUILD="$build" HARDEN= OPT="-O1 -g" CFLAGS="$flags" "$build/rooms.a" || exit 1
mkdir -p "$build/found"
for target in "${targets[@]}"; do
	clang -std=gnu17 -Ifcgi -Itests -D_GNU_SOURCE -g -O1 ${flags/fuzzer-no-link/fuzzer} \
		-o "$build/$target" "tests/fuzz/${target}_fuzz.c" "$build/rooms.a" \
		-lfcgi -lsqlite3 -lmagic -lnettle -ljansson -linih -lseccomp -lpthread || { failed=$((failed + 1)); continue; }
	mkdir -p "$build/corpus-$target"
	if "$build/$target" -seed="$seed" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 \
		-artifact_prefix="$build/found/$target-" "$build/corpus-$target" "tests/fuzz/corpus/$target" \
		>"$build/$target.log" 2>&1; then
		passed=$((passed + 1))
		tail -1 "$build/$target.log"
	else
		failed=$((failed + 1))
		tail -40 "$build/$target.log"
	fi
done
echo "$passed passed, $failed failed"
((failed == 0))
