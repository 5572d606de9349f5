import { describe, expect, it } from "@jest/globals";
import { KINDS } from "../../../crds/kinds.ts";
import { knownKinds } from "../known-kinds.ts";
import { projected } from "./projection.ts";

const KNOWN = knownKinds(KINDS);

function projection(kind: string, raw: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const known = KNOWN.get(kind);
  if (known === undefined) throw new Error(`no kind ${kind}`);
  return projected(known, raw, (raw["metadata"] ?? {}) as Readonly<Record<string, unknown>>) as unknown as Record<string, unknown>;
}

const metadata = {
  name: "web",
  namespace: "shop",
  uid: "u",
  resourceVersion: "7",
  generation: 2,
  creationTimestamp: "2026-11-21T00:00:00Z",
  selfLink: "/api",
  ownerReferences: [{ name: "rs" }],
  finalizers: ["f"],
  managedFields: [{ manager: "kubectl", fieldsV1: {} }],
};
const kept = { name: "web", namespace: "shop", uid: "u", generation: 2, creationTimestamp: "2026-11-21T00:00:00Z" };

describe("what is kept of an object", () => {
  it("is not who manages, owns or holds it, nor its version", () => {
    expect(projection("ServiceAccount", { metadata, secrets: [{ name: "s" }], imagePullSecrets: [] })).toEqual({
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: kept,
    });
    expect(projection("Namespace", { metadata, spec: { finalizers: ["kubernetes"] }, status: { phase: "Active" } })).toEqual({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: kept,
    });
  });

  it("of a Service and its endpoints is what traffic needs", () => {
    const port = { name: "http", port: 80, targetPort: "http", protocol: "TCP" };
    expect(
      projection("Service", {
        metadata,
        spec: {
          type: "ClusterIP",
          clusterIP: "198.19.0.7",
          clusterIPs: ["198.19.0.7"],
          ports: [{ ...port, nodePort: 30_000 }],
          sessionAffinity: "None",
        },
        status: { loadBalancer: {} },
      })["spec"],
    ).toEqual({ type: "ClusterIP", clusterIP: "198.19.0.7", clusterIPs: ["198.19.0.7"], ports: [port] });
    expect(
      projection("EndpointSlice", {
        metadata,
        addressType: "IPv4",
        ports: null,
        endpoints: [
          {
            addresses: ["10.0.0.1"],
            conditions: { ready: true, serving: null },
            nodeName: "n",
            zone: "z",
            targetRef: { kind: "Pod", name: "web", uid: "u" },
          },
        ],
      }),
    ).toMatchObject({ endpoints: [{ addresses: ["10.0.0.1"], conditions: { ready: true }, targetRef: { kind: "Pod", name: "web" } }] });
  });

  it("of a policy is all that its author wrote, also what no schema knows, and not its status", () => {
    const spec = { action: "Allow", unknown: { deep: [null] } };
    expect(projection("AccessPolicy", { metadata, spec, status: { conditions: [] } })).toEqual({
      apiVersion: "seawall.dev/v1alpha1",
      kind: "AccessPolicy",
      metadata: kept,
      spec,
    });
  });

  it("of a pod is the same, whatever its kubelet finds out beside its address and readiness", () => {
    const ready = { type: "Ready", status: "True", lastTransitionTime: "2026-11-21T00:00:00Z" };
    const pod = (status: object): unknown =>
      projection("Pod", { metadata, spec: { nodeName: "n" }, status: { phase: "Running", podIP: "10.0.0.1", ...status } });
    const first = pod({ conditions: [ready] });
    expect(
      pod({
        conditions: [
          { ...ready, lastProbeTime: "t" },
          { type: "PodScheduled", status: "True" },
        ],
        containerStatuses: [{}],
      }),
    ).toEqual(first);
    expect(pod({ conditions: [{ ...ready, status: "False" }] })).not.toEqual(first);
    expect(pod({ conditions: [{ type: "PodScheduled", status: "True" }] })).toEqual(pod({}));
  });
});
