/** Two kinds in the manner of Seawall's: one for security, one for comfort. Tests of the source need no more. */
import Type, { type Static } from "typebox";
import type { Kind } from "../../../../crds/core/kind.ts";
import { Enforcement, From, TargetRef, To } from "../../../../crds/core/match.ts";
import { SEAWALL_API_VERSION } from "../../../../crds/core/object.ts";
import { violation, warning } from "../../../../crds/core/violation.ts";

const closed = { additionalProperties: false } as const;

const GuardSpec = Type.Object(
  {
    targetRefs: Type.Optional(Type.Array(TargetRef, { minItems: 1 })),
    action: Type.Union([Type.Literal("Allow"), Type.Literal("Deny")]),
    enforcement: Type.Optional(Enforcement),
    rules: Type.Array(
      Type.Object(
        { name: Type.String({ minLength: 1 }), from: Type.Optional(Type.Array(From)), to: Type.Optional(Type.Array(To)) },
        closed,
      ),
    ),
  },
  closed,
);

export const guardKind: Kind<typeof GuardSpec> = {
  kind: "Guard",
  apiVersion: SEAWALL_API_VERSION,
  plural: "guards",
  shortNames: [],
  scope: "Namespaced",
  question: "who may call",
  security: true,
  schema: GuardSpec,
  validate: ({ spec }: { spec: Static<typeof GuardSpec> }) => [
    ...(spec.action === "Deny" && spec.rules.length === 0 ? [violation("spec.rules", "Required", "a Deny needs a rule")] : []),
    ...(spec.rules.some((rule) => rule.from === undefined) ? [warning("spec.rules", "Invalid", "a rule lets everybody in")] : []),
  ],
};

const PaceSpec = Type.Object({ requests: Type.Integer({ minimum: 1 }) }, closed);

export const paceKind: Kind<typeof PaceSpec> = {
  kind: "ClusterPace",
  apiVersion: SEAWALL_API_VERSION,
  plural: "clusterpaces",
  shortNames: [],
  scope: "Cluster",
  question: "how fast",
  security: false,
  schema: PaceSpec,
  validate: () => [],
};

export const testKinds: readonly Kind[] = [guardKind, paceKind];

/** A Guard that holds. `extra` goes below `spec`, indented by two. */
export function guard(name: string, extra = "", namespace = "shop"): string {
  return `apiVersion: ${SEAWALL_API_VERSION}
kind: Guard
metadata:
  name: ${name}
  namespace: ${namespace}
spec:
  action: Allow
  rules:
  - name: all
    from: [{namespaces: [Same]}]
${extra}`;
}

export function pace(name: string, requests: number | string): string {
  return `apiVersion: ${SEAWALL_API_VERSION}
kind: ClusterPace
metadata: {name: ${name}}
spec: {requests: ${requests}}
`;
}

export function service(name: string, port: number | string = 80): string {
  return `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {selector: {app: ${name}}, ports: [{port: ${port}}]}
`;
}
