# One image with both programs; a Deployment chooses by its command.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
COPY verifier/go.mod verifier/go.sum verifier/
RUN go mod download
COPY api api
COPY cmd cmd
COPY controllers controllers
COPY issuer issuer
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /out/ ./cmd/controller ./cmd/issuer

# The programs are static, trust no authority but the ones they are given, and need no shell.
FROM scratch
COPY --from=build /out/controller /out/issuer /
USER 65532:65532
ENTRYPOINT ["/controller"]
