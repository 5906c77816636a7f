{{/*
Values that cannot work are refused before anything is installed. Each message says which value is wrong, why, and what to set instead.
values.schema.json refuses values that are wrong on their own.
*/}}
{{- define "keywright.issuer.refusals" -}}
{{- if not .Values.signingKey.name }}
{{- fail "signingKey.name: name the SigningKey that this issuer signs with, and that no other issuer has, such as customers" }}
{{- end }}
{{- include "keywright.issuer.refuseScaling" . }}
{{- include "keywright.issuer.refuseLifetimes" . }}
{{- include "keywright.issuer.refuseExchange" . }}
{{- include "keywright.issuer.refuseClosedNetwork" . }}
{{- include "keywright.issuer.refuseUnmountedFiles" . }}
{{- include "keywright.issuer.refuseServer" . }}
{{- include "keywright.issuer.refuseDoors" . }}
{{- end }}

{{- define "keywright.issuer.refuseScaling" -}}
{{- $scaling := .Values.issuer.autoscaling }}
{{- if and $scaling.enabled (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) }}
{{- fail (printf "issuer.autoscaling.minReplicas is %d, more than maxReplicas, %d: lower the one or raise the other" (int $scaling.minReplicas) (int $scaling.maxReplicas)) }}
{{- end }}
{{- end }}

{{/* keywright.atMost fails where a duration is longer than another. Its argument is a list: what, duration, of what, maximum, remedy. */}}
{{- define "keywright.atMost" -}}
{{- if gt (include "keywright.milliseconds" (index . 1) | int64) (include "keywright.milliseconds" (index . 3) | int64) }}
{{- fail (printf "%s is %s, longer than %s, %s: %s" (index . 0) (index . 1) (index . 2) (index . 3) (index . 4)) }}
{{- end }}
{{- end }}

{{- define "keywright.issuer.refuseLifetimes" -}}
{{- $manager := .Values.issuer.tls.certManager }}
{{- if $manager.enabled }}
{{- include "keywright.atMost" (list "issuer.tls.certManager.renewBefore" $manager.renewBefore "duration" $manager.duration "a certificate would be renewed before it is made") }}
{{- end }}
{{- if .Values.signingKey.enabled }}
{{- $config := .Values.issuer.config }}
{{- $max := dig "token" "maxLifetime" "1h" .Values.signingKey.spec }}
{{- include "keywright.atMost" (list "issuer.config.token.lifetime" (dig "token" "lifetime" "15m" $config) "signingKey.spec.token.maxLifetime" $max "lower the one or raise the other") }}
{{- $sessions := .Values.signingKey.spec.sessions }}
{{- range $i, $client := $config.clients }}
{{- with $client.refresh }}
{{- $at := printf "issuer.config.clients[%d].refresh" $i }}
{{- if kindIs "invalid" $sessions }}
{{- fail (printf "%s needs sessions, which this SigningKey does not allow: set signingKey.spec.sessions, such as {maxRefreshLifetime: 12h, maxSessionLifetime: 720h}" $at) }}
{{- end }}
{{- range $field, $bound := dict "lifetime" (list "maxRefreshLifetime" "12h") "sessionLifetime" (list "maxSessionLifetime" "720h") }}
{{- with index $client.refresh $field }}
{{- include "keywright.atMost" (list (print $at "." $field) . (print "signingKey.spec.sessions." (first $bound)) (index $sessions (first $bound) | default (last $bound)) "lower the one or raise the other") }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "keywright.issuer.refuseExchange" -}}
{{- range $i, $from := .Values.issuer.config.tokenExchange }}
{{- $at := printf "issuer.config.tokenExchange[%d].keys" $i }}
{{- $keys := $from.keys | default dict }}
{{- if and $keys.file $keys.url }}
{{- fail (printf "%s: name either a file or a url, and not both: the public keys of the issuer whose tokens are exchanged" $at) }}
{{- end }}
{{- if not (or $keys.file $keys.url (hasPrefix "https://" ($from.issuer | default ""))) }}
{{- fail (printf "%s: name a file or a url with the public keys, because issuer is not an https URL from which they can be discovered" $at) }}
{{- end }}
{{- $host := (urlParse ($keys.url | default "https://none")).hostname }}
{{- if and (regexMatch "^kubernetes[.]default([.]svc([.].*)?)?$" $host) (not $keys.caFile) }}
{{- fail (printf "%s.caFile: no CA of the system signs the certificate of %s: set caFile to /var/run/keywright/cluster/ca.crt, and tokenFile to /var/run/keywright/cluster/token. The chart mounts both" $at $host) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Connections that the NetworkPolicy of the issuer does not allow. */}}
{{- define "keywright.issuer.refuseClosedNetwork" -}}
{{- if and .Values.issuer.networkPolicy.enabled (not .Values.issuer.networkPolicy.egress) }}
{{- $needs := list }}
{{- range $i, $from := .Values.issuer.config.tokenExchange }}
{{- $keys := $from.keys | default dict }}
{{- if $keys.url }}{{ $needs = append $needs (printf "issuer.config.tokenExchange[%d].keys.url" $i) }}
{{- else if not $keys.file }}{{ $needs = append $needs (printf "issuer.config.tokenExchange[%d], whose keys are discovered," $i) }}{{ end }}
{{- end }}
{{- range $directory, $_ := .Values.issuer.config.users }}
{{- $needs = append $needs (print "issuer.config.users." $directory) }}
{{- end }}
{{- range .Values.issuer.extraEnv }}
{{- if has .name (list "OTEL_EXPORTER_OTLP_ENDPOINT" "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") }}{{ $needs = append $needs (print "issuer.extraEnv: " .name) }}{{ end }}
{{- end }}
{{- with $needs }}
{{- fail (printf "%s needs connections, but the NetworkPolicy allows the issuer none: add the rules to issuer.networkPolicy.egress (`[{}]` allows all), or set issuer.networkPolicy.enabled to false" (first .)) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Files that are in no volume. Files below /etc/ssl are in the image. */}}
{{- define "keywright.issuer.refuseUnmountedFiles" -}}
{{- $config := .Values.issuer.config }}
{{- $places := list "/etc/ssl" "/etc/keywright" "/var/run/keywright/signing-key" "/var/run/keywright/jwks" "/var/run/keywright/tls" }}
{{- if not $config.users }}{{ $places = append $places "/var/run/keywright/users" }}{{ end }}
{{- if include "keywright.issuer.usesCluster" . }}{{ $places = append $places "/var/run/keywright/cluster" }}{{ end }}
{{- range .Values.issuer.extraVolumeMounts }}{{ $places = append $places .mountPath }}{{ end }}
{{- $files := dict }}
{{- with dig "server" "mutualTLS" "clientCAFile" "" $config }}{{ $_ := set $files "server.mutualTLS.clientCAFile" . }}{{ end }}
{{- range $directory, $settings := $config.users }}
{{- range $field, $value := $settings }}
{{- if hasSuffix "File" $field }}{{ $_ := set $files (printf "users.%s.%s" $directory $field) $value }}{{ end }}
{{- end }}
{{- end }}
{{- range $i, $from := $config.tokenExchange }}
{{- range $field, $value := pick ($from.keys | default dict) "file" "caFile" "tokenFile" }}
{{- if $value }}{{ $_ := set $files (printf "tokenExchange[%d].keys.%s" $i $field) $value }}{{ end }}
{{- end }}
{{- end }}
{{- range $field, $file := $files }}
{{- $mounted := false }}
{{- range $places }}
{{- if or (eq $file .) (hasPrefix (print (trimSuffix "/" .) "/") $file) }}{{ $mounted = true }}{{ end }}
{{- end }}
{{- if not $mounted }}
{{- fail (printf "issuer.config.%s is %s, and no volume contains that file: mount it with issuer.extraVolumes and issuer.extraVolumeMounts" $field $file) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "keywright.issuer.refuseServer" -}}
{{- $server := .Values.issuer.config.server | default dict }}
{{- if has (include "keywright.issuer.mutualPort" .) (list "8443" "8081") }}
{{- fail "issuer.config.server.mutualTLS.address has a port that the issuer uses for something else: choose another, like \":8444\"" }}
{{- end }}
{{- if and $server.proxyProtocol (not $server.trustedProxies) }}
{{- fail "issuer.config.server.proxyProtocol needs issuer.config.server.trustedProxies: the networks of the proxies whose PROXY header is trusted" }}
{{- end }}
{{- end }}

{{- define "keywright.issuer.refuseDoors" -}}
{{- $issuer := .Values.issuer }}
{{- range $door, $values := dict "ingress" $issuer.ingress "tlsRoute" $issuer.tlsRoute "httpRoute" $issuer.httpRoute }}
{{- if $values.enabled }}
{{- if not $issuer.url }}
{{- fail (printf "issuer.%s routes by the host of issuer.url: set issuer.url to the URL that clients outside the cluster use" $door) }}
{{- end }}
{{- if regexMatch "^[0-9.]+$|:" (include "keywright.issuer.host" $) }}
{{- fail (printf "issuer.%s routes by a DNS name, and the host of issuer.url is an address: use a Service of type LoadBalancer" $door) }}
{{- end }}
{{- if and (ne $door "ingress") (not $values.parentRefs) }}
{{- fail (printf "issuer.%s.parentRefs is empty: name the Gateway, such as [{name: public, namespace: gateways}]" $door) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and $issuer.tlsRoute.enabled $issuer.httpRoute.enabled }}
{{- fail "issuer.tlsRoute and issuer.httpRoute would both have the host of issuer.url: enable one" }}
{{- end }}
{{- if and $issuer.httpRoute.enabled (not $issuer.httpRoute.caConfigMap) (or $issuer.tls.secretName $issuer.tls.certManager.enabled) }}
{{- fail "issuer.httpRoute.caConfigMap: name a ConfigMap whose ca.crt is the CA of the issuer's certificate: the chart creates one only for its own CA" }}
{{- end }}
{{- end }}
