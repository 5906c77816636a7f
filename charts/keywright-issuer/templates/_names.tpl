{{/*
The objects have names of their release. A Helm release has a name of its own in its namespace, so that two issuers never share an object. The
chart keywright has the same templates with fixed names.
*/}}
{{- define "keywright.issuer.name" -}}
{{ .Release.Name }}-issuer
{{- end }}

{{/*
keywright.selector are the labels of the pods. They never change: a Deployment's selector cannot. The Service, the NetworkPolicy and the
PodDisruptionBudget of the first issuer select app.kubernetes.io/name: keywright, so these pods have another one.
*/}}
{{- define "keywright.selector" -}}
app.kubernetes.io/name: keywright-issuer
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}
