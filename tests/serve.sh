#!/bin/bash
# serve.sh: waybill behind a real web server, in the foreground; `make run` and the tests start it.
#
# From the environment: SERVER=lighttpd|apache|nginx, or the name of any file of www/servers; PORT=
# BASE= DATA= CONF= as `make run` has them; WAYBILL_*= as the worker has them; SERVE_PREBUILT=1 takes
# ./waybill (or $WAYBILL) and the system as they are; SERVE_TLS_PORT= SERVE_CERT= SERVE_H2C_PORT= turn
# HTTP/2 on (Apache: SERVE_TLS_PORT instead of PORT). SERVE_SENDFILE=yes, or `sendfile` in
# the settings, turns on the server's side of it.
#
# The server is exec'd (Apache: waited for), so that SIGTERM and Ctrl-C end it; whatever else runs is bound to its life
# by PR_SET_PDEATHSIG, so nothing stays behind even after kill -9 (but nginx's own workers). As root, everything runs as
# www-data where that user can reach the data. The system's own web server is left alone: own
# configuration, pid file and sockets in a directory made for this run, logs on stderr.
set -euo pipefail

die() {
	echo "serve.sh: $*" >&2
	exit 1
}

[[ ${SERVE_BOUND:-} ]] || SERVE_BOUND=1 exec setpriv --pdeathsig TERM "$0" # ends with make
unset SERVE_BOUND

top=$(cd "$(dirname "$0")/.." && pwd)
server=${SERVER:-lighttpd} port=${PORT:-8411} conf=${CONF:-}
base=${BASE:-} base=${base%/}
case $server in
apache) site=apache-proxy.conf ;;
busybox) site=busybox-cgi.sh; base=/cgi-bin/waybill ;;
*) site=$server.conf ;;
esac
kind=${site%%[-.]*} # lighttpd, nginx, apache or busybox
[[ -f $top/www/servers/$site ]] || die "SERVER=$server: there is no www/servers/$site"
[[ $port =~ ^[0-9]+$ ]] || die "PORT=$port is no number"
[[ -z $base || $base == /* ]] || die "BASE=$base has to begin with a slash"

if [[ -z ${SERVE_PREBUILT:-} ]]; then
	case $kind in busybox) "$top/tests/install.sh" build busybox ;; *) "$top/tests/install.sh" build "run-$kind" ;; esac
	make --no-print-directory -s -C "$top" -j"$(nproc)" waybill >&2
fi
worker=$(realpath "${WAYBILL:-$top/waybill}")
[[ -x $worker ]] || die "there is no $worker; run make"
door=$port
[[ $kind != apache || -z ${SERVE_TLS_PORT:-} ]] || door=$SERVE_TLS_PORT
answers() { (: <"/dev/tcp/127.0.0.1/$door") 2>/dev/null; }
! answers || die "port $door is in use; PORT= takes another"

# ---- settings and data ------------------------------------------------------------------------
if [[ -n $conf ]]; then
	conf=$(realpath "$conf")
	[[ -r $conf ]] || die "CONF=$conf cannot be read"
	data_dir=$(sed -nE 's/^[[:space:]]*data_dir[[:space:]]*=[[:space:]]*(.*[^[:space:]])[[:space:]]*$/\1/p' "$conf" | tail -1)
	DATA=${DATA:-$data_dir}
fi
data=$(realpath -m "${DATA:-$top/data}")
fresh=
[[ -d $data ]] || fresh=1
spool=$data/spool # on data's file system: nginx hands bodies over by link
mkdir -p "$spool"

# ---- who runs it: www-data instead of root, where that user can reach the data -----------------
become=() user=$(id -un)
if ((EUID == 0)) && id www-data >/dev/null 2>&1; then
	become=(setpriv --reuid www-data --regid www-data --init-groups)
	if [[ $fresh || -e $data/waybill.db || $(ls -A "$data") == spool ]] &&
		(cd / && "${become[@]}" test -x "${data%/*}/"); then
		chown -R www-data: "$data"
	fi
	if (cd / && "${become[@]}" test -w "$spool" -a -x "$spool"); then
		user=www-data
	else
		echo "serve.sh: www-data cannot reach $data; everything runs as root" >&2
		become=()
	fi
fi
reachable() { (cd / && "${become[@]}" test "$@"); }

# ---- a directory for this run; in /tmp, since a socket's path has to be short ---------------------
# The keeper makes it, and removes it as soon as nobody holds the other end of its input: we do, and what
# we become. So it goes with the server, however that ends. What root executes in it, root alone may
# write; own/ is the server's.
coproc keeper {
	exec setsid bash -c 'trap "" INT TERM HUP QUIT PIPE
		run=$(mktemp -d /tmp/waybill-run-XXXXXXXX) || exit
		echo "$run" && exec >/dev/null 2>&1
		read -r # until its end
		for i in {1..100}; do rm -rf --one-file-system "$run" && break; sleep 0.1; done'
}
read -r run <&"${keeper[0]}" || die "there is no directory to be had in /tmp"
exec 8>"/dev/fd/${keeper[1]}" {keeper[0]}<&- {keeper[1]}>&- # opened anew, to last when we exec
own=$run/own
mkdir -m 0700 "$own" "$own/tmp"
((EUID)) || { chgrp www-data "$run" "$own" && chmod 0750 "$run" "$own"; }
if [[ -z $conf ]]; then
	conf=$run/waybill.conf && : >"$conf"
elif ! reachable -r "$conf"; then
	install -m 0640 -g www-data "$conf" "$run/waybill.conf" && conf=$run/waybill.conf
fi
if ! reachable -x "$worker"; then
	cp "$worker" "$run/waybill.bin" && worker=$run/waybill.bin
fi

# What the servers start as the worker: it has our settings, our stderr (descriptor 9, as they give
# theirs away), and ends with them.
{
	echo '#!/bin/bash'
	for name in $(compgen -e WAYBILL_); do
		declare -p "$name"
	done
	printf 'export WAYBILL_CONFIG=%q WAYBILL_DATA_DIR=%q\n' "$conf" "$data"
	[[ $site != nginx-bodyfile.conf ]] || printf 'export WAYBILL_BODY_FILE_DIR=%q\n' "$spool"
	echo '[[ ! -e /proc/self/fd/9 ]] || exec 2>&9 9>&-'
	# A server that is being ended may start one more, which would outlive it: asked for once the signal is sure.
	# shellcheck disable=SC2016
	printf 'exec setpriv --pdeathsig TERM bash -c %q waybill %q "$@"\n' \
		'stat=$(<"/proc/'$$'/stat") 2>/dev/null && [[ $stat != *") Z "* ]] || exit 0; exec "$@"' "$worker"
} >"$run/worker"
chmod 755 "$run/worker"
more=()
[[ -z ${SERVE_SENDFILE:-} ]] || more+=(SENDFILE=yes)
! grep -Eq '^[[:space:]]*sendfile[[:space:]]*=[[:space:]]*x-' "$conf" || more+=(SENDFILE=yes)
[[ -z ${SERVE_TLS_PORT:-} ]] ||
	more+=("TLS=127.0.0.1:$SERVE_TLS_PORT" "CERT=$SERVE_CERT" "H2C=${SERVE_H2C_PORT:-8412}")
"$top/www/servers/fill.sh" "$site" BASE="$base" PORT="$port" SOCKET="$own/waybill.sock" WAYBILL="$run/worker" \
	CONF="$conf" DATA="$data" SPOOL="$spool" RUN="$own" "${more[@]}" >"$run/site.conf"

# ---- around the site's file, what a distribution's main configuration would say -----------------
main_lighttpd() {
	cat <<-END
	server.port = $port
	server.bind = "127.0.0.1"
	server.document-root = "$own/tmp"
	server.modules = ( )
	include "$run/site.conf"
	END
}

main_nginx() {
	cat <<-END
	$( ((EUID)) || ((${#become[@]})) || echo "user root;")
	daemon off;
	pid $own/nginx.pid;
	error_log stderr;
	events { worker_connections 1024; }
	http {
		access_log off;
		client_body_temp_path $spool;
		fastcgi_temp_path $own/tmp;
		proxy_temp_path $own/tmp;
		uwsgi_temp_path $own/tmp;
		scgi_temp_path $own/tmp;
		include $run/site.conf;
	}
	END
}

main_apache() {
	local module modules="mpm_event authz_core alias env reqtimeout http2"
	case $site in
	*proxy*) modules+=" proxy proxy_fcgi" ;;
	*fcgid*) modules+=" fcgid" ;;
	*cgi*) modules+=" cgid" ;;
	esac
	[[ -z ${SERVE_TLS_PORT:-} ]] || modules+=" ssl"
	[[ ${more[*]} != *SENDFILE* ]] || modules+=" xsendfile"
	for module in $modules; do
		echo "LoadModule ${module}_module /usr/lib/apache2/modules/mod_$module.so"
	done
	cat <<-END
	ServerRoot $run
	DefaultRuntimeDir $own
	PidFile $own/apache.pid
	ErrorLog "|/bin/cat"
	ServerName localhost
	LogLevel warn
	Protocols h2c http/1.1
	$( ((EUID)) || ((${#become[@]})) || echo "User www-data")
	$( ((EUID)) || ((${#become[@]})) || echo "Group www-data")
	$([[ $site != *fcgid* ]] || printf 'FcgidIPCDir %s/tmp\nFcgidProcessTableFile %s/fcgid_shm\n' "$own" "$own")
	$([[ $site != apache-cgi.conf ]] || printf 'ScriptSock %s/cgid.sock\n' "$own")
	Include $run/site.conf
	END
}

case $kind in
lighttpd) main_lighttpd >"$run/main.conf"; command=(lighttpd -D -f "$run/main.conf") ;;
nginx) main_nginx >"$run/main.conf"; command=(nginx -e stderr -c "$run/main.conf") ;;
apache) main_apache >"$run/main.conf"; command=(apache2 -DFOREGROUND -f "$run/main.conf") ;;
busybox)
	mkdir -p "$run/www/cgi-bin" && mv "$run/site.conf" "$run/www/cgi-bin/waybill"
	chmod 755 "$run/www/cgi-bin/waybill"
	command=(busybox httpd -f -p "127.0.0.1:$port" -h "$run/www")
	;;
esac
[[ ! ${become[*]} ]] || chown -R "$user" "$own"

# ---- go ----------------------------------------------------------------------------------------
PATH=$PATH:/usr/sbin
export TMPDIR=$own/tmp
cd "$own"
# What would end the worker again and again ends us, once; it says why.
problem=$("${become[@]}" "$run/worker" config 2>&1 >/dev/null) || {
	status=$?
	echo "$problem" >&2
	exit $status
}
[[ ! -d $data/objects ]] || "${become[@]}" "$run/worker" token ls >/dev/null || exit
exec 9>&2
if [[ $site == nginx* || $site == apache-proxy.conf || $site == lighttpd-socket.conf ]]; then
	# These start no workers: ours is a child of what becomes the server, and ends with it.
	"${become[@]}" "$run/worker" serve -l "unix:$own/waybill.sock" &
	for ((i = 0; i < 200; i++)); do
		[[ ! -S $own/waybill.sock ]] || break
		kill -0 $! 2>/dev/null || die "the worker did not start"
		sleep 0.05
	done
	# Where the worker is www-data itself, own/ is its own, and root names nothing in there.
	((EUID || ${#become[@]})) || [[ $kind != apache ]] || chgrp -h www-data "$own/waybill.sock"
fi
page=/ && [[ $kind != busybox ]] || page=/index.html # busybox takes a last slash for a folder
# Said when it is so, and by nobody's child.
(
	exec 8>&-
	(
		for ((i = 0; i < 600; i++)); do
			kill -0 $$ 2>/dev/null || exit
			! answers || exec echo "waybill: http://127.0.0.1:$port$base$page ($server; data in $data; Ctrl-C stops)"
			sleep 0.05
		done
	) &
)
if [[ $kind == apache ]]; then
	# Apache takes SIGWINCH, a resized terminal, for "stop": it gets a session without one.
	setsid "${become[@]}" setpriv --pdeathsig TERM "${command[@]}" &
	apache=$!
	trap 'kill -TERM $apache' INT TERM HUP
	while kill -0 $apache 2>/dev/null; do wait $apache; done || exit 1
	exit 0
fi
exec "${become[@]}" setpriv --pdeathsig TERM "${command[@]}"
