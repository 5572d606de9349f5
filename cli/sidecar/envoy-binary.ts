import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { envoyPath } from "../../tools/fetch-envoy.ts";
import { CommandFailure } from "../command-failure.ts";

/** The Envoy to run: the one that was named, `SEAWALL_ENVOY`, the first on `PATH`, or the one that `make tools` fetched. */
export async function findEnvoy(named: string | undefined, environment: Readonly<Record<string, string | undefined>>): Promise<string> {
  const asked = named ?? environment["SEAWALL_ENVOY"];
  if (asked) {
    if (await isExecutable(asked)) return asked;
    throw CommandFailure.usage(`${asked} is not a program that can be run. ${HOW_TO_GET_ONE}`);
  }
  const onPath = (environment["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const candidate of [...onPath.map((folder) => join(folder, "envoy")), envoyPath({ ...environment })]) {
    if (await isExecutable(candidate)) return candidate;
  }
  throw CommandFailure.failed(`Envoy was not found. ${HOW_TO_GET_ONE}`);
}

const HOW_TO_GET_ONE =
  "Run `make tools` in Seawall's folder, which fetches the version that it is built for, or name one with --envoy or SEAWALL_ENVOY.";

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
