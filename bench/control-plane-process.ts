/** The process that is measured: the control plane as `seawall serve` runs it, and beside it what gives the floor. */
import { startControlPlane, type ControlPlane } from "../controller/main.ts";
import type { ControlPlaneParameters, ControlPlaneProtocol } from "./control-plane-protocol.ts";
import { Floor } from "./floor.ts";
import { monotonic } from "./monotonic.ts";
import { answerParent } from "./process-link.ts";

const parameters = JSON.parse(process.argv[2] ?? "") as ControlPlaneParameters;
let controlPlane: ControlPlane | undefined;
let floor: Floor | undefined;

answerParent<ControlPlaneProtocol>(
  {
    async start() {
      const started = monotonic();
      controlPlane = await startControlPlane({
        configFolder: parameters.configFolder,
        stateFolder: parameters.stateFolder,
        xds: { host: "127.0.0.1", port: 0 },
        admin: { host: "127.0.0.1", port: 0 },
        insecureXds: parameters.insecureXds,
        log: (level, message) => {
          if (level === "error" || level === "warn") process.stderr.write(`control plane: ${message}\n`);
        },
      });
      const startMs = monotonic() - started;
      floor = await Floor.open(parameters.floorFolder, parameters.insecureXds);
      const { xds, admin } = controlPlane;
      return { xds: xds.port, admin: admin.port, floor: floor.port, floorCa: floor.ca, startMs };
    },
    usage({ collect }) {
      if (collect) globalThis.gc?.();
      const { user, system } = process.cpuUsage();
      const { rss, heapUsed } = process.memoryUsage();
      return { cpu: (user + system) / 1000, rss, heap: heapUsed, peakRss: process.resourceUsage().maxRSS * 1024 };
    },
    floorBytes(bytes) {
      floor?.prepare(bytes);
      return null;
    },
    floorEvent() {
      return floor?.eventAt ?? 0;
    },
  },
  async () => {
    floor?.close();
    await controlPlane?.stop();
  },
);
