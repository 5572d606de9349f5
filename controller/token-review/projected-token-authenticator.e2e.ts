/** Tokens of pods of a real API server, which binds, reviews and forgets them as in any cluster. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { status } from "@grpc/grpc-js";
import { decodeJwt } from "jose";
import { type Clock, HOUR, MINUTE, SECOND, systemClock } from "../../ca/clock.ts";
import { FakeClock } from "../../ca/testing/fake-clock.ts";
import { AuthenticationUnavailable } from "../../xds-server/delta/feed.ts";
import { TYPE_URL } from "../../xds-server/delta/resource-types.ts";
import { resource } from "../../xds-server/delta/testing/test-feed.ts";
import { TestServer } from "../../xds-server/delta/testing/test-server.ts";
import { until } from "../../e2e/support/eventually.ts";
import { ProjectedTokenAuthenticator, type TokenVerification } from "./projected-token-authenticator.ts";
import type { SidecarTokenErrorCode } from "./sidecar-token-error.ts";
import { foreignKey, TokenCluster } from "./testing/token-cluster.ts";

const REVIEW = "create /apis/authentication.k8s.io/v1/tokenreviews";
const KEYS = "get /openid/v1/jwks";
const KINDS = ["token-review", "jwks"] as const;

let cluster: TokenCluster;
let log: string[];
beforeAll(async () => {
  cluster = await TokenCluster.start();
});
afterAll(() => cluster[Symbol.asyncDispose]());
beforeEach(() => {
  cluster.calls.length = 0;
  log = [];
});

function authenticator(
  verification: TokenVerification,
  { clock = systemClock, patience = 0 }: { clock?: Clock; patience?: number } = {},
): ProjectedTokenAuthenticator {
  const hasServiceAccount = (namespace: string, name: string): boolean => cluster.hasServiceAccount(namespace, name);
  const { api, pods } = cluster;
  return new ProjectedTokenAuthenticator({
    api,
    pods,
    hasServiceAccount,
    verification,
    patience,
    clock,
    log: (_level, line) => log.push(line),
  });
}

/** A pod that the mesh has seen, and its token. */
async function runningPod(): Promise<{ readonly name: string; readonly uid: string; readonly token: string }> {
  const pod = await cluster.pod();
  cluster.see(pod);
  return { ...pod, token: await cluster.token(pod.name, pod) };
}

const refused = (code: SidecarTokenErrorCode): object => ({ name: "SidecarTokenError", code });
const reviews = (): number => cluster.calls.filter((call) => call === REVIEW).length;

describe.each(KINDS)("with the verification %s a sidecar", (kind) => {
  it("is the pod that its token was projected into, until the token runs out", async () => {
    const { name, uid, token } = await runningPod();
    const expiresAt = decodeJwt(token).exp! * SECOND;
    expect(await authenticator(kind).authenticate(token)).toMatchObject({ subscriber: `default/${name}`, uid, expiresAt });
    expect(reviews()).toBe(kind === "jwks" ? 0 : 1);
  });

  it.each<[string, SidecarTokenErrorCode, (token: string, pod: string) => Promise<string | undefined>]>([
    ["without a token", "TokenMissing", () => Promise.resolve(undefined)],
    ["with nonsense", "TokenMalformed", () => Promise.resolve("nonsense")],
    ["with more than any token", "TokenMalformed", () => Promise.resolve("x".repeat(10_000))],
    ["with a token for another audience", "TokenWrongAudience", (_token, pod) => cluster.token(pod, undefined, "elsewhere")],
    ["with a token of a service account and no pod", "TokenNotBound", (_token, pod) => cluster.token(pod)],
    ["with a token that another key signed", "TokenWrongSignature", (token) => cluster.resigned(token, {}, foreignKey())],
    ["with a token whose claims were changed", "TokenWrongSignature", (token) => Promise.resolve(changed(token))],
    ["with a token that nobody signed", "TokenMalformed", (token) => Promise.resolve(unsigned(token))],
    ["with a token of long ago", "TokenExpired", (token) => cluster.resigned(token, { exp: Date.now() / SECOND - HOUR / SECOND })],
    [
      "with a token of the far future",
      "TokenNotYetValid",
      (token) => cluster.resigned(token, { nbf: Math.round((Date.now() + HOUR) / SECOND) }),
    ],
  ])("%s is refused, at no cost to the API server", async (_what, code, make) => {
    const { name, token } = await runningPod();
    const presented = await make(token, name);
    await expect(authenticator(kind).authenticate(presented)).rejects.toMatchObject(refused(code));
    expect(reviews()).toBe(0);
  });

  it("whose token ran out two minutes ago is refused", async () => {
    const { token } = await runningPod();
    // The API server itself gives a minute's grace.
    const old = await cluster.resigned(token, { exp: Math.floor((Date.now() - 2 * MINUTE) / SECOND) });
    await expect(authenticator(kind).authenticate(old)).rejects.toMatchObject(refused(kind === "jwks" ? "TokenExpired" : "TokenRefused"));
  });

  it("never hears its token in a refusal", async () => {
    const { token } = await runningPod();
    const forged = await cluster.resigned(token, {}, foreignKey());
    const failure: unknown = await authenticator(kind)
      .authenticate(forged)
      .catch((error: unknown) => error);
    expect(JSON.stringify([(failure as Error).message, ...log])).not.toContain(forged.slice(-40));
  });

  it("whose pod is deleted is refused", async () => {
    const { name, token } = await runningPod();
    await cluster.removePod(name);
    cluster.unsee(name);
    await expect(authenticator(kind).authenticate(token)).rejects.toMatchObject(refused(kind === "jwks" ? "PodUnknown" : "TokenRefused"));
  });

  it("whose pod was replaced by another of its name is refused, and the new one is not", async () => {
    const { name, token } = await runningPod();
    await cluster.removePod(name);
    const next = await cluster.pod(name);
    cluster.see(next);
    const guard = authenticator(kind);
    await expect(guard.authenticate(token)).rejects.toMatchObject(refused(kind === "jwks" ? "PodReplaced" : "TokenRefused"));
    expect(await guard.authenticate(await cluster.token(name, next))).toMatchObject({ uid: next.uid });
  });

  it("whose service account is gone is refused", async () => {
    const { name, token } = await runningPod();
    await cluster.removeServiceAccount(name);
    await expect(authenticator(kind).authenticate(token)).rejects.toMatchObject(refused("TokenRefused"));
  });

  it("that runs as another service account than the mesh saw is refused", async () => {
    const pod = await cluster.pod();
    cluster.see(pod, "somebody-else");
    await expect(authenticator(kind).authenticate(await cluster.token(pod.name, pod))).rejects.toMatchObject(refused("TokenRefused"));
  });

  it("that is quicker than the watch is let in once its pod is seen", async () => {
    const pod = await cluster.pod();
    const clock = new FakeClock(Date.now());
    const guard = authenticator(kind, { patience: MINUTE, clock });
    const coming = guard.authenticate(await cluster.token(pod.name, pod));
    await until("the sidecar waits for its pod", () => clock.timers > 0);
    cluster.see({ ...pod, uid: "its predecessor's" });
    cluster.see(pod);
    expect(await coming).toMatchObject({ uid: pod.uid });
    expect(clock.timers).toBe(0);
  });

  it("is told when its pod is replaced, once, and not when the pod only changes", async () => {
    const { name, uid, token } = await runningPod();
    const { onRevoked } = await authenticator(kind).authenticate(token);
    let ends = 0;
    onRevoked!(() => ends++);
    cluster.see({ name, uid }, "changed");
    expect(ends).toBe(0);
    cluster.see({ name, uid: "its successor's" });
    cluster.unsee(name);
    expect(ends).toBe(1);
    onRevoked!(() => ends++);
    expect(ends).toBe(2);
  });
});

describe("a sidecar whose pod the mesh does not see in time", () => {
  it("is asked to come again when the API server has said that there is one", async () => {
    const pod = await cluster.pod();
    const coming = authenticator("token-review").authenticate(await cluster.token(pod.name, pod));
    await expect(coming).rejects.toThrow(AuthenticationUnavailable);
  });

  it("is refused when only the mesh could know it", async () => {
    const pod = await cluster.pod();
    const coming = authenticator("jwks").authenticate(await cluster.token(pod.name, pod));
    await expect(coming).rejects.toMatchObject(refused("PodUnknown"));
  });
});

describe("the API server", () => {
  it("is asked once for streams that come together, and again after ten seconds", async () => {
    const { token } = await runningPod();
    const clock = new FakeClock(Date.now());
    const guard = authenticator("token-review", { clock });
    await Promise.all(Array.from({ length: 20 }, () => guard.authenticate(token)));
    clock.advance(9 * SECOND);
    await guard.authenticate(token);
    expect(reviews()).toBe(1);
    clock.advance(SECOND);
    await guard.authenticate(token);
    expect(reviews()).toBe(2);
  });

  it("is asked for its keys once, and for an unknown key at most every ten seconds", async () => {
    const { token } = await runningPod();
    const clock = new FakeClock(Date.now());
    const guard = authenticator("token-review", { clock });
    const unknown = (await cluster.resigned(token, {}, foreignKey())).replace(/^[^.]+/, header({ alg: "RS256", kid: "unknown" }));
    for (let forgery = 0; forgery < 5; forgery++) {
      await expect(guard.authenticate(unknown)).rejects.toMatchObject(refused("TokenWrongSignature"));
    }
    expect(cluster.calls).toEqual([KEYS]);
    clock.advance(10 * SECOND);
    for (let forgery = 0; forgery < 5; forgery++) {
      await expect(guard.authenticate(unknown)).rejects.toMatchObject(refused("TokenWrongSignature"));
    }
    expect(cluster.calls).toEqual([KEYS, KEYS]);
  });

  it.each(KINDS)("may change its key: a new token is accepted and an old one no more (%s)", async (kind) => {
    const { name, uid, token } = await runningPod();
    const clock = new FakeClock(Date.now());
    const guard = authenticator(kind, { clock });
    await guard.authenticate(token);
    await cluster.changeKey();
    clock.advance(11 * SECOND);
    expect(await guard.authenticate(await cluster.token(name, { name, uid }))).toMatchObject({ uid });
    await expect(guard.authenticate(token)).rejects.toMatchObject(refused("TokenWrongSignature"));
  });

  it("that is away lets nobody in anew with token-review, and whoever the mesh knows with jwks", async () => {
    const { token } = await runningPod();
    const [review, jwks] = [authenticator("token-review"), authenticator("jwks")];
    await jwks.authenticate(token);
    await cluster.server.kill();
    await expect(review.authenticate(token)).rejects.toThrow(AuthenticationUnavailable);
    expect(await jwks.authenticate(token)).toHaveProperty("subscriber");
    await expect(authenticator("jwks").authenticate(token)).rejects.toThrow(AuthenticationUnavailable);
    await cluster.server.start();
    await review.authenticate(token);
  });
});

describe("an open stream", () => {
  it("goes on while the API server is away, and ends when another pod has taken the name of its own", async () => {
    const { name, token } = await runningPod();
    const guard = authenticator("token-review");
    await using xds = await TestServer.start({ authenticator: guard });
    xds.share([resource("cluster", "a")], `default/${name}`);
    const stream = (await xds.connect()).open(token);
    stream.subscribe(TYPE_URL.cluster);
    expect((await stream.take(TYPE_URL.cluster)).names).toEqual(["a"]);
    await cluster.server.kill();
    xds.share([resource("cluster", "a"), resource("cluster", "b")], `default/${name}`);
    expect((await stream.take(TYPE_URL.cluster)).names).toEqual(["b"]);
    cluster.see({ name, uid: "its successor's" });
    expect(await stream.ended).toMatchObject({ code: status.NOT_FOUND });
    await cluster.server.start();
  });
});

describe("a clock that differs by five minutes from the API server's", () => {
  const running = async (): ReturnType<typeof runningPod> => {
    const pod = await runningPod();
    return { ...pod, token: await cluster.resigned(pod.token, { exp: Math.floor((Date.now() + 4 * MINUTE) / SECOND) }) };
  };

  it.each(KINDS)("and is behind keeps no new pod waiting (%s)", async (kind) => {
    const { token } = await running();
    const clock = new FakeClock(Date.now() - 5 * MINUTE);
    expect((await authenticator(kind, { clock }).authenticate(token)).expiresAt).toBe(decodeJwt(token).exp! * SECOND);
  });

  it("and is ahead does not matter where the API server judges: the stream lives on for a while", async () => {
    const { token } = await running();
    const clock = new FakeClock(Date.now() + 5 * MINUTE);
    const { expiresAt } = await authenticator("token-review", { clock }).authenticate(token);
    expect(expiresAt - clock.now()).toBe(MINUTE);
  });

  it("and is ahead shortens tokens where our own clock judges", async () => {
    const { token } = await running();
    const clock = new FakeClock(Date.now() + 5 * MINUTE);
    await expect(authenticator("jwks", { clock }).authenticate(token)).rejects.toMatchObject(refused("TokenExpired"));
  });
});

function header(content: object): string {
  return Buffer.from(JSON.stringify(content)).toString("base64url");
}

function changed(token: string): string {
  const [head, , signature] = token.split(".");
  return [head, header({ ...decodeJwt(token), sub: "system:serviceaccount:default:admin" }), signature].join(".");
}

function unsigned(token: string): string {
  return `${header({ alg: "none" })}.${token.split(".")[1]!}.`;
}
