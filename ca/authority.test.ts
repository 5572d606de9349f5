import { createPublicKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { rmSync, symlinkSync } from "node:fs";
import { type AddressInfo } from "node:net";
import { join } from "node:path";
import { connect, createServer, type PeerCertificate, type TLSSocket } from "node:tls";
import { inspect } from "node:util";
import { describe, expect, it } from "@jest/globals";
import { CertificateAuthority, type AuthorityOptions, type IssuedCertificate } from "./authority.ts";
import { certificatePem, signCertificate } from "./certificate.ts";
import { DAY, HOUR, MINUTE, SECOND } from "./clock.ts";
import { systemRandomness } from "./randomness.ts";
import { makeSigningCredential, readSigningCredential } from "./signing-credential.ts";
import type { Identity } from "./spiffe.ts";
import { StateFolder } from "./state-folder.ts";
import { FakeClock } from "./testing/fake-clock.ts";
import { textOf, verdict } from "./testing/openssl.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";

const web: Identity = { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" };
const orders: Identity = { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "orders" };

function open(path: string, clock: FakeClock, options: Partial<AuthorityOptions> = {}): CertificateAuthority {
  return new CertificateAuthority({ store: StateFolder.open(path, "write"), trustDomain: "cluster.local", clock, ...options });
}

function intermediateOf(issued: IssuedCertificate): X509Certificate {
  return new X509Certificate(/(?<=-----END CERTIFICATE-----\n)[^]+/.exec(issued.chainPem)![0]);
}

describe("a workload's certificate", () => {
  it("is accepted by openssl's strict rules as server and as client", () => {
    using folder = temporaryFolder();
    const clock = new FakeClock();
    const authority = open(folder.path, clock);
    const { chainPem } = authority.issue(web);
    expect(verdict(chainPem, authority.trust.pem, "sslserver", clock.now())).toBe("OK");
    expect(verdict(chainPem, authority.trust.pem, "sslclient", clock.now())).toBe("OK");
  });

  it("has one URI name, no subject, and the critical extensions of a leaf that is server and client", () => {
    using folder = temporaryFolder();
    const { chainPem } = open(folder.path, new FakeClock()).issue(web);
    const text = textOf(chainPem);
    expect(text).toMatch(/Subject: \n/);
    expect(text).toMatch(/Subject Alternative Name: critical\s+URI:spiffe:\/\/cluster\.local\/ns\/shop\/sa\/web\n/);
    expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
    expect(text).toMatch(/Key Usage: critical\s+Digital Signature\n/);
    expect(text).toMatch(/Extended Key Usage: \s+TLS Web Server Authentication, TLS Web Client Authentication\n/);
    expect(text).toMatch(/NIST CURVE: P-256/);
    expect(text).toMatch(/Subject Key Identifier/);
    expect(text).toMatch(/Authority Key Identifier/);
  });

  it("has a positive random serial of 128 bits", () => {
    using folder = temporaryFolder();
    const authority = open(folder.path, new FakeClock());
    const serials = Array.from({ length: 50 }, () => authority.issue(web).serial);
    expect(new Set(serials).size).toBe(50);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9a-f]{31}$/);
    const issued = authority.issue(web);
    expect(new X509Certificate(issued.chainPem).serialNumber.toLowerCase()).toBe(issued.serial);
  });

  it("starts six minutes ago and ends after its lifetime, in whole seconds", () => {
    using folder = temporaryFolder();
    const clock = new FakeClock();
    const issued = open(folder.path, clock, { leafLifetime: HOUR }).issue(web);
    const second = Math.floor(clock.now() / SECOND) * SECOND;
    expect(issued).toMatchObject({ notBefore: second - 6 * MINUTE, notAfter: second + HOUR });
    const certificate = new X509Certificate(issued.chainPem);
    expect([certificate.validFromDate.getTime(), certificate.validToDate.getTime()]).toEqual([issued.notBefore, issued.notAfter]);
  });

  it.each([-5 * MINUTE, 5 * MINUTE])("is accepted at once, under a new mesh, by a machine whose clock differs by %d ms", (skew) => {
    using folder = temporaryFolder();
    const clock = new FakeClock();
    const authority = open(folder.path, clock);
    const { chainPem } = authority.issue(web);
    expect(verdict(chainPem, authority.trust.pem, "sslserver", clock.now() + skew)).toBe("OK");
  });

  it("never outlives the chain above it, and is refused once the chain has ended", () => {
    using folder = temporaryFolder();
    const clock = new FakeClock();
    const authority = open(folder.path, clock, { leafLifetime: DAY, intermediateLifetime: 6 * DAY, rootLifetime: 6 * DAY });
    clock.advance(6 * DAY - HOUR);
    const issued = authority.issue(web);
    expect(issued.notAfter).toBe(authority.expiry.root);
    expect(issued.notAfter).toBe(authority.expiry.intermediate);
    expect(verdict(issued.chainPem, authority.trust.pem, "sslserver", clock.now())).toBe("OK");
    clock.advance(HOUR);
    expect(() => authority.issue(web)).toThrow(expect.objectContaining({ code: "ChainExpired" }));
  });

  it.each<[string, Identity]>([
    ["a slash", { ...web, serviceAccount: "web/../admin" }],
    ["a dot segment", { ...web, namespace: ".." }],
    ["an empty part", { ...web, serviceAccount: "" }],
    ["a percent sign", { ...web, namespace: "sh%6fp" }],
    ["another mesh", { ...web, trustDomain: "elsewhere" }],
    ["too long a name", { ...web, serviceAccount: "a".repeat(2048) }],
  ])("is refused for an identity with %s", (_, identity) => {
    using folder = temporaryFolder();
    expect(() => open(folder.path, new FakeClock()).issue(identity)).toThrow(expect.objectContaining({ code: "InvalidIdentity" }));
  });

  it("is refused for a DNS name that is none", () => {
    using folder = temporaryFolder();
    const authority = open(folder.path, new FakeClock());
    for (const name of ["", "UPPER", "a..b", "-a", "a b", "a\u0000b", "a".repeat(64)]) {
      expect(() => authority.issue(web, [name])).toThrow(expect.objectContaining({ code: "InvalidDnsName" }));
    }
    expect(new X509Certificate(authority.issue(web, ["localhost"]).chainPem).subjectAltName).toBe(
      "URI:spiffe://cluster.local/ns/shop/sa/web, DNS:localhost",
    );
  });

  it("shows its key to nobody who does not ask for it", () => {
    using folder = temporaryFolder();
    const authority = open(folder.path, new FakeClock());
    const issued = authority.issue(web);
    const secret = issued.key.reveal().split("\n")[1]!;
    expect(secret.length).toBeGreaterThan(40);
    for (const shown of [
      JSON.stringify(issued),
      inspect(issued, { depth: 9, showHidden: true }),
      String(issued.key),
      inspect(authority, { depth: 9, showHidden: true }),
    ]) {
      expect(shown).not.toContain(secret);
      expect(shown).not.toContain("PRIVATE KEY");
    }
    expect(JSON.stringify(issued)).toContain("[private key]");
  });
});

describe("two workloads that meet over TLS", () => {
  /** What each saw of the other, or the error that ended the handshake. */
  async function handshake(
    server: IssuedCertificate,
    client: IssuedCertificate,
    trusted: string,
  ): Promise<{ peers: string[] } | { error: string }> {
    const common = { ca: trusted, minVersion: "TLSv1.3" } as const;
    const listener = createServer({
      ...common,
      cert: server.chainPem,
      key: server.key.reveal(),
      requestCert: true,
      rejectUnauthorized: true,
    });
    const failed = new Promise<{ error: string }>((resolve) =>
      listener.once("tlsClientError", (failure: unknown) => resolve({ error: String(failure) })),
    );
    const accepted = once(listener, "secureConnection") as Promise<[TLSSocket]>;
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    const socket = connect({
      ...common,
      host: "127.0.0.1",
      port: (listener.address() as AddressInfo).port,
      cert: client.chainPem,
      key: client.key.reveal(),
      checkServerIdentity: () => undefined,
    });
    try {
      return await Promise.race([
        failed,
        new Promise<{ error: string }>((resolve) => socket.once("error", (failure: unknown) => resolve({ error: String(failure) }))),
        Promise.all([accepted, once(socket, "secureConnect")]).then(([[peer]]) => {
          const peers = [socket, peer].map((end) => (end.getPeerCertificate() as PeerCertificate | null)?.subjectaltname ?? "");
          peer.on("error", () => undefined).destroy();
          return { peers };
        }),
      ]);
    } finally {
      socket.destroy();
      listener.close();
    }
  }

  it("each see the other's SPIFFE ID", async () => {
    using folder = temporaryFolder();
    const authority = new CertificateAuthority({ store: StateFolder.open(folder.path, "write"), trustDomain: "cluster.local" });
    expect(await handshake(authority.issue(orders), authority.issue(web), authority.trust.pem)).toEqual({
      peers: ["URI:spiffe://cluster.local/ns/shop/sa/orders", "URI:spiffe://cluster.local/ns/shop/sa/web"],
    });
  });

  it("refuse each other when they are of two meshes that have the same name", async () => {
    using here = temporaryFolder();
    using there = temporaryFolder();
    const [one, other] = [here, there].map(
      ({ path }) => new CertificateAuthority({ store: StateFolder.open(path, "write"), trustDomain: "cluster.local" }),
    );
    expect(await handshake(one!.issue(orders), other!.issue(web), one!.trust.pem)).toEqual({ error: expect.any(String) });
  });
});

describe("the signing certificates", () => {
  it("may sign only what they should: the intermediate no other authority, and no name of another mesh", () => {
    using folder = temporaryFolder();
    const issued = open(folder.path, new FakeClock()).issue(web);
    const text = textOf(intermediateOf(issued).toString());
    expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0\n/);
    expect(text).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
    expect(text).toMatch(/Name Constraints: critical\s+Permitted:\s+URI:cluster\.local\n/);
    expect(text).toMatch(/Subject Alternative Name: \s+URI:spiffe:\/\/cluster\.local\n/);
  });

  it("make nothing that openssl accepts when their key signs for another mesh or for another authority", () => {
    using folder = temporaryFolder();
    const clock = new FakeClock();
    const authority = open(folder.path, clock);
    const state = StateFolder.open(folder.path, "read");
    const intermediate = readSigningCredential(state, "intermediate.pem", state.read("intermediate.pem")!, "intermediate", "cluster.local");
    const now = clock.now();
    const publicKey = createPublicKey(authority.issue(web).key.reveal()).export({ type: "spki", format: "der" });
    const common = {
      issuer: intermediate.subject,
      publicKey,
      issuerPublicKey: intermediate.publicKey,
      serial: Buffer.of(1),
      notBefore: now,
      notAfter: now + HOUR,
    };
    const foreign = signCertificate(
      {
        ...common,
        profile: { kind: "leaf" },
        subject: { kind: "empty" },
        names: [{ kind: "uri", uri: "spiffe://elsewhere/ns/shop/sa/web" }],
      },
      intermediate.key,
    );
    expect(verdict(certificatePem(foreign) + intermediate.certificatePem, authority.trust.pem, "sslclient", now)).toContain(
      "permitted subtree violation",
    );

    const below = makeSigningCredential(
      { role: "intermediate", trustDomain: "cluster.local", issuer: intermediate, now, lifetime: DAY },
      systemRandomness,
    );
    const rogue = readSigningCredential(state, "rogue.pem", below, "intermediate", "cluster.local");
    const leaf = signCertificate(
      {
        ...common,
        issuer: rogue.subject,
        issuerPublicKey: rogue.publicKey,
        profile: { kind: "leaf" },
        subject: { kind: "empty" },
        names: [{ kind: "uri", uri: "spiffe://cluster.local/ns/shop/sa/web" }],
      },
      rogue.key,
    );
    const chain = certificatePem(leaf) + rogue.certificatePem + intermediate.certificatePem;
    expect(verdict(chain, authority.trust.pem, "sslclient", now)).toContain("path length constraint exceeded");
  });

  it("have a subject of their own for every key", () => {
    using folder = temporaryFolder();
    const clock = new FakeClock();
    const authority = open(folder.path, clock);
    const subjects = new Set([intermediateOf(authority.issue(web)).subject]);
    authority.prepareRoot();
    for (const [pem] of authority.trust.pem.matchAll(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n/g))
      subjects.add(new X509Certificate(pem).subject);
    expect(subjects.size).toBe(3);
  });

  it("are read again after a restart, and made once", () => {
    using folder = temporaryFolder();
    const clock = new FakeClock();
    const before = open(folder.path, clock);
    const after = open(folder.path, clock);
    expect(after.trust).toEqual(before.trust);
    expect(after.generation).toBe(before.generation);
    expect(intermediateOf(after.issue(web)).fingerprint256).toBe(intermediateOf(before.issue(web)).fingerprint256);
  });

  it("renew the intermediate when a third of its life is left, and what the old one signed stays good", () => {
    using folder = temporaryFolder();
    const clock = new FakeClock();
    const authority = open(folder.path, clock);
    const first = intermediateOf(authority.issue(web));
    clock.advance(243 * DAY);
    const old = authority.issue(web);
    expect(intermediateOf(old).fingerprint256).toBe(first.fingerprint256);
    clock.advance(2 * HOUR * 4);
    const renewed = authority.issue(web);
    expect(intermediateOf(renewed).fingerprint256).not.toBe(first.fingerprint256);
    for (const { chainPem } of [old, renewed]) expect(verdict(chainPem, authority.trust.pem, "sslserver", clock.now())).toBe("OK");
    expect(intermediateOf(open(folder.path, clock).issue(web)).fingerprint256).toBe(intermediateOf(renewed).fingerprint256);
    expect(authority.generation).toBe(open(folder.path, clock).generation);
  });

  it("renew an intermediate that ran out while the control plane was away", () => {
    using folder = temporaryFolder();
    const clock = new FakeClock();
    open(folder.path, clock);
    clock.skip(400 * DAY);
    const authority = open(folder.path, clock);
    expect(verdict(authority.issue(web).chainPem, authority.trust.pem, "sslserver", clock.now())).toBe("OK");
  });

  it("serve on with the old intermediate, and say so, when the new one cannot be written", () => {
    using folder = temporaryFolder();
    const clock = new FakeClock();
    const failures: unknown[] = [];
    const authority = open(join(folder.path, "state"), clock, { onRenewalFailure: (failure) => failures.push(failure) });
    const before = intermediateOf(authority.issue(web));
    rmSync(join(folder.path, "state"), { recursive: true });
    symlinkSync("/dev/null", join(folder.path, "state"));
    clock.advance(300 * DAY);
    expect(intermediateOf(authority.issue(web)).fingerprint256).toBe(before.fingerprint256);
    authority.issue(web);
    expect(failures).toEqual([expect.objectContaining({ code: "StateNotWritable" })]);
    clock.advance(MINUTE);
    authority.issue(web);
    expect(failures).toHaveLength(2);
  });

  it.each<[string, Partial<AuthorityOptions>, string]>([
    ["a leaf that lives longer than a sixth of the intermediate", { leafLifetime: DAY, intermediateLifetime: 5 * DAY }, "InvalidLifetime"],
    ["an intermediate that outlives the root", { intermediateLifetime: 5000 * DAY }, "InvalidLifetime"],
    ["a leaf without a life", { leafLifetime: 0 }, "InvalidLifetime"],
    ["a lifetime that is no number", { leafLifetime: Number.NaN }, "InvalidLifetime"],
    ["an empty trust domain", { trustDomain: "" }, "InvalidTrustDomain"],
    ["an upper-case trust domain", { trustDomain: "Cluster.local" }, "InvalidTrustDomain"],
    ["a trust domain that a name constraint would read as every subdomain", { trustDomain: ".local" }, "InvalidTrustDomain"],
    ["an address as trust domain", { trustDomain: "127.0.0.1" }, "InvalidTrustDomain"],
    ["a trust domain with a port", { trustDomain: "a:1" }, "InvalidTrustDomain"],
    ["a trust domain of 256 bytes", { trustDomain: "a".repeat(256) }, "InvalidTrustDomain"],
  ])("refuse %s", (_, options, code) => {
    using folder = temporaryFolder();
    expect(() => open(folder.path, new FakeClock(), options)).toThrow(expect.objectContaining({ code }));
  });
});

describe("the rotation of the root", () => {
  it("keeps every leaf verifiable for everybody who has acknowledged the step before", () => {
    using folder = temporaryFolder();
    const clock = new FakeClock();
    const authority = open(folder.path, clock);
    const accepts = (issued: IssuedCertificate, bundle: string) => verdict(issued.chainPem, bundle, "sslserver", clock.now()) === "OK";
    const oldBundle = authority.trust.pem;
    const oldLeaf = authority.issue(web);
    const generation = authority.generation;

    authority.prepareRoot();
    const both = authority.trust.pem;
    expect(authority.generation).toBe(generation);
    expect([accepts(oldLeaf, both), accepts(authority.issue(web), oldBundle)]).toEqual([true, true]);

    authority.activateRoot();
    const newLeaf = authority.issue(web);
    expect(authority.generation).not.toBe(generation);
    expect([accepts(oldLeaf, both), accepts(newLeaf, both), accepts(newLeaf, oldBundle)]).toEqual([true, true, false]);
    expect(accepts(oldLeaf, authority.trust.pem)).toBe(true);

    authority.dropPreviousRoot();
    expect([accepts(oldLeaf, authority.trust.pem), accepts(newLeaf, authority.trust.pem)]).toEqual([false, true]);
    expect(open(folder.path, clock).trust).toEqual(authority.trust);
  });

  it("changes the bundle's version with every change of the set, and tells who listens", () => {
    using folder = temporaryFolder();
    const authority = open(folder.path, new FakeClock());
    const versions = [authority.trust.version];
    const stop = authority.onChange(() => versions.push(authority.trust.version));
    authority.prepareRoot();
    authority.activateRoot();
    authority.dropPreviousRoot();
    stop();
    authority.prepareRoot();
    expect(versions).toHaveLength(4);
    expect(versions[1]).toBe(versions[2]);
    expect(new Set(versions).size).toBe(3);
  });

  it("can be taken back at every step but the last", () => {
    using folder = temporaryFolder();
    const clock = new FakeClock();
    const authority = open(folder.path, clock);
    const { trust, generation } = authority;
    authority.prepareRoot();
    authority.activateRoot();
    authority.revertRoot();
    expect(authority.generation).toBe(generation);
    expect(verdict(authority.issue(web).chainPem, trust.pem, "sslclient", clock.now())).toBe("OK");
    authority.revertRoot();
    expect(authority.trust).toEqual(trust);
    expect(open(folder.path, clock).trust).toEqual(trust);
  });

  it.each<[string, (authority: CertificateAuthority) => void]>([
    ["activating a root that was not prepared", (authority) => authority.activateRoot()],
    ["taking back what has not begun", (authority) => authority.revertRoot()],
    ["dropping the only root", (authority) => authority.dropPreviousRoot()],
    [
      "preparing twice",
      (authority) => {
        authority.prepareRoot();
        authority.prepareRoot();
      },
    ],
  ])("refuses %s", (_, act) => {
    using folder = temporaryFolder();
    const authority = open(folder.path, new FakeClock());
    expect(() => act(authority)).toThrow(expect.objectContaining({ code: "RotationOutOfOrder" }));
  });

  it("is read again in every state after a restart", () => {
    using folder = temporaryFolder();
    const clock = new FakeClock();
    const authority = open(folder.path, clock);
    const agree = () => {
      const reopened = open(folder.path, clock);
      expect(reopened.trust).toEqual(authority.trust);
      expect(reopened.generation).toBe(authority.generation);
      expect(verdict(reopened.issue(web).chainPem, authority.trust.pem, "sslserver", clock.now())).toBe("OK");
    };
    authority.prepareRoot();
    agree();
    authority.activateRoot();
    agree();
    authority.revertRoot();
    agree();
    authority.activateRoot();
    authority.dropPreviousRoot();
    agree();
  });
});
