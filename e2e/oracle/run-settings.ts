/**
 * How long and from which seed the oracle runs. `ORACLE_SEED` repeats a run, `ORACLE_RUNS` lengthens it; the seed is
 * printed at the start, so that a failure can be repeated even when the process dies.
 */
export interface RunSettings {
  readonly seed: number;
  readonly numRuns: number;
}

export function runSettings(what: string, defaultRuns: number, environment: NodeJS.ProcessEnv = process.env): RunSettings {
  const seed = Number(environment["ORACLE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const numRuns = Number(environment["ORACLE_RUNS"] ?? defaultRuns);
  if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(numRuns)) throw new Error("ORACLE_SEED and ORACLE_RUNS are whole numbers");
  process.stderr.write(`${what}: ${numRuns} runs, ORACLE_SEED=${seed} repeats them\n`);
  return { seed, numRuns };
}
