/**
 * Whether the cluster that KUBECONFIG names can take the end-to-end tests: `node e2e/cluster/examine.ts` builds the images,
 * says all that is in the way and how to mend it, and ends with 1 then. Says nothing where the tests boot a node of their own.
 * With `--remove` it removes what tests left there that were broken off.
 */
import { parseArgs } from "node:util";
import { conformancePrograms } from "../conformance/programs.ts";
import { buildEchoImage } from "../conformance/echo-image.ts";
import { gatewayApi } from "../conformance/gateway-api.ts";
import { buildNamed } from "../../tools/images/build-images.ts";
import { SEAWALL_VERSION } from "../../tools/images/seawall-images.ts";
import { ForeignCluster, missingImages, type NeededImage, obstacles } from "./foreign-cluster.ts";
import { isForeignCluster } from "./open-cluster.ts";

const REMOVAL = "(what tests left that were broken off goes with `node e2e/cluster/examine.ts --remove`; so would a Seawall in use)";

async function neededImages(): Promise<readonly NeededImage[]> {
  const { echoImage } = gatewayApi();
  return [
    {
      name: `seawall/control-plane:${SEAWALL_VERSION}`,
      archive: await buildNamed("control-plane"),
      command: ["node", "--version"],
      reproducible: true,
    },
    {
      name: `seawall/sidecar:${SEAWALL_VERSION}`,
      archive: await buildNamed("sidecar"),
      command: ["envoy", "--version"],
      reproducible: true,
    },
    { name: "localhost/app:1", archive: await buildNamed("app"), command: ["true"], reproducible: true },
    // It holds a certificate that is made with it.
    {
      name: echoImage,
      archive: await buildEchoImage(echoImage, conformancePrograms()),
      command: ["client", "--help"],
      reproducible: false,
    },
  ];
}

async function examine(kubeconfig: string): Promise<readonly string[]> {
  const cluster = new ForeignCluster(kubeconfig);
  const found = await obstacles(cluster);
  if (found.length > 0) return found.some((line) => line.includes("there already")) ? [...found, REMOVAL] : found;
  console.error("looking on the nodes for the images ...");
  const missing = await missingImages(cluster, await neededImages());
  return missing.length === 0
    ? []
    : [...missing, "(nothing is pulled: bring each archive to every node, as `kind load image-archive ARCHIVE` does)"];
}

try {
  const { KUBECONFIG: kubeconfig = "" } = process.env;
  const { values } = parseArgs({ options: { remove: { type: "boolean", default: false } } });
  if (values.remove && isForeignCluster()) await new ForeignCluster(kubeconfig).stop();
  const found = isForeignCluster() && !values.remove ? await examine(kubeconfig) : [];
  if (found.length > 0) {
    console.error(`the cluster of ${kubeconfig} cannot take the tests:\n${found.map((line) => `  ${line}\n`).join("")}`);
    process.exitCode = 1;
  }
} catch (error) {
  console.error(`seawall e2e: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
