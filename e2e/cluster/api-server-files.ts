/** What kube-apiserver reads from its folder: who has which token, and the key that signs service accounts' tokens. */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";

export interface KnownUser {
  readonly name: string;
  readonly groups: readonly string[];
  readonly token: string;
}

/** A user with a token that nobody can guess. */
export function knownUser(name: string, ...groups: string[]): KnownUser {
  return { name, groups, token: randomBytes(16).toString("hex") };
}

/** May do everything, also when RBAC's objects are gone. */
export const ADMIN = { name: "admin", group: "system:masters" } as const;

export interface ApiServerFiles {
  readonly tokens: string;
  readonly serviceAccountKey: string;
  readonly certificates: string;
}

/** Writes them; a service account key that is there already is kept, so that its tokens stay good. */
export async function writeApiServerFiles(folder: string, users: readonly KnownUser[]): Promise<ApiServerFiles> {
  const tokens = join(folder, "tokens.csv");
  const lines = users.map(({ name, groups, token }) => `${token},${name},${name},"${groups.join(",")}"`);
  await writeFile(tokens, `${lines.join("\n")}\n`, { mode: 0o600 });
  const serviceAccountKey = join(folder, "service-account.pem");
  if (!existsSync(serviceAccountKey)) {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    await writeFile(serviceAccountKey, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  }
  return { tokens, serviceAccountKey, certificates: join(folder, "certificates") };
}

export interface KubeconfigOptions {
  readonly url: string;
  readonly caPem: string;
  readonly token: string;
  /** The name that the certificate is checked for, where the URL has another. */
  readonly serverName?: string;
}

/** A kubeconfig with one context and everything in it. */
export function kubeconfig({ url, caPem, token, serverName }: KubeconfigOptions): string {
  const cluster = {
    server: url,
    "certificate-authority-data": Buffer.from(caPem).toString("base64"),
    ...(serverName === undefined ? {} : { "tls-server-name": serverName }),
  };
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "seawall-e2e", cluster }],
    users: [{ name: "seawall-e2e", user: { token } }],
    contexts: [{ name: "seawall-e2e", context: { cluster: "seawall-e2e", user: "seawall-e2e" } }],
    "current-context": "seawall-e2e",
  });
}
