# One image for all roles, by command: `cli/main.ts run` (a gateway without a cluster), `dataplane/main.ts` and `operator/main.ts` (in one), and
# the other commands of `cli/main.ts`. Any numeric user, a read-only root, no shell at run time; only /data is written to.
# test/e2e/image.slow.test.ts carries these steps out and starts what comes of them, without a container engine.

# As `node` in package.json's devDependencies: what the tests run on.
ARG NODE_IMAGE=node:26.10.0-trixie-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Without scripts: the only one that is needed is the warm-up below, which needs the sources.
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --ignore-scripts --no-audit --no-fund
# .dockerignore lists what comes along.
COPY . .
RUN chmod -R a+rX /app && install --directory --owner=1000 /app/.cache
# Node's compile cache: a start takes half the time, and the type stripper is never loaded. It goes by path and by user, so both are those
# of the image below; another user works, without it.
USER 1000:1000
RUN NODE_COMPILE_CACHE=/app/.cache/compile node cli/main.ts warm && chmod -R a+rX /app/.cache

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="Tollgate" \
      org.opencontainers.image.description="A gateway for LLM traffic that Kubernetes runs" \
      org.opencontainers.image.licenses="Apache-2.0"
# Nothing is installed at run time, so what could install is taken away. Group 0: some clusters run a user of their own choice, in that group.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn-* /usr/local/bin/yarn* && \
    install --directory --owner=1000 --group=0 --mode=0770 /data
WORKDIR /app
COPY --from=build /app /app
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/app/.cache/compile \
    HOST=0.0.0.0 \
    TOLLGATE_DATA=/data
# Keys, spool and, without DATABASE_URL, the ledger outlive the container. A volume is writable where the root is not.
VOLUME ["/data"]
USER 1000:1000
# Clients; metrics, health and key administration of the operator.
EXPOSE 4000 4001
# No HEALTHCHECK: Kubernetes does not look at it, and half of the commands end by themselves. Compose has its own.
# Node is process 1 and handles SIGTERM itself, so no shell or init stands in between.
ENTRYPOINT ["node"]
CMD ["cli/main.ts", "run"]
