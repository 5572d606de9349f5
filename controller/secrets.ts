/** Certificates and trust as Envoy's Secret resources. */
import { create, toBinary } from "@bufbuild/protobuf";
import type { SecretContent } from "../ca/leaf-secrets.ts";
import { encodeResource, encodeVersionedResource } from "../xds-server/delta/encoding.ts";
import type { EncodedResource } from "../xds-server/delta/feed.ts";
import { typeUrl } from "../xds-server/envoy/any.ts";
import { TRUST_SECRET } from "../xds-server/envoy/tls.ts";
import { SecretSchema } from "../xds-server/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";

/** A workload's certificate and key. */
export function identitySecret(secret: SecretContent): EncodedResource {
  const message = create(SecretSchema, {
    name: secret.name,
    type: {
      case: "tlsCertificate",
      value: {
        certificateChain: { specifier: { case: "inlineString", value: secret.certificatePem } },
        privateKey: { specifier: { case: "inlineString", value: secret.keyPem } },
      },
    },
  });
  return encodeVersionedResource(typeUrl(SecretSchema), secret.name, secret.version, toBinary(SecretSchema, message));
}

/** The roots that every sidecar trusts. */
export function trustSecret(rootsPem: string): EncodedResource {
  const message = create(SecretSchema, {
    name: TRUST_SECRET,
    type: { case: "validationContext", value: { trustedCa: { specifier: { case: "inlineString", value: rootsPem } } } },
  });
  return encodeResource(typeUrl(SecretSchema), TRUST_SECRET, toBinary(SecretSchema, message));
}
