/**
 * Generates xds-server/gen: TypeScript for the messages of exactly the pinned Envoy, and of those only the files
 * that Seawall uses with what they import. Does nothing when the output is already of this Envoy and these roots.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { CodeGeneratorRequestSchema, CodeGeneratorResponseSchema } from "@bufbuild/protobuf/wkt";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { dependencyClosure, extractDescriptors } from "./extract-descriptors.ts";
import { fetchEnvoy } from "./fetch-envoy.ts";
import { ENVOY } from "./versions.ts";

/** The files that Seawall's own code imports. Add a line here to use another Envoy message, then `make gen`. */
const ROOTS = [
  "envoy/service/discovery/v3/ads.proto",
  "envoy/admin/v3/config_dump.proto",
  "envoy/admin/v3/config_dump_shared.proto",
  "envoy/config/bootstrap/v3/bootstrap.proto",
  "envoy/config/listener/v3/listener.proto",
  "envoy/config/cluster/v3/cluster.proto",
  "envoy/config/endpoint/v3/endpoint.proto",
  "envoy/config/route/v3/route.proto",
  "envoy/config/rbac/v3/rbac.proto",
  "envoy/config/core/v3/extension.proto",
  "envoy/extensions/access_loggers/filters/cel/v3/cel.proto",
  "envoy/extensions/access_loggers/stream/v3/stream.proto",
  "envoy/extensions/bootstrap/internal_listener/v3/internal_listener.proto",
  "envoy/extensions/filters/http/credential_injector/v3/credential_injector.proto",
  "envoy/extensions/filters/http/header_mutation/v3/header_mutation.proto",
  "envoy/extensions/filters/http/health_check/v3/health_check.proto",
  "envoy/extensions/filters/http/jwt_authn/v3/config.proto",
  "envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.proto",
  "envoy/extensions/filters/http/lua/v3/lua.proto",
  "envoy/extensions/filters/http/rbac/v3/rbac.proto",
  "envoy/extensions/filters/http/router/v3/router.proto",
  "envoy/extensions/filters/http/upstream_codec/v3/upstream_codec.proto",
  "envoy/extensions/filters/listener/http_inspector/v3/http_inspector.proto",
  "envoy/extensions/filters/listener/original_dst/v3/original_dst.proto",
  "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.proto",
  "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto",
  "envoy/extensions/filters/network/rbac/v3/rbac.proto",
  "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto",
  "envoy/extensions/http/injected_credentials/generic/v3/generic.proto",
  "envoy/extensions/rate_limit_descriptors/expr/v3/expr.proto",
  "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.proto",
  "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.proto",
  "envoy/extensions/transport_sockets/tls/v3/tls.proto",
  "envoy/extensions/transport_sockets/tls/v3/secret.proto",
  "envoy/extensions/upstreams/http/v3/http_protocol_options.proto",
] as const;

/** Well-known types ship with the protobuf runtime and are not generated again. */
const RUNTIME_PREFIX = "google/protobuf/";

const repository = join(import.meta.dirname, "..");
const output = join(repository, "xds-server", "gen");
const stampFile = join(output, ".stamp");

function generate(): void {
  const recipe = readFileSync(import.meta.filename);
  const lock = readFileSync(join(repository, "node_modules", "@bufbuild", "protoc-gen-es", "package.json"));
  const stamp = createHash("sha256").update(ENVOY.version).update(recipe).update(lock).digest("hex");
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;

  const started = Date.now();
  console.error(`reading the protobuf descriptors of Envoy ${ENVOY.version} ...`);
  const all = extractDescriptors(readFileSync(fetchEnvoy()));
  const files = dependencyClosure(all, ROOTS);
  const wanted = files.map((file) => file.name).filter((name) => !name.startsWith(RUNTIME_PREFIX));
  console.error(`generating TypeScript for ${wanted.length} of ${all.size} files ...`);
  const request = create(CodeGeneratorRequestSchema, {
    fileToGenerate: wanted,
    parameter: "target=js+dts,import_extension=js",
    protoFile: files,
  });
  const plugin = join(repository, "node_modules", "@bufbuild", "protoc-gen-es", "bin", "protoc-gen-es");
  const result = spawnSync(process.execPath, [plugin], { input: toBinary(CodeGeneratorRequestSchema, request), maxBuffer: 1 << 28 });
  if (result.status !== 0) throw new Error(`protoc-gen-es failed: ${result.stderr.toString()}`);
  const response = fromBinary(CodeGeneratorResponseSchema, result.stdout);
  if (response.error) throw new Error(`protoc-gen-es: ${response.error}`);

  rmSync(output, { recursive: true, force: true });
  for (const file of response.file) {
    const path = join(output, file.name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, file.content);
  }
  writeFileSync(stampFile, stamp);
  console.error(`xds-server/gen: ${response.file.length} files in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

try {
  generate();
} catch (error) {
  console.error(`make gen: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
