import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { Cluster } from "../cluster/cluster.ts";
import type { ClusterOptions } from "../cluster/cluster-options.ts";
import { reachableReplicas } from "../control-planes.ts";
import { packageVersion } from "../package-version.ts";
import { say, type Terminal } from "../terminal.ts";
import { collect } from "./collect.ts";
import { tar } from "./tar.ts";

export interface BugReportOptions extends ClusterOptions {
  readonly namespace?: string;
  readonly sidecars: number;
  readonly lines: number;
  readonly write?: string;
}

/** Writes the archive, and prints where it is. */
export async function bugReport(options: BugReportOptions, terminal: Terminal): Promise<void> {
  await using cluster = await Cluster.connect(options, terminal);
  const now = new Date();
  const { files, missing } = await collect(
    { cluster, ...(await reachableReplicas(cluster)), version: packageVersion(), now: now.getTime(), sinceMs: 3_600_000 },
    { ...options, progress: (what) => say(terminal, `collecting ${what} ...`) },
  );
  const name = `seawall-bug-report-${now.toISOString().slice(0, 19).replaceAll(":", "-")}`;
  const file = options.write ?? `${name}.tar.gz`;
  const archive = tar(
    files.map(({ path, content }) => ({ path: `${name}/${path}`, content })),
    now,
  );
  await writeFile(file, await promisify(gzip)(archive), { mode: 0o600 });
  if (missing.length > 0) say(terminal, `${missing.length} pieces could not be had; missing.txt in it says which.`);
  say(
    terminal,
    "Keys, tokens, passwords and the values of environment variables are left out. Access logs and names of your services are in it: read it before you pass it on.",
  );
  terminal.output.write(`${file}\n`);
}
