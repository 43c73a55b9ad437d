{{- define "aviso.labels" -}}
app.kubernetes.io/name: aviso
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "aviso.meta" -}}
name: {{ .root.Release.Name }}-{{ .part }}
labels:
  {{- include "aviso.labels" . | nindent 2 }}
  app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
  helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "aviso.config" -}}
{{- $dev := dict "host" "0.0.0.0" "port" 8080 "drainSeconds" .Values.drainSeconds -}}
{{- merge (dict "dev" $dev) .Values.config | toPrettyJson -}}
{{- end }}

{{- /* A pod that runs one service. */ -}}
{{- define "aviso.pod" -}}
metadata:
  labels:
    {{- include "aviso.labels" . | nindent 4 }}
  annotations:
    # Another configuration is a rotation.
    checksum/config: {{ include "aviso.config" .root | sha256sum }}
    {{- with .root.Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  automountServiceAccountToken: false
  # Longer than the drain and the 15 s in which an end must be done.
  terminationGracePeriodSeconds: {{ add (ceil .root.Values.drainSeconds) 30 }}
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile: { type: RuntimeDefault }
  # One machine that fails takes as few processes with it as can be.
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "aviso.labels" . | nindent 10 }}
  containers:
    - name: aviso
      image: "{{ .root.Values.image.repository }}:{{ default .root.Chart.AppVersion .root.Values.image.tag }}"
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: [serve, {{ .service }}, --config, /etc/aviso/aviso.json, --data, /var/lib/aviso]
      env:
        {{- range .root.Values.secret.keys }}
        - { name: {{ . }}_FILE, value: /run/secrets/aviso/{{ . }} }
        {{- end }}
      ports:
        - { name: http, containerPort: 8080 }
      # The store may come later: only a process that does not even say that it waits is started again.
      startupProbe:
        httpGet: { path: /livez, port: http }
        periodSeconds: 2
        failureThreshold: 30
      livenessProbe:
        httpGet: { path: /livez, port: http }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: { path: /readyz, port: http }
        periodSeconds: 2
        timeoutSeconds: 3
        failureThreshold: 1
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      resources:
        {{- toYaml .resources | nindent 8 }}
      volumeMounts:
        - { name: config, mountPath: /etc/aviso, readOnly: true }
        - { name: secrets, mountPath: /run/secrets/aviso, readOnly: true }
        - { name: data, mountPath: /var/lib/aviso }
        - { name: tmp, mountPath: /tmp }
  volumes:
    - name: config
      configMap: { name: {{ .root.Release.Name }}-config }
    - name: secrets
      secret: { secretName: {{ .root.Values.secret.name }}, defaultMode: 0440 }
    - name: data
      emptyDir: {}
    - name: tmp
      emptyDir: {}
{{- end }}
