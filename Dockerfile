# syntax=docker/dockerfile:1
# One image for the proxy, the operator and the command line: `command: [lockkeeper-proxy]`, `[lockkeeper-operator]` or
# `[lockkeeper]`. It runs as any user and on a read-only root file system.

FROM node:26-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Not `npm ci`: see the Makefile.
RUN npm install --no-save
COPY . .
RUN npm run build

FROM node:26-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm install --no-save --omit=dev

FROM node:26-slim
WORKDIR /app
# glibc keeps an arena for each thread otherwise, and what it once had: some megabytes with many watches. Node holds a
# buffer of 64 KiB for each TLS connection, of which an idle one uses a page or two: mapped, the rest takes no memory.
ENV NODE_ENV=production MALLOC_ARENA_MAX=2 MALLOC_TRIM_THRESHOLD_=131072 MALLOC_MMAP_THRESHOLD_=32768
# `exec`: node is process 1 and gets the SIGTERM that begins the drain. What a proxy leaves behind dies young: a small young
# generation costs less memory and, by docs/performance.md, no more CPU than one of twice the size.
RUN for entry in lockkeeper-proxy:proxy lockkeeper-operator:operator lockkeeper:cli; do \
      file="/usr/local/bin/${entry%%:*}"; \
      printf '#!/bin/sh\nexec node --max-semi-space-size=2 /app/dist/%s/main.js "$@"\n' "${entry##*:}" > "$file"; \
      chmod 755 "$file"; \
    done
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
# The operator honours decisions only while the cluster's admission policies are these.
COPY config/admission /lockkeeper/config/admission
# By number: `runAsNonRoot` cannot judge a name.
USER 65532:65532
CMD ["lockkeeper", "--help"]
