#!/bin/bash
# inside.sh PART...: what run.sh has done in the bare machine, as its first process.
set -uo pipefail
passed=0 failed=0
note() { # whether it went well, what
	if (($1 == 0)); then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAILED: $2" >&2; fi
}

# Once what it ran for is over: processes that are not ours, and files of its own making.
remains() {
	local pid
	for pid in /proc/[0-9]*; do
		[[ ${pid#/proc/} == "$$" || ${pid#/proc/} == "$BASHPID" ]] || tr '\0' ' ' 2>/dev/null <"$pid/cmdline"
	done
	ls -A /tmp
}
nothing_remains() {
	local i
	for ((i = 0; i < 100; i++)); do [[ $(remains) ]] || return 0; sleep 0.1; done
	remains >&2
	return 1
}

ask() { # port method path [content]: the answer, by bash alone; there is no curl yet
	exec 3<>"/dev/tcp/127.0.0.1/$1" || return
	printf '%s %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' \
		"$2" "$3" "$1" "${#4}" "${4:-}" >&3
	timeout 60 cat <&3
	exec 3>&-
}

served() { # the command that serves on $port
	local said
	said=$(mktemp /var/tmp/said-XXXXXX)
	"$@" >"$said" 2>&1 &
	local make=$! i
	for ((i = 0; i < 6000; i++)); do
		! grep -q "http://127.0.0.1:$port/" "$said" || break
		kill -0 $make 2>/dev/null || break
		sleep 0.1
	done
	ask "$port" GET / '' | grep -q '<form'
	note $? "$*: the page"
	ask "$port" PUT /upload/a.txt hello | grep -q '^HTTP/1.1 201'
	note $? "$*: an upload"
	kill -TERM $make
	wait $make
	nothing_remains
	note $? "$*: nothing remains"
	((failed == 0)) || tail -30 "$said"
	rm -f "$said"
}

tested() { # the command that ends in "N passed, N failed"
	local said counts status
	said=$(mktemp /var/tmp/said-XXXXXX)
	"$@" 2>&1 | tee "$said"
	status=$?
	counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$said" | tail -1) # make has a last word where one failed
	if [[ $counts =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
		passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
	else
		note 1 "$*: no count"
	fi
	note $status "$*"
	nothing_remains
	note $? "$*: nothing remains"
	rm -f "$said"
}

packages() { dpkg-query -W -f '${Package}\n' | sort; }
packages >/var/tmp/packages
port=$(shuf -i 20000-29999 -n 1)
me=(setpriv --reuid 1000 --regid 1000 --clear-groups --reset-env env -C /home/me/waybill)
for part in $*; do
	SECONDS=0
	case $part in
	run) cd /srv/waybill && served make run "PORT=$port" ;;
	test) cd /srv/waybill && tested make test ;;
	user)
		/srv/waybill/tests/install.sh sudo
		id me >/dev/null 2>&1 || useradd --uid 1000 --user-group me
		echo 'me ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/me
		chown -R me: /home/me
		served "${me[@]}" make run "PORT=$port"
		tested "${me[@]}" make test
		;;
	*) note 1 "there is no part called $part" ;;
	esac
	echo "=== $part: $((SECONDS / 60)) min $((SECONDS % 60)) s; $passed passed, $failed failed so far"
done
gone=$(comm -23 /var/tmp/packages <(packages))
[[ ! $gone ]]
note $? "these packages were removed: $gone"
echo "$passed passed, $failed failed"
((failed == 0))
