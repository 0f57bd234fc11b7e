{{/* What all rules of the webhook have in common, but for their selectors and objects. The dict has root, path, observe. */}}
{{- define "imageref.clientConfig" -}}
{{- $webhook := .root.Values.webhook -}}
clientConfig:
  service: {name: {{ include "imageref.webhookName" .root }}, namespace: {{ .root.Release.Namespace }}, path: {{ .path }}}
  {{- if eq $webhook.certificates.source "provided" }}
  caBundle: {{ required "webhook.certificates.caBundle: whom API servers trust, in PEM" $webhook.certificates.caBundle | b64enc }}
  {{- end }}
failurePolicy: {{ if .observe }}Ignore{{ else }}{{ $webhook.failurePolicy }}{{ end }}
timeoutSeconds: {{ if .observe }}{{ $webhook.observeTimeoutSeconds }}{{ else }}{{ $webhook.enforceTimeoutSeconds }}{{ end }}
matchPolicy: Equivalent
sideEffects: None
admissionReviewVersions: [v1]
{{- end -}}

{{/* Kubelets and controllers update pods all the time, finalizers among it: that must go on while the webhook is
down, and needs no look. */}}
{{- define "imageref.changed" -}}
matchConditions:
  - name: new-or-another-spec
    expression: "request.operation != 'UPDATE' || !has(object.spec) || !has(oldObject.spec) || object.spec != oldObject.spec"
{{- end -}}

{{/* The namespaces that are never judged, and the owner's own requirements. */}}
{{- define "imageref.elsewhere" -}}
- {key: kubernetes.io/metadata.name, operator: NotIn, values: {{ include "imageref.unjudged" . }}}
{{- with .Values.webhook.namespaceSelector }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "imageref.unjudged" -}}
[{{ join ", " (uniq (concat (list "kube-system" .Release.Namespace) .Values.webhook.excludedNamespaces)) }}]
{{- end -}}

{{- define "imageref.pods" -}}
- apiGroups: [""]
  apiVersions: ["*"]
  resources: [pods, pods/ephemeralcontainers]
  operations: [CREATE, UPDATE]
  scope: Namespaced
{{- end -}}

{{- define "imageref.templates" -}}
{{- $kinds := list
  (dict "apiGroups" (list "") "resources" (list "replicationcontrollers"))
  (dict "apiGroups" (list "apps") "resources" (list "deployments" "statefulsets" "daemonsets" "replicasets"))
  (dict "apiGroups" (list "batch") "resources" (list "jobs" "cronjobs"))
  (dict "apiGroups" (list "batch.volcano.sh") "resources" (list "jobs"))
  (dict "apiGroups" (list "kubeflow.org") "resources" (list "pytorchjobs" "tfjobs" "mpijobs" "xgboostjobs" "paddlejobs" "jaxjobs"))
  (dict "apiGroups" (list "trainer.kubeflow.org") "resources" (list "trainjobs" "trainingruntimes"))
  (dict "apiGroups" (list "jobset.x-k8s.io" "leaderworkerset.x-k8s.io") "resources" (list "jobsets" "leaderworkersets"))
  (dict "apiGroups" (list "ray.io") "resources" (list "rayclusters" "rayjobs" "rayservices"))
-}}
{{- range concat $kinds .Values.webhook.extraRules }}
- apiGroups: {{ if eq (first .apiGroups) "" }}[""]{{ else }}[{{ join ", " .apiGroups }}]{{ end }}
  apiVersions: ["*"]
  resources: [{{ join ", " .resources }}]
  operations: [CREATE, UPDATE]
  scope: Namespaced
{{- end }}
{{- end -}}
