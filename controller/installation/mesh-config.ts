/**
 * The MeshConfig as the chart's values have it. A custom resource cannot be in one Helm release with its kind, so the chart
 * hands its spec to the control plane, and every replica applies it when it starts.
 */
import { readFileSync } from "node:fs";
import { SEAWALL_API_VERSION } from "../../crds/core/object.ts";
import { checkSchema } from "../../crds/core/schema.ts";
import { errorsOf } from "../../crds/core/violation.ts";
import { MESH_CONFIG_NAME, MeshConfigSpec, meshConfig } from "../../crds/mesh-config/index.ts";
import { ControlPlaneError } from "../control-plane-error.ts";
import type { Log } from "../control-plane-options.ts";
import { type KubernetesApi, KubernetesApiError } from "../kubernetes/api.ts";

/** Who owns the fields that the chart sets, as `metadata.managedFields` names it. */
export const CHART_FIELD_MANAGER = "seawall-chart";

export interface MeshConfigApplication {
  readonly api: KubernetesApi;
  readonly spec: MeshConfigSpec;
  readonly log: Log;
  /** Ends the wait for an API server that does not answer. */
  readonly signal: AbortSignal;
}

/**
 * Makes the fields of `spec` those of the MeshConfig `mesh`, which it creates where there is none. A field that somebody else
 * set stays theirs; so does the whole object where the API server refuses. Both are logged, and neither is an error.
 */
export async function applyMeshConfig({ api, spec, log, signal }: MeshConfigApplication): Promise<void> {
  const object = { apiVersion: SEAWALL_API_VERSION, kind: meshConfig.kind, metadata: { name: MESH_CONFIG_NAME }, spec };
  const path = `/apis/${SEAWALL_API_VERSION}/${meshConfig.plural}/${MESH_CONFIG_NAME}`;
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      await api.patch({ path, query: { fieldManager: CHART_FIELD_MANAGER }, signal }, "application/apply-patch+yaml", object);
      return;
    } catch (error) {
      if (!(error instanceof KubernetesApiError)) throw error;
      if (error.code === "Conflict") {
        log("warn", `MeshConfig ${MESH_CONFIG_NAME} stays as somebody else has edited it, not as the chart's values say: ${error.message}`);
        return;
      }
      if (!mayPass(error)) {
        log("error", `MeshConfig ${MESH_CONFIG_NAME} cannot be made what the chart's values say: ${error.message}`);
        return;
      }
      if (failures === 0) log("warn", `MeshConfig ${MESH_CONFIG_NAME} is applied as soon as possible: ${error.message}`);
      await pause(Math.min(500 * 2 ** failures, 10_000), signal);
    }
  }
}

/** A server that does not answer, has too much to do, or does not know the kind yet. */
function mayPass({ status }: KubernetesApiError): boolean {
  return status === undefined || status === 404 || status === 429 || status >= 500;
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}

/** Reads the file that the chart mounts. Throws a ControlPlaneError that names every mistake. */
export function readMeshConfigFile(file: string): MeshConfigSpec {
  let spec: unknown;
  try {
    spec = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ControlPlaneError("InvalidMeshConfig", `${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const shape = checkSchema(MeshConfigSpec, spec, "spec");
  const object = {
    apiVersion: SEAWALL_API_VERSION,
    kind: meshConfig.kind,
    metadata: { name: MESH_CONFIG_NAME },
    spec: spec as MeshConfigSpec,
  };
  const mistakes = shape.length > 0 ? shape : errorsOf(meshConfig.validate(object));
  if (mistakes.length === 0) return object.spec;
  const words = mistakes.map(({ path, message }) => `${path}: ${message}`).join("; ");
  throw new ControlPlaneError("InvalidMeshConfig", `${file} is no MeshConfig: ${words}`);
}
