# syntax=docker/dockerfile:1
# Wombat without PostgreSQL, Redis or an S3 store: those are services of their own (docker-compose.yml).

FROM node:24.21.0-bookworm-slim AS build
WORKDIR /source
COPY . .
RUN sh deploy/docker/assemble.sh /source /app

FROM node:24.21.0-bookworm-slim
LABEL org.opencontainers.image.title="Wombat" \
  org.opencontainers.image.description="A self-hosted server that answers the KoalaImages API" \
  org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 DATA_DIR=/data LOG_FORMAT=json
WORKDIR /app
COPY --from=build /app /app
COPY deploy/docker/healthcheck.mjs deploy/docker/make-bucket.mjs /app/
# The store on disk, for the small form. Everything else in the image may be read-only.
RUN mkdir /data && chown node:node /data
VOLUME /data
USER node
EXPOSE 3000
# SIGTERM ends it in good order: readiness goes down, work under way is finished or handed back.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["node", "/app/healthcheck.mjs"]
ENTRYPOINT ["node", "--max-semi-space-size=16", "/app/apps/cli/bin/wombat.js"]
CMD ["start"]
