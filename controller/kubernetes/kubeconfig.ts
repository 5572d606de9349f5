/**
 * A person's way to an API server: a kubeconfig, by kubectl's rules. The client library knows every way to authenticate that
 * a kubeconfig can name; it takes some 90 MB of memory, so it is only loaded where there is one.
 */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import type { OutgoingHttpHeaders } from "node:http";
import type { Agent, RequestOptions } from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";
import { type ClusterAccess, ClusterAccessError, type Credentials, reasonOf } from "./cluster-access.ts";

export interface KubeconfigChoice {
  /** Files in the order in which they count: of two things with one name the first stands. */
  readonly files: readonly string[];
  /** The current context unless given. */
  readonly context?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The files that kubectl would read: those of KUBECONFIG that exist, or the one in the home folder. */
export function kubeconfigFiles(environment: Environment): { readonly files: readonly string[]; readonly named: boolean } {
  const named = (environment["KUBECONFIG"] ?? "").split(delimiter).filter((file) => file !== "");
  if (named.length > 0) return { files: named, named: true };
  return { files: [join(environment["HOME"] ?? homedir(), ".kube", "config")], named: false };
}

/** Rejects with a {@link ClusterAccessError}. */
export async function kubeconfigAccess(choice: KubeconfigChoice): Promise<ClusterAccess> {
  const config = await load(choice);
  const user = config.getCurrentUser();
  const cluster = config.getCurrentCluster();
  const context = config.getContextObject(config.getCurrentContext());
  if (cluster === null || context === null) throw missing(config, choice);
  if (context.user !== "" && user === null) {
    throw new ClusterAccessError(
      "KubeconfigInvalid",
      `context ${context.name} names the user ${context.user}, who is not in ${listed(choice.files)}`,
    );
  }
  // The library refuses plain HTTP unless told that nothing is to be verified; kubectl speaks it, as to `kubectl proxy`.
  if (cluster.server.startsWith("http:")) Object.assign(cluster, { skipTLSVerify: true });
  return {
    server: cluster.server.replace(/\/+$/, ""),
    namespace: context.namespace ?? "default",
    credentials: () => credentialsOf(config, cluster.proxyUrl !== undefined),
  };
}

async function load({ files, context }: KubeconfigChoice): Promise<KubeConfig> {
  const present = files.filter((file) => existsSync(file));
  if (present.length === 0) {
    throw new ClusterAccessError("KubeconfigNotFound", `${listed(files)} not found: name a kubeconfig with --kubeconfig or KUBECONFIG`);
  }
  const { KubeConfig } = await import("@kubernetes/client-node");
  const merged = new KubeConfig();
  const parts = present.map((file) => {
    const part = new KubeConfig();
    try {
      part.loadFromFile(resolve(file));
    } catch (error) {
      throw new ClusterAccessError("KubeconfigInvalid", `${file} is no kubeconfig: ${reasonOf(error)}`, error);
    }
    return part;
  });
  merged.loadFromOptions({
    clusters: firstOfName(parts.flatMap((part) => part.clusters)),
    users: firstOfName(parts.flatMap((part) => part.users)),
    contexts: firstOfName(parts.flatMap((part) => part.contexts)),
    currentContext: context ?? parts.map(currentContextOf).find((name) => name !== undefined && name !== ""),
  });
  return merged;
}

async function credentialsOf(config: KubeConfig, throughProxy: boolean): Promise<Credentials> {
  const options: RequestOptions = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch (error) {
    throw new ClusterAccessError("CredentialsUnavailable", `the kubeconfig's credentials cannot be had: ${reasonOf(error)}`, error);
  }
  const { auth, ca, cert, key, pfx, passphrase, rejectUnauthorized, servername, agent } = options;
  return definedOnly({
    headers: options.headers as OutgoingHttpHeaders | undefined,
    auth,
    ca,
    cert,
    key,
    pfx,
    passphrase,
    rejectUnauthorized,
    servername,
    agent: throughProxy ? (agent as Agent | undefined) : undefined,
  });
}

function missing(config: KubeConfig, { files, context }: KubeconfigChoice): ClusterAccessError {
  const names = config.getContexts().map(({ name }) => name);
  const wanted = context ?? currentContextOf(config);
  const known = names.length === 0 ? "there is none in it" : `there are ${names.join(", ")}`;
  if (wanted === undefined) return new ClusterAccessError("ContextNotFound", `${listed(files)} has no current context: ${known}`);
  if (!names.includes(wanted)) return new ClusterAccessError("ContextNotFound", `no context ${wanted} in ${listed(files)}: ${known}`);
  return new ClusterAccessError("KubeconfigInvalid", `context ${wanted} names a cluster that is not in ${listed(files)}`);
}

/** The library's type says that there is always one. */
function currentContextOf(config: KubeConfig): string | undefined {
  return config.currentContext;
}

function firstOfName<T extends { readonly name: string }>(items: readonly T[]): T[] {
  return [...new Map(items.toReversed().map((item) => [item.name, item])).values()];
}

function definedOnly(fields: { readonly [Name in keyof Credentials]: Credentials[Name] | undefined }): Credentials {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));
}

function listed(files: readonly string[]): string {
  return files.join(" and ");
}
