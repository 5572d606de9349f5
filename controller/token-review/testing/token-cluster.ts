import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { decodeJwt, decodeProtectedHeader, type JWTPayload, SignJWT } from "jose";
import { type ApiServer, startApiServer } from "../../../e2e/cluster/api-server.ts";
import { recordingApi } from "../../cluster-state/testing/recording-api.ts";
import type { Source } from "../../collections/collection.ts";
import { Graph } from "../../collections/graph.ts";
import type { KubernetesApi } from "../../kubernetes/api.ts";
import { connectKubernetes, type KubernetesConnection } from "../../kubernetes/connect.ts";
import type { KnownPod } from "../live-pods.ts";

/** A real API server with pods, their tokens, and what the mesh has seen of them. */
export class TokenCluster implements AsyncDisposable {
  readonly server: ApiServer;
  readonly #connection: KubernetesConnection;
  readonly #graph = new Graph({ onError: () => undefined });
  /** The pods that the mesh has seen: {@link see} and {@link unsee}. */
  readonly pods: Source<string, KnownPod>;
  /** What was asked of the API server over {@link api}. */
  readonly calls: string[] = [];
  readonly api: KubernetesApi;
  readonly #serviceAccounts = new Set<string>();
  #names = 0;

  private constructor(server: ApiServer, connection: KubernetesConnection) {
    this.server = server;
    this.#connection = connection;
    this.pods = this.#graph.source("pods");
    this.pods.markSynced();
    this.api = recordingApi(connection.api, this.calls);
  }

  static async start(): Promise<TokenCluster> {
    const server = await startApiServer();
    return new TokenCluster(server, await connectKubernetes({ kubeconfig: server.kubeconfig }));
  }

  /** A new pod in `default` under a service account of its own, which the mesh has not seen yet. */
  async pod(name = `web-${++this.#names}`, serviceAccount = name): Promise<{ readonly name: string; readonly uid: string }> {
    const { api } = this.#connection;
    await this.serviceAccount(serviceAccount);
    const spec = { serviceAccountName: serviceAccount, containers: [{ name: "app", image: "app" }] };
    const made = await api.create({ path: "/api/v1/namespaces/default/pods" }, { apiVersion: "v1", kind: "Pod", metadata: { name }, spec });
    return { name, uid: (made as { readonly metadata: { readonly uid: string } }).metadata.uid };
  }

  async serviceAccount(name: string): Promise<void> {
    if (this.#serviceAccounts.has(name)) return;
    const object = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name } };
    await this.#connection.api.create({ path: "/api/v1/namespaces/default/serviceaccounts" }, object);
    this.#serviceAccounts.add(name);
  }

  async removeServiceAccount(name: string): Promise<void> {
    await this.#connection.api.delete({ path: `/api/v1/namespaces/default/serviceaccounts/${name}` });
    this.#serviceAccounts.delete(name);
  }

  hasServiceAccount(namespace: string, name: string): boolean {
    return namespace === "default" && this.#serviceAccounts.has(name);
  }

  async removePod(name: string): Promise<void> {
    await this.#connection.api.delete({ path: `/api/v1/namespaces/default/pods/${name}`, query: { gracePeriodSeconds: "0" } });
  }

  /** The mesh's watch tells of a pod. */
  see({ name, uid }: { readonly name: string; readonly uid: string }, serviceAccount = name): void {
    this.pods.set(`default/${name}`, { uid, serviceAccount });
    this.#graph.tick();
  }

  /** The mesh's watch tells that a pod is gone. */
  unsee(name: string): void {
    this.pods.delete(`default/${name}`);
    this.#graph.tick();
  }

  /** What the kubelet would project into a pod; without one, a token of the service account alone. */
  async token(serviceAccount: string, pod?: { readonly name: string; readonly uid: string }, audience = "seawall"): Promise<string> {
    const bound = pod === undefined ? {} : { boundObjectRef: { kind: "Pod", apiVersion: "v1", ...pod } };
    const answer = await this.#connection.api.create(
      { path: `/api/v1/namespaces/default/serviceaccounts/${serviceAccount}/token` },
      { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { audiences: [audience], expirationSeconds: 3600, ...bound } },
    );
    return (answer as { readonly status: { readonly token: string } }).status.token;
  }

  /** A token like another with some claims different, which the API server's own key signs, or `key`. */
  async resigned(token: string, claims: JWTPayload, key?: KeyObject): Promise<string> {
    const signing = key ?? createPrivateKey(await readFile(this.#keyFile, "utf8"));
    const { kid } = decodeProtectedHeader(token);
    return new SignJWT({ ...decodeJwt(token), ...claims })
      .setProtectedHeader({ alg: "RS256", ...(kid === undefined ? {} : { kid }) })
      .sign(signing);
  }

  /** The API server signs with another key from now on, and accepts no token of the old one. */
  async changeKey(): Promise<void> {
    await writeFile(this.#keyFile, foreignKey().export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    await this.server.restart();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.close();
    await this.server.stop();
  }

  get #keyFile(): string {
    return join(dirname(this.server.kubeconfig), "service-account.pem");
  }
}

/** A key that no API server has. */
export function foreignKey(): KeyObject {
  return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
}
