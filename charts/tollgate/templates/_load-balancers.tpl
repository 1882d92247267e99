{{/*
What load balancers have to be told: silence before the first token, answers that last for minutes, pods that end slowly. Sources: AWS Load Balancer
Controller, "Ingress annotations" and "Service annotations" (listener attributes since 2.9; an NLB's TCP idle time is 350 s by default, an ALB's 60 s);
GKE, "Configure Ingress features" and "Configure Gateway resources using Policies" (30 s for a whole answer by default); ingress-nginx, "Annotations".
*/}}

{{/* Seconds in which a pod may still be busy after load balancers have forgotten it. */}}
{{- define "tollgate.drainSeconds" -}}
{{- min 3600 .Values.dataplane.terminationGracePeriodSeconds }}
{{- end }}

{{/*
Longer than the idle time of what is in front, which else sends a request into a connection that is being closed. Google's load balancers keep
connections for 600 s, whatever they are told.
*/}}
{{- define "tollgate.keepAliveSeconds" -}}
{{- $kind := .Values.loadBalancer.kind }}
{{- if has $kind (list "GCE" "GKEGateway") }}620
{{- else if eq $kind "ALB" }}{{ add .Values.loadBalancer.idleTimeoutSeconds 10 }}
{{- else }}75
{{- end }}
{{- end }}

{{- define "tollgate.ingress.annotations" -}}
{{- $idle := .Values.loadBalancer.idleTimeoutSeconds }}
{{- $kind := .Values.loadBalancer.kind }}
{{- if eq $kind "ALB" }}
alb.ingress.kubernetes.io/target-type: ip
alb.ingress.kubernetes.io/load-balancer-attributes: idle_timeout.timeout_seconds={{ $idle }}
alb.ingress.kubernetes.io/target-group-attributes: deregistration_delay.timeout_seconds={{ include "tollgate.drainSeconds" . }},load_balancing.algorithm.type=least_outstanding_requests
alb.ingress.kubernetes.io/healthcheck-path: /health/readiness
alb.ingress.kubernetes.io/healthcheck-interval-seconds: "5"
{{- else if eq $kind "Nginx" }}
nginx.ingress.kubernetes.io/proxy-buffering: "off"
nginx.ingress.kubernetes.io/proxy-request-buffering: "off"
nginx.ingress.kubernetes.io/proxy-read-timeout: {{ $idle | quote }}
nginx.ingress.kubernetes.io/proxy-send-timeout: {{ $idle | quote }}
nginx.ingress.kubernetes.io/proxy-next-upstream: "off"
nginx.ingress.kubernetes.io/proxy-body-size: {{ default 33554432 .Values.settings.maxBodyBytes | int64 | quote }}
{{- end }}
{{- end }}

{{- define "tollgate.service.annotations" -}}
{{- $port := .Values.dataplane.service.port }}
{{- $kind := .Values.loadBalancer.kind }}
{{- if eq $kind "NLB" }}
service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: ip
service.beta.kubernetes.io/aws-load-balancer-listener-attributes.TCP-{{ $port }}: tcp.idle_timeout.seconds={{ .Values.loadBalancer.idleTimeoutSeconds }}
service.beta.kubernetes.io/aws-load-balancer-target-group-attributes: deregistration_delay.timeout_seconds={{ include "tollgate.drainSeconds" . }}
service.beta.kubernetes.io/aws-load-balancer-healthcheck-protocol: http
service.beta.kubernetes.io/aws-load-balancer-healthcheck-path: /health/readiness
service.beta.kubernetes.io/aws-load-balancer-healthcheck-port: traffic-port
{{- else if eq $kind "GCE" }}
cloud.google.com/neg: {{ dict "ingress" true | toJson | quote }}
cloud.google.com/backend-config: {{ dict "default" (include "tollgate.fullname" .) | toJson | quote }}
{{- end }}
{{- end }}
