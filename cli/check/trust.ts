/** Can the sidecars of each labelled namespace know the control plane? */
import { isOwn, storedObject } from "../../controller/cluster-state/stored-object.ts";
import { type KubeConfigMap, type KubeObject, SEAWALL } from "../cluster/objects.ts";
import { type Check, count, type Finding, findingsAbout } from "./finding.ts";

export const trustCheck: Check = {
  area: "trust",
  async look({ cluster }) {
    const { ok, problem } = findingsAbout(this.area);
    const { injectionLabel, trustConfigMap, trustKey, namespace: home } = SEAWALL;
    const namespaces = await cluster.list<KubeObject>("/api/v1/namespaces", { labelSelector: `${injectionLabel}=enabled` });
    const alive = namespaces.filter(({ metadata }) => metadata.deletionTimestamp === undefined).map(({ metadata }) => metadata.name);
    if (alive.length === 0) return [];
    const maps = await cluster.list<KubeConfigMap>("/api/v1/configmaps", { fieldSelector: `metadata.name=${trustConfigMap}` });
    const byNamespace = new Map(maps.map((map) => [map.metadata.namespace, map]));
    const roots = byNamespace.get(home)?.data?.[trustKey];
    const found = alive.flatMap((namespace): Finding[] => {
      const map = byNamespace.get(namespace);
      const stored = storedObject(map);
      if (map === undefined || stored === undefined)
        return [
          problem(`no pod can start in ${namespace}: it has no ConfigMap ${trustConfigMap}`, "the control plane makes it: see its log"),
        ];
      if (!isOwn(stored)) {
        return [
          problem(
            `no pod can start in ${namespace}: its ConfigMap ${trustConfigMap} was not made by Seawall and stays as it is`,
            `rename it, or kubectl -n ${namespace} delete configmap ${trustConfigMap}: Seawall makes its own then`,
          ),
        ];
      }
      if (roots === undefined || map.data?.[trustKey] === roots) return [];
      return [
        problem(
          `the sidecars of ${namespace} trust other roots than the control plane has`,
          "the leader brings them up to date: see its log",
        ),
      ];
    });
    return found.length > 0 ? found : [ok(`${count(alive.length, "namespace")} with the roots of the mesh`)];
  },
};
