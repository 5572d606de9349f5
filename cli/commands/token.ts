import { InvalidArgumentError, type Command } from "commander";
import { type CommandContext, withExamples } from "../command.ts";
import { CommandFailure } from "../command-failure.ts";
import { durationOption } from "../duration.ts";
import { type OutputFormat, outputOption } from "../output-format.ts";
import { stateFolderOption } from "../state-folder-option.ts";

interface CreateOptions {
  readonly ttl: number;
  readonly stateDir: string;
  readonly write?: string;
  readonly output: OutputFormat;
}

export interface PodName {
  readonly namespace: string;
  readonly pod: string;
}

/** A commander argument's reader for `namespace/pod`. */
export function podArgument(text: string): PodName {
  const [namespace, pod, ...rest] = text.split("/");
  if (!namespace || !pod || rest.length > 0) throw new InvalidArgumentError("write <namespace>/<pod>, for example shop/web.");
  return { namespace, pod };
}

/** The same, where `-n` may name the namespace. */
export function podIn(text: string, namespace: string | undefined): PodName {
  if (!text.includes("/") && namespace !== undefined && text !== "") return { namespace, pod: text };
  try {
    return podArgument(text);
  } catch {
    throw CommandFailure.usage(`${text}: write <namespace>/<pod>, for example shop/web, or name the namespace with -n.`);
  }
}

export function define(command: Command, { terminal }: CommandContext): void {
  const create = command
    .command("create")
    .summary("make a join token for one pod")
    .description(
      "Makes the token with which the sidecar of one pod joins the mesh. It works beside a running control plane and before its first start.",
    )
    .argument("<namespace/pod>", "the pod that the token is for", podArgument)
    .option("--ttl <duration>", "how long the token is good for; a running sidecar renews its own", durationOption, 24 * 3_600_000)
    .addOption(stateFolderOption(terminal.environment))
    .option("-w, --write <file>", "write the token to a file that only you can read, instead of printing it")
    .addOption(outputOption())
    .action(async (pod: PodName, options: CreateOptions) => {
      const { createToken } = await import("../token/create-token.ts");
      await createToken(pod, options, terminal);
    });
  // The number that the reader made would be shown otherwise.
  create.options.find((option) => option.long === "--ttl")?.default(24 * 3_600_000, "24h");
  withExamples(
    create,
    { what: "a token for the pod web of the namespace shop, good for a day", line: "seawall token create shop/web -w web.token" },
    { what: "the same for a script: the token and when it expires", line: "seawall token create shop/web --ttl 1h -o json" },
  );
}
