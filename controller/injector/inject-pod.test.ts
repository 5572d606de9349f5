import { describe, expect, it } from "@jest/globals";
import { join } from "node:path";
import { parse } from "yaml";
import { expectGoldens } from "../../e2e/support/golden.ts";
import { injectPod } from "./inject-pod.ts";
import { podPatch } from "./pod-patch.ts";
import type { PodTemplate } from "./pod-template.ts";
import { SETTINGS } from "./testing/settings.ts";

interface Input {
  readonly namespace: string;
  readonly pod: PodTemplate;
}

/** The injection, with what the sidecar's bootstrap says of this pod instead of all of it. */
expectGoldens(join(import.meta.dirname, "testdata"), (text) => {
  const { pod, namespace } = parse(text) as Input;
  const injection = injectPod(pod, namespace, SETTINGS);
  if (injection.kind !== "injected") return injection;
  const args = injection.pod.spec?.initContainers?.[1]?.["args"] as string[];
  const { node, static_resources: resources } = JSON.parse(args.pop() ?? "") as Bootstrap;
  return { ...injection, bootstrap: { node, clusters: resources.clusters.map(({ name }) => name) } };
});

interface Bootstrap {
  readonly node: unknown;
  readonly static_resources: { readonly clusters: readonly { readonly name: string }[] };
}

const POD: PodTemplate = { metadata: { name: "app" }, spec: { containers: [{ name: "app" }] } };

function injected(pod: PodTemplate, settings = SETTINGS): PodTemplate {
  const injection = injectPod(pod, "shop", settings);
  if (injection.kind !== "injected") throw new Error(JSON.stringify(injection));
  return injection.pod;
}

describe("an injected pod", () => {
  it("is left alone the second time", () => {
    expect(injectPod(injected(POD), "shop", SETTINGS)).toEqual({
      kind: "skipped",
      reason: "it has its sidecar already",
      unexpected: false,
    });
  });

  it("is not believed to be one because it says so", () => {
    const pretender: PodTemplate = {
      metadata: { name: "app", annotations: { "seawall.dev/injected": "0.1.0" } },
      spec: { initContainers: [{ name: "seawall-proxy" }], containers: [{ name: "app" }] },
    };
    expect(injectPod(pretender, "shop", SETTINGS)).toMatchObject({
      kind: "refused",
      violations: [{ path: "spec.initContainers[0].name" }],
    });
  });

  it("keeps every field that the injector does not know", () => {
    const { metadata, spec } = injected({
      ...POD,
      spec: { ...POD.spec, dnsPolicy: "None", ephemeralContainers: [], schedulingGates: [{ name: "x" }] },
    });
    expect(metadata?.name).toBe("app");
    expect(spec).toMatchObject({ dnsPolicy: "None", ephemeralContainers: [], schedulingGates: [{ name: "x" }] });
  });

  it("has time to say farewell, or none to lose", () => {
    const preStop = (pod: PodTemplate): unknown => pod.spec?.containers?.[0]?.lifecycle?.preStop;
    expect(preStop(injected(POD))).toEqual({ sleep: { seconds: 5 } });
    expect(preStop(injected({ ...POD, spec: { ...POD.spec, terminationGracePeriodSeconds: 5 } }))).toBeUndefined();
    expect(preStop(injected(POD, { ...SETTINGS, farewellSeconds: 0 }))).toBeUndefined();
  });
});

describe("the patch of an injected pod", () => {
  it("replaces only what the injector changed", () => {
    const before: PodTemplate = { ...POD, spec: { ...POD.spec, serviceAccountName: "web" } };
    expect(podPatch(before, injected(before)).map(({ path }) => path)).toEqual([
      "/metadata/annotations",
      "/spec/containers",
      "/spec/initContainers",
      "/spec/volumes",
    ]);
  });

  it("adds metadata to a pod that has none", () => {
    expect(podPatch({ spec: {} }, { metadata: { labels: {} }, spec: {} })).toEqual([
      { op: "add", path: "/metadata", value: { labels: {} } },
    ]);
  });
});
