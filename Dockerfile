# The bridge for real calls: a plain install and its configuration, nothing of the workshop.

FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/voicebridge
COPY pyproject.toml README.md LICENSE ./
COPY voicebridge voicebridge
RUN /opt/voicebridge/bin/pip install --no-cache-dir .

FROM python:3.13-slim
# The user is named by number below, so that an orchestrator can see that it is not root.
# It owns one folder, the place for records; a named volume mounted there inherits the owner.
RUN groupadd --gid 10001 voicebridge \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /app \
        --shell /usr/sbin/nologin voicebridge \
    && install --directory --owner=voicebridge --group=voicebridge /app/calls
COPY --from=build /opt/voicebridge /opt/voicebridge
COPY config /app/config
ENV PATH=/opt/voicebridge/bin:$PATH
WORKDIR /app
USER 10001:10001
EXPOSE 8080
# The empty ProxyHandler keeps the question inside the container where a proxy is configured.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:8080/healthz', timeout=3)"]
# No shell in between: SIGTERM reaches the bridge, which lets its calls end.
CMD ["voicebridge", "serve", "--host", "0.0.0.0", "--port", "8080", "--config", "/app/config"]
