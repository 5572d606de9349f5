/** Jest runs the sources as Node does: native modules, types stripped and nothing else changed. */
export default {
  testEnvironment: "node",
  extensionsToTreatAsEsm: [".ts"],
  transform: { "\\.ts$": "<rootDir>/tools/jest-strip-types.js" },
  testMatch: ["<rootDir>/**/*.test.ts"],
  testPathIgnorePatterns: ["/node_modules/", "<rootDir>/dist/"],
  modulePathIgnorePatterns: ["<rootDir>/dist/"],
  // Two cores share the tests with real Envoys; one worker per core leaves none for them to wait on.
  maxWorkers: 2,
  // Far beyond the slowest machine: what hangs is told of sooner, by the wait that hangs (e2e/support/eventually.ts).
  testTimeout: 600_000,
};
