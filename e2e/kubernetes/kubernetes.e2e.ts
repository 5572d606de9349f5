/** A user's way with Seawall on a real cluster, from `helm install` to `helm uninstall`: each section builds on the one before. */
import { afterAll, beforeAll, describe } from "@jest/globals";
import { adoption } from "./adoption.ts";
import { commandLine } from "./command-line.ts";
import { cutOff } from "./cut-off.ts";
import { faults } from "./faults.ts";
import { installation } from "./installation.ts";
import { policies } from "./policies.ts";
import { pods } from "./pods.ts";
import { probes } from "./probes.ts";
import { restarts } from "./restarts.ts";
import { services } from "./services.ts";
import { Stage } from "./stage.ts";
import { uninstall } from "./uninstall.ts";
import { upgrade } from "./upgrade.ts";
import { wire } from "./wire.ts";

describe("Seawall on Kubernetes", () => {
  const stage = new Stage();
  beforeAll(() => stage.open(), 15 * 60_000);
  afterAll(() => stage.close(), 600_000);

  installation(stage);
  policies(stage);
  wire(stage);
  services(stage);
  pods(stage);
  probes(stage);
  commandLine(stage);
  cutOff(stage);
  faults(stage);
  restarts(stage);
  adoption(stage);
  upgrade(stage);
  uninstall(stage);
});
