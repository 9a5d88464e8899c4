#!/bin/sh
# Gets a link token from the operator's application API: link-token.sh NAMESPACE USER
set -eu
# The header comes from standard input, so that no other process sees the token in the arguments.
printf 'Authorization: Bearer %s\n' "$(cat "$SMILE_TOKEN_FILE")" |
	curl --silent --show-error --fail-with-body --max-time 12 --cacert "$SMILE_CA_FILE" --header @- \
		--request POST "$SMILE_API_URL/v1/namespaces/$1/smileusers/$2/token"
