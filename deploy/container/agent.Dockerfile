# The gateway as a container: the Debian package, nothing else. Build the package first:
#   node deploy/debian/build.mjs --arch amd64 --out dist
#   docker build -f deploy/container/agent.Dockerfile -t gridtokenx-agent dist
# and run it with its settings, its folder and the serial port:
#   docker run --device /dev/ttyUSB0 --group-add dialout --read-only --tmpfs /tmp --cap-drop ALL \
#     --security-opt no-new-privileges -v /etc/gridtokenx:/etc/gridtokenx:ro -v gridtokenx:/var/lib/gridtokenx gridtokenx-agent
FROM debian:bookworm-slim
COPY gridtokenx-agent_*.deb /tmp/
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates /tmp/gridtokenx-agent_*_"$(dpkg --print-architecture)".deb \
 && rm -rf /tmp/*.deb /var/lib/apt/lists/*
USER gridtokenx
WORKDIR /var/lib/gridtokenx
VOLUME /var/lib/gridtokenx
STOPSIGNAL SIGTERM
# The status page listens inside the container only; the check asks it from there.
HEALTHCHECK --interval=60s --start-period=30s \
  CMD ["/usr/lib/gridtokenx/bin/node", "-e", "fetch('http://127.0.0.1:9180/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["gtx", "agent", "run", "--config", "/etc/gridtokenx/agent.yaml"]
