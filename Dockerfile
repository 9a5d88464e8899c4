# Builds the image of a command in cmd/:
#
#   docker build --build-arg BINARY=smile-operator -t smile-operator .
#   docker build --build-arg BINARY=smile-sandbox -t smile-sandbox .
#
# The image contains a static binary and the certificates of public authorities. It runs as nobody and has no shell. BASE_IMAGE may
# name a distroless static image to use instead of the empty one.
ARG BUILDER_IMAGE=golang:1.26
ARG BASE_IMAGE=scratch

FROM --platform=${BUILDPLATFORM:-linux/amd64} ${BUILDER_IMAGE} AS builder
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG BINARY=smile-operator
ARG TARGETOS=linux
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -trimpath -buildvcs=false -ldflags="-s -w -X github.com/smile-operator/smile-operator/internal/version.Version=${VERSION}" \
    -o /out/binary ./cmd/${BINARY}

FROM ${BASE_IMAGE}
COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=builder /out/binary /binary
USER 65532:65532
ENTRYPOINT ["/binary"]
