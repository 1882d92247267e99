{{/* What cannot be said in values.schema.json: combinations that would come to no good. */}}
{{- define "tollgate.checks" -}}
{{- range $store := list "redis" "postgres" }}
  {{- if not (or $.Values.dev.enabled (index $.Values $store).existingSecret) }}
    {{- fail (printf "%s.existingSecret is not set: name a Secret with the URL of your %s, or set dev.enabled for one that is not meant to last" $store (title $store)) }}
  {{- end }}
{{- end }}
{{- with .Values.dataplane }}
  {{- if lt (int .terminationGracePeriodSeconds) (add (int .preStopSeconds) 15 | int) }}
    {{- fail (printf "dataplane.terminationGracePeriodSeconds (%d) leaves no time for streams after dataplane.preStopSeconds (%d): at least 15 seconds more" (int .terminationGracePeriodSeconds) (int .preStopSeconds)) }}
  {{- end }}
  {{- with .autoscaling }}
    {{- if ne .kind "None" }}
      {{- if gt (int .minReplicas) (int .maxReplicas) }}
        {{- fail (printf "dataplane.autoscaling.minReplicas (%d) is more than maxReplicas (%d)" (int .minReplicas) (int .maxReplicas)) }}
      {{- end }}
      {{- if not (or .inflightRequests .cpuUtilization) }}
        {{- fail "dataplane.autoscaling has nothing to go by: set inflightRequests or cpuUtilization" }}
      {{- end }}
    {{- end }}
    {{- if and (eq .kind "KEDA") .inflightRequests (not .prometheusAddress) }}
      {{- fail "dataplane.autoscaling.prometheusAddress is not set: KEDA asks Prometheus for the requests under way" }}
    {{- end }}
  {{- end }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
  {{- fail "httpRoute.parentRefs is empty: name the Gateway that the route belongs to" }}
{{- end }}
{{- $needs := dict "ALB" .Values.ingress.enabled "GCE" .Values.ingress.enabled "Nginx" .Values.ingress.enabled "GKEGateway" .Values.httpRoute.enabled }}
{{- $kind := .Values.loadBalancer.kind }}
{{- if and (hasKey $needs $kind) (not (get $needs $kind)) }}
  {{- fail (printf "loadBalancer.kind is %s, but %s.enabled is not set" $kind (eq $kind "GKEGateway" | ternary "httpRoute" "ingress")) }}
{{- end }}
{{- end }}
