/** The process that is measured: a replica as `seawall controller` runs it in a pod, with a pod's own credentials. */
import { type ClusterControlPlane, startClusterControlPlane } from "../../controller/cluster-main.ts";
import { NOTHING_EXCLUDED } from "../../controller/injector/injection-settings.ts";
import { HttpKubernetesApi } from "../../controller/kubernetes/http-api.ts";
import { monotonic } from "../monotonic.ts";
import { answerParent } from "../process-link.ts";
import type { ReplicaParameters, ReplicaProtocol } from "./replica-protocol.ts";

const loadedAt = monotonic();
const { server, ca, token } = JSON.parse(process.argv[2] ?? "") as ReplicaParameters;
const api = new HttpKubernetesApi({
  server,
  namespace: "seawall-system",
  credentials: () => Promise.resolve({ ca, headers: { authorization: `Bearer ${token}` } }),
});
const anywhere = { host: "127.0.0.1", port: 0 };
let controlPlane: ClusterControlPlane | undefined;
let changes = 0;
let followedAgain = Promise.withResolvers<number>();

answerParent<ReplicaProtocol>(
  {
    async start() {
      controlPlane = await startClusterControlPlane({
        api,
        place: { namespace: "seawall-system", clusterDomain: "cluster.local", pod: "seawall-bench", address: "127.0.0.1" },
        injection: {
          version: "bench",
          systemNamespace: "seawall-system",
          image: "seawall/sidecar:bench",
          imagePullPolicy: "Never",
          controlPlane: { host: "seawall.seawall-system.svc", port: 15010 },
          resources: {},
          concurrency: 2,
          logLevel: "warning",
          ipv6: true,
          farewellSeconds: 0,
          excluded: NOTHING_EXCLUDED,
        },
        xds: anywhere,
        webhook: anywhere,
        admin: anywhere,
        tokenFile: "/nonexistent",
        tokenVerification: "jwks",
        log: (level, message) => {
          if (level === "error") process.stderr.write(`replica: ${message}\n`);
          if (message === "all kinds are followed again") followedAgain.resolve(monotonic());
        },
        signal: new AbortController().signal,
      });
      const servingAt = monotonic();
      const { inventory } = controlPlane.mesh;
      for (const collection of [inventory.pods, inventory.workloadOfPod]) collection.onChange((changed) => (changes += changed.size));
      return { loadedAt, servingAt, pods: inventory.pods.size };
    },
    usage({ collect }) {
      if (collect) globalThis.gc?.();
      const { user, system } = process.cpuUsage();
      const { rss, heapUsed } = process.memoryUsage();
      return { cpu: (user + system) / 1000, rss, heap: heapUsed, peakRss: process.resourceUsage().maxRSS * 1024 };
    },
    beginOutage() {
      changes = 0;
      followedAgain = Promise.withResolvers();
      return null;
    },
    async endOutage() {
      return { at: await followedAgain.promise, changes };
    },
  },
  async () => {
    await controlPlane?.stop();
    api.close();
  },
);
