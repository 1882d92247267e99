{{/* What the pods of operator and data plane have in common. */}}

{{/*
Metadata of the template of a Deployment. Takes (dict "root" $ "role" "operator").
*/}}
{{- define "tollgate.pod.metadata" -}}
{{- $values := index .root.Values .role -}}
labels:
  {{- include "tollgate.podLabels" (dict "root" .root "component" .role) | nindent 2 }}
  {{- with $values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- if or .root.Values.metrics.scrapeAnnotations $values.podAnnotations }}
annotations:
  {{- if .root.Values.metrics.scrapeAnnotations }}
  prometheus.io/scrape: "true"
  prometheus.io/port: "4001"
  prometheus.io/path: /metrics
  {{- end }}
  {{- with $values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* The beginning of its spec. */}}
{{- define "tollgate.pod.spec" -}}
{{- $values := index .root.Values .role -}}
serviceAccountName: {{ include "tollgate.serviceAccountName" . }}
automountServiceAccountToken: true
enableServiceLinks: false
securityContext:
  {{- toYaml $values.podSecurityContext | nindent 2 }}
{{- with .root.Values.global.imagePullSecrets }}
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
topologySpreadConstraints:
  {{- if $values.topologySpreadConstraints }}
  {{- toYaml $values.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "tollgate.selectorLabels" (dict "root" $.root "component" $.role) | nindent 8 }}
  {{- end }}
  {{- end }}
{{- end }}

{{/* The beginning of its container: what is run, and with which variables. Takes "env" too, the variables as YAML. */}}
{{- define "tollgate.container" -}}
{{- $values := index .root.Values .role -}}
name: {{ .role }}
image: {{ include "tollgate.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: [{{ .role }}/main.ts]
securityContext:
  {{- toYaml $values.securityContext | nindent 2 }}
resources:
  {{- toYaml $values.resources | nindent 2 }}
{{- with $values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
env:
  {{- $own := .env | fromYamlArray }}
  {{- $names := list }}
  {{- range $own }}{{ $names = append $names .name }}{{ end }}
  {{- range $values.extraEnv }}
    {{- if has .name $names }}
      {{- fail (printf "%s.extraEnv: %s is set by the chart, and a variable may be set once" $.role .name) }}
    {{- end }}
    {{- $names = append $names .name }}
  {{- end }}
  {{- toYaml $own | nindent 2 }}
  {{- with $values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Variables of both. */}}
{{- define "tollgate.env" -}}
{{- $settings := .root.Values.settings -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: HOST
  value: {{ $settings.listenAddress | quote }}
- name: INTERNAL_PORT
  value: "4001"
- name: LOG_LEVEL
  value: {{ $settings.logLevel }}
- name: ALLOW_HTTP_UPSTREAMS
  value: {{ $settings.allowHttpUpstreams | quote }}
- name: ALLOW_UPSTREAM_CIDRS
  value: {{ join "," $settings.allowUpstreamCidrs | quote }}
{{- if .root.Values.masterKey.enabled }}
- name: TOLLGATE_MASTER_KEY
  valueFrom:
    secretKeyRef:
      name: {{ include "tollgate.masterKey.secret" .root }}
      key: {{ .root.Values.masterKey.key }}
{{- end }}
{{- end }}

{{/* Probes on the internal port. A start may take as long as the configuration needs to arrive. */}}
{{- define "tollgate.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: internal}
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /readyz, port: internal}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /livez, port: internal}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}
