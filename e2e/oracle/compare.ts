/** Where Envoy and the plain semantics disagree about one request. */
import type { PortDecision } from "../../controller/explain/decide.ts";
import type { Observation } from "./oracle-sidecar.ts";
import type { OracleRequest } from "./oracle-request.ts";

/** What an HTTP/1 parser of Envoy's knows (RFC 9110, WebDAV and kin): any other method is 400 before there is a request. */
const HTTP1_METHODS: ReadonlySet<string> = new Set(
  "ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE MSEARCH NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE".split(
    " ",
  ),
);

/** Whether Envoy's codec turns the request away whatever the policies are. */
function isBelowPolicy({ version, method }: OracleRequest): boolean {
  return version === 1 && !HTTP1_METHODS.has(method);
}

/**
 * White space around a header's value is dropped by HTTP/1 and forbidden in HTTP/2 (RFC 9113 section 8.2.1), where Envoy
 * keeps it and finds no value of an Allow rule in it: it may then permit less than the plain semantics, never more.
 */
function isPaddedOverHttp2({ version, headers }: OracleRequest): boolean {
  return version === 2 && headers.some(([, value]) => value.trim() !== value);
}

/** In words; empty when they agree. */
export function disagreements(request: OracleRequest, decision: PortDecision, seen: Observation): string[] {
  if (seen.status === "unsendable") return [];
  const found: string[] = [];
  const expect = (what: string, actual: unknown, expected: unknown): void => {
    if (actual !== expected) found.push(`${what} is ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`);
  };
  if (decision.status === 400 || isBelowPolicy(request)) {
    expect("the application reached", seen.reached, false);
    // Over HTTP/2 a malformed message may end the stream or the connection instead.
    if (seen.status !== 0) expect("the status", seen.status, 400);
    if (seen.log?.verdict === "allowed") found.push("the log says allowed");
    return found;
  }
  if (isPaddedOverHttp2(request)) {
    if (seen.reached) expect("the application reached", decision.verdict, "allowed");
    return found;
  }
  expect("the status", seen.status, decision.status);
  expect("the application reached", seen.reached, decision.verdict === "allowed");
  expect("the log's verdict", seen.log?.verdict, decision.verdict);
  expect("the log's policy", seen.log?.policy, decision.policy);
  const audit = seen.log?.audit;
  if (decision.audit !== undefined) {
    expect("the log's audit verdict", audit?.verdict, decision.audit.verdict);
    expect("the log's audit policy", audit?.policy, decision.audit.rule);
  } else if (audit?.verdict !== undefined) expect("the log's audit verdict", audit.verdict, decision.verdict);
  return found;
}
