/** Replicas that share one Secret of a real API server. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import { X509Certificate } from "node:crypto";
import type { CertificateAuthority, IssuedCertificate } from "../../ca/authority.ts";
import { type Clock, DAY, MINUTE, SECOND, systemClock } from "../../ca/clock.ts";
import { LeafSecrets, LEAF_SECRET_NAME } from "../../ca/leaf-secrets.ts";
import { StateError } from "../../ca/state-error.ts";
import { FakeClock } from "../../ca/testing/fake-clock.ts";
import { verdict } from "../../ca/testing/openssl.ts";
import { type ApiServer, startApiServer } from "../../e2e/cluster/api-server.ts";
import { eventually, until } from "../../e2e/support/eventually.ts";
import type { KubernetesApi } from "../kubernetes/api.ts";
import { connectKubernetes, type KubernetesConnection } from "../kubernetes/connect.ts";
import { CA_SECRET } from "./ca-secret.ts";
import { type CaSecretState, type ClusterAuthority, type ClusterAuthorityOptions, openClusterAuthority } from "./cluster-authority.ts";
import type { StoredObject } from "./stored-object.ts";
import { Election } from "./testing/election.ts";
import { recordingApi } from "./testing/recording-api.ts";
import { trustConfigMap, trustData } from "./trust-config-map.ts";

const WEB = { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" };

let server: ApiServer;
let connection: KubernetesConnection;
let api: KubernetesApi;
let namespaces = 0;
const open: ClusterAuthority[] = [];

beforeAll(async () => {
  server = await startApiServer();
  connection = await connectKubernetes({ kubeconfig: server.kubeconfig });
  ({ api } = connection);
});
afterEach(() => {
  for (const replica of open.splice(0)) replica.close();
});
afterAll(async () => {
  connection.close();
  await server.stop();
});

async function newNamespace(): Promise<string> {
  const name = `mesh-${++namespaces}`;
  await api.create({ path: "/api/v1/namespaces" }, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  return name;
}

interface Replica extends ClusterAuthority {
  readonly election: Election;
  readonly log: readonly string[];
  readonly states: readonly CaSecretState[];
  /** What it changed after its start. */
  readonly writes: () => readonly string[];
}

async function replica(namespace: string, options: Partial<ClusterAuthorityOptions> & { leading?: boolean } = {}): Promise<Replica> {
  const election = new Election(options.leading ?? false);
  const log: string[] = [];
  const states: CaSecretState[] = [];
  const calls: string[] = [];
  const opened = await openClusterAuthority({
    ...{ api: recordingApi(api, calls), namespace, trustDomain: "cluster.local", leadership: election },
    log: (level, line) => log.push(`${level}: ${line}`),
    onSecretState: (state) => states.push(state),
    ...options,
  });
  open.push(opened);
  calls.length = 0;
  return Object.assign(opened, { election, log, states, writes: () => calls.filter((call) => !/^(get|watch) /.test(call)) });
}

const collectionOf = (namespace: string): string => `/api/v1/namespaces/${namespace}/secrets`;
const pathOf = (namespace: string): string => `${collectionOf(namespace)}/${CA_SECRET}`;

function secretOf(namespace: string): Promise<StoredObject | undefined> {
  return api.get({ path: pathOf(namespace) }).then(
    (object) => object as StoredObject,
    () => undefined,
  );
}

async function overwrite(namespace: string, data: Readonly<Record<string, string>>): Promise<void> {
  await api.replace({ path: pathOf(namespace) }, { apiVersion: "v1", kind: "Secret", metadata: { name: CA_SECRET, namespace }, data });
}

function intermediateOf({ chainPem }: IssuedCertificate): string {
  return chainPem.slice(chainPem.lastIndexOf("-----BEGIN"));
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** What a sidecar of `web` is sent by a replica, which it tells the version that it has. */
function subscribe(
  { authority, versions }: ClusterAuthority,
  knownVersion: string | undefined,
  clock: Clock = systemClock,
): { readonly sent: readonly string[] } {
  const sent: string[] = [];
  const leaves = new LeafSecrets<string>({
    ...{ authority, versions, clock },
    identityOf: () => WEB,
    encodeSecret: ({ version }) => version,
    onFailure: (_subscriber, failure) => {
      throw failure;
    },
  });
  leaves.open("shop/web-1", LEAF_SECRET_NAME, knownVersion, (version) => sent.push(version));
  leaves.close();
  return { sent };
}

describe("replicas of the control plane", () => {
  it("that start at once in an empty cluster share one root, one intermediate and one key of versions", async () => {
    const namespace = await newNamespace();
    const replicas = await Promise.all(Array.from({ length: 6 }, () => replica(namespace)));
    const issued = replicas.map(({ authority }) => authority.issue(WEB));
    expect(new Set(replicas.map(({ authority }) => authority.trust.pem)).size).toBe(1);
    expect(new Set(issued.map(intermediateOf)).size).toBe(1);
    const [first, ...others] = replicas.map(({ versions, authority }) => versions.write(issued[0]!, authority.generation));
    expect(new Set(others)).toEqual(new Set([first]));
    for (const { chainPem } of issued) expect(verdict(chainPem, replicas[0]!.authority.trust.pem, "sslserver", Date.now())).toBe("OK");
  });

  it("send nothing to a sidecar that comes over from another one with a certificate that is still good", async () => {
    const namespace = await newNamespace();
    const [one, other] = [await replica(namespace), await replica(namespace)];
    const [version] = subscribe(one, undefined).sent;
    expect(subscribe(other, version).sent).toEqual([]);
    expect(subscribe(other, `${version!.slice(0, -1)}${version!.endsWith("A") ? "B" : "A"}`).sent).toHaveLength(1);
  });

  it("know after a restart of all of them what sidecars have", async () => {
    const namespace = await newNamespace();
    const before = await replica(namespace);
    const [version] = subscribe(before, undefined).sent;
    before.close();
    const after = await replica(namespace);
    expect(after.authority.trust).toEqual(before.authority.trust);
    expect(subscribe(after, version).sent).toEqual([]);
  });

  it.each([-5 * MINUTE, 5 * MINUTE])("work together although their clocks differ by %d ms", async (skew) => {
    const namespace = await newNamespace();
    const [now, there] = [Date.now(), Date.now() + skew];
    const one = await replica(namespace, { clock: new FakeClock(now) });
    const other = await replica(namespace, { clock: new FakeClock(there) });
    for (const at of [now, there]) {
      expect(verdict(one.authority.issue(WEB).chainPem, other.authority.trust.pem, "sslserver", at)).toBe("OK");
      expect(verdict(other.authority.issue(WEB).chainPem, one.authority.trust.pem, "sslclient", at)).toBe("OK");
    }
    const [version] = subscribe(one, undefined, new FakeClock(now)).sent;
    expect(subscribe(other, version, new FakeClock(there)).sent).toEqual([]);
  });

  it("start once the API server is there", async () => {
    const namespace = await newNamespace();
    await server.kill();
    const log: string[] = [];
    const starting = replica(namespace, { log: (_level, line) => log.push(line) });
    await until("it says that it waits", () => log.some((line) => line.includes("waits for the API server")));
    await server.start();
    expect((await starting).secretState).toBe("in-use");
  });

  it("say so when they may not write the Secret, instead of waiting for ever", async () => {
    await expect(replica("no-such-namespace")).rejects.toMatchObject({ status: 404 });
  });
});

describe("a Secret that is deleted while the control plane runs", () => {
  it("is put back by the leader with the same root", async () => {
    const namespace = await newNamespace();
    const leader = await replica(namespace, { leading: true });
    const before = (await secretOf(namespace))!;
    await api.delete({ path: pathOf(namespace) });
    const after = await eventually("the Secret is put back", () => secretOf(namespace));
    expect(after.data).toEqual(before.data);
    await until("the leader has seen both", () => leader.states.at(-1) === "in-use" && leader.states.includes("missing"));
    expect(leader.log.filter((line) => line.startsWith("error: ")).join()).toContain(`the Secret ${namespace}/${CA_SECRET} is gone`);
  });

  it("stops nobody who does not lead from issuing, and is put back by whoever leads next", async () => {
    const namespace = await newNamespace();
    const [one, other] = [await replica(namespace), await replica(namespace)];
    await api.delete({ path: pathOf(namespace) });
    await until("both miss it", () => one.secretState === "missing" && other.secretState === "missing");
    expect(verdict(one.authority.issue(WEB).chainPem, other.authority.trust.pem, "sslclient", Date.now())).toBe("OK");
    expect(await secretOf(namespace)).toBeUndefined();
    other.election.decide(true);
    await until("it is put back", () => one.secretState === "in-use");
    expect([one.writes(), other.writes()]).toEqual([[], [`create ${collectionOf(namespace)}`]]);
    expect((await replica(namespace)).authority.trust).toEqual(one.authority.trust);
  });

  it("is waited for by a replica that starts meanwhile: it makes no other identity", async () => {
    const namespace = await newNamespace();
    const running = await replica(namespace);
    await api.create(
      { path: `/api/v1/namespaces/${namespace}/configmaps` },
      trustConfigMap(namespace, trustData(running.authority.trust.pem)),
    );
    await api.delete({ path: pathOf(namespace) });
    const log: string[] = [];
    const starting = replica(namespace, { log: (_level, line) => log.push(line) });
    await until("it says that it waits", () => log.some((line) => line.includes("waiting for a running control plane")));
    running.election.decide(true);
    expect((await starting).authority.trust).toEqual(running.authority.trust);
  });

  it("keeps a start from going on when nobody puts it back, and the message says what to do", async () => {
    const namespace = await newNamespace();
    const running = await replica(namespace);
    await api.create(
      { path: `/api/v1/namespaces/${namespace}/configmaps` },
      trustConfigMap(namespace, trustData(running.authority.trust.pem)),
    );
    await api.delete({ path: pathOf(namespace) });
    const refusal = replica(namespace, { patience: 0 });
    await expect(refusal).rejects.toMatchObject({ name: "StateError", code: "StateMissing" });
    await expect(refusal).rejects.toThrow(
      /is missing, while the ConfigMap .*seawall-trust shows .* Restore the Secret from a backup, or scale/,
    );
  });
});

describe("a Secret that cannot be used", () => {
  it.each<[string, (good: Readonly<Record<string, string>>) => Record<string, string>, string, string]>([
    ["is empty", () => ({}), "StateCorrupt", "does not hold root.pem"],
    ["has lost its root", ({ "intermediate.pem": kept }) => ({ "intermediate.pem": kept! }), "StateCorrupt", "does not hold root.pem"],
    [
      "holds no certificate",
      (good) => ({ ...good, "root.pem": base64("secret nonsense") }),
      "StateCorrupt",
      "(root.pem) does not hold a certificate",
    ],
    [
      "holds no base64url key",
      (good) => ({ ...good, "leaf-version.key": base64("short\n") }),
      "StateCorrupt",
      "(leaf-version.key) does not hold 32",
    ],
    [
      "has a root for intermediate",
      (good) => ({ ...good, "intermediate.pem": good["root.pem"]! }),
      "StateCorrupt",
      "(intermediate.pem) does not hold",
    ],
  ])("because it %s refuses the start", async (_what, spoil, code, problem) => {
    const namespace = await newNamespace();
    (await replica(namespace)).close();
    const good = (await secretOf(namespace))!.data!;
    const bad = spoil(good);
    await overwrite(namespace, bad);
    const failure: unknown = await replica(namespace, { leading: true }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StateError);
    expect(failure).toMatchObject({ code, message: expect.stringContaining(problem) });
    const { message } = failure as StateError;
    expect(message).toContain(`Secret ${namespace}/${CA_SECRET}`);
    expect(message).toContain("Restore the Secret from a backup");
    expect(message).not.toMatch(/PRIVATE KEY|nonsense/);
    expect((await secretOf(namespace))?.data ?? {}).toEqual(bad);
  });

  it("because it is of another trust domain refuses the start", async () => {
    const namespace = await newNamespace();
    (await replica(namespace)).close();
    await expect(replica(namespace, { trustDomain: "elsewhere" })).rejects.toMatchObject({ code: "StateTrustDomainMismatch" });
  });

  it("disturbs nobody who runs, is not written over, and is followed again once it is restored", async () => {
    const namespace = await newNamespace();
    const leader = await replica(namespace, { leading: true });
    const good = (await secretOf(namespace))!.data!;
    const { trust } = leader.authority;
    await overwrite(namespace, { ...good, "root.pem": base64("nonsense") });
    await until("the Secret is found unusable", () => leader.secretState === "unusable");
    expect(leader.authority.trust).toEqual(trust);
    expect(verdict(leader.authority.issue(WEB).chainPem, trust.pem, "sslserver", Date.now())).toBe("OK");
    expect((await secretOf(namespace))!.data!["root.pem"]).toBe(base64("nonsense"));
    await overwrite(namespace, good);
    await until("the Secret is followed again", () => leader.secretState === "in-use");
  });

  it("because it is of another mesh is not taken over by who runs", async () => {
    const [namespace, elsewhere] = [await newNamespace(), await newNamespace()];
    const leader = await replica(namespace, { leading: true });
    await replica(elsewhere);
    const { trust } = leader.authority;
    await overwrite(namespace, (await secretOf(elsewhere))!.data!);
    await until("the Secret is found unusable", () => leader.secretState === "unusable");
    expect(leader.authority.trust).toEqual(trust);
    expect(leader.log.join()).toContain("another mesh identity");
  });
});

describe("the intermediate", () => {
  const soon = (authority: CertificateAuthority): number => Math.max(0, authority.renewalDue - 1);

  it("is renewed by the leader alone, and the others follow without a restart", async () => {
    const namespace = await newNamespace();
    const clock = new FakeClock(Date.now());
    const [leader, follower] = [await replica(namespace, { clock }), await replica(namespace, { clock })];
    const before = intermediateOf(follower.authority.issue(WEB));
    const root = follower.authority.trust;
    const due = soon(leader.authority);
    clock.skip(due - clock.now() + DAY);
    clock.advance(SECOND);
    expect(intermediateOf(leader.authority.issue(WEB))).toBe(before);
    leader.election.decide(true);
    const after = await eventually("the follower issues from another intermediate", () => {
      clock.advance(SECOND);
      const now = intermediateOf(follower.authority.issue(WEB));
      return now === before ? undefined : now;
    });
    await until("the leader issues from it too", () => {
      clock.advance(SECOND);
      return intermediateOf(leader.authority.issue(WEB)) === after;
    });
    expect(follower.authority.trust).toEqual(root);
    expect([leader.writes(), follower.writes()]).toEqual([[`replace ${pathOf(namespace)}`], []]);
    expect(new X509Certificate(after).validToDate.getTime()).toBeGreaterThan(new X509Certificate(before).validToDate.getTime());
  });

  it("is not renewed in a Secret that has become another mesh's", async () => {
    const [namespace, elsewhere] = [await newNamespace(), await newNamespace()];
    const clock = new FakeClock(Date.now());
    const leader = await replica(namespace, { clock });
    await replica(elsewhere);
    const foreign = (await secretOf(elsewhere))!.data!;
    await overwrite(namespace, foreign);
    await until("the Secret is found unusable", () => leader.secretState === "unusable");
    clock.skip(leader.authority.renewalDue - clock.now() + DAY);
    leader.election.decide(true);
    await until("the leader gives up", () => {
      clock.advance(SECOND);
      return leader.log.some((line) => line.includes("could not be brought up to date"));
    });
    expect((await secretOf(namespace))!.data).toEqual(foreign);
  });

  it("is made again where it was removed", async () => {
    const namespace = await newNamespace();
    (await replica(namespace)).close();
    const { "intermediate.pem": removed, ...kept } = (await secretOf(namespace))!.data!;
    await overwrite(namespace, kept);
    const again = await replica(namespace);
    expect(base64(intermediateOf(again.authority.issue(WEB)))).not.toBe(removed);
    expect((await secretOf(namespace))!.data!["root.pem"]).toBe(kept["root.pem"]);
  });
});
