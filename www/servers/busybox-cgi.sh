#!/bin/sh
# waybill as plain CGI behind busybox httpd: for small devices. busybox runs what lies in cgi-bin/:
#
#   mkdir -p /srv/www/cgi-bin
#   www/servers/fill.sh busybox-cgi.sh > /srv/www/cgi-bin/waybill && chmod +x /srv/www/cgi-bin/waybill
#   busybox httpd -f -p 127.0.0.1:@PORT@ -h /srv/www
#
# The page is then at http://127.0.0.1:@PORT@/cgi-bin/waybill, which leads to .../index.html; busybox
# allows no other mount point, and takes an address that ends with a slash for a folder of its own. Forms
# and POST work, streamed. What busybox (1.35) does otherwise:
# it passes CONTENT_LENGTH for POST only and not when it is 0, so PUT (`curl -T`) and PATCH get the worker's
# 411 (tus clients: uploadDataDuringCreation and overridePatchMethod); it keeps Range and If-None-Match to itself, so downloads are always whole; %2F in a path is its own 404.

export WAYBILL_CONFIG="@CONF@"                    # the settings
export WAYBILL_BASE="${SCRIPT_NAME:-/cgi-bin/waybill}" # the mount point
export WAYBILL_STREAMED=yes                       # busybox passes bytes on as they arrive
# The worker would name the page by a slash, which is busybox's own 404.
case $REQUEST_METHOD$PATH_INFO in
GET | HEAD) printf 'Status: 308\r\nLocation: %s/index.html\r\nContent-Length: 0\r\n\r\n' "$WAYBILL_BASE"; exit ;;
esac
exec @WAYBILL@
