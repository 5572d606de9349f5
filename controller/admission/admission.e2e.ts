/** The webhooks as a real API server calls them, with kubectl at the other end. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parse, stringify } from "yaml";
import type { CertificateAuthority } from "../../ca/authority.ts";
import { KINDS } from "../../crds/kinds.ts";
import { type ApiServer, startApiServer } from "../../e2e/cluster/api-server.ts";
import { clusterProgram } from "../../tools/cluster/fetch-cluster-tools.ts";
import { Election } from "../cluster-state/testing/election.ts";
import { until } from "../../e2e/support/eventually.ts";
import { SETTINGS } from "../injector/testing/settings.ts";
import { connectKubernetes, type KubernetesConnection } from "../kubernetes/connect.ts";
import { injectRequest } from "./inject-request.ts";
import { type AdmissionServer, startAdmissionServer } from "./server.ts";
import { newAuthority, webhookCertificate } from "./testing/certificates.ts";
import { NOTHING_KNOWN } from "./testing/reviews.ts";
import { validateRequest } from "./validate-request.ts";
import { WebhookTrust } from "./webhook-trust.ts";

const DEFINITIONS = join(import.meta.dirname, "..", "..", "helm", "files", "crds");

let apiServer: ApiServer;
let connection: KubernetesConnection;
let authority: CertificateAuthority;
let webhooks: AdmissionServer;
let trust: WebhookTrust;

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The webhooks answer from this process, so it must not stand still meanwhile. */
async function kubectl(args: readonly string[], input?: object): Promise<Ran> {
  const child = spawn(clusterProgram("kubectl"), ["--kubeconfig", apiServer.kubeconfig, ...args]);
  // Who needs no input may have ended before it comes.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input === undefined ? "" : stringify(input));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [stdout, stderr, status] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { status, stdout, stderr };
}

/** As the chart registers them, but for the address. */
function registrations(port: number): readonly object[] {
  const client = (path: string): object => ({ clientConfig: { url: `https://localhost:${port}${path}` } });
  const common = { admissionReviewVersions: ["v1"], sideEffects: "None", failurePolicy: "Fail", timeoutSeconds: 10 };
  const registration = (kind: string, webhook: object): object => ({
    apiVersion: "admissionregistration.k8s.io/v1",
    kind,
    metadata: { name: "seawall" },
    webhooks: [{ ...common, ...webhook }],
  });
  return [
    registration("ValidatingWebhookConfiguration", {
      name: "policies.seawall.dev",
      ...client("/validate"),
      rules: [{ apiGroups: ["seawall.dev"], apiVersions: ["*"], operations: ["CREATE", "UPDATE"], resources: ["*"] }],
    }),
    registration("MutatingWebhookConfiguration", {
      name: "injection.seawall.dev",
      ...client("/inject"),
      namespaceSelector: { matchLabels: { "seawall.dev/injection": "enabled" } },
      objectSelector: { matchExpressions: [{ key: "seawall.dev/inject", operator: "NotIn", values: ["false"] }] },
      rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
    }),
  ];
}

beforeAll(async () => {
  apiServer = await startApiServer();
  connection = await connectKubernetes({ kubeconfig: apiServer.kubeconfig });
  authority = newAuthority();
  webhooks = await startAdmissionServer({
    host: "127.0.0.1",
    port: 0,
    certificate: webhookCertificate(authority),
    webhooks: {
      "/validate": (request) => validateRequest(request, KINDS, NOTHING_KNOWN),
      "/inject": (request) => injectRequest(request, SETTINGS),
    },
    log: (line) => console.error(line),
  });
  expect((await kubectl(["apply", "--server-side", "-f", DEFINITIONS])).stderr).toBe("");
  for (const name of ["shop", "elsewhere"]) {
    const labels = name === "shop" ? { "seawall.dev/injection": "enabled" } : {};
    await kubectl(["create", "-f", "-"], { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
  }
  for (const registration of registrations(webhooks.port)) await kubectl(["create", "-f", "-"], registration);
  trust = new WebhookTrust({
    ...{ api: connection.api, authority, leadership: new Election(true) },
    log: (_level, line) => console.error(line),
  });
  await until("the webhooks are trusted", async () => (await createPod("shop", "trusted")).status === 0);
});
afterAll(async () => {
  trust.close();
  connection.close();
  await webhooks.close();
  await apiServer.stop();
});

function pod(name: string, spec: object = {}, metadata: object = {}): object {
  const container = { name: "app", image: "shop/app", ports: [{ containerPort: 8080 }], readinessProbe: { httpGet: { port: 8080 } } };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, ...metadata },
    spec: { serviceAccountName: "default", containers: [container], ...spec },
  };
}

function createPod(namespace: string, name: string, spec: object = {}, metadata: object = {}): Promise<Ran> {
  return kubectl(["create", "-n", namespace, "-f", "-", "-o", "yaml"], pod(name, spec, metadata));
}

interface StoredPod {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly initContainers?: readonly { readonly name: string; readonly restartPolicy?: string }[];
    readonly containers: readonly { readonly readinessProbe?: { readonly httpGet?: object } }[];
  };
}

describe("a pod in a namespace of the mesh", () => {
  it("gets its sidecar, in a form that the API server takes", async () => {
    const { stdout, stderr } = await createPod("shop", "web", { initContainers: [{ name: "migrate", image: "shop/migrate" }] });
    expect(stderr).toBe("");
    const { metadata, spec } = parse(stdout) as StoredPod;
    expect(metadata.annotations).toMatchObject({ "seawall.dev/injected": "0.1.0" });
    expect(spec.initContainers?.map(({ name }) => name)).toEqual(["seawall-redirect", "seawall-proxy", "migrate"]);
    expect(spec.containers[0]?.readinessProbe?.httpGet).toEqual({ path: "/app/readyz", port: 15020, scheme: "HTTP" });
  });

  it.each([
    ["says so in a label", {}, { labels: { "seawall.dev/inject": "false" } }, ""],
    ["says so in an annotation", {}, { annotations: { "seawall.dev/inject": "false" } }, ""],
    ["uses the node's network", { hostNetwork: true }, {}, "Warning: Seawall: pod"],
  ])("has none when it %s", async (what, spec, metadata, warning) => {
    const { stdout, stderr } = await createPod("shop", `without-${what.length}`, spec, metadata);
    expect((parse(stdout) as StoredPod).spec.initContainers).toBeUndefined();
    expect(stderr.startsWith(warning)).toBe(true);
  });

  it("is refused, with all reasons, when its sidecar could not do its work", async () => {
    const container = { name: "seawall-proxy", image: "other", securityContext: { runAsUser: 1337 } };
    const { status, stderr } = await createPod("shop", "mistaken", { containers: [container] });
    expect(status).not.toBe(0);
    expect(stderr).toContain("Seawall adds a container named seawall-proxy: rename yours");
    expect(stderr).toContain("user 1337 is the sidecar's");
    expect(stderr).toContain('seawall.dev/inject: "false"');
  });

  it("is not made by a dry run, which shows it nevertheless", async () => {
    const dry = await kubectl(["create", "-n", "shop", "--dry-run=server", "-f", "-", "-o", "yaml"], pod("dry"));
    expect((parse(dry.stdout) as StoredPod).spec.initContainers).toHaveLength(2);
    expect((await kubectl(["get", "pod", "-n", "shop", "dry"])).status).not.toBe(0);
  });
});

describe("a pod elsewhere", () => {
  it("is left alone", async () => {
    const { stdout } = await createPod("elsewhere", "web");
    expect((parse(stdout) as StoredPod).spec.initContainers).toBeUndefined();
  });
});

function policy(spec: object): object {
  const target = { targetRefs: [{ kind: "Namespace" }] };
  return {
    apiVersion: "seawall.dev/v1alpha1",
    kind: "AccessPolicy",
    metadata: { name: "p", namespace: "shop" },
    spec: { ...target, ...spec },
  };
}

describe("a policy", () => {
  it("is refused for what only Seawall can tell, with every mistake", async () => {
    const rules = [{ name: "a", to: [{ methods: ["get"], paths: ["orders"] }] }];
    const { status, stderr } = await kubectl(["create", "-f", "-"], policy({ action: "Allow", rules }));
    expect(status).not.toBe(0);
    expect(stderr).toContain("spec.rules[0].to[0].methods[0]");
    expect(stderr).toContain("spec.rules[0].to[0].paths[0]");
  });

  it("is taken with a word about its risk", async () => {
    const { status, stderr } = await kubectl(
      ["create", "--dry-run=server", "-f", "-"],
      policy({ action: "Allow", rules: [{ name: "all" }] }),
    );
    expect(stderr).toContain("Warning: spec.rules[0]: allows every request of anyone");
    expect(status).toBe(0);
  });
});

describe("the webhooks' trust", () => {
  const injection = "mutatingwebhookconfiguration";
  const read = async (path: string): Promise<string> =>
    (await kubectl(["get", injection, "seawall", "-o", `jsonpath={${path}}`, "--ignore-not-found"])).stdout;
  const bundle = async (): Promise<string> => Buffer.from(await read(".webhooks[0].clientConfig.caBundle"), "base64").toString("utf8");
  const version = (): Promise<string> => read(".metadata.resourceVersion");
  const replaceRegistration = async (): Promise<void> => {
    expect((await kubectl(["replace", "--force", "-f", "-"], registrations(webhooks.port)[1])).status).toBe(0);
    expect(await bundle()).toBe("");
  };

  /** Another replica, which may have heard of other roots than this one's. */
  const replicas: WebhookTrust[] = [];
  function replica(leading: boolean, pem = authority.trust.pem): WebhookTrust {
    const made = new WebhookTrust({
      api: connection.api,
      authority: { trust: { pem, version: "" }, onChange: () => () => undefined },
      leadership: new Election(leading),
      log: (_level, line) => console.error(line),
    });
    replicas.push(made);
    return made;
  }
  beforeEach(() => trust.close());
  afterEach(() => {
    for (const one of replicas.splice(0)) one.close();
  });

  it("is there before a replica is ready, though none leads yet", async () => {
    await replaceRegistration();
    expect((await createPod("shop", "fails-closed")).stderr).toContain("failed calling webhook");
    await Promise.all([replica(false).looked, replica(false).looked]);
    expect(await bundle()).toBe(authority.trust.pem);
    await until("the webhooks are trusted again", async () => (await createPod("shop", "again")).status === 0);
  });

  it("is brought to a registration that comes later", async () => {
    await kubectl(["delete", injection, "seawall"]);
    await replica(false).looked;
    await kubectl(["create", "-f", "-"], registrations(webhooks.port)[1]);
    await until("the registration has the bundle", async () => (await bundle()) === authority.trust.pem);
  });

  it("is changed by the leader alone while the root is rotated, and by nobody who would say the same", async () => {
    const both = authority.trust.pem + newAuthority().trust.pem;
    await replica(true, both).looked;
    expect(await bundle()).toBe(both);
    const before = await version();
    await Promise.all([replica(false).looked, replica(false, both).looked, replica(true, both).looked]);
    expect(await version()).toBe(before);
    await replica(true).looked;
    expect(await bundle()).toBe(authority.trust.pem);
    await replica(false, both).looked;
    expect(await bundle()).toBe(authority.trust.pem);
  });

  it("takes the place of another mesh's", async () => {
    await replica(true, newAuthority().trust.pem).looked;
    await replica(false).looked;
    expect(await bundle()).toBe(authority.trust.pem);
  });
});

describe("webhooks that do not answer", () => {
  it("let no pod of the mesh and no policy pass, and stop nothing else", async () => {
    await webhooks.close();
    expect((await createPod("shop", "closed")).stderr).toContain("failed calling webhook");
    expect((await kubectl(["create", "-f", "-"], policy({ action: "Allow" }))).stderr).toContain("failed calling webhook");
    expect((await createPod("elsewhere", "open")).status).toBe(0);
  });
});
