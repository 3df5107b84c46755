#!/bin/bash
# install.sh WHAT...: Debian packages that are missing, installed; nothing said or done when none is.
# WHAT: build, run-lighttpd, run-nginx, run-apache, test, test-kernels, or a package's name. Whatever is
# installed stays.
set -euo pipefail

declare -A sets=(
	[build]="gcc make libc6-dev libfcgi-dev libsqlite3-dev libmagic-dev nettle-dev libjansson-dev
		libinih-dev libseccomp-dev"
	[run-lighttpd]="lighttpd"
	[run-nginx]="nginx-light"
	[run-apache]="apache2-bin libapache2-mod-fcgid libapache2-mod-xsendfile media-types"
	[test]="lighttpd lighttpd-mod-openssl nginx-light apache2 apache2-bin libapache2-mod-fcgid libapache2-mod-xsendfile
		media-types busybox e2fsprogs xfsprogs btrfs-progs mount binutils build-essential libcmocka-dev python3
		python3-pytest python3-h2 python3-tuspy prometheus curl jq file chromium nodejs npm procps openssl debhelper dpkg-dev
		fakeroot lintian man-db mandoc systemd"
	[test-kernels]="user-mode-linux e2fsprogs xfsprogs btrfs-progs util-linux python3 python3-pytest"
)

# What is compiled for 32 bits, too, takes more headers.
[[ $(dpkg --print-architecture) != amd64 ]] || sets[test]+=" gcc-multilib"

# Any nginx, busybox and node will do, wherever they came from.
declare -A command_of=([nginx-light]=nginx [busybox]=busybox [nodejs]=node [npm]=npm)
PATH=$PATH:/usr/sbin

missing() { # packages of "$@" that are not installed
	local package
	for package; do
		! command -v "${command_of[$package]:-/nowhere}" >/dev/null || continue
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
	done | sort -u
}

wanted=()
for what; do read -rd '' -a words <<<"${sets[$what]:-$what}" || true; wanted+=("${words[@]}"); done
mapfile -t packages < <(missing "${wanted[@]}")
((${#packages[@]})) || exit 0

root=()
if ((EUID != 0)); then
	if ! command -v sudo >/dev/null; then
		echo "install.sh: these packages are missing, and there is no sudo to install them with:" >&2
		echo "  apt-get install ${packages[*]}" >&2
		exit 1
	fi
	root=(sudo)
fi
echo "Installing with ${root[*]:+sudo }apt-get: ${packages[*]}" >&2

# Debian starts a web server as soon as it is installed; this one is only wanted as a program.
policy=/usr/sbin/policy-rc.d
if ! [[ -e $policy ]]; then
	trap '"${root[@]}" rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee $policy >/dev/null
	"${root[@]}" chmod 755 $policy
fi
get() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 "$@" >&2; }
get update
get install --no-install-recommends --no-remove "${packages[@]}"
