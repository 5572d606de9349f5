/** What is called, as Envoy sees it: RBAC permissions, RBAC principals (inside `except`), routes, or headers (for limits). */
import { create } from "@bufbuild/protobuf";
import {
  type Permission,
  PermissionSchema,
  type Principal,
  PrincipalSchema,
} from "../../../xds-server/gen/envoy/config/rbac/v3/rbac_pb.js";
import {
  type HeaderMatcher,
  type RouteMatch,
  RouteMatchSchema,
} from "../../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import { type PathMatcher, PathMatcherSchema } from "../../../xds-server/gen/envoy/type/matcher/v3/path_pb.js";
import { hostRegex } from "../hosts.ts";
import type { To } from "../match.ts";
import { onlyPath, pathTemplate, toRegex } from "../path-template.ts";
import type { CalledPort } from "../request.ts";
import { coversPort } from "./covers-port.ts";
import { allPermissions, allPrincipals, anyPermission, anyPrincipal, exactly, header, matchesRegex, quoted } from "./translate-context.ts";

/** One item of `to`, its ports apart. */
export function toPermission(to: To): Permission {
  const all = headersOf(to).map((value) => create(PermissionSchema, { rule: { case: "header", value } }));
  const paths = pathsOf(to).map((value) => create(PermissionSchema, { rule: { case: "urlPath", value } }));
  return allPermissions(paths.length === 0 ? all : [...all, anyPermission(paths)]);
}

/** The same as a principal, for `except`, where both halves stand under one negation. */
export function toPrincipal(to: To): Principal {
  const all = headersOf(to).map((value) => create(PrincipalSchema, { identifier: { case: "header", value } }));
  const paths = pathsOf(to).map((value) => create(PrincipalSchema, { identifier: { case: "urlPath", value } }));
  return allPrincipals(paths.length === 0 ? all : [...all, anyPrincipal(paths)]);
}

/** One item of `to` as a route: none when it does not concern the port. */
export function toRouteMatch(to: To, port: CalledPort): RouteMatch[] {
  if (!coversPort(to, port)) return [];
  return [
    create(RouteMatchSchema, {
      pathSpecifier:
        to.paths === undefined ? { case: "prefix", value: "/" } : { case: "safeRegex", value: { regex: pathsRegex(to.paths) } },
      headers: headersOf(to),
    }),
  ];
}

/** One item of `to` as conditions on headers, its ports apart; `:path` may carry a query. All of them must hold. */
export function toHeaderMatchers(to: To): HeaderMatcher[] {
  if (to.paths === undefined) return headersOf(to);
  return [...headersOf(to), header(":path", matchesRegex(`(?:${pathsRegex(to.paths)})(?:\\?.*)?`))];
}

function headersOf({ methods, hosts }: To): HeaderMatcher[] {
  const found: HeaderMatcher[] = [];
  if (methods !== undefined) {
    const [only = ""] = methods;
    found.push(header(":method", methods.length === 1 ? exactly(only) : matchesRegex(methods.map(quoted).join("|"))));
  }
  if (hosts !== undefined) found.push(header(":authority", matchesRegex(hostRegex(hosts))));
  return found;
}

function pathsOf({ paths = [] }: To): PathMatcher[] {
  return paths.map((text) => {
    const template = pathTemplate(text);
    const only = onlyPath(template);
    const path = only === undefined ? matchesRegex(toRegex(template)) : exactly(only);
    return create(PathMatcherSchema, { rule: { case: "path", value: path } });
  });
}

function pathsRegex(paths: readonly string[]): string {
  return paths.map((text) => toRegex(pathTemplate(text))).join("|");
}
