/**
 * RateLimitPolicies as Envoy's local_ratelimit filters. A filter counts one limit only, since with two in one filter the
 * headers would tell of the looser one; so limits are put into numbered slots, all policies of a port together.
 */
import type { Any } from "@bufbuild/protobuf/wkt";
import { any } from "../../xds-server/envoy/any.ts";
import { EARLY_LIMIT_SLOTS, type HttpFilterName, LIMIT_SLOTS } from "../../xds-server/envoy/http-filter-order.ts";
import { HeaderValueOption_HeaderAppendAction } from "../../xds-server/gen/envoy/config/core/v3/base_pb.js";
import { FilterConfigSchema, RateLimit_XRateLimitOption } from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import { LocalRateLimitSchema } from "../../xds-server/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.js";
import { LuaPerRouteSchema } from "../../xds-server/gen/envoy/extensions/filters/http/lua/v3/lua_pb.js";
import { FractionalPercent_DenominatorType } from "../../xds-server/gen/envoy/type/v3/percent_pb.js";
import { StatusCode } from "../../xds-server/gen/envoy/type/v3/http_status_pb.js";
import type { InboundHttpContribution, PerRoute, RbacRule } from "../core/contribution.ts";
import { parseDuration } from "../core/duration.ts";
import { coversPort } from "../core/match/covers-port.ts";
import { invalidPolicyRule } from "../core/match/translate.ts";
import { toHeaderMatchers } from "../core/match/translate-to.ts";
import { type ObjectMeta, objectKey } from "../core/object.ts";
import { ruleName } from "../core/policy-name.ts";
import type { CalledPort } from "../core/request.ts";
import { violation, type Violation, warning } from "../core/violation.ts";
import { disjoint } from "./disjoint-matches.ts";
import { type Action, countEvery, descriptorKey, EVERY_REQUEST, keyAction, matchAction, MATCHED } from "./limit-descriptor.ts";
import { AUDITED_LIMIT_HEADER, LIMIT_NAME_HEADER } from "./limit-headers-lua.ts";
import { stageOf } from "./limit-stage.ts";
import { DEFAULT_STATUS, type Limit, type RateLimitPolicy } from "./schema.ts";

const KIND = "RateLimitPolicy";

/** The name that logs and `explain` give a policy: `ratelimitpolicy/<namespace>/<name>`. */
export function policyId(metadata: ObjectMeta): string {
  return `${KIND.toLowerCase()}/${objectKey(metadata)}`;
}

export interface TranslatedLimits {
  readonly contribution: InboundHttpContribution;
  /** What only the port could tell, by policy (`namespace/name`). An error means that the policy's target refuses. */
  readonly violations: ReadonlyMap<string, readonly Violation[]>;
}

/** What an invalid policy does to its targets: everything is refused under its name. */
export function translateInvalid(metadata: ObjectMeta): InboundHttpContribution {
  return { rbac: [invalidPolicyRule(KIND, metadata)] };
}

/**
 * All policies that target one port. Slots are given in the order of the policies' names; a policy that does not fit as a
 * whole makes the port refuse, since limits that are asked for and not enforced would be open.
 */
export function translate(policies: readonly RateLimitPolicy[], port: CalledPort): TranslatedLimits {
  const violations = new Map<string, Violation[]>();
  if (port.protocol === "TCP") {
    for (const { metadata } of policies) {
      violations.set(objectKey(metadata), [
        warning("spec.targetRefs", "NotSupported", `port ${port.number} is TCP: limits count HTTP requests and do not apply there`),
      ]);
    }
    return { contribution: {}, violations };
  }
  const free: Record<ReturnType<typeof stageOf>, HttpFilterName[]> = {
    "before-authentication": [...EARLY_LIMIT_SLOTS],
    "after-access": [...LIMIT_SLOTS],
  };
  const slots: Partial<Record<HttpFilterName, Any>> = {};
  const rbac: RbacRule[] = [];
  for (const policy of [...policies].sort(byName)) {
    const limits = policy.spec.limits.filter((limit) => appliesTo(limit, port));
    const lacking = (["before-authentication", "after-access"] as const).find(
      (stage) => limits.filter((limit) => stageOf(limit) === stage).length > free[stage].length,
    );
    if (lacking !== undefined) {
      rbac.push(invalidPolicyRule(KIND, policy.metadata));
      violations.set(objectKey(policy.metadata), [tooMany(port, lacking)]);
      continue;
    }
    for (const limit of limits) {
      const slot = free[stageOf(limit)].shift();
      if (slot !== undefined) slots[slot] = localRateLimit(policy, limit, port);
    }
  }
  const perRoute: PerRoute = Object.keys(slots).length === 0 ? {} : { "limit-headers": SWITCHED_ON, ...slots };
  return {
    contribution: { perRoute, rbac, stripRequestHeaders: [AUDITED_LIMIT_HEADER] },
    violations,
  };
}

/** The script is the listener's; the route only switches it on. */
const SWITCHED_ON = any(FilterConfigSchema, { config: any(LuaPerRouteSchema, {}) });

function appliesTo(limit: Limit, port: CalledPort): boolean {
  return limit.to === undefined || limit.to.some((to) => coversPort(to, port));
}

function tooMany(port: CalledPort, stage: ReturnType<typeof stageOf>): Violation {
  const [most, which] = stage === "after-access" ? [LIMIT_SLOTS.length, "limits"] : [EARLY_LIMIT_SLOTS.length, "limits per address alone"];
  return violation(
    "spec.limits",
    "TooMany",
    `port ${port.number} has room for ${most} ${which}, over all policies, and this one does not fit in: put limits together`,
  );
}

function byName(one: RateLimitPolicy, other: RateLimitPolicy): number {
  const [a, b] = [objectKey(one.metadata), objectKey(other.metadata)];
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The statuses of validate.ts, as Envoy writes them. */
const STATUS_CODES: Readonly<Record<number, StatusCode>> = {
  403: StatusCode.Forbidden,
  429: StatusCode.TooManyRequests,
  503: StatusCode.ServiceUnavailable,
};

/** How many buckets of callers a limit remembers, about 0.6 KB each. Beyond it the longest unseen starts with a full one. */
export const MOST_BUCKETS = 10_000;

/** Takes requests that the limit does not match; so large that it never refuses. */
const BOUNDLESS = { maxTokens: 0xffff_ffff, tokensPerFill: 0xffff_ffff, fillInterval: { seconds: 1n, nanos: 0 } };

function localRateLimit({ metadata, spec }: RateLimitPolicy, limit: Limit, port: CalledPort): Any {
  const id = ruleName(KIND, metadata, limit.name);
  const enforced = (spec.enforcement ?? "Enforce") === "Enforce";
  const counted = countedRequests(limit, port);
  const keys = (limit.per ?? []).map(keyAction);
  // Headers tell only of buckets that the request was counted in, and nothing of what is audited.
  const xRatelimitOption = enforced ? RateLimit_XRateLimitOption.DRAFT_VERSION_03 : RateLimit_XRateLimitOption.OFF;
  return any(LocalRateLimitSchema, {
    statPrefix: id.replaceAll("/", "."),
    status: { code: STATUS_CODES[limit.onExceed?.status ?? DEFAULT_STATUS] ?? StatusCode.TooManyRequests },
    tokenBucket: BOUNDLESS,
    alwaysConsumeDefaultTokenBucket: false,
    filterEnabled: percent(100),
    filterEnforced: percent(enforced ? 100 : 0),
    rateLimits: (counted ?? [countEvery()]).map((condition) => ({ actions: [condition, ...keys], xRatelimitOption })),
    descriptors: [{ entries: descriptorEntries(limit, counted !== undefined), tokenBucket: bucket(limit) }],
    maxDynamicDescriptors: MOST_BUCKETS,
    enableRetryAfterHeader: true,
    rateLimitedAsResourceExhausted: true,
    responseHeadersToAdd: [header(LIMIT_NAME_HEADER, id)],
    requestHeadersToAddWhenNotEnforced: enforced ? [] : [header(AUDITED_LIMIT_HEADER, id)],
  });
}

function percent(numerator: number): { defaultValue: { numerator: number; denominator: FractionalPercent_DenominatorType } } {
  return { defaultValue: { numerator, denominator: FractionalPercent_DenominatorType.HUNDRED } };
}

function header(
  key: string,
  value: string,
): { header: { key: string; value: string }; appendAction: HeaderValueOption_HeaderAppendAction } {
  return { header: { key, value }, appendAction: HeaderValueOption_HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD };
}

/** Envoy refills continuously at tokens_per_fill / fill_interval, so this is exact whatever the numbers are. */
function bucket({ requests, window, burst }: Limit): {
  maxTokens: number;
  tokensPerFill: number;
  fillInterval: { seconds: bigint; nanos: number };
} {
  const milliseconds = parseDuration(window) ?? 0;
  return {
    maxTokens: burst ?? requests,
    tokensPerFill: requests,
    fillInterval: { seconds: BigInt(Math.floor(milliseconds / 1000)), nanos: (milliseconds % 1000) * 1_000_000 },
  };
}

/** The kinds of request that count, of which no request is two; undefined when all do. */
function countedRequests(limit: Limit, port: CalledPort): Action[] | undefined {
  const alternatives = (limit.to ?? []).filter((to) => coversPort(to, port)).map((to) => toHeaderMatchers(to));
  if (alternatives.length === 0 || alternatives.some((matchers) => matchers.length === 0)) return undefined;
  return disjoint(alternatives).map(matchAction);
}

/** What the actions make of a counted request; an entry without a value has a bucket for each value that comes. */
function descriptorEntries(limit: Limit, conditional: boolean): { key: string; value?: string }[] {
  const condition = conditional ? MATCHED : EVERY_REQUEST;
  return [condition, ...(limit.per ?? []).map((key, index) => ({ key: descriptorKey(key, index) }))];
}
