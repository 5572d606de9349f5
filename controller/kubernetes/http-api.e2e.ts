/** The API as its users see it, spoken to a real API server. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { type ApiServer, startApiServer } from "../../e2e/cluster/api-server.ts";
import { type KubernetesApi, KubernetesApiError, type WatchEvent } from "./api.ts";
import { connectKubernetes, type KubernetesConnection } from "./connect.ts";
import { HttpKubernetesApi } from "./http-api.ts";
import { inClusterAccess } from "./in-cluster.ts";

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

let server: ApiServer;
let connection: KubernetesConnection;
let api: KubernetesApi;
beforeAll(async () => {
  server = await startApiServer();
  connection = await connectKubernetes({ kubeconfig: server.kubeconfig });
  api = connection.api;
});
afterAll(async () => {
  connection.close();
  await server.stop();
});

function configMap(name: string, data: Readonly<Record<string, string>> = {}): object {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data };
}

async function failure(call: Promise<unknown>): Promise<KubernetesApiError> {
  const error = await call.catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(KubernetesApiError);
  return error as KubernetesApiError;
}

describe("calls", () => {
  it("create, replace, patch, apply, read and delete", async () => {
    const path = `${CONFIG_MAPS}/whole`;
    const created = (await api.create({ path: CONFIG_MAPS }, configMap("whole", { a: "1" }))) as { metadata: { resourceVersion: string } };
    const { resourceVersion } = created.metadata;
    const replaced = { ...configMap("whole", { a: "2" }), metadata: { name: "whole", resourceVersion } };
    expect(await api.replace({ path }, replaced)).toMatchObject({ data: { a: "2" } });
    expect(await failure(api.replace({ path }, replaced))).toMatchObject({ status: 409, code: "Conflict" });
    expect(await api.patch({ path }, "application/merge-patch+json", { data: { b: "2" } })).toMatchObject({ data: { a: "2", b: "2" } });
    const operations = [{ op: "remove", path: "/data/b" }];
    expect(await api.patch({ path }, "application/json-patch+json", operations)).toMatchObject({ data: { a: "2" } });
    const query = { fieldManager: "test", force: "true" };
    const applied = await api.patch({ path, query }, "application/apply-patch+yaml", configMap("whole", { c: "ü" }));
    expect(applied).toMatchObject({ data: { c: "ü" } });
    expect(await api.get({ path })).toMatchObject({ data: { c: "ü" } });
    await api.delete({ path });
    expect(await failure(api.get({ path }))).toMatchObject({ status: 404, code: "NotFound", message: 'configmaps "whole" not found' });
  });

  it("that are refused say why, in the server's words", async () => {
    await api.create({ path: CONFIG_MAPS }, configMap("taken"));
    expect(await failure(api.create({ path: CONFIG_MAPS }, configMap("taken")))).toMatchObject({ status: 409, code: "AlreadyExists" });
    expect(await failure(api.create({ path: CONFIG_MAPS }, configMap("No Name")))).toMatchObject({ status: 422, code: "Invalid" });
    expect(await failure(api.get({ path: "/apis/nobody.example/v1/things" }))).toMatchObject({ status: 404, code: "NotFound" });
    const stranger = new HttpKubernetesApi({
      ...connection.access,
      credentials: async () => ({ ...(await connection.access.credentials()), headers: { authorization: "Bearer guessed" } }),
    });
    expect(await failure(stranger.get({ path: CONFIG_MAPS }))).toMatchObject({ status: 401, code: "Unauthorized" });
    stranger.close();
  });

  it("give text where the server does", async () => {
    expect(await api.get({ path: "/readyz" })).toBe("ok");
  });

  it("do not trust a server that somebody else vouches for", async () => {
    const { headers = {} } = await connection.access.credentials();
    const trusting = new HttpKubernetesApi({ ...connection.access, credentials: () => Promise.resolve({ headers }) });
    expect(await failure(trusting.get({ path: CONFIG_MAPS }))).toMatchObject({ status: undefined, code: "Unreachable" });
    trusting.close();
  });

  it("to a server that says nothing end", async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const access = { server: `http://127.0.0.1:${port}`, namespace: "default", credentials: () => Promise.resolve({}) };
    const patient = new HttpKubernetesApi(access, { requestTimeoutMs: 50 });
    expect(await failure(patient.get({ path: CONFIG_MAPS }))).toMatchObject({ status: undefined, code: "Unreachable" });
    expect(await failure(patient.watch({ path: CONFIG_MAPS }, () => undefined))).toMatchObject({ code: "Unreachable" });
    expect(await failure(api.get({ path: CONFIG_MAPS, signal: AbortSignal.abort() }))).toMatchObject({ code: "Unreachable" });
    patient.close();
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  it("go on over a new connection when the server has ended the old one", async () => {
    await api.get({ path: "/version" });
    await server.restart();
    expect(await api.get({ path: "/version" })).toMatchObject({ major: "1" });
  });
});

describe("a watch", () => {
  it("brings events in their order, and ends when it is told to, quietly", async () => {
    const seen: string[] = [];
    const ending = new AbortController();
    let opened: () => void = () => undefined;
    const open = new Promise<void>((resolve) => (opened = resolve));
    const onEvent = ({ type, object }: WatchEvent): void => {
      seen.push(`${type} ${(object as { metadata: { name: string } }).metadata.name}`);
      if (type === "DELETED") ending.abort();
    };
    const { metadata } = (await api.get({ path: CONFIG_MAPS })) as { metadata: { resourceVersion: string } };
    const query = { resourceVersion: metadata.resourceVersion };
    const watched = api.watch({ path: CONFIG_MAPS, query, signal: ending.signal }, onEvent, opened);
    await open;
    for (const name of ["w1", "w2"]) await api.create({ path: CONFIG_MAPS }, configMap(name));
    await api.delete({ path: `${CONFIG_MAPS}/w1` });
    await watched;
    expect(seen).toEqual(["ADDED w1", "ADDED w2", "DELETED w1"]);
  });

  it("ends when the server ends it, and breaks when the server is killed", async () => {
    await api.watch({ path: CONFIG_MAPS, query: { timeoutSeconds: "1" } }, () => undefined);
    let killed: Promise<void> | undefined;
    const onOpen = (): void => {
      killed = server.kill();
    };
    const broken = failure(api.watch({ path: CONFIG_MAPS }, () => undefined, onOpen));
    expect(await broken).toMatchObject({ status: undefined, code: "Unreachable" });
    await killed;
    await server.start();
  });

  it("of what is not there says so", async () => {
    const error = await failure(api.watch({ path: "/api/v1/nonsense" }, () => undefined));
    expect(error).toMatchObject({ status: 404, code: "NotFound" });
  });

  it("passes on what its listener throws", async () => {
    const mistake = new Error("a mistake of ours");
    const watched = api.watch({ path: "/api/v1/namespaces" }, () => {
      throw mistake;
    });
    await expect(watched).rejects.toBe(mistake);
  });
});

describe("a pod's own account", () => {
  it("speaks with the token that kubelet put there last", async () => {
    const folder = mkdtempSync(join(tmpdir(), "seawall-account-"));
    const { hostname, port } = new URL(server.url);
    const mount = (token: string): void => writeFileSync(join(folder, "token"), token);
    writeFileSync(join(folder, "ca.crt"), server.caPem);
    await api.create({ path: "/api/v1/namespaces/default/serviceaccounts" }, { metadata: { name: "mine" } });
    const tokens = "/api/v1/namespaces/default/serviceaccounts/mine/token";
    const issued = (await api.create({ path: tokens }, { spec: { expirationSeconds: 600 } })) as { status: { token: string } };
    mount(issued.status.token);
    const access = inClusterAccess({ KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port }, folder);
    if (access === undefined) throw new Error("the account is not found");
    const own = new HttpKubernetesApi(access);
    expect((await failure(own.get({ path: CONFIG_MAPS }))).message).toContain("system:serviceaccount:default:mine");
    mount(server.tokens.admin);
    expect(await own.get({ path: CONFIG_MAPS })).toMatchObject({ kind: "ConfigMapList" });
    own.close();
    rmSync(folder, { recursive: true });
  });
});
