/** Whether one of Seawall's objects may be written: by the same checks as everywhere, and by what only a change can break. */
import { isDeepStrictEqual } from "node:util";
import type { Kind } from "../../crds/core/kind.ts";
import { type KubernetesObject, SEAWALL_API_VERSION } from "../../crds/core/object.ts";
import { errorsOf, violation, type Violation } from "../../crds/core/violation.ts";
import { type MeshConfig, meshConfig, meshSettings, validateMeshConfigChange } from "../../crds/mesh-config/index.ts";
import { checkObject } from "../sources/known-kinds.ts";
import { type AdmissionRequest, ALLOWED, type Verdict } from "./admission-review.ts";
import type { Known } from "./known.ts";
import { risksOf } from "./risks.ts";

export function validateRequest(request: AdmissionRequest, kinds: readonly Kind[], known: Known): Verdict {
  const { kind, operation } = request;
  const apiVersion = `${kind.group}/${kind.version}`;
  if (kind.group !== GROUP) return ALLOWED;
  const checked = kinds.find((one) => one.kind === kind.kind && one.apiVersion === apiVersion);
  if (checked === undefined) {
    return refusal([violation("kind", "UnknownKind", `this version of Seawall knows no ${kind.kind} of ${apiVersion}`)], kind.kind, "");
  }
  switch (operation) {
    case "CREATE":
    case "UPDATE":
      return validateWrite(request, checked, known);
    case "DELETE":
      return validateDeletion(request, known);
    default:
      return ALLOWED;
  }
}

const GROUP = SEAWALL_API_VERSION.split("/")[0];

function validateWrite(request: AdmissionRequest, kind: Kind, known: Known): Verdict {
  const object = readObject(request.object, request.namespace);
  if (object === undefined) return refusal([violation("metadata", "Required", "the object has no metadata")], kind.kind, "");
  const before = readObject(request.oldObject, request.namespace);
  // Labels, finalizers and owners can always be changed: else what an upgrade has come to refuse could not even be deleted.
  if (before !== undefined && isDeepStrictEqual(before.spec, object.spec)) return ALLOWED;
  const found = checkObject(kind, object);
  if (errorsOf(found).length === 0 && kind.kind === meshConfig.kind && before !== undefined) {
    found.push(...validateMeshConfigChange(before as MeshConfig, object as MeshConfig));
  }
  if (errorsOf(found).length > 0) return refusal(found, kind.kind, object.metadata.name);
  return { kind: "allowed", warnings: lines([...found, ...risksOf(object, known)]) };
}

/** Without its MeshConfig the mesh has the default trust domain: running sidecars would have certificates of another. */
function validateDeletion(request: AdmissionRequest, known: Known): Verdict {
  if (request.kind.kind !== meshConfig.kind) return ALLOWED;
  const object = readObject(request.oldObject, request.namespace) as MeshConfig | undefined;
  const trustDomain = object?.spec.trustDomain;
  const [running] = known.sidecars();
  if (running === undefined) return ALLOWED;
  if (trustDomain !== undefined && trustDomain !== meshSettings(undefined).trustDomain) {
    const message = `sidecars are running with identities of ${trustDomain}, which is lost with it: remove them first, or change what you want to change`;
    return refusal([violation("spec.trustDomain", "Conflict", message)], request.kind.kind, object?.metadata.name ?? "");
  }
  return { kind: "allowed", warnings: ["without a MeshConfig the defaults hold: access.default is Deny"] };
}

function readObject(value: unknown, namespace: string): KubernetesObject | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const object = value as Partial<KubernetesObject>;
  if (typeof object.metadata !== "object") return undefined;
  const metadata = namespace === "" ? object.metadata : { ...object.metadata, namespace };
  return { ...(object as KubernetesObject), metadata };
}

function refusal(found: readonly Violation[], kind: string, name: string): Verdict {
  const what = name === "" ? kind : `${kind} ${name}`;
  const mistakes = lines(errorsOf(found));
  const message = mistakes.length === 1 ? `${what}: ${mistakes[0] ?? ""}` : `${what}:\n${mistakes.map((line) => `  - ${line}`).join("\n")}`;
  return { kind: "refused", reason: "Invalid", message, warnings: lines(found.filter(({ severity }) => severity === "warning")) };
}

function lines(found: readonly Violation[]): string[] {
  return found.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
}
