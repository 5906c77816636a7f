#!/bin/sh
# Fails if a committed file differs from what would be generated, formatted or tidied, or if lint complains. It works on
# the checkout as it stands, and says which files differ.
set -eu
cd "$(dirname "$0")/.."
state() { git ls-files -z --cached --others --exclude-standard | xargs -0 cksum 2>/dev/null | sort; }
before=$(mktemp) && after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT
state >"$before"
make --no-print-directory generate format tidy
state >"$after"
if ! cmp -s "$before" "$after"; then
	echo "verify: these files were not generated, formatted or tidy. They are changed now: commit them:" >&2
	diff "$before" "$after" | sed -n 's/^> [0-9]* [0-9]* /  /p' >&2
	exit 1
fi
make --no-print-directory lint
