/** Which cluster is meant, and who asks: found out without asking any server. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { stringify } from "yaml";
import { ClusterAccessError } from "./cluster-access.ts";
import { type ClusterChoice, connectKubernetes } from "./connect.ts";
import { inClusterAccess } from "./in-cluster.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "seawall-kubeconfig-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A kubeconfig of one cluster, user and context, all of one name. */
function kubeconfig(name: string, user: object = { token: `token-of-${name}` }, more: object = {}): string {
  const file = join(folder, `${name}.yaml`);
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server: `https://${name}.example:6443/` } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: `${name}-apps` } }],
    "current-context": name,
    ...more,
  };
  writeFileSync(file, stringify(config));
  return file;
}

async function access(choice: ClusterChoice): Promise<{ server: string; namespace: string; authorization: unknown }> {
  const { access, close } = await connectKubernetes({ environment: {}, ...choice });
  close();
  const { headers } = await access.credentials();
  const all = { ...headers } as Record<string, unknown>;
  return { server: access.server, namespace: access.namespace, authorization: all["authorization"] ?? all["Authorization"] };
}

async function failure(choice: ClusterChoice): Promise<string> {
  const error = await access(choice).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ClusterAccessError);
  const { code, message } = error as ClusterAccessError;
  return `${code}: ${message.replaceAll(folder, "~")}`;
}

describe("a kubeconfig", () => {
  it("that is named counts before those of the environment", async () => {
    expect(await access({ kubeconfig: kubeconfig("one"), environment: { KUBECONFIG: kubeconfig("two") } })).toEqual({
      server: "https://one.example:6443",
      namespace: "one-apps",
      authorization: "Bearer token-of-one",
    });
  });

  it("of the environment may be several, some of them missing; of equal names the first stands", async () => {
    const first = kubeconfig("one");
    const second = kubeconfig(
      "two",
      {},
      {
        users: [
          { name: "one", user: { token: "of another" } },
          { name: "two", user: { token: "2" } },
        ],
      },
    );
    const environment = { KUBECONFIG: [join(folder, "missing"), first, second].join(":") };
    expect((await access({ environment })).authorization).toBe("Bearer token-of-one");
    expect(await access({ environment, context: "two" })).toMatchObject({ server: "https://two.example:6443", authorization: "Bearer 2" });
  });

  it("stands in the home folder unless said otherwise", async () => {
    mkdirSync(join(folder, ".kube"));
    writeFileSync(join(folder, ".kube", "config"), stringify({ ...JSON.parse("{}"), clusters: [], contexts: [], users: [] }));
    expect(await failure({ environment: { HOME: folder } })).toBe(
      "ContextNotFound: ~/.kube/config has no current context: there is none in it",
    );
  });

  it("may have a program give the token", async () => {
    const status = { apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status: { token: "from a program" } };
    const exec = {
      apiVersion: "client.authentication.k8s.io/v1",
      command: "echo",
      args: [JSON.stringify(status)],
      interactiveMode: "Never",
    };
    expect((await access({ kubeconfig: kubeconfig("one", { exec }) })).authorization).toBe("Bearer from a program");
  });

  it.each<[string, (file: string) => ClusterChoice, string]>([
    [
      "that is missing",
      () => ({ kubeconfig: join(folder, "none") }),
      "KubeconfigNotFound: ~/none not found: name a kubeconfig with --kubeconfig or KUBECONFIG",
    ],
    [
      "without the context",
      (file) => ({ kubeconfig: file, context: "tow" }),
      "ContextNotFound: no context tow in ~/one.yaml: there are one",
    ],
    [
      "that is nowhere",
      () => ({ environment: { HOME: folder } }),
      "NoCluster: no cluster is configured: name a kubeconfig with --kubeconfig or KUBECONFIG (~/.kube/config does not exist)",
    ],
  ])("%s is told with what to do about it", async (_which, choice, message) => {
    expect(await failure(choice(kubeconfig("one")))).toBe(message);
  });

  it("that is none, or whose program fails, is told without a stack trace", async () => {
    writeFileSync(join(folder, "broken"), "{");
    expect(await failure({ kubeconfig: join(folder, "broken") })).toMatch(/^KubeconfigInvalid: ~\/broken is no kubeconfig: /);
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: join(folder, "no-such-program"), interactiveMode: "Never" };
    expect(await failure({ kubeconfig: kubeconfig("one", { exec }) })).toMatch(/^CredentialsUnavailable: .*ENOENT/);
    expect(await failure({ kubeconfig: kubeconfig("two", {}, { users: [] }) })).toBe(
      "KubeconfigInvalid: context two names the user two, who is not in ~/two.yaml",
    );
    expect(await failure({ kubeconfig: kubeconfig("three", {}, { clusters: [] }) })).toBe(
      "KubeconfigInvalid: context three names a cluster that is not in ~/three.yaml",
    );
  });
});

describe("a pod's service account", () => {
  const environment = { KUBERNETES_SERVICE_HOST: "2001:db8::1", KUBERNETES_SERVICE_PORT: "443" };
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);

  it("is used with the token of the moment, which kubelet replaces", async () => {
    write("token", "first\n");
    write("ca.crt", "ca");
    write("namespace", "seawall-system");
    const own = inClusterAccess(environment, folder);
    expect(own).toMatchObject({ server: "https://[2001:db8::1]:443", namespace: "seawall-system" });
    expect(await own?.credentials()).toEqual({ ca: "ca", headers: { authorization: "Bearer first" } });
    write("token", "second");
    expect(await own?.credentials()).toEqual({ ca: "ca", headers: { authorization: "Bearer second" } });
    rmSync(join(folder, "token"));
    await expect(own?.credentials()).rejects.toMatchObject({ code: "CredentialsUnavailable" });
  });

  it("is not there outside of pods, or where it is not mounted", () => {
    expect(inClusterAccess(environment, folder)).toBeUndefined();
    write("token", "first");
    expect(inClusterAccess({}, folder)).toBeUndefined();
  });
});
