/**
 * A version to come, made of the same sources: chart and images say so, the control plane and the kinds know a field that
 * they did not. No version has been released yet from which this one could be upgraded.
 */
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { buildInto } from "../../tools/build.ts";
import { buildImage } from "../../tools/images/build-images.ts";
import { controlPlaneImage, REPOSITORY, sidecarImage } from "../../tools/images/seawall-images.ts";
import type { Stage } from "./stage.ts";

export const NEXT_VERSION = "0.2.0";

/** The field of an AccessPolicy's spec that the next version brings. */
export const NEXT_FIELD = "note";

/** Builds its images and brings them to the cluster; returns its chart, packed. */
export async function nextVersion({ cluster, folder }: Stage): Promise<string> {
  const controlPlane = await buildImage((work) => {
    const built = join(work, "dist");
    buildInto(built);
    edit(join(built, "package.json"), /"version":"[^"]*"/, `"version":"${NEXT_VERSION}"`);
    const schema = join(built, "crds", "access-policy", "schema.js");
    edit(schema, /(AccessPolicySpec = Type\.Object\(\{)/, `$1 ${NEXT_FIELD}: Type.Optional(Type.String()),`);
    return { ...controlPlaneImage(built), name: `seawall/control-plane:${NEXT_VERSION}` };
  });
  const sidecar = await buildImage(() => ({ ...sidecarImage(), name: `seawall/sidecar:${NEXT_VERSION}` }));
  for (const image of [controlPlane, sidecar]) await cluster.importImage(image);

  const chart = join(folder, "next-chart");
  cpSync(join(REPOSITORY, "helm"), chart, { recursive: true });
  const kinds = join(chart, "files", "crds");
  for (const file of readdirSync(kinds).filter((name) => name.endsWith("_accesspolicies.yaml"))) {
    const kind = parse(readFileSync(join(kinds, file), "utf8")) as Kind;
    for (const { schema } of kind.spec.versions) schema.openAPIV3Schema.properties.spec.properties[NEXT_FIELD] = { type: "string" };
    writeFileSync(join(kinds, file), stringify(kind));
  }
  await cluster.helm("package", chart, "--version", NEXT_VERSION, "--app-version", NEXT_VERSION, "--destination", folder);
  return join(folder, `seawall-${NEXT_VERSION}.tgz`);
}

interface Kind {
  readonly spec: {
    readonly versions: readonly {
      readonly schema: {
        readonly openAPIV3Schema: { readonly properties: { readonly spec: { readonly properties: Record<string, object> } } };
      };
    }[];
  };
}

function edit(file: string, from: RegExp, to: string): void {
  const text = readFileSync(file, "utf8");
  if (!from.test(text)) throw new Error(`${file} has nothing like ${from.source}`);
  writeFileSync(file, text.replace(from, to));
}
