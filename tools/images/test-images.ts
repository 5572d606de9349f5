/** Images that only tests use. */
import { spawnSync } from "node:child_process";
import type { Image } from "./image.ts";
import { NODE, TIME_ZONES, systemFiles } from "./seawall-images.ts";

const BUSYBOX = "/bin/busybox";

/** Holds a pod's namespaces: it has only to be there. */
export function pauseImage(): Image {
  return {
    name: "localhost/pause:1",
    tree: { programs: [{ from: BUSYBOX, to: "/bin/busybox" }] },
    run: { user: "65535:65535", entrypoint: ["/bin/busybox", "sleep", "infinity"] },
  };
}

/** A user's application and a user's tools: Node.js, curl, and busybox under each of its names. It sleeps unless told what to do. */
export function applicationImage(): Image {
  const applets = spawnSync(BUSYBOX, ["--list"], { encoding: "utf8" }).stdout.trim().split("\n");
  return {
    name: "localhost/app:1",
    tree: {
      programs: [NODE, { from: "/usr/bin/curl", to: "/usr/bin/curl" }, { from: BUSYBOX, to: "/bin/busybox" }],
      copies: [TIME_ZONES],
      texts: systemFiles({ app: 1000 }),
      links: Object.fromEntries(applets.filter((name) => name !== "busybox").map((name) => [`/bin/${name}`, "busybox"])),
    },
    run: {
      user: "1000:1000",
      entrypoint: [],
      arguments: ["/bin/sleep", "infinity"],
      environment: { PATH: "/usr/local/bin:/usr/bin:/bin" },
    },
  };
}
