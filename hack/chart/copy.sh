#!/bin/sh
# Copies into the chart what it has from config/, so that it stands in one place only.
set -eu
cd "$(dirname "$0")/../.."
chart=charts/keywright
rm -rf $chart/crds $chart/files
mkdir -p $chart/crds
cp config/crd/keywright.dev_*.yaml $chart/crds/
for part in rbac policy nudge istio injection monitoring; do
	mkdir -p $chart/files/$part
	cp config/$part/* $chart/files/$part/
	rm -f $chart/files/$part/kustomization.yaml $chart/files/$part/*_test.yaml
done
mkdir -p $chart/files/fetcher
cp config/fetcher/role.yaml config/fetcher/service_account.yaml $chart/files/fetcher/

# The chart keywright-issuer has the issuer of the chart keywright: the same templates, but for _names.tpl, and the same values and schema.
issuer=charts/keywright-issuer
rm -rf $issuer/templates/issuer
cp -R $chart/templates/issuer $chart/templates/_pods.tpl $chart/templates/signingkey.yaml $chart/templates/extra.yaml $issuer/templates/
# without leaves out keys of one indentation, with what stands below them and the comments above them.
without() {
	awk -v indent="$1" -v keys="$2" '
		function ours(line) { return line ~ "^" indent "[^ #}]" }
		/^ *#/ || /^$/ { held = held $0 "\n"; next }
		ours($0) { key = $0; gsub(/[" ]|:.*/, "", key); out = index(" " keys " ", " " key " ") > 0 }
		/^ *}/ && $0 !~ "^" indent "  " && $0 !~ "^" indent "}" { out = 0 }
		!out { printf "%s%s\n", held, $0 }
		{ held = "" }
	'
}
without "" "controller trustedIssuers outputs fetcher policies injection" <$chart/values.yaml | without "  " "rules dashboard" |
	sed -e '1i # Made by hack/chart/copy.sh of the values of the chart keywright.' -e 's/^  name: main$/  name: ""/' \
		-e 's/Name of the SigningKey that the issuer signs with$/&: one of its own, such as `customers`/' -e 's/^# The first SigningKey:/# The SigningKey:/' \
		-e 's/`keywright-issuer-users`/`<release>-issuer-users`/' -e 's/keywright-issuer\.<namespace>/<release>-issuer.<namespace>/' >$issuer/values.yaml
without "    " "controller trustedIssuers outputs fetcher policies injection" <$chart/values.schema.json | without "        " "rules dashboard" |
	sed -e 's/Values of the chart keywright/&-issuer/' -e 's/\("podMonitor": .*\),$/\1/' \
		-e 's/\("name": {.*"type": "string", "pattern": "^\)\(\[a-z0-9\]([^$]*\)\$", "maxLength": 200/\1(\2)?$", "maxLength": 200/' >$issuer/values.schema.json
