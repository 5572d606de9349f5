/** A pod's own way to its API server: what kubelet puts into every container that has a service account. */
import { readFile } from "node:fs/promises";
import { existsSync, readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import { type ClusterAccess, ClusterAccessError, type Credentials, reasonOf } from "./cluster-access.ts";

const SERVICE_ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";

type Environment = Readonly<Record<string, string | undefined>>;

/** Undefined where this process runs in no pod, or in one without a service account's token. */
export function inClusterAccess(environment: Environment, folder: string = SERVICE_ACCOUNT_FOLDER): ClusterAccess | undefined {
  const host = environment["KUBERNETES_SERVICE_HOST"];
  const port = environment["KUBERNETES_SERVICE_PORT"];
  if (host === undefined || host === "" || port === undefined || port === "" || !existsSync(join(folder, "token"))) return undefined;
  return {
    server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    namespace: namespaceIn(folder),
    credentials: () => readCredentials(folder),
  };
}

/** Read for each request: kubelet replaces the token well before it ends, and the authority's certificate when that changes. */
async function readCredentials(folder: string): Promise<Credentials> {
  try {
    const [token, ca] = await Promise.all([readFile(join(folder, "token"), "utf8"), readFile(join(folder, "ca.crt"), "utf8")]);
    return { ca, headers: { authorization: `Bearer ${token.trim()}` } };
  } catch (error) {
    throw new ClusterAccessError(
      "CredentialsUnavailable",
      `the service account's token and CA cannot be read: ${reasonOf(error)}; does the pod mount them (automountServiceAccountToken)?`,
      error,
    );
  }
}

function namespaceIn(folder: string): string {
  try {
    return readFileSync(join(folder, "namespace"), "utf8").trim() || "default";
  } catch {
    return "default";
  }
}
