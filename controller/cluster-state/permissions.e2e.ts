/** What the authority, the trust bundles and the authentication of sidecars may do at least, held by an API server that allows nothing else. */
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { type ApiServer, startApiServer } from "../../e2e/cluster/api-server.ts";
import { Graph } from "../collections/graph.ts";
import type { KubernetesApi } from "../kubernetes/api.ts";
import { connectKubernetes, type KubernetesConnection } from "../kubernetes/connect.ts";
import { HttpKubernetesApi } from "../kubernetes/http-api.ts";
import type { KnownPod } from "../token-review/live-pods.ts";
import { ProjectedTokenAuthenticator } from "../token-review/projected-token-authenticator.ts";
import { CA_SECRET } from "./ca-secret.ts";
import { openClusterAuthority } from "./cluster-authority.ts";
import { Election } from "./testing/election.ts";
import { until } from "../../e2e/support/eventually.ts";
import { TRUST_CONFIG_MAP } from "./trust-config-map.ts";
import { TrustDistribution } from "./trust-distribution.ts";

const HOME = "seawall-system";
const RULES = {
  cluster: [
    { apiGroups: [""], resources: ["configmaps"], verbs: ["create"] },
    { apiGroups: [""], resources: ["configmaps"], resourceNames: [TRUST_CONFIG_MAP], verbs: ["get", "list", "watch", "update", "delete"] },
    { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
    { nonResourceURLs: ["/openid/v1/jwks"], verbs: ["get"] },
  ],
  home: [
    { apiGroups: [""], resources: ["secrets"], verbs: ["create"] },
    { apiGroups: [""], resources: ["secrets"], resourceNames: [CA_SECRET], verbs: ["get", "list", "watch", "update"] },
  ],
};

let server: ApiServer;
let connection: KubernetesConnection;
let admin: KubernetesApi;
let own: HttpKubernetesApi;

beforeAll(async () => {
  server = await startApiServer();
  connection = await connectKubernetes({ kubeconfig: server.kubeconfig });
  admin = connection.api;
  const rbac = {
    path: "/apis/rbac.authorization.k8s.io/v1",
    apiVersion: "rbac.authorization.k8s.io/v1",
    apiGroup: "rbac.authorization.k8s.io",
  };
  const metadata = { name: "seawall" };
  for (const name of [HOME, "shop"]) {
    await admin.create({ path: "/api/v1/namespaces" }, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  }
  const home = `${rbac.path}/namespaces/${HOME}`;
  await admin.create({ path: `/api/v1/namespaces/${HOME}/serviceaccounts` }, { apiVersion: "v1", kind: "ServiceAccount", metadata });
  const { apiVersion, apiGroup } = rbac;
  await admin.create({ path: `${rbac.path}/clusterroles` }, { apiVersion, kind: "ClusterRole", metadata, rules: RULES.cluster });
  await admin.create({ path: `${home}/roles` }, { apiVersion, kind: "Role", metadata, rules: RULES.home });
  const subjects = [{ kind: "ServiceAccount", name: "seawall", namespace: HOME }];
  for (const [path, kind, role] of [
    [`${rbac.path}/clusterrolebindings`, "ClusterRoleBinding", "ClusterRole"],
    [`${home}/rolebindings`, "RoleBinding", "Role"],
  ] as const) {
    await admin.create({ path }, { apiVersion, kind, metadata, subjects, roleRef: { apiGroup, kind: role, name: "seawall" } });
  }
  const token = await tokenOf(HOME, "seawall", {});
  own = new HttpKubernetesApi({
    server: server.url,
    namespace: HOME,
    credentials: () => Promise.resolve({ ca: server.caPem, headers: { authorization: `Bearer ${token}` } }),
  });
});
afterAll(async () => {
  own.close();
  connection.close();
  await server.stop();
});

async function tokenOf(namespace: string, serviceAccount: string, spec: object): Promise<string> {
  const answer = await admin.create(
    { path: `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token` },
    { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec },
  );
  return (answer as { readonly status: { readonly token: string } }).status.token;
}

function there(path: string): Promise<boolean> {
  return admin.get({ path }).then(
    () => true,
    () => false,
  );
}

it("a control plane with no more rights than these makes its Secret and puts it back, gives trust and takes it, and knows a sidecar", async () => {
  const log: string[] = [];
  const leadership = new Election(true);
  const common = { api: own, namespace: HOME, leadership, log: (_level: string, line: string): unknown => log.push(line) };
  const graph = new Graph({ onError: () => undefined });
  const namespaceLabels = graph.source<string, Readonly<Record<string, string>>>("namespace-labels");
  const pods = graph.source<string, KnownPod>("pods");
  using stack = new DisposableStack();

  const cluster = stack.adopt(await openClusterAuthority({ ...common, trustDomain: "cluster.local" }), (opened) => opened.close());
  const { authority } = cluster;
  stack.adopt(new TrustDistribution({ ...common, namespaceLabels, authority }), (opened) => opened.close());
  const inShop = `/api/v1/namespaces/shop/configmaps/${TRUST_CONFIG_MAP}`;
  namespaceLabels.set("shop", { "seawall.dev/injection": "enabled" });
  namespaceLabels.markSynced();
  pods.markSynced();
  graph.tick();
  await until("the bundle is there", () => there(inShop));
  await admin.patch({ path: inShop }, "application/merge-patch+json", { data: { "ca.pem": "wrong" } });
  await until("the bundle is restored", async () => JSON.stringify(await admin.get({ path: inShop })).includes("BEGIN CERTIFICATE"));
  namespaceLabels.set("shop", {});
  graph.tick();
  await until("the bundle is gone", async () => !(await there(inShop)));

  const secret = `/api/v1/namespaces/${HOME}/secrets/${CA_SECRET}`;
  await admin.delete({ path: secret });
  await until("the Secret is put back", () => there(secret));

  await admin.create(
    { path: "/api/v1/namespaces/shop/serviceaccounts" },
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "web" } },
  );
  const pod = await admin.create(
    { path: "/api/v1/namespaces/shop/pods" },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "web-1" },
      spec: { serviceAccountName: "web", containers: [{ name: "app", image: "app" }] },
    },
  );
  const { uid } = (pod as { readonly metadata: { readonly uid: string } }).metadata;
  pods.set("shop/web-1", { uid, serviceAccount: "web" });
  graph.tick();
  const token = await tokenOf("shop", "web", {
    audiences: ["seawall"],
    boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "web-1", uid },
  });
  const guard = stack.adopt(
    new ProjectedTokenAuthenticator({ ...common, pods, hasServiceAccount: () => true, verification: "token-review" }),
    (opened) => opened.close(),
  );
  expect(await guard.authenticate(token)).toMatchObject({ subscriber: "shop/web-1", uid });
  expect(log.filter((line) => /forbidden|cannot|could not/.test(line))).toEqual([]);
});
