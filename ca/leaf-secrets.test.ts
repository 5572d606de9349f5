import { createPrivateKey, X509Certificate } from "node:crypto";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { EncodedResource, PrivateResources, StreamAuthenticator } from "../xds-server/delta/feed.ts";
import { CertificateAuthority } from "./authority.ts";
import { CertificateError } from "./certificate-error.ts";
import { DAY, HOUR, MINUTE, SECOND } from "./clock.ts";
import { LeafSecrets, type SecretContent } from "./leaf-secrets.ts";
import { LeafVersions } from "./leaf-version.ts";
import { type Randomness, systemRandomness } from "./randomness.ts";
import { ServingCertificate } from "./serving-certificate.ts";
import type { Identity } from "./spiffe.ts";
import { StateFolder } from "./state-folder.ts";
import { FakeClock } from "./testing/fake-clock.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import type { TokenAuthenticator } from "./token-authenticator.ts";

/** Neither layer imports the other; the compiler holds here that they fit. */
type Fits<Ours extends Theirs, Theirs> = Ours;
export type SecretsFit = Fits<LeafSecrets<EncodedResource>, PrivateResources>;
export type AuthenticatorFits = Fits<TokenAuthenticator, StreamAuthenticator>;

/** Serials are random, jitter is what a test says. */
class ChosenJitter implements Randomness {
  value = 0.5;
  readonly bytes = systemRandomness.bytes.bind(systemRandomness);

  fraction(): number {
    return this.value;
  }
}

const web: Identity = { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" };
const orders: Identity = { ...web, serviceAccount: "orders" };

let folder: ReturnType<typeof temporaryFolder>;
let clock: FakeClock;
let randomness: ChosenJitter;
let identities: Map<string, Identity>;
let failures: [string, unknown][];

beforeEach(() => {
  folder = temporaryFolder();
  clock = new FakeClock();
  randomness = new ChosenJitter();
  identities = new Map([
    ["shop/web-1", web],
    ["shop/web-2", web],
    ["shop/orders-1", orders],
  ]);
  failures = [];
});
afterEach(() => folder[Symbol.dispose]());

interface ControlPlane {
  readonly authority: CertificateAuthority;
  readonly secrets: LeafSecrets<SecretContent>;
}

/** A control plane on the state folder; called again it is one that was restarted. */
function start(leafLifetime = DAY, path = folder.path): ControlPlane {
  const state = StateFolder.open(path, "write");
  const authority = new CertificateAuthority({ store: state, trustDomain: "cluster.local", leafLifetime, clock, randomness });
  const secrets = new LeafSecrets({
    authority,
    versions: LeafVersions.open(state, (count) => randomness.bytes(count)),
    identityOf: (subscriber) => identities.get(subscriber),
    encodeSecret: (secret) => secret,
    onFailure: (subscriber, failure) => failures.push([subscriber, failure]),
    clock,
    randomness,
  });
  return { authority, secrets };
}

function subscribe(
  { secrets }: ControlPlane,
  subscriber: string,
  knownVersion?: string,
): { readonly received: SecretContent[]; readonly close: () => void } {
  const received: SecretContent[] = [];
  const { close } = secrets.open(subscriber, "identity", knownVersion, (secret) => received.push(secret));
  return { received, close };
}

function identityIn({ certificatePem }: SecretContent): string | undefined {
  return new X509Certificate(certificatePem).subjectAltName;
}

describe("a sidecar's certificate", () => {
  it("comes at once, under the name asked for, with the key that belongs to it", () => {
    const { received } = subscribe(start(), "shop/web-1");
    expect(received).toHaveLength(1);
    const [secret] = received;
    expect(secret!.name).toBe("identity");
    expect(identityIn(secret!)).toBe("URI:spiffe://cluster.local/ns/shop/sa/web");
    expect(new X509Certificate(secret!.certificatePem).checkPrivateKey(createPrivateKey(secret!.keyPem))).toBe(true);
  });

  it("is asked for under one name only", () => {
    const { secrets } = start();
    expect(["identity", "trust", "", "Identity"].map((name) => secrets.handles(name))).toEqual([true, false, false, false]);
  });

  it("is another one, with another key, for every pod of a service account", () => {
    const plane = start();
    const [one, other] = ["shop/web-1", "shop/web-2"].map((pod) => subscribe(plane, pod).received[0]!);
    expect(identityIn(one!)).toBe(identityIn(other!));
    expect(one!.keyPem).not.toBe(other!.keyPem);
    expect(one!.version).not.toBe(other!.version);
  });

  it("is reported by its serial and dates, which are those of the certificate, and without its key", () => {
    const plane = start();
    const { received } = subscribe(plane, "shop/web-1");
    const certificate = new X509Certificate(received[0]!.certificatePem);
    const report = plane.secrets.certificateOf("shop/web-1");
    expect(report).toEqual({
      spiffeId: "spiffe://cluster.local/ns/shop/sa/web",
      serial: certificate.serialNumber.toLowerCase(),
      notBefore: certificate.validFromDate.getTime(),
      notAfter: certificate.validToDate.getTime(),
    });
    const secret = received[0]!.keyPem.split("\n")[1]!;
    expect(inspect(plane.secrets, { depth: 9, showHidden: true }) + JSON.stringify(plane.secrets)).not.toContain(secret);
    expect(plane.secrets.certificateOf("shop/web-2")).toBeUndefined();
  });

  it.each<[number, number]>([
    [0, 0.45 * DAY],
    [0.5, 0.5 * DAY],
    [0.999_999, 0.55 * DAY],
  ])("is replaced at half its life, up to a tenth of that earlier or later (jitter %f)", (fraction, due) => {
    randomness.value = fraction;
    const { received } = subscribe(start(), "shop/web-1");
    clock.advance(due - 2 * SECOND);
    expect(received).toHaveLength(1);
    clock.advance(4 * SECOND);
    expect(received).toHaveLength(2);
    expect(new X509Certificate(received[1]!.certificatePem).validToDate.getTime()).toBeGreaterThan(clock.now() + DAY - 5 * SECOND);
    clock.advance(due + 2 * SECOND);
    expect(received).toHaveLength(3);
  });

  it("is replaced in time even when it lives for seconds only, less than it is backdated by", () => {
    const { received } = subscribe(start(10 * SECOND), "shop/web-1");
    clock.advance(MINUTE);
    expect(received.length).toBeGreaterThanOrEqual(11);
    expect(received.length).toBeLessThanOrEqual(15);
  });

  it("is replaced no more once its stream has ended", () => {
    const plane = start();
    const { received, close } = subscribe(plane, "shop/web-1");
    close();
    clock.advance(3 * DAY);
    expect(received).toHaveLength(1);
    expect(plane.secrets.certificateOf("shop/web-1")).toBeUndefined();
    expect(clock.timers).toBe(0);
  });

  it("is one for each of two streams of the same pod, and outlives neither", () => {
    const plane = start();
    const [first, second] = [subscribe(plane, "shop/web-1"), subscribe(plane, "shop/web-1")];
    first.close();
    clock.advance(DAY);
    expect(first.received).toHaveLength(1);
    expect(second.received.length).toBeGreaterThan(1);
    expect(plane.secrets.certificateOf("shop/web-1")?.serial).toBe(
      new X509Certificate(second.received.at(-1)!.certificatePem).serialNumber.toLowerCase(),
    );
  });
});

describe("a sidecar that reconnects", () => {
  it("gets nothing while its certificate is before its half life, though the control plane was restarted, and the next one when it is due", () => {
    const first = subscribe(start(), "shop/web-1").received[0]!;
    clock.skip(0.4 * DAY);
    const restarted = start();
    const { received } = subscribe(restarted, "shop/web-1", first.version);
    expect(received).toEqual([]);
    expect(restarted.secrets.certificateOf("shop/web-1")?.serial).toBe(
      new X509Certificate(first.certificatePem).serialNumber.toLowerCase(),
    );
    expect(restarted.secrets.issued).toBe(0);
    clock.advance(0.1 * DAY + SECOND);
    expect(received).toHaveLength(1);
    expect(restarted.secrets.issued).toBe(1);
  });

  it("gets a new one at once after its half life", () => {
    const first = subscribe(start(), "shop/web-1").received[0]!;
    clock.skip(0.5 * DAY + SECOND);
    expect(subscribe(start(), "shop/web-1", first.version).received).toHaveLength(1);
  });

  it.each<[string, (version: string) => string]>([
    ["is empty", () => ""],
    ["is not one", () => "1"],
    ["claims a later end", (version) => version.replace(/^(\d+)-\d+/, `$1-${Math.floor(Date.UTC(2026, 10, 22, 11) / 1000)}`)],
    ["claims another serial", (version) => version.replace(/-[0-9a-f]{32}-/, `-${"4".repeat(32)}-`)],
    ["has another code", (version) => version.slice(0, -43) + "A".repeat(43)],
    ["is enormous", (version) => version.repeat(1000)],
  ])("gets a new one at once when its version %s", (_, change) => {
    const { version } = subscribe(start(), "shop/web-1").received[0]!;
    expect(change(version)).not.toBe(version);
    expect(subscribe(start(), "shop/web-1", change(version)).received).toHaveLength(1);
  });

  it("gets a new one at once when it is another workload now", () => {
    const { version } = subscribe(start(), "shop/web-1").received[0]!;
    identities.set("shop/web-1", orders);
    const { received } = subscribe(start(), "shop/web-1", version);
    expect(identityIn(received[0]!)).toBe("URI:spiffe://cluster.local/ns/shop/sa/orders");
  });

  it("gets a new one at once from a control plane with another state folder", () => {
    using other = temporaryFolder();
    const { version } = subscribe(start(), "shop/web-1").received[0]!;
    expect(subscribe(start(DAY, other.path), "shop/web-1", version).received).toHaveLength(1);
  });

  it("gets a new one at once when leaves have been given a shorter life since", () => {
    const { version } = subscribe(start(DAY), "shop/web-1").received[0]!;
    expect(subscribe(start(HOUR), "shop/web-1", version).received).toHaveLength(1);
  });

  it("before its identity is known gets nothing then either, if its certificate is still good", () => {
    const { version } = subscribe(start(), "shop/web-1").received[0]!;
    const restarted = start();
    identities.delete("shop/web-1");
    const { received } = subscribe(restarted, "shop/web-1", version);
    identities.set("shop/web-1", web);
    restarted.secrets.identityChanged("shop/web-1");
    expect(received).toEqual([]);
    expect(restarted.secrets.certificateOf("shop/web-1")).toBeDefined();
  });
});

describe("when a workload's identity changes", () => {
  it("a new certificate is sent at once, and none when it did not change", () => {
    const plane = start();
    const { received } = subscribe(plane, "shop/web-1");
    plane.secrets.identityChanged("shop/web-1");
    expect(received).toHaveLength(1);
    identities.set("shop/web-1", orders);
    plane.secrets.identityChanged("shop/web-1");
    expect(received.map(identityIn)).toEqual(["URI:spiffe://cluster.local/ns/shop/sa/web", "URI:spiffe://cluster.local/ns/shop/sa/orders"]);
    plane.secrets.identityChanged("shop/orders-1");
    expect(received).toHaveLength(2);
  });

  it("one that was unknown gets its certificate when it becomes known", () => {
    const plane = start();
    const { received } = subscribe(plane, "shop/late-1");
    clock.advance(DAY);
    expect(received).toEqual([]);
    identities.set("shop/late-1", web);
    plane.secrets.identityChanged("shop/late-1");
    expect(received).toHaveLength(1);
  });

  it("one that vanished is renewed no more, and goes on when it is back", () => {
    const plane = start();
    const { received } = subscribe(plane, "shop/web-1");
    identities.delete("shop/web-1");
    plane.secrets.identityChanged("shop/web-1");
    clock.advance(DAY);
    expect(received).toHaveLength(1);
    identities.set("shop/web-1", web);
    plane.secrets.identityChanged("shop/web-1");
    expect(received).toHaveLength(2);
    clock.advance(0.6 * DAY);
    expect(received).toHaveLength(3);
  });
});

describe("when no certificate can be issued", () => {
  it("says so, tries again ever more slowly, and goes on when it can", () => {
    const plane = start();
    identities.set("shop/web-1", { ...web, serviceAccount: "not valid" });
    const { received } = subscribe(plane, "shop/web-1");
    clock.advance(10 * MINUTE);
    expect(received).toEqual([]);
    expect(failures.length).toBeGreaterThan(8);
    expect(failures.length).toBeLessThan(25);
    expect(failures[0]).toEqual(["shop/web-1", expect.any(CertificateError)]);
    identities.set("shop/web-1", web);
    clock.advance(MINUTE);
    expect(received).toHaveLength(1);
  });
});

describe("when another root takes over", () => {
  it("every leaf is replaced within a minute, not all at once, and preparing it replaces none", () => {
    const plane = start();
    const streams = ["shop/web-1", "shop/web-2", "shop/orders-1"].map((pod, index) => {
      randomness.value = 0.5;
      return { ...subscribe(plane, pod), fraction: index / 3 };
    });
    plane.authority.prepareRoot();
    clock.advance(HOUR);
    const counts = () => streams.map(({ received }) => received.length);
    expect(counts()).toEqual([1, 1, 1]);
    let next = 0;
    randomness.fraction = () => streams[next++ % 3]!.fraction;
    plane.authority.activateRoot();
    clock.advance(SECOND);
    expect(counts()).toEqual([2, 1, 1]);
    clock.advance(MINUTE);
    expect(counts()).toEqual([2, 2, 2]);
    const root = new X509Certificate(plane.authority.trust.pem);
    for (const { received } of streams) {
      const [, intermediate] = received[1]!.certificatePem.split(/(?<=-----END CERTIFICATE-----\n)/);
      expect(new X509Certificate(intermediate!).checkIssued(root)).toBe(true);
    }
  });

  it("a sidecar that reconnects with a leaf of the old root gets a new one at once", () => {
    const plane = start();
    const { version } = subscribe(plane, "shop/web-1").received[0]!;
    plane.authority.prepareRoot();
    expect(subscribe(start(), "shop/web-1", version).received).toEqual([]);
    plane.authority.activateRoot();
    expect(subscribe(start(), "shop/web-1", version).received).toHaveLength(1);
  });
});

describe("the control plane's own certificate", () => {
  function serve(authority: CertificateAuthority): ServingCertificate {
    return new ServingCertificate({
      ...{ authority, clock, randomness, namespace: "seawall-system", serviceAccount: "seawall" },
      dnsNames: ["localhost", "seawall.seawall-system.svc"],
      onFailure: (failure) => failures.push(["", failure]),
    });
  }

  it("has its DNS names and its one SPIFFE ID", () => {
    const { current } = serve(start().authority);
    expect(new X509Certificate(current.chainPem).subjectAltName).toBe(
      "URI:spiffe://cluster.local/ns/seawall-system/sa/seawall, DNS:localhost, DNS:seawall.seawall-system.svc",
    );
  });

  it("is replaced at half its life and when another root takes over, and tells who serves with it", () => {
    const { authority } = start();
    const serving = serve(authority);
    const served: string[] = [];
    serving.onReplaced(({ serial }) => served.push(serial));
    const first = serving.current.serial;
    clock.advance(0.5 * DAY + SECOND);
    expect(served).toEqual([serving.current.serial]);
    expect(serving.current.serial).not.toBe(first);
    authority.prepareRoot();
    expect(served).toHaveLength(1);
    authority.activateRoot();
    expect(served).toHaveLength(2);
    serving.close();
    clock.advance(3 * DAY);
    expect(served).toHaveLength(2);
    expect(clock.timers).toBe(0);
    expect(failures).toEqual([]);
  });
});
