{{/* How a pod reaches Kafka and Redis, and what it is told. Takes the root. */}}
{{- define "segue.env" -}}
{{- $v := .Values -}}
- {name: SEGUE_GENERATION, value: {{ $v.deployment.generation | quote }}}
- {name: SEGUE_PARTITIONS, value: {{ $v.deployment.partitions | quote }}}
- {name: SEGUE_REPLICATION, value: {{ $v.deployment.replication | quote }}}
- {name: SEGUE_REDIS_PREFIX, value: {{ $v.deployment.redisPrefix | quote }}}
{{- range $name, $value := $v.deployment.topics }}
- {name: SEGUE_{{ upper $name }}, value: {{ $value | quote }}}
{{- end }}
- {name: SEGUE_KAFKA_BOOTSTRAP_SERVERS, value: {{ $v.kafka.bootstrapServers | quote }}}
- {name: SEGUE_GROUP, value: {{ $v.kafka.group | quote }}}
- {name: SEGUE_KAFKA_SECURITY_PROTOCOL, value: {{ $v.kafka.securityProtocol | quote }}}
{{- with $v.kafka.tls }}
{{- if .secret }}
{{- if .ca }}
- {name: SEGUE_KAFKA_SSL_CAFILE, value: /etc/segue/kafka-tls/ca.crt}
{{- end }}
{{- if .certificate }}
- {name: SEGUE_KAFKA_SSL_CERTFILE, value: /etc/segue/kafka-tls/tls.crt}
{{- end }}
{{- if .key }}
- {name: SEGUE_KAFKA_SSL_KEYFILE, value: /etc/segue/kafka-tls/tls.key}
{{- end }}
{{- if .keyPassword }}
- {name: SEGUE_KAFKA_SSL_KEY_PASSWORD_FILE, value: /etc/segue/kafka-tls/password}
{{- end }}
{{- end }}
{{- end }}
{{- with $v.kafka.sasl }}
{{- if .mechanism }}
- {name: SEGUE_KAFKA_SASL_MECHANISM, value: {{ .mechanism | quote }}}
{{- end }}
{{- if .username }}
- {name: SEGUE_KAFKA_SASL_USERNAME, value: {{ .username | quote }}}
{{- end }}
{{- if and .secret (ne .mechanism "OAUTHBEARER") }}
- {name: SEGUE_KAFKA_SASL_PASSWORD_FILE, value: /etc/segue/kafka-sasl/secret}
{{- end }}
{{- if .awsRegion }}
- {name: SEGUE_KAFKA_SASL_AWS_REGION, value: {{ .awsRegion | quote }}}
{{- end }}
{{- if eq .mechanism "OAUTHBEARER" }}
{{- if .oauthbearer.serviceAccountAudience }}
- {name: SEGUE_KAFKA_SASL_OAUTHBEARER_TOKEN_FILE, value: /etc/segue/kafka-token/token}
{{- else }}
- {name: SEGUE_KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL, value: {{ .oauthbearer.tokenEndpointUrl | quote }}}
- {name: SEGUE_KAFKA_SASL_OAUTHBEARER_CLIENT_ID, value: {{ .oauthbearer.clientId | quote }}}
- {name: SEGUE_KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET_FILE, value: /etc/segue/kafka-sasl/secret}
{{- if .oauthbearer.scope }}
- {name: SEGUE_KAFKA_SASL_OAUTHBEARER_SCOPE, value: {{ .oauthbearer.scope | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
- {name: SEGUE_REDIS_URL, value: {{ $v.redis.url | quote }}}
{{- with $v.redis }}
{{- if .username }}
- {name: SEGUE_REDIS_USERNAME, value: {{ .username | quote }}}
{{- end }}
{{- if .secret }}
- {name: SEGUE_REDIS_PASSWORD_FILE, value: /etc/segue/redis/password}
{{- end }}
{{- if .tls.secret }}
{{- if .tls.ca }}
- {name: SEGUE_REDIS_SSL_CAFILE, value: /etc/segue/redis-tls/ca.crt}
{{- end }}
{{- if .tls.certificate }}
- {name: SEGUE_REDIS_SSL_CERTFILE, value: /etc/segue/redis-tls/tls.crt}
{{- end }}
{{- if .tls.key }}
- {name: SEGUE_REDIS_SSL_KEYFILE, value: /etc/segue/redis-tls/tls.key}
{{- end }}
{{- if .tls.keyPassword }}
- {name: SEGUE_REDIS_SSL_KEY_PASSWORD_FILE, value: /etc/segue/redis-tls/password}
{{- end }}
{{- end }}
{{- if .sentinel.addresses }}
- {name: SEGUE_REDIS_SENTINELS, value: {{ .sentinel.addresses | quote }}}
- {name: SEGUE_REDIS_SENTINEL_MASTER, value: {{ .sentinel.master | quote }}}
{{- if .sentinel.username }}
- {name: SEGUE_REDIS_SENTINEL_USERNAME, value: {{ .sentinel.username | quote }}}
{{- end }}
{{- if .sentinel.secret }}
- {name: SEGUE_REDIS_SENTINEL_PASSWORD_FILE, value: /etc/segue/redis-sentinel/password}
{{- end }}
{{- end }}
{{- end }}
- {name: SEGUE_WEB_HOST, value: {{ $v.web.host | quote }}}
- {name: SEGUE_WEB_PORT, value: {{ $v.web.port | quote }}}
- {name: SEGUE_METRICS_HOST, value: {{ $v.metrics.host | quote }}}
- {name: SEGUE_METRICS_PORT, value: {{ $v.metrics.port | quote }}}
- {name: SEGUE_LOG_FORMAT, value: json}
- {name: SEGUE_SESSION_TIMEOUT_MS, value: {{ $v.worker.sessionTimeoutMs | quote }}}
- {name: SEGUE_LEAVE_GROUP, value: {{ $v.worker.leaveGroup | quote }}}
- {name: SEGUE_STOP_DEADLINE_MS, value: {{ $v.worker.stopDeadlineMs | quote }}}
- {name: SEGUE_PROFILES_CACHED_MAX, value: {{ $v.worker.profilesCachedMax | int | quote }}}
{{- range $name, $value := $v.settings }}
- {name: SEGUE_{{ upper $name }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- range $v.assignmentKeys }}
- {name: {{ .setting }}, valueFrom: {secretKeyRef: {name: {{ .secret | quote }}, key: {{ .key | quote }}}}}
{{- end }}
{{- with $v.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "segue.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .Values.kafka.tls.secret }}
- {name: kafka-tls, mountPath: /etc/segue/kafka-tls, readOnly: true}
{{- end }}
{{- if .Values.kafka.sasl.secret }}
- {name: kafka-sasl, mountPath: /etc/segue/kafka-sasl, readOnly: true}
{{- end }}
{{- if .Values.kafka.sasl.oauthbearer.serviceAccountAudience }}
- {name: kafka-token, mountPath: /etc/segue/kafka-token, readOnly: true}
{{- end }}
{{- if .Values.redis.secret }}
- {name: redis, mountPath: /etc/segue/redis, readOnly: true}
{{- end }}
{{- if .Values.redis.tls.secret }}
- {name: redis-tls, mountPath: /etc/segue/redis-tls, readOnly: true}
{{- end }}
{{- if .Values.redis.sentinel.secret }}
- {name: redis-sentinel, mountPath: /etc/segue/redis-sentinel, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Secrets are whole folders, not single files: only so does a renewed certificate reach a running pod. */}}
{{- define "segue.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- with .Values.kafka.tls }}
{{- if .secret }}
- name: kafka-tls
  secret:
    secretName: {{ .secret | quote }}
    defaultMode: 0440
    items:
      {{- if .ca }}
      - {key: {{ .ca | quote }}, path: ca.crt}
      {{- end }}
      {{- if .certificate }}
      - {key: {{ .certificate | quote }}, path: tls.crt}
      {{- end }}
      {{- if .key }}
      - {key: {{ .key | quote }}, path: tls.key}
      {{- end }}
      {{- if .keyPassword }}
      - {key: {{ .keyPassword | quote }}, path: password}
      {{- end }}
{{- end }}
{{- end }}
{{- with .Values.kafka.sasl }}
{{- if .secret }}
- name: kafka-sasl
  secret:
    secretName: {{ .secret | quote }}
    defaultMode: 0440
    items:
      - {key: {{ .secretKey | quote }}, path: secret}
{{- end }}
{{- if .oauthbearer.serviceAccountAudience }}
- name: kafka-token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: {audience: {{ .oauthbearer.serviceAccountAudience | quote }}, expirationSeconds: 3600, path: token}
{{- end }}
{{- end }}
{{- with .Values.redis }}
{{- if .secret }}
- name: redis
  secret:
    secretName: {{ .secret | quote }}
    defaultMode: 0440
    items:
      - {key: {{ .secretKey | quote }}, path: password}
{{- end }}
{{- if .tls.secret }}
- name: redis-tls
  secret:
    secretName: {{ .tls.secret | quote }}
    defaultMode: 0440
    items:
      {{- if .tls.ca }}
      - {key: {{ .tls.ca | quote }}, path: ca.crt}
      {{- end }}
      {{- if .tls.certificate }}
      - {key: {{ .tls.certificate | quote }}, path: tls.crt}
      {{- end }}
      {{- if .tls.key }}
      - {key: {{ .tls.key | quote }}, path: tls.key}
      {{- end }}
      {{- if .tls.keyPassword }}
      - {key: {{ .tls.keyPassword | quote }}, path: password}
      {{- end }}
{{- end }}
{{- end }}
{{- with .Values.redis.sentinel }}
{{- if .secret }}
- name: redis-sentinel
  secret:
    secretName: {{ .secret | quote }}
    defaultMode: 0440
    items:
      - {key: {{ .secretKey | quote }}, path: password}
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The user of deploy/Dockerfile. */}}
{{- define "segue.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "segue.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Where a pod may run. Takes (dict "root" $ "component" "worker" "pod" VALUES). */}}
{{- define "segue.placement" -}}
{{- with .pod.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
topologySpreadConstraints:
{{- if .pod.topologySpreadConstraints }}
  {{- toYaml .pod.topologySpreadConstraints | nindent 2 }}
{{- else }}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "segue.selector" $ | nindent 8 }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "segue.probes" -}}
ports:
  - {name: web, containerPort: {{ .Values.web.port }}}
  - {name: metrics, containerPort: {{ .Values.metrics.port }}}
# the process waits for its servers for 30 s before it gives up
startupProbe:
  httpGet: {path: /live, port: web}
  periodSeconds: 2
  timeoutSeconds: 3
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /live, port: web}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /ready, port: web}
  periodSeconds: 3
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}

{{/* Takes (dict "root" $ "account" NAME). */}}
{{- define "segue.podBasics" -}}
{{- with .account }}
serviceAccountName: {{ . }}
{{- end }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - {name: {{ . | quote }}}
{{- end }}
{{- end }}
securityContext: {{ include "segue.podSecurity" . | nindent 2 }}
{{- end -}}
