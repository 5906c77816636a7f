{{/* keywright.issuer.url is the iss of every token. */}}
{{- define "keywright.issuer.url" -}}
{{ .Values.issuer.url | default (printf "https://%s.%s.svc" (include "keywright.issuer.name" .) .Release.Namespace) }}
{{- end }}

{{/* keywright.issuer.tlsSecret is the Secret that the issuer mounts its certificate from. */}}
{{- define "keywright.issuer.tlsSecret" -}}
{{ .Values.issuer.tls.secretName | default (print (include "keywright.issuer.name" .) "-tls") }}
{{- end }}

{{/* keywright.issuer.caConfigMap is the ConfigMap with the certificate of the CA that the chart creates. */}}
{{- define "keywright.issuer.caConfigMap" -}}
{{ include "keywright.issuer.name" . }}-ca
{{- end }}

{{/* keywright.issuer.distributedCA is caConfigMap of the SigningKey: that of the values, otherwise the CA that the chart creates, otherwise empty. */}}
{{- define "keywright.issuer.distributedCA" -}}
{{- $makes := and .Values.issuer.enabled (not .Values.issuer.tls.secretName) (not .Values.issuer.tls.certManager.enabled) }}
{{- if hasKey .Values.signingKey.spec.distribution "caConfigMap" }}
{{- with .Values.signingKey.spec.distribution.caConfigMap }}{{ toJson . }}{{ end }}
{{- else if $makes }}
{{- dict "name" (include "keywright.issuer.caConfigMap" .) | toJson }}
{{- end }}
{{- end }}

{{/* keywright.issuer.configuration is issuer.yaml: issuer.config, with the paths of the chart's mounts. */}}
{{- define "keywright.issuer.configuration" -}}
{{- $ours := dict
  "apiVersion" "issuer.keywright.dev/v1alpha1"
  "kind" "IssuerConfiguration"
  "issuer" (include "keywright.issuer.url" .)
  "server" (dict
    "drainFor" "5s"
    "tls" (dict "certFile" "/var/run/keywright/tls/tls.crt" "keyFile" "/var/run/keywright/tls/tls.key"))
  "signingKey" (dict "directory" "/var/run/keywright/signing-key") }}
{{- if not .Values.issuer.config.users }}
{{- $_ := set $ours "users" (dict "file" "/var/run/keywright/users/users.yaml") }}
{{- end }}
{{- mergeOverwrite $ours (deepCopy .Values.issuer.config) | toYaml }}
{{- end }}

{{/* keywright.issuer.restart is the configuration whose changes require a restart: see docs/issuer.md. */}}
{{- define "keywright.issuer.restart" -}}
{{- $config := include "keywright.issuer.configuration" . | fromYaml }}
{{- $trusted := list }}
{{- range $config.tokenExchange }}
{{- $trusted = append $trusted (pick . "name" "issuer" "keys") }}
{{- end }}
{{- list $config.issuer (omit $config.server "drainFor" "trustedProxies" "proxyProtocol" "allowedOrigins" "tokenEndpointAliases") $config.users $config.login $trusted | toJson }}
{{- end }}

{{/* keywright.issuer.usersSecret is the Secret with the list of users. */}}
{{- define "keywright.issuer.usersSecret" -}}
{{ .Values.issuer.users.secretName | default (print (include "keywright.issuer.name" .) "-users") }}
{{- end }}

{{/* keywright.issuer.host is the host of the URL, which doors route by. */}}
{{- define "keywright.issuer.host" -}}
{{ (include "keywright.issuer.url" . | urlParse).hostname }}
{{- end }}

{{/*
keywright.issuer.usesCluster is not empty where the configuration names files below /var/run/keywright/cluster, which the chart mounts: a
token for the API server, and its CA. Values of before the chart did that mount it themselves.
*/}}
{{- define "keywright.issuer.usesCluster" -}}
{{- $directory := "/var/run/keywright/cluster" }}
{{- $mounted := false }}
{{- range .Values.issuer.extraVolumeMounts }}
{{- if eq (trimSuffix "/" .mountPath) $directory }}{{ $mounted = true }}{{ end }}
{{- end }}
{{- if not $mounted }}
{{- range .Values.issuer.config.tokenExchange }}
{{- range pick (.keys | default dict) "file" "caFile" "tokenFile" }}
{{- if hasPrefix (print $directory "/") . }}yes{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* keywright.issuer.mutualPort is the port of the listener for clients with certificates, empty if there is none. */}}
{{- define "keywright.issuer.mutualPort" -}}
{{- dig "server" "mutualTLS" "address" "" .Values.issuer.config | regexFind "[0-9]+$" -}}
{{- end -}}
