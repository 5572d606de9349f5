/**
 * The Gateway API's release that Seawall is tested against: its CRDs, and the manifests of its conformance suite. They are
 * read where the Go command keeps modules; suite/go.mod states the version.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const SUITE = join(import.meta.dirname, "suite");

export interface GatewayApi {
  /** `v1.6.3`. */
  readonly version: string;
  /** A folder of manifests: the CRDs of the standard channel. */
  readonly crds: string;
  /** A file: the namespaces, Services and pods of the mesh tests. */
  readonly meshManifests: string;
  /** The image that the pods of the mesh tests run, as their manifests name it. */
  readonly echoImage: string;
}

/** Fetches the modules when they are not on this machine. Throws with Go's words when that cannot be. */
export function gatewayApi(): GatewayApi {
  const [api, conformance] = ["sigs.k8s.io/gateway-api", "sigs.k8s.io/gateway-api/conformance"].map(downloaded);
  if (api === undefined || conformance === undefined) throw new Error("go mod download said nothing");
  const meshManifests = join(conformance.folder, "mesh", "manifests.yaml");
  const manifests = readFileSync(meshManifests, "utf8");
  const images = [...new Set([...manifests.matchAll(/^\s*image:\s*(\S+)/gm)].map((match) => match[1] ?? ""))];
  const [echoImage] = images;
  if (echoImage === undefined || images.length > 1) throw new Error(`the mesh tests' pods run ${images.join(", ")}, not one image`);
  return { version: api.version, crds: join(api.folder, "config", "crd", "standard"), meshManifests, echoImage };
}

function downloaded(module: string): { readonly version: string; readonly folder: string } {
  const answer = execFileSync("go", ["mod", "download", "-json", module], { cwd: SUITE, encoding: "utf8" });
  const { Version: version, Dir: folder } = JSON.parse(answer) as { Version: string; Dir: string };
  return { version, folder };
}
