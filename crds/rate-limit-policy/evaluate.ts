/**
 * What the limits of a port say to one request, in plain words: every limit that the request matches must admit it. Each
 * key of a limit has a bucket of `burst` requests that refills evenly, `requests` in a `window`.
 */
import { parseDuration } from "../core/duration.ts";
import { unmetTo } from "../core/match/evaluate-to.ts";
import type { CalledPort, PolicyRequest } from "../core/request.ts";
import { keyValue } from "./limit-key.ts";
import { type LimitStage, stageOf } from "./limit-stage.ts";
import { DEFAULT_STATUS, type Limit, type RateLimitPolicy } from "./schema.ts";

/** What is in a bucket at one moment. A bucket that is not known is full. */
export interface Bucket {
  readonly tokens: number;
  /** Milliseconds. */
  readonly at: number;
}

/** By the limit's name and the request's keys, as {@link bucketName} joins them. */
export type Buckets = ReadonlyMap<string, Bucket>;

/** A limit with the name that logs and `explain` give it: `ratelimitpolicy/<namespace>/<name>/<limit>`. */
export interface NamedLimit {
  readonly name: string;
  readonly limit: Limit;
  readonly enforced: boolean;
}

/** Limits in the order in which they count: by policy name, then as the policy lists them. */
export function limitsOf(policies: readonly RateLimitPolicy[]): readonly NamedLimit[] {
  const named = policies.map(({ metadata, spec }) => ({
    key: `${metadata.namespace ?? ""}/${metadata.name}`,
    enforced: spec.enforcement !== "Audit",
    limits: spec.limits,
  }));
  return named
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .flatMap(({ key, enforced, limits }) => limits.map((limit) => ({ name: `ratelimitpolicy/${key}/${limit.name}`, limit, enforced })));
}

export interface MatchedLimit {
  readonly name: string;
  readonly keys: readonly string[];
  readonly admitted: boolean;
  readonly enforced: boolean;
  /** Whole requests that the bucket still admits. */
  readonly remaining: number;
}

export interface LimitResult {
  readonly buckets: Buckets;
  /** The limits that were asked, in order: the first one that refuses is the last, unless it is audited. */
  readonly matched: readonly MatchedLimit[];
  readonly refused?: { readonly by: string; readonly status: number; readonly retryAfterSeconds: number };
}

/** `now` is milliseconds of any clock, as long as it is always the same one. */
export function evaluate(
  limits: readonly NamedLimit[],
  stage: LimitStage,
  request: PolicyRequest,
  port: CalledPort,
  before: Buckets,
  now: number,
): LimitResult {
  const buckets = new Map(before);
  const matched: MatchedLimit[] = [];
  for (const { name, limit, enforced } of limits) {
    if (stageOf(limit) !== stage || !matches(limit, request, port)) continue;
    const keys = (limit.per ?? []).map((key) => keyValue(key, request));
    const bucket = bucketName(name, keys);
    const tokens = refilled(buckets.get(bucket), limit, now);
    const admitted = tokens >= 1;
    const left = admitted ? tokens - 1 : tokens;
    buckets.set(bucket, { tokens: left, at: now });
    matched.push({ name, keys, admitted, enforced, remaining: Math.floor(left) });
    if (!admitted && enforced) {
      const retryAfterSeconds = Math.max(1, Math.ceil((1 - left) / requestsPerMillisecond(limit) / 1000));
      return { buckets, matched, refused: { by: name, status: limit.onExceed?.status ?? DEFAULT_STATUS, retryAfterSeconds } };
    }
  }
  return { buckets, matched };
}

export function bucketName(limit: string, keys: readonly string[]): string {
  return JSON.stringify([limit, ...keys]);
}

function matches({ to }: Limit, request: PolicyRequest, port: CalledPort): boolean {
  return (
    to === undefined ||
    to.some((item) => unmetTo(item, request, { namespace: undefined, trustDomain: "", port, unknown: false }).length === 0)
  );
}

function refilled(bucket: Bucket | undefined, limit: Limit, now: number): number {
  const capacity = limit.burst ?? limit.requests;
  return bucket === undefined ? capacity : Math.min(capacity, bucket.tokens + (now - bucket.at) * requestsPerMillisecond(limit));
}

function requestsPerMillisecond({ requests, window }: Limit): number {
  return requests / (parseDuration(window) ?? Number.NaN);
}
