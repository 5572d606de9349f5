# The images of the chart, for those who have docker or buildah: `docker build --target control-plane -t seawall/control-plane:0.1.0 .`
# and `docker build --target sidecar -t seawall/sidecar:0.1.0 .`. What is in them is listed in tools/images/seawall-images.ts, which
# also builds them without docker (`make images`); a test holds what is said here against it.

# Only programs of this stage's operating system go into the images, with the libraries that they ask for.
# Any Debian with Node.js and npm will do: `--build-arg BASE=...`. Built by buildah 1.28 on a Debian 12 made by debootstrap with Node.js 24
# and npm, both held no other file than what `make images` assembles on another Debian 12, and the same bytes but for the time zones of
# that day's tzdata; both ran under their own users with a read-only root file system.
ARG BASE=node:24-bookworm
FROM ${BASE} AS assemble
RUN apt-get update && apt-get install --yes --no-install-recommends make nftables python3 python3-pip tzdata
WORKDIR /source
COPY . .
RUN make tools && node_modules/.bin/node tools/images/build-images.ts --folders /images control-plane sidecar

FROM scratch AS sidecar
COPY --from=assemble /images/sidecar /
ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin
WORKDIR /
USER 1337:1337
ENTRYPOINT ["/usr/local/bin/envoy"]
CMD []

FROM scratch AS control-plane
COPY --from=assemble /images/control-plane /
ENV NODE_ENV=production PATH=/usr/local/bin:/usr/sbin:/usr/bin
WORKDIR /app
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/node", "/app/dist/cli/seawall.js"]
CMD ["controller"]
