/**
 * Loopback addresses that no other test file uses now: workers run at the same time in processes of their own, and the
 * process's id is in the address. On an address of one's own every port is free,
 * also between the end of one program and the start of the next. (127.20 is the demo's.)
 */
const [SECOND, THIRD] = [21 + ((process.pid >> 8) % 230), process.pid & 255];
let next = 1;

/** One more address, 127.x.y.z. At most 253 a test file. */
export function ownAddress(): string {
  const address = `127.${SECOND}.${THIRD}.${next++}`;
  if (next > 254) throw new Error("a test file has no more than 253 addresses");
  return address;
}
