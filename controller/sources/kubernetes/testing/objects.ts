/** Objects as a user creates them, by way of the API. */
import type { KubernetesApi } from "../../../kubernetes/api.ts";
import { guardKind } from "../../files/testing/kinds.ts";

type Fields = Readonly<Record<string, unknown>>;

export const GUARDS = "/apis/seawall.dev/v1alpha1/guards";

export function guardsIn(namespace: string): string {
  return `/apis/seawall.dev/v1alpha1/namespaces/${namespace}/guards`;
}

export async function createNamespace(api: KubernetesApi, name: string): Promise<void> {
  await api.create({ path: "/api/v1/namespaces" }, { metadata: { name } });
}

/** A CRD that refuses nothing, as one of another version might: what is wrong is for the source to find. */
export async function installGuards(api: KubernetesApi): Promise<void> {
  const anything = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  await api.create(
    { path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions" },
    {
      metadata: { name: "guards.seawall.dev" },
      spec: {
        group: "seawall.dev",
        scope: guardKind.scope,
        names: { plural: guardKind.plural, kind: guardKind.kind, singular: "guard" },
        versions: [
          {
            name: "v1alpha1",
            served: true,
            storage: true,
            subresources: { status: {} },
            schema: { openAPIV3Schema: { type: "object", properties: { spec: anything, status: anything } } },
          },
        ],
      },
    },
  );
}

export function guard(name: string, spec: Fields = { action: "Allow", rules: [] }): Fields {
  return { apiVersion: "seawall.dev/v1alpha1", kind: "Guard", metadata: { name }, spec };
}

export function pod(name: string, more: Fields = {}): Fields {
  return {
    metadata: { name, ...more },
    spec: { serviceAccountName: "web", containers: [{ name: "app", image: "app", ports: [{ containerPort: 8080 }] }] },
  };
}

/** What a kubelet says of a pod. */
export function setPodStatus(api: KubernetesApi, namespace: string, name: string, status: Fields): Promise<unknown> {
  return api.patch({ path: `/api/v1/namespaces/${namespace}/pods/${name}/status` }, "application/merge-patch+json", { status });
}

export function deletePod(api: KubernetesApi, namespace: string, name: string): Promise<unknown> {
  return api.delete({ path: `/api/v1/namespaces/${namespace}/pods/${name}`, query: { gracePeriodSeconds: "0" } });
}
