/** Does every route on a Service hold, and does what it names exist? */
import { KINDS } from "../../crds/kinds.ts";
import type { Condition, KubeObject } from "../cluster/objects.ts";
import { type Check, count, type Finding, findingsAbout } from "./finding.ts";

/** As routes' statuses name the mesh; what other controllers say is theirs. */
const CONTROLLER = "seawall.dev/mesh";

interface KubeRoute extends KubeObject {
  readonly status?: {
    readonly parents?: readonly {
      readonly controllerName: string;
      readonly parentRef: { readonly name: string };
      readonly conditions?: readonly Condition[];
    }[];
  };
}

export const routesCheck: Check = {
  area: "routes",
  async look({ cluster }) {
    const { ok } = findingsAbout(this.area);
    const kinds = KINDS.filter(({ kind, apiVersion }) => apiVersion.startsWith("gateway.networking.k8s.io/") && kind.endsWith("Route"));
    const lists = await Promise.all(
      kinds.map(async ({ kind, plural, apiVersion }) =>
        ((await cluster.listIfInstalled<KubeRoute>(`/apis/${apiVersion}/${plural}`)) ?? []).map((route) => ({ kind, route })),
      ),
    );
    const ours = lists.flat().filter(({ route }) => parentsOf(route).length > 0);
    const found = ours.flatMap(({ kind, route }) => judge(kind, route));
    if (found.length > 0) return found;
    return [ok(ours.length === 0 ? "there are none on Services" : `${count(ours.length, "route")} on Services, all accepted`)];
  },
};

function parentsOf({ status }: KubeRoute): NonNullable<NonNullable<KubeRoute["status"]>["parents"]> {
  return (status?.parents ?? []).filter(({ controllerName }) => controllerName === CONTROLLER);
}

function judge(kind: string, route: KubeRoute): Finding[] {
  const { warning, problem } = findingsAbout("routes");
  const name = `${kind} ${route.metadata.namespace ?? "default"}/${route.metadata.name}`;
  return parentsOf(route).flatMap(({ parentRef, conditions = [] }) =>
    conditions.flatMap(({ type, status, reason, message }) => {
      if (status !== "False") return [];
      const words = message === undefined || message === "" ? (reason ?? "no reason given") : message;
      const at = `${name} on ${parentRef.name}`;
      if (type === "Accepted") return [problem(`${at} does nothing: ${words}`, "mend it")];
      return [warning(type === "ResolvedRefs" ? `${at} names what it cannot reach: ${words}` : `${at}: ${words}`)];
    }),
  );
}
