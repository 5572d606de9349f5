/** What is called: plain semantics of `to`, after 5-policies.md. */
import { BAD_PATH, canonicalPath } from "../canonical-path.ts";
import { comparedHost, hostMatches } from "../hosts.ts";
import type { To } from "../match.ts";
import { matchesPath, pathTemplate } from "../path-template.ts";
import type { PolicyRequest } from "../request.ts";
import { coversPort } from "./covers-port.ts";
import { type EvaluateContext, listed, type Unmet } from "./evaluate-context.ts";

/** What one item of `to` misses in the request. */
export function unmetTo(to: To, request: PolicyRequest, context: EvaluateContext): Unmet {
  if (!coversPort(to, context.port)) return [`port ${context.port.number} is not ${listed(to.ports ?? [])}`];
  if (context.port.protocol === "TCP") return usesHttp(to) && !context.unknown ? ["a TCP port has no methods, paths or hosts"] : [];
  const unmet: string[] = [];
  if (to.methods !== undefined && !to.methods.includes(request.method)) {
    unmet.push(`the method is ${request.method}, not ${listed(to.methods)}`);
  }
  if (to.paths !== undefined) {
    const canonical = canonicalPath(request.path);
    if (canonical === BAD_PATH || !to.paths.some((path) => matchesPath(pathTemplate(path), canonical))) {
      unmet.push(`the path ${canonical === BAD_PATH ? request.path : canonical} is not ${listed(to.paths)}`);
    }
  }
  if (to.hosts !== undefined && !to.hosts.some((host) => hostMatches(host, request.host))) {
    unmet.push(`the host is ${comparedHost(request.host)}, not ${listed(to.hosts)}`);
  }
  return unmet;
}

/** Whether an item of `to` asks for what only HTTP has. */
export function usesHttp(to: To): boolean {
  return to.methods !== undefined || to.paths !== undefined || to.hosts !== undefined;
}
