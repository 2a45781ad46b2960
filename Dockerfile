# syntax=docker/dockerfile:1
# The whole service in one container, on embedded services; compose.yaml runs it.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# The commit, for `perch --version`.
ARG PERCH_COMMIT
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile dist --package perch --bin perch \
    && cp target/dist/perch /usr/local/bin/perch

FROM debian:bookworm-slim
# curl is for the health check.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin perch \
    && install --directory --owner=perch --group=perch --mode=0700 /data
COPY --from=build /usr/local/bin/perch /usr/local/bin/perch
USER 10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:3000/health"]
ENTRYPOINT ["perch"]
CMD ["--host", "0.0.0.0", "--data-dir", "/data"]
