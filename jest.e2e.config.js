import base from "./jest.config.js";

/** These make network namespaces on this machine, which takes root. Without it, the cluster that KUBECONFIG names does for the rest. */
const HERE_AS_ROOT = ["e2e/cluster/node.e2e.ts", "e2e/redirect/", "controller/injector/redirect-rules.e2e.ts"];
const isElsewhere = process.getuid?.() !== 0 && Boolean(process.env.KUBECONFIG);

/** Tests on a real cluster, run by `make e2e`: one file after another, since each may have the machine to itself. */
export default {
  ...base,
  testMatch: ["<rootDir>/**/*.e2e.ts"],
  testPathIgnorePatterns: ["/node_modules/", ...(isElsewhere ? HERE_AS_ROOT : [])],
  maxWorkers: 1,
  testTimeout: 600_000,
};
