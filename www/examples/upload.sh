#!/bin/sh
# upload.sh FILE...: sends files, checks what arrived, prints their addresses. Wants curl, jq, sha256sum.
#
#     WAYBILL=https://files.example.org TOKEN=wb_... ./upload.sh report.pdf
#
# TOKEN: where uploading takes one. FOLDER: the path that the records get. KEEP: how long, such as 7d. With
# DELETE=yes all is deleted again at the end, as a trial.
set -eu
: "${WAYBILL:?the address of waybill, such as https://files.example.org}"
WAYBILL=${WAYBILL%/}
[ $# -gt 0 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }

site=$(echo "$WAYBILL" | sed -E 's|^(https?://[^/]+).*|\1|') # `url` has the mount point in it already
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# ask STATUS CURL-ARGUMENTS...: the answer is in $answer; waybill's own words where it is not STATUS. A token goes
# over standard input: command lines can be read by everybody on this machine.
ask() {
	wanted=$1
	shift
	status=$(printf '%s' "${token:+header = \"Authorization: Bearer $token\"}" |
		curl -sS --config - -H "Accept: application/json" -o "$answer" -w '%{http_code}' "$@")
	[ "$status" = "$wanted" ] && return
	echo "upload.sh: $status: $(jq -r '.detail // .error' "$answer" 2>/dev/null || echo "no answer of waybill's")" >&2
	return 1
}

for file; do
	[ -f "$file" ] && [ -r "$file" ] || { echo "upload.sh: $file is no file, or cannot be read" >&2; exit 1; }
	token=${TOKEN-}
	name=$(basename "$file" | jq -sRr 'rtrimstr("\n") | @uri')
	query=$(jq -rn --arg path "${FOLDER-}" --arg expires_in "${KEEP-}" \
		'$ARGS.named | to_entries | map(select(.value != "") | "\(.key)=\(.value | @uri)") | join("&")')
	ask 201 --retry 3 -T "$file" "$WAYBILL/upload/$name?$query"
	record=$(jq -c '.files[0]' "$answer")
	id=$(echo "$record" | jq -r .id)

	# waybill has hashed every byte as it came; this says that they are ours.
	[ "$(echo "$record" | jq -r .sha256)" = "$(sha256sum <"$file" | cut -d' ' -f1)" ] ||
		{ echo "upload.sh: $file: what arrived is something else" >&2; exit 1; }
	echo "$record" | jq -r --arg site "$site" '"\($site)\(.url)  \(.size) bytes  \(.type)"'

	[ "${DELETE-}" = yes ] || continue
	token=$(echo "$record" | jq -r '.delete_token // empty')
	token=${token:-${TOKEN-}}
	ask 204 -X DELETE "$WAYBILL/files/$id"
done
