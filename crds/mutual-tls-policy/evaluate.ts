/** What a port demands of TLS, in plain semantics after 5-policies.md. */
import { objectKey } from "../core/object.ts";
import type { CalledPort } from "../core/request.ts";
import { type DefaultAccess, type MeshSettings, type PostQuantum, type TlsVersion } from "../mesh-config/index.ts";
import type { Mode, MutualTLSPolicy } from "./schema.ts";

/** What holds on one port. */
export interface EffectiveMutualTls {
  readonly mode: Mode;
  /** By which a caller without identity is refused where the mode is Strict: `mutual-tls/<namespace>/<name>/strict`. */
  readonly rule: string;
  /** Never below the floor of the mesh. */
  readonly minVersion: TlsVersion;
  readonly postQuantum: PostQuantum;
}

/** The name of the rule where no policy asks for strictness but the default does. */
export const DEFAULT_STRICT = "mutual-tls//default/strict";

/** `policy` is the one in effect on the port (override.ts decides); `access` is the default access there. */
export function effectiveMutualTls(
  policy: MutualTLSPolicy | undefined,
  settings: MeshSettings,
  access: DefaultAccess,
  port: CalledPort,
): EffectiveMutualTls {
  const { tls } = settings;
  const ofPort =
    policy?.spec.ports?.find((entry) => entry.port === port.number) ?? policy?.spec.ports?.find((entry) => entry.port === port.name);
  const asked = ofPort?.mode ?? policy?.spec.mode;
  const wanted = policy?.spec.postQuantum ?? tls.postQuantum;
  const postQuantum = tls.postQuantum === "Require" ? "Require" : wanted;
  const atLeast13 = tls.minVersion === "1.3" || policy?.spec.minVersion === "1.3" || postQuantum === "Require";
  return {
    mode: asked ?? (access === "Deny" ? "Strict" : "Permissive"),
    rule: policy === undefined || asked === undefined ? DEFAULT_STRICT : `mutual-tls/${objectKey(policy.metadata)}/strict`,
    minVersion: atLeast13 ? "1.3" : "1.2",
    postQuantum,
  };
}
