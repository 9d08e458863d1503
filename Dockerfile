# One image for all of Treehouse's services: `treehouse serve`, `worker`, `gateway` and `walls` (docs/install.md).
#
#   docker build -t treehouse --build-arg REVISION=$(git rev-parse HEAD) .
#
# Bases are pinned by the digest of their index, which has amd64 and arm64. They were taken from what public repositories agree
# on and not pulled where this was written: `setup/digests` compares them with the registry, and renews them.
# Nothing is compiled for one processor but what the bases bring for theirs, so that buildx --platform makes both.
ARG NODE_IMAGE=node:20-bookworm-slim@sha256:2cf067cfed83d5ea958367df9f966191a942351a2df77d6f0193e162b5febfc0
ARG DOCKER_CLI_IMAGE=docker:27-cli@sha256:851f91d241214e7c6db86513b270d58776379aacc5eb9c4a87e5b47115e3065c

# Compose and buildx, which Treehouse calls without the docker command.
FROM ${DOCKER_CLI_IMAGE} AS plugins

# The programs that Treehouse calls, each with the libraries that it is linked to, and nothing else of a Debian.
FROM ${NODE_IMAGE} AS system
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      binutils ca-certificates git iptables libnginx-mod-http-lua nginx openssh-client
COPY setup/image-root /usr/local/sbin/
RUN image-root /out

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Where packages come from elsewhere: --secret id=npmrc,src=… , and --secret id=ca,src=… for its certificate.
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=ca \
    { [ ! -e /run/secrets/ca ] || export NODE_EXTRA_CA_CERTS=/run/secrets/ca; } \
 && npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY setup/stamp.mjs setup/
COPY src src
ARG REVISION=unknown
RUN TREEHOUSE_COMMIT=${REVISION} npm run build
COPY setup/image-packages /usr/local/sbin/
RUN image-packages

FROM scratch
COPY --from=system /out/ /
COPY --from=plugins /usr/local/libexec/docker/cli-plugins/docker-compose /usr/local/libexec/docker/cli-plugins/docker-buildx \
     /usr/local/libexec/docker/cli-plugins/
WORKDIR /app
COPY package.json LICENSE ./
COPY nginx nginx
COPY templates templates
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist

ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=
LABEL org.opencontainers.image.title="Treehouse" \
      org.opencontainers.image.description="A live house on every branch: push a branch, get a tested, isolated, public URL" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="docker.io/library/node:20-bookworm-slim"

ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/var/lib/treehouse \
    NODE_ENV=production \
    TREEHOUSE_HOME=/var/lib/treehouse
USER 10001:10001
EXPOSE 4000 8080 8443
STOPSIGNAL SIGTERM
# Knows by the verb what to ask.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 CMD ["node", "/app/dist/healthy.js"]
ENTRYPOINT ["treehouse"]
CMD ["serve"]
