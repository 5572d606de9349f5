import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { explain as explainOffline, type Explanation } from "../../controller/explain/explain.ts";
import type { ExplainRequest } from "../../controller/explain/explain-request.ts";
import { errorsOf } from "../../crds/core/violation.ts";
import { CommandFailure, reasonOf } from "../command-failure.ts";
import type { ControlPlaneChoice } from "../control-plane-choice.ts";
import { ControlPlanes } from "../control-planes.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { offlineMesh } from "../manifests/offline-mesh.ts";
import { readNamedManifests } from "../manifests/read-manifests.ts";
import { type OutputFormat, print } from "../output-format.ts";
import { say, type Terminal } from "../terminal.ts";
import { describeExplanation } from "./describe.ts";

export interface ExplainOptions extends ControlPlaneChoice {
  readonly to: string;
  /** `namespace/service account`, or `anonymous`. */
  readonly from: string;
  readonly address?: string;
  readonly host?: string;
  readonly header?: readonly string[];
  /** A file of claims. */
  readonly jwt?: string;
  /** A file that holds a token. */
  readonly token?: string;
  readonly file?: readonly string[];
  readonly output: OutputFormat;
}

/** Returns 0 for a request that would be allowed, 1 for one that would not. Throws CommandFailure for what cannot be asked. */
export async function explain(
  options: ExplainOptions & { readonly method: string; readonly path: string },
  terminal: Terminal,
): Promise<ExitCode> {
  const request = await readRequest(options, terminal);
  const explanation =
    options.file === undefined ? await askControlPlane(options, request, terminal) : await askManifests(options.file, request, terminal);
  if (options.output === "table") {
    if (explanation.verdict === "unknown") throw CommandFailure.usage(explanation.reason);
    terminal.output.write(describeExplanation(request, explanation));
  } else {
    await print(terminal, options.output, { columns: [], rows: [], data: { request: withoutToken(request), ...explanation } });
  }
  switch (explanation.verdict) {
    case "allowed":
      return EXIT.ok;
    case "denied":
      return EXIT.no;
    case "unknown":
      return EXIT.usage;
  }
}

async function askControlPlane(choice: ControlPlaneChoice, request: ExplainRequest, terminal: Terminal): Promise<Explanation> {
  await using controlPlanes = await ControlPlanes.reach(choice, terminal);
  return await controlPlanes.explain(request);
}

async function askManifests(files: readonly string[], request: ExplainRequest, terminal: Terminal): Promise<Explanation> {
  const { entries, problems } = await readNamedManifests(files, terminal);
  const errors = errorsOf(problems);
  if (errors.length > 0) {
    const objects = errors.length === 1 ? "a mistake" : `${errors.length} mistakes`;
    say(terminal, `the manifests have ${objects}: seawall validate -f ${files.join(" ")} says where. Policies that do not hold refuse.`);
  }
  const { mesh, jwks } = offlineMesh(entries);
  return explainOffline(mesh, jwks, request, Date.now());
}

async function readRequest(
  options: ExplainOptions & { readonly method: string; readonly path: string },
  terminal: Terminal,
): Promise<ExplainRequest> {
  const headers = (options.header ?? []).map(readHeader);
  let claims = options.jwt === undefined ? undefined : await readClaims(options.jwt);
  if (options.token !== undefined) {
    const token = (options.token === "-" ? await text(terminal.input) : await readText(options.token)).trim();
    if (options.file === undefined) headers.push(["authorization", `Bearer ${token}`]);
    else {
      claims = claimsOf(token, options.token);
      say(terminal, "the token counts as verified: its issuer's keys are not at hand. A running control plane (--admin) verifies it.");
    }
  }
  const from = readCaller(options.from, options.address);
  return {
    to: readService(options.to),
    method: options.method,
    path: options.path,
    ...(from === undefined ? {} : { from }),
    ...(options.host === undefined ? {} : { host: options.host }),
    ...(headers.length === 0 ? {} : { headers }),
    ...(claims === undefined ? {} : { claims }),
  };
}

function readService(to: string): ExplainRequest["to"] {
  const found = /^([^./:]+)\.([^./:]+)(?:\.svc(?:\.cluster\.local)?)?(?::(\d{1,5}))?$/.exec(to);
  const [, service, namespace, port] = found ?? [];
  if (service === undefined || namespace === undefined) {
    throw CommandFailure.usage(`--to ${to}: write <service>.<namespace>, for example orders.shop or orders.shop:9000.`);
  }
  return { service, namespace, ...(port === undefined ? {} : { port: Number(port) }) };
}

function readCaller(from: string, address: string | undefined): ExplainRequest["from"] | undefined {
  const at = address === undefined ? {} : { address };
  if (from === "anonymous") return address === undefined ? undefined : at;
  if (!/^[^/]+\/[^/]+$/.test(from))
    throw CommandFailure.usage(`--from ${from}: write <namespace>/<service account>, for example shop/web, or anonymous.`);
  return { serviceAccount: from, ...at };
}

function readHeader(line: string): [string, string] {
  const colon = line.indexOf(":");
  if (colon <= 0) throw CommandFailure.usage(`--header ${line}: write 'name: value'.`);
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
}

async function readClaims(file: string): Promise<Record<string, unknown>> {
  let claims: unknown;
  try {
    claims = JSON.parse(await readText(file));
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    throw CommandFailure.usage(`${file} is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof claims !== "object" || claims === null || Array.isArray(claims))
    throw CommandFailure.usage(`${file} does not hold the claims of a token: a JSON object.`);
  return claims as Record<string, unknown>;
}

function claimsOf(token: string, file: string): Record<string, unknown> {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
    if (typeof claims === "object" && claims !== null) return claims as Record<string, unknown>;
  } catch {
    // Said below, for whatever reason.
  }
  throw CommandFailure.usage(`${file} does not hold a JSON Web Token.`);
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw CommandFailure.usage(`${file} cannot be read: ${reasonOf((error as NodeJS.ErrnoException).code ?? "")}.`, error);
  }
}

/** What is printed may end up in tickets. */
function withoutToken(request: ExplainRequest): ExplainRequest {
  if (request.headers === undefined) return request;
  const headers = request.headers.map(([name = "", value = ""]) => [name, name.toLowerCase() === "authorization" ? "(not shown)" : value]);
  return { ...request, headers };
}
