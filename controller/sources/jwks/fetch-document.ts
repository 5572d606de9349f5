import { lookup } from "node:dns";
import { type IncomingMessage, type RequestOptions, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP, type LookupFunction } from "node:net";

export interface FetchLimits {
  /** Milliseconds for everything: name, connection, redirects and the last byte. */
  readonly timeout: number;
  /** Bytes of the body. */
  readonly largest: number;
  /** PEM certificates to trust instead of the ones that Node trusts. */
  readonly trustedCertificates?: string | undefined;
  /** Whether an IP address may not be talked to, whatever name led to it. */
  readonly refuseAddress?: ((address: string) => boolean) | undefined;
}

export type FetchedDocument =
  /** `maxAge` in milliseconds, where the server told one. */
  | { readonly kind: "fetched"; readonly text: string; readonly maxAge: number | undefined }
  /** Why not, as a sentence without a subject. The same failure always gives the same words, and never what a server sent. */
  | { readonly kind: "failed"; readonly error: string };

const MOST_REDIRECTS = 3;

/** What is wrong with a URI that {@link fetchDocument} will never fetch, or undefined. */
export function uriProblem(uri: string): string | undefined {
  const url = URL.parse(uri);
  if (url === null) return "is not a URI";
  if (url.protocol !== "https:" && url.protocol !== "http:") return "is neither an https: nor an http: URI";
  if (url.username !== "" || url.password !== "") return "holds a user name or a password, which would end up in logs";
  return undefined;
}

/** GETs a text document over HTTP. A redirect is followed to https: only, so that nobody on the way can take the answer over. Never rejects. */
export async function fetchDocument(uri: string, limits: FetchLimits, signal: AbortSignal): Promise<FetchedDocument> {
  const problem = uriProblem(uri);
  if (problem !== undefined) return { kind: "failed", error: problem };
  const deadline = AbortSignal.timeout(limits.timeout);
  const either = AbortSignal.any([signal, deadline]);
  try {
    let url = new URL(uri);
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      const answer = await get(url, limits, either);
      if (answer.kind !== "redirect") return answer;
      const target = URL.parse(answer.location, url.href);
      if (target === null || uriProblem(target.href) !== undefined) return failed("redirects to what is not a web address");
      if (target.protocol !== "https:") return failed("redirects to http:, where anybody on the way could answer with keys of their own");
      url = target;
    }
    return failed(`redirects more than ${MOST_REDIRECTS} times`);
  } catch (failure) {
    if (deadline.aborted) return failed(`did not answer completely within ${limits.timeout / 1000} s`);
    return failed(describe(failure));
  }
}

type Answer = FetchedDocument | { readonly kind: "redirect"; readonly location: string };

/** Rejects when no complete answer came. */
async function get(url: URL, limits: FetchLimits, signal: AbortSignal): Promise<Answer> {
  // A name is checked as it is resolved; an address that stands in the URI is never resolved.
  const address = url.hostname.replace(/^\[|\]$/g, "");
  if (isIP(address) !== 0 && limits.refuseAddress?.(address) === true) return failed(REFUSED_ADDRESS);
  const response = await respond(url, limits, signal);
  try {
    const { statusCode = 0, headers } = response;
    if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined) return { kind: "redirect", location: headers.location };
    if (statusCode !== 200) return failed(`answers with status ${statusCode}`);
    if ((headers["content-encoding"] ?? "identity") !== "identity") return failed("answers with a compressed body that was not asked for");
    const text = await bodyOf(response, limits.largest);
    if (text === undefined) return failed(`answers with more than ${limits.largest} bytes`);
    return { kind: "fetched", text, maxAge: maxAgeIn(headers["cache-control"]) };
  } finally {
    response.destroy();
  }
}

function respond(url: URL, { trustedCertificates, refuseAddress }: FetchLimits, signal: AbortSignal): Promise<IncomingMessage> {
  const options: RequestOptions & { ca?: string } = {
    agent: false,
    signal,
    headers: { accept: "application/jwk-set+json, application/json", "accept-encoding": "identity", "user-agent": "seawall" },
    ...(trustedCertificates === undefined ? {} : { ca: trustedCertificates }),
    ...(refuseAddress === undefined ? {} : { lookup: lookupUnless(refuseAddress) }),
  };
  return new Promise((resolve, reject) => {
    const request = url.protocol === "https:" ? httpsRequest(url, options) : httpRequest(url, options);
    request.once("response", resolve).once("error", reject).end();
  });
}

async function bodyOf(response: IncomingMessage, largest: number): Promise<string | undefined> {
  if (Number(response.headers["content-length"] ?? 0) > largest) return undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > largest) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** RFC 9111 section 5.2.2.1, in milliseconds. What is not to be stored has no age. */
function maxAgeIn(cacheControl: string | undefined): number | undefined {
  const directives = (cacheControl ?? "").toLowerCase().split(",");
  if (directives.some((directive) => ["no-store", "no-cache"].includes(directive.trim()))) return undefined;
  const [, seconds] =
    directives.map((directive) => /^\s*max-age\s*=\s*"?(\d{1,9})"?\s*$/.exec(directive)).find((match) => match !== null) ?? [];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}

const REFUSED_ADDRESS = "has an address that the mesh does not allow to be called";

/** Resolves names as usual, without the addresses that are refused; so a name cannot be made to lead to one later. */
function lookupUnless(refuse: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (failure, addresses) => {
      const allowed = failure ? [] : addresses.filter(({ address }) => !refuse(address));
      const [first] = allowed;
      if (failure) callback(failure, "");
      else if (first === undefined) callback(Object.assign(new Error(REFUSED_ADDRESS), { code: "REFUSED_ADDRESS" }), "");
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ["REFUSED_ADDRESS", REFUSED_ADDRESS],
  ["ENOTFOUND", "has a host name that cannot be resolved"],
  ["EAI_AGAIN", "has a host name that cannot be resolved for now"],
  ["ECONNREFUSED", "refuses the connection"],
  ["ECONNRESET", "breaks the connection off"],
  ["EHOSTUNREACH", "cannot be reached"],
  ["ENETUNREACH", "cannot be reached"],
  ["ETIMEDOUT", "does not answer"],
  ["EPROTO", "does not speak TLS as it should"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "has a certificate for another name"],
  ["CERT_HAS_EXPIRED", "has a certificate that expired"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "has a certificate that is not trusted"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "has a certificate that is not trusted"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "has a certificate that is not trusted"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "has a certificate that is not trusted"],
]);

function describe(failure: unknown): string {
  const code = typeof failure === "object" && failure !== null && "code" in failure ? String(failure.code) : "";
  return (
    REASONS.get(code) ?? (code.startsWith("HPE_") ? "does not speak HTTP" : `cannot be fetched (${code === "" ? "no reason given" : code})`)
  );
}

function failed(error: string): FetchedDocument {
  return { kind: "failed", error };
}
