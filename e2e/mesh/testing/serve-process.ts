import { startSeawall } from "../../../cli/testing/run-seawall.ts";
import { eventually } from "../../support/eventually.ts";
import type { ControlPlaneSettings, RunningControlPlane } from "./control-plane.ts";

/** `seawall serve` as a process. Resolves when its admin port says that it is ready. */
export async function seawallServe(
  settings: ControlPlaneSettings,
  ports: { readonly xds: number; readonly admin: number },
): Promise<RunningControlPlane> {
  const { address, configFolder, stateFolder, leafLifetimeMs } = settings;
  const process = startSeawall([
    ...["serve", "--config-dir", configFolder, "--state-dir", stateFolder],
    ...["--xds-address", `${address}:${ports.xds}`, "--admin-address", `${address}:${ports.admin}`],
    ...(leafLifetimeMs === undefined ? [] : ["--leaf-ttl", `${leafLifetimeMs}ms`]),
  ]);
  let ended = false;
  void process.ended.then(() => (ended = true));
  await eventually("the control plane is ready", async () => {
    if (ended) throw new Error(`seawall serve ended:\n${process.messages.items.join("\n")}`);
    const answer = await fetch(`http://${address}:${ports.admin}/readyz`).catch(() => undefined);
    return answer?.ok === true ? true : undefined;
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    process.child.kill(signal);
    await process.ended;
  };
  return { log: () => process.messages.items, stop: () => end("SIGTERM"), kill: () => end("SIGKILL") };
}
