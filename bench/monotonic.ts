/** Milliseconds on a clock that all processes of the machine share (CLOCK_MONOTONIC): times of two processes can be subtracted. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
