import { Argument, type Command } from "commander";
import { type CommandContext, withExamples } from "../command.ts";
import { addControlPlaneOptions } from "../control-plane-choice.ts";
import { outputOption } from "../output-format.ts";
import { CONFIG_PARTS, type ConfigPart } from "../proxy/config-part.ts";
import type { ConfigOptions } from "../proxy/config.ts";
import type { StatusOptions } from "../proxy/status.ts";
import { podIn } from "./token.ts";

export function define(command: Command, context: CommandContext): void {
  const status = command
    .command("status")
    .summary("which sidecars are connected, and whether they run what they should")
    .description(
      "Lists every pod that should have a sidecar: connected, synced, what it refuses, when its certificate ends. Ends with 1 when one of them is not well.",
    )
    .argument("[namespace/pod]", "only this pod")
    .option("-n, --namespace <name>", "only the pods of this namespace")
    .addOption(outputOption())
    .action(async (pod: string | undefined, options: StatusOptions) => {
      const named = pod === undefined ? undefined : podIn(pod, options.namespace);
      const { proxyStatus } = await import("../proxy/status.ts");
      context.finish(await proxyStatus(named, options, context.terminal));
    });
  addControlPlaneOptions(status);
  withExamples(
    status,
    { what: "the whole mesh", line: "seawall proxy status" },
    { what: "in a script: wait until web is well", line: "until seawall proxy status shop/web; do sleep 1; done" },
  );

  const config = command
    .command("config")
    .summary("what a sidecar runs, next to what it should run")
    .description(
      "Shows the configuration of a pod's sidecar, as Envoy itself tells it (through a port-forward in a cluster, on its admin socket elsewhere), and whether it is what the control plane means. Keys and tokens are never shown. Ends with 1 when it differs.",
    )
    .argument("<namespace/pod>", "the pod")
    .addArgument(new Argument("[part]", "a part of it (default: an overview)").choices(CONFIG_PARTS))
    .option("-n, --namespace <name>", "the pod's namespace, where its name stands alone")
    .option("--raw", "Envoy's own dump as JSON, with secrets taken out", false)
    .option("--socket <path>", "the sidecar's admin socket (default: the control plane knows it)")
    .addOption(outputOption())
    .action(async (pod: string, part: ConfigPart | undefined, options: ConfigOptions) => {
      const named = podIn(pod, options.namespace);
      const { proxyConfig } = await import("../proxy/config.ts");
      context.finish(await proxyConfig(named, part, options, context.terminal));
    });
  addControlPlaneOptions(config);
  withExamples(
    config,
    { what: "an overview", line: "seawall proxy config shop/web" },
    { what: "where may web go, and by which routes?", line: "seawall proxy config shop/web routes" },
    { what: "everything, for a ticket", line: "seawall proxy config shop/web --raw > web.json" },
  );
}
