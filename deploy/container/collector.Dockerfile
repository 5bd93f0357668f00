# syntax=docker/dockerfile:1
# The collector as a container. From the root of the checkout:
#   docker build -f deploy/container/collector.Dockerfile -t gridtokenx-collector:0.1.0 .
# deploy/compose runs it with a database and a broker; docs/run-a-collector.md says how.
# The steps of the first stage, and what comes out of it, are tested without an engine by deploy/container/test.mjs.

FROM node:24.21.0-bookworm-slim AS build
WORKDIR /src
COPY . .
# What has to be compiled is not for the collector.
RUN npm ci --ignore-scripts --no-audit --no-fund
RUN npx tsc -b
RUN npx vite build dashboard --logLevel warn
RUN node deploy/container/layout.mjs /opt/gridtokenx

FROM node:24.21.0-bookworm-slim
# No package manager stays in the image: nothing is installed in it later.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn* /usr/local/bin/yarn* \
 && groupadd --gid 10001 gridtokenx \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin gridtokenx \
 && install -d -m 0700 -o 10001 -g 10001 /var/lib/gridtokenx
COPY --from=build /opt/gridtokenx /opt/gridtokenx
RUN ln -s /opt/gridtokenx/cli/bin/gtx.mjs /usr/local/bin/gtx
ENV NODE_ENV=production GTX_DATA_DIR=/var/lib/gridtokenx
USER 10001:10001
WORKDIR /var/lib/gridtokenx
# Nothing is written but below this folder: run it with --read-only.
VOLUME /var/lib/gridtokenx
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["gtx", "collector", "health"]
ENTRYPOINT ["gtx"]
CMD ["collector"]
