{{/*
The objects have the names that the documentation, the messages of the policies and the alerts use, whatever the release is called. There
is one Keywright in a cluster: a second release is refused by Helm, since it would own the same cluster-wide objects. The chart
keywright-issuer has the same templates, and names of its release.
*/}}
{{- define "keywright.issuer.name" -}}
keywright-issuer
{{- end }}

{{/* keywright.selector are the labels of the pods of a component. They never change: a Deployment's selector cannot. */}}
{{- define "keywright.selector" -}}
app.kubernetes.io/name: keywright
app.kubernetes.io/component: {{ .component }}
{{- end }}
