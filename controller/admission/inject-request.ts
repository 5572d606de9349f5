/** Whether a pod that is made gets a sidecar, and with which patch. */
import { injectPod } from "../injector/inject-pod.ts";
import type { InjectionSettings } from "../injector/injection-settings.ts";
import { podPatch } from "../injector/pod-patch.ts";
import type { PodTemplate } from "../injector/pod-template.ts";
import { type AdmissionRequest, ALLOWED, type Verdict } from "./admission-review.ts";

export function injectRequest(request: AdmissionRequest, settings: InjectionSettings): Verdict {
  const { uid, kind, operation, namespace, object } = request;
  if (operation !== "CREATE" || kind.group !== "" || kind.kind !== "Pod") return ALLOWED;
  const pod = object as PodTemplate;
  // The API server's request ids are random, and each is of one pod.
  const injection = injectPod(pod, { namespace, farewellKey: uid }, settings);
  switch (injection.kind) {
    case "injected":
      return { kind: "allowed", warnings: [], patch: podPatch(pod, injection.pod) };
    case "skipped":
      return injection.unexpected ? { kind: "allowed", warnings: [`Seawall: pod ${nameOf(pod)}: ${injection.reason}`] } : ALLOWED;
    case "refused": {
      const mistakes = injection.violations.map(({ path, message }) => `  - ${path}: ${message}`).join("\n");
      const message = `Seawall cannot add a sidecar to pod ${nameOf(pod)}:\n${mistakes}\nMend this, or say seawall.dev/inject: "false" to go without.`;
      return { kind: "refused", reason: "Invalid", warnings: [], message };
    }
  }
}

function nameOf({ metadata = {} }: PodTemplate): string {
  return metadata.name ?? (metadata.generateName === undefined ? "without a name" : `${metadata.generateName}*`);
}
