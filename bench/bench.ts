/** `make bench`: promise 2 in figures. What is measured and how to read it is said in README.md. */
import { readOptions, USAGE } from "./bench-options.ts";
import { report } from "./report.ts";
import { runScenario, type ScenarioResult } from "./scenario.ts";

async function main(): Promise<number> {
  let options: ReturnType<typeof readOptions>;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (mistake) {
    process.stderr.write(`${mistake instanceof Error ? mistake.message : String(mistake)}\n${USAGE}\n`);
    return 2;
  }
  if (options === "help") {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const { runs, edits, windowMs, nodeOptions, timeoutMs, json } = options;
  // The measured processes end when this one does.
  const giveUp = setTimeout(() => {
    process.stderr.write(`not finished after ${timeoutMs / 1000} s\n`);
    process.exit(1);
  }, timeoutMs);
  // An exit by the front door removes the generated folder.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  const results: ScenarioResult[] = [];
  for (const { shape, insecureXds } of runs) {
    const name = `${shape.sidecars} x ${shape.services} x ${shape.policies} ${insecureXds ? "plaintext" : "TLS"}`;
    const progress = (line: string): void => void process.stderr.write(`[${name}] ${line}\n`);
    results.push(await runScenario({ shape, insecureXds, edits, windowMs, nodeOptions, progress }));
  }
  clearTimeout(giveUp);
  process.stdout.write(json ? `${JSON.stringify(results, null, 2)}\n` : `${report(results)}\n`);
  const inexact = results.some(
    ({ selectorEdit, endpointChange, meshEdit }) => ![selectorEdit, endpointChange, meshEdit].every(({ exact }) => exact),
  );
  if (inexact) process.stderr.write("an edit did not reach exactly the sidecars that it should\n");
  return inexact ? 1 : 0;
}

process.exitCode = await main();
