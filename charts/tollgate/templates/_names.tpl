{{/* Names and labels. */}}

{{- define "tollgate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* The beginning of all names: room for the longest ending is left of the 63 characters that there are. */}}
{{- define "tollgate.fullname" -}}
{{- $name := include "tollgate.name" . }}
{{- $made := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- default $made .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "tollgate.operator.name" -}}{{ include "tollgate.fullname" . }}-operator{{- end }}
{{- define "tollgate.dataplane.name" -}}{{ include "tollgate.fullname" . }}-dataplane{{- end }}

{{/* Of the service account of a role. Takes (dict "root" $ "role" "operator"). */}}
{{- define "tollgate.serviceAccountName" -}}
{{- $account := (index .root.Values .role).serviceAccount }}
{{- if $account.create }}
{{- default (include (printf "tollgate.%s.name" .role) .root) $account.name }}
{{- else }}
{{- default "default" $account.name }}
{{- end }}
{{- end }}

{{/* What pods are selected by. Takes (dict "root" $ "component" "operator"). */}}
{{- define "tollgate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tollgate.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Of pods: those of objects would restart them with every version of the chart. Takes (dict "root" $ "component" "operator"). */}}
{{- define "tollgate.podLabels" -}}
{{- with .root.Values.commonLabels }}
{{- toYaml . }}
{{ end -}}
{{ include "tollgate.selectorLabels" . }}
{{- end }}

{{/* Of every object. Takes (dict "root" $ "component" "operator"), the component being optional. */}}
{{- define "tollgate.labels" -}}
{{- with .root.Values.commonLabels }}
{{- toYaml . }}
{{ end -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: tollgate
app.kubernetes.io/name: {{ include "tollgate.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{/* With the registry for all in front, where there is one. Takes (dict "root" $ "image" "redis:7"). */}}
{{- define "tollgate.imageFrom" -}}
{{- with .root.Values.global.imageRegistry }}{{ trimSuffix "/" . }}/{{ end }}{{ .image }}
{{- end }}

{{- define "tollgate.image" -}}
{{- $image := .Values.image }}
{{- $name := $image.digest | empty | ternary (printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag)) (printf "%s@%s" $image.repository $image.digest) }}
{{- if and $image.registry (not .Values.global.imageRegistry) }}
{{- $name = printf "%s/%s" (trimSuffix "/" $image.registry) $name }}
{{- end }}
{{- include "tollgate.imageFrom" (dict "root" . "image" $name) }}
{{- end }}

{{- define "tollgate.masterKey.secret" -}}
{{- default (printf "%s-master-key" (include "tollgate.fullname" .)) .Values.masterKey.existingSecret }}
{{- end }}

{{- define "tollgate.dev.name" -}}{{ include "tollgate.fullname" . }}-dev{{- end }}

{{/* "true" where the chart brings the store. Takes (dict "root" $ "store" "redis"). */}}
{{- define "tollgate.dev.has" -}}
{{- if and .root.Values.dev.enabled (not (index .root.Values .store).existingSecret) }}true{{ end }}
{{- end }}
