import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { decodeJwt, decodeProtectedHeader, SignJWT, UnsecuredJWT } from "jose";
import { HOUR, MINUTE, SECOND } from "./clock.ts";
import { JoinTokenError, type JoinTokenErrorCode } from "./join-token-error.ts";
import { createJoinToken, JoinTokenKey, type JoinTokenRequest } from "./join-token.ts";
import { StateFolder } from "./state-folder.ts";
import { FakeClock } from "./testing/fake-clock.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { TokenAuthenticator, type TokenAuthenticatorOptions } from "./token-authenticator.ts";

let folder: ReturnType<typeof temporaryFolder>;
let clock: FakeClock;
let pods: Map<string, { uid?: string }>;

beforeEach(() => {
  folder = temporaryFolder();
  clock = new FakeClock();
  pods = new Map([
    ["shop/web-1", {}],
    ["shop/orders-1", { uid: "11111111-2222" }],
  ]);
});
afterEach(() => folder[Symbol.dispose]());

function authenticator(options: Partial<TokenAuthenticatorOptions> = {}): TokenAuthenticator {
  const key = JoinTokenKey.open(StateFolder.open(folder.path, "read"));
  return new TokenAuthenticator({ key, findPod: (namespace, pod) => pods.get(`${namespace}/${pod}`), clock, ...options });
}

async function tokenFor(pod: string, request: Partial<JoinTokenRequest> = {}): Promise<string> {
  return (await createJoinToken(folder.path, { namespace: "shop", pod, ttl: HOUR, ...request }, { clock })).token;
}

/** The code with which a token is refused. Its message never shows the token. */
async function refusal(answer: Promise<unknown>, token = ""): Promise<JoinTokenErrorCode> {
  const failure: unknown = await answer.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(failure instanceof JoinTokenError)) throw new Error("it was not refused as it should", { cause: failure });
  if (token !== "") expect(failure.message).not.toContain(token);
  return failure.code;
}

describe("a join token", () => {
  it("tells whose sidecar presents it, and until when", async () => {
    const token = await tokenFor("web-1");
    expect(await authenticator().authenticate(token)).toEqual({
      subscriber: "shop/web-1",
      expiresAt: Math.floor(clock.now() / SECOND) * SECOND + HOUR,
    });
  });

  it("is an ES256 JWT of issuer and audience seawall that names the pod, with an id of its own", async () => {
    const [token, another] = await Promise.all([tokenFor("web-1"), tokenFor("web-1")]);
    const issued = Math.floor(clock.now() / SECOND);
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: "ES256" });
    expect(decodeJwt(token)).toEqual({
      ...{ iss: "seawall", aud: "seawall", iat: issued, nbf: issued, exp: issued + 3600 },
      jti: expect.stringMatching(/^[\w-]{22}$/) as unknown,
      "seawall.dev": { namespace: "shop", pod: "web-1", since: issued },
    });
    expect(decodeJwt(another).jti).not.toBe(decodeJwt(token).jti);
  });

  it("of one workload is bound to that workload, whoever presents it", async () => {
    const judge = authenticator();
    const tokens = await Promise.all([tokenFor("web-1"), tokenFor("orders-1")]);
    const subscribers = await Promise.all(tokens.map(async (token) => (await judge.authenticate(token)).subscriber));
    expect(subscribers).toEqual(["shop/web-1", "shop/orders-1"]);
  });

  it("is still known after a restart of the control plane", async () => {
    const token = await tokenFor("web-1");
    await authenticator().authenticate(token);
    expect(await authenticator().authenticate(token)).toMatchObject({ subscriber: "shop/web-1" });
  });

  it.each<[string, Partial<JoinTokenRequest>]>([
    ["an empty pod name", { pod: "" }],
    ["a pod name that would be another key", { pod: "web/1" }],
    ["an empty namespace", { namespace: "" }],
    ["no time to live", { ttl: 0 }],
    ["a time to live that is no number", { ttl: Number.NaN }],
    ["a time to live of years", { ttl: 400 * 24 * HOUR }],
  ])("is not made for %s", async (_, request) => {
    expect(await refusal(tokenFor("web-1", request))).toBe("InvalidRequest");
  });
});

describe("a join token is refused", () => {
  /** A token that is right in everything but what is changed. */
  async function forged(change: {
    claims?: Record<string, unknown>;
    header?: Record<string, unknown>;
    key?: KeyObject | Uint8Array;
  }): Promise<string> {
    await tokenFor("web-1");
    const now = Math.floor(clock.now() / SECOND);
    const claims = {
      iss: "seawall",
      aud: "seawall",
      iat: now,
      nbf: now,
      exp: now + 60,
      jti: "1",
      "seawall.dev": { namespace: "shop", pod: "web-1", since: now },
    };
    const key = change.key ?? createPrivateKey(readFileSync(join(folder.path, "token-signing-key.pem")));
    return new SignJWT({ ...claims, ...change.claims }).setProtectedHeader({ alg: "ES256", ...change.header }).sign(key);
  }

  it("is not a forgery when nothing is changed", async () => {
    expect(await authenticator().authenticate(await forged({}))).toMatchObject({ subscriber: "shop/web-1" });
  });

  it.each<[string, string | undefined, JoinTokenErrorCode]>([
    ["is missing", undefined, "TokenMissing"],
    ["is empty", "", "TokenMissing"],
    ["is no JWT", "hello", "TokenMalformed"],
    ["is three times nothing", "..", "TokenMalformed"],
    ["is enormous", "a".repeat(1 << 20), "TokenMalformed"],
  ])("when it %s", async (_, token, code) => {
    expect(await refusal(authenticator().authenticate(token), token)).toBe(code);
  });

  it.each<[string, Parameters<typeof forged>[0], JoinTokenErrorCode]>([
    ["is for another audience", { claims: { aud: "kubernetes" } }, "TokenWrongAudience"],
    ["was made by another issuer", { claims: { iss: "https://idp.example.com" } }, "TokenWrongIssuer"],
    ["has no audience", { claims: { aud: undefined } }, "TokenMalformed"],
    ["never expires", { claims: { exp: undefined } }, "TokenMalformed"],
    ["has no id", { claims: { jti: undefined } }, "TokenMalformed"],
    ["names no pod", { claims: { "seawall.dev": { namespace: "shop" } } }, "TokenMalformed"],
    ["names a pod by a number", { claims: { "seawall.dev": { namespace: "shop", pod: 1, since: 1 } } }, "TokenMalformed"],
    ["has another key", { key: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey }, "TokenWrongSignature"],
    ["is signed symmetrically", { header: { alg: "HS256" }, key: Buffer.alloc(32) }, "TokenMalformed"],
  ])("when it %s", async (_, change, code) => {
    const token = await forged(change);
    expect(await refusal(authenticator().authenticate(token), token)).toBe(code);
  });

  it("when it is not signed, or by its own public key as a secret", async () => {
    const claims = decodeJwt(await forged({}));
    const unsigned = new UnsecuredJWT(claims).encode();
    expect(await refusal(authenticator().authenticate(unsigned))).toBe("TokenMalformed");
    const key = JoinTokenKey.open(StateFolder.open(folder.path, "read")).publicKey.export({ type: "spki", format: "pem" }).toString();
    const confused = await new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(Buffer.from(key));
    expect(await refusal(authenticator().authenticate(confused))).toBe("TokenMalformed");
  });

  it("when any part of it was changed", async () => {
    const [header, payload, signature] = (await forged({})).split(".");
    const other = Buffer.from(
      JSON.stringify({ ...decodeJwt(await forged({})), "seawall.dev": { namespace: "shop", pod: "orders-1", since: 1 } }),
    ).toString("base64url");
    expect(await refusal(authenticator().authenticate(`${header!}.${other}.${signature!}`))).toBe("TokenWrongSignature");
    expect(await refusal(authenticator().authenticate(`${header!}.${payload!}.${"A".repeat(86)}`))).toBe("TokenWrongSignature");
  });

  it("from the second in which it expires, also when it has been seen before", async () => {
    const token = await tokenFor("web-1", { ttl: MINUTE });
    const seen = authenticator();
    const { expiresAt } = await seen.authenticate(token);
    clock.advance(expiresAt - clock.now() - 1);
    expect(await seen.authenticate(token)).toMatchObject({ expiresAt });
    expect(await authenticator().authenticate(token)).toMatchObject({ expiresAt });
    clock.advance(1);
    for (const judge of [seen, authenticator()]) expect(await refusal(judge.authenticate(token))).toBe("TokenExpired");
    clock.advance(HOUR);
    for (const judge of [seen, authenticator()]) expect(await refusal(judge.authenticate(token))).toBe("TokenExpired");
  });

  it("when it is of the future by more than the 30 s that clocks may differ", async () => {
    const token = await tokenFor("web-1");
    clock.skip(-30 * SECOND);
    expect(await authenticator().authenticate(token)).toMatchObject({ subscriber: "shop/web-1" });
    clock.skip(-2 * SECOND);
    expect(await refusal(authenticator().authenticate(token))).toBe("TokenNotYetValid");
  });

  it("when its pod is unknown, and accepted again when it is back", async () => {
    const judge = authenticator();
    const token = await tokenFor("web-1");
    await judge.authenticate(token);
    pods.delete("shop/web-1");
    expect(await refusal(judge.authenticate(token))).toBe("PodUnknown");
    pods.set("shop/web-1", {});
    expect(await judge.authenticate(token)).toMatchObject({ subscriber: "shop/web-1" });
  });

  it("when another pod has the name now", async () => {
    const judge = authenticator();
    const token = await tokenFor("orders-1", { uid: "11111111-2222" });
    expect(await judge.authenticate(token)).toMatchObject({ subscriber: "shop/orders-1" });
    for (const replacement of [{ uid: "33333333-4444" }, {}]) {
      pods.set("shop/orders-1", replacement);
      expect(await refusal(judge.authenticate(token))).toBe("PodReplaced");
    }
  });

  it("when it was made with another state folder", async () => {
    using other = temporaryFolder();
    const { token } = await createJoinToken(other.path, { namespace: "shop", pod: "web-1", ttl: HOUR }, { clock });
    expect(await refusal(authenticator().authenticate(token))).toBe("TokenWrongSignature");
  });
});

describe("the renewal of a join token", () => {
  it("gives one for the same pod that lives as long again, and leaves the old one as it is", async () => {
    const judge = authenticator();
    const token = await tokenFor("orders-1", { uid: "11111111-2222", ttl: 10 * MINUTE });
    const { expiresAt } = await judge.authenticate(token);
    clock.advance(5 * MINUTE);
    const renewed = await judge.renew(token);
    expect(renewed.token).not.toBe(token);
    expect(renewed.expiresAt).toBe(expiresAt + 5 * MINUTE);
    expect(await judge.authenticate(renewed.token)).toEqual({ subscriber: "shop/orders-1", expiresAt: renewed.expiresAt });
    expect(await judge.authenticate(token)).toEqual({ subscriber: "shop/orders-1", expiresAt });
    expect(decodeJwt(renewed.token)["seawall.dev"]).toEqual(decodeJwt(token)["seawall.dev"]);
  });

  it("is refused for a token that is not accepted", async () => {
    const judge = authenticator();
    const token = await tokenFor("web-1", { ttl: MINUTE });
    expect(await refusal(judge.renew(undefined))).toBe("TokenMissing");
    pods.delete("shop/web-1");
    expect(await refusal(judge.renew(token))).toBe("PodUnknown");
    pods.set("shop/web-1", {});
    clock.advance(MINUTE);
    expect(await refusal(judge.renew(token))).toBe("TokenExpired");
  });

  it("goes on for ever, or for as long as it is allowed from the first token on", async () => {
    let token = await tokenFor("web-1", { ttl: HOUR });
    const unlimited = authenticator();
    for (let day = 0; day < 50; day++) {
      clock.advance(HOUR / 2);
      ({ token } = await unlimited.renew(token));
    }
    const first = Date.UTC(2026, 10, 21, 12);
    clock.advance(HOUR / 2);
    const last = await authenticator({ maxLifetime: 26 * HOUR }).renew(token);
    expect(last.expiresAt).toBeLessThanOrEqual(first + 26 * HOUR);
    expect(last.expiresAt).toBeGreaterThan(first + 26 * HOUR - 2 * SECOND);
    expect(await refusal(authenticator({ maxLifetime: 25 * HOUR }).renew(last.token))).toBe("TokenLifetimeExhausted");
  });
});
