# Four images of one static program each: `docker build --target controller .`, or issuer, fetcher, kubectl-keywright. `make images`
# builds the same without a container engine, and a test compares the two.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
COPY verifier/go.mod verifier/go.sum verifier/
RUN go mod download
COPY api api
COPY cmd cmd
COPY config/crd config/crd
COPY controllers controllers
COPY issuer issuer
COPY verifier verifier
ARG VERSION=dev
RUN CGO_ENABLED=0 GOOS=linux GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X github.com/keywright/keywright/cmd/commandline.version=$VERSION" -o /out/ ./cmd/...

# The programs are static, trust no authority but the ones they are given, and need no shell.
FROM scratch AS base
ARG VERSION=dev
USER 65532:65532
LABEL org.opencontainers.image.source=https://github.com/keywright/keywright \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.version=$VERSION

FROM base AS kubectl-keywright
LABEL org.opencontainers.image.title=kubectl-keywright \
      org.opencontainers.image.description="Inspect and manage the signing keys that a cluster trusts"
COPY --from=build /out/kubectl-keywright /
ENTRYPOINT ["/kubectl-keywright"]

FROM base AS issuer
LABEL org.opencontainers.image.title=keywright-issuer \
      org.opencontainers.image.description="Authenticates clients, and signs access tokens"
COPY --from=build /out/issuer /
ENTRYPOINT ["/issuer"]

FROM base AS fetcher
LABEL org.opencontainers.image.title=keywright-fetcher \
      org.opencontainers.image.description="Fetches the public keys of trusted issuers"
COPY --from=build /out/fetcher /
ENTRYPOINT ["/fetcher"]

FROM base AS controller
LABEL org.opencontainers.image.title=keywright-controller \
      org.opencontainers.image.description="Rotates signing keys, and keeps their public halves in every consuming namespace"
COPY --from=build /out/controller /
ENTRYPOINT ["/controller"]
