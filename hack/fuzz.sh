#!/bin/sh
# Runs every fuzz target of every module for the given time.
set -eu
cd "$(dirname "$0")/.."
for module in . verifier verifier/fast; do
	grep -rl --include='*_test.go' '^func Fuzz' "$module" | xargs -r -n1 dirname | sort -u | while read -r package; do
		case "$module:$package" in .:./verifier* | verifier:verifier/fast*) continue ;; esac
		for target in $(grep -rhoE '^func Fuzz[A-Za-z0-9]+' "$package"/*_test.go | cut -d' ' -f2); do
			echo "fuzz $package $target"
			(cd "$package" && go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" .)
		done
	done
done
