{{/* The name of the controller's objects, and the beginning of all other names. */}}
{{- define "imageref.name" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "imageref.webhookName" -}}
{{- include "imageref.name" . }}-webhook
{{- end -}}

{{- define "imageref.certificateSecret" -}}
{{- if eq .Values.webhook.certificates.source "provided" -}}
{{- required "webhook.certificates.secretName: name the Secret with tls.crt and tls.key" .Values.webhook.certificates.secretName -}}
{{- else if eq .Values.webhook.certificates.source "cert-manager" -}}
{{- include "imageref.webhookName" . }}-tls
{{- else -}}
{{- include "imageref.webhookName" . }}-certificates
{{- end -}}
{{- end -}}

{{/* The labels of all objects. */}}
{{- define "imageref.labels" -}}
app.kubernetes.io/name: imageref-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The labels of one process's pods that never change. */}}
{{- define "imageref.controllerSelector" -}}
app.kubernetes.io/name: {{ include "imageref.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "imageref.webhookSelector" -}}
app.kubernetes.io/name: {{ include "imageref.webhookName" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: webhook
{{- end -}}

{{/* Whether the webhook is part of the release. */}}
{{- define "imageref.webhook" -}}
{{- if and .Values.webhook.enabled .Values.clusterResources }}true{{ end -}}
{{- end -}}

{{/* Fails where values contradict each other in ways that a schema cannot say. */}}
{{- define "imageref.check" -}}
{{- if and (not .Values.clusterResources) (not .Values.namespaces) -}}
{{- fail "clusterResources: false needs namespaces: name those to serve" -}}
{{- end -}}
{{- if and .Values.clusterProviders (not .Values.namespaces) -}}
{{- fail "clusterProviders is for use with namespaces: without these ClusterImageProviders are served anyway" -}}
{{- end -}}
{{- if and .Values.clusterProviders (not .Values.clusterResources) -}}
{{- fail "clusterProviders needs rights in the whole cluster: not with clusterResources: false" -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.metrics.service) -}}
{{- fail "metrics.serviceMonitor needs metrics.service: it finds the pods by that Service" -}}
{{- end -}}
{{- if and (not .Values.controller.lease) (gt (int .Values.controller.replicas) 1) -}}
{{- fail "controller.lease: false needs controller.replicas: 1, or two would work at once" -}}
{{- end -}}
{{- if and .Values.namespaces (eq .Values.rbac.secrets "listed") -}}
{{- range .Values.rbac.secretsListed -}}
{{- if not (or (has .namespace $.Values.namespaces) (and $.Values.clusterProviders (eq .namespace $.Release.Namespace))) -}}
{{- fail (printf "rbac.secretsListed: %s is not among namespaces" .namespace) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
