/** A control plane as a process of this machine, with what the chart gives it: configuration, service account, permissions. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type RunningSeawall, startSeawall } from "../../cli/testing/run-seawall.ts";
import type { ApiServer } from "../../e2e/cluster/api-server.ts";
import { kubeconfig } from "../../e2e/cluster/api-server-files.ts";
import { freePort } from "../../e2e/support/ports.ts";
import { type Manifest, named, render, run } from "./helm.ts";

export interface ControlPlane extends RunningSeawall {
  readonly adminPort: number;
}

/** Starts it once the chart is installed; its files are written into the folder. */
export async function startControlPlane(server: ApiServer, folder: string): Promise<ControlPlane> {
  const config = named(render(), "ConfigMap", "seawall-config") as Manifest & { readonly data: Readonly<Record<string, string>> };
  for (const [name, text] of Object.entries(config.data)) await writeFile(join(folder, name), text);
  const asked = run("kubectl", ["--kubeconfig", server.kubeconfig, "create", "token", "seawall", "-n", "seawall-system"]);
  if (asked.status !== 0) throw new Error(asked.messages);
  const token = asked.output.trim();
  const file = join(folder, "kubeconfig");
  await writeFile(file, kubeconfig({ url: server.url, caPem: server.caPem, token }), { mode: 0o600 });
  await writeFile(join(folder, "token"), token, { mode: 0o600 });
  const ports = { xds: await freePort(), webhook: await freePort(), admin: await freePort() };
  const running = startSeawall([
    ...["controller", "--kubeconfig", file, "--token-file", join(folder, "token")],
    ...Object.entries(ports).map(([name, port]) => `--${name}-address=127.0.0.1:${port}`),
    ...["--mesh-config-file", join(folder, "mesh-config.json"), "--injection-file", join(folder, "injection.json")],
  ]);
  return { ...running, adminPort: ports.admin };
}
