#!/bin/sh
# fill.sh: a server configuration with its placeholders filled in, on stdout.
#
#     www/servers/fill.sh nginx.conf BASE=/drop PORT=80 > /etc/nginx/sites-available/waybill
#
# placeholder  default                     what it is
# @BASE@       (empty)                     mount point: empty for /, or /drop (no slash at the end)
# @ADDRESS@    127.0.0.1                   address to listen on; nginx, Apache: *, 0.0.0.0 or [::] for all
# @NAME@       localhost                   name of the (virtual) server
# @PORT@       8411                        port to listen on, where the file says so
# @SOCKET@     /run/waybill/waybill.sock   where worker and web server meet
# @WAYBILL@    /usr/bin/waybill            the worker, where the web server starts it
# @CONF@       /etc/waybill.conf           the worker's settings
# @DATA@       /var/lib/waybill            the worker's data_dir
# @SPOOL@      /var/lib/waybill/spool      bodies on their way; belongs to the web server's user
# @RUN@        /run/waybill/www            sockets of the web server's own
# @CERT@       /etc/ssl/waybill            fullchain.pem and privkey.pem
# @H2C@        8412                        nginx: port for HTTP/2 without TLS
# @LIMIT@      1G                          what spools bodies takes none that is longer: the same as max_bytes
#
# What is there as comments is put in force by
# TLS=0.0.0.0:443   the lines for TLS and HTTP/2, on this address (Apache: instead of @PORT@)
# SNIPPET=yes       beside a site that is there already, with its TLS and all. nginx, Apache: not a whole
#                   server, but what goes into that site's server or virtual host. lighttpd: limits and
#                   error pages of the rest stay as they are (and what lighttpd refuses before it has
#                   read an address, 411 for a chunked body among it, comes in its own words)
# SENDFILE=yes      the lines for downloads that the web server sends itself
#
# Apache: ports 80 and 443 get no line `Listen`: Debian's ports.conf has them.
set -eu
[ $# -gt 0 ] || { echo "usage: fill.sh FILE [KEY=VALUE...]; the keys stand at the head of fill.sh" >&2; exit 2; }
file=$1
shift
BASE= ADDRESS=127.0.0.1 NAME=localhost SNIPPET= PORT=8411 SOCKET=/run/waybill/waybill.sock WAYBILL=/usr/bin/waybill
CONF=/etc/waybill.conf DATA=/var/lib/waybill SPOOL=/var/lib/waybill/spool RUN=/run/waybill/www
CERT=/etc/ssl/waybill H2C=8412 TLS= SENDFILE= LIMIT=1G
for setting in "$@"; do
	key=${setting%%=*} value=${setting#*=}
	case $key in
	BASE | ADDRESS | NAME | SNIPPET | PORT | SOCKET | WAYBILL | CONF | DATA | SPOOL | RUN | CERT | H2C | TLS | SENDFILE | LIMIT) eval "$key=\$value" ;;
	*) echo "fill.sh: no placeholder is called $key" >&2; exit 2 ;;
	esac
done
case $BASE in /*/ | [!/]*) echo "fill.sh: BASE is empty, or /like/this" >&2; exit 2 ;; esac
case $PORT in '' | *[!0-9]* | ??????*) echo "fill.sh: PORT is a number" >&2; exit 2 ;; esac
case $NAME in '' | *[!A-Za-z0-9._-]*) echo "fill.sh: NAME is a name such as files.example.org" >&2; exit 2 ;; esac
case $ADDRESS in '' | *[!A-Za-z0-9.:*[\]-]*) echo "fill.sh: ADDRESS is an address, or *" >&2; exit 2 ;; esac
[ -f "$file" ] || file=$(dirname "$0")/$file
[ -f "$file" ] || { echo "fill.sh: there is no $file; there are $(cd "$(dirname "$0")" && echo *.conf)" >&2; exit 2; }
case $LIMIT in *[!0-9KMGT]* | ?*[KMGT]?* | [KMGT]* | '') echo "fill.sh: LIMIT is a size such as 512M or 10G" >&2; exit 2 ;; esac
bytes=${LIMIT%[KMGT]}
case $LIMIT in *T) bytes=$((bytes << 40)) ;; *G) bytes=$((bytes << 30)) ;; *M) bytes=$((bytes << 20)) ;; *K) bytes=$((bytes << 10)) ;; esac
LIMIT=$bytes LIMIT_KIB=$((bytes >> 10))
set --
# Blocks of comments, from the line that announces one to the first that is no comment.
uncomment() { printf '/^\t*# %s/,/^\t*([^#\t]|$)/{/^\t*# %s/!s/^(\t*)# ?/\\1/}' "$1" "$1"; }
if [ "$SENDFILE" ]; then
	set -- "$@" -e "$(uncomment 'With SENDFILE=yes')"
	case $file in *nginx*) SENDFILE=x-accel-redirect ;; *) SENDFILE=x-sendfile ;; esac
fi
SENDFILE=${SENDFILE:-none}
if [ "$TLS" ]; then
	set -- "$@" -e "$(uncomment 'TLS and HTTP\/2')"
	case $file in *apache*) set -- "$@" -e "s|@ADDRESS@:@PORT@|@TLS@|g" ;; esac
fi
case $file:$PORT in *apache*:80 | *apache*:443) set -- "$@" -e '/^Listen @ADDRESS@:@PORT@$/d' ;; esac
TLS=${TLS:-0.0.0.0:443}
for key in BASE NAME PORT SOCKET WAYBILL CONF DATA SPOOL RUN CERT H2C TLS SENDFILE LIMIT LIMIT_KIB; do
	eval "value=\$$key"
	case $value in *[!A-Za-z0-9/._+:@%,=~-]*)
		echo "fill.sh: $key has a character that is not safe in a configuration: $value" >&2; exit 2 ;;
	esac
	set -- "$@" -e "s|@$key@|$value|g"
done
set -- "$@" -e "s|@ADDRESS@|$ADDRESS|g"
[ "$SNIPPET" ] || exec sed -E "$@" "$file"
# lighttpd: all that is of the whole server goes under the condition, or away.
case $file in *lighttpd*)
	[ "$BASE" ] || { echo "fill.sh: SNIPPET wants a BASE to keep to" >&2; exit 2; }
	sed -E "$@" "$file" | sed -E -e '/^# (KiB; 0|Seconds |worker.s 408|Where lighttpd|lighttpd.s own|that status|the condition below)/d' \
		-e '/^server[.]upload-dirs/d' -e '/^server[.](max-|error-handler)/{s/^/\t/;s/ := / = /;H;d;}' \
		-e '/^[$]HTTP\["url"\]/{G;s/\n+/\n/;}'
	exit ;;
esac
# What stands in the server's braces or tags, but for where it listens and what it is called.
case $file in
*nginx*) begin='^server [{]' end='^[}]' out='^\t(listen|server_name|absolute_redirect|ssl_|http2_|# (TLS|listen|ssl_|http2_|Redirects))' ;;
*apache*) begin='^<VirtualHost' end='^</VirtualHost' out='^\t(ServerName|# ?SSL|# TLS|# Protocols)' ;;
*) echo "fill.sh: this file has no SNIPPET" >&2; exit 2 ;;
esac
sed -E "$@" "$file" | sed -nE -e "\\|$begin|,\\|$end|{\\|$begin|d;\\|$end|d;/$out/d;s|^\t||;p}"
