{{/* Name of the Deployment, and first part of all other names. */}}
{{- define "smile-operator.name" -}}
{{- $name := contains "smile-operator" .Release.Name | ternary .Release.Name (printf "%s-smile-operator" .Release.Name) -}}
{{- .Values.fullnameOverride | default $name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "smile-operator.selector" -}}
app.kubernetes.io/name: smile-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "smile-operator.labels" -}}
app.kubernetes.io/name: smile-operator
{{ include "smile-operator.origin" . }}
{{- end }}

{{/* Labels of all objects but those of the pods. */}}
{{- define "smile-operator.origin" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "smile-operator.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "smile-operator.name" .) -}}
{{- end }}

{{- define "smile-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "smile-operator.serviceAccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{/* A reference to an image, from the list of its values and the application's version. */}}
{{- define "smile-operator.image" -}}
{{- $image := index . 0 -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default (index . 1)) -}}
{{- end -}}
{{- end }}

{{/* "true" if a right that only the scope cluster includes by default is granted; the list is the root and the key in rbac. */}}
{{- define "smile-operator.granted" -}}
{{- $root := index . 0 -}}
{{- $value := get $root.Values.rbac (index . 1) -}}
{{- kindIs "bool" $value | ternary $value (eq $root.Values.scope "cluster") -}}
{{- end }}

{{/* Name of the Secret with the certificate of an endpoint, empty without one; the list is the endpoint's values and its Service. */}}
{{- define "smile-operator.certificate" -}}
{{- $tls := (index . 0).tls -}}
{{- $tls.secretName | default ($tls.certManager.enabled | ternary (printf "%s-tls" (index . 1)) "") -}}
{{- end }}

{{/* 90 % of a memory limit in Mi or Gi, in MiB. */}}
{{- define "smile-operator.goMemoryLimit" -}}
{{- $unit := hasSuffix "Gi" . | ternary 1024 1 -}}
{{- printf "%dMiB" (div (mul (regexFind "^[0-9]+" . | int64) $unit 9) 10) -}}
{{- end }}

{{/* What a pod needs in a namespace that enforces the Pod Security Standard restricted. */}}
{{- define "smile-operator.podSecurity" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "smile-operator.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: ["ALL"]
{{- end }}
