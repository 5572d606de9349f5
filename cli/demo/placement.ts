/** Finds addresses and ports that nobody uses, and puts them into the shop's manifests. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { type Document, isMap, parseAllDocuments } from "yaml";
import { ANNOTATIONS, DEFAULT_PROXY_PORT } from "../../controller/model/pod.ts";
import { CommandFailure } from "../command-failure.ts";
import { isFree } from "../sidecar/occupied-ports.ts";

/** A pod of the manifests: where its sidecar will be, and where its application listens on 127.0.0.1, by port name. */
export interface PlacedPod {
  readonly name: string;
  readonly address: string;
  readonly proxyPort: number;
  /** The sidecar's inbound ports by name. */
  readonly ports: Readonly<Record<string, number>>;
}

interface DeclaredPod {
  readonly name: string;
  readonly lastByte: string;
  readonly ports: Readonly<Record<string, number>>;
}

/** A block of loopback addresses of this demo alone, until it is released. */
export interface AddressBlock extends AsyncDisposable {
  readonly pods: ReadonlyMap<string, PlacedPod>;
}

/** Taken on the first address of a block, so that demos that start at once take different blocks. */
const LOCK_PORT = 15_999;

/** Reserves addresses for the pods of the manifests, on which every port that their sidecars need is free. */
export async function reserveAddresses(manifests: string): Promise<AddressBlock> {
  const declared = readPods(manifests);
  for (let block = 0; block < 250; block++) {
    const lock = await listen(`127.20.${block}.1`, LOCK_PORT);
    if (lock === undefined) continue;
    const pods = declared.map((pod) => ({ ...pod, address: `127.20.${block}.${pod.lastByte}`, proxyPort: DEFAULT_PROXY_PORT }));
    const needed = pods.flatMap((pod) => [pod.proxyPort, ...Object.values(pod.ports)].map((port) => [pod.address, port] as const));
    const free = await Promise.all(needed.map(([address, port]) => isFree(address, port)));
    if (free.every(Boolean)) return reserved(pods, lock);
    lock.close();
  }
  return reserved(await withOtherPorts(declared), undefined);
}

function reserved(pods: readonly PlacedPod[], lock: Server | undefined): AddressBlock {
  return {
    pods: new Map(pods.map(({ name, address, proxyPort, ports }) => [name, { name, address, proxyPort, ports }])),
    async [Symbol.asyncDispose]() {
      if (lock === undefined) return;
      await new Promise((closed) => lock.close(closed));
    },
  };
}

/** Another program has a port on every address: the pods get other ports. */
async function withOtherPorts(declared: readonly DeclaredPod[]): Promise<PlacedPod[]> {
  return Promise.all(
    declared.map(async (pod) => {
      const address = `127.20.250.${pod.lastByte}`;
      const ports = await Promise.all(Object.keys(pod.ports).map(async (name) => [name, await freePort(address)] as const));
      return { name: pod.name, address, proxyPort: await freePort(address), ports: Object.fromEntries(ports) };
    }),
  );
}

async function freePort(address: string): Promise<number> {
  const server = await listen(address, 0);
  const bound = server?.address();
  if (server === undefined || typeof bound !== "object" || bound === null) {
    throw CommandFailure.failed(`no port can be had on ${address}: the demo needs Linux, where all of 127.0.0.0/8 is this machine.`);
  }
  await new Promise((closed) => server.close(closed));
  return bound.port;
}

function listen(address: string, port: number): Promise<Server | undefined> {
  const { promise, resolve } = Promise.withResolvers<Server | undefined>();
  const server = createServer();
  server.once("error", () => resolve(undefined));
  server.listen({ host: address, port, exclusive: true }, () => resolve(server));
  return promise;
}

function documentsOf(file: string): Document.Parsed[] {
  return [...parseAllDocuments(readFileSync(file, "utf8"))] as Document.Parsed[];
}

function yamlFiles(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith(".yaml"));
}

function readPods(manifests: string): DeclaredPod[] {
  return yamlFiles(manifests)
    .flatMap((file) => documentsOf(join(manifests, file)))
    .map((document) => document.toJS() as PodManifest | null)
    .filter((object): object is PodManifest => object?.kind === "Pod")
    .map((pod) => ({
      name: pod.metadata.name,
      lastByte: pod.status.podIP.split(".").at(-1) ?? "1",
      ports: Object.fromEntries(pod.spec.containers.flatMap(({ ports }) => ports.map(({ name, containerPort }) => [name, containerPort]))),
    }));
}

interface PodManifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly containers: readonly { readonly ports: readonly { readonly name: string; readonly containerPort: number }[] }[];
  };
  readonly status: { readonly podIP: string };
}

export interface Placement {
  readonly pods: ReadonlyMap<string, PlacedPod>;
  /** Where each pod's application listens on 127.0.0.1, by port name. */
  readonly applications: ReadonlyMap<string, Readonly<Record<string, number>>>;
  /** Where the identity provider publishes its keys. */
  readonly jwksUri: string;
}

/** Copies the manifests with the addresses and ports of the placement; comments stay. */
export function writeManifests(from: string, to: string, placement: Placement): void {
  for (const file of yamlFiles(from)) {
    const documents = documentsOf(join(from, file));
    for (const document of documents) place(document, placement);
    writeFileSync(join(to, file), documents.map((document) => document.toString({ lineWidth: 0, directives: false })).join("---\n"));
  }
}

function place(document: Document.Parsed, { pods, applications, jwksUri }: Placement): void {
  if (document.get("kind") === "Pod") {
    const name = String(document.getIn(["metadata", "name"]));
    const pod = pods.get(name);
    if (pod === undefined) return;
    document.setIn(["status", "podIP"], pod.address);
    const application = applications.get(name) ?? {};
    const pairs = Object.entries(pod.ports).map(([port, number]) => `${number}=${application[port] ?? number}`);
    document.setIn(["metadata", "annotations", ANNOTATIONS.applicationPorts], pairs.join(","));
    if (pod.proxyPort !== DEFAULT_PROXY_PORT) document.setIn(["metadata", "annotations", ANNOTATIONS.proxyPort], String(pod.proxyPort));
    const declared = document.toJS() as PodManifest;
    declared.spec.containers.forEach(({ ports }, container) => {
      ports.forEach((port, index) => {
        document.setIn(["spec", "containers", container, "ports", index, "containerPort"], pod.ports[port.name]);
      });
    });
  }
  if (document.get("kind") === "AuthenticationPolicy" && isMap(document.getIn(["spec", "accept", 0, "jwt", "jwks"]))) {
    document.setIn(["spec", "accept", 0, "jwt", "jwks", "uri"], jwksUri);
  }
}
