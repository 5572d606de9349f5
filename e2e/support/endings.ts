/**
 * What a test file started and has to end. Under jest everything that is still running ends after the file's last test;
 * a child process also ends when this process exits.
 */
const running = new Set<() => Promise<void>>();

/** Registers `end` for the end of the test file; the function that it returns takes it back. */
export function endWithTests(end: () => Promise<void>): () => void {
  running.add(end);
  return () => {
    running.delete(end);
  };
}

const { afterAll } = globalThis as { afterAll?: (hook: () => Promise<void>) => void };
afterAll?.(async () => {
  const ends = [...running];
  running.clear();
  await Promise.all(ends.map((end) => end()));
});
