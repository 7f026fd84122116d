{{- define "segue.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "segue.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "segue.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "segue.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "segue.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* What selects the pods of one component. Takes (dict "root" $ "component" "worker"). */}}
{{- define "segue.selector" -}}
app.kubernetes.io/name: {{ include "segue.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "segue.labels" -}}
{{ include "segue.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* The service account of a pod; empty: the namespace's own. */}}
{{- define "segue.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "segue.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* What the values say together must fit: each mistake is one sentence. */}}
{{- define "segue.check" -}}
{{- if not .Values.kafka.bootstrapServers }}{{ fail "kafka.bootstrapServers is empty: set it to your brokers, as host:port with commas between" }}{{ end -}}
{{- if not .Values.redis.url }}{{ fail "redis.url is empty: set it to your Redis or Valkey, such as redis://host:6379/0" }}{{ end -}}
{{- if gt (int .Values.worker.replicas) (int .Values.deployment.partitions) }}{{ fail (printf "worker.replicas is %d: more than deployment.partitions (%d) would have no work" (int .Values.worker.replicas) (int .Values.deployment.partitions)) }}{{ end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.deployment.partitions)) }}{{ fail (printf "autoscaling.minReplicas is %d: more than deployment.partitions (%d) would have no work" (int .Values.autoscaling.minReplicas) (int .Values.deployment.partitions)) }}{{ end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}{{ fail "autoscaling.minReplicas is greater than autoscaling.maxReplicas" }}{{ end -}}
{{- $tls := has .Values.kafka.securityProtocol (list "SSL" "SASL_SSL") -}}
{{- $sasl := hasPrefix "SASL_" .Values.kafka.securityProtocol -}}
{{- if and .Values.kafka.tls.secret (not $tls) }}{{ fail (printf "kafka.tls.secret is set, but kafka.securityProtocol is %s: set it to SSL or SASL_SSL" .Values.kafka.securityProtocol) }}{{ end -}}
{{- if and $sasl (not .Values.kafka.sasl.mechanism) }}{{ fail (printf "kafka.securityProtocol is %s: set kafka.sasl.mechanism" .Values.kafka.securityProtocol) }}{{ end -}}
{{- if and .Values.kafka.sasl.mechanism (not $sasl) }}{{ fail (printf "kafka.sasl.mechanism is set, but kafka.securityProtocol is %s: set it to SASL_SSL" .Values.kafka.securityProtocol) }}{{ end -}}
{{- if and (has .Values.kafka.sasl.mechanism (list "PLAIN" "SCRAM-SHA-256" "SCRAM-SHA-512")) (not (and .Values.kafka.sasl.username .Values.kafka.sasl.secret)) }}{{ fail (printf "kafka.sasl.mechanism is %s: set kafka.sasl.username, and kafka.sasl.secret to the Secret with the password" .Values.kafka.sasl.mechanism) }}{{ end -}}
{{- if and (eq .Values.kafka.sasl.mechanism "AWS_MSK_IAM") (not .Values.kafka.sasl.awsRegion) }}{{ fail "kafka.sasl.mechanism is AWS_MSK_IAM: set kafka.sasl.awsRegion" }}{{ end -}}
{{- if and .Values.redis.sentinel.addresses (not .Values.redis.sentinel.master) }}{{ fail "redis.sentinel.addresses is set: set redis.sentinel.master, the name under which the sentinels know the servers" }}{{ end -}}
{{- if and .Values.autoscaling.enabled .Values.kafka.sasl.oauthbearer.serviceAccountAudience }}{{ fail "autoscaling.enabled: KEDA cannot log in with the token of a pod's service account; use another mechanism, or scale by hand" }}{{ end -}}
{{- with .Values.kafka.sasl }}
{{- if and (eq .mechanism "OAUTHBEARER") (not .oauthbearer.serviceAccountAudience) (not (and .oauthbearer.tokenEndpointUrl .oauthbearer.clientId .secret)) }}{{ fail "kafka.sasl.mechanism is OAUTHBEARER: set oauthbearer.tokenEndpointUrl and clientId and the secret, or oauthbearer.serviceAccountAudience" }}{{ end -}}
{{- end -}}
{{- end -}}
