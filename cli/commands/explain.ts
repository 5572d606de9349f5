import { type Command, Option } from "commander";
import { type CommandContext, withExamples } from "../command.ts";
import { addControlPlaneOptions } from "../control-plane-choice.ts";
import type { ExplainOptions } from "../explain/explain.ts";
import { repeated, repeatedFileOption } from "../manifests/files-option.ts";
import { outputOption } from "../output-format.ts";

export function define(command: Command, context: CommandContext): void {
  command
    .description(
      "Says whether a request would be allowed, which rule decides, and what would have to be different. It asks a running control plane, or, with -f, the manifests alone. Ends with 0 when the request is allowed and with 1 when it is not.",
    )
    .argument("<method>", "the HTTP method, such as GET")
    .argument("[path]", "the path, with its query", "/")
    .requiredOption("--to <service>", "the called service: orders.shop, or orders.shop:9000 for another than its first port")
    .option("--from <caller>", "the caller: the service account shop/web, or anonymous for one without identity", "anonymous")
    .option("--address <ip>", "the caller's address")
    .option("--host <host>", "the Host header (default: the service's name)")
    .addOption(new Option("-H, --header <header>", "a header, as 'name: value'; may be repeated").argParser(repeated))
    .addOption(new Option("--jwt <file>", "JSON with the claims of a token that counts as verified; iss is its issuer").conflicts("token"))
    .option("--token <file>", "a token, sent as Authorization: Bearer and verified; - for standard input")
    .addOption(repeatedFileOption("ask these manifests rather than a control plane"))
    .addOption(outputOption())
    .action(async (method: string, path: string, options: ExplainOptions) => {
      const { explain } = await import("../explain/explain.ts");
      context.finish(await explain({ ...options, method, path }, context.terminal));
    });
  addControlPlaneOptions(command);
  withExamples(
    command,
    { what: "may web delete an order?", line: "seawall explain --from shop/web --to orders.shop DELETE /orders/1" },
    {
      what: "what would a customer get, by these manifests?",
      line: `echo '{"iss": "https://idp.shop.example", "sub": "alice", "role": "customer"}' > claims.json\nseawall explain -f examples/shop/manifests --to web.shop --jwt claims.json GET /orders`,
    },
  );
}
