/**
 * A cluster of somebody else's, named by KUBECONFIG: kind, minikube, a cloud. It is reached from here as it is, its images
 * and its API server are its owner's, and it is left as it was found: tests begin only where nothing is of the names that
 * they make, and those are removed at the end.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter } from "node:path";
import { type Cluster, ClusterCommands } from "./cluster.ts";

/** Every namespace that a test on a cluster makes. */
export const NAMESPACES_OF_TESTS = [
  ...["seawall-system", "shop", "legacy", "latecomer", "pods", "pods-outside", "pods-baseline", "probes"],
  ...["image-restricted", "image-free", "seawall-port-forward"],
  ...["gateway-conformance-mesh", "gateway-conformance-mesh-consumer"],
];

/** It shows that who is not in the mesh notices nothing of it. */
const POD_OF_TESTS = ["pod", "bystander", "--namespace", "default"] as const;

const KINDS = /\.seawall\.dev$/;
/** On the kinds of the Gateway API that a test installed since there were none. */
export const INSTALLED_BY_TESTS = "seawall.dev/installed-by-tests";

const OLDEST_MINOR = 30;
const NOT_OURS = "the API server of a cluster that was there before is not ours to end";

export class ForeignCluster extends ClusterCommands implements Cluster {
  constructor(kubeconfig: string) {
    super([], kubeconfig);
  }

  /** Throws with all that is in the way; afterwards everything of the tests' names is the tests'. */
  async open(): Promise<this> {
    const found = await obstacles(this);
    if (found.length > 0) throw new Error(`the cluster of ${this.kubeconfig} cannot take the tests: ${found.join("; ")}`);
    return this;
  }

  /** Its owner has brought it: `node e2e/cluster/examine.ts` says so or what is missing. */
  importImage(): Promise<void> {
    return Promise.resolve();
  }
  stopApiServer(): Promise<void> {
    return Promise.reject(new Error(NOT_OURS));
  }
  startApiServer(): Promise<void> {
    return Promise.reject(new Error(NOT_OURS));
  }
  restartApiServer(): Promise<void> {
    return Promise.reject(new Error(NOT_OURS));
  }

  /** Removes what tests have made, also where they were broken off. */
  async stop(): Promise<void> {
    const kinds = (await namesOf(this, "crd")).filter((name) => KINDS.test(name));
    await this.run(["helm", "uninstall", "seawall", "--namespace", "seawall-system", "--ignore-not-found", "--wait", "--timeout", "2m"]);
    if (kinds.length > 0) await this.kubectl("delete", "crd", ...kinds, "--ignore-not-found", "--timeout=120s");
    await this.kubectl("delete", "namespace", ...NAMESPACES_OF_TESTS, "--ignore-not-found", "--timeout=180s");
    await this.kubectl("delete", "crd", "--selector", INSTALLED_BY_TESTS, "--timeout=120s");
    await this.kubectl("delete", ...POD_OF_TESTS, "--ignore-not-found", "--now");
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

type Asked = Pick<ClusterCommands, "run" | "kubectl">;

/** What keeps tests from beginning on a cluster, a line each; nothing is changed there. */
export async function obstacles(cluster: Asked & Pick<Cluster, "kubeconfig">): Promise<readonly string[]> {
  if (!cluster.kubeconfig.split(delimiter).some((file) => existsSync(file))) return ["there is no such file"];
  const asked = await cluster.run(["kubectl", "version", "--output=json", "--request-timeout=20s"]);
  if (asked.status !== 0) return [`no API server answers: ${lastLine(asked.stderr)}`];
  const version = (JSON.parse(asked.stdout) as { readonly serverVersion?: { readonly minor: string } }).serverVersion;
  if (parseInt(version?.minor ?? "0", 10) < OLDEST_MINOR)
    return [`it is Kubernetes 1.${version?.minor ?? "?"}; needed is 1.${OLDEST_MINOR}`];
  const right = await cluster.run(["kubectl", "auth", "can-i", "*", "*", "--all-namespaces"]);
  if (right.status !== 0) {
    const who = await cluster.run(["kubectl", "auth", "whoami", "--output=jsonpath={.status.userInfo.username}"]);
    const name = who.status === 0 ? who.stdout : "the kubeconfig's user";
    return [`${name} may not do everything there: the tests install kinds, webhooks and cluster roles, so they need cluster-admin`];
  }
  const kinds = (await namesOf(cluster, "crd")).filter((name) => KINDS.test(name));
  const namespaces = (await namesOf(cluster, "namespace")).filter((name) => NAMESPACES_OF_TESTS.includes(name));
  const pod = await cluster.kubectl("get", ...POD_OF_TESTS, "--ignore-not-found", "--output=name");
  const taken = [...namespaces.map((name) => `namespace/${name}`), ...(pod === "" ? [] : [`${pod.trim()} in default`])];
  return [
    ...(kinds.length > 0 ? [`Seawall is there already (${kinds.join(", ")}): the tests would take it away`] : []),
    ...(taken.length > 0 ? [`what the tests make and remove is there already: ${taken.join(", ")}`] : []),
  ];
}

export interface NeededImage {
  /** As pods name it. */
  readonly name: string;
  readonly archive: string;
  /** Something short that the image can run. */
  readonly command: readonly string[];
  /** Whether making it again from the same sources gives the same image, so that another one is an old one. */
  readonly reproducible: boolean;
}

const EXAMINATION = "seawall-e2e-examination";

interface ExaminedPod {
  readonly spec: { readonly nodeName: string };
  readonly status?: { readonly containerStatuses?: readonly ContainerStatus[] };
}

interface ContainerStatus {
  readonly name: string;
  readonly imageID: string;
  readonly state: { readonly waiting?: { readonly reason?: string } };
}

/** Which images a node lacks, or has of another build; learned by a pod on each node that takes pods. A line each. */
export async function missingImages(cluster: Asked & Pick<Cluster, "apply">, images: readonly NeededImage[]): Promise<readonly string[]> {
  const pods = (await nodesForPods(cluster)).map((node) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { generateName: "images-", namespace: EXAMINATION },
    spec: {
      nodeName: node,
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      containers: images.map(({ name, command }, index) => ({ name: `image-${index}`, image: name, imagePullPolicy: "Never", command })),
    },
  }));
  if (pods.length === 0) return ["it has no node that takes pods"];
  await cluster.apply(JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: EXAMINATION } }));
  try {
    // A controller makes it in a moment; a pod that comes sooner is refused.
    await cluster.run(["kubectl", "create", "serviceaccount", "default", "--namespace", EXAMINATION]);
    const made = await cluster.run(["kubectl", "create", "-f", "-"], {
      input: JSON.stringify({ apiVersion: "v1", kind: "List", items: pods }),
    });
    if (made.status !== 0) return [`no pod can be made to see which images there are: ${lastLine(made.stderr)}`];
    const examined = await whenExamined(cluster, images.length);
    return examined.flatMap(({ spec, status }) =>
      images.flatMap((image, index) => {
        const found = status?.containerStatuses?.find(({ name }) => name === `image-${index}`);
        const where = `${spec.nodeName}: ${image.name}`;
        if (found === undefined || isUndecided(found)) return [`${where} could not be looked for: the node starts no pod`];
        if (found.state.waiting?.reason === "ErrImageNeverPull") return [`${where} is missing; its archive is ${image.archive}`];
        // A runtime that took the archive names the image by its configuration; others name it by what a registry has.
        const other = image.reproducible && /^sha256:/.test(found.imageID) && found.imageID !== idOf(image.archive);
        return other ? [`${where} is not what the sources make now; its archive is ${image.archive}`] : [];
      }),
    );
  } finally {
    await cluster.kubectl("delete", "namespace", EXAMINATION, "--timeout=120s");
  }
}

async function nodesForPods(cluster: Asked): Promise<readonly string[]> {
  interface Node {
    readonly metadata: { readonly name: string };
    readonly spec?: { readonly unschedulable?: boolean; readonly taints?: readonly { readonly effect: string }[] };
  }
  const { items } = JSON.parse(await cluster.kubectl("get", "nodes", "--output=json")) as { readonly items: readonly Node[] };
  return items.flatMap(({ metadata, spec = {} }) =>
    spec.unschedulable === true || spec.taints?.some(({ effect }) => effect !== "PreferNoSchedule") ? [] : [metadata.name],
  );
}

function isUndecided({ state, imageID }: ContainerStatus): boolean {
  const reason = state.waiting?.reason;
  return imageID === "" && (reason === undefined || reason === "ContainerCreating" || reason === "PodInitializing");
}

async function whenExamined(cluster: Asked, images: number): Promise<readonly ExaminedPod[]> {
  const end = Date.now() + 120_000;
  for (;;) {
    const text = await cluster.kubectl("get", "pods", "--namespace", EXAMINATION, "--output=json");
    const { items } = JSON.parse(text) as { readonly items: readonly ExaminedPod[] };
    const isDone = ({ status: { containerStatuses: found = [] } = {} }: ExaminedPod): boolean =>
      found.length === images && !found.some((container) => isUndecided(container));
    if (items.every(isDone) || Date.now() > end) return items;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

function idOf(archive: string): string {
  const manifest = execFileSync("tar", ["--extract", "--to-stdout", "--file", archive, "manifest.json"], { encoding: "utf8" });
  const [first] = JSON.parse(manifest) as readonly { readonly Config: string }[];
  return `sha256:${first?.Config.replace(".json", "") ?? ""}`;
}

async function namesOf(cluster: Asked, kind: string): Promise<readonly string[]> {
  return (await cluster.kubectl("get", kind, "--output=jsonpath={.items[*].metadata.name}")).split(" ").filter((name) => name !== "");
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
