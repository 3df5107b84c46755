#!/bin/bash
# run.sh [PART...]: `make test-fresh`, on a Debian 12 that has nothing but `make`: made by debootstrap,
# thrown away afterwards. The parts, in this order:
#   run    `make run` as root installs, builds, serves a page, takes a file, and leaves nothing behind
#   test   `make test` as root
#   user   (not by default) `make run`, then `make test` as an ordinary user who may use sudo
# The last line is "N passed, N failed": the checks made here and every test of `make test`.
#
# Wants root. Packages come from where this machine gets Debian's; nothing of it but network settings
# gets in. Mounts and processes are in namespaces of their own and end with this script.
set -euo pipefail
cd "$(dirname "$0")/../.."

die() {
	echo "run.sh: $*" >&2
	echo "0 passed, 1 failed"
	exit 1
}
((EUID == 0)) || die "debootstrap and chroot want root"
tests/install.sh debootstrap

scratch=$(mktemp -d /var/tmp/waybill-fresh-XXXXXX) root=$scratch/root
child=
clean() {
	[[ -z $child ]] || { kill -KILL $child 2>/dev/null && wait $child 2>/dev/null || true; }
	rm -rf --one-file-system "$scratch"
}
trap clean EXIT
trap 'exit 1' INT TERM HUP # and so by EXIT

# In namespaces of its own: what it mounts and starts is gone with it, and it with us.
alone() {
	setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --propagation private "$@" </dev/null &
	child=$!
	local status=0
	wait $child || status=$?
	child=
	return $status
}

# ---- a bare machine -----------------------------------------------------------------------------
# Debian's own of this machine's sources, one "URI suite component" a line.
sources() {
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
		grep ' bookworm' | sort -u || true
}
mirror=$(sources | awk '$2 == "bookworm" { print $1; exit }')
alone --mount-proc debootstrap --variant=minbase --include=make bookworm "$root" ${mirror:+"$mirror"} >"$scratch/log" 2>&1 ||
	die "debootstrap: $(tail -5 "$scratch/log")"
[[ -z $mirror ]] || sources | sed 's/^/deb /' >"$root/etc/apt/sources.list"
apt-config dump | grep -E '^Acquire::(https?::|ftp::|Check-|Retries)' >"$root/etc/apt/apt.conf.d/90network" || true
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
mkdir -p "$root/usr/local/share/ca-certificates"
find /usr/local/share/ca-certificates -name '*.crt' -exec cp -t "$root/usr/local/share/ca-certificates" {} + || true

# The tree as it stands, without what was built: once for root, once for the ordinary user.
files() { if [[ -e .git ]]; then git ls-files -z -co --exclude-standard; else find . -type f -print0; fi; }
for place in "$root/srv/waybill" "$root/home/me/waybill"; do
	mkdir -p "$place"
	files | tar -c --null --no-recursion --ignore-failed-read -T - | tar -x --no-same-owner -C "$place"
done

# ---- in there -----------------------------------------------------------------------------------
network=()
for name in http_proxy https_proxy no_proxy npm_config_registry NODE_EXTRA_CA_CERTS; do
	[[ -z ${!name:-} ]] || network+=("$name=${!name}")
done
export root
alone bash -c '
	set -e
	mount --bind "$root" "$root" # so that / is a mount in there, too
	mount --rbind /dev "$root/dev"
	mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 none "$root/dev/pts"
	mount -t tmpfs -o mode=1777 none "$root/dev/shm"
	mount -t proc none "$root/proc"
	mount -t sysfs none "$root/sys"
	exec chroot "$root" env -i --default-signal PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/root TERM=dumb "$@"' - "${network[@]}" /srv/waybill/tests/fresh/inside.sh "${@:-run test}"
