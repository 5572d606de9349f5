import base from "./jest.config.js";

/** Tests on a real cluster, run by `make e2e`: one file after another, since each may have the machine to itself. */
export default { ...base, testMatch: ["<rootDir>/**/*.e2e.ts"], maxWorkers: 1, testTimeout: 600_000 };
