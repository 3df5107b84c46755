#!/bin/bash
# init.sh: the first program of the guest. Its / is the host's, for reading; its own are the disk and /tmp,
# which hides the host's, and what may lie there: the host's tree is below it once more.
# The kernel hands over KIND=, OPTIONS=, TASK=, TOLD=, DURABILITY=, SEED= and WAYBILL= of its command line.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp PYTHONDONTWRITEBYTECODE=1
mount -t proc none /proc
mount -t sysfs none /sys
mount -t tmpfs none /tmp
[[ -c /dev/ubda || -b /dev/ubda ]] || mount -t devtmpfs none /dev
mkdir /tmp/disk /tmp/host
mount -t hostfs -o / none /tmp/host
export WAYBILL=/tmp/host$WAYBILL TOLD=/tmp/host$TOLD
if mount -t "$KIND" -o "$OPTIONS" /dev/ubda /tmp/disk; then
	/usr/bin/python3 "/tmp/host${0%/*}/inside.py"
fi
echo "@@{\"end\": $?}"
exec sleep 600 # until the host takes the power away
