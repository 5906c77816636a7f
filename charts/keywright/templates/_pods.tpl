{{/*
keywright.labels are those of an object. Its argument is a dict with root and component. Those that select pods, keywright.selector, are
in _names.tpl: each chart has its own.
*/}}
{{- define "keywright.labels" -}}
{{- $ours := dict
  "app.kubernetes.io/instance" .root.Release.Name
  "app.kubernetes.io/version" .root.Chart.AppVersion
  "app.kubernetes.io/managed-by" .root.Release.Service
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") }}
{{- $ours = merge (include "keywright.selector" . | fromYaml) $ours }}
{{- range $label, $_ := .root.Values.commonLabels }}
{{- if hasKey $ours $label }}{{ fail (printf "commonLabels: the chart itself sets %s: choose another label" $label) }}{{ end }}
{{- end }}
{{- merge (dict) $ours .root.Values.commonLabels | toYaml }}
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
  {{- merge (include "keywright.selector" . | fromYaml) $values.podLabels .root.Values.commonLabels | toYaml | nindent 2 }}
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

{{/* keywright.disruption is the PodDisruptionBudget of a component. name is that of its Deployment. */}}
{{- define "keywright.disruption" -}}
{{- $budget := (index .root.Values .component).podDisruptionBudget -}}
{{- if $budget.enabled -}}
# Draining nodes evicts one pod at a time. A pod that is not running does not prevent an eviction.
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "keywright.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ $budget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "keywright.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{/* keywright.milliseconds is a duration of Go, like 1h30m, as a number. */}}
{{- define "keywright.milliseconds" -}}
{{- $sum := 0.0 }}
{{- range regexFindAll "[0-9.]+(ms|s|m|h)" . -1 }}
{{- $unit := regexFind "[a-z]+$" . }}
{{- $sum = addf $sum (mulf (trimSuffix $unit . | float64) (get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) $unit)) }}
{{- end }}
{{- $sum | int64 -}}
{{- end }}
