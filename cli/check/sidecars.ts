/** Do all sidecars run what they should? */
import type { SidecarStatus } from "../../controller/admin/sidecars.ts";
import { mergeSidecars } from "../control-planes.ts";
import { describeDuration } from "../duration.ts";
import { type Check, count, type Finding, findingsAbout, some } from "./finding.ts";

export const sidecarsCheck: Check = {
  area: "sidecars",
  async look({ replicas, now }) {
    const { ok, warning, problem, unknown } = findingsAbout(this.area);
    if (replicas.length === 0) return [unknown("not looked at: no replica could be asked")];
    const sidecars = mergeSidecars(await Promise.all(replicas.map(({ admin }) => admin.sidecars())));
    if (sidecars.length === 0) return [ok("there are none yet")];
    const found: Finding[] = [];
    const away = sidecars.filter(({ connected }) => !connected);
    if (away.length > 0) {
      const message = `${count(away.length, "sidecar")} of ${sidecars.length} not connected: ${names(away)}. What they have stays in force`;
      found.push(problem(message, "kubectl -n <namespace> logs <pod> -c seawall-proxy"));
    }
    for (const { subscriber, stream } of sidecars) {
      const refusing = stream?.types.find(({ rejected }) => rejected.length > 0);
      if (refusing === undefined) continue;
      const words = refusing.lastNack?.message ?? "no reason given";
      found.push(problem(`${subscriber} refuses ${some(refusing.rejected)}: ${words}`, `seawall proxy config ${subscriber}`));
    }
    const behind = sidecars.filter(
      ({ connected, synced, stream }) => connected && !synced && !stream?.types.some(({ rejected }) => rejected.length > 0),
    );
    if (behind.length > 0)
      found.push(warning(`${count(behind.length, "sidecar")} still getting their configuration: ${names(behind)}`, "seawall proxy status"));
    for (const { subscriber, certificate } of sidecars) {
      if (certificate === undefined || certificate.notAfter > now) continue;
      found.push(
        problem(`the certificate of ${subscriber} expired ${describeDuration(now - certificate.notAfter)} ago`, "seawall proxy status"),
      );
    }
    return found.length > 0 ? found : [ok(`${count(sidecars.length, "sidecar")}, all synced`)];
  },
};

function names(sidecars: readonly SidecarStatus[]): string {
  return some(sidecars.map(({ subscriber }) => subscriber));
}
