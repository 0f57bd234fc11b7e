{{/* The controller's rights on what is in namespaces, but for Secrets. */}}
{{- define "imageref.namespacedRules" -}}
- apiGroups: [imageref.dev]
  resources: [imagerefs]
  verbs: [get, list, watch]
- apiGroups: [imageref.dev]
  resources: [imageproviders{{ if .Values.rbac.catalogs }}, imagecatalogs{{ end }}]
  verbs: [list, watch]
- apiGroups: [imageref.dev]
  resources: [imagerefs/status, imageproviders/status{{ if .Values.rbac.catalogs }}, imagecatalogs/status{{ end }}]
  verbs: [patch]
{{- if .Values.rbac.events }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
{{- end -}}

{{/* Its rights on what is in no namespace. */}}
{{- define "imageref.clusterRules" -}}
- apiGroups: [imageref.dev]
  resources: [clusterimageproviders]
  verbs: [list, watch]
- apiGroups: [imageref.dev]
  resources: [clusterimageproviders/status]
  verbs: [patch]
{{- if .Values.rbac.namespaceLabels }}
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{- end }}
{{- end -}}

{{- define "imageref.secretRules" -}}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
{{- end -}}

{{- define "imageref.workloadIdentityRules" -}}
- apiGroups: [""]
  resources: [serviceaccounts]
  {{- with .Values.workloadIdentity.serviceAccounts }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [get]
- apiGroups: [""]
  resources: [serviceaccounts/token]
  {{- with .Values.workloadIdentity.serviceAccounts }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [create]
{{- end -}}

{{/* A binding of a role of the same name to the controller. The dict has root, kind, role, name and namespace. */}}
{{- define "imageref.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ if .namespace }}RoleBinding{{ else }}ClusterRoleBinding{{ end }}
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "imageref.labels" .root | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: {{ .kind }}, name: {{ .name }}}
subjects:
  - {kind: ServiceAccount, name: {{ .account }}, namespace: {{ .root.Release.Namespace }}}
{{- end -}}
