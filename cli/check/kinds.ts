/** Does the API server know Seawall's kinds, in the control plane's version? */
import { KINDS } from "../../crds/kinds.ts";
import type { KubeCustomResourceDefinition } from "../cluster/objects.ts";
import { installedVersion } from "./control-plane.ts";
import { type Check, count, type Finding, findingsAbout, some } from "./finding.ts";

export const kindsCheck: Check = {
  area: "kinds",
  async look({ cluster }) {
    const { ok, warning, problem } = findingsAbout(this.area);
    const definitions = new Map(
      (await cluster.list<KubeCustomResourceDefinition>("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")).map(
        (definition) => [definition.metadata.name, definition] as const,
      ),
    );
    const own = KINDS.filter(({ apiVersion }) => apiVersion.startsWith("seawall.dev/"));
    const found: Finding[] = [];
    const missing = own.filter(({ plural }) => !isEstablished(definitions.get(`${plural}.seawall.dev`))).map(({ kind }) => kind);
    if (missing.length > 0) {
      found.push(problem(`the API server does not know ${missing.join(", ")}`, "helm upgrade seawall ./helm (with crds.install)"));
    } else found.push(ok(`the API server knows ${count(own.length, "kind")} of seawall.dev`));
    const installed = await installedVersion(cluster);
    const old = own.flatMap(({ kind, plural }) => {
      const version = definitions.get(`${plural}.seawall.dev`)?.metadata.labels?.["app.kubernetes.io/version"];
      return version === undefined || installed === undefined || version === installed ? [] : [`${kind} (${version})`];
    });
    if (old.length > 0) found.push(warning(`of another version than the control plane: ${some(old)}`, "helm upgrade seawall ./helm"));
    if (!isEstablished(definitions.get("httproutes.gateway.networking.k8s.io"))) {
      found.push(ok("the kinds of the Gateway API are not installed: there are no routes, and all else works"));
    }
    return found;
  },
};

function isEstablished(definition: KubeCustomResourceDefinition | undefined): boolean {
  return definition?.status?.conditions?.some(({ type, status }) => type === "Established" && status === "True") ?? false;
}
