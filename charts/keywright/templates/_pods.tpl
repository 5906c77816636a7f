{{/*
The objects have the names that the documentation, the messages of the policies and the alerts use, whatever the release is called. There
is one Keywright in a cluster: a second release is refused by Helm, since it would own the same cluster-wide objects.

keywright.labels are those of an object. Its argument is a dict with root and component.
*/}}
{{- define "keywright.labels" -}}
{{ include "keywright.selector" . }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* keywright.selector are the labels of the pods of a component. They never change: a Deployment's selector cannot. */}}
{{- define "keywright.selector" -}}
app.kubernetes.io/name: keywright
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* keywright.image is the reference of the image of a component. */}}
{{- define "keywright.image" -}}
{{- $image := (index .root.Values .component).image -}}
{{- with .root.Values.image.registry }}{{ . }}/{{ end }}{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}

{{/* keywright.pod is the metadata of the pods of a component. */}}
{{- define "keywright.pod" -}}
{{- $values := index .root.Values .component -}}
labels:
  {{- include "keywright.selector" . | nindent 2 }}
  {{- with $values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $annotations := merge (dict) (.annotations | default dict) $values.podAnnotations }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* keywright.scheduling says on which nodes the pods of a component may run, and how their images are pulled. */}}
{{- define "keywright.scheduling" -}}
{{- $values := index .root.Values .component -}}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* keywright.placement says where the pods of a component go: evenly over nodes and zones, unless the values say otherwise. */}}
{{- define "keywright.placement" -}}
{{- $values := index .root.Values .component -}}
{{- with include "keywright.scheduling" . | trim }}
{{- . | nindent 0 }}
{{- end }}
topologySpreadConstraints:
{{- if $values.topologySpreadConstraints }}
  {{- toYaml $values.topologySpreadConstraints | nindent 2 }}
{{- else }}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "keywright.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- end }}
