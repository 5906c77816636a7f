{{/* keywright.issuer.url is the iss of every token. */}}
{{- define "keywright.issuer.url" -}}
{{ .Values.issuer.url | default (printf "https://keywright-issuer.%s.svc" .Release.Namespace) }}
{{- end }}

{{/* keywright.issuer.tlsSecret is the Secret that the issuer mounts its certificate from. */}}
{{- define "keywright.issuer.tlsSecret" -}}
{{ .Values.issuer.tls.secretName | default "keywright-issuer-tls" }}
{{- end }}

{{/* keywright.issuer.configuration is issuer.yaml: issuer.config, and what the chart knows better, the places of its own mounts. */}}
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

{{/* keywright.issuer.restart is all of the configuration that an issuer does not follow, as docs/issuer.md says. */}}
{{- define "keywright.issuer.restart" -}}
{{- $config := include "keywright.issuer.configuration" . | fromYaml }}
{{- $trusted := list }}
{{- range $config.tokenExchange }}
{{- $trusted = append $trusted (pick . "name" "issuer" "keys") }}
{{- end }}
{{- list $config.issuer (omit $config.server "drainFor" "trustedProxies" "allowedOrigins" "tokenEndpointAliases") $config.users $config.login $trusted | toJson }}
{{- end }}

{{/* keywright.issuer.connects fails where the configuration needs connections that the NetworkPolicy would not let through. */}}
{{- define "keywright.issuer.connects" -}}
{{- $asks := false }}
{{- range .Values.issuer.config.tokenExchange }}
{{- if not (dig "keys" "file" "" .) }}{{ $asks = true }}{{ end }}
{{- end }}
{{- if and .Values.issuer.networkPolicy.enabled (not .Values.issuer.networkPolicy.egress)
  (or $asks (dig "users" "ldap" false .Values.issuer.config)) }}
{{- fail "issuer.config has LDAP or token exchange, and the issuer may connect to nobody: name the rules in issuer.networkPolicy.egress (`[{}]` allows all), or set issuer.networkPolicy.enabled to false" }}
{{- end }}
{{- end }}

{{/* keywright.issuer.mutualPort is the port of the listener for clients with certificates, empty if there is none. */}}
{{- define "keywright.issuer.mutualPort" -}}
{{- dig "server" "mutualTLS" "address" "" .Values.issuer.config | regexFind "[0-9]+$" -}}
{{- end -}}
