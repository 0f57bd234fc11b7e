# The operator's image: one static program, CA certificates, and the list of what it is made of.
# docs/image.md has the commands. By default the program is compiled here; --target local takes it from
# target/image/ARCH, where tests/image/compile.sh puts it, and fetches nothing from anywhere.

# For a mirror, or to pin by digest.
ARG RUST_IMAGE=docker.io/library/rust:1.95.0-slim-bookworm

FROM scratch AS empty
ARG VERSION=0.1.0
ARG REVISION=""
ARG SOURCE=""
LABEL org.opencontainers.image.title="imageref" \
      org.opencontainers.image.description="Kubernetes operator that makes workload images from AI clouds declared, validated objects" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="scratch"
# A number, so that runAsNonRoot can be checked without a user database.
USER 65532:65532
# Metrics and health; reviews of admission.
EXPOSE 8080 9443
ENTRYPOINT ["/imageref"]

FROM empty AS local
ARG TARGETARCH
COPY target/image/$TARGETARCH /

# Runs on the machine that builds and compiles for the one that is meant: emulation is many times slower.
FROM --platform=$BUILDPLATFORM $RUST_IMAGE AS source
ARG TARGETARCH
ARG FEATURES=""
WORKDIR /source
COPY tests/image/toolchain.sh tests/image/
RUN tests/image/toolchain.sh $TARGETARCH
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY tests tests
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    tests/image/compile.sh $TARGETARCH /image

FROM empty
COPY --from=source /image /
